/* HTTP/2 of the target: what nghttp2 says of frames, and what goes out. See target_h2.h. */
#include "target_h2.h"
#include <stdlib.h>
#include <string.h>

#define HEADERS_SENT_MAX (1024 * 1024) /* more than fields=SIZE can ask for */

struct target_h2_run {
    struct h2_server_run server;
    struct target_h2_stream *free_streams; /* as many as there have been at a time */
};

static const struct squall_server_host *host_of(const struct target_h2 *h2)
{
    return h2->server.conn->run->host;
}

/* ---- streams ---- */

static struct target_h2_run *run_of(const struct target_h2 *h2)
{
    return ((struct target_run *)h2->server.conn->run->state)->h2;
}

static struct target_h2_stream *take_stream(struct target_h2 *h2, int32_t id)
{
    struct target_h2_run *run = run_of(h2);
    struct target_h2_stream *stream = run->free_streams;
    if (stream)
        run->free_streams = stream->next;
    else
        stream = malloc(sizeof *stream);
    if (!stream)
        return NULL;
    memset(stream, 0, offsetof(struct target_h2_stream, method));
    stream->h2 = h2;
    stream->id = id;
    stream->incoming.keep_alive = true;
    stream->incoming.is_h2 = true;
    stream->next = h2->streams;
    if (stream->next)
        stream->next->previous = stream;
    h2->streams = stream;
    h2->server.conn->coming++;
    return stream;
}

static void release_stream(struct target_h2_stream *stream)
{
    struct target_h2 *h2 = stream->h2;
    struct target_h2_run *run = run_of(h2);
    h2->echo_bytes -= stream->echo.len;
    target_echo_fini(&stream->echo);
    if (stream->next)
        stream->next->previous = stream->previous;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        h2->streams = stream->next;
    stream->next = run->free_streams;
    run->free_streams = stream;
}

/* ---- what comes in ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct target_h2_stream *stream = take_stream(arg, frame->hd.stream_id);
    if (!stream)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
    return 0;
}

static bool is(const uint8_t *name, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(name, text, len) == 0;
}

/* All of the path counts, but the log has only its beginning. */
static void read_path(struct target_h2_stream *stream, const uint8_t *value, size_t len)
{
    const uint8_t *mark = memchr(value, '?', len), *end = value + len;
    struct squall_bytes path = {value, (uint64_t)((mark ? mark : end) - value)};
    struct squall_bytes query = {mark ? mark + 1 : end, mark ? (uint64_t)(end - mark - 1) : 0};
    target_incoming_begin(stream->h2->server.conn->run, &stream->incoming, path, query);
    stream->path_len = (uint8_t)(len < sizeof stream->path ? len : sizeof stream->path);
    memcpy(stream->path, value, stream->path_len);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    struct target_h2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    (void)flags;
    (void)arg;
    if (!stream || stream->arrived)
        return 0;
    stream->header_size += name_len + value_len + 32; /* RFC 9113, 6.5.2 */
    if (stream->header_size > TARGET_H2_ENDLESS)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (stream->header_size > TARGET_H2_HEADERS_MAX)
        target_incoming_refuse(&stream->incoming, 431, "the header fields are longer than 64 KiB\n");
    else if (is(name, name_len, ":path"))
        read_path(stream, value, value_len);
    else if (is(name, name_len, ":method")) {
        stream->incoming.is_head = is(value, value_len, "HEAD");
        stream->method_len = (uint8_t)(value_len < sizeof stream->method ? value_len : sizeof stream->method);
        memcpy(stream->method, value, stream->method_len);
    } else if (is(name, name_len, "expect"))
        stream->expects_continue = is(value, value_len, "100-continue");
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
    struct target_h2 *h2 = arg;
    struct target_h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)flags;
    if (!stream || !stream->incoming.echo)
        return 0;
    if (h2->echo_bytes + len > TARGET_H2_ECHO_MAX) {
        target_incoming_refuse(&stream->incoming, 503, "the streams of this connection echo too much at a time\n");
        return 0;
    }
    size_t before = stream->echo.len;
    target_echo_add(&stream->echo, &stream->incoming, (struct squall_bytes){data, len});
    h2->echo_bytes += stream->echo.len - before;
    return 0;
}

