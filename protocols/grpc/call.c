/* Calls: their life, their requests, their deadlines. See call.h; what comes in answer is answer.c's. */
#include "call.h"
#include "reflect.h"
#include "status.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lengths of the names that a call ends by: grpc-status, grpc-message and content-type, grpc-encoding. */
#define STATUS_FIELDS (1u << 11 | 1u << 12 | 1u << 13)

/* ---- life ---- */

void rpc_worker_begin(struct rpc_worker *worker)
{
    h2_memory_init(&worker->memory);
    worker->text.limit = RPC_JSON_MAX;
}

void rpc_worker_end(struct rpc_worker *worker)
{
    while (worker->free != NULL) {
        struct rpc_call *call = worker->free;
        worker->free = call->next;
        rpc_buffer_fini(&call->in);
        rpc_buffer_fini(&call->fields);
        rpc_outgoing_fini(&call->out);
        free(call);
    }
    rpc_gzip_fini(&worker->gzip);
    decoders_fini(&worker->decoders);
    pb_decoder_fini(&worker->decoder);
    pb_text_fini(&worker->text);
    rpc_buffer_fini(&worker->inflated);
    rpc_buffer_fini(&worker->out);
    rpc_buffer_fini(&worker->metadata);
    free(worker->fields);
    h2_memory_fini(&worker->memory);
}

/* A call with empty buffers that keep their memory from calls before. */
static struct rpc_call *take_call(struct rpc_conn *c)
{
    struct rpc_worker *worker = c->worker;
    struct rpc_call *call = worker->free;
    if (call == NULL) {
        call = calloc(1, sizeof *call);
        if (call == NULL)
            return NULL;
    } else {
        worker->free = call->next;
        memset(call, 0, offsetof(struct rpc_call, in));
        call->in.len = call->fields.len = 0;
        call->message[0] = '\0';
    }
    call->c = c;
    call->stream.want_fields = true; /* the status is one */
    call->next = c->calls;
    if (c->calls != NULL)
        c->calls->previous = call;
    c->calls = call;
    c->talking++;
    return call;
}

static bool is_talk(const struct rpc_call *call)
{
    return call->step == NULL || call->step->options->ping_pong;
}

void rpc_give_call(struct rpc_call *call)
{
    struct rpc_conn *c = call->c;
    for (struct rpc_call **at = &c->ready; call->queued && *at != NULL; at = &(*at)->next_ready)
        if (*at == call) {
            *at = call->next_ready;
            break;
        }
    c->talking -= is_talk(call);
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        c->calls = call->next;
    if (call->next != NULL)
        call->next->previous = call->previous;
    call->next = c->worker->free;
    c->worker->free = call;
}

/* The one end of calls whose stream is over. */
void rpc_call_close(struct rpc_call *call, struct rpc_verdict verdict)
{
    struct squall_exchange *x = call->x;
    const struct squall_result result = {.outcome = verdict.outcome,
                                         .code = verdict.code,
                                         .bytes_in = call->stream.bytes_in,
                                         .bytes_out = call->stream.bytes_out,
                                         .reason = verdict.reason};
    call->x = NULL;
    if (x != NULL) {
        if (call->body_begun && call->step->method.server_streams)
            rpc_host(call->c)->body(x, (struct squall_bytes){(const uint8_t *)"]", 1});
        rpc_host(call->c)->done(x, &result);
    }
    rpc_give_call(call);
}

struct rpc_verdict rpc_judge(const struct rpc_call *call, uint32_t code, const char *reason)
{
    bool ok = (call->step->expect & UINT32_C(1) << code) != 0;
    return (struct rpc_verdict){ok ? SQUALL_OK : SQUALL_REJECTED, RPC_RESULT_CODE(code), ok ? NULL : reason};
}

