/* The verdict's rules, each on both sides of its edge. */
#include "metrics/verdict.h"
#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct window {
    unsigned count, late;          /* exchanges; how many of them were late */
    uint64_t delay_ns, latency_ns; /* of the late ones; of all */
    uint64_t waited;               /* for a connection */
};

static void feed(struct verdict *verdict, const struct window *window, unsigned times)
{
    struct histogram self_delay, latency;
    histogram_init(&self_delay);
    histogram_init(&latency);
    for (unsigned i = 0; i < window->count; i++) {
        histogram_record(&self_delay, i < window->late ? window->delay_ns : 1000);
        histogram_record(&latency, window->latency_ns);
    }
    while (times--)
        verdict_window(verdict, &self_delay, &latency, window->count, window->waited);
    histogram_fini(&self_delay);
    histogram_fini(&latency);
}

#define GOOD                                                                                                           \
    {                                                                                                                  \
        1000, 0, 0, NS_PER_MS, 0                                                                                       \
    }
static const struct late_case {
    struct window window;
    unsigned times, good_times;
    bool late;
} late_cases[] = {
    {GOOD, 10, 0, false},
    {{1000, 20, 2 * NS_PER_MS, NS_PER_MS, 0}, 1, 0, false}, /* one window alone */
    {{1000, 20, 2 * NS_PER_MS, NS_PER_MS, 0}, 2, 0, true},
    {{1000, 20, 2 * NS_PER_MS, NS_PER_MS, 0}, 2, 2, true},         /* exactly 1 % of all */
    {{1000, 20, 2 * NS_PER_MS, NS_PER_MS, 0}, 2, 3, false},        /* less than 1 % of all */
    {{1000, 9, 2 * NS_PER_MS, NS_PER_MS, 0}, 5, 0, false},         /* p99 itself is fine */
    {{1000, 1000, 990 * NS_PER_US, NS_PER_MS, 0}, 5, 0, false},    /* below 1 ms */
    {{1000, 1000, 2 * NS_PER_MS, 10 * NS_PER_MS, 0}, 5, 0, false}, /* below 25 % of latency */
    {{1000, 1000, 3 * NS_PER_MS, 10 * NS_PER_MS, 0}, 5, 0, true},
    {{1000, 1000, 3 * NS_PER_S, 3 * NS_PER_S, 0}, 1, 0, true}, /* held up for three seconds, all told in one */
    {{100, 9, 2 * NS_PER_MS, NS_PER_MS, 0}, 1, 0, false},
    {{50, 4, 2 * NS_PER_MS, NS_PER_MS, 0}, 2, 0, false}, /* 8 exchanges: a hiccup */
    {{50, 5, 2 * NS_PER_MS, NS_PER_MS, 0}, 2, 0, true},
    {{0, 0, 0, 0, 0}, 5, 0, false},
};

static struct store total;
static struct generator_facts facts;

