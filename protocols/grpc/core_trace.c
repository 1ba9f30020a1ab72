/* What a call of gRPC core's engine tells who looks on: what core is asked for, and what it tells. See trace.h. */
#include "core_call.h"
#include "status.h"
#include "trace.h"
#include <stdio.h>
#include <string.h>

static struct squall_bytes bytes_of(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

static struct squall_bytes slice_bytes(const grpc_slice *slice)
{
    return (struct squall_bytes){GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice)};
}

void core_trace_message(const struct core_call *call, uint32_t what, uint64_t number, struct squall_bytes message)
{
    const struct pb_method *method = &call->step->method;
    struct core_worker *worker = call->c->worker;
    rpc_trace_message(call->c->conn, what, number, what == SQUALL_TRACE_SENT ? method->input : method->output,
                      &worker->decoder, &worker->text, message);
}

void core_trace_metadata(const struct core_call *call, uint32_t what, const char *title, const grpc_metadata *metadata,
                         size_t count)
{
    struct squall_conn *conn = call->c->conn;
    conn->worker->host->trace(conn, what, bytes_of(title), bytes_of(""));
    for (size_t i = 0; i < count; i++)
        conn->worker->host->trace(conn, SQUALL_TRACE_FIELD, slice_bytes(&metadata[i].key),
                                  slice_bytes(&metadata[i].value));
}

/* What core tells of an answer when it has ended. */
void core_trace_end(const struct core_call *call, const char *details)
{
    struct squall_conn *conn = call->c->conn;
    char text[60];
    core_trace_metadata(call, SQUALL_TRACE_RECEIVED, "metadata", call->initial.metadata, call->initial.count);
    core_trace_metadata(call, SQUALL_TRACE_RECEIVED, "trailing metadata", call->trailing.metadata,
                        call->trailing.count);
    const char *word = rpc_code_name((uint32_t)call->code);
    snprintf(text, sizeof text, "%u%s%s", (unsigned)call->code, word ? " " : "", word ? word : "");
    conn->worker->host->trace(conn, SQUALL_TRACE_FIELD, bytes_of("grpc-status"), bytes_of(text));
    conn->worker->host->trace(conn, SQUALL_TRACE_FIELD, bytes_of("grpc-message"), bytes_of(details));
}
