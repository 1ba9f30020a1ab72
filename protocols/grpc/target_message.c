/*
 * Messages of requests: framing, gzip, limits. A message that comes in one piece is read where it is; others are
 * gathered. See target_demo.h.
 */
#include "status.h"
#include "target_demo.h"
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX (64 * 1024) /* a larger buffer is given back after its message */

/* ---- buffers ---- */

static int append(struct demo_buffer *buffer, struct squall_bytes bytes)
{
    size_t needed = buffer->len + bytes.len;
    if (needed > buffer->size) {
        size_t size = buffer->size ? buffer->size : 1024;
        while (size < needed)
            size *= 2;
        uint8_t *grown = realloc(buffer->data, size);
        if (grown == NULL)
            return -1;
        buffer->data = grown;
        buffer->size = size;
    }
    memcpy(buffer->data + buffer->len, bytes.data, bytes.len);
    buffer->len = needed;
    return 0;
}

static void release(struct demo_buffer *buffer)
{
    if (buffer->size > KEPT_MAX) {
        free(buffer->data);
        *buffer = (struct demo_buffer){0};
    }
    buffer->len = 0;
}

/* Into a buffer of the call's, within the bound that all calls of the connection share. */
static int hold(struct demo_call *call, struct demo_buffer *buffer, struct squall_bytes bytes)
{
    if (call->conn->held + bytes.len > DEMO_HELD_MAX) {
        demo_fail(call, RPC_RESOURCE_EXHAUSTED, "the calls of this connection hold more than 16 MiB");
        return -1;
    }
    if (append(buffer, bytes) < 0) {
        demo_fail(call, RPC_RESOURCE_EXHAUSTED, "no memory");
        return -1;
    }
    call->conn->held += bytes.len;
    return 0;
}

static void let_go(struct demo_call *call, struct demo_buffer *buffer)
{
    call->conn->held -= buffer->len;
    release(buffer);
}

void demo_buffers_fini(struct demo_call *call)
{
    call->conn->held -= call->message.len + call->held.len;
    free(call->message.data);
    free(call->held.data);
    call->message = call->held = (struct demo_buffer){0};
}

/* ---- messages ---- */

static const struct demo_options *options_of(const struct demo_call *call)
{
    return call->conn->h2.conn->run->options;
}

static void on_inflated(void *arg, struct squall_bytes bytes)
{
    struct demo_call *call = arg;
    struct demo_run *run = call->conn->h2.conn->run->state;
    if (call->ending)
        return;
    if (run->inflated.len + bytes.len > options_of(call)->max_message)
        demo_fail(call, RPC_RESOURCE_EXHAUSTED, "a message is larger than --max-message allows");
    else if (append(&run->inflated, bytes) < 0)
        demo_fail(call, RPC_RESOURCE_EXHAUSTED, "no memory");
}

/* 0 and the message as it was before it was compressed, or -1: the call has failed. */
static int inflate_message(struct demo_call *call, struct squall_bytes *message)
{
    struct demo_run *run = call->conn->h2.conn->run->state;
    struct decoder *decoder = decoder_take(&run->decoders, call->coding);
    if (decoder == NULL) {
        demo_fail(call, RPC_RESOURCE_EXHAUSTED, "no memory");
        return -1;
    }
    release(&run->inflated);
    const char *reason = decoder_feed(decoder, *message, on_inflated, call);
    if (reason == NULL)
        reason = decoder_end(decoder);
    decoder_give(&run->decoders, decoder);
    if (reason != NULL)
        demo_fail(call, RPC_INTERNAL, "a message could not be decompressed: %s", reason);
    *message =
        (struct squall_bytes){run->inflated.len > 0 ? run->inflated.data : (const uint8_t *)"", run->inflated.len};
    return call->ending ? -1 : 0;
}

static void begin_message(struct demo_call *call)
{
    const struct rpc_frame_reader *reader = &call->reader;
    if (reader->length > options_of(call)->max_message)
        demo_fail(call, RPC_RESOURCE_EXHAUSTED, "a message of %u bytes is larger than --max-message allows",
                  reader->length);
    else if (reader->compressed && call->coding == CODING_NONE)
        demo_fail(call, RPC_INTERNAL, "a message says that it is compressed, and grpc-encoding does not say how");
    call->whole = (struct squall_bytes){(const uint8_t *)"", 0};
}

