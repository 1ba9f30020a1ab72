/* Arrivals against integer arithmetic and against the exponential distribution; users over time. Fixed seeds: whatever
 * passes once passes always. */
#include "schedule/schedule.h"
#include "base/arena.h"
#include "base/clock.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define RATE(from, to, seconds) {STAGE_RATE, ARRIVALS_CONSTANT, from, to, (uint64_t)((seconds) * 1e9), 0}
#define POISSON(from, to, seconds) {STAGE_RATE, ARRIVALS_POISSON, from, to, (uint64_t)((seconds) * 1e9), 0}
#define USERS(from, to, seconds) {STAGE_USERS, ARRIVALS_CONSTANT, from, to, (uint64_t)((seconds) * 1e9), 0}

static struct schedule schedule_of(const struct stage *stages, size_t count)
{
    return (struct schedule){.stages = stages, .stage_count = (uint32_t)count, .seed = 7, .workers = 1, .limit = UINT64_MAX};
}

static size_t walk(const struct schedule *schedule, struct arrival *arrivals, size_t room)
{
    struct schedule_cursor cursor;
    struct arrival arrival;
    size_t count = 0;
    schedule_cursor_init(&cursor, schedule);
    while (schedule_next(&cursor, schedule, &arrival)) {
        assert_true(count < room);
        arrivals[count++] = arrival;
    }
    assert_false(schedule_next(&cursor, schedule, &arrival)); /* the end stays the end */
    return count;
}

#define ROOM 200000
static struct arrival arrivals[ROOM], others[ROOM];

static const struct stage hold[] = {RATE(200, 200, 10)};
static const struct stage tenth[] = {RATE(0.1, 0.1, 10)};
static const struct stage third[] = {RATE(1.0 / 3, 1.0 / 3, 30)};
static const struct stage ramp_up[] = {RATE(0, 200, 30)};
static const struct stage ramp_down[] = {RATE(200, 0, 30)};
static const struct stage gap[] = {RATE(1, 1, 1), RATE(0, 0, 10), RATE(1, 1, 2)};
static const struct stage nothing[] = {RATE(0, 0, 5)};
static const struct stage endless_nothing[] = {{STAGE_RATE, ARRIVALS_CONSTANT, 0, 0, UINT64_MAX, 0}};
static const struct stage instant[] = {RATE(50, 50, 0), RATE(100, 100, 1)};
static const struct stage several[] = {RATE(0, 77.7, 3.3), RATE(77.7, 77.7, 4.1), RATE(77.7, 3, 2.9), RATE(0, 0, 1), RATE(3, 500, 5)};
static const struct stage high[] = {RATE(100000, 100000, 1)};

static const struct open_case {
    const char *name;
    const struct stage *stages;
    size_t stage_count, arrivals;
} open_cases[] = {
    {"hold", hold, 1, 2000},           {"tenth", tenth, 1, 1},     {"third", third, 1, 10},
    {"ramp up", ramp_up, 1, 3000},     {"ramp down", ramp_down, 1, 3000}, {"gap", gap, 3, 3},
    {"nothing", nothing, 1, 0},        {"endless nothing", endless_nothing, 1, 0}, {"instant", instant, 2, 100},
    {"several", several, 5, 1822},     {"high", high, 1, 100000},
};

/* Cumulative intensity in exact terms, to check a due time from outside: sums over whole stages, then within one. */
static long double intensity_at(const struct stage *stages, size_t count, long double at_ns)
{
    long double sum = 0;
    for (size_t i = 0; i < count; i++) {
        long double length = (long double)stages[i].duration_ns, at = fminl(at_ns, length);
        long double slope = length > 0 ? ((long double)stages[i].to - (long double)stages[i].from) / length : 0;
        sum += ((long double)stages[i].from * at + slope * at * at / 2) / 1e9L;
        at_ns -= at;
    }
    return sum;
}

