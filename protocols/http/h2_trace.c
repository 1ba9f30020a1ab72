/* See h2_trace.h. */
#include "h2_trace.h"
#include <stdio.h>
#include <string.h>

static struct squall_bytes bytes_of(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, text != NULL ? strlen(text) : 0};
}

static void tell(struct squall_conn *conn, uint32_t what, const char *name, struct squall_bytes value)
{
    conn->worker->host->trace(conn, what, bytes_of(name), value);
}

void h2_trace_say(struct squall_conn *conn, struct h2_trace *trace, uint32_t what, const char *name, const char *text)
{
    if (!h2_traced(conn))
        return;
    if (what == SQUALL_TRACE_SENT || what == SQUALL_TRACE_RECEIVED)
        *trace = (struct h2_trace){0};
    tell(conn, what, name, bytes_of(text));
}

void h2_trace_open(struct squall_conn *conn)
{
    if (h2_traced(conn))
        tell(conn, SQUALL_TRACE_SENT, "HTTP/2: connection preface, SETTINGS", (struct squall_bytes){0});
}

void h2_trace_request(struct squall_conn *conn, struct h2_trace *trace, const nghttp2_nv *fields, size_t count)
{
    if (!h2_traced(conn))
        return;
    h2_trace_say(conn, trace, SQUALL_TRACE_SENT, "HEADERS", NULL);
    for (size_t i = 0; i < count; i++)
        conn->worker->host->trace(conn, SQUALL_TRACE_FIELD, (struct squall_bytes){fields[i].name, fields[i].namelen},
                                  (struct squall_bytes){fields[i].value, fields[i].valuelen});
}

void h2_trace_bytes(struct squall_conn *conn, struct squall_bytes bytes)
{
    if (h2_traced(conn) && bytes.len > 0)
        tell(conn, SQUALL_TRACE_CONTENT, NULL, bytes);
}

void h2_trace_head(struct squall_conn *conn, struct h2_trace *trace, const struct h2_stream *stream, bool trailer)
{
    char status[12];
    bool same =
        !h2_traced(conn) || (trace->stream == stream && trace->part == (trailer ? H2_TRACE_TRAILER : H2_TRACE_HEAD));
    if (same)
        return;
    tell(conn, SQUALL_TRACE_RECEIVED, trailer ? "HEADERS (trailers)" : "HEADERS", (struct squall_bytes){0});
    *trace = (struct h2_trace){stream, trailer ? H2_TRACE_TRAILER : H2_TRACE_HEAD};
    if (trailer)
        return;
    snprintf(status, sizeof status, "%u", (unsigned)stream->status);
    tell(conn, SQUALL_TRACE_FIELD, ":status", bytes_of(status));
}

void h2_trace_field(struct squall_conn *conn, struct h2_trace *trace, const struct h2_stream *stream,
                    const struct h2_field *field)
{
    if (!h2_traced(conn))
        return;
    h2_trace_head(conn, trace, stream, field != NULL && field->part == H2_TRAILER);
    if (field != NULL)
        conn->worker->host->trace(conn, SQUALL_TRACE_FIELD, (struct squall_bytes){field->name, field->name_len},
                                  (struct squall_bytes){field->value, field->value_len});
}

void h2_trace_body(struct squall_conn *conn, struct h2_trace *trace, const struct h2_stream *stream,
                   struct squall_bytes bytes)
{
    if (!h2_traced(conn) || bytes.len == 0)
        return;
    if (trace->stream != stream || trace->part != H2_TRACE_HEAD) { /* another stream's block has come between */
        tell(conn, SQUALL_TRACE_RECEIVED, "DATA", (struct squall_bytes){0});
        *trace = (struct h2_trace){stream, H2_TRACE_HEAD};
    }
    tell(conn, SQUALL_TRACE_CONTENT, NULL, bytes);
}
