/*
 * The other end of a session under test: frames written by hand, what comes out of the session kept, what it tells kept
 * as text. One stream's events are told as "started head(200) data(5) end(complete)"; pieces of data in a row are one.
 */
#ifndef TEST_H2_PEER_H
#define TEST_H2_PEER_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "h2_errors.h"
#include "h2_session.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STREAMS      4
#define TRACE_MAX    8192
#define INPUT_MAX    (4u << 20)
#define FRAME(...)   peer_frame(__VA_ARGS__)
#define END_STREAM   NGHTTP2_FLAG_END_STREAM
#define END_HEADERS  NGHTTP2_FLAG_END_HEADERS
#define TEXT(string) string, sizeof(string) - 1
#define ALL_OF_IT    (END_STREAM | END_HEADERS)

struct peer {
    struct h2_memory memory;
    struct h2_session *session;
    struct h2_stream streams[STREAMS];
    uint8_t *out;
    size_t out_len, out_size, reserved;
    bool no_room, no_output;
    uint32_t borrowed;
    char trace[TRACE_MAX];
    size_t data_run; /* bytes of the data events that came in a row */
    struct h2_stream *data_stream;
    uint8_t *in; /* what the peer is going to send */
    size_t in_len;
};

static const struct h2_options peer_options = {.streams_max = 10,
                                               .stream_window = 65535,
                                               .connection_window = 65535,
                                               .header_table = 4096,
                                               .frame_max = H2_FRAME_MIN,
                                               .fields_max = 32,
                                               .fields_size = 4096};

/* ---- what the session tells -------------------------------------------------------------------- */

