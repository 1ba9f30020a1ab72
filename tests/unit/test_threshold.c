/* Thresholds: the grammar with its errors, and judgements over a store whose figures are known. */
#include "metrics/threshold.h"
#include "base/arena.h"
#include "base/clock.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct arena arena;
static struct store store;

/*
 * Two steps over 10 s. First: 99 ok at 1..99 ms and 1 timed out after 50 ms. Second: 10 ok at 1 s. One check 3 of 4, one
 * 0 of 0. 20 journeys due, 18 completed, each 2 ms.
 */
static int setup(void **state)
{
    (void)state;
    static const uint32_t no_metrics[] = {0, 0};
    arena_init(&arena);
    store_init(&store, 2, no_metrics, 2);
    struct series *first = &store.series[0], *second = &store.series[1];
    for (uint64_t i = 1; i < 100; i++) {
        histogram_record(&first->latency_ok, i * NS_PER_MS);
        histogram_record(&first->service, i * NS_PER_US);
    }
    histogram_record(&first->latency_failed, 50 * NS_PER_MS);
    first->lower_bounds = 1;
    first->lower_bound_min_ns = 50 * NS_PER_MS;
    first->count = 100;
    first->outcomes[OUTCOME_OK] = 99;
    first->outcomes[OUTCOME_TIMED_OUT] = 1;
    for (int i = 0; i < 10; i++)
        histogram_record(&second->latency_ok, NS_PER_S);
    second->count = second->outcomes[OUTCOME_OK] = 10;
    store.checks[0] = (struct check_count){.passed = 3, .failed = 1};
    store.ledgers[BLOCK_MEASURED] = (struct ledger){.due = 20, .completed = 18, .failed = 2};
    for (int i = 0; i < 18; i++)
        histogram_record(&store.journey_ns, 2 * NS_PER_MS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_fini(&store);
    arena_fini(&arena);
    return 0;
}

#define NEAR 0.001 /* a histogram's slot */
static const struct judged {
    const char *text;
    int series, check;
    bool pass;
    double actual; /* within NEAR */
    const char *printed;
} judged[] = {
    {"p50(latency) < 200ms", 0, -1, false, 50e6, "≥50ms"}, /* at the lower bound: more is not known */
    {"p49(latency) < 49.1ms", 0, -1, true, 49e6, "49ms"},
    {"p99(latency) < 1s", 0, -1, false, 98e6, "≥98ms"},
    {"p99(latency) > 10ms", 0, -1, true, 98e6, "≥98ms"},
    {"p99(latency_ok) < 100ms", 0, -1, true, 99e6, "99ms"},
    {"p99_9(latency_ok)<=1s", -1, -1, true, 1e9, "1s"},
    {"  p99.9 ( service ) < 1ms  ", 0, -1, true, 99e3, "99us"},
    {"mean(latency_ok) < 51ms", 0, -1, true, 50e6, "50ms"},
    {"mean(latency) < 51ms", 0, -1, true, 50e6, "≥50ms"},
    {"min(latency) >= 1ms", -1, -1, true, 1e6, "1ms"},
    {"max(latency_ok) > 1s", 1, -1, false, 1e9, "1s"},
    {"p0(latency) == 1ms", 0, -1, true, 1e6, "1ms"},
    {"p100(latency_ok) == 1s", 1, -1, true, 1e9, "1s"},
    {"p90(journey) < 3ms", -1, -1, true, 2e6, "2ms"},
    {"rate(failed) < 1%", 0, -1, false, 0.01, "1%"},
    {"rate(failed) <= 1%", 0, -1, true, 0.01, "1%"},
    {"rate(failed) < 0.01", -1, -1, true, 1.0 / 110, "0.909%"},
    {"rate(timed_out) > 0.5%", 0, -1, true, 0.01, "1%"},
    {"rate(failed) < 1/s", 0, -1, true, 0.1, "0.1/s"},
    {"rate(exchanges) > 500/s", -1, -1, false, 11, "11/s"},
    {"rate(exchanges) >= 660/m", -1, -1, true, 11, "11/s"},
    {"rate(journeys) > 1/s", -1, -1, true, 1.8, "1.8/s"},
    {"count(ok) >= 109", -1, -1, true, 109, "109"},
    {"count(ok) != 109", -1, -1, false, 109, "109"},
    {"count(rejected) == 0", -1, -1, true, 0, "0"},
    {"count(failed) < 2", -1, -1, true, 1, "1"},
    {"count(journeys) == 18", -1, -1, true, 18, "18"},
    {"rate(checks) > 74%", -1, -1, true, 0.75, "75%"},
    {"count(checks) == 4", -1, -1, true, 4, "4"},
    {"rate(passed) == 75%", -1, 0, true, 0.75, "75%"},
    {"rate(failed) < 1%", -1, 0, false, 0.25, "25%"},
    {"count(failed) == 1", -1, 0, true, 1, "1"},
};

/* series, check: -1 for none. */
static void set_scope(struct threshold *threshold, int series, int check)
{
    static const bool masks[2][2] = {{true, false}, {false, true}};
    struct error error;
    threshold->scope = check >= 0 ? SCOPE_CHECK : series >= 0 ? SCOPE_STEPS : SCOPE_RUN;
    threshold->index = check >= 0 ? (uint32_t)check : 0;
    threshold->series = series >= 0 ? masks[series] : NULL;
    if (threshold_scope_check(threshold, &error))
        fail_msg("%s: %s", threshold->text, error.text);
}

static void test_judge(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(judged); i++) {
        struct threshold threshold;
        struct threshold_result result;
        struct error error;
        uint32_t column;
        char printed[64];
        if (threshold_parse(judged[i].text, NULL, 0, &arena, &threshold, &column, &error) < 0)
            fail_msg("%s: column %u: %s", judged[i].text, column, error.text);
        assert_string_equal(threshold.text, judged[i].text);
        set_scope(&threshold, judged[i].series, judged[i].check);
        threshold_judge(&threshold, &store, 10 * NS_PER_S, &result);
        threshold_print_actual(&threshold, &result, printed, sizeof(printed));
        if (result.no_data || result.pass != judged[i].pass || strcmp(printed, judged[i].printed) != 0 ||
            fabs(result.actual - judged[i].actual) > judged[i].actual * NEAR)
            fail_msg("%s: %s, %s", judged[i].text, result.pass ? "passed" : "failed", printed);
    }
}

