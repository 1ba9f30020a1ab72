/* Steps: checks, header fields and messages that never change. See step.h. */
#include "step.h"
#include "base64.h"
#include "fields.h"
#include "frame.h"
#include "json.h"
#include "status.h"
#include "target.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ---- */

static int refuse(struct squall_error *error, const char *text)
{
    snprintf(error->text, sizeof error->text, "%s", text);
    return -1;
}

static int parse_count(struct squall_bytes text, const char *row, uint64_t *ret_count, struct squall_error *error)
{
    uint64_t count = 0;
    bool number = text.len > 0 && text.len < 10;
    for (uint64_t i = 0; i < text.len; i++) {
        number = number && text.data[i] >= '0' && text.data[i] <= '9';
        count = count * 10 + (uint64_t)(text.data[i] - '0');
    }
    if (number) {
        *ret_count = count;
        return 0;
    }
    snprintf(error->text, sizeof error->text, "%s: \"%.*s\" is no number of messages", row,
             (int)(text.len < 40 ? text.len : 40), (const char *)text.data);
    return -1;
}

static int check_constants(const struct rpc_step *step, struct squall_error *error)
{
    static const uint64_t may_vary = RPC_BIT(RPC_MESSAGE) | RPC_BIT(RPC_SEND) | RPC_BIT(RPC_METADATA);
    for (unsigned row = 0; row < RPC_ROWS; row++) {
        if ((step->constant | may_vary) & RPC_BIT(row))
            continue;
        snprintf(error->text, sizeof error->text, "%s: cannot hold variables; only messages and metadata do",
                 rpc_step_rows[row].name);
        return -1;
    }
    return 0;
}

static int check_counts(struct rpc_step *step, struct squall_error *error)
{
    const struct rpc_step_options *options = step->options;
    step->receive = step->cancel_after = RPC_NO_COUNT;
    bool all = options->receive.len == 3 && memcmp(options->receive.data, "all", 3) == 0;
    if (!all && parse_count(options->receive, "receive", &step->receive, error) < 0)
        return -1;
    if (options->cancel_after.len > 0 &&
        parse_count(options->cancel_after, "cancel-after", &step->cancel_after, error) < 0)
        return -1;
    if (step->receive == 0)
        return refuse(error, "receive: 0 messages are no answer; write all, or how many");
    return 0;
}

static int check_metadata(const struct rpc_step *step, struct squall_error *error)
{
    const struct squall_map *map = &step->options->metadata;
    for (uint64_t i = 0; i < map->count; i++) {
        struct squall_bytes name = map->pairs[i].name;
        const char *reason = rpc_metadata_check_name(name);
        if (reason == NULL && (step->constant & RPC_BIT(RPC_METADATA)))
            reason = rpc_metadata_check_value(name, map->pairs[i].value);
        if (reason == NULL)
            continue;
        snprintf(error->text, sizeof error->text, "metadata \"%.*s\": %s", (int)(name.len < 80 ? name.len : 80),
                 (const char *)name.data, reason);
        return -1;
    }
    return 0;
}

/* ---- header fields ---- */

static nghttp2_nv field_of(const char *name, const void *value, size_t len)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = len,
                        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static nghttp2_nv field_text(const char *name, const char *value)
{
    return field_of(name, value, strlen(value));
}

const char *rpc_metadata_append(const struct squall_map *map, nghttp2_nv *fields, struct rpc_buffer *out)
{
    size_t room = 0;
    for (uint64_t i = 0; i < map->count; i++)
        room += RPC_BASE64_SIZE(map->pairs[i].value.len);
    uint8_t *at = rpc_buffer_reserve(out, room);
    if (at == NULL)
        return "no memory for the metadata";
    for (uint64_t i = 0; i < map->count; i++) {
        struct squall_bytes name = map->pairs[i].name, value = map->pairs[i].value;
        const char *reason = rpc_metadata_check(name, value); /* names too: step_init sees none where a value varies */
        if (reason != NULL)
            return reason;
        if (rpc_metadata_is_binary(name)) {
            value.len = rpc_base64_encode(value.data, value.len, 0, (char *)at);
            value.data = at;
            at += value.len;
        }
        fields[i] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.data,
                                 .value = (uint8_t *)(uintptr_t)value.data,
                                 .namelen = name.len,
                                 .valuelen = value.len,
                                 .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
    }
    out->len = (size_t)(at - out->data);
    return NULL;
}