/* We end it: the server is told by RST_STREAM. */
void rpc_call_stop(struct rpc_call *call, struct rpc_verdict verdict)
{
    h2_cancel(call->c->session, &call->stream, NGHTTP2_CANCEL);
    rpc_call_close(call, verdict);
}

void rpc_call_cancel(struct rpc_call *call)
{
    h2_cancel(call->c->session, &call->stream, NGHTTP2_CANCEL);
    call->x = NULL;
    rpc_give_call(call);
}

void rpc_call_drop(struct rpc_call *call)
{
    rpc_call_cancel(call);
}

void rpc_conn_forget(struct rpc_conn *c)
{
    h2_session_free(c->session);
    c->session = NULL;
    while (c->calls != NULL) {
        c->calls->x = NULL;
        rpc_give_call(c->calls);
    }
}

/* ---- request ---- */

static void unsent(struct rpc_conn *c, struct squall_exchange *x, const char *reason)
{
    const struct squall_result result = {.outcome = SQUALL_UNSENT, .reason = reason};
    rpc_host(c)->done(x, &result);
}

/* The step's fields and the metadata of this exchange. */
static const char *gather_fields(struct rpc_worker *worker, const struct rpc_step *step,
                                 const struct rpc_step_options *options, struct h2_request *request)
{
    size_t count = step->field_count + options->metadata.count;
    request->fields = step->fields;
    request->field_count = step->field_count;
    if (step->constant & RPC_BIT(RPC_METADATA))
        return NULL;
    if (count > worker->field_size) {
        nghttp2_nv *fields = realloc(worker->fields, count * sizeof *fields);
        if (fields == NULL)
            return "no memory for the metadata";
        worker->fields = fields;
        worker->field_size = count;
    }
    memcpy(worker->fields, step->fields, step->field_count * sizeof *step->fields);
    worker->metadata.len = 0;
    request->fields = worker->fields;
    request->field_count = count;
    return rpc_metadata_append(&options->metadata, worker->fields + step->field_count, &worker->metadata);
}

static const char *send_request(struct rpc_call *call, const struct rpc_step_options *options,
                                char reason[RPC_REASON_MAX])
{
    const struct rpc_step *step = call->step;
    struct rpc_worker *worker = call->c->worker;
    bool streams = step->method.client_streams;
    struct h2_request request = {.more = streams && step->total > 0, .lasts = true};
    const char *why = gather_fields(worker, step, options, &request);
    if (why == NULL)
        why = rpc_outgoing_prepare(&call->out, step, options, &worker->gzip, reason);
    if (why != NULL)
        return why;
    h2_trace_request(call->c->conn, &call->c->trace, request.fields, request.field_count);
    call->half_closed = !request.more;
    if (!streams) {
        struct squall_bytes bytes = rpc_outgoing_message(&call->out, step, 0);
        rpc_trace_sent(call, bytes);
        request.body = bytes.data;
        request.body_len = bytes.len;
        request.lasts = step->messages[0].framed != NULL;
    }
    return h2_submit(call->c->session, &call->stream, &request);
}

static uint64_t next_ns(const struct rpc_call *call)
{
    if (call->deadline_ns == 0 || call->stop_ns == 0)
        return call->deadline_ns + call->stop_ns;
    return call->deadline_ns < call->stop_ns ? call->deadline_ns : call->stop_ns;
}

/* Deadlines are the connection's next tick. */
static void set_times(struct rpc_call *call)
{
    struct rpc_conn *c = call->c;
    const struct rpc_step_options *options = call->step->options;
    uint64_t now_ns = rpc_host(c)->now_ns(c->conn->worker);
    if (options->deadline_ns > 0)
        call->deadline_ns = now_ns + options->deadline_ns;
    if (options->for_ns > 0)
        call->stop_ns = now_ns + options->for_ns;
    uint64_t first_ns = next_ns(call);
    if (first_ns == 0 || (c->tick_ns > 0 && c->tick_ns <= first_ns))
        return;
    c->tick_ns = first_ns;
    rpc_host(c)->tick_at(c->conn, first_ns);
}

