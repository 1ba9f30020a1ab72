/*
 * What was measured besides the latency of exchanges: messages of streams, and the metrics that a protocol's plugin
 * declares. A metric's name ends in its unit, which says how its values are written.
 */
#include "base/units.h"
#include "report/screen.h"
#include "report/table.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct table_column columns[] = {
    {.title = "step", .left = true, .flexible = true},
    {.title = "measure", .left = true},
    {.title = "count"},
    {.title = "p50"},
    {.title = "p90", .drop = 2},
    {.title = "p99"},
    {.title = "p99.9", .drop = 3},
    {.title = "max"},
};
#define COLUMN_COUNT (sizeof columns / sizeof columns[0])
static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};

static bool ends_in(const char *name, const char *unit)
{
    size_t len = strlen(name), unit_len = strlen(unit);
    return len > unit_len && strcmp(name + len - unit_len, unit) == 0;
}

static void cell_value(struct table *table, const char *name, uint64_t value)
{
    char text[40];
    if (ends_in(name, "_ns"))
        units_print_duration(text, sizeof text, value);
    else if (ends_in(name, "_bytes"))
        units_print_size(text, sizeof text, value);
    else
        snprintf(text, sizeof text, "%" PRIu64, value);
    table_cell(table, TONE_PLAIN, text);
}

/* "gap_ns" reads as "gap"; "two_parts" as "two parts". */
static void cell_name(struct table *table, const char *name)
{
    char *text = text_clean_copy(name);
    size_t len = strlen(text);
    if (ends_in(text, "_ns"))
        text[len - 3] = '\0';
    else if (ends_in(text, "_bytes"))
        text[len - 6] = '\0';
    for (char *at = text; *at; at++)
        if (*at == '_')
            *at = ' ';
    table_cell(table, TONE_PLAIN, text);
    free(text);
}

static void cells_begin(struct table *table, const char *step, const char *name, uint64_t count)
{
    char text[32];
    char *clean = text_clean_copy(step);
    table_cell(table, TONE_PLAIN, clean);
    free(clean);
    cell_name(table, name);
    table_cell(table, TONE_PLAIN, text_count(text, sizeof text, count));
}

static uint32_t counter_row(struct table *table, const char *step, const char *name, uint64_t count)
{
    if (count == 0)
        return 0;
    cells_begin(table, step, name, count);
    for (size_t i = 3; i < COLUMN_COUNT; i++)
        table_cell(table, TONE_PLAIN, "");
    return 1;
}

static uint32_t histogram_row(struct table *table, const char *step, const char *name,
                              const struct histogram *histogram)
{
    if (histogram->count == 0)
        return 0;
    cells_begin(table, step, name, histogram->count);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        cell_value(table, name, histogram_quantile(histogram, quantiles[i]));
    cell_value(table, name, histogram->max);
    return 1;
}

static uint32_t step_rows(struct table *table, const struct series *series, const struct series_info *info)
{
    const struct squall_table *metrics = &info->protocol->abi.metrics;
    uint32_t rows = counter_row(table, info->name, "messages_sent", series->messages_sent) +
                    counter_row(table, info->name, "messages_received", series->messages_received) +
                    counter_row(table, info->name, "messages_unanswered", series->messages_unanswered) +
                    histogram_row(table, info->name, "message_latency_ns", &series->message_latency) +
                    histogram_row(table, info->name, "first_message_ns", &series->message_first) +
                    histogram_row(table, info->name, "message_gap_ns", &series->message_gap);
    for (uint32_t i = 0; i < series->metric_count && i < metrics->count; i++) {
        const struct squall_metric *metric = protocol_metric(metrics, i);
        rows += metric->kind == SQUALL_COUNTER
                    ? counter_row(table, info->name, metric->name, series->metrics[i].counter)
                    : histogram_row(table, info->name, metric->name, &series->metrics[i].histogram);
    }
    return rows;
}

static uint32_t delivery_rows(struct table *table, const struct result *result, uint32_t index)
{
    const char *name = result->scenario->series[index].name;
    const struct deliveries *deliveries = result->store.deliveries ? &result->store.deliveries[index] : NULL;
    if (!deliveries || !deliveries->wanted || deliveries->unknown)
        return 0;
    return counter_row(table, name, "expected_deliveries", deliveries->expected) +
           counter_row(table, name, "undelivered", undelivered(deliveries));
}

void screen_metrics(const struct screen *screen)
{
    const struct result *result = screen->result;
    struct table table;
    uint32_t rows = 0;
    table_init(&table, columns, COLUMN_COUNT);
    for (uint32_t i = 0; i < result->store.series_count; i++)
        rows += step_rows(&table, &result->store.series[i], &result->scenario->series[i]) + delivery_rows(&table, result, i);
    if (rows > 0) {
        screen_title(screen, "measured besides");
        table_print(&table, SCREEN_INDENT, screen->width, true, screen->colour, screen->out);
    }
    table_fini(&table);
}
