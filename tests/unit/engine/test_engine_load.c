/* The counting rules: who starts journeys, what is due, dropped, waited for, warmed up, and what a snapshot holds. */
#include "fixture.h"
#include "own.h"
#include <math.h>

static struct run run;

static uint64_t present_ns(struct squall_conn *conn)
{
    return conn->worker->host->now_ns(conn->worker);
}

/* ---- shares ---- */

static uint8_t user_seen[64];

static void request_marks_user(struct squall_conn *conn, struct squall_exchange *exchange)
{
    if (exchange->user->id < sizeof user_seen)
        user_seen[exchange->user->id] = 1;
    own_post(conn, exchange);
}

/* Each worker of W is an engine: together they do exactly what was asked, with users of their own. */
static void test_iterations_are_exact(void **state)
{
    (void)state;
    static const uint32_t worker_counts[] = {1, 2, 3, 7};
    for (int open = 0; open < 2; open++) {
        for (size_t i = 0; i < sizeof worker_counts / sizeof worker_counts[0]; i++) {
            uint64_t due = 0, done = 0, users = 0;
            memset(user_seen, 0, sizeof user_seen);
            for (uint32_t worker = 0; worker < worker_counts[i]; worker++) {
                own_reset();
                own.request = request_marks_user;
                struct settings settings = {.overrides = {.url = "own://here", .users = open ? NULL : "10",
                                                          .rate = open ? "100000/s" : NULL, .iterations = "1003",
                                                          .connections = "8"},
                                            .protocols = {&own_protocol},
                                            .worker = worker,
                                            .workers = worker_counts[i]};
                run_begin(&run, &settings);
                run_whole(&run);
                due += run.page.ledgers[BLOCK_MEASURED].due;
                done += run.page.ledgers[BLOCK_MEASURED].completed;
                assert_int_equal(run.page.journeys_done, run.page.ledgers[BLOCK_MEASURED].completed);
                run_end(&run);
                users += own.users_ended;
            }
            assert_int_equal(due, 1003);
            assert_int_equal(done, 1003);
            assert_int_equal(users, open ? 10000 : 10);
            for (int id = 1; id <= 10 && !open; id++)
                assert_int_equal(user_seen[id], 1);
        }
    }
}

/* Poisson arrivals of all workers: their number stays within six deviations of its mean; each due time is a worker's own. */
static void test_poisson_shares(void **state)
{
    (void)state;
    uint64_t due = 0;
    for (uint32_t worker = 0; worker < 3; worker++) {
        own_reset();
        struct settings settings = {.overrides = {.url = "own://here", .rate = "20000/s", .duration = "1s", .arrivals = "poisson",
                                                  .users = NULL, .seed = "5"},
                                    .protocols = {&own_protocol},
                                    .worker = worker,
                                    .workers = 3};
        run_begin(&run, &settings);
        run_connect(&run);
        run_load(&run, 2 * NS_PER_S);
        run_verify(&run);
        uint64_t share = run.page.ledgers[BLOCK_MEASURED].due;
        assert_true(fabs((double)share - 20000.0 / 3) < 6 * sqrt(20000.0 / 3));
        due += share;
        run_end(&run);
    }
    assert_true(fabs((double)due - 20000) < 6 * sqrt(20000.0));
}

/* ---- intended times ---- */

static uint64_t intended[4096], intended_count, done_before_ns;
static struct squall_conn *last_conn;

static void request_keeps_conn(struct squall_conn *conn, struct squall_exchange *exchange)
{
    last_conn = conn;
    (void)exchange;
}

/* In this hook the engine's clock still shows the exchange's end. */
static void note_intended(struct run *in, const struct step *step, const struct answer *answer)
{
    (void)in;
    (void)step;
    if (!answer)
        return;
    done_before_ns = present_ns(last_conn);
    intended[intended_count++] = done_before_ns - answer->latency_ns;
}

static uint64_t tick_frees_when_all_due(struct squall_conn *conn, uint64_t now_ns)
{
    if (run.page.ledgers[BLOCK_MEASURED].due == 50)
        own_done_oldest(conn);
    return now_ns + NS_PER_MS / 10;
}

