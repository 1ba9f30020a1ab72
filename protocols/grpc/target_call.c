/* Calls: what nghttp2 says of their streams; arrival and end. See target_demo.h. */
#include "fields.h"
#include "status.h"
#include "target_demo.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct demo_run *run_of(const struct demo_conn *demo)
{
    return demo->h2.conn->run->state;
}

static struct demo_call *call_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* ---- beginning and end ---- */

static struct demo_call *take_call(struct demo_conn *demo, int32_t id)
{
    struct demo_run *run = run_of(demo);
    struct demo_call *call = run->free_calls;
    if (call != NULL)
        run->free_calls = call->next;
    else
        call = malloc(sizeof *call);
    if (call == NULL)
        return NULL;
    memset(call, 0, offsetof(struct demo_call, ask));
    memset(&call->ask, 0, offsetof(struct demo_ask, tag));
    call->conn = demo;
    call->id = id;
    call->out.head_at = DEMO_HEAD_MAX;
    call->out.until_stop = UINT64_MAX;
    call->next = demo->calls;
    if (call->next != NULL)
        call->next->previous = call;
    demo->calls = call;
    demo->h2.conn->coming++;
    return call;
}

static void release_call(struct demo_call *call)
{
    struct demo_conn *demo = call->conn;
    struct demo_run *run = run_of(demo);
    demo_buffers_fini(call);
    demo_out_fini(call);
    if (call->next != NULL)
        call->next->previous = call->previous;
    if (call->previous != NULL)
        call->previous->next = call->next;
    else
        demo->calls = call->next;
    call->next = run->free_calls;
    run->free_calls = call;
}

static uint32_t draw_code(const struct demo_call *call, const struct demo_mix *mix)
{
    uint32_t i = 0;
    if (mix->count == 1)
        return mix->code[0];
    double unit = demo_host(call)->random_unit(call->conn->h2.conn->run);
    while (i + 1 < mix->count && unit >= mix->upper[i])
        i++;
    return mix->code[i];
}

void demo_arrive(struct demo_call *call)
{
    static const struct squall_distribution at_once = {.kind = 0, .type = SQUALL_DURATION};
    struct squall_server_conn *conn = call->conn->h2.conn;
    struct demo_ask *ask = &call->ask;
    bool helper = call->method != NULL && call->method->helper;
    uint64_t now_ns = demo_now_ns(call);
    struct squall_server_arrival arrival = {
        .label = {call->path, call->path_len},
        .delay = helper           ? &at_once
                 : ask->has_delay ? &ask->delay
                                  : NULL,
        .stall_ns = ask->stall_ns,
        .reset = ask->reset,
        .last = ask->close || ask->fault == DEMO_GOAWAY,
    };
    if (call->deadline_ns > 0)
        arrival.within_ns = call->deadline_ns > now_ns ? call->deadline_ns - now_ns : 1;
    call->arrived = true;
    conn->coming--;
    call->request = conn->run->host->arrive(conn, &arrival);
    ((struct demo_request *)call->request->state)->call = call;
    if (!ask->has_status && !helper) {
        ask->status = draw_code(call, &run_of(call->conn)->mix);
        ask->has_status = true;
    }
}

void demo_fail(struct demo_call *call, uint32_t code, const char *format, ...)
{
    va_list arguments;
    if (call->ending)
        return;
    va_start(arguments, format);
    vsnprintf(call->problem.text, sizeof call->problem.text, format, arguments);
    va_end(arguments);
    call->ending = true;
    call->code = code;
    if (!call->arrived)
        demo_arrive(call);
    demo_wake(call);
}

/* ---- requests ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct demo_call *call = take_call(arg, frame->hd.stream_id);
    if (call == NULL)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, call);
    return 0;
}

static bool is(struct squall_bytes text, const char *what)
{
    return text.len == strlen(what) && memcmp(text.data, what, text.len) == 0;
}

/* application/grpc, and what may follow it: +proto, ;charset=... */
static bool is_grpc(struct squall_bytes type)
{
    static const char name[] = "application/grpc";
    const size_t len = sizeof name - 1;
    return type.len >= len && memcmp(type.data, name, len) == 0 &&
           (type.len == len || type.data[len] == '+' || type.data[len] == ';');
}

static void read_timeout(struct demo_call *call, struct squall_bytes value)
{
    uint64_t timeout_ns;
    call->bad_timeout = rpc_timeout_parse(value, &timeout_ns) < 0;
    if (!call->bad_timeout)
        call->deadline_ns = demo_now_ns(call) + timeout_ns;
}

static void read_field(struct demo_call *call, struct squall_bytes name, struct squall_bytes value)
{
    if (is(name, ":path")) {
        call->method = demo_method_find(value);
        call->path_len = (uint8_t)(value.len < sizeof call->path ? value.len : sizeof call->path);
        memcpy(call->path, value.data, call->path_len);
    } else if (is(name, ":method")) {
        call->is_post = is(value, "POST");
    } else if (is(name, "content-type")) {
        call->is_grpc = is_grpc(value);
    } else if (is(name, "grpc-timeout")) {
        read_timeout(call, value);
    } else if (is(name, "grpc-encoding")) {
        call->coding = is(value, "identity") ? CODING_NONE : is(value, "gzip") ? CODING_GZIP : CODING_OTHER;
    }
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
    struct demo_call *call = call_of(session, frame->hd.stream_id);
    (void)flags;
    (void)arg;
    if (call == NULL)
        return 0;
    call->header_size += name_len + value_len + 32; /* RFC 9113, 6.5.2 */
    if (call->header_size > DEMO_ENDLESS)
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        read_field(call, (struct squall_bytes){name, name_len}, (struct squall_bytes){value, value_len});
    return 0;
}

