/*
 * The session's life and what it sends.
 *
 * nghttp2 frames go out one by one through mem_send; DATA goes straight from the request's body into the output, by way
 * of read_body and write_data, which nghttp2 calls in a row. A request's head is always written inside h2_submit: its
 * fields need not live longer.
 */
#include "h2_errors.h"
#include "h2_internal.h"
#include <stdio.h>
#include <string.h>

#define BORROW_MIN 8192        /* a piece of a DATA frame from here on is cheaper to borrow than to copy */
#define LAST_ID    0x7ff00000u /* no request is begun above it: the identifiers end at 2^31 - 1 */

/* ---- over -------------------------------------------------------------------------------------- */

/* The peer speaks something that is no HTTP/2, as far as its first bytes tell. */
static const char *other_protocol(const struct h2_session *session)
{
    if (session->first_len >= 5 && memcmp(session->first, "HTTP/", 5) == 0)
        return "the server answers in HTTP/1.1: it takes no HTTP/2 on this port";
    if (session->first_len >= 2 && session->first[0] == 0x15 && session->first[1] == 0x03)
        return "the server answers with a TLS alert: use the scheme with TLS";
    return NULL;
}

bool h2_is_through(const struct h2_session *session)
{
    return session->goaway && session->streams.next == &session->streams;
}

void h2_over(struct h2_session *session, uint32_t code, const char *why)
{
    if (session->over != NULL || h2_is_through(session))
        return;
    session->over_code = code;
    session->over = session->ready ? NULL : other_protocol(session);
    if (session->over != NULL)
        return;
    session->over = h2_error_name(code);
    session->text = h2_memory_take(session->memory, H2_TEXT_MAX);
    if (session->text == NULL)
        return;
    snprintf(session->text, H2_TEXT_MAX, "%s: %s", h2_error_name(code), why);
    session->over = session->text;
}

void h2_no_more_streams(struct h2_session *session)
{
    if (session->closing)
        return;
    session->closing = true;
    session->callbacks->closing(session->arg);
}

const char *h2_why_over(const struct h2_session *session)
{
    return session->over;
}

const char *h2_closed_text(struct h2_session *session)
{
    const char *other = session->ready ? NULL : other_protocol(session);
    if (other != NULL)
        return other;
    bool told = session->goaway_code != 0 && session->closed != NULL;
    return told ? session->closed : "connection closed by the peer";
}

/* ---- streams ----------------------------------------------------------------------------------- */

static void drop_copy(struct h2_session *session, struct h2_upload *upload)
{
    h2_memory_give(session->memory, upload->copy);
    upload->copy = NULL;
}

static void drop_upload(struct h2_session *session, struct h2_stream *stream)
{
    if (stream->upload == NULL)
        return;
    drop_copy(session, stream->upload);
    h2_memory_give(session->memory, stream->upload);
    stream->upload = NULL;
}

void h2_detach(struct h2_session *session, struct h2_stream *stream)
{
    stream->previous->next = stream->next;
    stream->next->previous = stream->previous;
    drop_upload(session, stream);
    if (session->current == stream)
        session->current = NULL;
}

void h2_end_stream(struct h2_session *session, struct h2_stream *stream, const struct h2_end *end)
{
    h2_detach(session, stream);
    session->callbacks->end(session->arg, stream, end);
}

void h2_cancel(struct h2_session *session, struct h2_stream *stream, uint32_t code)
{
    h2_detach(session, stream);
    nghttp2_session_set_stream_user_data(session->ng, (int32_t)stream->id, NULL);
    nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, (int32_t)stream->id, code);
}

void h2_consume(struct h2_session *session, struct h2_stream *stream, size_t len)
{
    nghttp2_session_consume(session->ng, (int32_t)stream->id, len);
}

/* ---- sending DATA ------------------------------------------------------------------------------ */

static bool has_room(const struct h2_session *session)
{
    return session->callbacks->room == NULL || session->callbacks->room(session->arg);
}

