/*
 * What the versions of HTTP share in `squall target`: the flags, a request as it comes in, and what it is answered
 * with. A room's connection is one of target_h1.h or of target_h2.h; target_http.c decides which.
 */
#ifndef SQUALL_HTTP_TARGET_ROOM_H
#define SQUALL_HTTP_TARGET_ROOM_H
#include "target_query.h"
#include <squall/server.h>
#include <stdbool.h>
#include <stddef.h>

#define TARGET_LABEL_SIZE 160
#define TARGET_MIX_MAX    16
#define TARGET_ECHO_MAX   (1024 * 1024) /* of one answer of /echo */
#define TARGET_ECHO_KEPT  (64 * 1024)   /* a larger buffer is given back after its answer */

struct target_options {
    struct squall_bytes status, size, only, goaway;
    uint64_t chunked;
    uint64_t streams, window, no_window_updates; /* HTTP/2: what is told to clients */
};

/* Statuses and the upper bound of each one's share of [0, 1). */
struct target_mix {
    uint32_t status[TARGET_MIX_MAX];
    double upper[TARGET_MIX_MAX];
    uint32_t count;
};

struct target_run {
    struct target_mix mix;
    struct squall_distribution size;
    uint32_t only;            /* enum http_version; 0: the client says */
    uint32_t goaway_code;     /* of connections that close as they should */
    struct target_h2_run *h2; /* target_h2.c's */
};

/* What is known of a request before it has wholly arrived. */
struct target_incoming {
    struct target_query query;
    const char *refusal; /* answered with this text and the status behind it; NULL: none */
    uint32_t refusal_status;
    bool is_h2, is_head, version_1_0, keep_alive, echo;
};

struct target_answer {
    const uint8_t *body;               /* NULL: filler */
    uint64_t left;                     /* bytes of the body that are not written yet */
    uint64_t part, part_left, pace_ns; /* part 0: no pauses */
    uint64_t stop_left;                /* the answer stops after so many bytes more; UINT64_MAX: it does not */
    bool chunked, bodiless;
};

struct target_echo {
    uint8_t *data;
    size_t len, capacity;
};

bool target_is_echo(struct squall_bytes path);
/* Reads path and query. */
void target_incoming_begin(struct squall_server_run *run, struct target_incoming *incoming, struct squall_bytes path,
                           struct squall_bytes query);
void target_incoming_refuse(struct target_incoming *incoming, uint32_t status, const char *why);
/* The request is complete: tells the host, and what is to be answered. The echo's bytes must last until then. */
struct squall_server_request *target_arrive(struct squall_server_conn *conn, const struct target_incoming *incoming,
                                            const struct target_echo *echo, struct squall_bytes label,
                                            struct target_answer *ret_answer);

/* Keeps a piece of the body for /echo, or refuses the request. */
void target_echo_add(struct target_echo *echo, struct target_incoming *incoming, struct squall_bytes piece);
/* After the answer: a large buffer is given back. */
void target_echo_release(struct target_echo *echo);
void target_echo_fini(struct target_echo *echo);

/* How many bytes of the body may be written before the next pause or the end. */
uint64_t target_ready(const struct target_answer *answer);
/* After a pause: the next part may be written. */
void target_next_part(struct target_answer *answer);
/* Writes the body's next count bytes. */
uint8_t *target_put_body(uint8_t *out, struct target_answer *answer, uint64_t count);
uint8_t *target_put_number(uint8_t *out, uint64_t number, unsigned base);

#endif
