/* Calls, from the request to the status. See call.h. */
#include "call.h"
#include "reflect.h"
#include "status.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lengths of the names that a call ends by: grpc-status, grpc-message and content-type, grpc-encoding. */
#define STATUS_FIELDS (1u << 11 | 1u << 12 | 1u << 13)
#define OUTPUT_ENOUGH 65536 /* bytes that wait for the kernel: DATA is held back until they are gone */

/* ---- life ---- */

static struct rpc_call *call_of(struct h2_stream *stream)
{
    return stream->user;
}

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
        rpc_buffer_fini(&call->out);
        free(call->ends);
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
        struct rpc_call kept = *call;
        kept.in.len = kept.fields.len = kept.out.len = 0;
        *call = (struct rpc_call){
            .in = kept.in, .fields = kept.fields, .out = kept.out, .ends = kept.ends, .ends_size = kept.ends_size};
    }
    call->c = c;
    call->stream.user = call;
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

static void give_call(struct rpc_call *call)
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

/* How a call ends, for the engine. */
struct verdict {
    uint32_t outcome;
    uint32_t code; /* RPC_RESULT_CODE, or 0 */
    const char *reason;
};

/* The one end of calls whose stream is over. */
static void call_close(struct rpc_call *call, struct verdict verdict)
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
    give_call(call);
}

static struct verdict judge(const struct rpc_call *call, uint32_t code, const char *reason)
{
    bool ok = (call->step->expect & UINT32_C(1) << code) != 0;
    return (struct verdict){ok ? SQUALL_OK : SQUALL_REJECTED, RPC_RESULT_CODE(code), ok ? NULL : reason};
}

/* We end it: the server is told by RST_STREAM. */
static void call_stop(struct rpc_call *call, struct verdict verdict)
{
    h2_cancel(call->c->session, &call->stream, NGHTTP2_CANCEL);
    call_close(call, verdict);
}

void rpc_call_cancel(struct rpc_call *call)
{
    h2_cancel(call->c->session, &call->stream, NGHTTP2_CANCEL);
    call->x = NULL;
    give_call(call);
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
        give_call(c->calls);
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
        why = rpc_stream_prepare(call, options, reason);
    if (why != NULL)
        return why;
    call->half_closed = !request.more;
    if (!streams) {
        struct squall_bytes bytes = rpc_stream_message(call, 0);
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
        give_call(call);
        unsent(c, x, why);
        rpc_conn_settle(c, h2_send(c->session));
        return;
    }
    set_times(call);
    if (step->cancel_after == 0)
        call_stop(call, judge(call, RPC_CANCELLED, NULL));
    else if (step->method.client_streams)
        rpc_stream_begin(call);
    rpc_conn_settle(c, h2_send(c->session));
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
    give_call(call);
    return NULL;
}

uint64_t rpc_call_tick(struct rpc_call *call, uint64_t now_ns)
{
    if (call->deadline_ns > 0 && now_ns >= call->deadline_ns) {
        call_stop(call, judge(call, RPC_DEADLINE_EXCEEDED, "the deadline passed before the answer was complete"));
        return 0;
    }
    if (call->stop_ns > 0 && now_ns >= call->stop_ns) {
        call->stop_ns = 0;
        rpc_stream_stop(call);
    }
    return next_ns(call);
}

/* ---- answer: fields ---- */

static bool is_named(const struct h2_field *field, const char *name)
{
    return field->name_len == strlen(name) && memcmp(field->name, name, field->name_len) == 0;
}

/* "application/grpc", alone or with "+proto" or a parameter behind it. */
static bool is_grpc_type(struct squall_bytes value)
{
    static const char type[] = "application/grpc";
    size_t len = sizeof type - 1;
    return value.len >= len && memcmp(value.data, type, len) == 0 &&
           (value.len == len || value.data[len] == '+' || value.data[len] == ';');
}

static void keep_field(struct rpc_call *call, const struct h2_field *field)
{
    uint32_t sizes[2] = {(uint32_t)field->name_len, (uint32_t)field->value_len};
    uint8_t *at = rpc_buffer_reserve(&call->fields, sizeof sizes + field->name_len + field->value_len);
    if (at == NULL)
        return; /* what a store has no memory for is missing from it */
    memcpy(at, sizes, sizeof sizes);
    memcpy(at + sizeof sizes, field->name, field->name_len);
    memcpy(at + sizeof sizes + field->name_len, field->value, field->value_len);
    call->fields.len += sizeof sizes + field->name_len + field->value_len;
}