/* One user, fifty arrivals a millisecond apart, and the service answers nothing until the last was due: each one's latency
 * counts from its own moment. */
static void test_arrivals_wait_and_stay_due(void **state)
{
    (void)state;
    own_reset();
    own.request = request_keeps_conn;
    own.tick = tick_frees_when_all_due;
    intended_count = 0;
    struct settings settings = {.yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 1 } }\n"
                                        "load: [ { hold: 1000/s, for: 50ms, users: 1 } ]\nflow: [ { own: a } ]\n",
                                .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run.ended = note_intended;
    run_whole(&run);
    assert_int_equal(intended_count, 50);
    for (uint64_t i = 1; i < 50; i++)
        assert_int_equal(intended[i] - intended[i - 1], NS_PER_MS);
    assert_true(run.total.series[0].latency_ok.max >= 49 * NS_PER_MS);
    assert_true(run.total.journey_ns.max >= 49 * NS_PER_MS);
    assert_int_equal(run.facts.waited_user, 49);
    run_end(&run);
}

/* ---- dropped ---- */

static void stop_after_a_while(struct squall_worker *worker, void *arg)
{
    (void)arg;
    if (!run.page.ledgers[BLOCK_MEASURED].due || run.page.ledgers[BLOCK_MEASURED].due < 1500000)
        assert_int_equal(worker->host->post(worker, stop_after_a_while, NULL), 0);
    else
        engine_stop(run.engine, true);
}

static void request_never_answers(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)exchange;
    assert_int_equal(conn->worker->host->post(conn->worker, stop_after_a_while, NULL), 0);
}

static void test_dropped_beyond_the_bound(void **state)
{
    (void)state;
    own_reset();
    own.request = request_never_answers;
    struct settings settings = {.yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 1 } }\n"
                                        "load: [ { hold: 10000000/s, for: 150ms, users: 1 } ]\nflow: [ { own: a } ]\n",
                                .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run_connect(&run);
    run_load(&run, NS_PER_S);
    run_verify(&run);
    const struct ledger *ledger = &run.page.ledgers[BLOCK_MEASURED];
    assert_int_equal(ledger->due, 1500000);
    assert_int_equal(ledger->dropped, 1500000 - 1 - (1 << 20));
    assert_int_equal(ledger->journeys_unfinished, 1 + (1 << 20));
    assert_int_equal(run_begun(&run), 1);
    run_end(&run);
}

/* ---- closed ---- */

static uint64_t busy_most, busy_now_of[8];

static void request_counts_busy(struct squall_conn *conn, struct squall_exchange *exchange)
{
    busy_now_of[exchange->user->id]++;
    if (run.page.users_busy > busy_most)
        busy_most = run.page.users_busy;
    own_post(conn, exchange);
}

static void test_users_come_and_go(void **state)
{
    (void)state;
    own_reset();
    own.request = request_counts_busy;
    busy_most = 0;
    memset(busy_now_of, 0, sizeof busy_now_of);
    struct settings settings = {.yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 5 } }\n"
                                        "load: [ { users: 0 -> 5, over: 30ms }, { users: 5 -> 0, over: 30ms }, "
                                        "{ users: 2, for: 10ms } ]\nflow:\n  - own: a\n  - think: 500us\n",
                                .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run_whole(&run);
    for (int id = 1; id <= 5; id++)
        assert_true(busy_now_of[id] > 0);
    assert_true(busy_most <= 5);
    assert_true(busy_now_of[1] > busy_now_of[5]);
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].journeys_unfinished, 0);
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].due, run.page.ledgers[BLOCK_MEASURED].completed);
    run_end(&run);
}

static void think_between(struct run *in, const struct step *step, const struct answer *answer)
{
    uint64_t before_ns = done_before_ns;
    note_intended(in, step, answer);
    uint64_t gap_ns = intended[intended_count - 1] - before_ns;
    if (intended_count % 2 == 0)
        assert_in_range(gap_ns, 1 * NS_PER_MS, 3 * NS_PER_MS); /* think: from the end to the next one's due time */
    else if (intended_count > 1)
        assert_int_equal(gap_ns, 0); /* the next journey is due when the last one ended */
}

