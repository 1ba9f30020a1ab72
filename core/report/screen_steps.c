/*
 * The table of steps, the same of groups of steps, and under that of steps a sentence for each step whose latency is mostly waiting: latency counts from the
 * moment an exchange was due, service time from the moment it was sent.
 */
#include "base/clock.h"
#include "base/units.h"
#include "report/groups.h"
#include "report/screen.h"
#include "report/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAITS_SHOWN     3
#define WAIT_NOTABLE_NS NS_PER_MS /* below that the two differ by our own microseconds, not by a queue */

#define COLUMN_COUNT 10
static const struct table_column columns[COLUMN_COUNT] = {
    {.title = "step", .left = true, .flexible = true},
    {.title = "count"},
    {.title = "failed"},
    {.title = "per s", .drop = 1},
    {.title = "p50"},
    {.title = "p90", .drop = 2},
    {.title = "p99"},
    {.title = "p99.9", .drop = 3},
    {.title = "max"},
    {.title = "service p99", .extra = true},
};
static const double quantiles[] = {0.5, 0.9, 0.99, 0.999, 1};

static void cell_value(struct table *table, const struct figures_latency *latency, uint64_t ns)
{
    char text[40] = "", number[32];
    if (figures_is_lower_bound(latency, ns))
        strcpy(text, AT_LEAST);
    strcat(text, units_print_duration(number, sizeof number, ns));
    table_cell(table, TONE_PLAIN, text);
}

static void cells_latency(struct table *table, const struct figures_latency *latency)
{
    const struct histogram *histogram = &latency->histogram;
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        if (histogram->count == 0)
            table_cell(table, TONE_DIM, "-");
        else if (quantiles[i] < 1)
            cell_value(table, latency, histogram_quantile(histogram, quantiles[i]));
        else
            cell_value(table, latency, histogram->max);
    }
}

static void cells_counts(struct table *table, uint64_t count, uint64_t failed, double rate)
{
    char text[32];
    table_cell(table, TONE_PLAIN, text_count(text, sizeof text, count));
    table_cell(table, failed ? TONE_BAD : TONE_DIM, text_count(text, sizeof text, failed));
    if (rate < 0)
        table_cell(table, TONE_DIM, "-");
    else
        table_cell(table, TONE_PLAIN, units_print_count(text, sizeof text, rate));
}

static void cell_service(struct table *table, const struct histogram *service)
{
    char text[32];
    if (service->count == 0)
        table_cell(table, TONE_DIM, "-");
    else
        table_cell(table, TONE_PLAIN, units_print_duration(text, sizeof text, histogram_quantile(service, 0.99)));
}

struct sums {
    uint64_t count, failed, ended;
    struct figures_latency latency;
    struct histogram service;
};

static void series_row(const struct screen *screen, struct table *table, const char *name, const struct series *series)
{
    uint64_t failed = figures_failed(series), ended = figures_ended(series->outcomes);
    char *clean = text_clean_copy(name);
    table_cell(table, TONE_PLAIN, clean);
    free(clean);
    cells_counts(table, series->count, failed, figures_rate(ended, screen->result->measured_ns));

    struct figures_latency latency;
    figures_latency_init(&latency);
    figures_latency_add(&latency, series);
    cells_latency(table, &latency);
    figures_latency_fini(&latency);
    cell_service(table, &series->service);
}

static void add_to_sums(struct sums *sums, const struct series *series)
{
    sums->count += series->count;
    sums->failed += figures_failed(series);
    sums->ended += figures_ended(series->outcomes);
    figures_latency_add(&sums->latency, series);
    histogram_merge(&sums->service, &series->service);
}

static void total_row(const struct screen *screen, struct table *table, const struct sums *sums)
{
    table_cell(table, TONE_BOLD, "all steps");
    cells_counts(table, sums->count, sums->failed, figures_rate(sums->ended, screen->result->measured_ns));
    cells_latency(table, &sums->latency);
    cell_service(table, &sums->service);
}

/* p99 of latency, of service time and of waiting; false where they do not differ enough to speak of. */
static bool mostly_waiting(const struct series *series, uint64_t p99_ns[3])
{
    if (series->service.count == 0)
        return false;
    struct histogram latency;
    histogram_init(&latency);
    series_latency(series, &latency);
    p99_ns[0] = histogram_quantile(&latency, 0.99);
    p99_ns[1] = histogram_quantile(&series->service, 0.99);
    p99_ns[2] = histogram_quantile(&series->phases[PHASE_WAIT], 0.99);
    histogram_fini(&latency);
    return p99_ns[0] / 2 > p99_ns[1] && p99_ns[0] - p99_ns[1] > WAIT_NOTABLE_NS;
}

static bool is_bound(const struct series *series, uint64_t ns)
{
    return series->lower_bounds > 0 && ns >= series->lower_bound_min_ns;
}