void rpc_call_record(const struct rpc_call *call, struct squall_recorder *recorder)
{
    for (size_t at = 0; at < call->fields.len;) {
        uint32_t sizes[2];
        memcpy(sizes, call->fields.data + at, sizeof sizes);
        at += sizeof sizes;
        struct squall_bytes name = {call->fields.data + at, sizes[0]},
                            value = {call->fields.data + at + sizes[0], sizes[1]};
        recorder->field(recorder, name, value);
        at += (size_t)sizes[0] + sizes[1];
    }
}

/* grpc-status stands in the trailers, or in the head of an answer that has nothing else (Trailers-Only). */
static void on_field(void *arg, struct h2_stream *stream, const struct h2_field *field)
{
    struct rpc_call *call = call_of(stream);
    struct squall_bytes value = {field->value, field->value_len};
    (void)arg;
    if (is_named(field, "grpc-status")) {
        call->has_status = true;
        call->bad_status = rpc_status_parse(value, &call->code) < 0;
    } else if (is_named(field, "grpc-message")) {
        rpc_message_decode(value, call->message, sizeof call->message);
        if (call->x != NULL && (call->x->wants & SQUALL_WANT_FIELDS)) {
            const struct h2_field decoded = {.name = field->name,
                                             .name_len = field->name_len,
                                             .value = (const uint8_t *)call->message,
                                             .value_len = strlen(call->message)};
            keep_field(call, &decoded);
        }
        return;
    } else if (field->part == H2_HEAD && is_named(field, "content-type")) {
        call->is_grpc = is_grpc_type(value);
    } else if (field->part == H2_HEAD && is_named(field, "grpc-encoding")) {
        call->gzip = value.len == 4 && memcmp(value.data, "gzip", 4) == 0;
    }
    if (call->x != NULL && (call->x->wants & SQUALL_WANT_FIELDS))
        keep_field(call, field);
}

/* ---- answer: messages ---- */

static void inflate_piece(void *arg, struct squall_bytes piece)
{
    struct rpc_buffer *out = arg;
    uint8_t *at = rpc_buffer_reserve(out, piece.len);
    if (at == NULL)
        return; /* cut short, and so refused by the decoding that follows */
    memcpy(at, piece.data, piece.len);
    out->len += piece.len;
}

static const char *inflate_message(struct rpc_call *call, struct squall_bytes *message)
{
    struct rpc_worker *worker = call->c->worker;
    struct decoder *decoder = decoder_take(&worker->decoders, CODING_GZIP);
    if (decoder == NULL)
        return "no memory to decompress the message";
    worker->inflated.len = 0;
    const char *why = decoder_feed(decoder, *message, inflate_piece, &worker->inflated);
    if (why == NULL)
        why = decoder_end(decoder);
    decoder_give(&worker->decoders, decoder);
    *message = (struct squall_bytes){worker->inflated.data, worker->inflated.len};
    return why;
}

/* Shows a message to whoever wants to see it: as JSON, and messages of a stream as a list of it. */
static const char *show_message(struct rpc_call *call)
{
    struct rpc_worker *worker = call->c->worker;
    struct squall_bytes message = {call->in.data, call->in.len};
    const char *why = call->reader.compressed ? inflate_message(call, &message) : NULL;
    if (why != NULL)
        return why;
    if (call->x == NULL) {
        rpc_reflection_answer(call->c->reflection, message);
        return NULL;
    }
    pb_text_reset(&worker->text);
    if (call->step->method.server_streams)
        pb_text_adds(&worker->text, call->body_begun ? "," : "[");
    why = pb_decode(&worker->decoder, call->step->method.output, message.data, message.len, &worker->text);
    call->body_begun = true;
    if (why == NULL)
        rpc_host(call->c)->body(call->x, (struct squall_bytes){(const uint8_t *)worker->text.data, worker->text.len});
    return why;
}

static bool is_shown(const struct rpc_call *call)
{
    return call->x == NULL || (call->x->wants & SQUALL_WANT_BODY) != 0;
}