static void request_answers(struct squall_conn *conn, struct squall_exchange *exchange)
{
    last_conn = conn;
    own_done(conn, exchange, SQUALL_OK);
}

static void test_think_times(void **state)
{
    (void)state;
    own_reset();
    own.request = request_answers;
    intended_count = 0;
    struct settings settings = {.yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 1 } }\n"
                                        "load: [ { users: 1, iterations: 20 } ]\n"
                                        "flow:\n  - own: a\n  - think: 1ms..3ms\n  - own: b\n",
                                .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run.ended = think_between;
    run_whole(&run);
    assert_int_equal(intended_count, 40);
    assert_int_equal(run.total.series[0].count, 20);
    assert_int_equal(run.total.series[1].count, 20);
    run_end(&run);
}

/* ---- classes and templates ---- */

static void test_weights(void **state)
{
    (void)state;
    own_reset();
    struct settings settings = {.yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 4 } }\n"
                                        "load: [ { hold: 100000/s, iterations: 4000 } ]\n"
                                        "users:\n  often: { weight: 3, flow: [ { own: often } ] }\n"
                                        "  rarely: { weight: 1, flow: [ { own: rarely } ] }\n",
                                .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run_connect(&run);
    run_load(&run, NS_PER_S);
    run_verify(&run);
    assert_in_range(run.total.series[0].count, 2900, 3100);
    assert_int_equal(run.total.series[0].count + run.total.series[1].count, 4000);
    run_end(&run);
}

static uint64_t iterations_of[8];

static void request_reads_options(struct squall_conn *conn, struct squall_exchange *exchange)
{
    const struct own_options *options = exchange->options;
    char text[64];
    snprintf(text, sizeof text, "u%lu-%lu", (unsigned long)exchange->user->id, (unsigned long)iterations_of[exchange->user->id]++);
    assert_int_equal(options->text.len, strlen(text));
    assert_memory_equal(options->text.data, text, strlen(text));
    assert_int_equal(options->number, 10 + exchange->user->id);
    own_done(conn, exchange, SQUALL_OK);
}

static void test_templates_of_each_user(void **state)
{
    (void)state;
    own_reset();
    own.request = request_reads_options;
    memset(iterations_of, 0, sizeof iterations_of);
    struct settings settings = {.yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 2 } }\n"
                                        "load: [ { users: 3, iterations: 60 } ]\n"
                                        "flow: [ { own: \"u${user.id}-${iteration}\", number: \"${10 + user.id}\", name: a } ]\n",
                                .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 60);
    run_end(&run);
}

/* A value that does not fit its option: the exchange is unsent, its connection goes on. */
static void test_rendering_fails(void **state)
{
    (void)state;
    own_reset();
    struct settings settings = {.yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 1 } }\n"
                                        "load: [ { users: 2, iterations: 10 } ]\n"
                                        "flow: [ { own: x, number: \"${user.id == 1 and 5 or -5}\", name: a } ]\n",
                                .protocols = {&own_protocol}};
    settings.yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 1 } }\n"
                    "load: [ { users: 2, iterations: 10 } ]\n"
                    "flow: [ { own: x, number: \"${1 - user.id}\", name: a } ]\n";
    run_begin(&run, &settings);
    run_whole(&run);
    assert_true(run_outcomes(&run, OUTCOME_UNSENT) > 0);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), own.requests);
    assert_int_equal(run_begun(&run), 10);
    assert_int_equal(own.connects, 1);
    run_end(&run);
}

/* ---- warm-up ---- */

