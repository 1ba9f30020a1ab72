/*
 * Answers: messages as their parts say, the status behind them, and all that a server should not do. nghttp2 asks for
 * bytes when windows and output have room for them; what comes next is decided then. See target_demo.h.
 */
#include "status.h"
#include "target_demo.h"
#include "target_fields.h"
#include <stdlib.h>

#define EXTRA_LENGTH 1000 /* what DEMO_BROKEN_LENGTH claims */
#define FIELDS_MAX   5

enum next { NEXT_MESSAGE, NEXT_LATER, NEXT_END };

void demo_out_fini(struct demo_call *call)
{
    free(call->out.memory);
    call->out.memory = NULL;
}

void demo_reset(struct demo_call *call)
{
    uint32_t code = call->ask.error_code ? call->ask.error_code : (uint32_t)NGHTTP2_INTERNAL_ERROR;
    call->resetting = true;
    nghttp2_submit_rst_stream(call->conn->h2.session, NGHTTP2_FLAG_NONE, call->id, code);
}

static bool is_late(const struct demo_call *call)
{
    return call->deadline_ns > 0 && demo_now_ns(call) >= call->deadline_ns;
}

/* answer() comes again for what is due next. */
static void arm(struct demo_call *call)
{
    uint64_t now_ns = demo_now_ns(call), at_ns = call->due_ns > now_ns ? call->due_ns : UINT64_MAX;
    if (call->deadline_ns > 0 && call->deadline_ns < at_ns)
        at_ns = call->deadline_ns;
    if (at_ns != UINT64_MAX && call->request != NULL)
        demo_host(call)->resume(call->request, at_ns > now_ns ? at_ns - now_ns : 0);
}

/* ---- messages ---- */

static void put_number(struct pb_out *out, uint32_t number, uint64_t value)
{
    if (value == 0)
        return;
    pb_put_varint(out, value);
    pb_put_varint(out, pb_tag(number, PB_VARINT));
}

/* An Answer; its payload comes last, so that the head is all that has to be kept. */
static void put_answer(struct demo_call *call, uint64_t size)
{
    struct pb_out head = {call->head, call->head + DEMO_HEAD_MAX, call->head + DEMO_HEAD_MAX};
    const struct demo_ask *ask = &call->ask;
    if (size > 0) {
        pb_put_varint(&head, size);
        pb_put_varint(&head, pb_tag(1, PB_LEN));
    }
    if (ask->tag_len > 0) {
        pb_put(&head, ask->tag, ask->tag_len);
        pb_put_varint(&head, ask->tag_len);
        pb_put_varint(&head, pb_tag(5, PB_LEN));
    }
    put_number(&head, 4, call->received_bytes);
    put_number(&head, 3, call->received_messages);
    put_number(&head, 2, ++call->number);
    uint64_t len = (uint64_t)(head.end - head.at) + size;
    uint32_t claimed = (uint32_t)len;
    if (ask->fault == DEMO_BROKEN_LENGTH)
        claimed += EXTRA_LENGTH;
    else if (ask->fault == DEMO_HUGE_LENGTH)
        claimed = UINT32_MAX;
    else if (ask->fault == DEMO_RESET_IN_MESSAGE)
        call->out.until_stop = (len + RPC_PREFIX) / 2;
    head.at -= RPC_PREFIX;
    rpc_frame_prefix(head.at, 0, claimed);
    call->out.head_at = (size_t)(head.at - call->head);
    call->out.left = size;
    if (claimed != len) { /* nothing can follow */
        call->ending = true;
        call->code = RPC_OK;
    }
}

/* How many entries the ask is answered with: one, where it lists none and wants no status instead. */
static uint32_t parts_of(const struct demo_ask *ask)
{
    return ask->part_count > 0 ? ask->part_count : ask->status == RPC_OK;
}