static struct verdict malformed(const char *reason)
{
    return (struct verdict){.outcome = SQUALL_MALFORMED, .reason = reason};
}

static void queue(struct rpc_call *call)
{
    if (call->queued)
        return;
    call->queued = true;
    call->next_ready = call->c->ready;
    call->c->ready = call;
}

/* A message has come. Returns false when that ended the call. */
static bool message_complete(struct rpc_call *call)
{
    const struct squall_host *host = rpc_host(call->c);
    const struct rpc_step *step = call->step;
    const char *why = is_shown(call) ? show_message(call) : NULL;
    call->received++;
    call->in.len = 0;
    if (step == NULL) {
        if (why != NULL)
            rpc_reflection_failed(call->c->reflection, why);
        return true;
    }
    if (why != NULL) {
        call_stop(call, malformed(why));
        return false;
    }
    if (step->method.server_streams)
        host->message_received(call->x);
    if (step->options->ping_pong) {
        host->message_answered(call->x, call->received - 1);
        queue(call);
    }
    if (call->received == step->cancel_after)
        call_stop(call, judge(call, RPC_CANCELLED, NULL));
    else if (call->received == step->receive)
        call_stop(call, judge(call, RPC_OK, NULL));
    else
        return true;
    return false;
}

/* Returns false when the call has ended. */
static bool message_begins(struct rpc_call *call)
{
    uint64_t max = call->c->target->options->max_receive;
    if (call->reader.length > max && call->step != NULL) {
        char reason[100];
        snprintf(reason, sizeof reason, "a message of %u bytes, more than max-receive", call->reader.length);
        call_stop(call, judge(call, RPC_RESOURCE_EXHAUSTED, reason));
        return false;
    }
    if (call->reader.compressed && !call->gzip && call->step != NULL) {
        call_stop(call, malformed("a compressed message, and no grpc-encoding that was offered"));
        return false;
    }
    return true;
}

static bool keep_piece(struct rpc_call *call, struct squall_bytes piece)
{
    if (!is_shown(call))
        return true;
    uint8_t *at = call->in.len + piece.len > call->c->target->options->max_receive
                      ? NULL
                      : rpc_buffer_reserve(&call->in, piece.len);
    if (at != NULL) {
        memcpy(at, piece.data, piece.len);
        call->in.len += piece.len;
        return true;
    }
    if (call->step == NULL)
        rpc_reflection_failed(call->c->reflection, "an answer that is too large");
    else
        call_stop(call, malformed("no memory for the answer's message"));
    return call->step == NULL;
}

static void on_data(void *arg, struct h2_stream *stream, const uint8_t *data, size_t len)
{
    struct rpc_call *call = call_of(stream);
    const uint8_t *at = data, *end = data + len;
    struct squall_bytes piece;
    bool goes_on = call->is_grpc || call->has_status;
    (void)arg;
    while (goes_on) {
        switch (rpc_frame_read(&call->reader, &at, end, &piece)) {
        case RPC_FRAME_MORE:
            return;
        case RPC_FRAME_BEGIN:
            goes_on = message_begins(call);
            break;
        case RPC_FRAME_BYTES:
            goes_on = keep_piece(call, piece);
            break;
        case RPC_FRAME_END:
            goes_on = message_complete(call);
            break;
        case RPC_FRAME_MALFORMED:
            if (call->step == NULL)
                rpc_reflection_failed(call->c->reflection, "an answer that is not framed as gRPC's are");
            else
                call_stop(call, malformed("a message with a prefix that gRPC does not know"));
            return;
        }
    }
}

/* ---- answer: end ---- */

/* The answer is complete as far as HTTP/2 is concerned. */
static struct verdict judge_complete(struct rpc_call *call, char *reason, size_t size)
{
    if (!call->has_status && call->stream.status != 200) {
        snprintf(reason, size, "HTTP status %u", call->stream.status);
        return judge(call, rpc_code_of_http(call->stream.status), reason);
    }
    if (!call->has_status)
        return malformed(call->is_grpc ? "the answer has no grpc-status"
                                       : "the answer is not gRPC's, by its content-type");
    if (call->bad_status)
        return malformed("grpc-status is no number");
    if (call->is_grpc && !rpc_frame_is_between(&call->reader))
        return malformed("the answer ends within a message");
    if (call->code == RPC_OK && !call->step->method.server_streams && call->received != 1)
        return malformed(call->received == 0 ? "status OK without a message"
                                             : "more than one message in answer to a call");
    return judge(call, call->code, call->message[0] != '\0' ? call->message : NULL);
}

