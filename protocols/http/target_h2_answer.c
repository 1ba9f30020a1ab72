/*
 * Answers of the target on HTTP/2: header blocks and bodies, and all that a server should not do. nghttp2 is asked for
 * whatever it agrees to do; what it would not is written between its frames.
 */
#include "target_h2.h"
#include <string.h>

#define FIELD_SIZE     4096 /* of one field of fields=SIZE */
#define FIELDS_MAX     (512 * 1024 / FIELD_SIZE + 1)
#define TRAILERS_MAX   100
#define HEADER_COUNT   3
#define BLOCKED_AGAIN  UINT64_C(1000000) /* ns until raw bytes are tried again */
#define SETTINGS_AHEAD 16                /* frames that the client has not acknowledged */

/* Names and values last as long as the stream. */
static nghttp2_nv field(const char *name, const uint8_t *value, size_t len)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), len,
                        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

/* ---- bodies ---- */

static ssize_t read_trailers(struct target_h2_stream *stream, uint32_t *flags)
{
    nghttp2_nv trailers[TRAILERS_MAX];
    uint32_t count = stream->incoming.query.faults.trailers;
    for (uint32_t i = 0; i < count; i++)
        trailers[i] = field("x-trailer", (const uint8_t *)"behind the body", 15);
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    return nghttp2_submit_trailer(stream->h2->server.session, stream->id, trailers, count)
               ? NGHTTP2_ERR_CALLBACK_FAILURE
               : 0;
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    struct target_h2_stream *stream = source->ptr;
    struct target_answer *answer = &stream->answer;
    const struct target_faults *faults = &stream->incoming.query.faults;
    uint64_t ready = target_ready(answer);
    size_t count = ready < room ? (size_t)ready : room;
    (void)arg;
    if (!count && faults->rst && (!answer->left || !answer->stop_left)) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, faults->rst_code);
        return NGHTTP2_ERR_DEFERRED;
    }
    if (!count && answer->left) {
        if (answer->stop_left)
            stream->h2->server.conn->run->host->resume(stream->request, answer->pace_ns);
        return NGHTTP2_ERR_DEFERRED;
    }
    target_put_body(out, answer, count);
    if (answer->left || faults->rst)
        return (ssize_t)count;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (faults->trailers && read_trailers(stream, flags))
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    return (ssize_t)count;
}

/* ---- header blocks ---- */

/* Fields that fill a header list; they stay out of the table of HPACK, which would only churn. */
static size_t put_fields(nghttp2_nv *fields, uint64_t size)
{
    static uint8_t filler[FIELD_SIZE];
    size_t count = 0;
    if (size)
        memset(filler, 'x', sizeof filler);
    for (; size; count++) {
        size_t len = size < sizeof filler ? (size_t)size : sizeof filler;
        fields[count] = field("x-filler", filler, len);
        fields[count].flags |= NGHTTP2_NV_FLAG_NO_INDEX;
        size -= len;
    }
    return count;
}

static void submit_hints(struct target_h2_stream *stream)
{
    const nghttp2_nv hints[] = {field(":status", (const uint8_t *)"103", 3),
                                field("link", (const uint8_t *)"</style.css>; rel=preload", 25)};
    for (uint32_t i = 0; i < stream->incoming.query.faults.hints; i++)
        nghttp2_submit_headers(stream->h2->server.session, NGHTTP2_FLAG_NONE, stream->id, NULL, hints, 2, NULL);
}

static void submit_answer(struct target_h2_stream *stream, uint32_t status)
{
    struct target_answer *answer = &stream->answer;
    const struct target_faults *faults = &stream->incoming.query.faults;
    nghttp2_nv fields[HEADER_COUNT + FIELDS_MAX];
    size_t count = 0;
    target_put_number(stream->status, status, 10);
    fields[count++] = field(":status", stream->status, sizeof stream->status);
    fields[count++] = field("content-type", (const uint8_t *)"text/plain", 10);
    if (!answer->chunked && status != 204) {
        const uint8_t *end = target_put_number(stream->length, answer->left, 10);
        fields[count++] = field("content-length", stream->length, (size_t)(end - stream->length));
    }
    count += put_fields(fields + count, faults->fields);
    if (answer->bodiless)
        answer->left = 0;
    bool more = answer->left || faults->trailers || faults->rst;
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_body};
    nghttp2_submit_response(stream->h2->server.session, stream->id, fields, count, more ? &provider : NULL);
}

/* ---- what a server should not do ---- */

static void put_number(uint8_t *out, uint32_t number)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(number >> (24 - 8 * i));
}