static int make_fields(struct rpc_step *step, struct squall_error *error)
{
    const struct rpc_target *target = step->target;
    const struct squall_map *metadata = &step->options->metadata;
    bool constant = (step->constant & RPC_BIT(RPC_METADATA)) != 0;
    size_t count = 0;
    nghttp2_nv *fields = calloc(10 + metadata->count, sizeof *fields);
    struct rpc_buffer memory = {0};
    if (fields == NULL)
        return refuse(error, "no memory for the header fields");
    fields[count++] = field_text(":method", "POST");
    fields[count++] = field_text(":scheme", target->secure ? "https" : "http");
    fields[count++] = field_text(":path", step->method.path);
    fields[count++] = field_of(":authority", target->authority.data, target->authority.len);
    fields[count++] = field_text("content-type", "application/grpc");
    fields[count++] = field_text("te", "trailers");
    fields[count++] = field_of("user-agent", target->options->user_agent.data, target->options->user_agent.len);
    if (step->options->deadline_ns > 0)
        fields[count++] =
            field_of("grpc-timeout", step->timeout, rpc_timeout_write(step->options->deadline_ns, step->timeout));
    if (step->options->compression == RPC_GZIP) {
        fields[count++] = field_text("grpc-encoding", "gzip");
        fields[count++] = field_text("grpc-accept-encoding", "identity,gzip");
    }
    const char *reason = constant ? rpc_metadata_append(metadata, fields + count, &memory) : NULL;
    free(step->fields);
    free(step->field_memory);
    step->fields = fields;
    step->field_count = count + (constant ? metadata->count : 0);
    step->field_memory = memory.data;
    return reason == NULL ? 0 : refuse(error, reason);
}

/* ---- messages ---- */

static const char *no_memory = "no memory for the message";

/* Compresses what is behind `at`, prefix and message, in place. */
static const char *compress_frame(struct rpc_gzip *gzip, struct rpc_buffer *out, size_t at)
{
    size_t len = out->len - at - RPC_PREFIX, room = rpc_gzip_room(len);
    uint8_t *behind = rpc_buffer_reserve(out, room);
    if (behind == NULL)
        return no_memory;
    size_t packed = rpc_gzip_write(gzip, out->data + at + RPC_PREFIX, len, behind, room);
    if (packed == 0)
        return "no memory to compress the message";
    memmove(out->data + at + RPC_PREFIX, behind, packed);
    rpc_frame_prefix(out->data + at, 1, (uint32_t)packed);
    out->len = at + RPC_PREFIX + packed;
    return NULL;
}

/* Only a script has such: no field of it is known before. */
static const char *append_loose(const struct rpc_step *step, const char *text, struct rpc_gzip *gzip,
                                struct rpc_buffer *out, char reason[RPC_REASON_MAX])
{
    struct squall_error error = {""};
    bool none = text == NULL || *text == '\0';
    struct rpc_message message = {
        .template = pb_template_new(step->method.input, none ? "{}" : text, none ? 2 : strlen(text), NULL, 0, &error)};
    if (message.template == NULL) {
        snprintf(reason, RPC_REASON_MAX, "message: %.180s", error.text);
        return reason;
    }
    const char *why = rpc_message_append(step, &message, NULL, NULL, gzip, out, reason);
    pb_template_free(message.template);
    return why;
}

const char *rpc_message_append(const struct rpc_step *step, const struct rpc_message *message, const char *text,
                               const struct squall_hole *holes, struct rpc_gzip *gzip, struct rpc_buffer *out,
                               char reason[RPC_REASON_MAX])
{
    const struct squall_bytes *binary = &step->options->binary;
    size_t hole = 0, at = out->len;
    if (message->loose)
        return append_loose(step, text, gzip, out, reason);
    if (holes != NULL && message->template != NULL)
        holes += message->first_hole;
    size_t room = message->template == NULL ? binary->len : pb_template_room(message->template, holes);
    if (rpc_buffer_reserve(out, room + RPC_PREFIX) == NULL)
        return no_memory;
    uint8_t *begin = out->data + at + RPC_PREFIX;
    struct pb_out writer = {begin, begin + room, begin + room};
    if (message->template == NULL) {
        writer.at = begin;
        memcpy(begin, binary->data, binary->len);
    } else {
        const char *why = pb_template_write(message->template, text, holes, &writer, &hole);
        if (why != NULL) {
            snprintf(reason, RPC_REASON_MAX, "message: %.100s: %.80s", pb_template_path(message->template, hole), why);
            return reason;
        }
    }
    size_t len = (size_t)(writer.end - writer.at);
    if (len > step->target->options->max_send)
        return "the message is larger than max-send";
    memmove(begin, writer.at, len);
    rpc_frame_prefix(out->data + at, 0, (uint32_t)len);
    out->len = at + RPC_PREFIX + len;
    return step->options->compression == RPC_GZIP && !step->target->plain ? compress_frame(gzip, out, at) : NULL;
}

