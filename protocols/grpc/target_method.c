/* The methods that are served, and what a message does to a call of each. See target_demo.h. */
#include "status.h"
#include "target_demo.h"
#include "target_fields.h"
#include "target_reflection.h"
#include <stdlib.h>

/* ---- squall.demo.Demo ---- */

/* What only a call's beginning can ask for, since what it asks of is over by then. */
static bool is_too_late(const struct demo_ask *ask)
{
    return ask->stall_ns > 0 || ask->reset || ask->close || ask->http_status > 0 || ask->fault == DEMO_GOAWAY ||
           ask->fault == DEMO_RESET_BEFORE_HEADERS || ask->fault == DEMO_RESET_AFTER_HEADERS;
}

static void pause_first(struct demo_call *call)
{
    const struct demo_ask *ask = &call->ask;
    if (ask->has_delay)
        call->due_ns = demo_now_ns(call) + demo_host(call)->distribution_draw(call->conn->h2.conn->run, &ask->delay);
}

/* A part may describe it, as well as the message itself. */
static bool is_one_answer(const struct demo_ask *ask)
{
    return ask->part_count == 0 || (ask->part_count == 1 && ask->parts[0].count == 1 && ask->status == RPC_OK);
}

static void on_ask(struct demo_call *call, struct squall_bytes message)
{
    struct demo_ask *ask = &call->ask;
    enum demo_kind kind = call->method->kind;
    if (kind == DEMO_CHAT)
        memset(ask, 0, offsetof(struct demo_ask, tag));
    if (demo_ask_read(demo_host(call), message, ask, &call->problem) < 0) {
        char text[DEMO_TEXT_MAX + 1];
        memcpy(text, call->problem.text, sizeof text);
        memset(ask, 0, offsetof(struct demo_ask, tag)); /* no part of it holds */
        demo_fail(call, call->problem.code, "%s", text);
        return;
    }
    call->received_bytes += ask->payload_len;
    call->asking = true;
    call->part = call->part_done = 0;
    if ((kind == DEMO_UNARY || kind == DEMO_UPLOAD) && !is_one_answer(ask))
        demo_fail(call, RPC_INVALID_ARGUMENT, "parts: this method has one answer");
    else if (call->arrived && is_too_late(ask))
        demo_fail(call, RPC_INVALID_ARGUMENT,
                  "stall, reset, close, http_status and faults before the first answer: in a call's first message");
    else if (call->arrived)
        pause_first(call);
}

/* ---- grpc.health.v1.Health ---- */

enum { SERVING = 1, SERVICE_UNKNOWN = 3 };

/* 0 and whether the service is served, or -1: the call has failed. */
static int read_health(struct demo_call *call, struct squall_bytes message, bool *ret_known)
{
    struct pb_cursor cursor = {message.data, message.data + message.len};
    struct squall_bytes service = {NULL, 0};
    struct pb_item item;
    int result;
    while ((result = pb_next(&cursor, &item)) > 0)
        if (item.number == 1 && item.wire == PB_LEN)
            service = item.bytes;
    if (result < 0) {
        demo_fail(call, RPC_INTERNAL, "the bytes are no HealthCheckRequest");
        return -1;
    }
    *ret_known = service.len == 0 || demo_has_service(service);
    return 0;
}

static void put_health(struct demo_call *call, uint8_t status)
{
    const uint8_t message[RPC_PREFIX + 2] = {0, 0, 0, 0, 2, 1 << 3 | PB_VARINT, status};
    call->out.head_at = DEMO_HEAD_MAX - sizeof message;
    memcpy(call->head + call->out.head_at, message, sizeof message);
}

static void on_health_check(struct demo_call *call, struct squall_bytes message)
{
    bool known;
    if (read_health(call, message, &known) < 0)
        return;
    if (known)
        put_health(call, SERVING);
    else
        demo_fail(call, RPC_NOT_FOUND, "no such service");
}

static void on_health_watch(struct demo_call *call, struct squall_bytes message)
{
    bool known;
    if (read_health(call, message, &known) < 0)
        return;
    put_health(call, known ? SERVING : SERVICE_UNKNOWN);
    call->stays = true;
}

/* ---- grpc.reflection ---- */

static void on_reflection(struct demo_call *call, struct squall_bytes message)
{
    struct demo_out *out = &call->out;
    if (message.len > DEMO_REFLECTION_MAX) {
        demo_fail(call, RPC_RESOURCE_EXHAUSTED, "a question of more than %d bytes", DEMO_REFLECTION_MAX);
        return;
    }
    size_t room = demo_reflection_room(message);
    uint8_t *memory = malloc(room);
    int64_t len = memory != NULL ? demo_reflection_answer(message, memory, room) : 0;
    if (len <= 0) {
        free(memory);
        demo_fail(call, memory != NULL ? RPC_INTERNAL : RPC_RESOURCE_EXHAUSTED,
                  memory != NULL ? "the bytes are no ServerReflectionRequest" : "no memory");
        return;
    }
    demo_out_fini(call);
    out->memory = memory;
    out->at = memory + room - len;
    out->left = (uint64_t)len;
    out->head_at = DEMO_HEAD_MAX - RPC_PREFIX;
    rpc_frame_prefix(call->head + out->head_at, 0, (uint32_t)len);
}

#define DEMO       "/squall.demo.Demo/"
#define HEALTH     "/grpc.health.v1.Health/"
#define REFLECTION ".ServerReflection/ServerReflectionInfo"
static const struct demo_method methods[] = {
    {.path = DEMO "Unary", .kind = DEMO_UNARY, .message = on_ask},
    {.path = DEMO "Download", .kind = DEMO_DOWNLOAD, .message = on_ask},
    {.path = DEMO "Upload", .kind = DEMO_UPLOAD, .message = on_ask},
    {.path = DEMO "Chat", .kind = DEMO_CHAT, .message = on_ask},
    {.path = HEALTH "Check", .kind = DEMO_UNARY, .helper = true, .message = on_health_check},
    {.path = HEALTH "Watch", .kind = DEMO_DOWNLOAD, .helper = true, .message = on_health_watch},
    {.path = "/grpc.reflection.v1" REFLECTION, .kind = DEMO_CHAT, .helper = true, .message = on_reflection},
    {.path = "/grpc.reflection.v1alpha" REFLECTION, .kind = DEMO_CHAT, .helper = true, .message = on_reflection},
};

const struct demo_method *demo_method_find(struct squall_bytes path)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (strlen(methods[i].path) == path.len && memcmp(methods[i].path, path.data, path.len) == 0)
            return &methods[i];
    return NULL;
}
