/*
 * Calls by gRPC core. A unary call is one batch; a stream has one for its start, one for its status, and one at a time
 * for what is received and what is sent. See core_call.h.
 *
 * What must stay true: `under_way` counts batches whose event has not come; a call is over when it is 0 and the
 * exchange has ended. A finished call has no `x`.
 */
#include "core_call.h"
#include "base64.h"
#include "fields.h"
#include "frame.h"
#include "status.h"
#include "trace.h"
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/compression.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdlib.h>
#include <string.h>

#define DOUBT_NS UINT64_C(50000000) /* core tells the channel microseconds after the call, on an idle machine */

static void finish(struct core_call *call);

static void run_batch(struct core_call *call, struct core_tag *tag, const grpc_op *ops, size_t count)
{
    call->under_way++;
    core_tag_given(tag);
    if (grpc_call_start_batch(call->call, ops, count, tag, NULL) == GRPC_CALL_OK)
        return;
    call->under_way--; /* a mistake of ours: core takes none of it */
    call->malformed = "gRPC core did not take the call";
    grpc_call_cancel(call->call, NULL);
}

/* ---- sending ---- */

static grpc_byte_buffer *buffer_of(const struct core_call *call, uint64_t number)
{
    const struct rpc_step *step = call->step;
    struct squall_bytes message = rpc_outgoing_message(&call->out, step, number);
    message = (struct squall_bytes){message.data + RPC_PREFIX, message.len - RPC_PREFIX};
    if (rpc_traced(call->c->conn))
        core_trace_message(call, SQUALL_TRACE_SENT, number, message);
    bool lasts = step->messages[number % step->message_count].framed != NULL;
    grpc_slice slice = lasts ? grpc_slice_from_static_buffer(message.data, message.len)
                             : grpc_slice_from_copied_buffer((const char *)message.data, message.len);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

static bool is_paced(const struct core_call *call)
{
    return call->step->options->every_ns > 0;
}

/* What has fallen due before it was stopped is counted as sent, and goes. */
static bool is_all_sent(const struct core_call *call)
{
    return call->sent == call->step->total || (call->stopped && (!is_paced(call) || call->sent >= call->turned));
}

static uint64_t key_of(const struct core_call *call, uint64_t number)
{
    return call->step->options->ping_pong ? number : SQUALL_NO_ANSWER;
}

/* What can go, goes: the next message, or the end. */
static void go_on(struct core_call *call)
{
    grpc_op ops[2] = {0};
    size_t count = 0;
    if (call->writing || call->half_closed || call->has_status || !call->step->method.client_streams)
        return;
    bool due =
        is_paced(call) ? call->sent < call->turned : !call->step->options->ping_pong || call->received >= call->sent;
    if (!is_all_sent(call) && !due)
        return;
    if (!is_all_sent(call)) {
        call->sending = buffer_of(call, call->sent++);
        call->bytes_out += grpc_byte_buffer_length(call->sending);
        call->writing = true;
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = call->sending;
    }
    if (is_all_sent(call)) {
        call->half_closed = true;
        ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    }
    run_batch(call, &call->send, ops, count);
    /* Told when core has it, and not when core says so: the answer may be here before that. */
    if (call->writing && !is_paced(call))
        core_host(call->c)->message_sent(call->x, key_of(call, call->sent - 1));
}

static void on_sent(struct core_tag *tag)
{
    struct core_call *call = (struct core_call *)((char *)tag - offsetof(struct core_call, send));
    call->under_way--;
    call->writing = false;
    grpc_byte_buffer_destroy(call->sending);
    call->sending = NULL;
    if (call->x != NULL && tag->ok)
        go_on(call);
    core_call_end_if_over(call);
}

void core_call_turn(struct core_call *call)
{
    if (is_all_sent(call) || call->turned == call->step->total || call->has_status) {
        core_host(call->c)->every(call->x, 0);
        return;
    }
    core_host(call->c)->message_sent(call->x, key_of(call, call->turned++));
    go_on(call);
}

uint64_t core_call_tick(struct core_call *call, uint64_t now_ns)
{
    if (call->doubt_ns > 0 && call->x != NULL) {
        finish(call);
        if (call->x != NULL)
            return call->doubt_ns;
        core_call_end_if_over(call);
        return 0;
    }
    if (call->stop_ns == 0 || call->x == NULL)
        return 0;
    if (now_ns < call->stop_ns)
        return call->stop_ns;
    call->stop_ns = 0;
    call->stopped = true;
    core_host(call->c)->every(call->x, 0);
    go_on(call);
    return 0;
}

/* ---- the end ---- */

static void keep_field(struct core_call *call, const uint8_t *name, size_t name_len, const uint8_t *value, size_t len)
{
    struct squall_bytes key = {name, name_len};
    bool binary = rpc_metadata_is_binary(key) != 0;
    size_t room = binary ? RPC_BASE64_SIZE(len) : len;
    uint8_t *at = rpc_buffer_reserve(&call->fields, 2 * sizeof(uint32_t) + name_len + room);
    if (at == NULL)
        return; /* what a store has no memory for is missing from it */
    uint8_t *to = at + 2 * sizeof(uint32_t);
    memcpy(to, name, name_len);
    if (binary)
        len = rpc_base64_encode(value, len, 0, (char *)to + name_len);
    else
        memcpy(to + name_len, value, len);
    const uint32_t sizes[2] = {(uint32_t)name_len, (uint32_t)len};
    memcpy(at, sizes, sizeof sizes);
    call->fields.len += sizeof sizes + name_len + len;
}

static void keep_metadata(struct core_call *call, const grpc_metadata_array *array)
{
    for (size_t i = 0; i < array->count; i++) {
        const grpc_slice *key = &array->metadata[i].key, *value = &array->metadata[i].value;
        keep_field(call, GRPC_SLICE_START_PTR(*key), GRPC_SLICE_LENGTH(*key), GRPC_SLICE_START_PTR(*value),
                   GRPC_SLICE_LENGTH(*value));
    }
}

void core_call_record(const struct core_call *call, struct squall_recorder *recorder)
{
    for (size_t at = 0; at < call->fields.len;) {
        uint32_t sizes[2];
        memcpy(sizes, call->fields.data + at, sizeof sizes);
        at += sizeof sizes;
        struct squall_bytes name = {call->fields.data + at, sizes[0]};
        struct squall_bytes value = {call->fields.data + at + sizes[0], sizes[1]};
        recorder->field(recorder, name, value);
        at += (size_t)sizes[0] + sizes[1];
    }
}

/* The status's text, without control characters. */
static void copy_details(const struct core_call *call, char text[CORE_DETAILS_MAX])
{
    size_t len = GRPC_SLICE_LENGTH(call->details);
    const uint8_t *from = GRPC_SLICE_START_PTR(call->details);
    len = len < CORE_DETAILS_MAX - 1 ? len : CORE_DETAILS_MAX - 1;
    for (size_t i = 0; i < len; i++)
        text[i] = from[i] < 0x20 || from[i] == 0x7f ? '?' : (char)from[i];
    text[len] = '\0';
}

static void tick_by(struct core_conn *c, uint64_t at_ns)
{
    if (c->tick_ns > 0 && c->tick_ns <= at_ns)
        return;
    c->tick_ns = at_ns;
    core_host(c)->tick_at(c->conn, at_ns);
}

/* True while it is: the call has ended, and its meaning is told by the channel's next state, or by none in a while. */
static bool is_in_doubt(struct core_call *call, const char *text)
{
    struct core_conn *c = call->c;
    uint64_t now_ns = core_host(c)->now_ns(c->conn->worker);
    if (!core_in_doubt(call, text))
        return false;
    if (call->doubt_ns == 0) {
        core_host(c)->ended(call->x);
        call->doubt_ns = now_ns + DOUBT_NS;
        tick_by(c, call->doubt_ns);
    }
    return now_ns < call->doubt_ns;
}

void core_calls_judge(struct core_conn *c)
{
    for (struct core_call *call = c->calls, *next; call != NULL; call = next) {
        next = call->next;
        if (call->doubt_ns == 0 || call->x == NULL)
            continue;
        finish(call);
        core_call_end_if_over(call);
    }
}

static void finish(struct core_call *call)
{
    struct squall_exchange *x = call->x;
    char text[CORE_DETAILS_MAX];
    if (x == NULL)
        return;
    copy_details(call, text);
    if (is_in_doubt(call, text))
        return;
    if (call->c != NULL && rpc_traced(call->c->conn))
        core_trace_end(call, text);
    if (x->wants & SQUALL_WANT_FIELDS) {
        keep_metadata(call, &call->initial);
        keep_metadata(call, &call->trailing);
        keep_field(call, (const uint8_t *)"grpc-message", 12, (const uint8_t *)text, strlen(text));
    }
    if (call->body_begun && call->step->method.server_streams)
        core_host(call->c)->body(x, (struct squall_bytes){(const uint8_t *)"]", 1});
    const struct squall_result result = core_judge(call, text);
    call->x = NULL;
    core_host(call->c)->done(x, &result);
}

/* ---- receiving ---- */

static const char *show_message(struct core_call *call, const grpc_slice *slice)
{
    struct core_worker *worker = call->c->worker;
    if (rpc_traced(call->c->conn))
        core_trace_message(call, SQUALL_TRACE_RECEIVED, call->received - 1,
                           (struct squall_bytes){GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice)});
    pb_text_reset(&worker->text);
    if (call->step->method.server_streams)
        pb_text_adds(&worker->text, call->body_begun ? "," : "[");
    const char *why = pb_decode(&worker->decoder, call->step->method.output, GRPC_SLICE_START_PTR(*slice),
                                GRPC_SLICE_LENGTH(*slice), &worker->text);
    call->body_begun = true;
    if (why == NULL)
        core_host(call->c)->body(call->x, (struct squall_bytes){(const uint8_t *)worker->text.data, worker->text.len});
    return why;
}

