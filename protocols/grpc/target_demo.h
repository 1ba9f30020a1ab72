/*
 * gRPC for `squall target`: the services of service/ on the http room's HTTP/2. A call is a stream; it arrives when its
 * answer may begin: with its last byte, or, where both sides stream, with its first message.
 *
 *   target_grpc.c        the room's table: flags, connections
 *   target_call.c        what nghttp2 says of frames; a call's beginning, arrival and end
 *   target_message.c     bytes of a request to messages
 *   target_method.c      messages to what the call is to do, for each method
 *   target_answer.c      what the call does: messages, pauses, the status, faults
 *
 * What a client can make us hold, a connection: as many calls as --streams says, each with its state, one message that
 * is coming and one that is going out; the bytes of messages that are not complete, or that wait for the one before to
 * be answered, DEMO_HELD_MAX together; the host's output and one frame. A message that goes out takes memory for its
 * head alone, but for reflection's.
 */
#ifndef GRPC_TARGET_DEMO_H
#define GRPC_TARGET_DEMO_H
#include "frame.h"
#include "target_ask.h"
#include <coding.h> /* the http room's, as h2_server.h */
#include <h2_server.h>

#define DEMO_MIX_MAX     16
#define DEMO_LABEL_MAX   160
#define DEMO_HEADERS_MAX (64 * 1024)        /* of a header list (RFC 9113, 6.5.2) */
#define DEMO_ENDLESS     (1024 * 1024)      /* above it the connection ends */
#define DEMO_WINDOW      (1024 * 1024)      /* of a connection */
#define DEMO_HELD_MAX    (16 * 1024 * 1024) /* bytes of requests, a connection */
#define DEMO_HEAD_MAX    320                /* of an answer: its prefix, and all of it but the payload */
#define DEMO_MESSAGE_MAX (CODING_OUTPUT_MAX - 1)

struct demo_options {
    struct squall_bytes status, size;
    uint64_t max_message, streams;
};

/* Codes and the upper bound of each one's share of [0, 1). */
struct demo_mix {
    uint32_t code[DEMO_MIX_MAX];
    double upper[DEMO_MIX_MAX];
    uint32_t count;
};

struct demo_buffer {
    uint8_t *data;
    size_t len, size;
};

struct demo_run {
    struct demo_mix mix;
    struct squall_distribution size;
    struct h2_server_run h2;
    struct demo_call *free_calls; /* as many as there have been at a time */
    struct decoders decoders;
    struct demo_buffer inflated;
};

struct demo_conn {
    struct h2_server h2;
    struct demo_call *calls; /* all that are open */
    uint64_t held;           /* bytes in the buffers of all calls */
    int32_t last_stream;     /* of our GOAWAY: what is above it is not answered */
    uint32_t own_goaways;    /* that are not sent yet */
    bool failed;             /* the client broke the protocol, and nghttp2 has said so */
};

/* squall_server_request.state */
struct demo_request {
    struct demo_call *call;
};

enum demo_kind { DEMO_UNARY, DEMO_DOWNLOAD, DEMO_UPLOAD, DEMO_CHAT };

struct demo_method {
    const char *path;
    enum demo_kind kind;
    bool helper; /* not of the demo service: the flags' delays and statuses are not for it */
    /* A message of the request. It sets what the call does, or ends it by demo_fail(). */
    void (*message)(struct demo_call *call, struct squall_bytes message);
};

/* An answer that is going out: its head, then what follows. */
struct demo_out {
    size_t head_at;      /* the head is [head_at, DEMO_HEAD_MAX) */
    uint64_t left;       /* of what follows */
    uint64_t until_stop; /* bytes until the stream is reset; UINT64_MAX: it is not */
    uint8_t *memory;     /* NULL: filler follows */
    const uint8_t *at;   /* in memory */
};

struct demo_call {
    struct demo_call *next, *previous; /* of its connection; next: of those that are free, too */
    struct demo_conn *conn;
    struct squall_server_request *request; /* NULL: not arrived yet, or finished */
    int32_t id;
    const struct demo_method *method; /* NULL: none of ours */
    /* The request. */
    struct rpc_frame_reader reader;
    struct demo_buffer message, held; /* what is coming; what waits for its turn */
    size_t held_at;                   /* what is before it has been read */
    struct squall_bytes whole;        /* a message that came in one piece, for as long as that is there */
    uint64_t deadline_ns;             /* 0: none */
    size_t header_size;
    enum coding coding;
    uint32_t http_status; /* what refuses a request that is not gRPC's; 0: it is */
    uint8_t path_len;
    bool is_post, is_grpc, bad_timeout, ended, arrived;
    /* The answer. */
    bool begun;     /* answer() has been called */
    bool asking;    /* `ask` is not wholly answered */
    bool paused;    /* the pause before the next part has been drawn */
    bool stays;     /* no end but the client's or the deadline */
    bool ending;    /* `code` is its status: once `out` is empty it goes out */
    bool deferred;  /* nghttp2 has been told that there is nothing to write */
    bool resetting; /* RST_STREAM has been submitted */
    uint32_t code;
    uint32_t part, part_done;
    uint64_t due_ns; /* of the next part */
    uint64_t number, received_messages, received_bytes;
    struct demo_out out;
    struct demo_problem problem; /* its text goes with `code` */
    struct demo_ask ask;
    uint8_t path[DEMO_LABEL_MAX]; /* for the log */
    uint8_t head[DEMO_HEAD_MAX];
};

static inline const struct squall_server_host *demo_host(const struct demo_call *call)
{
    return call->conn->h2.conn->run->host;
}

static inline uint64_t demo_now_ns(const struct demo_call *call)
{
    return demo_host(call)->now_ns(call->conn->h2.conn);
}

static inline bool demo_out_pending(const struct demo_call *call)
{
    return call->out.head_at < DEMO_HEAD_MAX || call->out.left > 0;
}

/* Whether the next message has to wait for this one's answer. */
static inline bool demo_busy(const struct demo_call *call)
{
    return call->method && call->method->kind == DEMO_CHAT &&
           ((call->arrived && !call->begun) || call->asking || demo_out_pending(call));
}

/* ---- target_call.c ---- */

/* The callbacks and options of all sessions. 0, or -1: no memory. */
int demo_calls_init(struct demo_run *run);
void demo_calls_fini(struct demo_run *run);
int demo_conn_begin(struct squall_server_conn *conn, struct demo_conn *demo);
void demo_conn_end(struct demo_conn *demo);
/* The call may be answered from now on. */
void demo_arrive(struct demo_call *call);
/* Ends the call with that status, as soon as what is going out is complete; what still comes in is dropped. */
void demo_fail(struct demo_call *call, uint32_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- target_message.c ---- */

/* Bytes of the request: read, or held until they can be. */
void demo_take(struct demo_call *call, struct squall_bytes bytes);
/* Reads on in what is held. */
void demo_take_held(struct demo_call *call);
/* No more bytes will come, and none are held: fails a request that is not complete. */
void demo_check_end(struct demo_call *call);
void demo_buffers_fini(struct demo_call *call);

/* ---- target_method.c ---- */

/* NULL: there is none of that path. */
const struct demo_method *demo_method_find(struct squall_bytes path);

/* ---- target_answer.c ---- */

/* As answer() of squall/server.h. */
void demo_answer(struct demo_call *call);
/* Something has come that the answer may go on with. */
void demo_wake(struct demo_call *call);
void demo_out_fini(struct demo_call *call);
/* RST_STREAM, with the code that was asked for. */
void demo_reset(struct demo_call *call);

#endif
