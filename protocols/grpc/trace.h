/* Calls in words, for who looks on (squall_host.trace): messages as JSON, the status by its name. For both engines. */
#ifndef SQUALL_GRPC_TRACE_H
#define SQUALL_GRPC_TRACE_H
#include "decode.h"
#include <squall/plugin.h>
#include <stdbool.h>

static inline bool rpc_traced(const struct squall_conn *conn)
{
    return SQUALL_HOST_HAS(conn->worker->host, trace);
}

/* A message of a stream, or of a call, from 0 up: as JSON, or, when it is no such message, why and its bytes. `text` is
 * used for it. */
void rpc_trace_message(struct squall_conn *conn, uint32_t what, uint64_t number, const struct pb_type *type,
                       struct pb_decoder *decoder, struct pb_text *text, struct squall_bytes message);
/* A field of an answer. The status is told by name, its text decoded, and what is binary (-bin) as bytes. */
void rpc_trace_field(struct squall_conn *conn, struct squall_bytes name, struct squall_bytes value);

#endif
