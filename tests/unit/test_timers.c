/* The heap of timers: whatever is set, moved and cleared, what is due runs once and in order of time. */
#include "engine/timers.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MANY 500u

struct probe {
    struct timer timer; /* first */
    uint32_t runs;
    uint64_t due_ns; /* UINT64_MAX: not set */
};
static struct timers timers;
static struct probe probes[MANY];
static uint64_t last_ns;

static void on_probe(struct timer *timer, uint64_t now_ns)
{
    struct probe *probe = (struct probe *)(void *)timer;
    assert_int_equal(timer->position, 0);
    assert_true(probe->due_ns <= now_ns);
    assert_true(probe->due_ns >= last_ns);
    last_ns = probe->due_ns;
    probe->due_ns = UINT64_MAX;
    probe->runs++;
}

static uint64_t earliest(void)
{
    uint64_t first_ns = UINT64_MAX;
    for (uint32_t i = 0; i < MANY; i++)
        if (probes[i].due_ns < first_ns)
            first_ns = probes[i].due_ns;
    return first_ns;
}

static void test_random_use(void **state)
{
    (void)state;
    struct random_stream stream;
    random_init(&stream, 1, 1);
    for (uint32_t i = 0; i < MANY; i++)
        probes[i] = (struct probe){.timer.fn = on_probe, .due_ns = UINT64_MAX};
    assert_true(timers_next(&timers) == UINT64_MAX);
    uint64_t now_ns = 0;
    for (int round = 0; round < 20000; round++) {
        struct probe *probe = &probes[random_below(&stream, MANY)];
        uint64_t action = random_below(&stream, 10);
        if (action < 6) {
            probe->due_ns = now_ns + random_below(&stream, 1000);
            timer_set(&timers, &probe->timer, probe->due_ns);
        } else if (action < 8) {
            timer_clear(&timers, &probe->timer);
            probe->due_ns = UINT64_MAX;
        } else {
            now_ns += random_below(&stream, 50);
            last_ns = 0;
            timers_run(&timers, now_ns);
            assert_true(earliest() > now_ns);
        }
        assert_true(timers_next(&timers) == earliest());
    }
    last_ns = 0;
    timers_run(&timers, UINT64_MAX - 1);
    assert_true(timers_next(&timers) == UINT64_MAX);
    timers_fini(&timers);
}

static struct timer again, other;
static int again_runs, other_runs;

static void on_again(struct timer *timer, uint64_t now_ns)
{
    timer_clear(&timers, &other);
    if (++again_runs < 3)
        timer_set(&timers, timer, now_ns); /* due at once: it runs within the same call */
}

static void on_other(struct timer *timer, uint64_t now_ns)
{
    (void)timer;
    (void)now_ns;
    other_runs++;
}

static void test_changes_from_within(void **state)
{
    (void)state;
    again.fn = on_again;
    other.fn = on_other;
    timer_set(&timers, &again, 5);
    timer_set(&timers, &other, 6);
    timers_run(&timers, 4);
    assert_int_equal(again_runs, 0);
    timers_run(&timers, 10);
    assert_int_equal(again_runs, 3);
    assert_int_equal(other_runs, 0);
    timer_clear(&timers, &other); /* not set: nothing happens */
    assert_int_equal(timers.count, 0);
    timers_fini(&timers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_use),
        cmocka_unit_test(test_changes_from_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
