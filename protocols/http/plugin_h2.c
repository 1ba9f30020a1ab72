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
#include <string.h>

#define OUTPUT_ENOUGH 65536 /* bytes that wait for the kernel: DATA is held back until they are gone */

/* Of a body in several pieces, with the bytes of those that do not last behind them. */
struct h2_pieces {
    uint32_t next, count;
    struct squall_bytes rows[];
};

/* What few exchanges have besides. */
struct h2_extra {
    struct http_answer answer; /* a redirect, or one in a content coding */
    struct kept_fields *kept;  /* NULL: not all fields are wanted */
    struct h2_pieces *pieces;  /* NULL: the body is in one, or there is none */
};

struct h2_exchange {
    struct h2_stream stream; /* first */
    struct squall_exchange *x;
    struct h2_extra *extra; /* NULL: nothing */
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

static void give_back(struct squall_conn *conn, struct h2_conn *c, struct h2_exchange *exchange)
{
    struct h2_extra *extra = exchange->extra;
    if (extra != NULL) {
        http_answer_drop(conn->worker, &extra->answer);
        h2_memory_give(&c->stock->memory, extra->pieces);
        if (extra->kept != NULL) {
            extra->kept->next = c->stock->kept;
            c->stock->kept = extra->kept;
        }
        h2_memory_give(&c->stock->memory, extra);
    }
    h2_memory_give(&c->stock->memory, exchange);
    c->open--;
}

/* Made where it has none; NULL: no memory. */
static struct h2_extra *extra_of(struct h2_conn *c, struct h2_exchange *exchange)
{
    if (exchange->extra != NULL)
        return exchange->extra;
    struct h2_extra *extra = h2_memory_take(&c->stock->memory, sizeof *extra);
    if (extra != NULL)
        *extra = (struct h2_extra){0};
    exchange->extra = extra;
    return extra;
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

/* `why`: what the session has returned; NULL: it goes on. */
static void look_at(struct squall_conn *conn, struct h2_conn *c, const char *why)
{
    if (why == NULL || c->over)
        return;
    c->over = true;
    host_of(conn)->fail(conn, why);
}

static struct h2_exchange *exchange_of(struct h2_stream *stream)
{
    return (struct h2_exchange *)(void *)stream;
}

static void sent(void *arg, struct h2_stream *stream)
{
    host_of(arg)->request_end(exchange_of(stream)->x);
}

static void started(void *arg, struct h2_stream *stream)
{
    host_of(arg)->first_byte(exchange_of(stream)->x);
}

static struct h2_trace *trace_of(const struct squall_conn *conn)
{
    return &((struct http_conn *)conn->state)->h2.trace;
}

/* A head without fields is one too. */
static void head(void *arg, struct h2_stream *stream)
{
    if (h2_traced(arg))
        h2_trace_field(arg, trace_of(arg), stream, NULL);
}

/* A head comes at a stretch, whatever its connection carries besides (RFC 9113 4.3). */
static struct squall_bytes date_of(struct h2_conn *c, uint32_t stream, const struct h2_field *one)
{
    bool is_date = one->name_len == 4 && memcmp(one->name, "date", 4) == 0;
    if (is_date && one->value_len <= sizeof c->date) {
        memcpy(c->date, one->value, one->value_len);
        c->date_len = (uint8_t)one->value_len;
        c->date_stream = stream;
    }
    return (struct squall_bytes){(const uint8_t *)c->date, c->date_stream == stream ? c->date_len : 0};
}

/* Trailers never become header fields (RFC 9110 6.5.1). What a store has no memory for is missing from it. */
static void field(void *arg, struct h2_stream *stream, const struct h2_field *one)
{
    struct squall_conn *conn = arg;
    struct h2_conn *c = &((struct http_conn *)conn->state)->h2;
    struct h2_exchange *exchange = exchange_of(stream);
    struct squall_bytes name = {one->name, one->name_len}, value = {one->value, one->value_len};
    if (h2_traced(arg)) /* asked here: a call for each field is not free */
        h2_trace_field(arg, trace_of(arg), stream, one);
    if (one->part != H2_HEAD)
        return;
    struct squall_bytes date = date_of(c, stream->id, one);
    /* Of these the exchange remembers something: location, content-encoding. */
    if ((one->name_len == 8 || one->name_len == 16) && extra_of(c, exchange) == NULL) {
        look_at(conn, c, "no memory for an answer");
        return;
    }
    struct http_answer plain = {0};
    struct http_answer *answer = exchange->extra != NULL ? &exchange->extra->answer : &plain;
    http_answer_field(conn, exchange->x, answer, stream->status, date, name, value);
    if (exchange->extra != NULL && exchange->extra->kept != NULL)
        (void)kept_add(exchange->extra->kept, name.data, name.len, value.data, value.len);
}

void h2_conn_trace_body(struct squall_conn *conn, struct squall_exchange *x, struct squall_bytes bytes)
{
    const struct h2_exchange *exchange = ((struct http_exchange *)x->state)->h2;
    if (exchange != NULL)
        h2_trace_body(conn, trace_of(conn), &exchange->stream, bytes);
}

static void data(void *arg, struct h2_stream *stream, const uint8_t *bytes, size_t len)
{
    struct h2_exchange *exchange = exchange_of(stream);
    struct http_answer plain = {0};
    struct http_answer *answer = exchange->extra != NULL ? &exchange->extra->answer : &plain;
    http_answer_body(arg, exchange->x, answer, (struct squall_bytes){bytes, len});
}

/* By the option `retry`: the server has not seen to the request, another connection may. */
static bool send_again(struct squall_conn *conn, struct squall_exchange *x, const struct h2_end *end)
{
    const struct http_target *target = conn->target->state;
    return target->retry && end->how == H2_UNTOUCHED && host_of(conn)->again(x) == 0;
}

static uint32_t outcome_of(struct squall_conn *conn, struct h2_exchange *exchange, enum h2_how how, const char **reason)
{
    struct http_answer plain = {0};
    struct http_answer *answer = exchange->extra != NULL ? &exchange->extra->answer : &plain;
    switch (how) {
    case H2_COMPLETE:
        return http_answer_end(conn, exchange->x, answer, exchange->stream.status, reason);
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
    state->kept = exchange->extra != NULL ? exchange->extra->kept : NULL;
    if (!send_again(conn, x, how)) {
        const char *reason = how->reason;
        uint32_t outcome = outcome_of(conn, exchange, how->how, &reason);
        const struct squall_result result = {.outcome = outcome,
                                             .code = outcome == SQUALL_BROKEN_OFF ? 0 : stream->status,
                                             .bytes_in = stream->bytes_in,
                                             .bytes_out = stream->bytes_out,
                                             .reason = reason};
        host_of(conn)->done(x, &result);
    }
    give_back(conn, c, exchange);
}

static void capacity(void *arg, uint32_t streams)
{
    host_of(arg)->capacity(arg, streams);
}

static void closing(void *arg)
{
    host_of(arg)->retire(arg);
}

static const struct h2_pieces *pieces_of(const struct h2_exchange *exchange)
{
    return exchange->extra != NULL ? exchange->extra->pieces : NULL;
}

/* The pieces of a body, for as long as they are sent: those that do not last are copied. 0, or -1: no memory. */
static int keep_pieces(struct h2_conn *c, struct h2_exchange *exchange, const struct http_parts *parts)
{
    uint64_t size = sizeof(struct h2_pieces) + parts->piece_count * sizeof(struct squall_bytes);
    for (uint32_t i = 0; i < parts->piece_count; i++)
        size += http_piece_lasts(exchange->x, parts, i) ? 0 : parts->pieces[i].len;
    if (parts->pieces == NULL)
        return 0;
    struct h2_extra *extra = extra_of(c, exchange);
    struct h2_pieces *pieces = extra != NULL ? h2_memory_take(&c->stock->memory, size) : NULL;
    if (pieces == NULL)
        return -1;
    *pieces = (struct h2_pieces){.next = 1, .count = parts->piece_count};
    extra->pieces = pieces;
    struct squall_bytes *rows = pieces->rows;
    uint8_t *at = (uint8_t *)(rows + parts->piece_count);
    for (uint32_t i = 0; i < parts->piece_count; i++) {
        struct squall_bytes piece = parts->pieces[i];
        rows[i] = piece;
        if (http_piece_lasts(exchange->x, parts, i))
            continue;
        rows[i].data = at;
        if (piece.len > 0)
            memcpy(at, piece.data, piece.len);
        at += piece.len;
    }
    return 0;
}

/* A piece has been committed; the next one goes out. What it cannot say here the session says with its next call. */
static void taken(void *arg, struct h2_stream *stream)
{
    struct squall_conn *conn = arg;
    struct h2_conn *c = &((struct http_conn *)conn->state)->h2;
    struct h2_exchange *exchange = exchange_of(stream);
    struct h2_pieces *pieces = exchange->extra->pieces;
    struct squall_bytes piece = pieces->rows[pieces->next++];
    (void)h2_write(c->session, stream, piece.data, piece.len, true, pieces->next == pieces->count);
}

/* Each borrowed piece would be a TLS record of its own: there, copying is cheaper. */
static const struct h2_callbacks plain_callbacks = {.reserve = reserve,
                                                    .commit = commit,
                                                    .borrow = borrow,
                                                    .room = room,
                                                    .sent = sent,
                                                    .taken = taken,
                                                    .started = started,
                                                    .field = field,
                                                    .head = head,
                                                    .data = data,
                                                    .end = end,
                                                    .capacity = capacity,
                                                    .closing = closing};
static const struct h2_callbacks secure_callbacks = {.reserve = reserve,
                                                     .commit = commit,
                                                     .room = room,
                                                     .sent = sent,
                                                     .taken = taken,
                                                     .started = started,
                                                     .field = field,
                                                     .head = head,
                                                     .data = data,
                                                     .end = end,
                                                     .capacity = capacity,
                                                     .closing = closing};

/* ---- what the host says ------------------------------------------------------------------------ */

void h2_conn_connect(struct squall_conn *conn, struct h2_conn *c, struct h2_stock *stock)
{
    const struct http_target *target = conn->target->state;
    *c = (struct h2_conn){.stock = stock};
    h2_trace_open(conn);
    c->session =
        h2_session_new(&target->h2, conn->target->secure ? &secure_callbacks : &plain_callbacks, conn, &stock->memory);
    look_at(conn, c, c->session != NULL ? h2_send(c->session) : "no memory for an HTTP/2 session");
}

static const char no_memory[] = "no memory for the request";

static void unsent(struct squall_conn *conn, struct squall_exchange *x, const char *reason)
{
    const struct squall_result result = {.outcome = SQUALL_UNSENT, .reason = reason};
    host_of(conn)->done(x, &result);
}

/* Of the names that `field` and http_answer_field look for: date, location, set-cookie, content-encoding. */
#define CLIENT_LENGTHS (UINT32_C(1) << 4 | UINT32_C(1) << 8 | UINT32_C(1) << 10 | UINT32_C(1) << 16)

static struct h2_exchange *open_exchange(struct squall_conn *conn, struct h2_conn *c, struct squall_exchange *x)
{
    struct h2_exchange *exchange = h2_memory_take(&c->stock->memory, sizeof *exchange);
    if (exchange == NULL)
        return NULL;
    *exchange = (struct h2_exchange){.x = x};
    c->open++;
    enum h1_fields_wanted wanted = http_answer_wanted(x);
    exchange->stream.want_fields = wanted != H1_FIELDS_NONE;
    if (wanted == H1_FIELDS_CLIENT)
        exchange->stream.field_lengths = CLIENT_LENGTHS;
    if (wanted != H1_FIELDS_ALL)
        return exchange;
    struct h2_extra *extra = extra_of(c, exchange);
    if (extra != NULL)
        extra->kept = take_kept(c->stock);
    if (extra != NULL && extra->kept != NULL)
        return exchange;
    give_back(conn, c, exchange);
    return NULL;
}

static enum h2_answer answer_to(enum h1_request_kind kind)
{
    return kind == H1_REQUEST_HEAD ? H2_ANSWER_HEAD : kind == H1_REQUEST_CONNECT ? H2_ANSWER_CONNECT : H2_ANSWER_USUAL;
}

static void trace_request(struct squall_conn *conn, struct h2_conn *c, const struct h2_exchange *exchange,
                          const struct h2_request *request)
{
    if (!h2_traced(conn))
        return;
    h2_trace_request(conn, &c->trace, request->fields, request->field_count);
    const struct h2_pieces *pieces = pieces_of(exchange);
    for (uint32_t i = 0; pieces != NULL && i < pieces->count; i++)
        h2_trace_bytes(conn, pieces->rows[i]);
    if (pieces == NULL)
        h2_trace_bytes(conn, (struct squall_bytes){request->body, request->body_len});
}

static void submit(struct squall_conn *conn, struct h2_conn *c, struct h2_exchange *exchange,
                   const struct h2_request *request, struct h2_head *made)
{
    struct squall_exchange *x = exchange->x;
    struct http_exchange *state = x->state;
    trace_request(conn, c, exchange, request);
    state->h2 = exchange;
    const char *reason = h2_submit(c->session, &exchange->stream, request);
    if (made != NULL)
        h2_head_done(made, &c->stock->memory);
    if (reason == NULL)
        return;
    state->h2 = NULL;
    give_back(conn, c, exchange);
    unsent(conn, x, reason);
    look_at(conn, c, h2_send(c->session));
}

/* Every request of the step is the same, and this one is no exception. */
static void request_prepared(struct squall_conn *conn, struct h2_conn *c, struct squall_exchange *x)
{
    const struct http_step *step = x->step->state;
    struct h2_exchange *exchange = open_exchange(conn, c, x);
    if (exchange == NULL) {
        unsent(conn, x, no_memory);
        return;
    }
    const struct h2_request request = {.fields = step->head.fields,
                                       .field_count = step->head.count,
                                       .body = step->content.body.data,
                                       .body_len = step->content.body.len,
                                       .lasts = true,
                                       .answer = answer_to(step->kind)};
    submit(conn, c, exchange, &request, NULL);
}

static void request_gathered(struct squall_conn *conn, struct h2_conn *c, struct squall_exchange *x)
{
    struct http_parts parts;
    const char *reason = http_parts_gather(conn, x, &parts);
    if (reason != NULL) {
        unsent(conn, x, reason);
        return;
    }
    struct h2_exchange *exchange = open_exchange(conn, c, x);
    struct h2_head head = {0};
    if (exchange != NULL && keep_pieces(c, exchange, &parts) == 0)
        head = h2_head_of(x, &parts, conn->target, &c->stock->memory);
    if (head.count == 0) {
        if (exchange != NULL)
            give_back(conn, c, exchange);
        unsent(conn, x, no_memory);
        return;
    }
    const struct h2_pieces *pieces = pieces_of(exchange);
    const struct h2_request request = {.fields = head.fields,
                                       .field_count = head.count,
                                       .body = pieces ? pieces->rows[0].data : parts.body.data,
                                       .body_len = pieces ? pieces->rows[0].len : parts.body.len,
                                       .lasts = pieces || parts.body_lasts,
                                       .more = pieces != NULL,
                                       .answer = answer_to(http_kind_of(parts.method))};
    submit(conn, c, exchange, &request, &head);
}

void h2_conn_request(struct squall_conn *conn, struct h2_conn *c, struct squall_exchange *x)
{
    const struct http_step *step = x->step->state;
    if (step->head_whole && step->content.pieces == NULL && http_as_written(conn, x))
        request_prepared(conn, c, x);
    else
        request_gathered(conn, c, x);
}

void h2_conn_cancel(struct squall_conn *conn, struct h2_conn *c, struct squall_exchange *x)
{
    struct h2_exchange *exchange = ((struct http_exchange *)x->state)->h2;
    if (exchange == NULL)
        return;
    h2_cancel(c->session, &exchange->stream, NGHTTP2_CANCEL);
    give_back(conn, c, exchange);
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

void h2_conn_disconnect(struct squall_conn *conn, struct h2_conn *c)
{
    struct h2_stream *stream;
    while (c->session != NULL && (stream = h2_forget(c->session)) != NULL)
        give_back(conn, c, exchange_of(stream));
    h2_session_free(c->session);
    c->session = NULL;
}