static bool borrows(const struct h2_session *session, const struct h2_upload *upload, size_t len)
{
    return upload->lasts && len >= BORROW_MIN && session->callbacks->borrow != NULL;
}

/* How much of the body the next DATA frame takes, up to `most`; room for it is reserved. */
static ssize_t read_body(nghttp2_session *ng, int32_t id, uint8_t *unused, size_t most, uint32_t *flags,
                         nghttp2_data_source *source, void *arg)
{
    struct h2_session *session = arg;
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(ng, id);
    (void)unused;
    (void)source; /* the stream may have been given up meanwhile: only nghttp2 knows */
    if (stream == NULL || stream->upload == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    struct h2_upload *upload = stream->upload;
    size_t left = upload->len - upload->taken;
    if (left == 0 && !upload->ends) {
        upload->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (!has_room(session))
        return NGHTTP2_ERR_PAUSE;
    size_t len = left < most ? left : most;
    session->out = session->callbacks->reserve(session->arg, H2_FRAME_HEAD + (borrows(session, upload, len) ? 0 : len));
    if (session->out == NULL) {
        h2_over(session, NGHTTP2_INTERNAL_ERROR, "no room in the connection's output");
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (upload->ends && len == left)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

static void piece_taken(struct h2_session *session, struct h2_stream *stream)
{
    drop_copy(session, stream->upload);
    if (stream->upload->ends) {
        drop_upload(session, stream);
        stream->sent = true;
        session->callbacks->sent(session->arg, stream);
    } else if (session->callbacks->taken != NULL) {
        session->callbacks->taken(session->arg, stream);
    }
}

static int write_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t len,
                      nghttp2_data_source *source, void *arg)
{
    struct h2_session *session = arg;
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
    (void)source;
    if (stream == NULL || stream->upload == NULL)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    struct h2_upload *upload = stream->upload;
    const uint8_t *data = len > 0 ? upload->body + upload->taken : NULL;
    memcpy(session->out, head, H2_FRAME_HEAD);
    if (borrows(session, upload, len)) {
        session->callbacks->commit(session->arg, H2_FRAME_HEAD);
        if (session->callbacks->borrow(session->arg, data, len) != 0) {
            h2_over(session, NGHTTP2_INTERNAL_ERROR, "no room in the connection's output");
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    } else {
        if (len > 0)
            memcpy(session->out + H2_FRAME_HEAD, data, len);
        session->callbacks->commit(session->arg, H2_FRAME_HEAD + len);
    }
    upload->taken += len;
    stream->bytes_out += H2_FRAME_HEAD + len;
    session->idle_frames = 0;
    if (upload->taken == upload->len)
        piece_taken(session, stream);
    return 0;
}

/* ---- sending everything else ------------------------------------------------------------------- */

static uint32_t number_at(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

/* For faults that nghttp2 does not put into words. */
static const char *usual_fault(uint32_t code)
{
    switch (code) {
    case NGHTTP2_COMPRESSION_ERROR:
        return "a header block that cannot be decoded";
    case NGHTTP2_FRAME_SIZE_ERROR:
        return "a frame of a size that its type cannot have";
    case NGHTTP2_FLOW_CONTROL_ERROR:
        return "a window that grows above 2^31-1, or is passed";
    default:
        return "the server broke the protocol";
    }
}

/* nghttp2 ends a session by a GOAWAY that says why. */
static void look_at_goaway(struct h2_session *session, const uint8_t *frame, size_t len)
{
    char why[100];
    uint32_t code = number_at(frame + H2_FRAME_HEAD + 4);
    if (code == NGHTTP2_NO_ERROR)
        return;
    size_t debug = len - H2_FRAME_HEAD - 8;
    snprintf(why, sizeof why, "%.*s", (int)(debug < sizeof why ? debug : sizeof why - 1),
             (const char *)frame + H2_FRAME_HEAD + 8);
    h2_over(session, code, why[0] != '\0' ? why : usual_fault(code));
}

static int write_frame(struct h2_session *session, const uint8_t *frame, size_t len)
{
    uint8_t *out = session->callbacks->reserve(session->arg, len);
    if (out == NULL) {
        h2_over(session, NGHTTP2_INTERNAL_ERROR, "no room in the connection's output");
        return -1;
    }
    memcpy(out, frame, len);
    session->callbacks->commit(session->arg, len);
    if (session->submitting != NULL && len >= H2_FRAME_HEAD && number_at(frame + 5) == session->submitting->id)
        session->submitting->bytes_out += len;
    if (len >= H2_FRAME_HEAD + 8 && frame[3] == NGHTTP2_GOAWAY)
        look_at_goaway(session, frame, len);
    return 0;
}

/* While a request is submitted nothing waits for room: its head must go out, and what is queued goes before it. */
const char *h2_send(struct h2_session *session)
{
    session->sending = true;
    while (session->submitting != NULL || has_room(session)) {
        const uint8_t *frame;
        ssize_t len = nghttp2_session_mem_send(session->ng, &frame);
        if (len < 0)
            h2_over(session, NGHTTP2_INTERNAL_ERROR, nghttp2_strerror((int)len));
        if (len <= 0 || write_frame(session, frame, (size_t)len) < 0)
            break;
    }
    session->sending = false;
    return session->over;
}

/* The rest of a piece that is only borrowed must outlive its lender. */
static int keep_rest(struct h2_session *session, struct h2_stream *stream)
{
    struct h2_upload *upload = stream->upload;
    size_t rest = upload != NULL && !upload->lasts ? upload->len - upload->taken : 0;
    if (rest == 0)
        return 0;
    upload->copy = h2_memory_take(session->memory, rest);
    if (upload->copy == NULL)
        return -1;
    memcpy(upload->copy, upload->body + upload->taken, rest);
    upload->body = upload->copy;
    upload->len = rest;
    upload->taken = 0;
    return 0;
}

static void enlist(struct h2_session *session, struct h2_stream *stream)
{
    stream->previous = session->streams.previous;
    stream->next = &session->streams;
    stream->previous->next = stream;
    session->streams.previous = stream;
    session->current_id = 0; /* a frame for this stream may have come before there was one (PRIORITY) */
}

static const char *given_up(struct h2_session *session, struct h2_stream *stream, const char *why)
{
    h2_cancel(session, stream, NGHTTP2_CANCEL);
    return why;
}

static int begin_upload(struct h2_session *session, struct h2_stream *stream, const struct h2_request *request)
{
    stream->upload = h2_memory_take(session->memory, sizeof *stream->upload);
    if (stream->upload == NULL)
        return -1;
    *stream->upload = (struct h2_upload){
        .body = request->body, .len = request->body_len, .lasts = request->lasts, .ends = !request->more};
    return 0;
}

const char *h2_submit(struct h2_session *session, struct h2_stream *stream, const struct h2_request *request)
{
    bool has_data = request->more || request->body_len > 0;
    nghttp2_data_provider provider = {.read_callback = read_body};
    if (session->over != NULL)
        return session->over;
    if (has_data && begin_upload(session, stream, request) < 0)
        return "no memory for the request's body";
    int32_t id = nghttp2_submit_request(session->ng, NULL, request->fields, request->field_count,
                                        has_data ? &provider : NULL, stream);
    if (id < 0) {
        drop_upload(session, stream);
        return nghttp2_strerror(id);
    }
    stream->id = (uint32_t)id;
    stream->answer = (uint8_t)request->answer;
    enlist(session, stream);
    session->submitting = stream;
    h2_send(session);
    bool closed = session->submitting == NULL;
    session->submitting = NULL;
    if (closed)
        return "the session takes no new stream";
    if (stream->bytes_out == 0)
        return given_up(session, stream, session->over != NULL ? session->over : "the head could not be sent");
    if (!has_data) {
        stream->sent = true;
        session->callbacks->sent(session->arg, stream);
    } else if (keep_rest(session, stream) < 0) {
        return given_up(session, stream, "no memory for the request's body");
    }
    if (stream->id > LAST_ID)
        h2_no_more_streams(session);
    return NULL;
}

int h2_write(struct h2_session *session, struct h2_stream *stream, const uint8_t *data, size_t len, bool lasts,
             bool ends)
{
    struct h2_upload *upload = stream->upload;
    bool deferred = upload->deferred;
    *upload = (struct h2_upload){.body = data, .len = len, .lasts = lasts, .ends = ends};
    if (deferred) {
        nghttp2_session_resume_data(session->ng, (int32_t)stream->id);
    }
    if (!session->sending)
        h2_send(session);
    return keep_rest(session, stream);
}

/* ---- life -------------------------------------------------------------------------------------- */

static int make_ng(struct h2_session *session)
{
    nghttp2_session_callbacks *set = NULL;
    nghttp2_option *option = NULL;
    int status = -1;
    if (nghttp2_session_callbacks_new(&set) == 0 && nghttp2_option_new(&option) == 0) {
        h2_receive_set(set);
        nghttp2_session_callbacks_set_send_data_callback(set, write_data);
        nghttp2_option_set_no_http_messaging(option, 1); /* h2_message.c does that */
        nghttp2_option_set_no_auto_window_update(option, session->options.manual_window);
        nghttp2_option_set_max_deflate_dynamic_table_size(option, session->options.header_table);
        nghttp2_option_set_peer_max_concurrent_streams(option, session->options.streams_max);
#ifdef H2_WIDEN_CONTINUATIONS
        /* nghttp2 would count a frame as often as it comes in pieces; h2_receive.c counts frames. */
        nghttp2_option_set_max_continuations(option, SIZE_MAX);
#endif
        status = nghttp2_session_client_new3(&session->ng, set, session, option, &session->memory->hooks);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(set);
    return status == 0 ? 0 : -1;
}

/* A setting that says what holds anyway (RFC 9113 6.5.2) is left out. */
static int queue_settings(struct h2_session *session)
{
    const struct h2_options *options = &session->options;
    nghttp2_settings_entry entries[5] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                         {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, options->fields_size},
                                         {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options->stream_window}};
    size_t count = 3;
    if (options->header_table != NGHTTP2_DEFAULT_HEADER_TABLE_SIZE)
        entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, options->header_table};
    if (options->frame_max != H2_FRAME_MIN)
        entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_FRAME_SIZE, options->frame_max};
    if (nghttp2_submit_settings(session->ng, NGHTTP2_FLAG_NONE, entries, count) != 0)
        return -1;
    int32_t window = (int32_t)options->connection_window;
    return nghttp2_session_set_local_window_size(session->ng, NGHTTP2_FLAG_NONE, 0, window) == 0 ? 0 : -1;
}

struct h2_session *h2_session_new(const struct h2_options *options, const struct h2_callbacks *callbacks, void *arg,
                                  struct h2_memory *memory)
{
    h2_memory_seat(memory);
    struct h2_session *session = h2_memory_take_seat(memory, sizeof *session);
    int made = -1;
    if (session != NULL) {
        *session = (struct h2_session){.callbacks = callbacks, .arg = arg, .memory = memory, .options = *options};
        session->streams.next = session->streams.previous = &session->streams;
        made = make_ng(session);
    }
    h2_memory_seated(memory);
    if (made == 0 && queue_settings(session) == 0)
        return session;
    h2_session_free(session); /* NULL is taken */
    return NULL;
}

struct h2_stream *h2_forget(struct h2_session *session)
{
    struct h2_stream *stream = session->streams.next;
    if (stream == &session->streams)
        return NULL;
    h2_detach(session, stream);
    return stream;
}

void h2_session_free(struct h2_session *session)
{
    if (session == NULL)
        return;
    while (h2_forget(session) != NULL)
        ;
    nghttp2_session_del(session->ng);
    h2_memory_give(session->memory, session->text);
    h2_memory_give(session->memory, session->closed);
    h2_memory_give(session->memory, session);
}
