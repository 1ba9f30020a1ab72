/*
 * The other engine: calls by gRPC core's C API, with sockets and an HTTP/2 of its own. What real clients do, for
 * comparison with the plugin's own.
 *
 * Threads: one polls the completion queue and posts its events to the engine's thread, which does everything else. An
 * event's tag is a struct core_tag within what it belongs to; that lives until all of its events have come.
 *
 * A connection is a channel with a subchannel pool of its own, so that N connections are N connections. Retries and
 * proxies of the environment are switched off. Deadlines are core's.
 */
#ifndef SQUALL_GRPC_CORE_CALL_H
#define SQUALL_GRPC_CORE_CALL_H
#include "decode.h"
#include "outgoing.h"
#include "step.h"
#include "target.h"
#include <grpc/grpc.h>
#include <pthread.h>
#include <stdatomic.h>

#if defined(__SANITIZE_THREAD__)
#define CORE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CORE_TSAN 1
#endif
#endif
#ifdef CORE_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define CORE_JSON_MAX (UINT64_C(8) << 20)

/* Of one operation or watch that is under way. */
struct core_tag {
    void (*fn)(struct core_tag *tag); /* on the engine's thread */
    struct squall_worker *worker;
    struct core_tag *next, *previous; /* posted and not delivered yet */
    bool ok;
};

/* From the engine's thread to the one that polls a tag goes by way of core, which the thread sanitizer sees nothing of:
 * it is told. Before core gets the tag, and when its event is taken. */
static inline void core_tag_given(struct core_tag *tag)
{
#ifdef CORE_TSAN
    __tsan_release(tag);
#endif
    (void)tag;
}
static inline void core_tag_taken(struct core_tag *tag)
{
#ifdef CORE_TSAN
    __tsan_acquire(tag);
#endif
    (void)tag;
}

/* squall_worker.state */
struct core_worker {
    struct squall_worker *view;
    grpc_completion_queue *queue;
    pthread_t thread;
    atomic_bool ending; /* the engine takes nothing any more */
    pthread_mutex_t lock;
    struct core_tag *posted; /* under the lock: the newest first */
    struct pb_decoder decoder;
    struct pb_text text;
    struct core_call *free;
    grpc_metadata *metadata; /* room for that of one call */
    size_t metadata_size;
    struct core_watch *watches; /* all there are; of the engine's thread */
    struct core_conn *conns;    /* the same */
};

/* squall_conn.state */
struct core_conn {
    struct squall_conn *conn;
    struct core_worker *worker;
    struct rpc_target *target;
    grpc_channel *channel;
    struct core_watch *watch;
    struct core_call *calls;
    struct core_conn *next, *previous;  /* in worker->conns */
    struct core_reflection *reflection; /* while this connection asks */
    struct core_call *ended; /* what core still holds for them goes when the next call begins, see core_call.c */
    uint64_t tick_ns;
    bool ready; /* the channel is */
};

/* squall_exchange.state */
struct core_exchange {
    struct core_call *call;
};

struct core_call {
    struct core_conn *c; /* NULL: the connection is gone */
    struct squall_exchange *x;
    const struct rpc_step *step;
    struct core_call *next, *previous;
    grpc_call *call;
    struct core_tag start, receive, send, status; /* batches */
    unsigned under_way;                           /* of them */

    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *message, *sending;
    grpc_status_code code;
    grpc_slice details;
    struct rpc_buffer fields;
    struct rpc_outgoing out;
    uint64_t received, sent, turned, bytes_in, bytes_out, stop_ns;
    uint64_t doubt_ns; /* until then the channel may say what the status means; 0: it is plain */
    bool writing, half_closed, stopped, has_status, drained, enough, body_begun, begun;
    const char *malformed;
};

static inline const struct squall_host *core_host(const struct core_conn *c)
{
    return c->conn->worker->host;
}

int core_worker_begin(struct squall_worker *view, struct squall_error *error);
void core_worker_end(struct squall_worker *view);

void core_calls_free(struct core_worker *worker);
/* One of the connection's, with empty buffers; NULL: no memory. The caller sets the tags, then the exchange. */
struct core_call *core_call_take(struct core_conn *c);
/* Takes it from its connection if no batch is under way and the exchange has ended. */
void core_call_end_if_over(struct core_call *call);
#define CORE_DETAILS_MAX 200
/* What the call's end means to the engine. `text`: the status's, which may be written anew. */
struct squall_result core_judge(const struct core_call *call, char text[CORE_DETAILS_MAX]);

/* Whether the status speaks of a lost connection while the channel seems to have one: it may not have heard yet, or the
 * server hands on what has happened to a call of its own. */
bool core_in_doubt(const struct core_call *call, const char *text);

void core_call_begin(struct core_conn *c, struct squall_exchange *x);
void core_call_cancel(struct core_call *call);
/* The connection is gone, and the exchanges have ended. */
void core_calls_forget(struct core_conn *c);
void core_call_turn(struct core_call *call);
uint64_t core_call_tick(struct core_call *call, uint64_t now_ns);
/* The channel has changed: calls in doubt end if that says how. */
void core_calls_judge(struct core_conn *c);
void core_call_record(const struct core_call *call, struct squall_recorder *recorder);

/* core_trace.c: for who looks on. title: of the block that the metadata is shown in. */
void core_trace_message(const struct core_call *call, uint32_t what, uint64_t number, struct squall_bytes message);
void core_trace_metadata(const struct core_call *call, uint32_t what, const char *title, const grpc_metadata *metadata,
                         size_t count);
void core_trace_end(const struct core_call *call, const char *details);

#endif
