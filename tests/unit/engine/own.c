/* See own.h. */
#include "own.h"
#include "fixture.h"

struct own own;

struct own_exchange {
    struct squall_conn *conn;
    uint64_t zero;
};

void own_reset(void)
{
    memset(&own, 0, sizeof own);
}

struct own_conn *own_state(struct squall_conn *conn)
{
    return conn->state;
}

static void enter(void)
{
    assert_int_equal(own.inside, 0);
    own.inside = 1;
}

static void leave(void)
{
    own.inside = 0;
}

void own_capacity(struct squall_conn *conn, uint32_t in_flight_max)
{
    own_state(conn)->capacity = in_flight_max;
    conn->worker->host->capacity(conn, in_flight_max);
}

static void forget(struct squall_conn *conn, const struct squall_exchange *exchange)
{
    struct own_conn *state = own_state(conn);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < state->in_flight; i++)
        if (state->held[i] != exchange)
            state->held[kept++] = state->held[i];
    assert_int_equal(kept + 1, state->in_flight);
    state->in_flight = kept;
}

void own_done(struct squall_conn *conn, struct squall_exchange *exchange, uint32_t outcome)
{
    struct squall_result result = {.outcome = outcome, .code = 200, .bytes_in = 3, .bytes_out = 2};
    forget(conn, exchange);
    own.in_done++;
    conn->worker->host->done(exchange, &result);
    own.in_done--;
    own.done++;
}

bool own_done_oldest(struct squall_conn *conn)
{
    if (!own_state(conn)->in_flight)
        return false;
    own_done(conn, own_state(conn)->held[0], SQUALL_OK);
    return true;
}

void own_hold(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)conn;
    (void)exchange;
}

static void finish_oldest(struct squall_worker *worker, void *arg)
{
    struct squall_conn *conn = arg;
    (void)worker;
    own_done_oldest(conn);
}

void own_post(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)exchange;
    assert_int_equal(conn->worker->host->post(conn->worker, finish_oldest, conn), 0);
}

static void on_connect(struct squall_conn *conn)
{
    enter();
    struct own_conn *state = own_state(conn);
    assert_int_equal(state->up, 0);
    assert_int_equal(state->requests, 0); /* zeroed anew for each connection */
    state->up = 1;
    own.connects++;
    if (own.connect)
        own.connect(conn);
    else
        own_capacity(conn, 1);
    leave();
}

static void on_request(struct squall_conn *conn, struct squall_exchange *exchange)
{
    enter();
    struct own_conn *state = own_state(conn);
    struct own_exchange *mine = exchange->state;
    assert_int_equal(state->up, 1);
    assert_true(state->in_flight < state->capacity);
    assert_null(mine->conn);
    assert_int_equal(mine->zero, 0);
    mine->conn = conn;
    mine->zero = 1;
    state->requests++;
    own.requests++;
    state->held[state->in_flight++] = exchange;
    if (own.request)
        own.request(conn, exchange);
    else
        own_done(conn, exchange, SQUALL_OK);
    leave();
}

static void on_cancel(struct squall_conn *conn, struct squall_exchange *exchange)
{
    enter();
    assert_ptr_equal(((struct own_exchange *)exchange->state)->conn, conn);
    forget(conn, exchange);
    own.cancels++;
    if (own.cancel)
        own.cancel(conn, exchange);
    leave();
}

static void on_disconnect(struct squall_conn *conn)
{
    enter();
    assert_int_equal(own_state(conn)->up, 1);
    own_state(conn)->up = 0;
    own.disconnects++;
    if (own.disconnect)
        own.disconnect(conn);
    leave();
}

static uint64_t on_tick(struct squall_conn *conn, uint64_t now_ns)
{
    enter();
    assert_int_equal(own_state(conn)->up, 1);
    uint64_t next_ns = own.tick ? own.tick(conn, now_ns) : 0;
    leave();
    return next_ns;
}

static void on_record(const struct squall_exchange *exchange, struct squall_recorder *recorder)
{
    assert_int_equal(own.in_done, 1); /* from nowhere but done() */
    own.records++;
    if (own.record)
        own.record(exchange, recorder);
}

static void on_user_fini(struct squall_user *user)
{
    assert_true(user->id > 0);
    own.users_ended++;
}

static const struct squall_option rows[] = {
    {.name = "text", .type = SQUALL_STRING, .offset = offsetof(struct own_options, text), .role = SQUALL_ROLE_URL_TAIL},
    {.name = "number", .type = SQUALL_UINT, .offset = offsetof(struct own_options, number)},
};
static const struct squall_metric metrics[] = {
    {.name = "seen", .kind = SQUALL_COUNTER},
    {.name = "size_bytes", .kind = SQUALL_HISTOGRAM},
};

#define OWN(called)                                                                                              \
    {                                                                                                            \
        .name = called, .abi = {                                                                                 \
            .flags = SQUALL_OWN_TRANSPORT,                                                                       \
            .name = called,                                                                                      \
            .schemes = called,                                                                                   \
            .ports = "9",                                                                                        \
            .headline = "text",                                                                                  \
            .conn_size = sizeof(struct own_conn),                                                                \
            .exchange_size = sizeof(struct own_exchange),                                                        \
            .user_size = 24,                                                                                     \
            .worker_size = 8,                                                                                    \
            .step_options = {rows, 2, sizeof rows[0], sizeof(struct own_options)},                               \
            .metrics = {metrics, 2, sizeof metrics[0], 0},                                                       \
            .connect = on_connect,                                                                               \
            .request = on_request,                                                                               \
            .cancel = on_cancel,                                                                                 \
            .disconnect = on_disconnect,                                                                         \
            .tick = on_tick,                                                                                     \
            .record = on_record,                                                                                 \
            .user_fini = on_user_fini                                                                            \
        }                                                                                                        \
    }
struct protocol own_protocol = OWN("own");
struct protocol own_second = OWN("other");
