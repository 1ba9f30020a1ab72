/*
 * One request on a client's connection, from its arrival until the kernel has its answer or it ends otherwise.
 *
 * It stands in one of its client's lists: `waiting` for its time, `ready` for answer() to be called, `begun` once that
 * has been, `sending` once the answer is complete. Where answers keep the order of requests, `waiting` is that order
 * and its first is answered from there; `ready` and `begun` stay empty. `sending` is in the order of the answers' ends.
 */
#ifndef SQUALL_TARGET_REQUEST_H
#define SQUALL_TARGET_REQUEST_H
#include "base/list.h"
#include "target/service.h"

struct client;

struct client_request {
    struct squall_server_request room;
    struct link link;
    struct client *client;
    struct deadline deadline; /* only where answers have no order, or between parts of an answer */
    uint64_t due_ns;
    uint64_t end; /* of the answer in the connection's output */
    bool begun, resumed;
    bool sending; /* its answer is complete: `end` and `outcome` are set */
    bool reset, last;
    uint8_t outcome; /* enum squall_server_outcome */
    struct request_record record;
};

/* Zeroed, with its state; in no list. */
struct client_request *request_take(struct service *service);
/* Out of its list; counted and logged. */
void request_end(struct service *service, struct client_request *request, enum squall_server_outcome outcome,
                 uint64_t now_ns);
/* Frees what is kept for reuse. */
void request_free_all(struct service *service);
static inline struct client_request *request_of(struct squall_server_request *room)
{
    return (struct client_request *)(void *)((char *)room - offsetof(struct client_request, room));
}
static inline struct client_request *request_of_deadline(struct deadline *deadline)
{
    return (struct client_request *)(void *)((char *)deadline - offsetof(struct client_request, deadline));
}
/* NULL: the list is empty. */
static inline struct client_request *request_first(const struct link *list)
{
    return list_empty(list) ? NULL : LIST_ENTRY(list->next, struct client_request, link);
}

#endif
