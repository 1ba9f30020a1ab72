/* The final screen's lists: thresholds, codes, checks, errors. The longest of each come first, the rest is counted. */
#include "base/units.h"
#include "report/screen.h"
#include "report/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODES_SHOWN  12
#define ERRORS_SHOWN 10

void screen_thresholds(const struct screen *screen)
{
    static const struct table_column columns[] = {{.left = true}, {0}, {.left = true, .flexible = true, .wrap = true}};
    const struct result *result = screen->result;
    if (result->scenario->threshold_count == 0)
        return;
    struct table table;
    table_init(&table, columns, 3);
    for (uint32_t i = 0; i < result->scenario->threshold_count; i++) {
        const struct threshold *threshold = &result->scenario->thresholds[i];
        const struct threshold_result *judged = &result->thresholds[i];
        enum tone tone = judged->pass ? TONE_GOOD : TONE_BAD;
        char actual[120] = "no data", number[64], from[32], to[32];
        if (!judged->no_data) {
            threshold_print_actual(threshold, judged, number, sizeof number);
            bool bound = strncmp(number, ">=", 2) == 0;
            snprintf(actual, sizeof actual, "%s%s", bound ? AT_LEAST : "", number + (bound ? 2 : 0));
        }
        size_t used = strlen(actual);
        if (judged->windowed && !judged->no_data)
            snprintf(actual + used, sizeof actual - used, " at %s..%s", text_clock(from, sizeof from, judged->from_ns, false),
                     text_clock(to, sizeof to, judged->to_ns, false));
        char *text = text_clean_copy(threshold->text);
        table_cell(&table, tone, judged->pass ? MARK_GOOD : MARK_BAD);
        table_cell(&table, tone, actual);
        table_cell(&table, TONE_PLAIN, text);
        free(text);
    }
    screen_title(screen, "thresholds");
    table_print(&table, SCREEN_INDENT, screen->width, false, screen->colour, screen->out);
    table_fini(&table);
}

/* One code of one protocol, over all of its steps. */
struct code_row {
    const struct protocol *protocol;
    uint32_t code;
    uint64_t count;
};

static int by_count(const void *a, const void *b)
{
    const struct code_row *x = a, *y = b;
    return (x->count < y->count) - (x->count > y->count);
}

static uint32_t collect_codes(const struct result *result, struct code_row *rows)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < result->store.series_count; i++) {
        const struct series *series = &result->store.series[i];
        const struct protocol *protocol = result->scenario->series[i].protocol;
        for (uint32_t c = 0; c < series->code_count; c++) {
            uint32_t at = 0;
            while (at < count && (rows[at].protocol != protocol || rows[at].code != series->codes[c].code))
                at++;
            if (at == count)
                rows[count++] = (struct code_row){.protocol = protocol, .code = series->codes[c].code};
            rows[at].count += series->codes[c].count;
        }
    }
    qsort(rows, count, sizeof *rows, by_count);
    return count;
}

static void code_cells(struct table *table, const struct code_row *row, uint64_t whole, bool name_protocol)
{
    char key[16], name[64] = "", text[32];
    const char *given =
        row->code != UINT32_MAX && row->protocol->abi.code_name ? row->protocol->abi.code_name(row->code) : NULL;
    if (given)
        text_clean(name, sizeof name, given);
    if (name_protocol)
        table_cell(table, TONE_PLAIN, row->protocol->name);
    table_cell(table, TONE_PLAIN, figures_code_key(key, sizeof key, row->protocol, row->code));
    table_cell(table, TONE_PLAIN, name);
    table_cell(table, TONE_PLAIN, text_count(text, sizeof text, row->count));
    table_cell(table, TONE_DIM, screen_share(text, sizeof text, row->count, whole));
}

static void more(const struct screen *screen, uint32_t all, uint32_t shown, const char *what)
{
    if (all <= shown)
        return;
    char text[64];
    snprintf(text, sizeof text, "and %u more %s", all - shown, what);
    screen_line(screen, NULL, TONE_PLAIN, text, TONE_DIM);
}

