/*
 * HTTP/1.1 on one connection: what its reader says becomes calls of the host.
 *
 * What must stay true:
 *   - `exchange` is set from a successful request() to the call that ends it, and cleared before that call is made.
 *   - the reader is idle exactly while `exchange` is NULL, or the connection is over.
 *   - first_byte is told at the first byte of anything that answers, interim answers included, as bytes_in counts them;
 *     but not while a body is held, which is no answer to it.
 *   - a held body is sent when the server says 100 or its time is over, and never once the final answer is there.
 */
#include "plugin_h1.h"
#include "plugin.h"
#include "request_h1.h"
#include "step.h"
#include <stdio.h>
#include <stdlib.h>

void h1_conn_connect(struct squall_conn *conn, struct h1_conn *c)
{
    *c = (struct h1_conn){0};
    host_of(conn)->capacity(conn, 1);
}

static void close_now(struct squall_conn *conn, struct h1_conn *c, uint32_t how)
{
    c->over = true;
    host_of(conn)->close(conn, how);
}

void h1_conn_request(struct squall_conn *conn, struct h1_conn *c, struct squall_exchange *x)
{
    const struct squall_host *host = host_of(conn);
    struct h1_request sent;
    const char *reason = h1_request_send(conn, x, &sent);
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
    c->idempotent = sent.idempotent;
    enum h1_fields_wanted wanted = http_answer_wanted(x);
    if (wanted == H1_FIELDS_ALL) {
        kept_reset(&c->kept);
        ((struct http_exchange *)x->state)->kept = &c->kept;
    }
    c->answer = (struct http_answer){0};
    c->hint = (struct http_hint_search){0};
    h1_expect(&c->reader, sent.kind, wanted);
    c->reader.known = &((struct http_step *)x->step->state)->known;
    c->heard = false;
    c->held = sent.held;
    if (c->held == NULL)
        host->request_end(x);
    else
        host->tick_at(conn, c->held->until_ns);
}

/* The engine gave up on the answer, which may still come and would be taken for the next request's: HTTP/1.1 has no way
 * to call one off but to close the connection. RST rather than FIN, so that the server learns it at its next write and
 * the bytes of a long answer are not waited for. */
void h1_conn_cancel(struct squall_conn *conn, struct h1_conn *c)
{
    http_answer_drop(conn->worker, &c->answer);
    c->exchange = NULL;
    close_now(conn, c, SQUALL_CLOSE_RESET);
}

static void end_exchange(struct squall_conn *conn, struct h1_conn *c, uint32_t outcome, const char *reason)
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

static void answer_complete(struct squall_conn *conn, struct h1_conn *c)
{
    const char *reason = NULL;
    uint32_t outcome = http_answer_end(conn, c->exchange, &c->answer, c->reader.status, &reason);
    if (outcome == SQUALL_REJECTED && reason == NULL)
        reason = http_hint_found(&c->hint);
    end_exchange(conn, c, outcome, reason);
}

/* at: the byte that the reader could not go on with; there is one. */
static void answer_malformed(struct squall_conn *conn, struct h1_conn *c, const uint8_t *at)
{
    const char *hint = !conn->target->secure && c->reader.wire_bytes == 0 ? http_hint_first_byte(*at) : NULL;
    const char *reason = hint != NULL ? hint : c->reader.reason;
    if (c->exchange == NULL) {
        c->over = true;
        host_of(conn)->fail(conn, reason);
        return;
    }
    http_answer_drop(conn->worker, &c->answer);
    end_exchange(conn, c, SQUALL_MALFORMED, reason);
    close_now(conn, c, SQUALL_CLOSE_RESET);
}

static void drop_held(struct h1_conn *c)
{
    free(c->held);
    c->held = NULL;
}

/* The server wants the body, or says nothing: RFC 9110 10.1.1 has a client wait no longer than it sees fit. */
static void release_held(struct squall_conn *conn, struct h1_conn *c)
{
    struct squall_exchange *x = c->exchange;
    const char *reason = h1_held_send(conn, c->held);
    c->request_bytes += c->held->size;
    drop_held(c);
    if (reason == NULL) {
        host_of(conn)->request_end(x);
        return;
    }
    const struct squall_result result = {.outcome = SQUALL_UNSENT, .reason = reason};
    c->exchange = NULL;
    host_of(conn)->done(x, &result);
    close_now(conn, c, SQUALL_CLOSE_RESET);
}

