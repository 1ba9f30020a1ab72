/*
 * Answers: what the session says becomes the call's status, messages for who looks at them, and its end. See call.h.
 */
#include "call.h"
#include "reflect.h"
#include "status.h"
#include <stdio.h>

#define OUTPUT_ENOUGH 65536 /* bytes that wait for the kernel: DATA is held back until they are gone */

static struct rpc_call *call_of(struct h2_stream *stream)
{
    return (struct rpc_call *)(void *)stream;
}

/* ---- fields ---- */

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
    rpc_trace_answer_field(call, field);
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

/* ---- messages ---- */

static void inflate_piece(void *arg, struct squall_bytes piece)
{
    struct rpc_buffer *out = arg;
    uint8_t *at = rpc_buffer_reserve(out, piece.len);
    if (at == NULL)
        return; /* cut short, and so refused by the decoding that follows */
    memcpy(at, piece.data, piece.len);
    out->len += piece.len;
}

const char *rpc_inflate(struct rpc_call *call, struct squall_bytes *message)
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
    const char *why = call->reader.compressed ? rpc_inflate(call, &message) : NULL;
    if (why != NULL)
        return why;
    if (call->x == NULL) {
        rpc_reflection_answer(call->c->reflection, message);
        return NULL;
    }
    rpc_trace_received(call, message);
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

static struct rpc_verdict malformed(const char *reason)
{
    return (struct rpc_verdict){.outcome = SQUALL_MALFORMED, .reason = reason};
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
        rpc_call_stop(call, malformed(why));
        return false;
    }
    if (step->method.server_streams)
        host->message_received(call->x);
    if (step->options->ping_pong) {
        host->message_answered(call->x, call->received - 1);
        queue(call);
    }
    if (call->received == step->cancel_after)
        rpc_call_stop(call, rpc_judge(call, RPC_CANCELLED, NULL));
    else if (call->received == step->receive)
        rpc_call_stop(call, rpc_judge(call, RPC_OK, NULL));
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
        rpc_call_stop(call, rpc_judge(call, RPC_RESOURCE_EXHAUSTED, reason));
        return false;
    }
    if (call->reader.compressed && !call->gzip && call->step != NULL) {
        rpc_call_stop(call, malformed("a compressed message, and no grpc-encoding that was offered"));
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
        rpc_call_stop(call, malformed("no memory for the answer's message"));
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
                rpc_call_stop(call, malformed("a message with a prefix that gRPC does not know"));
            return;
        }
    }
}

/* ---- end ---- */

/* The answer is complete as far as HTTP/2 is concerned. */
static struct rpc_verdict judge_complete(struct rpc_call *call, char *reason, size_t size)
{
    if (!call->has_status && call->stream.status != 200) {
        snprintf(reason, size, "HTTP status %u", call->stream.status);
        return rpc_judge(call, rpc_code_of_http(call->stream.status), reason);
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
    return rpc_judge(call, call->code, call->message[0] != '\0' ? call->message : NULL);
}

static struct rpc_verdict judge_reset(const struct rpc_call *call, const struct h2_end *how)
{
    struct rpc_verdict verdict = rpc_judge(call, rpc_code_of_reset(how->code), how->reason);
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
        rpc_give_call(call);
        return;
    }
    if (how->how == H2_UNTOUCHED && call->step->options->wait_for_ready && rpc_host(call->c)->again(call->x) == 0) {
        call->x = NULL;
        rpc_give_call(call);
        return;
    }
    switch (how->how) {
    case H2_COMPLETE:
        rpc_call_close(call, judge_complete(call, reason, sizeof reason));
        break;
    case H2_MALFORMED:
        rpc_call_close(call, malformed(how->reason));
        break;
    case H2_UNTOUCHED:
        rpc_call_close(call, rpc_judge(call, RPC_UNAVAILABLE, how->reason));
        break;
    case H2_RESET:
        rpc_call_close(call, judge_reset(call, how));
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
