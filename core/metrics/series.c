/*
 * Stores: counting, resetting and merging. See series.h. Nothing here allocates once a store is made, but for
 * histograms' slots on their first sample.
 */
#include "metrics/series.h"
#include "base/arena.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_REST UINT32_MAX

const char *outcome_key(enum outcome outcome)
{
#define OUTCOME_ROW(name, key, word) key,
    static const char *const keys[] = {OUTCOMES(OUTCOME_ROW)};
#undef OUTCOME_ROW
    return keys[outcome];
}

const char *outcome_word(enum outcome outcome)
{
#define OUTCOME_ROW(name, key, word) word,
    static const char *const words[] = {OUTCOMES(OUTCOME_ROW)};
#undef OUTCOME_ROW
    return words[outcome];
}

const char *phase_key(enum phase phase)
{
    static const char *const keys[PHASE_COUNT] = {"dns", "connect", "tls", "wait", "first_byte"};
    return keys[phase];
}

/* ---- Ledgers ----------------------------------------------------------------------------------- */

void ledger_add(struct ledger *into, const struct ledger *from)
{
    into->due += from->due;
    into->completed += from->completed;
    into->failed += from->failed;
    into->dropped += from->dropped;
    into->journeys_unfinished += from->journeys_unfinished;
    into->begun += from->begun;
    for (int i = 0; i < OUTCOME_COUNT; i++)
        into->outcomes[i] += from->outcomes[i];
    into->bytes_in += from->bytes_in;
    into->bytes_out += from->bytes_out;
}

uint64_t ledger_ended(const struct ledger *ledger)
{
    uint64_t ended = 0;
    for (int i = 0; i < OUTCOME_COUNT; i++)
        ended += ledger->outcomes[i];
    return ended;
}

uint64_t ledger_failed(const struct ledger *ledger)
{
    return ledger_ended(ledger) - ledger->outcomes[OUTCOME_OK];
}

int ledger_verify(const struct ledger *ledger, char *text, size_t size)
{
    uint64_t ended = ledger_ended(ledger);
    uint64_t journeys = ledger->completed + ledger->failed + ledger->dropped + ledger->journeys_unfinished;
    if (ledger->begun != ended) {
        snprintf(text, size, "%llu exchanges begun, but %llu have an outcome", (unsigned long long)ledger->begun,
                 (unsigned long long)ended);
        return -1;
    }
    if (ledger->due != journeys) {
        snprintf(text, size, "%llu journeys due, but %llu completed, failed, dropped or unfinished",
                 (unsigned long long)ledger->due, (unsigned long long)journeys);
        return -1;
    }
    return 0;
}

/* ---- Series ------------------------------------------------------------------------------------ */

/* Each histogram of a series in turn, for whoever treats them all alike. */
static void series_each(struct series *series, void (*fn)(struct histogram *))
{
    fn(&series->latency_ok);
    fn(&series->latency_failed);
    fn(&series->service);
    for (int i = 0; i < PHASE_COUNT; i++)
        fn(&series->phases[i]);
    fn(&series->message_latency);
    fn(&series->message_service);
    fn(&series->message_first);
    fn(&series->message_gap);
    for (uint32_t i = 0; i < series->metric_count; i++)
        fn(&series->metrics[i].histogram);
}

static void series_reset(struct series *series)
{
    series->count = series->bytes_in = series->bytes_out = 0;
    memset(series->outcomes, 0, sizeof(series->outcomes));
    series->code_count = 0;
    series->lower_bounds = 0;
    series->few = series->full = (struct crowd){0, 0};
    series->lower_bound_min_ns = UINT64_MAX;
    series->messages_sent = series->messages_received = 0;
    series->messages_answered = series->messages_unanswered = 0;
    for (uint32_t i = 0; i < series->metric_count; i++)
        series->metrics[i].counter = 0;
    series_each(series, histogram_reset);
}

