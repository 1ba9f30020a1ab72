/*
 * Writing one request. Everything that can be refused is refused before the first byte is in the output: a request is
 * there as a whole or not at all (but for a long body that lasts, and one in pieces, which follow their head).
 */
#include "request_h1.h"
#include "request.h"
#include "step.h"
#include <string.h>

#define BORROW_MIN 16384 /* a body that lasts is cheaper to borrow than to copy from here on */

static const char output_full[] = "no room in the connection's output";

struct parts {
    struct http_parts request;
    struct squall_bytes block; /* of header fields, written ahead; empty: from the request's */
    struct squall_bytes host;
    bool body_behind; /* it follows the head in calls of its own */
};

static uint64_t size_of(const struct parts *parts)
{
    const struct http_parts *request = &parts->request;
    uint64_t fields =
        parts->block.len > 0 ? parts->block.len : h1_fields_size(&request->found, parts->host, http_agent());
    return h1_line_size(request->method, request->path) + fields + H1_HEAD_END_MAX +
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
    parts.body_behind = request->pieces != NULL || (request->body_lasts && request->body.len >= BORROW_MIN);
    uint8_t *out = host->out_reserve(conn, size_of(&parts));
    if (out == NULL)
        return output_full;
    uint64_t written = write_parts(out, &parts);
    host->out_commit(conn, written);
    ret_request->kind = http_kind_of(request->method);
    ret_request->bytes = written;
    ret_request->close = request->found.close;
    ret_request->idempotent = http_method_idempotent(request->method);
    if (parts.body_behind) {
        ret_request->bytes += request->body.len;
        ret_request->torn = send_body(conn, x, request) != 0;
    }
    return ret_request->torn ? output_full : NULL;
}