/* What the head of a request says against it. */
static void check_head(struct demo_call *call)
{
    if (!call->is_post || !call->is_grpc) {
        call->http_status = call->is_post ? 415 : 405;
        demo_fail(call, RPC_UNKNOWN, "this is no request of gRPC");
    } else if (call->header_size > DEMO_HEADERS_MAX) {
        demo_fail(call, RPC_RESOURCE_EXHAUSTED, "the metadata is longer than 64 KiB");
    } else if (call->method == NULL) {
        demo_fail(call, RPC_UNIMPLEMENTED, "no such method: squall.demo.Demo has Unary, Download, Upload, Chat");
    } else if (call->bad_timeout) {
        demo_fail(call, RPC_INTERNAL, "grpc-timeout is at most 8 digits and a unit");
    } else if (call->coding == CODING_OTHER) {
        demo_fail(call, RPC_UNIMPLEMENTED, "grpc-encoding: identity and gzip are known");
    }
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
    struct demo_call *call = call_of(session, id);
    (void)flags;
    (void)arg;
    if (call != NULL)
        demo_take(call, (struct squall_bytes){data, len});
    else
        nghttp2_session_consume(session, id, len);
    return 0;
}

static void end_request(struct demo_call *call)
{
    call->ended = true;
    if (call->method != NULL && call->method->kind == DEMO_UPLOAD)
        call->asking = true; /* whether there was a message or not */
    if (call->held.len == 0 && !call->ending)
        demo_check_end(call);
    if (!call->arrived)
        demo_arrive(call);
    demo_wake(call);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    (void)arg;
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct demo_call *call = call_of(session, frame->hd.stream_id);
    if (call == NULL)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        check_head(call);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        end_request(call);
    return 0;
}

/* However it ends: answered, or broken off by either side. */
static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *arg)
{
    struct demo_conn *demo = arg;
    struct demo_call *call = call_of(session, id);
    (void)error_code;
    if (call == NULL)
        return 0;
    if (!call->arrived)
        demo->h2.conn->coming--;
    if (call->request != NULL)
        demo_host(call)->finish(call->request, id > demo->last_stream ? SQUALL_SERVER_RESET : SQUALL_SERVER_ABORTED);
    release_call(call);
    return 0;
}

/* ---- answers ---- */

static void on_goaway_sent(struct demo_conn *demo, const nghttp2_goaway *goaway)
{
    /* One that we did not ask for is nghttp2's last word. */
    demo->failed = demo->failed || demo->own_goaways == 0;
    demo->own_goaways -= demo->own_goaways > 0;
    demo->last_stream = goaway->last_stream_id;
}

static void finish(struct demo_call *call, enum squall_server_outcome outcome)
{
    call->request->status = call->http_status ? call->http_status : call->code;
    demo_host(call)->finish(call->request, outcome);
    call->request = NULL;
}

/* A frame is wholly in the output. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    uint8_t type = frame->hd.type;
    if (type == NGHTTP2_GOAWAY)
        on_goaway_sent(arg, &frame->goaway);
    if (type != NGHTTP2_HEADERS && type != NGHTTP2_DATA && type != NGHTTP2_RST_STREAM)
        return 0;
    struct demo_call *call = call_of(session, frame->hd.stream_id);
    if (call == NULL || call->request == NULL)
        return 0;
    call->request->bytes += frame->hd.length + H2_FRAME_HEAD;
    if (type == NGHTTP2_RST_STREAM) {
        if (call->resetting)
            finish(call, SQUALL_SERVER_RESET);
    } else if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        finish(call, SQUALL_SERVER_ANSWERED);
        if (!call->ended) /* the client need not send the rest (RFC 9113, 8.1) */
            nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, call->id, NGHTTP2_NO_ERROR);
    } else if (type == NGHTTP2_HEADERS && call->ask.fault == DEMO_RESET_AFTER_HEADERS) {
        demo_reset(call);
    }
    return 0;
}

/* ---- connections ---- */

int demo_calls_init(struct demo_run *run)
{
    if (h2_server_run_init(&run->h2))
        return -1;
    nghttp2_session_callbacks *callbacks = run->h2.callbacks;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_option_set_no_auto_window_update(run->h2.option, 1);
    return 0;
}

void demo_calls_fini(struct demo_run *run)
{
    h2_server_run_fini(&run->h2);
    decoders_fini(&run->decoders);
    free(run->inflated.data);
    while (run->free_calls != NULL) {
        struct demo_call *call = run->free_calls;
        run->free_calls = call->next;
        free(call);
    }
}

int demo_conn_begin(struct squall_server_conn *conn, struct demo_conn *demo)
{
    const struct demo_options *options = conn->run->options;
    struct demo_run *run = conn->run->state;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (uint32_t)options->streams},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, DEMO_HEADERS_MAX},
    };
    demo->last_stream = INT32_MAX;
    if (h2_server_begin(&demo->h2, conn, &run->h2, demo) ||
        nghttp2_submit_settings(demo->h2.session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof settings[0]) ||
        nghttp2_session_set_local_window_size(demo->h2.session, NGHTTP2_FLAG_NONE, 0, DEMO_WINDOW))
        return -1;
    return 0;
}

void demo_conn_end(struct demo_conn *demo)
{
    h2_server_end(&demo->h2);
    while (demo->calls != NULL)
        release_call(demo->calls);
}