static int setup(void **state)
{
    (void)state;
    store_init(&total, 2, NULL, 0);
    facts = (struct generator_facts){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_fini(&total);
    return 0;
}

static struct verdict_end open_end(void)
{
    return (struct verdict_end){.open_load = true,
                                .rate_asked = 1000,
                                .rate_reached = 1000,
                                .users_were_idle = true,
                                .connections_were_idle = true,
                                .facts = &facts,
                                .cpu_share = 0.5,
                                .total = &total};
}

static struct verdict_end closed_end(void)
{
    return (struct verdict_end){.users_were_idle = true, .facts = &facts, .cpu_share = 0.5, .total = &total};
}

static void test_self_delay(void **state)
{
    (void)state;
    struct verdict verdict;
    for (size_t i = 0; i < sizeof(late_cases) / sizeof(late_cases[0]); i++) {
        const struct window good = GOOD;
        for (int open = 0; open < 2; open++) {
            verdict_init(&verdict);
            feed(&verdict, &late_cases[i].window, late_cases[i].times);
            feed(&verdict, &good, late_cases[i].good_times);
            struct verdict_end end = open ? open_end() : closed_end();
            verdict_finish(&verdict, &end);
            if (verdict_late(&verdict) != late_cases[i].late || verdict.trusted != !(open && late_cases[i].late))
                fail_msg("case %zu: %u late windows, %u late exchanges", i, (unsigned)verdict.windows_late,
                         (unsigned)verdict.exchanges_late);
            assert_true(verdict.complete);
            if (open && late_cases[i].late)
                assert_non_null(strstr(verdict.reasons[0], "self-delay p99"));
            if (!open && verdict.exchanges)
                assert_non_null(strstr(verdict.notes[0],
                                       late_cases[i].late ? "limited by the generator" : "limited by the target"));
        }
    }
}

/* What one change of the facts does: a reason with these words, a note with them, or nothing. */
static void expect(const struct verdict_end *end, const char *reason, const char *note)
{
    struct verdict verdict;
    verdict_init(&verdict);
    verdict_finish(&verdict, end);
    assert_int_equal(verdict.trusted, reason == NULL);
    assert_int_equal(verdict.reason_count, reason != NULL);
    assert_int_equal(verdict.note_count, note != NULL);
    if (reason && !strstr(verdict.reasons[0], reason))
        fail_msg("%s: not in: %s", reason, verdict.reasons[0]);
    if (note && !strstr(verdict.notes[0], note))
        fail_msg("%s: not in: %s", note, verdict.notes[0]);
}

static void test_rate(void **state)
{
    (void)state;
    struct verdict_end end = open_end();
    expect(&end, NULL, NULL);
    end.rate_reached = 990.1;
    expect(&end, NULL, NULL);
    end.rate_reached = 989;
    expect(&end, "989/s of the 1k/s", NULL);
    end.users_were_idle = false;
    expect(&end, NULL, NULL);
    end.users_were_idle = true;
    end.connections_were_idle = false;
    expect(&end, NULL, NULL);
    end = closed_end();
    end.rate_reached = 5;
    expect(&end, NULL, NULL);
}

/* windows of 1,000 exchanges, `short_of` of them with `waited` that waited for a connection */
static void expect_pools(const struct verdict_end *end, unsigned short_of, uint64_t waited, unsigned good,
                         const char *reason, const char *note)
{
    const struct window tight = {1000, 0, 0, NS_PER_MS, waited}, roomy = {1000, 0, 0, NS_PER_MS, 0};
    struct verdict verdict;
    verdict_init(&verdict);
    feed(&verdict, &tight, short_of);
    feed(&verdict, &roomy, good);
    verdict_finish(&verdict, end);
    assert_int_equal(verdict.reason_count, reason != NULL);
    assert_int_equal(verdict.trusted, reason == NULL);
    if (reason)
        assert_non_null(strstr(verdict.reasons[0], reason));
    assert_int_equal(verdict.note_count, note != NULL);
    if (note)
        assert_non_null(strstr(verdict.notes[0], note));
}

static void test_pools(void **state)
{
    (void)state;
    struct verdict_end end = open_end();
    total.series[0].few = total.series[0].full = (struct crowd){10, 10 * NS_PER_MS}; /* the target has room to spare */
    facts.waited_connection = 10;
    expect_pools(&end, 3, 9, 2, NULL, NULL); /* fewer than 1 % in any second */
    expect_pools(&end, 3, 10, 2, "10 exchanges found no free connection", NULL);
    expect_pools(&end, 2, 10, 2, NULL, "2 of 4 seconds"); /* not most of the time: a stall, not the pool */
    end.pool_set_by_operator = true;
    expect_pools(&end, 3, 10, 2, NULL, "a limit that you set");
    expect_pools(&end, 3, 9, 2, NULL, NULL);
    facts.waited_connection = 0;
    facts.waited_user = 1;
    expect_pools(&end, 0, 0, 2, NULL, "a limit that you set");
    end.cpu_full_seconds = 2; /* of two */
    expect_pools(&end, 0, 0, 2, "while a worker used all of a core", NULL);
    end.cpu_full_seconds = 1;
    expect_pools(&end, 0, 0, 2, NULL, "a limit that you set");
    end.pool_set_by_operator = false;
    expect_pools(&end, 0, 0, 2, "1 arrivals found no idle user", NULL);
    end.open_load = false;
    expect_pools(&end, 0, 0, 0, NULL, NULL);
}

/* Seconds in which nothing began (the drain) say nothing of the pool, and those in which nothing ended do. */
static void test_pools_in_drain(void **state)
{
    (void)state;
    struct verdict verdict;
    struct histogram none, some;
    histogram_init(&none);
    histogram_init(&some);
    histogram_record(&some, 1000);
    verdict_init(&verdict);
    verdict_window(&verdict, &none, &none, 100, 50);
    verdict_window(&verdict, &some, &some, 100, 50);
    verdict_window(&verdict, &some, &some, 100, 0);
    for (int i = 0; i < 10; i++)
        verdict_window(&verdict, &some, &some, 0, 0);
    assert_int_equal(verdict.windows_loaded, 3);
    assert_int_equal(verdict.windows_short, 2);
    assert_int_equal(verdict.windows, 12);
    facts.waited_connection = 100;
    total.series[0].few = total.series[0].full = (struct crowd){10, 10 * NS_PER_MS};
    struct verdict_end end = open_end();
    verdict_finish(&verdict, &end);
    assert_false(verdict.trusted);
    histogram_fini(&none);
    histogram_fini(&some);
}

/* Whose limit a full pool was: how long an answer took with few in flight, and how long with the pool full, by step. */
static void test_whose_limit(void **state)
{
    (void)state;
    static const struct {
        struct crowd few[2], full[2]; /* of two steps */
        uint64_t waited_user, waited_connection, cpu_full_seconds;
        const char *reason, *note;
    } rows[] = {
        {{{16, 16000}}, {{100, 100000}}, 0, 9, 0, "no free connection in a pool that squall chose", NULL},
        {{{16, 16000}}, {{100, 125000}}, 0, 9, 0, "no free connection in a pool that squall chose", NULL},
        {{{16, 16000}},
         {{100, 126000}},
         0,
         9,
         0,
         NULL,
         "an answer took 1us with few exchanges in flight and 1.26us with the pool full"},
        {{{16, 16000}}, {{100, 900000}}, 5, 9, 0, NULL, "the target did not keep up"},
        {{{16, 16000}}, {{100, 100000}}, 5, 9, 0, "5 arrivals found no idle user", NULL},
        {{{16, 16000}}, {{0, 0}}, 5, 0, 0, "5 arrivals found no idle user", NULL}, /* nobody waited for the target */
        {{{0, 0}}, {{100, 900000}}, 0, 9, 0, NULL, "behind others that got no answer"},
        {{{16, 16000}}, {{0, 0}}, 0, 9, 0, NULL, "behind others that got no answer"},
        /* Another mixture of a quick step and a slow one is no slowdown, and does not hide one. */
        {{{90, 90000}, {10, 100000}}, {{10, 10000}, {90, 900000}}, 0, 9, 0, "no free connection", NULL},
        {{{10, 10000}, {90, 900000}}, {{90, 270000}, {10, 300000}}, 0, 9, 0, NULL, "the target did not keep up"},
        /* With the generator at its own limit nobody can tell. */
        {{{16, 16000}}, {{100, 900000}}, 5, 9, 3, "while a worker used all of a core", NULL},
        {{{16, 16000}}, {{100, 900000}}, 5, 9, 2, NULL, "the target did not keep up"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct verdict_end end = open_end();
        for (int step = 0; step < 2; step++) {
            total.series[step].few = rows[i].few[step];
            total.series[step].full = rows[i].full[step];
        }
        facts.waited_user = rows[i].waited_user;
        facts.waited_connection = rows[i].waited_connection;
        end.cpu_full_seconds = rows[i].cpu_full_seconds;
        expect_pools(&end, 3, 100, 2, rows[i].reason, rows[i].note);
    }
}

/* A late generator cannot say what made answers late. */
static void test_late_and_full(void **state)
{
    (void)state;
    const struct window late = {1000, 20, 2 * NS_PER_MS, NS_PER_MS, 100};
    struct verdict verdict;
    struct verdict_end end = open_end();
    total.series[0].few = (struct crowd){16, 16000};
    total.series[0].full = (struct crowd){100, 900000};
    facts.waited_connection = 300;
    verdict_init(&verdict);
    feed(&verdict, &late, 3);
    verdict_finish(&verdict, &end);
    assert_int_equal(verdict.reason_count, 1);
    assert_non_null(strstr(verdict.reasons[0], "self-delay p99"));
    assert_int_equal(verdict.note_count, 0);
}

static void test_resources_and_queues(void **state)
{
    (void)state;
    struct verdict_end end = open_end();
    static const struct {
        size_t offset;
        const char *reason;
    } rows[] = {{offsetof(struct generator_facts, ports_exhausted), "local ports"},
                {offsetof(struct generator_facts, descriptors_exhausted), "file descriptors"},
                {offsetof(struct generator_facts, spool_lost), "raw log"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        facts = (struct generator_facts){0};
        *(uint64_t *)(void *)((char *)&facts + rows[i].offset) = 1234;
        expect(&end, rows[i].reason, NULL);
        expect(&end, "1,234", NULL);
    }
    facts = (struct generator_facts){0};
    total.ledgers[BLOCK_WARMUP].dropped = 1;
    expect(&end, "dropped", NULL);
}

static void test_notes(void **state)
{
    (void)state;
    struct verdict_end end = open_end();
    end.cpu_share = 0.9;
    facts.longest_stall_ns = 100 * NS_PER_MS;
    expect(&end, NULL, NULL);
    end.cpu_share = 0.91;
    expect(&end, NULL, "91 % of a core");
    end.cpu_share = 0.5;
    facts.longest_stall_ns++;
    expect(&end, NULL, "stood still for 100ms");
    facts = (struct generator_facts){.syn_retransmits = 1234};
    expect(&end, NULL, "1,234 connection requests were sent again");
    total.ledgers[BLOCK_MEASURED].outcomes[OUTCOME_OK] = 1200;
    total.ledgers[BLOCK_WARMUP].outcomes[OUTCOME_REJECTED] = 300;
    facts = (struct generator_facts){.reopened = 1199};
    expect(&end, NULL, NULL);
    facts.reopened++;
    expect(&end, NULL, "opened again 1,200 times in 1,500 exchanges: the server closes them");
    total.ledgers[BLOCK_MEASURED].outcomes[OUTCOME_TIMED_OUT] = 1200; /* whose connections we closed */
    expect(&end, NULL, NULL);
    total.ledgers[BLOCK_MEASURED] = total.ledgers[BLOCK_WARMUP] = (struct ledger){.outcomes = {[OUTCOME_OK] = 9}};
    facts.reopened = 18; /* of too few to say */
    expect(&end, NULL, NULL);
    facts = (struct generator_facts){.retransmits = 1234};
    expect(&end, NULL, "segments sent again: 1,234;");
    facts = (struct generator_facts){.never_up = 500, .connections_max = 1500};
    expect(&end, NULL, "connections that never came up: 500; up at once were at most 1,500;");
}

static void test_texts_are_bounded(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict);
    for (int i = 0; i < 100; i++)
        verdict_incomplete(&verdict, "worker %d was lost", i);
    assert_false(verdict.complete);
    assert_true(verdict.trusted);
    assert_int_equal(verdict.reason_count, VERDICT_TEXTS);
    assert_string_equal(verdict.reasons[0], "worker 0 was lost");
    assert_non_null(strstr(verdict.reasons[VERDICT_TEXTS - 1], "and more"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_self_delay),  TEST(test_rate),
                                       TEST(test_pools),       TEST(test_pools_in_drain),
                                       TEST(test_whose_limit), TEST(test_late_and_full), TEST(test_resources_and_queues),
                                       TEST(test_notes),       TEST(test_texts_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