void rpc_call_begin(struct rpc_conn *c, struct squall_exchange *x)
{
    const struct squall_host *host = rpc_host(c);
    const struct rpc_step *step = x->step->state;
    char reason[RPC_REASON_MAX];
    struct rpc_call *call = take_call(c);
    if (call == NULL) {
        unsent(c, x, "no memory for the call");
        return;
    }
    call->x = x;
    call->step = step;
    if (!(x->wants & SQUALL_WANT_FIELDS))
        call->stream.field_lengths = STATUS_FIELDS;
    c->talking -= !is_talk(call); /* take_call() counted it: without a step it would be reflection */
    ((struct rpc_exchange *)x->state)->call = call;
    host->elapsed(c->conn->worker, x->step, RPC_SLOT_WAIT, x->intended_ns);
    const char *why = send_request(call, x->options, reason);
    if (why != NULL) {
        ((struct rpc_exchange *)x->state)->call = NULL;
        call->x = NULL;
        rpc_give_call(call);
        unsent(c, x, why);
        rpc_conn_settle(c, h2_send(c->session));
        return;
    }
    set_times(call);
    if (step->cancel_after == 0) {
        rpc_call_stop(call, rpc_judge(call, RPC_CANCELLED, NULL));
        rpc_conn_settle(c, h2_send(c->session));
        return;
    }
    if (step->method.client_streams)
        rpc_stream_begin(call);
    rpc_conn_settle(c, h2_why_over(c->session)); /* what goes has gone with h2_submit and h2_write */
}

struct rpc_call *rpc_call_ask(struct rpc_conn *c, const char *path)
{
    struct rpc_call *call = take_call(c);
    const struct rpc_target *target = c->target;
    const char *const pairs[][2] = {{":method", "POST"},
                                    {":scheme", target->secure ? "https" : "http"},
                                    {":path", path},
                                    {":authority", (const char *)target->authority.data},
                                    {"content-type", "application/grpc"},
                                    {"te", "trailers"},
                                    {"user-agent", (const char *)target->options->user_agent.data}};
    nghttp2_nv fields[sizeof pairs / sizeof pairs[0]];
    if (call == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        fields[i] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)pairs[i][0],
                                 .value = (uint8_t *)(uintptr_t)pairs[i][1],
                                 .namelen = strlen(pairs[i][0]),
                                 .valuelen = strlen(pairs[i][1])};
    fields[3].valuelen = target->authority.len;
    const struct h2_request request = {
        .fields = fields, .field_count = sizeof pairs / sizeof pairs[0], .more = true, .lasts = true};
    if (h2_submit(c->session, &call->stream, &request) == NULL)
        return call;
    rpc_give_call(call);
    return NULL;
}

uint64_t rpc_call_tick(struct rpc_call *call, uint64_t now_ns)
{
    if (call->deadline_ns > 0 && now_ns >= call->deadline_ns) {
        rpc_call_stop(call,
                      rpc_judge(call, RPC_DEADLINE_EXCEEDED, "the deadline passed before the answer was complete"));
        return 0;
    }
    if (call->stop_ns > 0 && now_ns >= call->stop_ns) {
        call->stop_ns = 0;
        rpc_stream_stop(call);
    }
    return next_ns(call);
}

/* ---- after the session ---- */

void rpc_conn_settle(struct rpc_conn *c, const char *why)
{
    while (why == NULL && c->ready != NULL) {
        struct rpc_call *call = c->ready;
        c->ready = call->next_ready;
        call->queued = false;
        rpc_stream_go_on(call);
        why = h2_why_over(c->session);
    }
    if (why == NULL && c->reflection != NULL && !c->over)
        why = rpc_reflection_go_on(c);
    if (why == NULL || c->over)
        return;
    c->over = true;
    rpc_host(c)->fail(c->conn, why);
}