/* A message has come. */
static void take_message(struct core_call *call)
{
    const struct squall_host *host = core_host(call->c);
    const struct rpc_step *step = call->step;
    const char *why = NULL;
    grpc_byte_buffer_reader reader;
    call->received++;
    call->bytes_in += grpc_byte_buffer_length(call->message);
    if (!call->begun)
        host->first_byte(call->x);
    call->begun = true;
    if ((call->x->wants & SQUALL_WANT_BODY) && grpc_byte_buffer_reader_init(&reader, call->message)) {
        grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
        why = show_message(call, &slice);
        grpc_slice_unref(slice);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    if (step->method.server_streams)
        host->message_received(call->x);
    if (step->options->ping_pong)
        host->message_answered(call->x, call->received - 1);
    if (why != NULL)
        call->malformed = why;
    call->enough = call->received == step->receive;
    if (call->enough || why != NULL || call->received == step->cancel_after)
        grpc_call_cancel(call->call, NULL);
}

static void receive_next(struct core_call *call, bool first)
{
    grpc_op ops[2] = {0};
    size_t count = 0;
    if (first) {
        ops[count].op = GRPC_OP_RECV_INITIAL_METADATA;
        ops[count++].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    }
    ops[count].op = GRPC_OP_RECV_MESSAGE;
    ops[count++].data.recv_message.recv_message = &call->message;
    run_batch(call, &call->receive, ops, count);
}

static void finish_stream(struct core_call *call)
{
    if (call->has_status && call->drained)
        finish(call);
}

static void on_received(struct core_tag *tag)
{
    struct core_call *call = (struct core_call *)((char *)tag - offsetof(struct core_call, receive));
    call->under_way--;
    bool has_message = tag->ok && call->message != NULL;
    if (call->x != NULL && has_message && !call->enough)
        take_message(call);
    grpc_byte_buffer_destroy(call->message);
    call->message = NULL;
    call->drained = !has_message;
    if (call->x != NULL && has_message) {
        receive_next(call, false);
        go_on(call);
    }
    finish_stream(call);
    core_call_end_if_over(call);
}

static void on_status(struct core_tag *tag)
{
    struct core_call *call = (struct core_call *)((char *)tag - offsetof(struct core_call, status));
    call->under_way--;
    call->has_status = true;
    finish_stream(call);
    core_call_end_if_over(call);
}

/* The one batch of a unary call; of a stream, its start. */
static void on_started(struct core_tag *tag)
{
    struct core_call *call = (struct core_call *)((char *)tag - offsetof(struct core_call, start));
    bool unary = !call->step->method.client_streams && !call->step->method.server_streams;
    call->under_way--;
    grpc_byte_buffer_destroy(call->sending);
    call->sending = NULL;
    if (unary && call->x != NULL) {
        if (call->message != NULL)
            take_message(call);
        finish(call);
    }
    core_call_end_if_over(call);
}

/* ---- beginning ---- */

static void unsent(struct core_conn *c, struct squall_exchange *x, const char *reason)
{
    const struct squall_result result = {.outcome = SQUALL_UNSENT, .reason = reason};
    core_host(c)->done(x, &result);
}

/* Core refers to names and values until the batch's event: they are copied. NULL, or why not. */
static const char *make_metadata(struct core_worker *worker, const struct rpc_step *step,
                                 const struct rpc_step_options *options, size_t *ret_count)
{
    size_t count = 0, most = options->metadata.count + 1;
    *ret_count = 0;
    if (most > worker->metadata_size) {
        grpc_metadata *metadata = realloc(worker->metadata, most * sizeof *metadata);
        if (metadata == NULL)
            return "no memory for the metadata";
        worker->metadata = metadata;
        worker->metadata_size = most;
    }
    grpc_metadata *metadata = worker->metadata;
    for (uint64_t i = 0; i < options->metadata.count; i++) {
        struct squall_bytes name = options->metadata.pairs[i].name, value = options->metadata.pairs[i].value;
        const char *why = rpc_metadata_check(name, value);
        *ret_count = count;
        if (why != NULL)
            return why;
        metadata[count].key = grpc_slice_from_copied_buffer((const char *)name.data, name.len);
        metadata[count++].value = grpc_slice_from_copied_buffer((const char *)value.data, value.len);
    }
    if (step->options->compression == RPC_GZIP) {
        metadata[count].key = grpc_slice_from_static_string(GRPC_COMPRESSION_REQUEST_ALGORITHM_MD_KEY);
        metadata[count++].value = grpc_slice_from_static_string("gzip");
    }
    *ret_count = count;
    return NULL;
}

static void start(struct core_call *call, grpc_metadata *metadata, size_t metadata_count)
{
    const struct rpc_step *step = call->step;
    bool streams = step->method.client_streams || step->method.server_streams;
    grpc_op ops[6] = {0};
    size_t count = 0;
    ops[count].op = GRPC_OP_SEND_INITIAL_METADATA;
    ops[count].flags = step->options->wait_for_ready ? GRPC_INITIAL_METADATA_WAIT_FOR_READY : 0;
    ops[count].data.send_initial_metadata.metadata = metadata;
    ops[count++].data.send_initial_metadata.count = metadata_count;
    if (!step->method.client_streams) {
        call->sending = buffer_of(call, 0);
        call->bytes_out = grpc_byte_buffer_length(call->sending);
        ops[count].op = GRPC_OP_SEND_MESSAGE;
        ops[count++].data.send_message.send_message = call->sending;
        ops[count++].op = GRPC_OP_SEND_CLOSE_FROM_CLIENT;
    }
    const grpc_op status = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                            .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                                           .status = &call->code,
                                                           .status_details = &call->details}};
    if (streams) {
        run_batch(call, &call->start, ops, count);
        receive_next(call, true);
        run_batch(call, &call->status, &status, 1);
        return;
    }
    ops[count].op = GRPC_OP_RECV_INITIAL_METADATA;
    ops[count++].data.recv_initial_metadata.recv_initial_metadata = &call->initial;
    ops[count].op = GRPC_OP_RECV_MESSAGE;
    ops[count++].data.recv_message.recv_message = &call->message;
    ops[count++] = status;
    run_batch(call, &call->start, ops, count);
}