const struct squall_tree *rpc_step_tree(const struct rpc_step *step, const struct rpc_step_options *options)
{
    return step->options->send.text.len > 0 ? &options->send : &options->message;
}

/* One message from a piece of the tree's text. */
static int add_message(struct rpc_step *step, const struct squall_tree *tree, size_t at, size_t len, uint64_t *hole,
                       struct squall_error *error)
{
    struct rpc_message *grown = realloc(step->messages, (step->message_count + 1) * sizeof *grown);
    if (grown == NULL)
        return refuse(error, no_memory);
    step->messages = grown;
    struct rpc_message *message = &grown[step->message_count];
    *message = (struct rpc_message){.first_hole = *hole};
    while (*hole < tree->hole_count && tree->holes[*hole].at < at + len)
        ++*hole;
    uint64_t count = *hole - message->first_hole;
    struct squall_hole *holes = calloc(count + 1, sizeof *holes);
    if (holes == NULL)
        return refuse(error, no_memory);
    for (uint64_t i = 0; i < count; i++)
        holes[i] = (struct squall_hole){tree->holes[message->first_hole + i].at - at,
                                        tree->holes[message->first_hole + i].len};
    message->template =
        pb_template_new(step->method.input, (const char *)tree->text.data + at, len, holes, count, error);
    free(holes);
    if (message->template == NULL)
        return -1;
    step->message_count++;
    return 0;
}

/* `send` is a list, and each of its elements a message. */
static int add_list(struct rpc_step *step, const struct squall_tree *tree, struct squall_error *error)
{
    struct pb_json json = {(const char *)tree->text.data, tree->text.len, 0};
    uint64_t hole = 0;
    if (!pb_json_take(&json, '['))
        return refuse(error, "send: write a list of messages");
    if (pb_json_take(&json, ']'))
        return 0;
    do {
        pb_json_peek(&json);
        size_t at = json.at;
        const char *reason = pb_json_skip(&json);
        if (reason != NULL)
            return refuse(error, reason);
        if (add_message(step, tree, at, json.at - at, &hole, error) < 0) {
            char text[400];
            snprintf(text, sizeof text, "%.399s", error->text);
            snprintf(error->text, sizeof error->text, "send[%lu]: %s", (unsigned long)step->message_count, text);
            return -1;
        }
    } while (pb_json_take(&json, ','));
    return 0;
}

static int add_empty(struct rpc_step *step, struct squall_error *error)
{
    static const struct squall_tree empty = {.text = {(const uint8_t *)"{}", 2}};
    uint64_t hole = 0;
    return add_message(step, &empty, 0, 2, &hole, error);
}

static int add_loose(struct rpc_step *step, struct squall_error *error)
{
    step->messages = calloc(1, sizeof *step->messages);
    if (step->messages == NULL)
        return refuse(error, no_memory);
    step->messages->loose = true;
    step->message_count = 1;
    return 0;
}

static int add_binary(struct rpc_step *step, struct squall_error *error)
{
    step->messages = calloc(1, sizeof *step->messages);
    step->message_count = step->messages != NULL ? 1 : 0;
    return step->messages != NULL ? 0 : refuse(error, no_memory);
}