/* A promise of GET / (RFC 9113, 6.6), with a header block that leaves HPACK's table as it was (RFC 7541, 6.2.2). */
static size_t put_promise(struct target_h2_stream *stream, uint8_t *out)
{
    static const uint8_t block[] = {0x82, 0x86, 0x84, 0x01, 9, 'l', 'o', 'c', 'a', 'l', 'h', 'o', 's', 't'};
    stream->h2->promised += 2;
    memcpy(out, (const uint8_t[]){0, 0, 4 + sizeof block, NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS}, 5);
    put_number(out + 5, (uint32_t)stream->id);
    put_number(out + 9, stream->h2->promised);
    memcpy(out + 13, block, sizeof block);
    return 13 + sizeof block;
}

/* The stream of a raw frame may be the request's: its writer could not know it. */
static size_t put_raw(const struct target_h2_stream *stream, uint8_t *out)
{
    const struct target_faults *faults = &stream->incoming.query.faults;
    size_t len = faults->raw_len;
    memcpy(out, faults->raw, len);
    for (size_t at = 0; at + H2_FRAME_HEAD <= len;
         at += H2_FRAME_HEAD + ((size_t)out[at] << 16 | (size_t)out[at + 1] << 8 | out[at + 2]))
        if (memcmp(out + at + 5, "\xff\xff\xff\xff", 4) == 0)
            put_number(out + at + 5, (uint32_t)stream->id);
    return len;
}

/* Writes what nghttp2 would not. -1: there is no room now, or a frame of nghttp2's is half-way. */
static int write_raw(struct target_h2_stream *stream)
{
    struct target_h2 *h2 = stream->h2;
    const struct target_faults *faults = &stream->incoming.query.faults;
    const struct squall_server_host *host = h2->server.conn->run->host;
    if (!faults->raw_len && !faults->push)
        return 0;
    uint8_t *room = h2->server.frame_len ? NULL : host->out_reserve(h2->server.conn, TARGET_RAW_MAX + 64);
    if (!room)
        return -1;
    size_t len = faults->raw_len ? put_raw(stream, room) : 0;
    if (faults->push)
        len += put_promise(stream, room + len);
    host->out_commit(h2->server.conn, len);
    stream->request->bytes += len;
    return 0;
}

/* Only so many may be on their way, since nghttp2 remembers each until it is acknowledged. */
static int submit_settings(struct target_h2_stream *stream)
{
    const struct target_faults *faults = &stream->incoming.query.faults;
    nghttp2_settings_entry entries[TARGET_SETTINGS_MAX];
    if (!faults->settings_count)
        return 0;
    for (uint32_t i = 0; i < faults->settings_count; i++)
        entries[i] = (nghttp2_settings_entry){faults->settings[i].id, faults->settings[i].value};
    if (stream->h2->settings_ahead >= SETTINGS_AHEAD ||
        nghttp2_submit_settings(stream->h2->server.session, NGHTTP2_FLAG_NONE, entries, faults->settings_count))
        return -1;
    stream->h2->settings_ahead++;
    return 0;
}

/* GOAWAY goes out once; another would only say what the first has said, but for one that was asked for. */
static void submit_goaway(struct target_h2_stream *stream)
{
    struct target_h2 *h2 = stream->h2;
    const struct target_run *run = h2->server.conn->run->state;
    const struct target_faults *faults = &stream->incoming.query.faults;
    int32_t last = nghttp2_session_get_last_proc_stream_id(h2->server.session);
    if (faults->goaway_last)
        last = (int32_t)faults->last_stream;
    if (!nghttp2_submit_goaway(h2->server.session, NGHTTP2_FLAG_NONE, last,
                               faults->goaway ? faults->goaway_code : run->goaway_code, NULL, 0))
        h2->own_goaways++;
}

/* A stream that is to be reset with a code of ours, instead of its answer. */
static void submit_rst(struct target_h2_stream *stream, uint32_t code)
{
    stream->resetting = true;
    nghttp2_submit_rst_stream(stream->h2->server.session, NGHTTP2_FLAG_NONE, stream->id, code);
}

void target_h2_answer(struct target_h2 *h2, struct squall_server_request *request)
{
    struct target_h2_stream *stream = ((struct target_h2_request *)request->state)->stream;
    const struct target_faults *faults = &stream->incoming.query.faults;
    if (stream->begun) { /* a pause is over */
        target_next_part(&stream->answer);
        nghttp2_session_resume_data(h2->server.session, stream->id);
        return;
    }
    if (write_raw(stream)) {
        h2->server.conn->run->host->resume(request, BLOCKED_AGAIN);
        return;
    }
    stream->begun = true;
    if (request->last)
        submit_goaway(stream);
    if (submit_settings(stream)) {
        submit_rst(stream, NGHTTP2_ENHANCE_YOUR_CALM);
        return;
    }
    submit_hints(stream);
    stream->resetting = faults->rst;
    if (faults->rst && faults->rst_after == UINT64_MAX) {
        submit_rst(stream, faults->rst_code);
        return;
    }
    if (faults->rst)
        stream->answer.stop_left = faults->rst_after;
    submit_answer(stream, request->status);
}