static void test_constant(void **state)
{
    (void)state;
    for (size_t c = 0; c < COUNT(open_cases); c++) {
        const struct open_case *row = &open_cases[c];
        struct schedule schedule = schedule_of(row->stages, row->stage_count);
        size_t count = walk(&schedule, arrivals, ROOM);
        if (count != row->arrivals)
            fail_msg("%s: %zu arrivals, not %zu", row->name, count, row->arrivals);
        assert_int_equal(schedule_expected(&schedule), count);
        for (size_t k = 0; k < count; k++) {
            assert_int_equal(arrivals[k].index, k);
            assert_true(arrivals[k].due_ns < schedule_length_ns(&schedule));
            assert_true(k == 0 || arrivals[k].due_ns >= arrivals[k - 1].due_ns);
            long double due = (long double)arrivals[k].due_ns, rounding = 1e-12L * (long double)(k + 1);
            if (intensity_at(row->stages, row->stage_count, due - 1) > (long double)k + rounding ||
                intensity_at(row->stages, row->stage_count, due + 1) < (long double)k - rounding)
                fail_msg("%s: arrival %zu is not due at %llu ns", row->name, k, (unsigned long long)arrivals[k].due_ns);
        }
    }
    struct schedule schedule = schedule_of(gap, 3);
    walk(&schedule, arrivals, ROOM);
    assert_int_equal(arrivals[1].due_ns, 11 * NS_PER_S); /* held up by the gap */
}

/* Every worker's arrivals are its residue class of the whole, to the nanosecond, with a limit and without. */
static void test_workers_share(void **state)
{
    (void)state;
    static const uint32_t worker_counts[] = {1, 2, 3, 7};
    static const uint64_t limits[] = {UINT64_MAX, 0, 1, 5, 1000};
    for (size_t c = 0; c < COUNT(open_cases) - 1; c++) {
        for (size_t l = 0; l < COUNT(limits); l++) {
            struct schedule schedule = schedule_of(open_cases[c].stages, open_cases[c].stage_count);
            schedule.limit = limits[l];
            size_t whole = walk(&schedule, arrivals, ROOM);
            assert_int_equal(whole, open_cases[c].arrivals < limits[l] ? open_cases[c].arrivals : limits[l]);
            assert_int_equal(whole, schedule_expected(&schedule));
            for (size_t w = 0; w < COUNT(worker_counts); w++) {
                size_t sum = 0;
                schedule.workers = worker_counts[w];
                for (schedule.worker = 0; schedule.worker < schedule.workers; schedule.worker++) {
                    size_t count = walk(&schedule, others, ROOM);
                    sum += count;
                    for (size_t i = 0; i < count; i++) {
                        assert_int_equal(others[i].index, i * schedule.workers + schedule.worker);
                        assert_int_equal(others[i].due_ns, arrivals[others[i].index].due_ns);
                    }
                }
                assert_int_equal(sum, whole);
                schedule.worker = 0;
            }
        }
    }
}

__extension__ typedef unsigned __int128 wide;

