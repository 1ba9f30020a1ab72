/*
 * HTTP/2 on one connection: what its session says becomes calls of the host.
 *
 * What must stay true:
 *   - an exchange's stream lives in memory of the stock, never in the exchange's state: the session still holds it when
 *     the engine has ended the exchange with the connection.
 *   - `open` counts the streams that the session holds; each is given back where it ends, is cancelled, or its
 *     connection ends.
 *   - a session that is over is told to the host once, after it has returned.
 */
#include "plugin_h2.h"
#include "plugin.h"
#include "request_h2.h"
#include "step.h"
#include <stdlib.h>

#define OUTPUT_ENOUGH 65536 /* bytes that wait for the kernel: DATA is held back until they are gone */

struct h2_exchange {
    struct h2_stream stream; /* stream.user: this */
    struct squall_exchange *x;
    struct kept_fields *kept; /* NULL: no fields wanted */
};

/* ---- stock ------------------------------------------------------------------------------------- */

void h2_stock_init(struct h2_stock *stock)
{
    h2_memory_init(&stock->memory);
    stock->kept = NULL;
}

void h2_stock_fini(struct h2_stock *stock)
{
    while (stock->kept != NULL) {
        struct kept_fields *kept = stock->kept;
        stock->kept = kept->next;
        kept_fini(kept);
        h2_memory_give(&stock->memory, kept);
    }
    h2_memory_fini(&stock->memory);
}

static struct kept_fields *take_kept(struct h2_stock *stock)
{
    struct kept_fields *kept = stock->kept;
    if (kept != NULL) {
        stock->kept = kept->next;
        kept_reset(kept);
        return kept;
    }
    kept = h2_memory_take(&stock->memory, sizeof *kept);
    if (kept != NULL)
        *kept = (struct kept_fields){0};
    return kept;
}

static void give_back(struct h2_conn *c, struct h2_exchange *exchange)
{
    if (exchange->kept != NULL) {
        exchange->kept->next = c->stock->kept;
        c->stock->kept = exchange->kept;
    }
    h2_memory_give(&c->stock->memory, exchange);
    c->open--;
}

/* ---- output ------------------------------------------------------------------------------------ */

static uint8_t *reserve(void *arg, size_t len)
{
    struct squall_conn *conn = arg;
    return host_of(conn)->out_reserve(conn, len);
}

static void commit(void *arg, size_t len)
{
    struct squall_conn *conn = arg;
    host_of(conn)->out_commit(conn, len);
}

static int borrow(void *arg, const uint8_t *data, size_t len)
{
    struct squall_conn *conn = arg;
    return host_of(conn)->out_borrow(conn, (struct squall_bytes){.data = data, .len = len});
}

static bool room(void *arg)
{
    struct squall_conn *conn = arg;
    return host_of(conn)->out_room(conn, OUTPUT_ENOUGH) != 0;
}

/* ---- what the session says --------------------------------------------------------------------- */

static struct h2_exchange *exchange_of(struct h2_stream *stream)
{
    return stream->user;
}

static void sent(void *arg, struct h2_stream *stream)
{
    host_of(arg)->request_end(exchange_of(stream)->x);
}

static void started(void *arg, struct h2_stream *stream)
{
    host_of(arg)->first_byte(exchange_of(stream)->x);
}

/* Trailers never become header fields (RFC 9110 6.5.1). What a store has no memory for is missing from it. */
static void field(void *arg, struct h2_stream *stream, const struct h2_field *one)
{
    (void)arg;
    if (one->part == H2_HEAD)
        (void)kept_add(exchange_of(stream)->kept, one->name, one->name_len, one->value, one->value_len);
}

static void data(void *arg, struct h2_stream *stream, const uint8_t *bytes, size_t len)
{
    struct squall_exchange *x = exchange_of(stream)->x;
    if (x->wants & SQUALL_WANT_BODY)
        host_of(arg)->body(x, (struct squall_bytes){.data = bytes, .len = len});
}

/* By the option `retry`: the server has not seen to the request, another connection may. */
static bool send_again(struct squall_conn *conn, struct squall_exchange *x, const struct h2_end *end)
{
    const struct http_target *target = conn->target->state;
    return target->retry && end->how == H2_UNTOUCHED && host_of(conn)->again(x) == 0;
}

static uint32_t outcome_of(const struct h2_exchange *exchange, enum h2_how how)
{
    const struct http_step *step = exchange->x->step->state;
    switch (how) {
    case H2_COMPLETE:
        return http_expect_has(&step->expect, exchange->stream.status) ? SQUALL_OK : SQUALL_REJECTED;
    case H2_MALFORMED:
        return SQUALL_MALFORMED;
    default:
        return SQUALL_BROKEN_OFF;
    }
}

static void end(void *arg, struct h2_stream *stream, const struct h2_end *how)
{
    struct squall_conn *conn = arg;
    struct h2_conn *c = &((struct http_conn *)conn->state)->h2;
    struct h2_exchange *exchange = exchange_of(stream);
    struct squall_exchange *x = exchange->x;
    struct http_exchange *state = x->state;
    state->h2 = NULL;
    if (!send_again(conn, x, how)) {
        uint32_t outcome = outcome_of(exchange, how->how);
        const struct squall_result result = {.outcome = outcome,
                                             .code = outcome == SQUALL_BROKEN_OFF ? 0 : stream->status,
                                             .bytes_in = stream->bytes_in,
                                             .bytes_out = stream->bytes_out,
                                             .reason = how->reason};
        host_of(conn)->done(x, &result);
    }
    give_back(c, exchange);
}

static void capacity(void *arg, uint32_t streams)
{
    host_of(arg)->capacity(arg, streams);
}

static void closing(void *arg)
{
    host_of(arg)->retire(arg);
}