static int add_messages(struct rpc_step *step, struct squall_error *error)
{
    const struct rpc_step_options *options = step->options;
    bool message = options->message.text.len > 0, send = options->send.text.len > 0, binary = options->binary.len > 0;
    uint64_t hole = 0;
    if (message + send + binary > 1)
        return refuse(error, "a call has one of message, send and binary; keep one");
    if (send && !step->method.client_streams)
        return refuse(error, "send: the method takes one request, not a stream of them; write message");
    if (binary)
        return add_binary(step, error);
    if (send)
        return add_list(step, &options->send, error);
    if (message)
        return add_message(step, &options->message, 0, options->message.text.len, &hole, error);
    if (!(step->constant & RPC_BIT(RPC_SEND)))
        return refuse(error, "send: a script gives one message, and how often it is sent; write message and repeat");
    if (!(step->constant & RPC_BIT(RPC_MESSAGE)))
        return add_loose(step, error);
    return step->method.client_streams ? 0 : add_empty(step, error);
}

/* Messages without variables are encoded here, once. */
static int encode_constants(struct rpc_step *step, struct squall_error *error)
{
    struct rpc_gzip gzip = {0};
    char reason[RPC_REASON_MAX];
    const char *why = NULL;
    step->messages_constant = true;
    for (uint64_t i = 0; i < step->message_count && why == NULL; i++) {
        struct rpc_message *message = &step->messages[i];
        struct rpc_buffer out = {0};
        if (message->loose || (message->template != NULL && pb_template_holes(message->template) > 0)) {
            step->messages_constant = false;
            continue;
        }
        why = rpc_message_append(step, message, NULL, NULL, &gzip, &out, reason);
        message->framed = out.data;
        message->framed_len = out.len;
    }
    rpc_gzip_fini(&gzip);
    return why == NULL ? 0 : refuse(error, why);
}

static int check_stream(struct rpc_step *step, struct squall_error *error)
{
    const struct rpc_step_options *options = step->options;
    const struct pb_method *method = &step->method;
    step->total = options->repeat == 0 ? RPC_NO_COUNT : options->repeat * step->message_count;
    if (!method->client_streams && (options->repeat != 1 || options->for_ns > 0 || options->every_ns > 0))
        return refuse(error, "repeat, for and every are for streams of requests; this method takes one");
    if (options->ping_pong && !(method->client_streams && method->server_streams))
        return refuse(error, "ping-pong: the method does not stream in both directions");
    if (!method->server_streams && step->receive != RPC_NO_COUNT)
        return refuse(error, "receive: the method answers with one message");
    if (step->total == RPC_NO_COUNT &&
        (step->message_count == 0 || (options->for_ns == 0 && step->receive == RPC_NO_COUNT &&
                                      step->cancel_after == RPC_NO_COUNT && options->deadline_ns == 0)))
        return refuse(error, step->message_count == 0
                                 ? "repeat: there is no message to repeat; write send or message"
                                 : "repeat: 0 needs an end; write for, receive, cancel-after or deadline");
    return 0;
}

static void free_messages(struct rpc_step *step)
{
    for (uint64_t i = 0; i < step->message_count; i++) {
        pb_template_free(step->messages[i].template);
        free(step->messages[i].framed);
    }
    free(step->messages);
    step->messages = NULL;
    step->message_count = 0;
}

/* Once more where another connection has asked again: what there was goes. */
int rpc_step_bind(struct rpc_step *step, struct pb_schema *schema, struct squall_error *error)
{
    free_messages(step);
    return pb_schema_method(schema, (const char *)step->options->method.data, &step->method, error) < 0 ||
                   add_messages(step, error) < 0 || check_stream(step, error) < 0 ||
                   encode_constants(step, error) < 0 || make_fields(step, error) < 0
               ? -1
               : 0;
}

/* ---- life ---- */

int32_t rpc_step_init(struct squall_step *view, const void *constant_options, uint64_t constant,
                      struct squall_error *error)
{
    struct rpc_step *step = view->state;
    struct rpc_target *target = view->target->state;
    *step = (struct rpc_step){.view = view, .target = target, .options = constant_options, .constant = constant};
    if (check_constants(step, error) < 0 || check_counts(step, error) < 0 || check_metadata(step, error) < 0 ||
        rpc_expect_parse(step->options->expect, &step->expect, error) < 0)
        return -1;
    if (!rpc_target_reflects(target) && rpc_step_bind(step, target->schema, error) < 0) {
        rpc_step_fini(view);
        return -1;
    }
    *target->steps_end = step;
    target->steps_end = &step->next;
    return 0;
}

void rpc_step_fini(struct squall_step *view)
{
    struct rpc_step *step = view->state;
    free_messages(step);
    free(step->fields);
    free(step->field_memory);
    *step = (struct rpc_step){0};
}