static gpr_timespec deadline_of(const struct rpc_step *step)
{
    if (step->options->deadline_ns == 0)
        return gpr_inf_future(GPR_CLOCK_REALTIME);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                        gpr_time_from_nanos((int64_t)step->options->deadline_ns, GPR_TIMESPAN));
}

static const char *open_call(struct core_call *call, const struct rpc_step_options *options,
                             char reason[RPC_REASON_MAX])
{
    struct core_conn *c = call->c;
    const struct rpc_step *step = call->step;
    size_t count = 0;
    const char *why = rpc_outgoing_prepare(&call->out, step, options, NULL, reason);
    if (why != NULL)
        return why;
    why = make_metadata(c->worker, step, options, &count);
    const grpc_metadata *metadata = c->worker->metadata;
    if (why == NULL) {
        if (rpc_traced(c->conn))
            core_trace_metadata(call, SQUALL_TRACE_SENT, step->method.path, metadata, count);
        call->call =
            grpc_channel_create_call(c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->worker->queue,
                                     grpc_slice_from_static_string(step->method.path), NULL, deadline_of(step), NULL);
        start(call, c->worker->metadata, count);
    }
    for (size_t i = 0; i < count; i++) {
        grpc_slice_unref(metadata[i].key);
        grpc_slice_unref(metadata[i].value);
    }
    return why;
}