static inline void peer_say(struct peer *peer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void peer_say(struct peer *peer, const char *format, ...)
{
    size_t len = strlen(peer->trace);
    va_list args;
    if (peer->data_run > 0) {
        size_t run = peer->data_run;
        peer->data_run = 0;
        peer_say(peer, "%u:data(%zu)", peer->data_stream->id, run);
        len = strlen(peer->trace);
    }
    if (len > 0 && len < TRACE_MAX - 1)
        peer->trace[len++] = ' ';
    va_start(args, format);
    vsnprintf(peer->trace + len, TRACE_MAX - len, format, args);
    va_end(args);
}

static inline uint8_t *peer_reserve(void *arg, size_t len)
{
    struct peer *peer = arg;
    if (peer->no_output)
        return NULL;
    if (peer->out_len + len > peer->out_size) {
        peer->out_size = (peer->out_len + len) * 2;
        peer->out = realloc(peer->out, peer->out_size);
        assert_non_null(peer->out);
    }
    peer->reserved = len;
    return peer->out + peer->out_len;
}

static inline void peer_commit(void *arg, size_t len)
{
    struct peer *peer = arg;
    assert_true(len <= peer->reserved);
    peer->out_len += len;
    peer->reserved = 0;
}

static inline int peer_borrow(void *arg, const uint8_t *data, size_t len)
{
    struct peer *peer = arg;
    memcpy(peer_reserve(arg, len), data, len);
    peer_commit(arg, len);
    peer->borrowed++;
    return 0;
}

static inline bool peer_room(void *arg)
{
    return !((struct peer *)arg)->no_room;
}

static inline void on_sent(void *arg, struct h2_stream *stream)
{
    peer_say(arg, "%u:sent", stream->id);
}

static inline void on_taken(void *arg, struct h2_stream *stream)
{
    peer_say(arg, "%u:taken", stream->id);
}

static inline void on_started(void *arg, struct h2_stream *stream)
{
    peer_say(arg, "%u:started", stream->id);
}

static inline void on_field(void *arg, struct h2_stream *stream, const struct h2_field *field)
{
    peer_say(arg, "%u:%s(%.*s=%.*s)", stream->id, field->part == H2_TRAILER ? "trailer" : "field", (int)field->name_len,
             (const char *)field->name, (int)field->value_len, (const char *)field->value);
}

static inline void on_head(void *arg, struct h2_stream *stream)
{
    peer_say(arg, "%u:head(%u)", stream->id, stream->status);
}

static inline void on_data(void *arg, struct h2_stream *stream, const uint8_t *data, size_t len)
{
    struct peer *peer = arg;
    assert_true(len > 0);
    assert_non_null(data);
    if (peer->data_run > 0 && peer->data_stream != stream)
        peer_say(peer, "|");
    peer->data_run += len;
    peer->data_stream = stream;
}

static inline void on_end(void *arg, struct h2_stream *stream, const struct h2_end *end)
{
    static const char *const words[] = {"complete", "reset", "untouched", "malformed"};
    uint32_t id = stream->id;
    if (end->reason != NULL)
        peer_say(arg, "%u:end(%s, %s)", id, words[end->how], end->reason);
    else
        peer_say(arg, "%u:end(%s)", id, words[end->how]);
    memset(stream, 0xa5, sizeof *stream); /* it is its owner's again */
}

static inline void on_capacity(void *arg, uint32_t streams)
{
    peer_say(arg, "capacity(%u)", streams);
}

static inline void on_closing(void *arg)
{
    peer_say(arg, "closing");
}

static const struct h2_callbacks peer_callbacks = {.reserve = peer_reserve,
                                                   .commit = peer_commit,
                                                   .borrow = peer_borrow,
                                                   .room = peer_room,
                                                   .sent = on_sent,
                                                   .taken = on_taken,
                                                   .started = on_started,
                                                   .field = on_field,
                                                   .head = on_head,
                                                   .data = on_data,
                                                   .end = on_end,
                                                   .capacity = on_capacity,
                                                   .closing = on_closing};

/* ---- life -------------------------------------------------------------------------------------- */

static inline void peer_init(struct peer *peer, const struct h2_options *options)
{
    memset(peer, 0, sizeof *peer);
    h2_memory_init(&peer->memory);
    peer->in = malloc(INPUT_MAX);
    peer->session = h2_session_new(options, &peer_callbacks, peer, &peer->memory);
    assert_non_null(peer->in);
    assert_non_null(peer->session);
}

static inline void peer_fini(struct peer *peer)
{
    h2_session_free(peer->session);
    h2_memory_fini(&peer->memory);
    free(peer->in);
    free(peer->out);
}

#define NV(n, v)                                                                                                       \
    {                                                                                                                  \
        .name = (uint8_t *)(uintptr_t)(n), .value = (uint8_t *)(uintptr_t)(v), .namelen = sizeof(n) - 1,               \
        .valuelen = sizeof(v) - 1, .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE               \
    }

static inline const char *peer_submit(struct peer *peer, unsigned which, struct h2_request request)
{
    static const nghttp2_nv fields[] = {NV(":method", "GET"), NV(":scheme", "http"), NV(":authority", "a"),
                                        NV(":path", "/")};
    request.fields = fields;
    request.field_count = 4;
    memset(&peer->streams[which], 0, sizeof peer->streams[which]);
    peer->streams[which].want_fields = true;
    return h2_submit(peer->session, &peer->streams[which], &request);
}

/* ---- what the peer sends ----------------------------------------------------------------------- */

static inline void peer_raw(struct peer *peer, const void *data, size_t len)
{
    assert_true(peer->in_len + len <= INPUT_MAX);
    memcpy(peer->in + peer->in_len, data, len);
    peer->in_len += len;
}

static inline void peer_frame(struct peer *peer, uint8_t type, uint8_t flags, uint32_t id, const void *payload,
                              size_t len)
{
    const uint8_t head[9] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,       type,       flags,
                             (uint8_t)(id >> 24),  (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    peer_raw(peer, head, sizeof head);
    peer_raw(peer, payload, len);
}

/* Hands the session what has been written, `step` bytes at a time. */
static inline const char *peer_deliver(struct peer *peer, size_t step)
{
    const char *over = NULL;
    for (size_t at = 0; at < peer->in_len && over == NULL; at += step) {
        size_t len = peer->in_len - at < step ? peer->in_len - at : step;
        uint8_t *exact = malloc(len); /* so that a read past its end is seen */
        memcpy(exact, peer->in + at, len);
        over = h2_receive(peer->session, exact, len);
        free(exact);
    }
    peer->in_len = 0;
    if (over != NULL)
        peer_say(peer, "over(%s)", over);
    else if (peer->data_run > 0)
        peer_say(peer, "|");
    return over;
}

/* ---- what came out ----------------------------------------------------------------------------- */

/* The nth frame of a type that the session has sent, or NULL; behind the preface. */
static inline const uint8_t *peer_sent(const struct peer *peer, uint8_t type, unsigned nth)
{
    size_t at = NGHTTP2_CLIENT_MAGIC_LEN;
    while (at + 9 <= peer->out_len) {
        const uint8_t *frame = peer->out + at;
        if (frame[3] == type && nth-- == 0)
            return frame;
        at += 9 + ((size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2]);
    }
    assert_true(at == peer->out_len || peer->out_len == 0);
    return NULL;
}

#endif