static void end_message(struct demo_call *call)
{
    enum demo_kind kind = call->method->kind;
    struct squall_bytes message = call->whole;
    if (call->message.len > 0)
        message = (struct squall_bytes){call->message.data, call->message.len};
    call->received_messages++;
    if (call->received_messages > 1 && (kind == DEMO_UNARY || kind == DEMO_DOWNLOAD))
        demo_fail(call, RPC_UNIMPLEMENTED, "this method takes one message, and more have come");
    else if (!call->reader.compressed || inflate_message(call, &message) == 0)
        call->method->message(call, message);
    let_go(call, &call->message);
    if (kind == DEMO_CHAT && !call->arrived)
        demo_arrive(call);
}

static void take_piece(struct demo_call *call, struct squall_bytes piece)
{
    if (piece.len == call->reader.length)
        call->whole = piece;
    else
        hold(call, &call->message, piece);
}

/* How many bytes were read: all, but where a message has to be answered first. */
static size_t read_messages(struct demo_call *call, struct squall_bytes bytes)
{
    const uint8_t *at = bytes.data, *end = bytes.data + bytes.len;
    struct squall_bytes piece;
    while (!call->ending && !demo_busy(call)) {
        switch (rpc_frame_read(&call->reader, &at, end, &piece)) {
        case RPC_FRAME_MORE:
            return bytes.len;
        case RPC_FRAME_BEGIN:
            begin_message(call);
            break;
        case RPC_FRAME_BYTES:
            take_piece(call, piece);
            break;
        case RPC_FRAME_END:
            end_message(call);
            break;
        case RPC_FRAME_MALFORMED:
            demo_fail(call, RPC_INTERNAL, "what came is not gRPC's framing of messages");
            break;
        }
    }
    return call->ending ? bytes.len : (size_t)(at - bytes.data);
}

/* The window of a stream opens by what has been read: a client cannot send ahead of its answers without end. */
static void open_window(struct demo_call *call, size_t len)
{
    if (len > 0)
        nghttp2_session_consume_stream(call->conn->h2.session, call->id, len);
}

void demo_take(struct demo_call *call, struct squall_bytes bytes)
{
    size_t used = bytes.len;
    nghttp2_session_consume_connection(call->conn->h2.session, bytes.len);
    if (!call->ending && call->method != NULL) {
        used = call->held.len > 0 ? 0 : read_messages(call, bytes);
        struct squall_bytes rest = {bytes.data + used, bytes.len - used};
        if (rest.len > 0 && hold(call, &call->held, rest) < 0)
            used = bytes.len;
    }
    open_window(call, used);
    if (used > 0)
        demo_wake(call);
}

/* What has been read is dropped when it is half of the buffer: so no byte is moved more than once on average. */
static void drop_read(struct demo_call *call)
{
    struct demo_buffer *held = &call->held;
    size_t left = held->len - call->held_at;
    if (left > call->held_at)
        return;
    memmove(held->data, held->data + call->held_at, left);
    call->conn->held -= call->held_at;
    call->held_at = 0;
    held->len = left;
    if (left == 0)
        release(held);
}

void demo_take_held(struct demo_call *call)
{
    struct demo_buffer *held = &call->held;
    if (held->len == 0)
        return;
    size_t used = read_messages(call, (struct squall_bytes){held->data + call->held_at, held->len - call->held_at});
    call->held_at += used;
    drop_read(call);
    open_window(call, used);
}

void demo_check_end(struct demo_call *call)
{
    bool single = call->method->kind == DEMO_UNARY || call->method->kind == DEMO_DOWNLOAD;
    if (!rpc_frame_is_between(&call->reader))
        demo_fail(call, RPC_INTERNAL, "the request ends within a message");
    else if (single && call->received_messages == 0)
        demo_fail(call, RPC_UNIMPLEMENTED, "this method takes one message, and none has come");
}