/* The final answer is here and the body is not wanted. Its length was announced, so that the server may still wait for
 * it: nothing else can follow on this connection. */
static void withhold(struct squall_conn *conn, struct h1_conn *c)
{
    drop_held(c);
    c->close_asked = true;
    host_of(conn)->request_end(c->exchange);
    host_of(conn)->first_byte(c->exchange);
}

uint64_t h1_conn_tick(struct squall_conn *conn, struct h1_conn *c, uint64_t now_ns)
{
    if (c->held == NULL || c->exchange == NULL || c->over)
        return 0;
    if (now_ns < c->held->until_ns)
        return c->held->until_ns;
    release_held(conn, c);
    return 0;
}

static void head_complete(struct squall_conn *conn, struct h1_conn *c)
{
    if (c->retired || (c->reader.keep_alive && !c->close_asked))
        return;
    c->retired = true;
    host_of(conn)->retire(conn);
}

/* The server has closed a connection that was idle until now. It may have acted on the request nevertheless, so that
 * only one that may come twice is sent again. */
static bool give_back(struct squall_conn *conn, struct h1_conn *c)
{
    const struct http_target *target = conn->target->state;
    struct squall_exchange *x = c->exchange;
    if (!target->retry || !c->idempotent || host_of(conn)->again(x) != 0)
        return false;
    c->exchange = NULL;
    close_now(conn, c, SQUALL_CLOSE_ORDERLY);
    return true;
}

static void end_of_stream(struct squall_conn *conn, struct h1_conn *c)
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
    if (stale && give_back(conn, c))
        return;
    snprintf(reason, sizeof reason, "%s%s", why, stale ? " (stale keep-alive connection?)" : "");
    c->exchange = NULL;
    c->over = true;
    host_of(conn)->fail(conn, reason);
}

static int take_field(struct squall_conn *conn, struct h1_conn *c, const struct h1_piece *piece)
{
    struct squall_bytes name = {piece->name, piece->name_len}, value = {piece->data, piece->data_len};
    struct squall_bytes date = {(const uint8_t *)c->reader.date, c->reader.date_len};
    http_answer_field(conn, c->exchange, &c->answer, c->reader.status, date, name, value);
    return c->reader.wanted == H1_FIELDS_ALL ? kept_add(&c->kept, name.data, name.len, value.data, value.len) : 0;
}

uint64_t h1_conn_receive(struct squall_conn *conn, struct h1_conn *c, const uint8_t *data, uint64_t len)
{
    const uint8_t *at = data;
    struct h1_piece piece;
    if (c->over || (c->retired && c->exchange == NULL))
        return len;
    if (len == 0) {
        end_of_stream(conn, c);
        return 0;
    }
    const uint8_t *end = data + len;
    if (c->exchange != NULL && !c->heard && c->held == NULL) {
        c->heard = true;
        host_of(conn)->first_byte(c->exchange);
    }
    for (;;) {
        switch (h1_read(&c->reader, &at, end, &piece)) {
        case H1_MORE:
            if (c->held != NULL && c->reader.continued)
                release_held(conn, c);
            return (uint64_t)(at - data);
        case H1_FIELD:
            if (take_field(conn, c, &piece) == 0)
                break;
            c->exchange = NULL;
            c->over = true;
            host_of(conn)->fail(conn, "no memory for the answer's header fields");
            return len;
        case H1_HEAD:
            if (c->held != NULL)
                withhold(conn, c);
            head_complete(conn, c);
            break;
        case H1_BODY:
            if (c->reader.status == 400 && !conn->target->secure)
                http_hint_look(&c->hint, (struct squall_bytes){piece.data, piece.data_len});
            http_answer_body(conn, c->exchange, &c->answer, (struct squall_bytes){piece.data, piece.data_len});
            break;
        case H1_END:
            answer_complete(conn, c);
            if (c->retired)
                return len;
            break;
        case H1_MALFORMED:
            answer_malformed(conn, c, at);
            return len;
        }
    }
}

void h1_conn_disconnect(struct squall_conn *conn, struct h1_conn *c)
{
    http_answer_drop(conn->worker, &c->answer);
    drop_held(c);
    kept_fini(&c->kept);
}
