/*
 * Writing one request. Everything that can be refused is refused before the first byte is in the output: a request is
 * there as a whole or not at all (but for a long body that lasts, and one in pieces, which follow their head).
 */
#include "request_h1.h"
#include "plugin.h"
#include "step.h"
#include <stdlib.h>
#include <string.h>

#define BORROW_MIN 16384 /* a body that lasts is cheaper to borrow than to copy from here on */

static const char output_full[] = "no room in the connection's output";
static const char ask[] = "Expect: 100-continue\r\n";

struct parts {
    struct http_parts request;
    struct squall_bytes block; /* of header fields, written ahead; empty: from the request's */
    struct squall_bytes host;
    bool body_behind; /* it follows the head in calls of its own */
    bool asks;        /* it follows when the server asks for it */
};

static uint64_t size_of(const struct parts *parts)
{
    const struct http_parts *request = &parts->request;
    uint64_t fields =
        parts->block.len > 0 ? parts->block.len : h1_fields_size(&request->found, parts->host, http_agent());
    return h1_line_size(request->method, request->path) + fields + sizeof ask + H1_HEAD_END_MAX +
           (parts->body_behind ? 0 : request->body.len);
}

static uint64_t write_parts(uint8_t *out, const struct parts *parts)
{
    const struct http_parts *request = &parts->request;
    uint8_t *at = out + h1_write_line(out, request->method, request->path);
    if (parts->block.len > 0) {
        memcpy(at, parts->block.data, parts->block.len);
        at += parts->block.len;
    } else {
        at += h1_write_fields(at, request->headers, &request->found, parts->host, http_agent());
    }
    if (parts->asks) {
        memcpy(at, ask, sizeof ask - 1);
        at += sizeof ask - 1;
    }
    at += h1_write_head_end(at, request->method, request->body.len);
    if (!parts->body_behind && request->body.len > 0) {
        memcpy(at, request->body.data, request->body.len);
        at += request->body.len;
    }
    return (uint64_t)(at - out);
}

static int send_piece(struct squall_conn *conn, struct squall_bytes piece, bool lasts)
{
    const struct squall_host *host = conn->worker->host;
    if (lasts && piece.len >= BORROW_MIN)
        return host->out_borrow(conn, piece);
    uint8_t *out = piece.len > 0 ? host->out_reserve(conn, piece.len) : NULL;
    if (out == NULL)
        return piece.len > 0 ? -1 : 0;
    memcpy(out, piece.data, piece.len);
    host->out_commit(conn, piece.len);
    return 0;
}

static int send_body(struct squall_conn *conn, const struct squall_exchange *x, const struct http_parts *request)
{
    if (request->pieces == NULL)
        return send_piece(conn, request->body, request->body_lasts);
    for (uint32_t i = 0; i < request->piece_count; i++)
        if (send_piece(conn, request->pieces[i], http_piece_lasts(x, request, i)) != 0)
            return -1;
    return 0;
}

/* ---- a body that is asked for first ------------------------------------------------------------ */

static struct squall_bytes piece_of(const struct http_parts *request, uint32_t i)
{
    return request->pieces != NULL ? request->pieces[i] : request->body;
}

static bool piece_lasts(const struct squall_exchange *x, const struct http_parts *request, uint32_t i)
{
    return request->pieces != NULL ? http_piece_lasts(x, request, i) : request->body_lasts;
}

/* NULL: no memory. Options and scratch are gone when the server asks: what does not last is copied. */
static struct h1_held *hold(struct squall_conn *conn, const struct squall_exchange *x, const struct http_parts *request)
{
    const struct http_options *options = x->options;
    uint32_t count = request->pieces != NULL ? request->piece_count : 1;
    uint64_t size = sizeof(struct h1_held) + count * sizeof(struct h1_held_piece);
    for (uint32_t i = 0; i < count; i++)
        size += piece_lasts(x, request, i) ? 0 : piece_of(request, i).len;
    struct h1_held *held = malloc(size);
    if (held == NULL)
        return NULL;
    *held = (struct h1_held){.until_ns = host_of(conn)->now_ns(conn->worker) + options->expect_continue,
                             .size = request->body.len,
                             .count = count};
    uint8_t *at = (uint8_t *)(held->pieces + count);
    for (uint32_t i = 0; i < count; i++) {
        struct h1_held_piece *piece = &held->pieces[i];
        *piece = (struct h1_held_piece){piece_of(request, i), piece_lasts(x, request, i)};
        if (piece->lasts || piece->bytes.len == 0)
            continue;
        memcpy(at, piece->bytes.data, piece->bytes.len);
        piece->bytes.data = at;
        at += piece->bytes.len;
    }
    return held;
}

const char *h1_held_send(struct squall_conn *conn, const struct h1_held *held)
{
    for (uint32_t i = 0; i < held->count; i++)
        if (send_piece(conn, held->pieces[i].bytes, held->pieces[i].lasts) != 0)
            return output_full;
    return NULL;
}

const char *h1_request_send(struct squall_conn *conn, const struct squall_exchange *x, struct h1_request *ret_request)
{
    const struct squall_host *host = conn->worker->host;
    const struct http_step *step = x->step->state;
    if (step->whole.len > 0 && http_as_written(conn, x)) {
        *ret_request = (struct h1_request){
            .kind = step->kind, .bytes = step->whole.len, .close = step->found.close, .idempotent = step->idempotent};
        return host->out_borrow(conn, step->whole) == 0 ? NULL : output_full;
    }
    struct parts parts;
    *ret_request = (struct h1_request){0};
    const char *reason = http_parts_gather(conn, x, &parts.request);
    if (reason != NULL)
        return reason;
    const struct http_parts *request = &parts.request;
    parts.block = request->altered ? (struct squall_bytes){0} : step->fields;
    parts.host = h1_host_of(request->method, request->path, conn->target->authority);
    parts.asks = request->body.len > 0 && ((const struct http_options *)x->options)->expect_continue > 0;
    parts.body_behind =
        parts.asks || request->pieces != NULL || (request->body_lasts && request->body.len >= BORROW_MIN);
    ret_request->held = parts.asks ? hold(conn, x, request) : NULL;
    if (parts.asks && ret_request->held == NULL)
        return "no memory for the request";
    uint8_t *out = host->out_reserve(conn, size_of(&parts));
    if (out == NULL) {
        free(ret_request->held);
        return output_full;
    }
    uint64_t written = write_parts(out, &parts);
    host->out_commit(conn, written);
    ret_request->kind = http_kind_of(request->method);
    ret_request->bytes = written;
    ret_request->close = request->found.close;
    ret_request->idempotent = http_method_idempotent(request->method);
    if (parts.body_behind && !parts.asks) {
        ret_request->bytes += request->body.len;
        ret_request->torn = send_body(conn, x, request) != 0;
    }
    return ret_request->torn ? output_full : NULL;
}
