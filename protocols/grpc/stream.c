/*
 * Sending: messages one after the other, at their turns, or each when the one before has been answered.
 *
 * `sent` counts messages given to the session, `turned` those whose turn has come. One message at a time is with the
 * session (`writing`); on a paced stream those behind it wait as the difference of the two counts, and their turns are
 * told when they come, so that a server that stops reading shows in their latency.
 */
#include "call.h"

static bool is_paced(const struct rpc_call *call)
{
    return call->step->options->every_ns > 0;
}

/* What has fallen due before it was stopped is counted as sent, and goes. */
static bool is_all_sent(const struct rpc_call *call)
{
    return call->sent == call->step->total || (call->stopped && (!is_paced(call) || call->sent >= call->turned));
}

/* Which answer belongs to a message is known where each has one. */
static uint64_t key_of(const struct rpc_call *call, uint64_t number)
{
    return call->step->options->ping_pong ? number : SQUALL_NO_ANSWER;
}

static void half_close(struct rpc_call *call)
{
    if (call->half_closed)
        return;
    call->half_closed = true;
    h2_write(call->c->session, &call->stream, NULL, 0, true, true);
}

static void send_next(struct rpc_call *call)
{
    const struct rpc_step *step = call->step;
    uint64_t i = call->sent % step->message_count;
    struct squall_bytes bytes = rpc_outgoing_message(&call->out, step, call->sent++);
    rpc_trace_sent(call, bytes);
    call->writing = true;
    call->half_closed = is_all_sent(call);
    h2_write(call->c->session, &call->stream, bytes.data, bytes.len, step->messages[i].framed != NULL,
             call->half_closed);
}

/* What can go, goes. */
void rpc_stream_go_on(struct rpc_call *call)
{
    if (call->writing || call->half_closed || call->step == NULL || !call->step->method.client_streams)
        return;
    if (is_all_sent(call))
        half_close(call);
    else if (is_paced(call) ? call->sent < call->turned
                            : !call->step->options->ping_pong || call->received >= call->sent)
        send_next(call);
}

void rpc_stream_begin(struct rpc_call *call)
{
    if (is_paced(call) && !is_all_sent(call))
        rpc_host(call->c)->every(call->x, call->step->options->every_ns);
    else
        rpc_stream_go_on(call);
}

/* The session has committed the message that it had, or the end without one. */
void rpc_stream_piece_done(struct rpc_call *call)
{
    bool was_writing = call->writing;
    call->writing = false;
    if (call->x != NULL && was_writing && !is_paced(call))
        rpc_host(call->c)->message_sent(call->x, key_of(call, call->sent - 1));
    rpc_stream_go_on(call);
}

void rpc_stream_turn(struct rpc_call *call)
{
    if (is_all_sent(call) || call->turned == call->step->total) {
        rpc_host(call->c)->every(call->x, 0);
        return;
    }
    rpc_host(call->c)->message_sent(call->x, key_of(call, call->turned++));
    rpc_stream_go_on(call);
}

void rpc_stream_stop(struct rpc_call *call)
{
    call->stopped = true;
    rpc_host(call->c)->every(call->x, 0);
    rpc_stream_go_on(call);
}
