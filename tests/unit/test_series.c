/* Stores: what merging, resetting and the bounded tables do. */
#include "metrics/series.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const uint32_t metric_counts[] = {0, 2};

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(outcome_key(OUTCOME_TIMED_OUT), "timed_out");
    assert_string_equal(outcome_word(OUTCOME_TIMED_OUT), "timed out");
    assert_string_equal(outcome_key(OUTCOME_UNFINISHED), "unfinished");
    assert_string_equal(phase_key(PHASE_FIRST_BYTE), "first_byte");
}

static void test_ledger(void **state)
{
    (void)state;
    char text[200];
    struct ledger one = {.due = 10, .completed = 4, .failed = 3, .dropped = 2, .journeys_unfinished = 1, .begun = 0};
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        one.outcomes[i] = UINT64_C(1) << i;
        one.begun += one.outcomes[i];
    }
    assert_int_equal(ledger_verify(&one, text, sizeof(text)), 0);
    assert_int_equal(ledger_ended(&one), 255);
    assert_int_equal(ledger_failed(&one), 254);
    struct ledger two = one;
    ledger_add(&two, &one);
    const uint64_t *a = (const uint64_t *)&one, *b = (const uint64_t *)&two;
    for (size_t i = 0; i < LEDGER_CELLS; i++)
        assert_int_equal(b[i], 2 * a[i]);
    two.begun++;
    assert_int_equal(ledger_verify(&two, text, sizeof(text)), -1);
    assert_non_null(strstr(text, "511 exchanges begun"));
    one.dropped = 0;
    assert_int_equal(ledger_verify(&one, text, sizeof(text)), -1);
    assert_non_null(strstr(text, "10 journeys due"));
}

static void test_codes(void **state)
{
    (void)state;
    struct store store;
    store_init(&store, 2, metric_counts, 0);
    struct series *series = &store.series[0];
    for (uint32_t code = 0; code < 200; code++)
        series_code(series, code, code < 63 ? 1 : 2);
    series_code(series, 5, 10);
    assert_int_equal(series->code_count, SERIES_CODES_MAX);
    assert_int_equal(series->codes[5].count, 11);
    assert_int_equal(series->codes[63].code, UINT32_MAX);
    assert_int_equal(series->codes[63].count, 2 * (200 - 63));
    store_fini(&store);
}

static void fill(struct store *store)
{
    struct series *series = &store->series[1];
    series->count = 3;
    series->outcomes[OUTCOME_OK] = 2;
    series->outcomes[OUTCOME_TIMED_OUT] = 1;
    series->bytes_in = 100;
    series->bytes_out = 50;
    series_code(series, 200, 2);
    histogram_record(&series->latency_ok, 1000);
    histogram_record(&series->latency_ok, 2000);
    histogram_record(&series->latency_failed, 500000);
    series->lower_bounds = 1;
    series->lower_bound_min_ns = 500000;
    histogram_record(&series->service, 900);
    histogram_record(&series->phases[PHASE_TLS], 70);
    series->metrics[0].counter = 7;
    histogram_record(&series->metrics[1].histogram, 11);
    store->checks[0].passed = 5;
    store->checks[0].failed = 1;
    histogram_record(&store->journey_ns, 5000);
    histogram_record(&store->self_delay, 10);
    store->ledgers[BLOCK_MEASURED].begun = 3;
    store->skipped_ticks = 4;
}

static void test_merge_and_reset(void **state)
{
    (void)state;
    struct store total, part;
    store_init(&total, 2, metric_counts, 1);
    store_init(&part, 2, metric_counts, 1);
    for (int second = 0; second < 2; second++) {
        store_reset(&part);
        fill(&part);
        store_merge(&total, &part);
    }
    const struct series *series = &total.series[1];
    assert_int_equal(series->count, 6);
    assert_int_equal(series->outcomes[OUTCOME_TIMED_OUT], 2);
    assert_int_equal(series->codes[0].count, 4);
    assert_int_equal(series->bytes_in, 200);
    assert_int_equal(series->lower_bounds, 2);
    assert_int_equal(series->lower_bound_min_ns, 500000);
    assert_int_equal(series->phases[PHASE_TLS].count, 2);
    assert_int_equal(series->metrics[0].counter, 14);
    assert_int_equal(series->metrics[1].histogram.count, 2);
    assert_int_equal(total.checks[0].passed, 10);
    assert_int_equal(total.journey_ns.count, 2);
    assert_int_equal(total.skipped_ticks, 8);
    assert_int_equal(total.ledgers[BLOCK_MEASURED].begun, 0); /* totals are not merge's to add */
    struct histogram latency;
    histogram_init(&latency);
    series_latency(series, &latency);
    assert_int_equal(latency.count, 6);
    assert_int_equal(latency.max, 500000);
    assert_int_equal(latency.min, 1000);
    histogram_fini(&latency);
    store_reset(&total);
    assert_int_equal(series->count, 0);
    assert_int_equal(series->lower_bound_min_ns, UINT64_MAX);
    assert_int_equal(series->code_count, 0);
    assert_int_equal(total.checks[0].passed, 0);
    store_fini(&total);
    store_fini(&part);
}

static void test_errors(void **state)
{
    (void)state;
    struct store store, other;
    char text[40], lengthy[600];
    store_init(&store, 0, NULL, 0);
    store_init(&other, 0, NULL, 0);
    store_error(&store, "refused", 2, 100, 200);
    store_error(&store, "refuse", 1, 5, 5); /* a start of another text is a text of its own */
    store_error(&other, "refused", 3, 50, 150);
    store_merge(&store, &other);
    assert_int_equal(store.error_count, 2);
    assert_int_equal(store.errors[0].count, 5);
    assert_int_equal(store.errors[0].first_at_ns, 50);
    assert_int_equal(store.errors[0].last_at_ns, 200);
    memset(lengthy, 'x', sizeof(lengthy));
    memcpy(lengthy + 198, "\xe2\x82\xac", 3); /* a character across the entry's end */
    lengthy[sizeof(lengthy) - 1] = '\0';
    store_error(&store, lengthy, 1, 0, 0);
    store_error(&store, lengthy, 1, 0, 0);
    assert_int_equal(store.errors[2].count, 2);
    assert_int_equal(strlen(store.errors[2].text), 198);
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof(text), "error %d", i);
        store_error(&store, text, 2, 1, 1);
    }
    assert_int_equal(store.error_count, ERRORS_MAX);
    assert_int_equal(store.errors_more, 2 * (100 - (ERRORS_MAX - 3)));
    store_fini(&store);
    store_fini(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),           cmocka_unit_test(test_ledger), cmocka_unit_test(test_codes),
        cmocka_unit_test(test_merge_and_reset), cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
