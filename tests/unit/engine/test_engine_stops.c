/*
 * A run stopped at any moment, in any way, while the protocol behaves at random: the counts hold all the same. Each seed is
 * one run; the moment of the stop is a number of host calls, so that a seed that fails fails again.
 */
#include "fixture.h"
#include "own.h"
#include "base/random.h"

#define SEEDS 50

static struct run run;
static struct random_stream dice;
static uint64_t stop_at, calls;
static bool stop_now, posted;

static void stop_the_run(struct squall_worker *worker, void *arg)
{
    (void)worker;
    (void)arg;
    engine_stop(run.engine, stop_now);
}

static void maybe_stop(struct squall_conn *conn)
{
    if (++calls >= stop_at && !posted)
        posted = conn->worker->host->post(conn->worker, stop_the_run, NULL) == 0;
}

static void random_connect(struct squall_conn *conn)
{
    maybe_stop(conn);
    switch (random_below(&dice, 8)) {
    case 0:
        (conn->worker->host->fail)(conn, "not today");
        break;
    case 1:
        break; /* a tick gives capacity */
    case 2:
        own_capacity(conn, 2);
        conn->worker->host->close(conn, SQUALL_CLOSE_ORDERLY);
        break;
    default:
        own_capacity(conn, 1 + (uint32_t)random_below(&dice, 4));
    }
}

static void random_request(struct squall_conn *conn, struct squall_exchange *exchange)
{
    maybe_stop(conn);
    switch (random_below(&dice, 12)) {
    case 0:
        (conn->worker->host->fail)(conn, "broken");
        break;
    case 1:
        conn->worker->host->retire(conn);
        break;
    case 2:
        own_capacity(conn, (uint32_t)random_below(&dice, 3));
        break;
    case 3:
        break;
    default:
        own_done(conn, exchange, (uint32_t)random_below(&dice, 4));
    }
}

static uint64_t random_tick(struct squall_conn *conn, uint64_t now_ns)
{
    maybe_stop(conn);
    switch (random_below(&dice, 6)) {
    case 0:
        own_capacity(conn, 1 + (uint32_t)random_below(&dice, 5));
        break;
    case 1:
        conn->worker->host->close(conn, (uint32_t)random_below(&dice, 2));
        break;
    default:
        own_done_oldest(conn);
    }
    return random_below(&dice, 30) ? now_ns + random_below(&dice, 100000) : now_ns - 1; /* a time that has passed, too */
}

static void random_cancel(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)exchange;
    if (random_below(&dice, 3) == 0)
        (conn->worker->host->fail)(conn, NULL);
}

static const char *const loads[] = {
    "load: [ { users: 8, for: 40ms } ]\n",
    "load: [ { users: 6, iterations: 300 } ]\n",
    "load: [ { hold: 10000/s, for: 30ms, users: 5 } ]\n",
    "load: [ { users: 1 -> 9, over: 20ms }, { users: 9 -> 2, over: 20ms } ]\n",
    "load: [ { hold: 3000/s, for: 30ms, arrivals: poisson } ]\n",
};

static void one_run(uint64_t seed)
{
    char yaml[600], text[32];
    random_init(&dice, seed, 1);
    own_reset();
    own.connect = random_connect;
    own.request = random_request;
    own.tick = random_tick;
    own.cancel = random_cancel;
    calls = 0;
    posted = false;
    stop_now = random_below(&dice, 2);
    stop_at = random_below(&dice, 600);
    snprintf(text, sizeof text, "%lu", (unsigned long)seed);
    snprintf(yaml, sizeof yaml,
             "squall: 1\ntargets: { t: { url: own://here, connections: %s, timeout: 5ms, connect-timeout: 20ms } }\n%swarmup: 5ms\n"
             "flow:\n  - own: a\n  - think: 0ms..1ms\n  - own: b\n",
             random_below(&dice, 2) ? "3" : "per-user", loads[random_below(&dice, sizeof loads / sizeof loads[0])]);
    struct settings settings = {.yaml = yaml, .overrides = {.seed = text, .drain = "20ms"}, .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run_connect(&run);
    if (!run.finished)
        run_load(&run, 0);
    else
        run_snapshot(&run);
    run_verify(&run);
    run_end(&run);
    assert_int_equal(own.connects, own.disconnects);
}

static void test_random_runs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        one_run(seed);
}

/* ---- set moments ---- */

static const char forever[] = "squall: 1\ntargets: { t: { url: own://here, connections: 2 } }\n"
                              "load: [ { users: 4, for: 1h } ]\nflow:\n  - own: a\n  - think: 1h\n  - own: b\n";

static void begin(const char *yaml)
{
    own_reset();
    struct settings settings = {.yaml = yaml, .protocols = {&own_protocol}};
    run_begin(&run, &settings);
}

