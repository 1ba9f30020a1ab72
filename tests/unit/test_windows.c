/* Windows of a second over workers: each sample reaches the verdict once, however late a worker reports. */
#include "cluster/windows.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct windows windows;
static struct verdict verdict;
static struct snapshot snapshot;

static int begin(void **state)
{
    (void)state;
    static const uint32_t metrics[2] = {0, 0};
    memset(&windows, 0, sizeof windows);
    windows_init(&windows);
    verdict_init(&verdict);
    store_init(&snapshot.store, 2, metrics, 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    windows_fini(&windows);
    store_fini(&snapshot.store);
    return 0;
}

/* A worker's second: ok and failed samples in two series, as many self-delays. */
static void add(uint64_t window, uint64_t ok, uint64_t failed, uint64_t latency_ns, uint64_t waited)
{
    store_reset(&snapshot.store);
    snapshot.window = window;
    for (uint64_t i = 0; i < ok + failed; i++) {
        struct series *series = &snapshot.store.series[i % 2];
        series->count++;
        histogram_record(i < ok ? &series->latency_ok : &series->latency_failed, latency_ns);
        histogram_record(&snapshot.store.self_delay, 1000);
    }
    windows_add(&windows, &snapshot, ok + failed, waited, &verdict);
}

static void test_two_workers_in_step(void **state)
{
    (void)state;
    for (uint64_t second = 0; second < 10; second++) {
        add(second, 3, 1, 1000000, 0);
        add(second, 2, 0, 1000000, 0);
    }
    windows_finish(&windows, &verdict);
    assert_int_equal(verdict.windows, 10);
    assert_int_equal(verdict.exchanges, 60);
    windows_finish(&windows, &verdict); /* all were closed */
    assert_int_equal(verdict.windows, 10);
}

static void test_empty_seconds_are_none(void **state)
{
    (void)state;
    add(0, 1, 0, 1000, 0);
    add(1, 0, 0, 0, 0);
    add(7, 1, 0, 1000, 0);
    windows_finish(&windows, &verdict);
    assert_int_equal(verdict.windows, 2);
    assert_int_equal(verdict.exchanges, 2);
}

static void test_nothing_is_lost_in_any_order(void **state)
{
    (void)state;
    struct random_stream stream;
    random_init(&stream, 3, 1);
    uint64_t sent = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t count = random_below(&stream, 4);
        add(random_below(&stream, 20) + (uint64_t)i / 20, count, 0, 5000, 0);
        sent += count;
    }
    windows_finish(&windows, &verdict);
    assert_int_equal(verdict.exchanges, sent);
}

static void test_shown(void **state)
{
    (void)state;
    struct progress progress = {0};
    windows_show(&windows, &progress);
    assert_int_equal(progress.window_count, 0);
    add(4, 9, 0, 1000000, 0);
    add(4, 0, 1, 9000000, 0);
    windows_show(&windows, &progress);
    assert_int_equal(progress.window_count, 10);
    assert_in_range(progress.p50_ns, 999000, 1001000);
    assert_in_range(progress.p99_ns, 8990000, 9010000);
    add(5, 1, 0, 2000000, 0); /* a new second begins with what it has */
    windows_show(&windows, &progress);
    assert_int_equal(progress.window_count, 1);
    add(3, 5, 0, 1000000, 0); /* a late one does not move the view back */
    windows_show(&windows, &progress);
    assert_int_equal(progress.window_count, 1);
}

static void test_number_of_a_stranger(void **state)
{
    (void)state;
    add(UINT64_MAX, 1, 0, 1000, UINT64_MAX);
    add(0, 1, 0, 1000, 1);
    windows_finish(&windows, &verdict);
    assert_int_equal(verdict.exchanges, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_two_workers_in_step, begin, end),
        cmocka_unit_test_setup_teardown(test_empty_seconds_are_none, begin, end),
        cmocka_unit_test_setup_teardown(test_nothing_is_lost_in_any_order, begin, end),
        cmocka_unit_test_setup_teardown(test_shown, begin, end),
        cmocka_unit_test_setup_teardown(test_number_of_a_stranger, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
