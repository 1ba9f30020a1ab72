/* When a controller gives a worker up: whole lives, looked at twice a second. */
#include "cluster/life.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#define LOOK_NS  (NS_PER_S / 2)
#define LIMIT_NS (2300 * NS_PER_MS)
#define LOOKS    400

/* What a worker does from some look on; times are in looks. */
struct stretch {
    int from;
    bool turns;     /* its loop */
    int cpu_permil; /* of one CPU */
};

struct course {
    const char *what;
    struct stretch stretches[4]; /* the first from 0; further ones of zeros are not there */
    int lost_from, lost_to;      /* given up at a look in there; 0, 0: never */
};

#define COMES_BACK 0, 0

/* Silent after 2.3 s: at the fifth look behind the last sign of life. After 23 s in circles: at the 47th. */
static const struct course courses[] = {
    {"loads quickly, works", {{0, false, 900}, {2, true, 500}}, COMES_BACK},
    {"works and has nothing to do", {{0, true, 0}}, COMES_BACK},
    {"loads for a minute", {{0, false, 900}, {120, true, 500}}, COMES_BACK},
    {"loads for a minute on a busy machine", {{0, false, 30}, {120, true, 100}}, COMES_BACK},
    {"waits for a disk at first", {{0, false, 0}, {13, true, 10}}, COMES_BACK},
    {"never loads, waits", {{0, false, 0}}, 15, 15},
    {"is stopped while it loads", {{0, false, 900}, {40, false, 0}}, 44, 45},
    {"is stopped soon after it was started", {{0, false, 900}, {1, false, 0}}, 15, 15},
    {"is stopped, had worked", {{0, true, 900}, {20, false, 0}}, 24, 25},
    {"is stopped, had nothing to do", {{0, true, 0}, {20, false, 0}}, 24, 25},
    {"is stopped for two seconds", {{0, true, 900}, {20, false, 0}, {23, true, 900}}, COMES_BACK},
    {"hangs, and a thread beside it does next to nothing", {{0, true, 500}, {20, false, 10}}, 24, 25},
    {"a turn of ten seconds", {{0, true, 900}, {20, false, 900}, {40, true, 900}}, COMES_BACK},
    {"such turns, one after the other", {{0, true, 900}, {20, false, 900}, {40, true, 900}, {41, false, 900}}, 86, 88},
    {"such a turn on a busy machine", {{0, true, 900}, {20, false, 25}, {40, true, 900}}, COMES_BACK},
    {"a long turn, then stopped", {{0, true, 900}, {20, false, 900}, {40, false, 0}}, 44, 45},
    {"in circles", {{0, true, 900}, {20, false, 1000}}, 65, 67},
};

static int lost_at(const struct course *course)
{
    const uint64_t began_ns = 77 * NS_PER_S;
    const struct stretch *stretch = course->stretches;
    uint64_t beat_ns = 0, cpu_ns = 0;
    struct life life;
    life_begin(&life, began_ns);
    for (int look = 1; look <= LOOKS; look++) {
        bool last = stretch == &course->stretches[3] || stretch[1].from == 0;
        uint64_t now_ns = began_ns + (uint64_t)look * LOOK_NS;
        /* Until this look it did what the stretch says; a turn was a moment ago. */
        if (!last && look > stretch[1].from)
            stretch++;
        cpu_ns += LOOK_NS / 1000 * (uint64_t)stretch->cpu_permil;
        if (stretch->turns)
            beat_ns = now_ns - NS_PER_MS;
        if (life_silent(&life, now_ns, beat_ns, cpu_ns, LIMIT_NS))
            return look;
    }
    return 0;
}

static void test_courses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof courses / sizeof courses[0]; i++) {
        int at = lost_at(&courses[i]);
        if (at < courses[i].lost_from || at > courses[i].lost_to)
            print_error("%s: given up at look %d, not in %d to %d\n", courses[i].what, at, courses[i].lost_from,
                        courses[i].lost_to);
        assert_in_range(at, courses[i].lost_from, courses[i].lost_to);
    }
}

/* A beat may be later than the look: the worker went on in between. */
static void test_beat_ahead(void **state)
{
    (void)state;
    struct life life;
    life_begin(&life, NS_PER_S);
    assert_false(life_silent(&life, 9 * NS_PER_S, 9 * NS_PER_S + 1, 0, LIMIT_NS));
}

/* Nothing is known of the CPU time (it is 0, or has gone back): the turns alone say. */
static void test_without_cpu_time(void **state)
{
    (void)state;
    struct life life;
    life_begin(&life, NS_PER_S);
    assert_false(life_silent(&life, 2 * NS_PER_S, 2 * NS_PER_S, 7 * NS_PER_S, LIMIT_NS));
    assert_false(life_silent(&life, 4 * NS_PER_S, 2 * NS_PER_S, 0, LIMIT_NS));
    assert_true(life_silent(&life, 5 * NS_PER_S, 2 * NS_PER_S, 0, LIMIT_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_courses),
        cmocka_unit_test(test_beat_ahead),
        cmocka_unit_test(test_without_cpu_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