static void test_no_data(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int series, check;
    } rows[] = {{"p99(tls) < 1s", -1, -1}, {"rate(passed) > 0%", -1, 1}, {"mean(service) >= 0", 1, -1}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct threshold threshold;
        struct threshold_result result;
        struct error error;
        uint32_t column;
        char printed[64];
        assert_int_equal(threshold_parse(rows[i].text, NULL, 0, &arena, &threshold, &column, &error), 0);
        set_scope(&threshold, rows[i].series, rows[i].check);
        threshold_judge(&threshold, &store, 10 * NS_PER_S, &result);
        assert_true(result.no_data);
        assert_false(result.pass);
        assert_string_equal(threshold_print_actual(&threshold, &result, printed, sizeof(printed)), "no data");
    }
}

/* Of the first of two transactions: 4, one of them failed, 10 ms to 40 ms. */
static void test_transaction(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed;
        bool pass;
    } rows[] = {{"p50(duration) < 25ms", "20ms", true}, {"max(duration) < 30ms", "40ms", false}, {"rate(failed) < 20%", "25%", false},
                {"count(failed) == 1", "1", true},       {"rate(failed) < 1/s", "0.1/s", true},   {"rate(transactions) >= 0.4/s", "0.4/s", true},
                {"count(transactions) > 4", "4", false}};
    store_init_transactions(&store, 2);
    for (uint64_t i = 1; i <= 4; i++)
        histogram_record(&store.transactions[0].duration_ns, i * 10 * NS_PER_MS);
    store.transactions[0].count = 4;
    store.transactions[0].failed = 1;
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        struct threshold threshold;
        struct threshold_result result;
        struct error error;
        uint32_t column;
        char printed[64];
        assert_int_equal(threshold_parse(rows[i / 2].text, NULL, 0, &arena, &threshold, &column, &error), 0);
        threshold.scope = SCOPE_TRANSACTION;
        threshold.index = i % 2;
        assert_int_equal(threshold_scope_check(&threshold, &error), 0);
        threshold_judge(&threshold, &store, 10 * NS_PER_S, &result);
        assert_true(result.no_data == (threshold.index == 1)); /* the second transaction never ended */
        if (threshold.index == 0 &&
            (result.pass != rows[i / 2].pass || strcmp(threshold_print_actual(&threshold, &result, printed, sizeof printed), rows[i / 2].printed) != 0))
            fail_msg("%s: %s, %s", rows[i / 2].text, result.pass ? "passed" : "failed", printed);
    }
}

