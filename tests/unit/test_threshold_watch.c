/* Thresholds over windows and those that end a run: fed second by second, with workers out of step. */
#include "metrics/threshold_watch.h"
#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct arena arena;
static struct store interval, total;

static int setup(void **state)
{
    (void)state;
    static const uint32_t metrics[] = {2};
    arena_init(&arena);
    store_init(&interval, 1, metrics, 0);
    store_init(&total, 1, metrics, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_fini(&interval);
    store_fini(&total);
    arena_fini(&arena);
    return 0;
}

static const struct threshold_metric plugin_metrics[] = {{"gap_ns", false}, {"hops", true}};
static const int32_t plugin_rows[] = {1};

static struct threshold parse(const char *text)
{
    struct threshold threshold;
    struct error error;
    uint32_t column;
    if (threshold_parse(text, plugin_metrics, 2, &arena, &threshold, &column, &error) < 0)
        fail_msg("%s: %s", text, error.text);
    threshold.plugin_rows = plugin_rows;
    return threshold;
}

/* One second of one worker: so many ok exchanges of a latency, and so many failed ones of none. */
static void feed(struct threshold_watch *watch, uint32_t worker, uint64_t second, uint64_t ok, uint64_t latency_ms, uint64_t failed)
{
    struct series *series = &interval.series[0];
    store_reset(&interval);
    series->count = ok + failed;
    series->outcomes[OUTCOME_OK] = ok;
    series->outcomes[OUTCOME_REJECTED] = failed;
    series->metrics[1].counter = 3 * ok;
    for (uint64_t i = 0; i < ok; i++)
        histogram_record(&series->latency_ok, latency_ms * NS_PER_MS);
    for (uint64_t i = 0; i < failed; i++)
        histogram_record(&series->latency_failed, 0);
    store_merge(&total, &interval);
    threshold_watch_add(watch, worker, second, &interval);
}

/* Latency in ms of ten exchanges a second, and how many more failed, over 8 seconds; then what the worst window is. */
#define SECONDS 8
static const struct {
    const char *text;
    uint64_t warmup_s;
    uint64_t latency[SECONDS], failed[SECONDS];
    bool pass, no_data, when;
    double actual;
    uint64_t from_s, to_s;
} cases[] = {
    {"p90(latency) < 100ms over any 3s", 0, {1, 1, 9, 9, 9, 1, 1, 1}, {0}, true, false, false, 9e6, 0, 3},
    /* In the merged window of 2 s a tenth is slow in one second: the 90th percentile of 20 is still quick, the 99th not. */
    {"p50(latency) < 100ms over any 2s", 0, {1, 1, 1, 500, 1, 1, 1, 1}, {0}, true, false, false, 1e6, 2, 4},
    {"p51(latency) < 100ms over any 2s", 0, {1, 1, 1, 500, 1, 1, 1, 1}, {0}, false, false, false, 500e6, 2, 4},
    {"p51(latency) < 100ms over any 2s", 4, {1, 1, 1, 500, 1, 1, 1, 1}, {0}, true, false, false, 1e6, 4, 6},
    {"rate(failed) < 20% over any 2s", 0, {1, 1, 1, 1, 1, 1, 1, 1}, {0, 0, 5, 5, 0, 0, 0, 0}, false, false, false, 1.0 / 3, 2, 4},
    {"rate(failed) > 20% over any 2s", 0, {1, 1, 1, 1, 1, 1, 1, 1}, {0, 0, 5, 5, 0, 0, 0, 0}, false, false, true, 1.0 / 3, 2, 4},
    {"rate(failed) > 40% over any 2s", 0, {1, 1, 1, 1, 1, 1, 1, 1}, {0, 0, 5, 5, 0, 0, 0, 0}, true, false, true, 1.0 / 3, 2, 4},
    {"rate(exchanges) > 10/s over any 2s", 0, {1, 1, 1, 1, 1, 1, 1, 1}, {5, 5, 5, 5, 0, 1, 5, 5}, true, false, false, 10.5, 4, 6},
    {"count(exchanges) >= 22 over any 2s", 0, {1, 1, 1, 1, 1, 1, 1, 1}, {5, 5, 5, 5, 0, 1, 5, 5}, false, false, false, 21, 4, 6},
    {"p90(latency) < 1s over any 20s", 0, {1, 1, 1, 1, 9, 9, 1, 1}, {0}, true, false, false, 9e6, 0, 8}, /* shorter than the window */
    {"p90(tls) < 1s over any 2s", 0, {1, 1, 1, 1, 1, 1, 1, 1}, {0}, false, true, false, 0, 0, 0},
    {"p90(tls) > 1s over any 2s", 0, {1, 1, 1, 1, 1, 1, 1, 1}, {0}, true, true, true, 0, 0, 0},
    {"rate(hops) < 40/s over any 2s", 0, {1, 1, 1, 1, 1, 1, 1, 1}, {0}, true, false, false, 30, 0, 2},
};

static void test_windows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct threshold threshold = parse(cases[i].text);
        struct threshold_result result, ignored;
        if (cases[i].when)
            threshold_negate(&threshold);
        /* Two workers with half of it each, the second of which is up to three seconds behind. */
        struct threshold_watch *watch =
            threshold_watch_new(&threshold, 1, 2, cases[i].warmup_s * NS_PER_S, SECONDS * NS_PER_S);
        store_reset(&total);
        for (uint64_t second = 0; second < SECONDS + 3; second++) {
            if (second < SECONDS)
                feed(watch, 0, second, 5, cases[i].latency[second], cases[i].failed[second]);
            if (second >= 3)
                feed(watch, 1, second - 3, 5, cases[i].latency[second - 3], 0);
            assert_int_equal(threshold_watch_judge(watch, &total, &ignored), -1); /* it has no abort */
        }
        threshold_watch_over(watch, 0);
        threshold_watch_over(watch, 1);
        threshold_watch_finish(watch, &total, SECONDS * NS_PER_S, &result);
        threshold_watch_free(watch);
        double off = result.actual - cases[i].actual;
        if (result.pass != cases[i].pass || result.no_data != cases[i].no_data || off > cases[i].actual * 0.001 ||
            -off > cases[i].actual * 0.001 || result.from_ns != cases[i].from_s * NS_PER_S || result.to_ns != cases[i].to_s * NS_PER_S)
            fail_msg("%zu: %s: %s, %g at %llu..%llu", i, cases[i].text, result.pass ? "passed" : "failed", result.actual,
                     (unsigned long long)result.from_ns, (unsigned long long)result.to_ns);
    }
}