/* The next message of what is asked for, or the pause before it. */
static void next_part(struct demo_call *call)
{
    struct squall_server_run *run = call->conn->h2.conn->run;
    const struct squall_server_host *host = demo_host(call);
    const struct demo_ask *ask = &call->ask;
    static const struct demo_part plain = {.count = 1};
    const struct demo_part *part = ask->part_count > 0 ? &ask->parts[call->part] : &plain;
    if (part->has_delay && !call->paused) {
        call->paused = true;
        call->due_ns = demo_now_ns(call) + host->distribution_draw(run, &part->delay);
        return;
    }
    const struct squall_distribution *size = part->has_size  ? &part->size
                                             : ask->has_size ? &ask->size
                                                             : &((const struct demo_run *)run->state)->size;
    call->paused = false;
    put_answer(call, host->distribution_draw(run, size));
    if (++call->part_done == part->count) {
        call->part_done = 0;
        call->part++;
    }
}

/* What was asked for has been answered, but for the status that was wanted with it. */
static void end_ask(struct demo_call *call)
{
    const struct demo_ask *ask = &call->ask;
    call->asking = false;
    if (ask->status != RPC_OK)
        demo_fail(call, ask->status, "%.*s", (int)ask->message_len, (const char *)ask->message);
}

static enum next next(struct demo_call *call)
{
    while (!call->ending && !demo_out_pending(call)) {
        if (is_late(call)) {
            demo_fail(call, RPC_DEADLINE_EXCEEDED, "the deadline has passed");
        } else if (call->asking && call->due_ns > demo_now_ns(call)) {
            arm(call);
            return NEXT_LATER;
        } else if (call->asking && call->part == parts_of(&call->ask)) {
            end_ask(call);
        } else if (call->asking) {
            next_part(call);
        } else if (call->held.len > 0) {
            demo_take_held(call);
        } else if (call->stays || !call->ended) {
            return NEXT_LATER;
        } else {
            demo_check_end(call);
            end_ask(call);
            call->ending = true;
        }
    }
    return demo_out_pending(call) ? NEXT_MESSAGE : NEXT_END;
}

/* ---- bytes ---- */

static size_t put_out(struct demo_call *call, uint8_t *to, size_t room)
{
    struct demo_out *out = &call->out;
    if (room > out->until_stop)
        room = (size_t)out->until_stop;
    size_t head = DEMO_HEAD_MAX - out->head_at;
    if (head > room)
        head = room;
    memcpy(to, call->head + out->head_at, head);
    size_t rest = room - head < out->left ? room - head : (size_t)out->left;
    if (out->memory != NULL) {
        memcpy(to + head, out->at, rest);
        out->at += rest;
    } else {
        memset(to + head, 'x', rest);
    }
    out->head_at += head;
    out->left -= rest;
    if (out->until_stop != UINT64_MAX)
        out->until_stop -= head + rest;
    if (out->left == 0)
        demo_out_fini(call);
    return head + rest;
}

static nghttp2_nv field(const char *name, const char *value, size_t len)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), len,
                        NGHTTP2_NV_FLAG_NO_COPY_NAME};
}

/* The text of a status in fields. */
struct status_text {
    char code[2], message[RPC_MESSAGE_SIZE(DEMO_TEXT_MAX)];
};

/* Adds the status and its message; `text` has to last until they are submitted. */
static size_t put_status(const struct demo_call *call, nghttp2_nv *fields, size_t count, struct status_text *text)
{
    size_t len = 0;
    if (call->code >= 10)
        text->code[len++] = (char)('0' + call->code / 10);
    text->code[len++] = (char)('0' + call->code % 10);
    fields[count++] = field("grpc-status", text->code, len);
    len = rpc_message_encode(call->problem.text, strlen(call->problem.text), text->message);
    if (len > 0)
        fields[count++] = field("grpc-message", text->message, len);
    return count;
}

