/* What a call of the plugin's own engine tells who looks on. See trace.h. */
#include "call.h"
#include "trace.h"

void rpc_trace_sent(struct rpc_call *call, struct squall_bytes framed)
{
    struct squall_conn *conn = call->c->conn;
    struct rpc_worker *worker = call->c->worker;
    if (!rpc_traced(conn) || framed.len < RPC_PREFIX)
        return;
    struct squall_bytes message = {framed.data + RPC_PREFIX, framed.len - RPC_PREFIX};
    if (framed.data[0] != 0 && rpc_inflate(call, &message) != NULL)
        return;
    uint64_t number = call->step->method.client_streams ? call->sent - 1 : 0;
    rpc_trace_message(conn, SQUALL_TRACE_SENT, number, call->step->method.input, &worker->decoder, &worker->text,
                      message);
    call->c->trace = (struct h2_trace){0};
}

void rpc_trace_received(struct rpc_call *call, struct squall_bytes message)
{
    struct squall_conn *conn = call->c->conn;
    struct rpc_worker *worker = call->c->worker;
    if (!rpc_traced(conn))
        return;
    rpc_trace_message(conn, SQUALL_TRACE_RECEIVED, call->received, call->step->method.output, &worker->decoder,
                      &worker->text, message);
    call->c->trace = (struct h2_trace){0};
}

void rpc_trace_answer_field(struct rpc_call *call, const struct h2_field *field)
{
    struct squall_conn *conn = call->c->conn;
    if (!rpc_traced(conn) || call->step == NULL)
        return;
    h2_trace_head(conn, &call->c->trace, &call->stream, field->part == H2_TRAILER);
    rpc_trace_field(conn, (struct squall_bytes){field->name, field->name_len},
                    (struct squall_bytes){field->value, field->value_len});
}