/* Two steps that receive: 300 of 400, and 100 of 100. */
static void test_deliveries(void **state)
{
    (void)state;
    static const struct {
        const char *text, *printed;
        bool pass;
    } rows[] = {{"rate(undelivered) < 20%", "20%", false}, {"rate(undelivered) <= 20%", "20%", true},
                {"count(undelivered) == 100", "100", true}, {"rate(delivered) > 79%", "80%", true},
                {"rate(delivered) > 40/s", "40/s", false}, {"count(delivered) >= 400", "400", true}};
    store.deliveries = xcalloc(store.series_count + 1, sizeof *store.deliveries);
    for (size_t i = 0; i < 3 * COUNT(rows); i++) {
        struct threshold threshold;
        struct threshold_result result;
        struct error error;
        uint32_t column;
        char printed[64];
        bool over = i >= COUNT(rows), unknown = i >= 2 * COUNT(rows);
        store.deliveries[0] = (struct deliveries){.delivered = 300, .expected = 400, .wanted = over};
        store.deliveries[1] = (struct deliveries){.delivered = 100, .expected = 100, .wanted = over, .unknown = unknown};
        assert_int_equal(threshold_parse(rows[i % COUNT(rows)].text, NULL, 0, &arena, &threshold, &column, &error), 0);
        assert_int_equal(threshold_scope_check(&threshold, &error), 0);
        threshold_judge(&threshold, &store, 10 * NS_PER_S, &result);
        assert_true(result.no_data == (!over || unknown));
        bool pass = rows[i % COUNT(rows)].pass && over && !unknown;
        threshold_print_actual(&threshold, &result, printed, sizeof printed);
        if (result.pass != pass || (!result.no_data && strcmp(printed, rows[i % COUNT(rows)].printed) != 0))
            fail_msg("%s: %s, %s", rows[i % COUNT(rows)].text, result.pass ? "passed" : "failed", printed);
    }
}

/* What has no such metric says so, and what it has. */
static void test_scopes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum threshold_scope scope;
        const char *words;
    } rows[] = {{"p99(latency) < 1s", SCOPE_CHECK, "a check has no `latency`; judge failed, checks, passed"},
                {"rate(ok) > 1%", SCOPE_CHECK, "a check has no `ok`"},
                {"count(journeys) > 0", SCOPE_STEPS, "a step has no `journeys`; judge latency, latency_ok"},
                {"p99(self_delay) < 1ms", SCOPE_STEPS, "a step has no `self_delay`"},
                {"rate(checks) > 1%", SCOPE_STEPS, "a step has no `checks`"},
                {"p99(latency) < 1s", SCOPE_TRANSACTION, "a transaction has no `latency`; judge duration, failed, transactions"},
                {"count(hops) < 1", SCOPE_TRANSACTION, "a transaction has no `hops`"},
                {"p99(duration) < 1s", SCOPE_RUN, "write transaction(NAME): ...; the time of exchanges is `latency`"},
                {"rate(transactions) > 1/s", SCOPE_RUN, "`transactions` is of a transaction"}};
    static const struct threshold_metric plugins[] = {{"hops", true}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct threshold threshold;
        struct error error = {0};
        uint32_t column;
        assert_int_equal(threshold_parse(rows[i].text, plugins, 1, &arena, &threshold, &column, &error), 0);
        threshold.scope = rows[i].scope;
        if (threshold_scope_check(&threshold, &error) == 0 || !strstr(error.text, rows[i].words))
            fail_msg("%s: %s", rows[i].text, error.text);
    }
}

