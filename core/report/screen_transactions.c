/* The table of transactions: how long the spans over several steps took, whole ones only. */
#include "base/units.h"
#include "report/screen.h"
#include "report/table.h"
#include <stdlib.h>

void screen_transactions(const struct screen *screen)
{
    static const struct table_column columns[] = {{.title = "transaction", .left = true, .flexible = true},
                                                  {.title = "count"},
                                                  {.title = "failed"},
                                                  {.title = "p50"},
                                                  {.title = "p90", .drop = 1},
                                                  {.title = "p99"},
                                                  {.title = "max"}};
    static const double quantiles[] = {0.5, 0.9, 0.99, 1};
    const struct store *store = &screen->result->store;
    if (store->transaction_count == 0)
        return;
    struct table table;
    table_init(&table, columns, 7);
    for (uint32_t i = 0; i < store->transaction_count; i++) {
        const struct transaction_count *transaction = &store->transactions[i];
        const struct histogram *duration = &transaction->duration_ns;
        char *name = text_clean_copy(screen->result->scenario->transactions[i]), text[32];
        table_cell(&table, TONE_PLAIN, name);
        free(name);
        table_cell(&table, TONE_PLAIN, text_count(text, sizeof text, transaction->count));
        table_cell(&table, transaction->failed ? TONE_BAD : TONE_DIM, text_count(text, sizeof text, transaction->failed));
        for (size_t q = 0; q < sizeof quantiles / sizeof quantiles[0]; q++) {
            uint64_t ns = quantiles[q] < 1 ? histogram_quantile(duration, quantiles[q]) : duration->max;
            table_cell(&table, duration->count ? TONE_PLAIN : TONE_DIM,
                       duration->count ? units_print_duration(text, sizeof text, ns) : "-");
        }
    }
    screen_title(screen, "transactions");
    table_print(&table, SCREEN_INDENT, screen->width, true, screen->colour, screen->out);
    table_fini(&table);
}
