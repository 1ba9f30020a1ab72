/*
 * The grpc plugin: calls over HTTP/2, on the session of the http room. call.h says what a call is, target.h where its
 * message types come from; here they meet the seam.
 */
#include "call.h"
#include "reflect.h"
#include "status.h"

#define FRAME_HEAD 9

static int32_t worker_init(struct squall_worker *view, struct squall_error *error)
{
    (void)error;
    rpc_worker_begin(view->state);
    return 0;
}

static void worker_fini(struct squall_worker *view)
{
    rpc_worker_end(view->state);
}

static void fail(struct rpc_conn *c, const char *why)
{
    c->over = true;
    rpc_host(c)->fail(c->conn, why);
}

/* One connection asks the server for its services; the others wait for that one. */
static void learn_services(struct rpc_conn *c)
{
    struct rpc_target *target = c->target;
    if (target->asking != NULL) {
        c->waiting = true;
        c->next_waiting = target->waiting;
        target->waiting = c;
        return;
    }
    target->asking = c;
    if (rpc_reflection_begin(c) < 0) {
        target->asking = NULL;
        fail(c, "no memory for reflection");
    }
}

static bool speaks_h2(const struct squall_conn *conn)
{
    return !conn->target->secure || (conn->alpn.len == 2 && memcmp(conn->alpn.data, "h2", 2) == 0);
}

static void connect(struct squall_conn *conn)
{
    struct rpc_conn *c = conn->state;
    *c = (struct rpc_conn){.conn = conn, .worker = conn->worker->state, .target = conn->target->state};
    if (!speaks_h2(conn)) {
        fail(c, "TLS did not agree on HTTP/2 (ALPN h2)");
        return;
    }
    h2_trace_open(conn);
    c->session = h2_session_new(&c->target->h2, &rpc_callbacks, c, &c->worker->memory);
    if (c->session == NULL) {
        fail(c, "no memory for an HTTP/2 session");
        return;
    }
    if (!c->target->bound)
        learn_services(c);
    rpc_conn_settle(c, h2_send(c->session));
}

static void leave_waiting(struct rpc_conn *c)
{
    struct rpc_conn **at = &c->target->waiting;
    while (*at != NULL && *at != c)
        at = &(*at)->next_waiting;
    if (*at == c)
        *at = c->next_waiting;
    c->waiting = false;
}

/* When the one that asks goes, another of those that wait takes over. */
static void disconnect(struct squall_conn *conn)
{
    struct rpc_conn *c = conn->state;
    struct rpc_target *target = c->target;
    if (target == NULL)
        return;
    rpc_reflection_free(c->reflection);
    c->reflection = NULL;
    rpc_conn_forget(c);
    if (c->waiting)
        leave_waiting(c);
    if (target->asking != c)
        return;
    target->asking = NULL;
    struct rpc_conn *next = target->waiting;
    if (next == NULL)
        return;
    leave_waiting(next);
    learn_services(next);
    rpc_conn_settle(next, h2_send(next->session));
}

/* How much of the input belongs to the frame that is being read. */
static uint64_t rest_of_frame(struct rpc_conn *c, const uint8_t *data, uint64_t len)
{
    uint64_t used = 0;
    if (c->frame_head == 0 && len >= FRAME_HEAD) { /* as almost always */
        c->frame_left = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];
        c->frame_head = FRAME_HEAD;
        used = FRAME_HEAD;
    }
    while (c->frame_head < FRAME_HEAD && used < len) {
        if (c->frame_head < 3) /* the length, RFC 9113 4.1 */
            c->frame_left = c->frame_left << 8 | data[used];
        c->frame_head++;
        used++;
    }
    uint64_t body = c->frame_left < len - used ? c->frame_left : len - used;
    c->frame_left -= c->frame_head == FRAME_HEAD ? (uint32_t)body : 0;
    used += c->frame_head == FRAME_HEAD ? body : 0;
    if (c->frame_head == FRAME_HEAD && c->frame_left == 0)
        c->frame_head = 0;
    return used;
}

/* Where an answer leads to the next message, frames are taken one by one: what is sent then does not depend on how many
 * of them one read brought. Elsewhere nothing is sent in between, and they go in together. */
static void take_input(struct rpc_conn *c, const uint8_t *data, uint64_t len)
{
    uint64_t from = 0;
    for (uint64_t at = 0; at < len && !c->over;) {
        at += rest_of_frame(c, data + at, len - at);
        if (at < len && c->talking == 0)
            continue;
        rpc_conn_settle(c, h2_receive(c->session, data + from, at - from));
        from = at;
    }
}