static void test_warm_up_by_intended_time(void **state)
{
    (void)state;
    own_reset();
    own.request = own_post;
    struct settings settings = {.yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 1 } }\n"
                                        "load: [ { hold: 1000/s, for: 500ms } ]\nwarmup: 200ms\n"
                                        "flow: [ { own: a, check: { ok: status == 200 } } ]\n",
                                .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run_connect(&run);
    run_load(&run, 600 * NS_PER_MS); /* all are late: what counts is when they were due */
    run_verify(&run);
    assert_int_equal(run.page.ledgers[BLOCK_WARMUP].due, 200);
    assert_int_equal(run.page.ledgers[BLOCK_WARMUP].begun, 200);
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].due, 300);
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].begun, 300);
    assert_int_equal(run.total.checks[0].passed, 300);
    run_end(&run);
}

/* ---- drain ---- */

/* All of the load falls due while the generator stands still: what it hands over then has its time-out as ever. */
static void test_drain_after_a_stall(void **state)
{
    (void)state;
    own_reset();
    own.request = own_hold;
    struct settings settings = {
        .yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 10, timeout: 5ms } }\n"
                "load: [ { hold: 100/s, for: 100ms, users: 10 } ]\nflow: [ { own: a } ]\n",
        .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run_connect(&run);
    run_load(&run, NS_PER_S);
    assert_int_equal(run_begun(&run), 10);
    assert_int_equal(run_outcomes(&run, OUTCOME_TIMED_OUT), 10);
    run_end(&run);
}

static void test_drain_ends(void **state)
{
    (void)state;
    own_reset();
    own.request = own_hold;
    struct settings settings = {.yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 2 } }\n"
                                        "load: [ { hold: 1000/s, for: 20ms, users: 5 } ]\nflow: [ { own: a } ]\n",
                                .overrides = {.drain = "10ms"},
                                .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run_whole(&run);
    const struct ledger *ledger = &run.page.ledgers[BLOCK_MEASURED];
    assert_int_equal(ledger->due, 20);
    assert_int_equal(ledger->journeys_unfinished, 20);
    assert_int_equal(ledger->begun, 5);
    assert_int_equal(ledger->outcomes[OUTCOME_UNFINISHED], 5);
    assert_int_equal(own.cancels, 2);
    assert_int_equal(run.total.series[0].lower_bounds, 5);
    run_end(&run);
}

/* ---- snapshots ---- */

static uint64_t snapshot_sum;

static void snapshot_often(struct run *in, const struct step *step, const struct answer *answer)
{
    (void)step;
    (void)answer;
    if (own.requests % 7 == 0) {
        uint64_t before = in->total.series[0].count;
        run_snapshot(in);
        snapshot_sum += in->total.series[0].count - before;
    }
}

static void request_varies(struct squall_conn *conn, struct squall_exchange *exchange)
{
    own_done(conn, exchange, (uint32_t)(own.requests % 3));
}

static void test_intervals_add_up(void **state)
{
    (void)state;
    own_reset();
    own.request = request_varies;
    snapshot_sum = 0;
    struct settings settings = {.overrides = {.url = "own://here", .users = "4", .iterations = "1000", .connections = "2"},
                                .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run.ended = snapshot_often;
    run_whole(&run); /* run_verify holds the sum of the series against the ledger */
    assert_true(run.snapshots > 100);
    assert_true(snapshot_sum > 900 && snapshot_sum <= 1000);
    assert_int_equal(run.total.series[0].count, 1000);
    assert_int_equal(run.total.self_delay.count, 1000);
    uint64_t errors = run.total.errors_more;
    for (uint32_t i = 0; i < run.total.error_count; i++)
        errors += run.total.errors[i].count;
    assert_int_equal(errors, 1000 - run_outcomes(&run, OUTCOME_OK));
    run_end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iterations_are_exact),
        cmocka_unit_test(test_poisson_shares),
        cmocka_unit_test(test_arrivals_wait_and_stay_due),
        cmocka_unit_test(test_dropped_beyond_the_bound),
        cmocka_unit_test(test_users_come_and_go),
        cmocka_unit_test(test_think_times),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_templates_of_each_user),
        cmocka_unit_test(test_rendering_fails),
        cmocka_unit_test(test_warm_up_by_intended_time),
        cmocka_unit_test(test_drain_ends),
        cmocka_unit_test(test_drain_after_a_stall),
        cmocka_unit_test(test_intervals_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
