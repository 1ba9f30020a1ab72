/*
 * The laws of plugin.h from the engine's side, with a protocol that moves its own bytes. own.c asserts laws 4 and 9;
 * law 8 is in test_engine_host.c. The host function fail stands in brackets: cmocka has a macro of that name.
 */
#include "fixture.h"
#include "own.h"

static struct run run;
#define URL(...) {.overrides = {.url = "own://here", __VA_ARGS__}, .protocols = {&own_protocol}}

/* ---- laws 1, 2, 3, 7 ---- */

static void test_done_in_request(void **state)
{
    (void)state;
    own_reset();
    struct settings settings = URL(.users = "3", .iterations = "1000", .connections = "2");
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 1000);
    assert_int_equal(own.requests, 1000);
    assert_int_equal(own.records, 1000);
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].completed, 1000);
    assert_int_equal(run.total.series[0].service.count, 0); /* own transport: no `sent` */
    assert_int_equal(run.total.series[0].phases[PHASE_CONNECT].count, 0);
    run_end(&run);
    assert_int_equal(own.connects, own.disconnects);
    assert_int_equal(own.users_ended, 3);
}

static void test_done_later(void **state)
{
    (void)state;
    own_reset();
    own.request = own_post;
    struct settings settings = URL(.users = "10", .iterations = "1000", .connections = "3");
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 1000);
    run_end(&run);
}

static void request_done_twice(struct squall_conn *conn, struct squall_exchange *exchange)
{
    struct squall_result result = {.outcome = SQUALL_REJECTED};
    own_done(conn, exchange, SQUALL_OK);
    own.in_done++;
    conn->worker->host->done(exchange, &result);
    conn->worker->host->first_byte(exchange);
    conn->worker->host->body(exchange, (struct squall_bytes){(const uint8_t *)"x", 1});
    conn->worker->host->request_end(exchange);
    own.in_done--;
}

static void test_done_twice(void **state)
{
    (void)state;
    own_reset();
    own.request = request_done_twice;
    struct settings settings = URL(.users = "1", .iterations = "20");
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 20);
    assert_int_equal(run_begun(&run), 20);
    assert_int_equal(own.records, 20);
    run_end(&run);
}

static struct squall_exchange *late;

static void late_done(struct squall_worker *worker, void *arg)
{
    struct squall_result result = {.outcome = SQUALL_OK};
    (void)arg;
    worker->host->done(late, &result);
}

static void cancel_then_done(struct squall_conn *conn, struct squall_exchange *exchange)
{
    struct squall_result result = {.outcome = SQUALL_OK};
    conn->worker->host->done(exchange, &result); /* too late already */
    late = exchange;
    assert_int_equal(conn->worker->host->post(conn->worker, late_done, NULL), 0);
}

static void test_time_out_then_done(void **state)
{
    (void)state;
    own_reset();
    own.request = own_hold;
    own.cancel = cancel_then_done;
    struct settings settings = {.yaml = "squall: 1\ntargets: { t: { url: own://here, timeout: 5ms, connections: 1 } }\n"
                                        "load: [ { users: 1, iterations: 3 } ]\nflow:\n  - own: a\n  - think: 10ms\n",
                                .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_TIMED_OUT), 3);
    assert_int_equal(run_begun(&run), 3);
    assert_int_equal(own.cancels, 3);
    assert_int_equal(run.page.ledgers[BLOCK_MEASURED].failed, 3);
    assert_true(run.total.series[0].lower_bound_min_ns >= 5 * NS_PER_MS);
    run_end(&run);
}

static void request_fails_when_full(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)exchange;
    if (own_state(conn)->in_flight == 3)
        (conn->worker->host->fail)(conn, "enough of it");
}

static void disconnect_then_done(struct squall_conn *conn)
{
    struct squall_result result = {.outcome = SQUALL_OK};
    for (uint32_t i = 0; i < own_state(conn)->in_flight; i++)
        conn->worker->host->done(own_state(conn)->held[i], &result); /* they have ended: ignored */
}

static void connect_gives_three(struct squall_conn *conn)
{
    own_capacity(conn, 3);
}