void screen_codes(const struct screen *screen)
{
    static const struct table_column columns[] = {{.left = true}, {0}, {.left = true, .flexible = true}, {0}, {0}};
    const struct store *store = &screen->result->store;
    struct code_row *rows = xcalloc((size_t)store->series_count * SERIES_CODES_MAX + 1, sizeof *rows);
    uint32_t count = collect_codes(screen->result, rows);
    uint64_t whole = 0;
    bool mixed = false;
    for (uint32_t i = 0; i < count; i++) {
        whole += rows[i].count;
        mixed |= rows[i].protocol != rows[0].protocol;
    }
    /* A protocol without codes has counted nothing but "none was received". */
    bool any = whole > 0 && (count > 1 || rows[0].code != 0);
    if (any) {
        struct table table;
        table_init(&table, mixed ? columns : columns + 1, mixed ? 5 : 4);
        for (uint32_t i = 0; i < count && i < CODES_SHOWN; i++)
            code_cells(&table, &rows[i], whole, mixed);
        screen_title(screen, "codes");
        table_print(&table, SCREEN_INDENT, screen->width, false, screen->colour, screen->out);
        more(screen, count, CODES_SHOWN, "codes");
        table_fini(&table);
    }
    free(rows);
}

void screen_checks(const struct screen *screen)
{
    static const struct table_column columns[] = {
        {.left = true}, {.left = true, .flexible = true}, {.title = "passed"}, {.title = "failed"}, {0}};
    const struct result *result = screen->result;
    if (result->store.check_count == 0)
        return;
    struct table table;
    table_init(&table, columns, 5);
    for (uint32_t i = 0; i < result->store.check_count; i++) {
        const struct check_count *count = &result->store.checks[i];
        uint64_t all = count->passed + count->failed;
        char *name = text_clean_copy(result->scenario->check_names[i]);
        char text[64], number[32], share[16];
        enum tone tone = all == 0 ? TONE_DIM : count->failed ? TONE_BAD : TONE_GOOD;
        table_cell(&table, tone, all == 0 ? "-" : count->failed ? MARK_BAD : MARK_GOOD);
        table_cell(&table, TONE_PLAIN, name);
        snprintf(text, sizeof text, "%s passed", text_count(number, sizeof number, count->passed));
        table_cell(&table, TONE_PLAIN, text);
        snprintf(text, sizeof text, "%s failed", text_count(number, sizeof number, count->failed));
        table_cell(&table, count->failed ? TONE_BAD : TONE_DIM, text);
        table_cell(&table, TONE_BAD, count->failed ? screen_share(share, sizeof share, count->failed, all) : "");
        free(name);
    }
    screen_title(screen, "checks");
    table_print(&table, SCREEN_INDENT, screen->width, false, screen->colour, screen->out);
    table_fini(&table);
}

static int by_error_count(const void *a, const void *b)
{
    const struct error_entry *const *x = a, *const *y = b;
    return ((*x)->count < (*y)->count) - ((*x)->count > (*y)->count);
}

static void error_cells(struct table *table, const struct error_entry *entry)
{
    char text[sizeof entry->text * 3], number[32];
    table_cell(table, TONE_BAD, text_count(number, sizeof number, entry->count));
    table_cell(table, TONE_DIM, text_clock(number, sizeof number, entry->first_at_ns, true));
    table_cell(table, TONE_DIM, text_clock(number, sizeof number, entry->last_at_ns, true));
    table_cell(table, TONE_PLAIN, text_clean(text, sizeof text, entry->text));
}

void screen_errors(const struct screen *screen)
{
    static const struct table_column columns[] = {{.title = "count"},
                                                  {.title = "first"},
                                                  {.title = "last"},
                                                  {.title = "what", .left = true, .flexible = true, .wrap = true}};
    const struct store *store = &screen->result->store;
    if (store->error_count == 0)
        return;
    const struct error_entry *entries[ERRORS_MAX];
    for (uint32_t i = 0; i < store->error_count; i++)
        entries[i] = &store->errors[i];
    qsort(entries, store->error_count, sizeof *entries, by_error_count);
    struct table table;
    table_init(&table, columns, 4);
    for (uint32_t i = 0; i < store->error_count && i < ERRORS_SHOWN; i++)
        error_cells(&table, entries[i]);
    screen_title(screen, "errors");
    table_print(&table, SCREEN_INDENT, screen->width, true, screen->colour, screen->out);
    more(screen, store->error_count, ERRORS_SHOWN, "texts");
    if (store->errors_more > 0) {
        char text[96], number[32];
        snprintf(text, sizeof text, "and %s errors of further texts, which were only counted",
                 units_print_grouped(number, sizeof number, store->errors_more));
        screen_line(screen, NULL, TONE_PLAIN, text, TONE_DIM);
    }
    table_fini(&table);
}