void series_init(struct series *series, uint32_t metric_count)
{
    *series = (struct series){.metric_count = metric_count, .lower_bound_min_ns = UINT64_MAX};
    series->metrics = xcalloc(metric_count, sizeof(*series->metrics));
    series_each(series, histogram_init);
}

void series_fini(struct series *series)
{
    series_each(series, histogram_fini);
    free(series->metrics);
    series->metrics = NULL;
    series->metric_count = 0;
}

/* The table's last place is kept for the rest. */
void series_code(struct series *series, uint32_t code, uint64_t n)
{
    for (uint32_t i = 0; i < series->code_count; i++) {
        if (series->codes[i].code == code) {
            series->codes[i].count += n;
            return;
        }
    }
    if (code != CODE_REST && series->code_count >= SERIES_CODES_MAX - 1) {
        series_code(series, CODE_REST, n);
        return;
    }
    uint32_t place = series->code_count++;
    series->codes[place].code = code;
    series->codes[place].count = n;
}

bool series_has_messages(const struct series *series)
{
    return series->messages_sent || series->messages_received;
}

void series_latency(const struct series *series, struct histogram *ret_latency)
{
    histogram_merge(ret_latency, &series->latency_ok);
    histogram_merge(ret_latency, &series->latency_failed);
}

void series_merge(struct series *into, const struct series *from)
{
    into->count += from->count;
    into->bytes_in += from->bytes_in;
    into->bytes_out += from->bytes_out;
    for (int i = 0; i < OUTCOME_COUNT; i++)
        into->outcomes[i] += from->outcomes[i];
    for (uint32_t i = 0; i < from->code_count; i++)
        series_code(into, from->codes[i].code, from->codes[i].count);
    histogram_merge(&into->latency_ok, &from->latency_ok);
    histogram_merge(&into->latency_failed, &from->latency_failed);
    histogram_merge(&into->service, &from->service);
    into->few.count += from->few.count;
    into->few.ns += from->few.ns;
    into->full.count += from->full.count;
    into->full.ns += from->full.ns;
    into->lower_bounds += from->lower_bounds;
    if (from->lower_bound_min_ns < into->lower_bound_min_ns)
        into->lower_bound_min_ns = from->lower_bound_min_ns;
    for (int i = 0; i < PHASE_COUNT; i++)
        histogram_merge(&into->phases[i], &from->phases[i]);
    into->messages_sent += from->messages_sent;
    into->messages_received += from->messages_received;
    into->messages_answered += from->messages_answered;
    into->messages_unanswered += from->messages_unanswered;
    histogram_merge(&into->message_latency, &from->message_latency);
    histogram_merge(&into->message_service, &from->message_service);
    histogram_merge(&into->message_first, &from->message_first);
    histogram_merge(&into->message_gap, &from->message_gap);
    for (uint32_t i = 0; i < into->metric_count && i < from->metric_count; i++) {
        into->metrics[i].counter += from->metrics[i].counter;
        histogram_merge(&into->metrics[i].histogram, &from->metrics[i].histogram);
    }
}

/* ---- Stores ------------------------------------------------------------------------------------ */

static void store_each(struct store *store, void (*fn)(struct histogram *))
{
    fn(&store->journey_ns);
    fn(&store->self_delay);
    fn(&store->send_lag);
    fn(&store->receive_lag);
    for (uint32_t i = 0; i < store->transaction_count; i++)
        fn(&store->transactions[i].duration_ns);
}

void store_init(struct store *store, uint32_t series_count, const uint32_t *metric_counts, uint32_t check_count)
{
    memset(store, 0, sizeof(*store));
    store->series_count = series_count;
    store->series = xcalloc(series_count, sizeof(*store->series));
    store->check_count = check_count;
    store->checks = xcalloc(check_count, sizeof(*store->checks));
    store_each(store, histogram_init);
    for (uint32_t i = 0; i < series_count; i++)
        series_init(&store->series[i], metric_counts ? metric_counts[i] : 0);
}