static void set_stop(struct core_call *call)
{
    struct core_conn *c = call->c;
    if (call->step->options->for_ns == 0)
        return;
    call->stop_ns = core_host(c)->now_ns(c->conn->worker) + call->step->options->for_ns;
    tick_by(c, call->stop_ns);
}

void core_call_begin(struct core_conn *c, struct squall_exchange *x)
{
    struct squall_worker *worker = c->conn->worker;
    char reason[RPC_REASON_MAX];
    struct core_call *call = core_call_take(c);
    if (call == NULL) {
        unsent(c, x, "no memory for the call");
        return;
    }
    call->step = x->step->state;
    call->start = (struct core_tag){.fn = on_started, .worker = worker};
    call->receive = (struct core_tag){.fn = on_received, .worker = worker};
    call->send = (struct core_tag){.fn = on_sent, .worker = worker};
    call->status = (struct core_tag){.fn = on_status, .worker = worker};
    core_host(c)->elapsed(worker, x->step, RPC_SLOT_WAIT, x->intended_ns);
    const char *why = open_call(call, x->options, reason);
    if (why != NULL) {
        core_call_end_if_over(call);
        unsent(c, x, why);
        return;
    }
    call->x = x;
    ((struct core_exchange *)x->state)->call = call;
    set_stop(call);
    if (call->step->cancel_after == 0)
        grpc_call_cancel(call->call, NULL);
    else if (call->step->method.client_streams && is_paced(call) && !is_all_sent(call))
        core_host(c)->every(x, call->step->options->every_ns);
    else
        go_on(call);
}