/* The last byte of a request has come. */
static void arrive(struct target_h2_stream *stream)
{
    struct squall_server_conn *conn = stream->h2->server.conn;
    uint8_t label[sizeof stream->method + 1 + sizeof stream->path];
    memcpy(label, stream->method, stream->method_len);
    label[stream->method_len] = ' ';
    memcpy(label + stream->method_len + 1, stream->path, stream->path_len);
    struct squall_bytes bytes = {label, stream->method_len + UINT64_C(1) + stream->path_len};
    stream->arrived = true;
    conn->coming--;
    stream->request = target_arrive(conn, &stream->incoming, &stream->echo, bytes, &stream->answer);
    ((struct target_h2_request *)stream->request->state)->stream = stream;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    static const nghttp2_nv status_100 = {(uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NONE};
    struct target_h2 *h2 = arg;
    if (frame->hd.type == NGHTTP2_SETTINGS && frame->hd.flags & NGHTTP2_FLAG_ACK)
        h2->settings_ahead -= h2->settings_ahead > 0;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct target_h2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!stream || stream->arrived)
        return 0;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        arrive(stream);
    } else if (stream->expects_continue) {
        stream->expects_continue = false;
        nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NULL, &status_100, 1, NULL);
    }
    return 0;
}

/* However it ends: answered, or broken off by either side. What a GOAWAY of ours leaves out is refused as programmed.
 */
static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *arg)
{
    struct target_h2 *h2 = arg;
    struct target_h2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    (void)error_code;
    if (!stream)
        return 0;
    if (!stream->arrived)
        h2->server.conn->coming--;
    bool refused = id > h2->last_stream;
    if (stream->request)
        host_of(h2)->finish(stream->request, refused ? SQUALL_SERVER_RESET : SQUALL_SERVER_ABORTED);
    release_stream(stream);
    return 0;
}

uint64_t target_h2_receive(struct target_h2 *h2, const uint8_t *data, uint64_t len)
{
    return h2_server_receive(&h2->server, data, len);
}

/* ---- what goes out ---- */

/* A frame is wholly in the output. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct target_h2 *h2 = arg;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        /* One that we did not ask for is nghttp2's last word. */
        h2->failed = h2->failed || !h2->own_goaways;
        h2->own_goaways -= h2->own_goaways > 0;
        h2->last_stream = frame->goaway.last_stream_id;
    }
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_RST_STREAM)
        return 0;
    struct target_h2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!stream || !stream->request)
        return 0;
    bool reset = frame->hd.type == NGHTTP2_RST_STREAM;
    stream->request->bytes += frame->hd.length + H2_FRAME_HEAD;
    if ((reset && stream->resetting) || (!reset && frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
        host_of(h2)->finish(stream->request, reset ? SQUALL_SERVER_RESET : SQUALL_SERVER_ANSWERED);
        stream->request = NULL;
    }
    return 0;
}

static ssize_t on_padding(nghttp2_session *session, const nghttp2_frame *frame, size_t most, void *arg)
{
    const struct target_h2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    size_t padded = frame->hd.length + (stream ? stream->incoming.query.faults.pad : 0);
    (void)arg;
    return (ssize_t)(padded < most ? padded : most);
}

void target_h2_write(struct target_h2 *h2)
{
    if (h2_server_write(&h2->server) && h2->failed)
        host_of(h2)->malformed(h2->server.conn);
}

/* ---- life ---- */

struct target_h2_run *target_h2_new(const struct target_options *options)
{
    struct target_h2_run *run = calloc(1, sizeof *run);
    if (!run || h2_server_run_init(&run->server)) {
        target_h2_free(run);
        return NULL;
    }
    nghttp2_session_callbacks *callbacks = run->server.callbacks;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_select_padding_callback(callbacks, on_padding);
    nghttp2_option_set_no_auto_window_update(run->server.option, options->no_window_updates != 0);
    nghttp2_option_set_max_send_header_block_length(run->server.option, HEADERS_SENT_MAX);
    return run;
}

void target_h2_free(struct target_h2_run *run)
{
    if (!run)
        return;
    h2_server_run_fini(&run->server);
    while (run->free_streams) {
        struct target_h2_stream *stream = run->free_streams;
        run->free_streams = stream->next;
        free(stream);
    }
    free(run);
}

int target_h2_begin(struct squall_server_conn *conn, struct target_h2 *h2)
{
    const struct target_options *options = conn->run->options;
    const struct target_run *run = conn->run->state;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)options->streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)options->window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, TARGET_H2_HEADERS_MAX},
    };
    h2->last_stream = INT32_MAX;
    if (h2_server_begin(&h2->server, conn, &run->h2->server, h2))
        return -1;
    nghttp2_session *session = h2->server.session;
    if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof settings[0]) ||
        (options->window > NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE &&
         nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, (int32_t)options->window)))
        return -1;
    return 0;
}

void target_h2_disconnect(struct target_h2 *h2)
{
    h2_server_end(&h2->server);
    while (h2->streams)
        release_stream(h2->streams);
}
