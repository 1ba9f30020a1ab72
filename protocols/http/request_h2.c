/*
 * Making heads. Order: the pseudo-header fields (RFC 9113 8.3.1), then user-agent and accept unless the user gives
 * them, the user's fields in their order, content-length last, so that a step's head can be made without it.
 */
#include "request_h2.h"
#include "h1_scan.h"
#include "step.h"
#include <stdlib.h>
#include <string.h>

enum { METHOD, SCHEME, AUTHORITY, PATH, PSEUDO_FIELDS };
#define OTHER_FIELDS 3 /* user-agent, accept, content-length */

/* What belongs to a connection of HTTP/1.1 (RFC 9113 8.2.2), or is said in a pseudo-header field or by the writer. */
static bool left_out(struct squall_bytes name)
{
    static const char *const names[] = {"connection", "keep-alive",        "proxy-connection", "upgrade",
                                        "host",       "transfer-encoding", "content-length"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (h1_token_is(name.data, name.len, names[i], strlen(names[i])))
            return true;
    return false;
}

/* A field's value neither begins nor ends with white space (8.2.1). */
static struct squall_bytes trimmed(struct squall_bytes value)
{
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value.data++;
        value.len--;
    }
    while (value.len > 0 && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len--;
    return value;
}

static nghttp2_nv field(const uint8_t *name, size_t name_len, struct squall_bytes value)
{
    /* nghttp2 changes neither: its struct serves both directions. */
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value.data,
                        .namelen = name_len,
                        .valuelen = value.len,
                        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}
#define FIELD(literal, value) field((const uint8_t *)(literal), sizeof(literal) - 1, value)

static struct squall_bytes text(const char *literal)
{
    return (struct squall_bytes){.data = (const uint8_t *)literal, .len = strlen(literal)};
}

static struct squall_bytes digits_of(uint64_t number, uint8_t *memory)
{
    uint8_t *end = memory + H2_LENGTH_DIGITS, *digit = end;
    do {
        *--digit = (uint8_t)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return (struct squall_bytes){.data = digit, .len = (uint64_t)(end - digit)};
}

/* An empty path and one that begins with '?' are completed. `memory` takes path.len + 1 bytes. */
static struct squall_bytes whole_path(struct squall_bytes path, uint8_t *memory)
{
    if (path.len > 0 && path.data[0] != '?')
        return path;
    memory[0] = '/';
    if (path.len > 0)
        memcpy(memory + 1, path.data, path.len);
    return (struct squall_bytes){.data = memory, .len = path.len + 1};
}

/* CONNECT has no scheme and no path; its authority is what it names (8.5). */
static size_t put_pseudo_fields(nghttp2_nv *fields, const struct http_parts *parts, struct squall_bytes authority,
                                bool secure, uint8_t *memory)
{
    fields[METHOD] = FIELD(":method", parts->method);
    if (http_kind_of(parts->method) == H1_REQUEST_CONNECT) {
        fields[METHOD + 1] = FIELD(":authority", parts->path);
        return METHOD + 2;
    }
    fields[SCHEME] = FIELD(":scheme", text(secure ? "https" : "http"));
    fields[AUTHORITY] = FIELD(":authority", parts->found.host != NULL ? trimmed(parts->found.host->value) : authority);
    fields[PATH] = FIELD(":path", whole_path(parts->path, memory));
    return PSEUDO_FIELDS;
}

/* Names are in lower case (8.2.1). */
static size_t put_user_fields(nghttp2_nv *fields, const struct squall_map *headers, uint8_t *memory)
{
    size_t count = 0;
    for (uint64_t i = 0; i < headers->count; i++) {
        struct squall_bytes name = headers->pairs[i].name;
        if (left_out(name))
            continue;
        for (uint64_t j = 0; j < name.len; j++)
            memory[j] = (uint8_t)(name.data[j] >= 'A' && name.data[j] <= 'Z' ? name.data[j] | 0x20 : name.data[j]);
        fields[count++] = field(memory, name.len, trimmed(headers->pairs[i].value));
        memory += name.len;
    }
    return count;
}

size_t h2_head_size(const struct http_parts *parts)
{
    size_t size = (PSEUDO_FIELDS + OTHER_FIELDS + parts->headers->count) * sizeof(nghttp2_nv);
    for (uint64_t i = 0; i < parts->headers->count; i++)
        size += parts->headers->pairs[i].name.len;
    return size + H2_LENGTH_DIGITS + parts->path.len + 1;
}

struct h2_head h2_head_make(void *memory, const struct http_parts *parts, struct squall_bytes authority, bool secure)
{
    nghttp2_nv *fields = memory;
    uint8_t *more = (uint8_t *)(fields + PSEUDO_FIELDS + OTHER_FIELDS + parts->headers->count);
    uint8_t *names = more + H2_LENGTH_DIGITS + parts->path.len + 1;
    size_t count = put_pseudo_fields(fields, parts, authority, secure, more + H2_LENGTH_DIGITS);
    if (!parts->found.agent)
        fields[count++] = FIELD("user-agent", http_agent());
    if (!parts->found.accept)
        fields[count++] = FIELD("accept", text("*/*"));
    count += put_user_fields(fields + count, parts->headers, names);
    if (h1_length_wanted(parts->method, parts->body.len))
        fields[count++] = FIELD("content-length", digits_of(parts->body.len, more));
    return (struct h2_head){.fields = fields, .count = count};
}

/* ---- of a step --------------------------------------------------------------------------------- */

int h2_head_prepare(struct http_step *step, const struct http_options *options, const struct squall_target *target)
{
    const uint64_t line = HTTP_BIT(HTTP_METHOD) | HTTP_BIT(HTTP_PATH);
    struct http_parts parts = {
        .method = options->method, .path = options->path, .headers = &step->content.headers, .found = step->found};
    bool all = (step->constant & line) == line && step->fields_constant && step->body_constant;
    bool block = (step->constant & HTTP_BIT(HTTP_METHOD)) && step->fields_constant;
    if (!all && (!block || step->kind == H1_REQUEST_CONNECT))
        return 0;
    if (all)
        parts.body = step->content.body;
    step->head_memory = malloc(h2_head_size(&parts));
    if (step->head_memory == NULL)
        return -1;
    step->head = h2_head_make(step->head_memory, &parts, target->authority, target->secure != 0);
    step->head_whole = all;
    /* Made for an empty body: whether there is a length is for each exchange to say. */
    if (!all && h1_length_wanted(parts.method, 0))
        step->head.count--;
    return 0;
}

/* The step's fields with this exchange's path and length in their places. */
static struct h2_head filled(const struct http_step *step, const struct http_parts *parts, uint8_t *memory)
{
    nghttp2_nv *fields = (nghttp2_nv *)(void *)memory;
    size_t count = step->head.count;
    uint8_t *more = memory + (count + 1) * sizeof *fields;
    memcpy(fields, step->head.fields, count * sizeof *fields);
    fields[PATH] = FIELD(":path", whole_path(parts->path, more + H2_LENGTH_DIGITS));
    if (h1_length_wanted(parts->method, parts->body.len))
        fields[count++] = FIELD("content-length", digits_of(parts->body.len, more));
    return (struct h2_head){.fields = fields, .count = count, .changed = true};
}

struct h2_head h2_head_of(const struct squall_exchange *x, const struct http_parts *parts,
                          const struct squall_target *target, struct h2_memory *memory)
{
    const struct http_step *step = x->step->state;
    if (step->head_whole && !parts->altered)
        return step->head;
    bool prepared = step->head.count > 0 && !parts->altered;
    size_t size = prepared ? (step->head.count + 1) * sizeof(nghttp2_nv) + H2_LENGTH_DIGITS + parts->path.len + 1
                           : h2_head_size(parts);
    void *taken = h2_memory_take(memory, size);
    if (taken == NULL)
        return (struct h2_head){0};
    if (prepared)
        return filled(step, parts, taken);
    struct h2_head head = h2_head_make(taken, parts, target->authority, target->secure != 0);
    head.changed = true;
    return head;
}

void h2_head_done(struct h2_head *head, struct h2_memory *memory)
{
    if (head->changed)
        h2_memory_give(memory, head->fields);
}
