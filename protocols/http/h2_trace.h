/*
 * HTTP/2 in words, for who looks on (squall_host.trace): what a head holds, and which block a body's bytes belong to.
 * For every plugin that is built on HTTP/2. While nobody looks on, each function returns at once.
 */
#ifndef SQUALL_HTTP_H2_TRACE_H
#define SQUALL_HTTP_H2_TRACE_H
#include "h2_session.h"
#include <squall/plugin.h>

/* Of a connection: what was received and shown last. All zero: nothing. */
struct h2_trace {
    const struct h2_stream *stream; /* never looked into */
    enum { H2_TRACE_NOTHING, H2_TRACE_HEAD, H2_TRACE_TRAILER } part;
};

static inline bool h2_traced(const struct squall_conn *conn)
{
    return SQUALL_HOST_HAS(conn->worker->host, trace);
}

/* One call of trace(). text: NULL: no value. */
void h2_trace_say(struct squall_conn *conn, struct h2_trace *trace, uint32_t what, const char *name, const char *text);
/* The session has begun: from here on its bytes are told in words. */
void h2_trace_open(struct squall_conn *conn);
/* A request's head; its body follows by h2_trace_bytes. */
void h2_trace_request(struct squall_conn *conn, struct h2_trace *trace, const nghttp2_nv *fields, size_t count);
void h2_trace_bytes(struct squall_conn *conn, struct squall_bytes bytes);
/* A head of an answer begins, or its trailers, if they have not yet. */
void h2_trace_head(struct squall_conn *conn, struct h2_trace *trace, const struct h2_stream *stream, bool trailer);
/* The same, if it has not yet, and one of its fields is here (NULL: none is). */
void h2_trace_field(struct squall_conn *conn, struct h2_trace *trace, const struct h2_stream *stream,
                    const struct h2_field *field);
/* More of an answer's body, decoded. */
void h2_trace_body(struct squall_conn *conn, struct h2_trace *trace, const struct h2_stream *stream,
                   struct squall_bytes bytes);

#endif