static void test_end_of_connection(void **state)
{
    (void)state;
    own_reset();
    own.connect = connect_gives_three;
    own.request = request_fails_when_full;
    own.disconnect = disconnect_then_done;
    struct settings settings = URL(.users = "3", .iterations = "9", .connections = "1");
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_DISCONNECTED), 9);
    assert_int_equal(own.disconnects, 3);
    assert_true(run_has_error(&run, "enough of it"));
    run_end(&run);
}

static uint32_t outcome_wanted;

static void request_with_outcome(struct squall_conn *conn, struct squall_exchange *exchange)
{
    own_done(conn, exchange, outcome_wanted);
}

static void test_outcomes(void **state)
{
    (void)state;
    static const struct {
        uint32_t said;
        enum outcome counted;
    } table[] = {
        {SQUALL_OK, OUTCOME_OK},         {SQUALL_REJECTED, OUTCOME_REJECTED}, {SQUALL_MALFORMED, OUTCOME_MALFORMED},
        {SQUALL_UNSENT, OUTCOME_UNSENT}, {SQUALL_BROKEN_OFF, OUTCOME_DISCONNECTED}, {SQUALL_BROKEN_OFF + 1, OUTCOME_MALFORMED}, {UINT32_MAX, OUTCOME_MALFORMED},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        own_reset();
        own.request = request_with_outcome;
        outcome_wanted = table[i].said;
        struct settings settings = URL(.users = "1", .iterations = "7");
        run_begin(&run, &settings);
        run_whole(&run);
        assert_int_equal(run_outcomes(&run, table[i].counted), 7);
        assert_int_equal(run.total.series[0].bytes_in, 21);
        assert_int_equal(run.total.series[0].bytes_out, 14);
        assert_int_equal(run.total.series[0].codes[0].code, 200);
        assert_int_equal(run.total.series[0].codes[0].count, 7);
        assert_int_equal(run.page.ledgers[BLOCK_MEASURED].failed, table[i].said == SQUALL_OK ? 0 : 7);
        run_end(&run);
    }
}

/* ---- law 4 ---- */

static uint32_t capacity_first;
static uint64_t last_id;

static void connect_gives_first(struct squall_conn *conn)
{
    own_capacity(conn, capacity_first);
}

static uint64_t tick_finishes_one(struct squall_conn *conn, uint64_t now_ns)
{
    own_done_oldest(conn);
    return now_ns + 1;
}

static void request_in_turn(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)conn;
    assert_true(exchange->id > last_id); /* who waited longest goes first */
    last_id = exchange->id;
}

static void test_capacity(void **state)
{
    (void)state;
    static const uint32_t capacities[] = {1, 3, 9, 200};
    for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
        own_reset();
        capacity_first = capacities[i];
        last_id = 0;
        own.connect = connect_gives_first;
        own.request = request_in_turn;
        own.tick = tick_finishes_one;
        struct settings settings = URL(.users = "10", .iterations = "200", .connections = "1");
        run_begin(&run, &settings);
        run_whole(&run);
        assert_int_equal(run_outcomes(&run, OUTCOME_OK), 200);
        assert_int_equal(run.facts.waited_connection > 0, capacities[i] < 10);
        run_end(&run);
    }
}

/* Up, down and to nothing, from a tick and from within requests: own.c asserts that it is never passed. */
static uint64_t tick_changes(struct squall_conn *conn, uint64_t now_ns)
{
    static const uint32_t levels[] = {3, 1, 0, 5, 2, 0, 0, 4};
    own_capacity(conn, levels[own.arg ? own.requests % 8 : (uint64_t)(now_ns % 8)]);
    own_done_oldest(conn);
    return now_ns + 1;
}

static void request_lowers(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)exchange;
    own_capacity(conn, own.requests % 3 ? 1 : 0);
}

static void test_capacity_changes(void **state)
{
    (void)state;
    own_reset();
    capacity_first = 0;
    own.connect = connect_gives_first;
    own.request = request_lowers;
    own.tick = tick_changes;
    struct settings settings = URL(.users = "20", .iterations = "500", .connections = "1");
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 500);
    run_end(&run);
}

