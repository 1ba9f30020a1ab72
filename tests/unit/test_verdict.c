/* The verdict's rules, each on both sides of its edge. */
#include "metrics/verdict.h"
#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

struct window {
    unsigned count, late;      /* exchanges; how many of them were late */
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
        verdict_window(verdict, &self_delay, &latency, window->waited);
    histogram_fini(&self_delay);
    histogram_fini(&latency);
}

#define GOOD {1000, 0, 0, NS_PER_MS, 0}
static const struct late_case {
    struct window window;
    unsigned times, good_times;
    bool late;
} late_cases[] = {
    {GOOD, 10, 0, false},
    {{1000, 20, 2 * NS_PER_MS, NS_PER_MS, 0}, 1, 0, false},      /* one window alone */
    {{1000, 20, 2 * NS_PER_MS, NS_PER_MS, 0}, 2, 0, true},
    {{1000, 20, 2 * NS_PER_MS, NS_PER_MS, 0}, 2, 2, true},       /* exactly 1 % of all */
    {{1000, 20, 2 * NS_PER_MS, NS_PER_MS, 0}, 2, 3, false},      /* less than 1 % of all */
    {{1000, 9, 2 * NS_PER_MS, NS_PER_MS, 0}, 5, 0, false},       /* p99 itself is fine */
    {{1000, 1000, 990 * NS_PER_US, NS_PER_MS, 0}, 5, 0, false},  /* below 1 ms */
    {{1000, 1000, 2 * NS_PER_MS, 10 * NS_PER_MS, 0}, 5, 0, false}, /* below 25 % of latency */
    {{1000, 1000, 3 * NS_PER_MS, 10 * NS_PER_MS, 0}, 5, 0, true},
    {{1000, 1000, 3 * NS_PER_S, 3 * NS_PER_S, 0}, 1, 0, true}, /* held up for three seconds, all told in one */
    {{100, 9, 2 * NS_PER_MS, NS_PER_MS, 0}, 1, 0, false},
    {{50, 4, 2 * NS_PER_MS, NS_PER_MS, 0}, 2, 0, false},       /* 8 exchanges: a hiccup */
    {{50, 5, 2 * NS_PER_MS, NS_PER_MS, 0}, 2, 0, true},
    {{0, 0, 0, 0, 0}, 5, 0, false},
};

static struct store total;
static struct generator_facts facts;

static int setup(void **state)
{
    (void)state;
    store_init(&total, 0, NULL, 0);
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
    return (struct verdict_end){.open_load = true, .rate_asked = 1000, .rate_reached = 1000, .users_were_idle = true,
                                .connections_were_idle = true, .facts = &facts, .cpu_share = 0.5, .total = &total};
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
                assert_non_null(strstr(verdict.notes[0], late_cases[i].late ? "limited by the generator" : "limited by the target"));
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
static void expect_pools(const struct verdict_end *end, unsigned short_of, uint64_t waited, unsigned good, const char *reason, const char *note)
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
    end.pool_set_by_operator = false;
    expect_pools(&end, 0, 0, 2, "1 arrivals found no idle user", NULL);
    end.open_load = false;
    expect_pools(&end, 0, 0, 0, NULL, NULL);
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
    facts = (struct generator_facts){.retransmits = 1234};
    expect(&end, NULL, "1,234 segments were sent again");
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
    const struct CMUnitTest tests[] = {TEST(test_self_delay), TEST(test_rate),  TEST(test_pools), TEST(test_resources_and_queues),
                                       TEST(test_notes),      TEST(test_texts_are_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
