/*
 * What the peer sends, as nghttp2 tells it. nghttp2 checks frames, HPACK and flow control, h2_message.c the rules of
 * messages; the bounds on what a peer may make us do without an answer coming of it are here.
 */
#include "h2_errors.h"
#include "h2_internal.h"
#include "h2_message.h"
#include <stdio.h>
#include <string.h>

/* ---- how streams end --------------------------------------------------------------------------- */

/* nghttp2 does not close it by itself next: it must forget whose it is. */
static void forget(struct h2_session *session, const struct h2_stream *stream)
{
    nghttp2_session_set_stream_user_data(session->ng, (int32_t)stream->id, NULL);
}

/* The answer breaks a rule or a limit: the stream is reset, the connection goes on. */
static void refuse(struct h2_session *session, struct h2_stream *stream, uint32_t code, const char *reason)
{
    const struct h2_end end = {.how = H2_MALFORMED, .code = code, .reason = reason};
    forget(session, stream);
    nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, (int32_t)stream->id, code);
    h2_end_stream(session, stream, &end);
}

/* false, and the stream has ended: what is said is wrong. */
static bool passes(struct h2_session *session, struct h2_stream *stream, const char *reason)
{
    if (reason == NULL)
        return true;
    refuse(session, stream, NGHTTP2_PROTOCOL_ERROR, reason);
    return false;
}

static void too_much(struct h2_session *session, struct h2_stream *stream, const char *what, uint32_t limit)
{
    char text[H2_TEXT_MAX];
    snprintf(text, sizeof text, "the answer has more than %u %s", (unsigned)limit, what);
    refuse(session, stream, NGHTTP2_ENHANCE_YOUR_CALM, text);
}

/* If our side is not through yet the rest of the request is not sent (8.1); a tunnel is closed. `closes`: nghttp2
 * closes the stream itself next. */
static void complete(struct h2_session *session, struct h2_stream *stream, bool closes)
{
    const struct h2_end end = {.how = H2_COMPLETE};
    if (!passes(session, stream, h2_message_end(stream)))
        return;
    if (closes && stream->sent) {
        session->ended_id = (int32_t)stream->id;
    } else {
        forget(session, stream);
        nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, (int32_t)stream->id, NGHTTP2_CANCEL);
    }
    h2_end_stream(session, stream, &end);
}

static void reset(struct h2_session *session, struct h2_stream *stream, uint32_t code)
{
    char text[H2_TEXT_MAX];
    const struct h2_end end = {
        .how = code == NGHTTP2_REFUSED_STREAM ? H2_UNTOUCHED : H2_RESET, .code = code, .reason = text};
    snprintf(text, sizeof text, "RST_STREAM: %s", h2_error_name(code));
    session->ended_id = (int32_t)stream->id;
    h2_end_stream(session, stream, &end);
}

/* nghttp2 found fault with a frame of the stream, and resets it. */
static void faulty(struct h2_session *session, struct h2_stream *stream)
{
    bool known = stream->id == (uint32_t)session->invalid_id;
    const struct h2_end end = {.how = H2_MALFORMED,
                               .code = NGHTTP2_PROTOCOL_ERROR,
                               .reason = known ? session->invalid : "a frame that its stream cannot have now"};
    h2_end_stream(session, stream, &end);
}

/* A stream that is still open here is closed by nghttp2: left out by a GOAWAY, or because a frame is wrong. */
static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
    struct h2_session *session = arg;
    (void)code;
    if (id == session->ended_id)
        return 0;
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(ng, id);
    if (stream == NULL)
        return 0;
    if (stream == session->submitting) { /* not even begun: h2_submit says so */
        session->submitting = NULL;
        h2_detach(session, stream);
        return 0;
    }
    if (!session->goaway || stream->id <= session->goaway_last) {
        faulty(session, stream);
        return 0;
    }
    char text[H2_TEXT_MAX];
    const struct h2_end end = {.how = H2_UNTOUCHED, .code = session->goaway_code, .reason = text};
    snprintf(text, sizeof text, "GOAWAY: %s, the request was not processed", h2_error_name(end.code));
    h2_end_stream(session, stream, &end);
    return 0;
}

/* ---- frames ------------------------------------------------------------------------------------ */

/* Frames that bring no exchange on are counted in a row. Any number of them costs no memory, but a peer that sends
 * nothing else would keep the session busy for ever. */
