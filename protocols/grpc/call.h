/*
 * Calls on a connection: one HTTP/2 stream each, from the request to the status.
 *
 * What must stay true:
 *   - a call lives from rpc_call_begin to the end of its stream, whoever ends it: the server, the engine's cancel, a
 *     limit of the step, the end of the connection. rpc_call_close() is where those that the engine is told of meet.
 *   - `x` is NULL when the engine's exchange is over or never was (reflection); then nothing is told to the host.
 *   - the session's callbacks never write to a stream but from `taken`: what an answer gives rise to waits in `ready`
 *     until the session has returned.
 */
#ifndef SQUALL_GRPC_CALL_H
#define SQUALL_GRPC_CALL_H
#include "decode.h"
#include "frame.h"
#include "gzip.h"
#include "outgoing.h"
#include "step.h"
#include "target.h"
#include <coding.h>   /* the http room's, as h2_session.h */
#include <h2_trace.h> /* the http room's */

#define RPC_MESSAGE_TEXT_MAX 200 /* of grpc-message, as it is shown */
#define RPC_JSON_MAX         (UINT64_C(8) << 20)

/* squall_worker.state */
struct rpc_worker {
    struct h2_memory memory;
    struct rpc_call *free;
    struct rpc_gzip gzip;
    struct decoders decoders;
    struct pb_decoder decoder;
    struct pb_text text;
    struct rpc_buffer inflated, out, metadata;
    nghttp2_nv *fields;
    size_t field_size;
};

/* squall_conn.state */
struct rpc_conn {
    struct squall_conn *conn;
    struct rpc_worker *worker;
    struct rpc_target *target;
    struct h2_session *session;
    struct rpc_call *calls; /* all that are open */
    struct rpc_call *ready; /* those that have something to send, once the session has returned */
    struct rpc_conn *next_waiting;
    struct rpc_reflection *reflection; /* while this connection asks */
    uint32_t capacity;                 /* what the session allows */
    uint64_t tick_ns;                  /* when the first deadline is due, as far as is known; 0: none */
    uint32_t talking;                  /* calls that send what answers lead to */
    uint32_t frame_left;               /* of the frame that is being read: bytes behind its head */
    uint8_t frame_head;                /* bytes of its head that have come */
    bool waiting, over;
    struct h2_trace trace;
};

struct rpc_call {
    struct h2_stream stream; /* first */
    struct rpc_conn *c;
    struct squall_exchange *x;
    const struct rpc_step *step; /* NULL: reflection */
    struct rpc_call *next, *previous;
    struct rpc_call *next_ready;

    /* The answer. */
    struct rpc_frame_reader reader;
    uint64_t received;
    uint32_t code;
    bool is_grpc, has_status, bad_status, gzip, body_begun, queued;

    /* The request's stream. */
    uint64_t sent, turned; /* messages written, and due: paced streams write when they are due */
    bool writing, half_closed, stopped;
    uint64_t deadline_ns, stop_ns; /* 0: none */

    /* From here on memory that the next call takes over. */
    struct rpc_buffer in;     /* the message that is being read, if somebody will look */
    struct rpc_buffer fields; /* for record() */
    struct rpc_outgoing out;
    char message[RPC_MESSAGE_TEXT_MAX]; /* grpc-message */
};

/* squall_exchange.state */
struct rpc_exchange {
    struct rpc_call *call;
};

static inline const struct squall_host *rpc_host(const struct rpc_conn *c)
{
    return c->conn->worker->host;
}

extern const struct h2_callbacks rpc_callbacks;

void rpc_worker_begin(struct rpc_worker *worker);
void rpc_worker_end(struct rpc_worker *worker);

/* call_trace.c: for who looks on. A message that is given to the session, with its prefix; one that has come, in the
 * clear and before it is counted; a field of the answer. */
void rpc_trace_sent(struct rpc_call *call, struct squall_bytes framed);
void rpc_trace_received(struct rpc_call *call, struct squall_bytes message);
void rpc_trace_answer_field(struct rpc_call *call, const struct h2_field *field);
/* Undoes gzip, into the worker's memory. NULL, or why not. */
const char *rpc_inflate(struct rpc_call *call, struct squall_bytes *message);

/* The engine's exchange becomes a call, or ends as unsent. */
void rpc_call_begin(struct rpc_conn *c, struct squall_exchange *x);
/* The engine has given up on it. */
void rpc_call_cancel(struct rpc_call *call);
/* A call without an exchange or step, whose messages go to reflection. NULL: no memory. */
struct rpc_call *rpc_call_ask(struct rpc_conn *c, const char *path);
void rpc_call_drop(struct rpc_call *call);
/* Its deadline or its time for sending has come, if it has; the time when it next will, or 0. */
uint64_t rpc_call_tick(struct rpc_call *call, uint64_t now_ns);
/* After the session has returned. */
void rpc_conn_settle(struct rpc_conn *c, const char *why);
/* The connection is gone: its calls with it. */
void rpc_conn_forget(struct rpc_conn *c);
void rpc_call_record(const struct rpc_call *call, struct squall_recorder *recorder);

/* How a call ends, for the engine. */
struct rpc_verdict {
    uint32_t outcome;
    uint32_t code; /* RPC_RESULT_CODE, or 0 */
    const char *reason;
};

/* What answer.c ends calls by. close: the stream is over; stop: we end it, and the server is told by RST_STREAM; give:
 * nothing is told to the engine. */
struct rpc_verdict rpc_judge(const struct rpc_call *call, uint32_t code, const char *reason);
void rpc_call_close(struct rpc_call *call, struct rpc_verdict verdict);
void rpc_call_stop(struct rpc_call *call, struct rpc_verdict verdict);
void rpc_give_call(struct rpc_call *call);

/* stream.c: sending on a stream of requests. */
void rpc_stream_begin(struct rpc_call *call);
void rpc_stream_piece_done(struct rpc_call *call);
void rpc_stream_go_on(struct rpc_call *call);
void rpc_stream_stop(struct rpc_call *call);
void rpc_stream_turn(struct rpc_call *call);

#endif
