/*
 * An accepted connection: reads, lets the room parse, has answers written when they are due, stamps and logs.
 *
 * Its requests stand in lists, see request.h. A client that has ended stays in memory, without descriptor and without
 * requests, until the loop is about to sleep: callers further up the stack may still look at it.
 */
#ifndef SQUALL_TARGET_CLIENT_H
#define SQUALL_TARGET_CLIENT_H
#include "base/buffer.h"
#include "target/request.h"
#include "target/transport.h"

enum client_state {
    CLIENT_OPEN,      /* from accept on; leaves for any other */
    CLIENT_LAST,      /* the last answer, or the reply to malformed input, has been written: no more input is parsed.
                         Once the kernel has it all: LINGERING */
    CLIENT_LINGERING, /* our side is shut down; input is read and dropped, so that no reset overtakes the answer.
                         The peer's end, or a second: ENDED */
    CLIENT_ENDED,     /* no descriptor any more */
};

struct client {
    struct squall_server_conn room;
    struct service *service;
    struct client *next, *previous;
    struct loop_io io;
    struct transport transport;
    enum client_state state;
    uint64_t id;
    uint64_t now_ns; /* of the last read or deadline */
    uint64_t answers;
    struct deadline deadline; /* the first of `waiting` is due, where answers have an order; or lingering ends */
    struct deadline unread;   /* at once: the transport has input that no event announces */
    struct client *next_touched;
    bool touched;         /* see service_touch() */
    bool refused;         /* the room has been told that the output is full */
    bool draining;        /* unordered: the last answer is complete; ends when all others are */
    struct buffer input;  /* what the room left unused */
    struct buffer output; /* output_start: where its unsent part begins */
    size_t output_start;
    uint64_t committed, sent; /* bytes of output in the connection's life */
    struct link waiting, ready, begun, sending;
    uint32_t request_count; /* in all of them */
};

/* Takes the descriptor. */
void client_accept(struct service *service, int fd);
/* A deadline has passed, or a stall is over. */
void client_wake(struct client *client, uint64_t now_ns);
/* Closes; requests that are not wholly answered are aborted. Once more does nothing. */
void client_end(struct client *client);
/* Makes ended clients reusable. */
void client_reap(struct service *service);
/* Frees all memory of clients that have ended. */
void client_free_all(struct service *service);
#endif