/* What is behind the load's end says nothing where more is wanted, and something where less is. */
static void test_drain(void **state)
{
    (void)state;
    struct threshold thresholds[] = {parse("rate(exchanges) > 9/s over any 1s"), parse("rate(failed) < 50% over any 1s")};
    struct threshold_result results[2];
    struct threshold_watch *watch = threshold_watch_new(thresholds, 2, 1, 0, 2 * NS_PER_S);
    store_reset(&total);
    feed(watch, 0, 0, 10, 1, 0);
    feed(watch, 0, 1, 10, 1, 0);
    feed(watch, 0, 2, 0, 0, 1);
    threshold_watch_over(watch, 0);
    threshold_watch_finish(watch, &total, 2 * NS_PER_S, results);
    threshold_watch_free(watch);
    assert_true(results[0].pass);
    assert_false(results[1].pass);
    assert_int_equal(results[1].from_ns, 2 * NS_PER_S);
}

/* 5 of 15 fail from second 4 on: when is the run told to end? -1: never. */
static const struct {
    const char *text;
    bool abort;
    uint64_t grace_s, warmup_s;
    int at;
} ends[] = {
    {"rate(failed) > 20% over any 2s", true, 0, 0, 5}, /* one bad second in two is 20 %: not above */
    {"rate(failed) > 19% over any 2s", true, 0, 0, 4},
    {"rate(failed) > 20% over any 2s", false, 0, 0, -1},
    {"rate(failed) > 20% over any 2s", true, 6, 0, 7}, /* the window begins behind the grace */
    {"rate(failed) > 20% over any 2s", true, 0, 6, 7},
    {"rate(failed) > 40% over any 2s", true, 0, 0, -1},
    {"rate(failed) > 9%", true, 0, 0, 4},
    {"rate(failed) > 9%", true, 6, 0, 6},
    {"count(failed) > 0", true, 0, 0, 4},
};

static void test_abort(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        struct threshold threshold = parse(ends[i].text);
        struct threshold_result result, last;
        int at = -1;
        threshold_negate(&threshold);
        threshold.abort = ends[i].abort;
        threshold.grace_ns = ends[i].grace_s * NS_PER_S;
        struct threshold_watch *watch = threshold_watch_new(&threshold, 1, 1, ends[i].warmup_s * NS_PER_S, 10 * NS_PER_S);
        store_reset(&total);
        for (int second = 0; second < 10; second++) {
            feed(watch, 0, (uint64_t)second, 10, 1, second >= 4 ? 5 : 0);
            if (threshold_watch_judge(watch, &total, &result) == 0 && at < 0)
                at = second;
            else
                continue;
            assert_false(result.pass);
            assert_true(result.aborted);
        }
        threshold_watch_finish(watch, &total, 10 * NS_PER_S, &last);
        threshold_watch_free(watch);
        if (at != ends[i].at || last.aborted != (at >= 0))
            fail_msg("%zu: %s: ended at %d", i, ends[i].text, at);
    }
}

/* A worker that is gone, or far behind, holds nobody up; what comes late counts. */
static void test_out_of_step(void **state)
{
    (void)state;
    struct threshold threshold = parse("count(exchanges) < 100 over any 2s");
    struct threshold_result result;
    threshold_negate(&threshold);
    threshold_negate(&threshold);
    struct threshold_watch *watch = threshold_watch_new(&threshold, 1, 3, 0, UINT64_MAX);
    store_reset(&total);
    threshold_watch_over(watch, 2);
    for (uint64_t second = 0; second < 100; second++)
        feed(watch, 0, second, 10, 1, 0);
    feed(watch, 1, 3, 500, 1, 0); /* second 3 is long judged */
    threshold_watch_over(watch, 0);
    threshold_watch_over(watch, 1);
    threshold_watch_finish(watch, &total, 100 * NS_PER_S, &result);
    threshold_watch_free(watch);
    assert_false(result.pass);
    assert_true(result.actual == 520);
    assert_true(result.from_ns >= 90 * NS_PER_S);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_windows), TEST(test_drain), TEST(test_abort), TEST(test_out_of_step)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
