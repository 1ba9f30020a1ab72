/*
 * The http protocol plugin: HTTP/1.1, one exchange at a time on a connection (no pipelining: RFC 9112 9.3.2 lets a
 * client, but browsers and client libraries do not, and one slow answer would be charged to the exchanges behind it).
 *
 * What must stay true:
 *   - `exchange` is set from a successful request() to the call that ends it, and cleared before that call is made.
 *   - the reader is idle exactly while `exchange` is NULL, or the connection is over.
 *   - first_byte is told at the first byte of anything that answers, interim answers included, as bytes_in counts them.
 */
#include "h1.h"
#include "kept.h"
#include "request.h"
#include "status.h"
#include "step.h"
#include <stdio.h>

/* squall_conn.state */
struct http_conn {
    struct h1_reader reader;
    struct squall_exchange *exchange; /* in flight, or NULL */
    uint64_t request_bytes;
    struct kept_fields kept;
    bool served;      /* an exchange has ended here */
    bool close_asked; /* the request said Connection: close */
    bool retired;     /* no request follows; bytes behind the last answer are of no interest */
    bool over;        /* failed or closed: whatever still comes is dropped */
};

/* squall_exchange.state */
struct http_exchange {
    const struct kept_fields *kept; /* of its connection, for record(); NULL: no fields wanted */
};

static const struct squall_host *host_of(const struct squall_conn *conn)
{
    return conn->worker->host;
}

static void connect(struct squall_conn *conn)
{
    struct http_conn *c = conn->state;
    *c = (struct http_conn){0}; /* a reconnect may find the state of the session before */
    host_of(conn)->capacity(conn, 1);
}

static void close_now(struct squall_conn *conn, struct http_conn *c, uint32_t how)
{
    c->over = true;
    host_of(conn)->close(conn, how);
}

static void request(struct squall_conn *conn, struct squall_exchange *x)
{
    const struct squall_host *host = host_of(conn);
    struct http_conn *c = conn->state;
    struct http_request sent;
    const char *reason = http_request_send(conn, x, &sent);
    if (reason != NULL) {
        struct squall_result result = {.outcome = SQUALL_UNSENT, .reason = reason};
        host->done(x, &result);
        if (sent.torn)
            close_now(conn, c, SQUALL_CLOSE_RESET);
        return;
    }
    c->exchange = x;
    c->request_bytes = sent.bytes;
    c->close_asked = sent.close;
    bool want_fields = (x->wants & SQUALL_WANT_FIELDS) != 0;
    if (want_fields) {
        kept_reset(&c->kept);
        ((struct http_exchange *)x->state)->kept = &c->kept;
    }
    h1_expect(&c->reader, sent.kind, want_fields);
    c->reader.known = &((struct http_step *)x->step->state)->known;
    host->request_end(x);
}

/* The engine gave up on the answer, which may still come and would be taken for the next request's: HTTP/1.1 has no way
 * to call one off but to close the connection. RST rather than FIN, so that the server learns it at its next write and
 * the bytes of a long answer are not waited for. */
static void cancel(struct squall_conn *conn, struct squall_exchange *x)
{
    struct http_conn *c = conn->state;
    (void)x; /* the one in flight: the capacity is 1 */
    c->exchange = NULL;
    close_now(conn, c, SQUALL_CLOSE_RESET);
}

static void end_exchange(struct squall_conn *conn, struct http_conn *c, uint32_t outcome, const char *reason)
{
    struct squall_exchange *x = c->exchange;
    struct squall_result result = {.outcome = outcome,
                                   .code = c->reader.status,
                                   .bytes_in = c->reader.wire_bytes,
                                   .bytes_out = c->request_bytes,
                                   .reason = reason};
    c->exchange = NULL;
    c->served = true;
    host_of(conn)->done(x, &result);
}

static void answer_complete(struct squall_conn *conn, struct http_conn *c)
{
    const struct http_step *step = c->exchange->step->state;
    bool ok = http_expect_has(&step->expect, c->reader.status);
    end_exchange(conn, c, ok ? SQUALL_OK : SQUALL_REJECTED, NULL);
}