/* Each borrowed piece would be a TLS record of its own: there, copying is cheaper. */
static const struct h2_callbacks plain_callbacks = {.reserve = reserve,
                                                    .commit = commit,
                                                    .borrow = borrow,
                                                    .room = room,
                                                    .sent = sent,
                                                    .started = started,
                                                    .field = field,
                                                    .data = data,
                                                    .end = end,
                                                    .capacity = capacity,
                                                    .closing = closing};
static const struct h2_callbacks secure_callbacks = {.reserve = reserve,
                                                     .commit = commit,
                                                     .room = room,
                                                     .sent = sent,
                                                     .started = started,
                                                     .field = field,
                                                     .data = data,
                                                     .end = end,
                                                     .capacity = capacity,
                                                     .closing = closing};

/* ---- what the host says ------------------------------------------------------------------------ */

/* `why`: what the session has returned; NULL: it goes on. */
static void look_at(struct squall_conn *conn, struct h2_conn *c, const char *why)
{
    if (why == NULL || c->over)
        return;
    c->over = true;
    host_of(conn)->fail(conn, why);
}

void h2_conn_connect(struct squall_conn *conn, struct h2_conn *c, struct h2_stock *stock)
{
    const struct http_target *target = conn->target->state;
    *c = (struct h2_conn){.stock = stock};
    c->session =
        h2_session_new(&target->h2, conn->target->secure ? &secure_callbacks : &plain_callbacks, conn, &stock->memory);
    look_at(conn, c, c->session != NULL ? h2_send(c->session) : "no memory for an HTTP/2 session");
}

static void unsent(struct squall_conn *conn, struct squall_exchange *x, const char *reason)
{
    const struct squall_result result = {.outcome = SQUALL_UNSENT, .reason = reason};
    host_of(conn)->done(x, &result);
}

static struct h2_exchange *open_exchange(struct h2_conn *c, struct squall_exchange *x)
{
    struct h2_exchange *exchange = h2_memory_take(&c->stock->memory, sizeof *exchange);
    if (exchange == NULL)
        return NULL;
    *exchange = (struct h2_exchange){.x = x, .stream.user = exchange};
    c->open++;
    if ((x->wants & SQUALL_WANT_FIELDS) == 0)
        return exchange;
    exchange->kept = take_kept(c->stock);
    if (exchange->kept != NULL) {
        exchange->stream.want_fields = true;
        return exchange;
    }
    give_back(c, exchange);
    return NULL;
}

static enum h2_answer answer_to(enum h1_request_kind kind)
{
    return kind == H1_REQUEST_HEAD ? H2_ANSWER_HEAD : kind == H1_REQUEST_CONNECT ? H2_ANSWER_CONNECT : H2_ANSWER_USUAL;
}

void h2_conn_request(struct squall_conn *conn, struct h2_conn *c, struct squall_exchange *x)
{
    const struct http_step *step = x->step->state;
    struct http_exchange *state = x->state;
    struct http_parts parts = {.body = step->body, .body_lasts = true};
    const char *reason = step->head_whole ? NULL : http_parts_gather(x, &parts);
    if (reason != NULL) {
        unsent(conn, x, reason);
        return;
    }
    struct h2_exchange *exchange = open_exchange(c, x);
    struct h2_head head = {0};
    if (exchange != NULL)
        head = h2_head_of(x, &parts, conn->target, &c->stock->memory);
    if (head.count == 0) {
        if (exchange != NULL)
            give_back(c, exchange);
        unsent(conn, x, "no memory for the request");
        return;
    }
    const struct h2_request request = {.fields = head.fields,
                                       .field_count = head.count,
                                       .body = parts.body.data,
                                       .body_len = parts.body.len,
                                       .lasts = parts.body_lasts,
                                       .answer = answer_to(step->head_whole ? step->kind : http_kind_of(parts.method))};
    state->h2 = exchange;
    state->kept = exchange->kept;
    reason = h2_submit(c->session, &exchange->stream, &request);
    h2_head_done(&head, &c->stock->memory);
    if (reason == NULL)
        return;
    state->h2 = NULL;
    state->kept = NULL;
    give_back(c, exchange);
    unsent(conn, x, reason);
    look_at(conn, c, h2_send(c->session));
}

void h2_conn_cancel(struct squall_conn *conn, struct h2_conn *c, struct squall_exchange *x)
{
    struct h2_exchange *exchange = ((struct http_exchange *)x->state)->h2;
    if (exchange == NULL)
        return;
    h2_cancel(c->session, &exchange->stream, NGHTTP2_CANCEL);
    give_back(c, exchange);
    if (!c->over)
        look_at(conn, c, h2_send(c->session));
}

static void end_of_stream(struct squall_conn *conn, struct h2_conn *c)
{
    c->over = true;
    if (c->open > 0)
        host_of(conn)->fail(conn, h2_closed_text(c->session));
    else
        host_of(conn)->close(conn, SQUALL_CLOSE_ORDERLY);
}

uint64_t h2_conn_receive(struct squall_conn *conn, struct h2_conn *c, const uint8_t *bytes, uint64_t len)
{
    if (c->over)
        return len;
    if (len == 0)
        end_of_stream(conn, c);
    else
        look_at(conn, c, h2_receive(c->session, bytes, len));
    return len;
}

void h2_conn_writable(struct squall_conn *conn, struct h2_conn *c)
{
    if (!c->over)
        look_at(conn, c, h2_send(c->session));
}

void h2_conn_disconnect(struct h2_conn *c)
{
    struct h2_stream *stream;
    while (c->session != NULL && (stream = h2_forget(c->session)) != NULL)
        give_back(c, exchange_of(stream));
    h2_session_free(c->session);
    c->session = NULL;
}