/* One answer frees the session for several that wait, and the first of them takes the room away again. */
static uint64_t tick_opens_wide(struct squall_conn *conn, uint64_t now_ns)
{
    while (own_done_oldest(conn))
        ;
    own_capacity(conn, 8);
    return now_ns + 1;
}

static void request_closes(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)exchange;
    own_capacity(conn, 1);
}

static void test_lowered_while_many_wait(void **state)
{
    (void)state;
    own_reset();
    own.connect = connect_gives_three;
    own.request = request_closes;
    own.tick = tick_opens_wide;
    struct settings settings = URL(.users = "16", .iterations = "300", .connections = "1");
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 300);
    run_end(&run);
}

static void request_retires(struct squall_conn *conn, struct squall_exchange *exchange)
{
    conn->worker->host->retire(conn);
    if (own.requests % 2)
        own_done(conn, exchange, SQUALL_OK);
    else
        own_post(conn, exchange);
}

/* One request a connection, however many wait and however much room it had. */
static void test_retire(void **state)
{
    (void)state;
    own_reset();
    own.connect = connect_gives_three;
    own.request = request_retires;
    struct settings settings = URL(.users = "8", .iterations = "50", .connections = "2");
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 50);
    assert_true(own.connects >= 50);
    run_end(&run);
}

/* ---- law 9 ---- */

static void everything(struct squall_conn *conn, struct squall_exchange *exchange)
{
    const struct squall_host *host = conn->worker->host;
    (void)host->random(conn->worker);
    assert_true(host->now_ns(conn->worker) > 0);
    host->log(conn->worker, 3, "a line");
    assert_null(host->out_reserve(conn, 10)); /* it moves its own bytes */
    host->out_commit(conn, 0);
    assert_int_equal(host->out_borrow(conn, (struct squall_bytes){(const uint8_t *)"x", 1}), -1);
    own_capacity(conn, own_state(conn)->capacity);
    if (!exchange)
        return;
    host->request_end(exchange);
    host->first_byte(exchange);
    host->body(exchange, (struct squall_bytes){(const uint8_t *)"abc", 3});
}

static void connect_calls(struct squall_conn *conn)
{
    own_capacity(conn, 2);
    everything(conn, NULL);
}

static void request_calls(struct squall_conn *conn, struct squall_exchange *exchange)
{
    everything(conn, exchange);
    switch (own.requests % 4) {
    case 0:
        own_done(conn, exchange, SQUALL_OK);
        everything(conn, NULL);
        break;
    case 1:
        own_post(conn, exchange);
        break;
    case 2:
        (conn->worker->host->fail)(conn, NULL);
        break;
    default:
        conn->worker->host->close(conn, own.requests % 8 == 3 ? SQUALL_CLOSE_RESET : SQUALL_CLOSE_ORDERLY);
    }
}

static void disconnect_calls(struct squall_conn *conn)
{
    const struct squall_host *host = conn->worker->host;
    host->capacity(conn, 5);
    host->retire(conn);
    host->close(conn, SQUALL_CLOSE_ORDERLY);
    (host->fail)(conn, "again");
    assert_null(host->out_reserve(conn, 1));
}

static void cancel_calls(struct squall_conn *conn, struct squall_exchange *exchange)
{
    everything(conn, exchange);
    conn->worker->host->close(conn, SQUALL_CLOSE_RESET);
}

static void test_host_calls_from_everywhere(void **state)
{
    (void)state;
    own_reset();
    own.connect = connect_calls;
    own.request = request_calls;
    own.disconnect = disconnect_calls;
    own.cancel = cancel_calls;
    struct settings settings = URL(.users = "6", .iterations = "120", .connections = "3", .timeout = "20ms");
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_begun(&run), 120);
    run_end(&run);
    assert_int_equal(own.connects, own.disconnects);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_done_in_request),
        cmocka_unit_test(test_done_later),
        cmocka_unit_test(test_done_twice),
        cmocka_unit_test(test_time_out_then_done),
        cmocka_unit_test(test_end_of_connection),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_capacity_changes),
        cmocka_unit_test(test_lowered_while_many_wait),
        cmocka_unit_test(test_retire),
        cmocka_unit_test(test_host_calls_from_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