void store_init_transactions(struct store *store, uint32_t transaction_count)
{
    store->transaction_count = transaction_count;
    store->transactions = xcalloc(transaction_count, sizeof(*store->transactions));
    for (uint32_t i = 0; i < transaction_count; i++)
        histogram_init(&store->transactions[i].duration_ns);
}

void store_fini(struct store *store)
{
    if (!store || !store->series)
        return;
    store_each(store, histogram_fini);
    for (uint32_t i = 0; i < store->series_count; i++)
        series_fini(&store->series[i]);
    free(store->series);
    free(store->checks);
    free(store->transactions);
    free(store->deliveries);
    memset(store, 0, sizeof(*store));
}

void store_reset(struct store *store)
{
    for (uint32_t i = 0; i < store->series_count; i++)
        series_reset(&store->series[i]);
    memset(store->checks, 0, store->check_count * sizeof(*store->checks));
    store_each(store, histogram_reset);
    for (uint32_t i = 0; i < store->transaction_count; i++)
        store->transactions[i].count = store->transactions[i].failed = 0;
    store->error_count = 0;
    store->errors_more = store->skipped_ticks = 0;
}

/* The length of text's longest start that fits an entry and does not cut a UTF-8 character in two. */
static size_t entry_length(const char *text)
{
    size_t room = sizeof(((struct error_entry *)NULL)->text) - 1, length = strnlen(text, room + 1);
    if (length <= room)
        return length;
    size_t cut = room;
    while (cut > room - 4 && ((unsigned char)text[cut] & 0xc0) == 0x80)
        cut--;
    return cut;
}

void store_error(struct store *store, const char *text, uint64_t count, uint64_t first_at_ns, uint64_t last_at_ns)
{
    size_t length = entry_length(text);
    struct error_entry *entry = NULL;
    for (uint32_t i = 0; i < store->error_count && !entry; i++)
        if (strncmp(store->errors[i].text, text, length) == 0 && store->errors[i].text[length] == '\0')
            entry = &store->errors[i];
    if (!entry) {
        if (store->error_count == ERRORS_MAX) {
            store->errors_more += count;
            return;
        }
        entry = &store->errors[store->error_count++];
        memcpy(entry->text, text, length);
        entry->text[length] = '\0';
        entry->count = 0;
        entry->first_at_ns = first_at_ns;
        entry->last_at_ns = last_at_ns;
    }
    entry->count += count;
    if (first_at_ns < entry->first_at_ns)
        entry->first_at_ns = first_at_ns;
    if (last_at_ns > entry->last_at_ns)
        entry->last_at_ns = last_at_ns;
}

void store_merge(struct store *into, const struct store *from)
{
    for (uint32_t i = 0; i < into->series_count && i < from->series_count; i++)
        series_merge(&into->series[i], &from->series[i]);
    for (uint32_t i = 0; i < into->check_count && i < from->check_count; i++) {
        into->checks[i].passed += from->checks[i].passed;
        into->checks[i].failed += from->checks[i].failed;
    }
    for (uint32_t i = 0; i < into->transaction_count && i < from->transaction_count; i++) {
        into->transactions[i].count += from->transactions[i].count;
        into->transactions[i].failed += from->transactions[i].failed;
        histogram_merge(&into->transactions[i].duration_ns, &from->transactions[i].duration_ns);
    }
    histogram_merge(&into->journey_ns, &from->journey_ns);
    histogram_merge(&into->self_delay, &from->self_delay);
    histogram_merge(&into->send_lag, &from->send_lag);
    histogram_merge(&into->receive_lag, &from->receive_lag);
    for (uint32_t i = 0; i < from->error_count; i++)
        store_error(into, from->errors[i].text, from->errors[i].count, from->errors[i].first_at_ns,
                    from->errors[i].last_at_ns);
    into->errors_more += from->errors_more;
    into->skipped_ticks += from->skipped_ticks;
}
