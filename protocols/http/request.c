/*
 * Writing one request. Everything that can be refused is refused before the first byte is in the output: a request is
 * there as a whole or not at all (but for a long constant body, which follows its head without being copied).
 */
#include "request.h"
#include "h1_write.h"
#include "step.h"
#include <string.h>

#define BORROW_MIN 16384 /* a constant body from here on is cheaper to borrow than to copy */

static const char output_full[] = "no room in the connection's output";

/* The parts of a request of which at least one varies. */
struct parts {
    struct squall_bytes method, path, body;
    const struct squall_map *headers;
    struct h1_fields found;
    struct squall_bytes block; /* written ahead; empty: from headers */
    struct squall_bytes host;
    bool borrow_body;
};

static const char *gather(const struct squall_conn *conn, const struct squall_exchange *x, struct parts *ret_parts)
{
    const struct http_step *step = x->step->state;
    const struct http_options *options = x->options;
    const uint64_t line = HTTP_BIT(HTTP_METHOD) | HTTP_BIT(HTTP_PATH);
    struct parts parts = {.method = options->method,
                          .path = options->path,
                          .body = options->body,
                          .headers = &options->headers,
                          .found = step->found,
                          .block = step->fields};
    const char *reason = NULL;
    if (!(step->constant & HTTP_BIT(HTTP_METHOD)))
        reason = h1_check_method(parts.method);
    if (reason == NULL && (step->constant & line) != line)
        reason = h1_check_target(parts.method, parts.path);
    if (reason == NULL && !(step->constant & HTTP_BIT(HTTP_HEADERS))) {
        uint64_t culprit = 0;
        reason = h1_check_fields(parts.headers, &parts.found, &culprit);
    }
    if (reason == NULL)
        reason = h1_check_length(&parts.found, parts.body.len);
    if (reason != NULL)
        return reason;
    if (step->constant & HTTP_BIT(HTTP_BODY)) {
        parts.body = step->body;
        parts.borrow_body = parts.body.len >= BORROW_MIN;
    }
    parts.host = h1_host_of(parts.method, parts.path, conn->target->authority);
    *ret_parts = parts;
    return NULL;
}

static uint64_t size_of(const struct parts *parts)
{
    uint64_t fields =
        parts->block.len > 0 ? parts->block.len : h1_fields_size(&parts->found, parts->host, http_agent());
    return h1_line_size(parts->method, parts->path) + fields + H1_HEAD_END_MAX +
           (parts->borrow_body ? 0 : parts->body.len);
}

static uint64_t write_parts(uint8_t *out, const struct parts *parts)
{
    uint8_t *at = out + h1_write_line(out, parts->method, parts->path);
    if (parts->block.len > 0) {
        memcpy(at, parts->block.data, parts->block.len);
        at += parts->block.len;
    } else {
        at += h1_write_fields(at, parts->headers, &parts->found, parts->host, http_agent());
    }
    at += h1_write_head_end(at, parts->method, parts->body.len);
    if (!parts->borrow_body && parts->body.len > 0) {
        memcpy(at, parts->body.data, parts->body.len);
        at += parts->body.len;
    }
    return (uint64_t)(at - out);
}

const char *http_request_send(struct squall_conn *conn, const struct squall_exchange *x,
                              struct http_request *ret_request)
{
    const struct squall_host *host = conn->worker->host;
    const struct http_step *step = x->step->state;
    if (step->whole.len > 0) {
        *ret_request = (struct http_request){.kind = step->kind, .bytes = step->whole.len, .close = step->found.close};
        return host->out_borrow(conn, step->whole) == 0 ? NULL : output_full;
    }
    struct parts parts;
    *ret_request = (struct http_request){0};
    const char *reason = gather(conn, x, &parts);
    if (reason != NULL)
        return reason;
    uint8_t *out = host->out_reserve(conn, size_of(&parts));
    if (out == NULL)
        return output_full;
    uint64_t written = write_parts(out, &parts);
    host->out_commit(conn, written);
    ret_request->kind = http_kind_of(parts.method);
    ret_request->bytes = written;
    ret_request->close = parts.found.close;
    if (parts.borrow_body) {
        ret_request->bytes += parts.body.len;
        ret_request->torn = host->out_borrow(conn, parts.body) != 0;
    }
    return ret_request->torn ? output_full : NULL;
}