/* What the difference was spent on, as far as the generator knows. */
static const char *waited_for(const struct result *result, const struct series *series, const uint64_t p99_ns[3])
{
    if (is_bound(series, p99_ns[0]))
        return "the rest never got an answer";
    if (histogram_quantile(&result->store.self_delay, 0.99) > (p99_ns[0] - p99_ns[1]) / 2)
        return "the rest is squall's own lateness";
    if (p99_ns[2] < (p99_ns[0] - p99_ns[1]) / 2 && result->facts.waited_user > 0)
        return "the rest is waiting for an idle user";
    if (p99_ns[2] < (p99_ns[0] - p99_ns[1]) / 2)
        return "the rest went by before the request was written out";
    if (result->facts.waited_user > 0 && result->facts.waited_connection == 0)
        return "the rest is waiting for an idle user";
    if (result->facts.waited_connection > 0 && result->facts.waited_user == 0)
        return "the rest is waiting for a free connection";
    return "the rest is waiting for an idle user or a free connection";
}

static void waits(const struct screen *screen)
{
    const struct result *result = screen->result;
    uint32_t found = 0;
    for (uint32_t i = 0; i < result->store.series_count; i++) {
        uint64_t p99_ns[3];
        const struct series *series = &result->store.series[i];
        if (!mostly_waiting(series, p99_ns) || ++found > WAITS_SHOWN)
            continue;
        char name[64], latency[32], service[32], text[320];
        text_clean(name, sizeof name, result->scenario->series[i].name);
        snprintf(text, sizeof text, "%s: p99 latency %s%s, but service time %s: %s", name,
                 is_bound(series, p99_ns[0]) ? AT_LEAST : "", units_print_duration(latency, sizeof latency, p99_ns[0]),
                 units_print_duration(service, sizeof service, p99_ns[1]), waited_for(result, series, p99_ns));
        screen_line(screen, "!", TONE_WARN, text, TONE_PLAIN);
    }
    if (found > WAITS_SHOWN) {
        char text[64];
        snprintf(text, sizeof text, "and the same at %u more steps", found - WAITS_SHOWN);
        screen_line(screen, "!", TONE_WARN, text, TONE_PLAIN);
    }
}

/* A step that only a setup or a teardown has is no part of what is measured. */
static bool is_shown(const struct result *result, uint32_t index)
{
    return result->scenario->series[index].measured || result->store.series[index].count > 0;
}

void screen_steps(const struct screen *screen)
{
    const struct store *store = &screen->result->store;
    if (store->ledgers[BLOCK_MEASURED].begun == 0)
        return;
    struct table table;
    struct sums sums = {0};
    table_init(&table, columns, COLUMN_COUNT);
    figures_latency_init(&sums.latency);
    histogram_init(&sums.service);
    uint32_t shown = 0;
    for (uint32_t i = 0; i < store->series_count; i++) {
        if (!is_shown(screen->result, i))
            continue;
        series_row(screen, &table, screen->result->scenario->series[i].name, &store->series[i]);
        add_to_sums(&sums, &store->series[i]);
        shown++;
    }
    if (shown > 1)
        total_row(screen, &table, &sums);
    screen_title(screen, "latency");
    table_print(&table, SCREEN_INDENT, screen->width, true, screen->colour, screen->out);
    waits(screen);
    histogram_fini(&sums.service);
    figures_latency_fini(&sums.latency);
    table_fini(&table);
}

static void group_rows(const struct screen *screen, const char *tag, struct table *table)
{
    struct groups groups;
    groups_make(screen->result, tag, &groups);
    for (uint32_t i = 0; i < groups.count; i++) {
        const struct group *group = &groups.list[i];
        char without[80];
        snprintf(without, sizeof without, "(no %s)", tag);
        if (group->measured)
            series_row(screen, table, !group->value ? without : *group->value ? group->value : "(empty)", &group->series);
    }
    groups_free(&groups);
}

void screen_groups(const struct screen *screen)
{
    const struct scenario *scenario = screen->result->scenario;
    if (screen->result->store.ledgers[BLOCK_MEASURED].begun == 0)
        return;
    for (uint32_t i = 0; i < scenario->group_tag_count; i++) {
        char tag[64], title[96];
        struct table table;
        struct table_column own[COLUMN_COUNT];
        memcpy(own, columns, sizeof own);
        own[0].title = text_clean(tag, sizeof tag, scenario->group_tags[i]);
        snprintf(title, sizeof title, "latency by %s", tag);
        table_init(&table, own, COLUMN_COUNT);
        group_rows(screen, scenario->group_tags[i], &table);
        screen_title(screen, title);
        table_print(&table, SCREEN_INDENT, screen->width, true, screen->colour, screen->out);
        table_fini(&table);
    }
}