static const struct refused {
    const char *text;
    uint32_t column;
    const char *words;
} refused[] = {
    {"", 1, "is no function"},
    {"avg(latency) < 1s", 1, "did you mean \"mean\"?"},
    {"cuont(ok) > 1", 1, "did you mean \"count\"?"},
    {"p101(latency) < 1s", 1, "is no function"},
    {"p99.(latency) < 1s", 1, "is no function"},
    {"p(latency) < 1s", 1, "is no function"},
    {"failed < 1%", 1, "is a metric, and a threshold begins with"},
    {"p99 latency < 1s", 5, "'(' is missing"},
    {"p99(latncy) < 1s", 5, "did you mean \"latency\"?"},
    {"rate(requests) > 1/s", 6, "did you mean \"exchanges\"?"},
    {"p99(zzzzzzzz) < 1s", 5, "is no metric; there are latency, latency_ok"},
    {"p99(latency < 1s", 13, "')' is missing"},
    {"p99(failed) < 1s", 5, "is a number of events"},
    {"count(latency) < 1", 7, "is a time"},
    {"p99(latency) 200ms", 14, "an operator is missing"},
    {"p99(latency) =< 200ms", 14, "an operator is missing"},
    {"p99(latency) <", 15, "a value is missing"},
    {"p99(latency) < 200", 16, "has no unit: write 200ms"},
    {"p99(latency) < 200mz", 16, "is no duration"},
    {"p99(latency) < 200 ms", 16, "has no unit: write 200ms"},
    {"rate(failed) < 0.5 %", 20, "right behind its number"},
    {"p99(latency) < 200ms in 10s", 22, "may follow the value"},
    {"p99(latency) < 200ms over 10s", 27, "\"any\" is missing"},
    {"p99(latency) < 200ms over any 1500ms", 31, "write whole seconds"},
    {"p99(latency) < 200ms over any 0s", 31, "write whole seconds"},
    {"p99(latency) < 200ms over any", 30, "write whole seconds"},
    {"p99(latency) < 200ms over any 10m", 31, "at most 300s"},
    {"p99(latency) < 200ms over any 10s 5", 35, "may follow the value"},
    {"count(journeys) < 5 over any 10s", 26, "counted over the whole run"},
    {"rate(undelivered) < 1% over any 10s", 29, "known when the run is over"},
    {"rate(failed) < 101%", 16, "is no share"},
    {"rate(failed) < 1", 16, "write 1% for one in a hundred, or 100% if it is meant"},
    {"rate(failed) <= 1.0", 17, "is a share, and all of it"},
    {"rate(exchanges) > 5%", 19, "write it like 500/s"},
    {"rate(exchanges) > x/s", 19, "is no rate"},
    {"rate(checks) > 5/s", 16, "is a share"},
    {"count(ok) > 1.5", 13, "is no count"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct threshold threshold;
        struct error error = {0};
        uint32_t column = 0;
        if (threshold_parse(refused[i].text, NULL, 0, &arena, &threshold, &column, &error) == 0)
            fail_msg("%s: accepted", refused[i].text);
        if (column != refused[i].column || !strstr(error.text, refused[i].words))
            fail_msg("%s: column %u: %s", refused[i].text, column, error.text);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_judge), TEST(test_no_data), TEST(test_transaction), TEST(test_deliveries), TEST(test_scopes), TEST(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