static void finish(void)
{
    if (!run.finished)
        loop_run(engine_loop(run.engine));
    assert_true(run.finished);
    run_snapshot(&run);
    run_verify(&run);
    run_end(&run);
    assert_int_equal(own.connects, own.disconnects);
}

static void test_before_connecting(void **state)
{
    (void)state;
    for (int now = 0; now < 2; now++) {
        begin(forever);
        engine_stop(run.engine, now);
        finish();
        assert_int_equal(own.requests, 0);
    }
}

static void test_before_the_start(void **state)
{
    (void)state;
    for (int now = 0; now < 2; now++) {
        begin(forever);
        run_connect(&run);
        engine_stop(run.engine, now);
        engine_start(run.engine, clock_now_ns()); /* the word to go was already under way */
        finish();
        assert_int_equal(own.requests, 0);
    }
}

static void test_before_time_zero(void **state)
{
    (void)state;
    begin(forever);
    run_connect(&run);
    engine_start(run.engine, clock_now_ns() + 3600 * NS_PER_S);
    engine_stop(run.engine, false);
    finish();
    assert_int_equal(own.requests, 0);
}

static void stop_softly(struct squall_worker *worker, void *arg)
{
    (void)worker;
    (void)arg;
    engine_stop(run.engine, false);
}

static void request_then_stop(struct squall_conn *conn, struct squall_exchange *exchange)
{
    own_done(conn, exchange, SQUALL_OK);
    if (own.requests == 4)
        assert_int_equal(conn->worker->host->post(conn->worker, stop_softly, NULL), 0);
}

/* Who thinks does not hold up the end: four users think for an hour. */
static void test_while_thinking(void **state)
{
    (void)state;
    begin(forever);
    own.request = request_then_stop;
    run_connect(&run);
    run_load(&run, 0);
    run_verify(&run);
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].journeys_unfinished, 4);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 4);
    run_end(&run);
}

static void finish_all(struct squall_worker *worker, void *arg)
{
    struct squall_conn *conn = arg;
    (void)worker;
    engine_stop(run.engine, false);
    assert_false(run.finished); /* what is in flight may end */
    own.inside = 0;
    while (own_done_oldest(conn))
        ;
}

static void request_held_until_stopped(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)exchange;
    if (own.requests == 1)
        assert_int_equal(conn->worker->host->post(conn->worker, finish_all, conn), 0);
}

/* Ctrl-C: the exchange in flight ends by itself, its journey does not go on, the one that waits is unfinished or served. */
static void test_in_flight_may_end(void **state)
{
    (void)state;
    begin("squall: 1\ntargets: { t: { url: own://here, connections: 1 } }\n"
          "load: [ { users: 1, for: 1h } ]\nflow:\n  - own: a\n  - own: b\n");
    own.request = request_held_until_stopped;
    run_connect(&run);
    run_load(&run, 0);
    run_verify(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 1);
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].journeys_unfinished, 1);
    assert_int_equal(own.cancels, 0);
    run_end(&run);
}

static void stop_hard(struct squall_worker *worker, void *arg)
{
    (void)worker;
    (void)arg;
    engine_stop(run.engine, true);
    assert_true(run.finished);
    engine_stop(run.engine, true); /* twice is once */
    engine_stop(run.engine, false);
}

static void request_stops_hard(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)exchange;
    if (own.requests == 2)
        assert_int_equal(conn->worker->host->post(conn->worker, stop_hard, NULL), 0);
}

static void test_now(void **state)
{
    (void)state;
    begin(forever);
    own.request = request_stops_hard;
    run_connect(&run);
    run_load(&run, 0);
    run_verify(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_UNFINISHED), 4); /* two in flight, two that waited */
    assert_int_equal(own.cancels, 2);
    run_end(&run);
}

/* A worker whose controller has gone frees everything as it stands. */
static void leave_the_loop(struct squall_worker *worker, void *arg)
{
    (void)worker;
    (void)arg;
    loop_stop(engine_loop(run.engine));
}

static void request_leaves(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)exchange;
    assert_int_equal(conn->worker->host->post(conn->worker, leave_the_loop, NULL), 0);
}

static void test_freed_in_the_middle(void **state)
{
    (void)state;
    begin(forever);
    own.request = request_leaves;
    run_connect(&run);
    engine_start(run.engine, clock_now_ns());
    loop_run(engine_loop(run.engine));
    assert_false(run.finished);
    run_end(&run);
    assert_int_equal(own.connects, own.disconnects);
    assert_int_equal(own.users_ended, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_connecting), cmocka_unit_test(test_before_the_start),
        cmocka_unit_test(test_before_time_zero),  cmocka_unit_test(test_while_thinking),
        cmocka_unit_test(test_in_flight_may_end), cmocka_unit_test(test_now),
        cmocka_unit_test(test_freed_in_the_middle), cmocka_unit_test(test_random_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
