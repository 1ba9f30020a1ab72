/* Requests of the target: their memory, which is reused, and their end. */
#include "target/request.h"
#include "base/arena.h"
#include <stdlib.h>
#include <string.h>

#define ROUND_UP_16(size) (((size) + 15) & ~(size_t)15)

struct client_request *request_take(struct service *service)
{
    size_t head = ROUND_UP_16(sizeof(struct client_request));
    struct client_request *request = request_first(&service->free_requests);
    if (request)
        list_remove(&request->link);
    else
        request = xmalloc(head + service->server->request_size);
    memset(request, 0, offsetof(struct client_request, record));
    list_init(&request->link);
    request->room.state = (char *)request + head;
    memset(request->room.state, 0, service->server->request_size);
    return request;
}

void request_end(struct service *service, struct client_request *request, enum squall_server_outcome outcome,
                 uint64_t now_ns)
{
    uint64_t *const counts[] = {
        [SQUALL_SERVER_ANSWERED] = &service->counts.answered,
        [SQUALL_SERVER_RESET] = &service->counts.reset,
        [SQUALL_SERVER_ABORTED] = &service->counts.aborted,
    };
    deadlines_unset(&service->deadlines, &request->deadline);
    list_remove(&request->link);
    ++*counts[outcome];
    if (service->log) {
        request->record.status = request->room.status;
        request->record.bytes = request->room.bytes;
        request->record.outcome = (uint8_t)outcome;
        request->record.answer_ns = now_ns;
        request_log_add(service->log, &request->record);
    }
    list_append(service->free_requests.next, &request->link); /* the first: it is in the processor's cache */
}

void request_free_all(struct service *service)
{
    struct client_request *request;
    while ((request = request_first(&service->free_requests))) {
        list_remove(&request->link);
        free(request);
    }
}