static int count_idle(struct h2_session *session, const nghttp2_frame_hd *head)
{
    bool useful = session->current != NULL &&
                  (head->type == NGHTTP2_HEADERS || head->type == NGHTTP2_RST_STREAM ||
                   (head->type == NGHTTP2_DATA && (head->length > 0 || (head->flags & NGHTTP2_FLAG_END_STREAM) != 0)));
    if (useful) {
        session->idle_frames = 0;
        return 0;
    }
    if (++session->idle_frames <= H2_IDLE_FRAMES_MAX)
        return 0;
    char why[H2_TEXT_MAX];
    snprintf(why, sizeof why, "%d frames in a row that bring no exchange on, the last of type %d", H2_IDLE_FRAMES_MAX,
             head->type);
    h2_over(session, NGHTTP2_ENHANCE_YOUR_CALM, why);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int count_continuation(struct h2_session *session)
{
    if (++session->continuations <= H2_CONTINUATION_MAX)
        return 0;
    char why[H2_TEXT_MAX];
    snprintf(why, sizeof why, "a header block in more than %d CONTINUATION frames", H2_CONTINUATION_MAX);
    h2_over(session, NGHTTP2_ENHANCE_YOUR_CALM, why);
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

/* A header or trailer section begins. */
static void begin_section(struct h2_session *session, struct h2_stream *stream)
{
    h2_message_section(&session->section, stream);
    if (stream->started)
        return;
    stream->started = true;
    if (session->callbacks->started != NULL)
        session->callbacks->started(session->arg, stream);
}

/* on_frame has not followed on_begin_frame: nghttp2 has refused the frame, and will reset the stream only when it sends
 * next. Its end is told now, so that it does not come behind what other streams bring in the same bytes. */
static void frame_refused(struct h2_session *session)
{
    struct h2_stream *stream = session->current;
    session->unfinished = false;
    if (stream == NULL)
        return;
    forget(session, stream);
    faulty(session, stream);
}

/* Frames of a stream that nghttp2 tells with on_frame, if it likes them. */
static bool is_told(uint8_t type)
{
    return type == NGHTTP2_HEADERS || type == NGHTTP2_DATA || type == NGHTTP2_RST_STREAM ||
           type == NGHTTP2_WINDOW_UPDATE;
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *head, void *arg)
{
    struct h2_session *session = arg;
    if (session->unfinished && head->type != NGHTTP2_CONTINUATION)
        frame_refused(session);
    if (head->type == NGHTTP2_PUSH_PROMISE) { /* nghttp2 takes it until our SETTINGS are acknowledged */
        h2_over(session, NGHTTP2_PROTOCOL_ERROR, "PUSH_PROMISE: push is switched off");
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    if (head->stream_id != session->current_id) {
        session->current_id = head->stream_id;
        session->current = head->stream_id == 0 ? NULL : nghttp2_session_get_stream_user_data(ng, head->stream_id);
    }
    struct h2_stream *stream = session->current;
    session->unfinished |= stream != NULL && is_told(head->type);
    if (stream != NULL)
        stream->bytes_in += H2_FRAME_HEAD + head->length;
    if (head->type == NGHTTP2_CONTINUATION)
        return count_continuation(session);
    if (head->type == NGHTTP2_HEADERS) {
        session->continuations = 0;
        if (stream != NULL)
            begin_section(session, stream);
    }
    return count_idle(session, head);
}

/* ---- fields ------------------------------------------------------------------------------------ */

/* Whether the owner is to be told of it, if it is in order. */
static bool is_wanted(const struct h2_session *session, const struct h2_stream *stream, const uint8_t *name,
                      size_t name_len)
{
    if (!stream->want_fields)
        return false;
    if (stream->field_lengths != 0 && (name_len > 31 || (stream->field_lengths >> name_len & 1) == 0))
        return false;
    return !session->section.interim && name_len > 0 && name[0] != ':' && session->callbacks->field != NULL;
}

/* The field breaks a limit or, by this reason, a rule. */
static __attribute__((noinline)) int refuse_field(struct h2_session *session, struct h2_stream *stream,
                                                  const char *reason)
{
    const struct h2_options *options = &session->options;
    if (session->section.fields_size > options->fields_size)
        too_much(session, stream, "bytes of header fields", options->fields_size);
    else if (session->section.fields > options->fields_max)
        too_much(session, stream, "header fields", options->fields_max);
    else
        refuse(session, stream, NGHTTP2_PROTOCOL_ERROR, reason);
    return 0;
}

/* These two are apart since most fields are told to nobody, and what those cost is what counts. */
static __attribute__((noinline)) int pass_over(struct h2_session *session, struct h2_stream *stream,
                                               const uint8_t *name, size_t name_len, const uint8_t *value,
                                               size_t value_len)
{
    const char *reason = h2_message_field(&session->section, stream, name, name_len, value, value_len);
    return reason == NULL ? 0 : refuse_field(session, stream, reason);
}

static __attribute__((noinline)) int tell_field(struct h2_session *session, struct h2_stream *stream,
                                                const uint8_t *name, size_t name_len, const uint8_t *value,
                                                size_t value_len)
{
    const char *reason = h2_message_field(&session->section, stream, name, name_len, value, value_len);
    if (reason != NULL)
        return refuse_field(session, stream, reason);
    const struct h2_field field = {.name = name,
                                   .value = value,
                                   .name_len = name_len,
                                   .value_len = value_len,
                                   .part = session->section.in_trailers ? H2_TRAILER : H2_HEAD};
    session->callbacks->field(session->arg, stream, &field);
    return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    struct h2_session *session = arg;
    struct h2_stream *stream = session->current;
    (void)ng;
    (void)frame;
    (void)flags;
    if (stream == NULL)
        return 0;
    const struct h2_options *options = &session->options;
    struct h2_section *section = &session->section;
    section->fields_size += (uint32_t)(name_len + value_len + 32); /* both below 64 KiB in nghttp2 */
    if (section->fields_size > options->fields_size || ++section->fields > options->fields_max)
        return refuse_field(session, stream, NULL);
    if (is_wanted(session, stream, name, name_len))
        return tell_field(session, stream, name, name_len, value, value_len);
    return pass_over(session, stream, name, name_len, value, value_len);
}

/* ---- whole frames ------------------------------------------------------------------------------ */

static void on_settings(struct h2_session *session)
{
    uint32_t limit = nghttp2_session_get_remote_settings(session->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    uint32_t capacity = limit < session->options.streams_max ? limit : session->options.streams_max;
    if (session->ready && capacity == session->capacity)
        return;
    session->ready = true;
    session->capacity = capacity;
    session->callbacks->capacity(session->arg, capacity);
}

static void on_goaway(struct h2_session *session, const nghttp2_goaway *goaway)
{
    session->goaway = true;
    session->goaway_last = (uint32_t)goaway->last_stream_id;
    session->goaway_code = goaway->error_code;
    size_t debug = goaway->opaque_data_len < 64 ? goaway->opaque_data_len : 64;
    if (session->closed == NULL)
        session->closed = h2_memory_take(session->memory, H2_TEXT_MAX);
    if (session->closed != NULL)
        snprintf(session->closed, H2_TEXT_MAX, "connection closed by the peer after GOAWAY: %s%s%.*s",
                 h2_error_name(goaway->error_code), debug > 0 ? ": " : "", (int)debug,
                 (const char *)goaway->opaque_data);
    h2_no_more_streams(session);
}

static void on_headers(struct h2_session *session, struct h2_stream *stream, uint8_t flags)
{
    bool ends = (flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!passes(session, stream, h2_message_head(&session->section, stream, ends)))
        return;
    if (session->section.interim) {
        if (++stream->interims > H2_INTERIM_MAX)
            too_much(session, stream, "interim heads", H2_INTERIM_MAX);
        return;
    }
    if (!session->section.in_trailers && session->callbacks->head != NULL)
        session->callbacks->head(session->arg, stream);
    bool tunnel = stream->answer == H2_ANSWER_CONNECT && stream->status < 300;
    if ((ends || tunnel) && session->current != NULL)
        complete(session, stream, ends);
}

static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
    struct h2_session *session = arg;
    struct h2_stream *stream = session->current;
    (void)ng;
    session->unfinished = false;
    if (frame->hd.type == NGHTTP2_SETTINGS && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0)
        on_settings(session);
    else if (frame->hd.type == NGHTTP2_GOAWAY)
        on_goaway(session, &frame->goaway);
    else if (stream == NULL)
        return 0;
    else if (frame->hd.type == NGHTTP2_HEADERS)
        on_headers(session, stream, frame->hd.flags);
    else if (frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
        complete(session, stream, true);
    else if (frame->hd.type == NGHTTP2_RST_STREAM)
        reset(session, stream, frame->rst_stream.error_code);
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
    struct h2_session *session = arg;
    struct h2_stream *stream = session->current;
    size_t good = 0;
    (void)flags;
    if (stream == NULL) {
        if (session->options.manual_window) /* given up: nobody else will say that it has been used */
            nghttp2_session_consume(ng, id, len);
        return 0;
    }
    const char *reason = h2_message_data(stream, len, &good);
    if (good > 0)
        session->callbacks->data(session->arg, stream, data, good);
    if (session->current != NULL)
        passes(session, stream, reason);
    return 0;
}

/* ---- faults ------------------------------------------------------------------------------------ */

/* Of a fault of the connection nghttp2 will say more in its GOAWAY; one of a stream (a window that grows too large)
 * ends it here, as what comes next in the same bytes may end the session. */
static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int fault, void *arg)
{
    struct h2_session *session = arg;
    (void)ng;
    session->invalid_id = frame->hd.stream_id;
    session->invalid = nghttp2_strerror(fault);
    if (frame->hd.type == NGHTTP2_WINDOW_UPDATE && fault == NGHTTP2_ERR_FLOW_CONTROL)
        frame_refused(session);
    return 0;
}

void h2_receive_set(nghttp2_session_callbacks *set)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(set, on_begin_frame);
    nghttp2_session_callbacks_set_on_header_callback(set, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(set, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(set, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(set, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(set, on_invalid_frame);
}

const char *h2_receive(struct h2_session *session, const uint8_t *data, size_t len)
{
    if (session->over != NULL || h2_is_through(session))
        return session->over;
    for (size_t i = 0; i < len && session->first_len < sizeof session->first; i++)
        session->first[session->first_len++] = data[i];
    ssize_t used = nghttp2_session_mem_recv(session->ng, data, len);
    if (used < 0) {
        const char *why =
            used == NGHTTP2_ERR_FLOODED ? "the peer asks for more answers than it reads" : nghttp2_strerror((int)used);
        h2_over(session, used == NGHTTP2_ERR_FLOODED ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_INTERNAL_ERROR, why);
        nghttp2_session_terminate_session(session->ng, session->over_code);
    }
    return h2_send(session);
}