static void answer_malformed(struct squall_conn *conn, struct http_conn *c)
{
    if (c->exchange == NULL) {
        c->over = true;
        host_of(conn)->fail(conn, c->reader.reason);
        return;
    }
    end_exchange(conn, c, SQUALL_MALFORMED, c->reader.reason);
    close_now(conn, c, SQUALL_CLOSE_RESET);
}

static void head_complete(struct squall_conn *conn, struct http_conn *c)
{
    if (c->retired || (c->reader.keep_alive && !c->close_asked))
        return;
    c->retired = true;
    host_of(conn)->retire(conn);
}

static void end_of_stream(struct squall_conn *conn, struct http_conn *c)
{
    char reason[H1_REASON_MAX + 40], why[H1_REASON_MAX];
    if (c->exchange == NULL) { /* between exchanges a server may close at any time, 9.5 */
        close_now(conn, c, SQUALL_CLOSE_ORDERLY);
        return;
    }
    if (h1_read_end(&c->reader, why) == H1_END) {
        answer_complete(conn, c);
        return;
    }
    bool stale = c->served && !c->reader.started;
    snprintf(reason, sizeof reason, "%s%s", why, stale ? " (stale keep-alive connection?)" : "");
    c->exchange = NULL;
    c->over = true;
    host_of(conn)->fail(conn, reason);
}

static uint64_t receive(struct squall_conn *conn, const uint8_t *data, uint64_t len)
{
    struct http_conn *c = conn->state;
    const uint8_t *at = data, *end = data + len;
    struct h1_piece piece;
    if (c->over || (c->retired && c->exchange == NULL))
        return len;
    if (len == 0) {
        end_of_stream(conn, c);
        return 0;
    }
    if (c->exchange != NULL && !c->reader.started)
        host_of(conn)->first_byte(c->exchange);
    for (;;) {
        switch (h1_read(&c->reader, &at, end, &piece)) {
        case H1_MORE:
            return (uint64_t)(at - data);
        case H1_FIELD:
            if (kept_add(&c->kept, &piece) == 0)
                break;
            c->exchange = NULL;
            c->over = true;
            host_of(conn)->fail(conn, "no memory for the answer's header fields");
            return len;
        case H1_HEAD:
            head_complete(conn, c);
            break;
        case H1_BODY:
            if (c->exchange->wants & SQUALL_WANT_BODY)
                host_of(conn)->body(c->exchange, (struct squall_bytes){.data = piece.data, .len = piece.data_len});
            break;
        case H1_END:
            answer_complete(conn, c);
            if (c->retired)
                return len;
            break;
        case H1_MALFORMED:
            answer_malformed(conn, c);
            return len;
        }
    }
}

static void disconnect(struct squall_conn *conn)
{
    struct http_conn *c = conn->state;
    kept_fini(&c->kept);
}

static void record(const struct squall_exchange *x, struct squall_recorder *recorder)
{
    const struct http_exchange *exchange = x->state;
    if (exchange->kept != NULL)
        kept_tell(exchange->kept, recorder);
}

SQUALL_EXPORT extern const struct squall_protocol SQUALL_PROTOCOL;
const struct squall_protocol SQUALL_PROTOCOL = {
    .magic = SQUALL_PLUGIN_MAGIC,
    .abi_major = SQUALL_ABI_MAJOR,
    .abi_minor = SQUALL_ABI_MINOR,
    .size = sizeof(struct squall_protocol),
    .name = "http",
    .version = SQUALL_VERSION,
    .summary = "HTTP/1.1 over TCP or TLS",
    .schemes = "http,https",
    .alpn = "http/1.1",
    .ports = "80,443",
    .headline = "method path",
    .step_size = sizeof(struct http_step),
    .conn_size = sizeof(struct http_conn),
    .exchange_size = sizeof(struct http_exchange),
    .step_options = {.rows = http_step_rows,
                     .count = HTTP_ROWS,
                     .stride = sizeof(struct squall_option),
                     .size = sizeof(struct http_options)},
    .step_init = http_step_init,
    .step_fini = http_step_fini,
    .connect = connect,
    .receive = receive,
    .disconnect = disconnect,
    .request = request,
    .cancel = cancel,
    .record = record,
    .code_name = http_status_name,
};
