/*
 * The life of a core call, and the memory that it takes. See core_call.h.
 *
 * Many calls end together, and as many begin then. What core has allocated for one that is over goes just before the
 * next begins on its connection, which takes the same memory again: all at once it would be more than malloc keeps at
 * hand, go back to the kernel, and be asked for again.
 */
#include "core_call.h"
#include <grpc/byte_buffer.h>
#include <stdlib.h>

void core_calls_free(struct core_worker *worker)
{
    while (worker->free != NULL) {
        struct core_call *call = worker->free;
        worker->free = call->next;
        rpc_buffer_fini(&call->fields);
        rpc_outgoing_fini(&call->out);
        free(call);
    }
    free(worker->metadata);
}

static void release(struct core_call *call)
{
    struct core_worker *worker = call->start.worker->state;
    grpc_metadata_array_destroy(&call->initial);
    grpc_metadata_array_destroy(&call->trailing);
    grpc_byte_buffer_destroy(call->message);
    grpc_byte_buffer_destroy(call->sending);
    grpc_slice_unref(call->details);
    if (call->call != NULL)
        grpc_call_unref(call->call);
    call->next = worker->free;
    worker->free = call;
}

static void release_one_ended(struct core_conn *c)
{
    struct core_call *call = c->ended;
    if (call == NULL)
        return;
    c->ended = call->next;
    release(call);
}

struct core_call *core_call_take(struct core_conn *c)
{
    struct core_worker *worker = c->worker;
    release_one_ended(c);
    struct core_call *call = worker->free;
    if (call == NULL) {
        call = calloc(1, sizeof *call);
        if (call == NULL)
            return NULL;
    } else {
        worker->free = call->next;
        struct core_call kept = *call;
        kept.fields.len = 0;
        *call = (struct core_call){.fields = kept.fields, .out = kept.out};
    }
    call->c = c;
    call->next = c->calls;
    if (c->calls != NULL)
        c->calls->previous = call;
    c->calls = call;
    grpc_metadata_array_init(&call->initial);
    grpc_metadata_array_init(&call->trailing);
    call->details = grpc_empty_slice();
    return call;
}

static void leave_conn(struct core_call *call)
{
    struct core_conn *c = call->c;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        c->calls = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    call->next = call->previous = NULL;
}

void core_call_end_if_over(struct core_call *call)
{
    struct core_conn *c = call->c;
    if (call->under_way > 0 || call->x != NULL)
        return;
    if (c == NULL) {
        release(call);
        return;
    }
    leave_conn(call);
    call->next = c->ended;
    c->ended = call;
}

void core_call_cancel(struct core_call *call)
{
    call->x = NULL;
    grpc_call_cancel(call->call, NULL);
    core_call_end_if_over(call);
}

void core_calls_forget(struct core_conn *c)
{
    while (c->calls != NULL) {
        struct core_call *call = c->calls;
        leave_conn(call);
        call->c = NULL;
        core_call_cancel(call);
    }
    while (c->ended != NULL)
        release_one_ended(c);
}