static struct verdict judge_reset(const struct rpc_call *call, const struct h2_end *how)
{
    struct verdict verdict = judge(call, rpc_code_of_reset(how->code), how->reason);
    if (verdict.outcome != SQUALL_OK)
        verdict.outcome = SQUALL_BROKEN_OFF;
    return verdict;
}

static void on_end(void *arg, struct h2_stream *stream, const struct h2_end *how)
{
    struct rpc_call *call = call_of(stream);
    char reason[64];
    (void)arg;
    if (call->step == NULL) {
        rpc_reflection_ended(call->c->reflection, call, how->reason);
        give_call(call);
        return;
    }
    if (how->how == H2_UNTOUCHED && call->step->options->wait_for_ready && rpc_host(call->c)->again(call->x) == 0) {
        call->x = NULL;
        give_call(call);
        return;
    }
    switch (how->how) {
    case H2_COMPLETE:
        call_close(call, judge_complete(call, reason, sizeof reason));
        break;
    case H2_MALFORMED:
        call_close(call, malformed(how->reason));
        break;
    case H2_UNTOUCHED:
        call_close(call, judge(call, RPC_UNAVAILABLE, how->reason));
        break;
    case H2_RESET:
        call_close(call, judge_reset(call, how));
    }
}

/* ---- the session's other callbacks ---- */

static uint8_t *on_reserve(void *arg, size_t len)
{
    struct rpc_conn *c = arg;
    return rpc_host(c)->out_reserve(c->conn, len);
}

static void on_commit(void *arg, size_t len)
{
    struct rpc_conn *c = arg;
    rpc_host(c)->out_commit(c->conn, len);
}

static bool on_room(void *arg)
{
    struct rpc_conn *c = arg;
    return rpc_host(c)->out_room(c->conn, OUTPUT_ENOUGH) != 0;
}

static void on_sent(void *arg, struct h2_stream *stream)
{
    struct rpc_call *call = call_of(stream);
    (void)arg;
    if (call->x == NULL)
        return;
    if (call->step->method.client_streams)
        rpc_stream_piece_done(call);
    rpc_host(call->c)->request_end(call->x);
}

static void on_taken(void *arg, struct h2_stream *stream)
{
    struct rpc_call *call = call_of(stream);
    (void)arg;
    if (call->x != NULL)
        rpc_stream_piece_done(call);
}

static void on_started(void *arg, struct h2_stream *stream)
{
    struct rpc_call *call = call_of(stream);
    (void)arg;
    if (call->x != NULL)
        rpc_host(call->c)->first_byte(call->x);
}

static void on_capacity(void *arg, uint32_t streams)
{
    struct rpc_conn *c = arg;
    c->capacity = streams;
    if (c->target->bound)
        rpc_host(c)->capacity(c->conn, streams);
}

static void on_closing(void *arg)
{
    struct rpc_conn *c = arg;
    rpc_host(c)->retire(c->conn);
}

const struct h2_callbacks rpc_callbacks = {.reserve = on_reserve,
                                           .commit = on_commit,
                                           .room = on_room,
                                           .sent = on_sent,
                                           .taken = on_taken,
                                           .started = on_started,
                                           .field = on_field,
                                           .data = on_data,
                                           .end = on_end,
                                           .capacity = on_capacity,
                                           .closing = on_closing};

void rpc_conn_settle(struct rpc_conn *c, const char *why)
{
    while (why == NULL && c->ready != NULL) {
        struct rpc_call *call = c->ready;
        c->ready = call->next_ready;
        call->queued = false;
        rpc_stream_go_on(call);
        why = h2_send(c->session);
    }
    if (why == NULL && c->reflection != NULL && !c->over)
        why = rpc_reflection_go_on(c);
    if (why == NULL || c->over)
        return;
    c->over = true;
    rpc_host(c)->fail(c->conn, why);
}
