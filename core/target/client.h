/*
 * An accepted connection: reads, lets the room parse, answers in order when answers are due, stamps and logs.
 *
 * Requests stand in one list in order of arrival: first those whose answer is complete but not wholly taken by the
 * kernel, then (from `unanswered` on) those that wait. A client that has ended stays in memory, without descriptor
 * and without requests, until the loop is about to sleep: callers further up the stack may still look at it.
 */
#ifndef SQUALL_TARGET_CLIENT_H
#define SQUALL_TARGET_CLIENT_H
#include "base/buffer.h"
#include "target/service.h"

enum client_state {
    CLIENT_OPEN,      /* from accept on; leaves for any other */
    CLIENT_LAST,      /* the last answer, or the reply to malformed input, has been written: no more input is parsed.
                         Once the kernel has it all: LINGERING */
    CLIENT_LINGERING, /* our side is shut down; input is read and dropped, so that no reset overtakes the answer.
                         The peer's end, or a second: ENDED */
    CLIENT_ENDED,     /* no descriptor any more */
};

struct client_request {
    struct squall_server_request room;
    struct client_request *next;
    uint64_t due_ns;
    uint64_t end; /* where the answer ends in the connection's output; 0: not complete */
    bool begun, reset, last;
    struct request_record record;
};

struct client {
    struct squall_server_conn room;
    struct service *service;
    struct client *next, *previous;
    struct loop_io io;
    int fd;
    enum client_state state;
    uint64_t id;
    uint64_t now_ns; /* of the last read or deadline */
    uint64_t answers;
    struct deadline deadline; /* the first unanswered request is due, or lingering ends */
    struct buffer input;      /* what the room left unused */
    struct buffer output;     /* output_start: where its unsent part begins */
    size_t output_start;
    uint64_t committed, sent; /* bytes of output in the connection's life */
    struct client_request *requests, *requests_end, *unanswered;
    uint32_t request_count;
};

/* Takes the descriptor. */
void client_accept(struct service *service, int fd);
/* A deadline has passed, or a stall is over. */
void client_wake(struct client *client, uint64_t now_ns);
/* Closes; requests that are not wholly answered are aborted. Once more does nothing. */
void client_end(struct client *client);
static inline struct client *client_of_deadline(struct deadline *deadline)
{
    return (struct client *)(void *)((char *)deadline - offsetof(struct client, deadline));
}
/* Makes ended clients reusable. */
void client_reap(struct service *service);
/* Frees all memory of clients that have ended. */
void client_free_all(struct service *service);
/* The host functions that act on a client. */
struct squall_server_request *client_arrive(struct squall_server_conn *conn,
                                            const struct squall_server_arrival *arrival);
uint8_t *client_out_reserve(struct squall_server_conn *conn, uint64_t len);
void client_out_commit(struct squall_server_conn *conn, uint64_t len);
void client_malformed(struct squall_server_conn *conn);

#endif