static void test_a_billion_arrivals(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 3, 7, 300, 999, 1000, 48611, 1000000};
    for (size_t r = 0; r < COUNT(rates); r++) {
        /* a stage before moves the position on by a billion, and the rate after it is another */
        struct stage stages[] = {RATE(1e6, 1e6, 1000), {STAGE_RATE, ARRIVALS_CONSTANT, (double)rates[r], (double)rates[r], UINT64_MAX, 0}};
        struct schedule schedule = schedule_of(stages, 2);
        struct schedule_cursor cursor;
        struct arrival arrival;
        schedule_cursor_init(&cursor, &schedule);
        cursor.next_index = UINT64_C(1000000000) - 1;
        assert_true(schedule_next(&cursor, &schedule, &arrival));
        assert_int_equal(arrival.due_ns, 1000 * NS_PER_S - 1000);
        for (uint64_t k = 0; k < 100; k++) {
            uint64_t exact_ns = 1000 * NS_PER_S + (uint64_t)((wide)k * NS_PER_S * 2 + rates[r]) / (2 * rates[r]);
            assert_true(schedule_next(&cursor, &schedule, &arrival));
            assert_in_range(arrival.due_ns, exact_ns - 1, exact_ns + 1);
        }
        for (uint64_t k = 999999900; k < 1000000000; k++) {
            uint64_t exact_ns = 1000 * NS_PER_S + (uint64_t)(((wide)k * NS_PER_S * 2 + rates[r]) / (2 * rates[r]));
            cursor.next_index = UINT64_C(1000000000) + k;
            assert_true(schedule_next(&cursor, &schedule, &arrival));
            assert_in_range(arrival.due_ns, exact_ns - 1, exact_ns + 1);
        }
        struct arrival unbounded;
        assert_int_equal(schedule_expected(&schedule), UINT64_MAX);
        assert_int_equal(schedule_length_ns(&schedule), UINT64_MAX);
        assert_true(schedule_next(&cursor, &schedule, &unbounded));
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int by_due(const void *a, const void *b)
{
    uint64_t x = ((const struct arrival *)a)->due_ns, y = ((const struct arrival *)b)->due_ns;
    return x < y ? -1 : x > y;
}

/* Anderson-Darling for a fully specified distribution: values are its own distribution function at each sample. The
 * 1 % point is 3.857 (Stephens 1974, case 0, any n >= 5). */
static double anderson_darling(double *values, size_t count)
{
    double sum = 0;
    qsort(values, count, sizeof(*values), by_value);
    for (size_t i = 0; i < count; i++)
        sum += (2.0 * (double)i + 1) * (log(values[i]) + log1p(-values[count - 1 - i]));
    return -(double)count - sum / (double)count;
}

static const struct stage poisson_hold[] = {POISSON(1000, 1000, 20)};
static const struct stage poisson_ramp[] = {POISSON(0, 2000, 5), POISSON(2000, 2000, 5), POISSON(2000, 0, 5)};
static const struct poisson_case {
    const struct stage *stages;
    size_t count;
} poisson_cases[] = {{poisson_hold, 1}, {poisson_ramp, 3}};

static size_t walk_workers(struct schedule *schedule, struct arrival *into)
{
    size_t sum = 0;
    for (schedule->worker = 0; schedule->worker < schedule->workers; schedule->worker++)
        sum += walk(schedule, into + sum, ROOM - sum);
    return sum;
}

/* Seen on the clock of cumulative intensity, the gaps of the merged workers are exponential with mean 1, ramps or not. */
static void test_poisson(void **state)
{
    (void)state;
    static double values[ROOM];
    static unsigned char seen[ROOM];
    static const uint32_t worker_counts[] = {1, 2, 3, 7};
    for (size_t c = 0; c < COUNT(poisson_cases); c++) {
        const struct poisson_case *row = &poisson_cases[c];
        for (size_t w = 0; w < COUNT(worker_counts); w++) {
            struct schedule schedule = schedule_of(row->stages, row->count);
            schedule.workers = worker_counts[w];
            size_t count = walk_workers(&schedule, arrivals);
            double mean = (double)schedule_expected(&schedule);
            assert_true(fabs((double)count - mean) < 2.576 * sqrt(mean)); /* 1 % of a Poisson count */
            for (size_t i = 0; i < ROOM; i++)
                seen[i] = 0;
            for (size_t i = 0; i < count; i++) {
                assert_true(arrivals[i].index < ROOM && !seen[arrivals[i].index]);
                seen[arrivals[i].index] = 1;
            }
            qsort(arrivals, count, sizeof(*arrivals), by_due);
            long double before = 0;
            for (size_t i = 0; i < count; i++) {
                long double position = intensity_at(row->stages, row->count, (long double)arrivals[i].due_ns);
                double gap_length = (double)(position - before);
                values[i] = -expm1(-fmax(gap_length, 1e-9));
                before = position;
            }
            double statistic = anderson_darling(values, count);
            if (statistic >= 3.857)
                fail_msg("case %zu, %u workers: Anderson-Darling %g over %zu gaps", c, worker_counts[w], statistic, count);
        }
    }
}

static void test_poisson_is_seeded_and_limited(void **state)
{
    (void)state;
    struct schedule schedule = schedule_of(poisson_hold, 1);
    size_t count = walk(&schedule, arrivals, ROOM);
    assert_int_equal(walk(&schedule, others, ROOM), count);
    assert_memory_equal(arrivals, others, count * sizeof(*arrivals));
    schedule.seed = 8;
    walk(&schedule, others, ROOM);
    assert_true(arrivals[0].due_ns != others[0].due_ns);
    schedule.limit = 100;
    schedule.workers = 7;
    assert_int_equal(walk_workers(&schedule, others), 100);
}

static void test_mixed_kinds(void **state)
{
    (void)state;
    static const struct stage stages[] = {RATE(100, 100, 1.005), POISSON(1000, 1000, 10), RATE(100, 100, 1), POISSON(100, 100, 0.001),
                                          RATE(10, 10, 1)};
    for (uint32_t workers = 1; workers <= 4; workers++) {
        struct schedule schedule = schedule_of(stages, COUNT(stages));
        schedule.workers = workers;
        size_t count = walk_workers(&schedule, arrivals), in_stage[5] = {0};
        for (size_t i = 0; i < count; i++) {
            uint64_t end_ns = 0;
            size_t stage = 0;
            while (arrivals[i].due_ns >= (end_ns += stages[stage].duration_ns))
                stage++;
            in_stage[stage]++;
        }
        assert_int_equal(in_stage[0], 101);
        assert_true(fabs((double)in_stage[1] - 10000) < 258);
        assert_in_range(in_stage[2], 99, 101);
        assert_in_range(in_stage[4], 9, 11);
    }
}

static void check_users(const struct stage *stages, size_t count)
{
    struct schedule schedule = schedule_of(stages, count);
    uint64_t at_ns = 0, changes = 0, length_ns = schedule_length_ns(&schedule);
    for (;;) {
        uint64_t next_ns = 0, same_ns = 0;
        uint32_t users = schedule_users_at(&schedule, at_ns, &next_ns);
        if (next_ns == UINT64_MAX)
            break;
        assert_true(next_ns > at_ns && next_ns <= length_ns);
        assert_true(schedule_users_at(&schedule, next_ns, NULL) != users);
        assert_int_equal(schedule_users_at(&schedule, next_ns - 1, &same_ns), users);
        assert_int_equal(same_ns, next_ns);
        at_ns = next_ns;
        assert_true(++changes < 10000);
    }
    assert_int_equal(schedule_users_at(&schedule, length_ns, NULL), 0);
}

static void test_users(void **state)
{
    (void)state;
    static const struct stage up_and_down[] = {USERS(0, 50, 10), USERS(50, 50, 5), USERS(50, 3, 7.77), USERS(3, 3, 1), USERS(10, 10, 2)};
    static const struct stage flat[] = {USERS(5, 5, 1), USERS(5, 5, 1), USERS(5, 5, 0)};
    static const struct stage steep[] = {USERS(0, 1e6, 1e-6), USERS(1e6, 0, 3e-6)};
    static const struct stage pause_between[] = {USERS(2, 2, 1), USERS(0, 0, 1), USERS(0.4, 0.4, 1), USERS(0.5, 0.5, 1)};
    check_users(up_and_down, COUNT(up_and_down));
    check_users(flat, COUNT(flat));
    check_users(steep, COUNT(steep));
    check_users(pause_between, COUNT(pause_between));

    struct schedule schedule = schedule_of(up_and_down, COUNT(up_and_down));
    uint64_t next_ns = 0;
    assert_int_equal(schedule_users_at(&schedule, 0, &next_ns), 0);
    assert_int_equal(next_ns, 100000000); /* half a user on the way: rounded to nearest */
    assert_int_equal(schedule_users_at(&schedule, 12 * NS_PER_S, NULL), 50);
    assert_true(schedule_peak(&schedule) == 50);
    assert_int_equal(schedule_expected(&schedule), UINT64_MAX);
    static const struct stage endless[] = {USERS(0, 4, 1), {STAGE_USERS, ARRIVALS_CONSTANT, 4, 4, UINT64_MAX, 0}};
    schedule = schedule_of(endless, 2);
    assert_int_equal(schedule_users_at(&schedule, UINT64_MAX - 1, &next_ns), 4);
    assert_int_equal(next_ns, UINT64_MAX);
    struct arrival none;
    struct schedule_cursor cursor;
    schedule_cursor_init(&cursor, &schedule);
    assert_false(schedule_next(&cursor, &schedule, &none)); /* closed load has no arrivals */
}

static void test_rate_and_share(void **state)
{
    (void)state;
    struct schedule schedule = schedule_of(several, COUNT(several));
    assert_true(schedule_rate_at(&schedule, 0) == 0);
    assert_true(fabs(schedule_rate_at(&schedule, 1650000000) - 38.85) < 1e-9);
    assert_true(schedule_rate_at(&schedule, schedule_length_ns(&schedule)) == 0);
    assert_true(schedule_peak(&schedule) == 500);
    for (uint32_t workers = 1; workers < 9; workers++) {
        uint64_t sum = 0;
        for (uint32_t worker = 0; worker < workers; worker++)
            sum += schedule_share(100, worker, workers);
        assert_int_equal(sum, 100);
    }
    assert_int_equal(schedule_share(7, 0, 3), 3);
    assert_int_equal(schedule_share(7, 1, 3), 2);
}

static void test_pace(void **state)
{
    static const struct {
        uint64_t tick, pace, ready, next, last_tick, skipped;
    } rows[] = {
        {100, 0, 130, 130, 130, 0},    /* none */
        {100, 50, 100, 150, 150, 0},   /* waits */
        {100, 50, 150, 150, 150, 0},   /* just in time */
        {100, 50, 151, 151, 150, 1},   /* one has passed, and the next is in 49 */
        {100, 50, 199, 199, 150, 1},   {100, 50, 200, 200, 200, 2}, {100, 50, 449, 449, 400, 6},
        {100, 50, 20, 150, 150, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t tick, skipped, next = schedule_paced_ns(rows[i].tick, rows[i].pace, rows[i].ready, &tick, &skipped);
        if (next != rows[i].next || tick != rows[i].last_tick || skipped != rows[i].skipped)
            fail_msg("row %zu: next %llu, tick %llu, skipped %llu", i, (unsigned long long)next, (unsigned long long)tick,
                     (unsigned long long)skipped);
    }
    static const struct stage stages[] = {{STAGE_USERS, ARRIVALS_CONSTANT, 1, 1, NS_PER_S, 7}, USERS(1, 1, 1)};
    struct schedule schedule = schedule_of(stages, 2);
    assert_int_equal(schedule_pace_at(&schedule, NS_PER_S - 1), 7);
    assert_int_equal(schedule_pace_at(&schedule, NS_PER_S), 0);
    assert_int_equal(schedule_pace_at(&schedule, 9 * NS_PER_S), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pace),
        cmocka_unit_test(test_constant), cmocka_unit_test(test_workers_share), cmocka_unit_test(test_a_billion_arrivals),
        cmocka_unit_test(test_poisson),  cmocka_unit_test(test_poisson_is_seeded_and_limited), cmocka_unit_test(test_mixed_kinds),
        cmocka_unit_test(test_users),    cmocka_unit_test(test_rate_and_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