static int submit_trailers(struct demo_call *call)
{
    struct status_text text;
    nghttp2_nv fields[FIELDS_MAX];
    size_t count = put_status(call, fields, 0, &text);
    return nghttp2_submit_trailer(call->conn->h2.session, call->id, fields, count);
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *out, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *arg)
{
    struct demo_call *call = source->ptr;
    size_t count = 0;
    (void)session;
    (void)id;
    (void)arg;
    while (count < room && !call->resetting) {
        enum next what = next(call);
        if (what == NEXT_END) {
            *flags |= NGHTTP2_DATA_FLAG_EOF;
            if (call->ask.fault == DEMO_NO_TRAILERS)
                return (ssize_t)count;
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            return submit_trailers(call) ? NGHTTP2_ERR_CALLBACK_FAILURE : (ssize_t)count;
        }
        if (what == NEXT_LATER)
            break;
        count += put_out(call, out + count, room - count);
        if (call->out.until_stop == 0)
            demo_reset(call);
    }
    if (count > 0)
        return (ssize_t)count;
    call->deferred = true;
    return NGHTTP2_ERR_DEFERRED;
}

void demo_wake(struct demo_call *call)
{
    if (!call->deferred)
        return;
    call->deferred = false;
    nghttp2_session_resume_data(call->conn->h2.session, call->id);
}

/* ---- beginnings ---- */

/* An answer that is HTTP's alone. */
static void submit_http(struct demo_call *call)
{
    char status[3] = {(char)('0' + call->http_status / 100), (char)('0' + call->http_status / 10 % 10),
                      (char)('0' + call->http_status % 10)};
    const nghttp2_nv fields[] = {field(":status", status, sizeof status), field("content-type", "text/plain", 10)};
    nghttp2_submit_response(call->conn->h2.session, call->id, fields, 2, NULL);
}

/* A status without any message stands in the headers; OK behind no message does not, as it does not with other servers.
 */
static void submit_grpc(struct demo_call *call)
{
    struct status_text text;
    nghttp2_nv fields[FIELDS_MAX] = {field(":status", "200", 3), field("content-type", "application/grpc", 16),
                                     field("grpc-accept-encoding", "identity,gzip", 13)};
    nghttp2_data_provider provider = {.source.ptr = call, .read_callback = read_answer};
    bool alone = next(call) == NEXT_END && call->code != RPC_OK && call->ask.fault == DEMO_NO_FAULT;
    size_t count = alone ? put_status(call, fields, 3, &text) : 3;
    nghttp2_submit_response(call->conn->h2.session, call->id, fields, count, alone ? NULL : &provider);
}

static void submit_goaway(struct demo_call *call)
{
    nghttp2_session *session = call->conn->h2.session;
    int32_t last = nghttp2_session_get_last_proc_stream_id(session);
    bool fault = call->ask.fault == DEMO_GOAWAY;
    if (fault)
        last = call->id > 2 ? call->id - 2 : 0;
    if (nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, last, fault ? call->ask.error_code : NGHTTP2_NO_ERROR, NULL,
                              0) == 0)
        call->conn->own_goaways++;
}

static void begin(struct demo_call *call)
{
    const struct demo_ask *ask = &call->ask;
    call->begun = true;
    if (call->request->last)
        submit_goaway(call);
    if (call->http_status == 0)
        call->http_status = ask->http_status;
    if (ask->fault == DEMO_GOAWAY)
        return; /* it closes the stream */
    if (ask->fault == DEMO_RESET_BEFORE_HEADERS)
        demo_reset(call);
    else if (call->http_status > 0)
        submit_http(call);
    else
        submit_grpc(call);
    arm(call);
}

/* The deadline, in the middle of a message that the client does not take: no status can follow it. */
static void give_up(struct demo_call *call)
{
    call->ending = true;
    call->code = RPC_DEADLINE_EXCEEDED;
    call->ask.error_code = NGHTTP2_CANCEL;
    demo_reset(call);
}

void demo_answer(struct demo_call *call)
{
    if (!call->begun) {
        begin(call);
        return;
    }
    if (is_late(call) && demo_out_pending(call) && !call->resetting) {
        give_up(call);
        return;
    }
    demo_wake(call);
    if (!is_late(call))
        arm(call);
}