static uint64_t receive(struct squall_conn *conn, const uint8_t *data, uint64_t len)
{
    struct rpc_conn *c = conn->state;
    if (c->over)
        return len;
    if (len > 0) {
        take_input(c, data, len);
        return len;
    }
    if (c->calls != NULL) {
        fail(c, h2_closed_text(c->session));
    } else {
        c->over = true;
        rpc_host(c)->close(conn, SQUALL_CLOSE_ORDERLY);
    }
    return 0;
}

static void writable(struct squall_conn *conn)
{
    struct rpc_conn *c = conn->state;
    if (!c->over)
        rpc_conn_settle(c, h2_send(c->session));
}

/* Deadlines. Those of calls that begin later say so themselves, by tick_at(). */
static uint64_t tick(struct squall_conn *conn, uint64_t now_ns)
{
    struct rpc_conn *c = conn->state;
    uint64_t next_ns = 0;
    if (c->over)
        return 0;
    for (struct rpc_call *call = c->calls, *next; call != NULL; call = next) {
        next = call->next;
        uint64_t due_ns = call->step != NULL ? rpc_call_tick(call, now_ns) : 0;
        if (due_ns > 0 && (next_ns == 0 || due_ns < next_ns))
            next_ns = due_ns;
    }
    c->tick_ns = next_ns;
    rpc_conn_settle(c, h2_send(c->session));
    return next_ns;
}

static void request(struct squall_conn *conn, struct squall_exchange *x)
{
    rpc_call_begin(conn->state, x);
}

static void cancel(struct squall_conn *conn, struct squall_exchange *x)
{
    struct rpc_conn *c = conn->state;
    struct rpc_call *call = ((struct rpc_exchange *)x->state)->call;
    if (call == NULL)
        return;
    rpc_call_cancel(call);
    if (!c->over)
        rpc_conn_settle(c, h2_send(c->session));
}

static void turn(struct squall_conn *conn, struct squall_exchange *x, uint64_t number)
{
    struct rpc_conn *c = conn->state;
    (void)number;
    rpc_stream_turn(((struct rpc_exchange *)x->state)->call);
    rpc_conn_settle(c, h2_send(c->session));
}

static void record(const struct squall_exchange *x, struct squall_recorder *recorder)
{
    const struct rpc_exchange *exchange = x->state;
    if (exchange->call != NULL)
        rpc_call_record(exchange->call, recorder);
}

SQUALL_EXPORT extern const struct squall_protocol SQUALL_PROTOCOL;
const struct squall_protocol SQUALL_PROTOCOL = {
    .magic = SQUALL_PLUGIN_MAGIC,
    .abi_major = SQUALL_ABI_MAJOR,
    .abi_minor = SQUALL_ABI_MINOR,
    .size = sizeof(struct squall_protocol),
    .flags = SQUALL_CODES_FROM_0,
    .name = "grpc",
    .version = SQUALL_VERSION,
    .summary = "gRPC: unary calls and streams, over HTTP/2",
    .schemes = "grpc,grpcs",
    .alpn = "h2",
    .ports = "50051,443",
    .headline = "method",
    .worker_size = sizeof(struct rpc_worker),
    .target_size = sizeof(struct rpc_target),
    .step_size = sizeof(struct rpc_step),
    .conn_size = sizeof(struct rpc_conn),
    .exchange_size = sizeof(struct rpc_exchange),
    .target_options = {.rows = rpc_target_rows,
                       .count = RPC_TARGET_ROWS,
                       .stride = sizeof(struct squall_option),
                       .size = sizeof(struct rpc_target_options)},
    .step_options = {.rows = rpc_step_rows,
                     .count = RPC_ROWS,
                     .stride = sizeof(struct squall_option),
                     .size = sizeof(struct rpc_step_options)},
    .metrics = {.rows = rpc_metrics, .count = RPC_METRICS, .stride = sizeof(struct squall_metric)},
    .target_init = rpc_target_init,
    .target_fini = rpc_target_fini,
    .step_init = rpc_step_init,
    .step_fini = rpc_step_fini,
    .worker_init = worker_init,
    .worker_fini = worker_fini,
    .connect = connect,
    .receive = receive,
    .writable = writable,
    .tick = tick,
    .disconnect = disconnect,
    .request = request,
    .cancel = cancel,
    .record = record,
    .code_name = rpc_result_name,
    .turn = turn,
    .awaits = "its SETTINGS, or, where it was asked for the services, the answer of gRPC reflection",
};
