/*
 * HTTP/2 for `squall target` (RFC 9113), on nghttp2's memory interface: streams in, answers out, in whatever order
 * their delays say. Nothing is kept of a request but what its answer needs.
 *
 * What a client can make us hold, a connection: streams as many as the host lets requests be; of a header list nothing
 * but method and path; of bodies nothing but for /echo; of answers the host's output and one frame; what nghttp2 queues
 * of acknowledgements, which it bounds itself.
 */
#ifndef SQUALL_HTTP_TARGET_H2_H
#define SQUALL_HTTP_TARGET_H2_H
#include "h2_server.h"
#include "target_room.h"

#define TARGET_H2_HEADERS_MAX (64 * 1024)       /* of a header list (RFC 9113, 6.5.2); above it the answer is 431 */
#define TARGET_H2_ENDLESS     (1024 * 1024)     /* above it the connection ends */
#define TARGET_H2_ECHO_MAX    (8 * 1024 * 1024) /* held for /echo by all streams of a connection */

/* A stream, from its first header field on. */
struct target_h2_stream {
    struct target_h2_stream *next, *previous; /* of its connection; next: of those that are free, too */
    struct target_h2 *h2;
    struct squall_server_request *request; /* NULL: not arrived yet, or finished */
    int32_t id;
    struct target_incoming incoming;
    struct target_answer answer;
    struct target_echo echo;
    size_t header_size;
    uint8_t method_len, path_len;
    bool expects_continue, arrived, begun;
    bool resetting;                              /* as programmed: its reset counts as such */
    uint8_t method[16], path[TARGET_LABEL_SIZE]; /* for the log */
    uint8_t status[3], length[20];               /* fields of the answer */
};

struct target_h2 {
    struct h2_server server;
    struct target_h2_stream *streams; /* all that are open */
    size_t echo_bytes;
    uint32_t promised, own_goaways, settings_ahead; /* streams; frames that are not sent, or not acknowledged, yet */
    int32_t last_stream;                            /* of our GOAWAY: what is above it is not answered */
    bool failed;                                    /* the client broke the protocol, and nghttp2 has said so */
};

struct target_h2_request {
    struct target_h2_stream *stream;
};

/* What all connections share. NULL: no memory. */
struct target_h2_run *target_h2_new(const struct target_options *options);
void target_h2_free(struct target_h2_run *run);

/* The connection speaks HTTP/2: its first bytes come to receive(). 0, or -1: no memory. */
int target_h2_begin(struct squall_server_conn *conn, struct target_h2 *h2);
/* As in squall/server.h, for an unordered connection. */
uint64_t target_h2_receive(struct target_h2 *h2, const uint8_t *data, uint64_t len);
void target_h2_answer(struct target_h2 *h2, struct squall_server_request *request);
void target_h2_write(struct target_h2 *h2);
void target_h2_disconnect(struct target_h2 *h2);

#endif
