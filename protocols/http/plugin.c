/*
 * The http protocol plugin: which version of HTTP a connection speaks, and what both have in common. A scenario is the
 * same for both.
 *
 * http:// is HTTP/1.1, or HTTP/2 at once where the target says so (prior knowledge, RFC 9113 3.3). https:// is what TLS
 * has agreed on (ALPN, RFC 7301); a server that agrees on nothing speaks HTTP/1.1.
 */
#include "plugin.h"
#include "status.h"
#include "step.h"

/* Rows of the metrics. Told where the version is a matter of agreement: then HTTP/1.1 is what the server made of it. */
enum metric { EXCHANGES_H1, EXCHANGES_H2, METRICS };
static const struct squall_metric metrics[METRICS] = {
    [EXCHANGES_H1] = {.name = "exchanges_h1",
                      .help = "exchanges over HTTP/1.1, since the server did not agree to HTTP/2 (ALPN)",
                      .kind = SQUALL_COUNTER,
                      .role = SQUALL_METRIC_NOTED},
    [EXCHANGES_H2] = {.name = "exchanges_h2", .help = "exchanges over HTTP/2", .kind = SQUALL_COUNTER},
};

static bool agreed_on(const struct squall_conn *conn, const char *name)
{
    return h1_bytes_are(conn->alpn, name);
}

static enum http_version version_of(const struct squall_conn *conn)
{
    const struct http_target *target = conn->target->state;
    if (!conn->target->secure)
        return target->version == HTTP_2 ? HTTP_2 : HTTP_1;
    if (agreed_on(conn, "h2"))
        return HTTP_2;
    return target->version == HTTP_2 ? HTTP_AUTO : HTTP_1;
}

static void connect_h1(struct squall_conn *conn, struct http_conn *c)
{
    struct http_worker *worker = conn->worker->state;
    c->h1 = h2_memory_take(&worker->stock.memory, sizeof *c->h1);
    if (c->h1 != NULL) {
        h1_conn_connect(conn, c->h1);
        return;
    }
    c->version = HTTP_AUTO;
    host_of(conn)->fail(conn, "no memory for a connection");
}

static void connect(struct squall_conn *conn)
{
    struct http_conn *c = conn->state;
    struct http_worker *worker = conn->worker->state;
    c->version = version_of(conn);
    if (c->version == HTTP_1)
        connect_h1(conn, c);
    else if (c->version == HTTP_2)
        h2_conn_connect(conn, &c->h2, &worker->stock);
    else
        host_of(conn)->fail(conn, conn->alpn.len > 0
                                      ? "the server agreed to another protocol than HTTP/2 (ALPN); take http: auto"
                                      : "the server did not agree to HTTP/2 (ALPN); take http: auto, or h1");
}

static void request(struct squall_conn *conn, struct squall_exchange *x)
{
    const struct http_target *target = conn->target->state;
    struct http_conn *c = conn->state;
    struct http_exchange *state = x->state;
    *state = (struct http_exchange){0}; /* one that was given back by again() has been on another connection */
    if (target->version != HTTP_1 && (conn->target->secure || c->version == HTTP_2))
        state->metric = 1 + (c->version == HTTP_2 ? EXCHANGES_H2 : EXCHANGES_H1);
    if (c->version == HTTP_2)
        h2_conn_request(conn, &c->h2, x);
    else
        h1_conn_request(conn, c->h1, x);
}

static void cancel(struct squall_conn *conn, struct squall_exchange *x)
{
    struct http_conn *c = conn->state;
    if (c->version == HTTP_2)
        h2_conn_cancel(conn, &c->h2, x);
    else
        h1_conn_cancel(conn, c->h1);
}

static uint64_t receive(struct squall_conn *conn, const uint8_t *data, uint64_t len)
{
    struct http_conn *c = conn->state;
    if (c->version == HTTP_2)
        return h2_conn_receive(conn, &c->h2, data, len);
    return c->version == HTTP_1 ? h1_conn_receive(conn, c->h1, data, len) : len;
}

static void writable(struct squall_conn *conn)
{
    struct http_conn *c = conn->state;
    if (c->version == HTTP_2)
        h2_conn_writable(conn, &c->h2);
}

static uint64_t tick(struct squall_conn *conn, uint64_t now_ns)
{
    struct http_conn *c = conn->state;
    return c->version == HTTP_1 ? h1_conn_tick(conn, c->h1, now_ns) : 0;
}

static void disconnect(struct squall_conn *conn)
{
    struct http_conn *c = conn->state;
    if (c->version == HTTP_2)
        h2_conn_disconnect(conn, &c->h2);
    if (c->version != HTTP_1)
        return;
    struct http_worker *worker = conn->worker->state;
    h1_conn_disconnect(conn, c->h1);
    h2_memory_give(&worker->stock.memory, c->h1);
}

static void record(const struct squall_exchange *x, struct squall_recorder *recorder)
{
    const struct http_exchange *state = x->state;
    if (state->kept != NULL)
        kept_tell(state->kept, recorder);
    if (state->metric > 0)
        recorder->sample(recorder, state->metric - 1, 1);
}

static int32_t worker_init(struct squall_worker *view, struct squall_error *error)
{
    struct http_worker *worker = view->state;
    (void)error;
    h2_stock_init(&worker->stock);
    return 0;
}

static void worker_fini(struct squall_worker *view)
{
    struct http_worker *worker = view->state;
    h2_stock_fini(&worker->stock);
    http_scratch_fini(&worker->scratch);
    decoders_fini(&worker->decoders);
}

static void user_fini(struct squall_user *user)
{
    http_user_fini(user->state);
}

SQUALL_EXPORT extern const struct squall_protocol SQUALL_PROTOCOL;
const struct squall_protocol SQUALL_PROTOCOL = {
    .magic = SQUALL_PLUGIN_MAGIC,
    .abi_major = SQUALL_ABI_MAJOR,
    .abi_minor = SQUALL_ABI_MINOR,
    .size = sizeof(struct squall_protocol),
    .name = "http",
    .version = SQUALL_VERSION,
    .summary = "HTTP/1.1 and HTTP/2 over TCP or TLS",
    .schemes = "http,https",
    .alpn = "h2,http/1.1",
    .ports = "80,443",
    .headline = "method path",
    .worker_size = sizeof(struct http_worker),
    .target_size = sizeof(struct http_target),
    .user_size = sizeof(struct http_user),
    .step_size = sizeof(struct http_step),
    .conn_size = sizeof(struct http_conn),
    .exchange_size = sizeof(struct http_exchange),
    .target_options = {.rows = http_target_rows,
                       .count = HTTP_TARGET_ROWS,
                       .stride = sizeof(struct squall_option),
                       .size = sizeof(struct http_target_options)},
    .step_options = {.rows = http_step_rows,
                     .count = HTTP_ROWS,
                     .stride = sizeof(struct squall_option),
                     .size = sizeof(struct http_options)},
    .metrics = {.rows = metrics, .count = METRICS, .stride = sizeof(struct squall_metric)},
    .target_init = http_target_init,
    .step_init = http_step_init,
    .step_fini = http_step_fini,
    .worker_init = worker_init,
    .worker_fini = worker_fini,
    .user_fini = user_fini,
    .connect = connect,
    .receive = receive,
    .writable = writable,
    .tick = tick,
    .disconnect = disconnect,
    .request = request,
    .cancel = cancel,
    .record = record,
    .code_name = http_status_name,
    .awaits = "the SETTINGS that HTTP/2 begins with",
};
