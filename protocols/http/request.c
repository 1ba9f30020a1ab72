/*
 * Gathering and checking the parts of a request of which at least one varies: the step's options, rendered; the user's
 * cookies; where a redirect leads. What is made up for the request lies in the worker's scratch memory, whose size is
 * worked out before the first byte is written there.
 */
#include "request.h"
#include "client.h"
#include "plugin.h"
#include "step.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NS_PER_S      UINT64_C(1000000000)
#define ALIGNED(size) (((size) + 15u) & ~(uint64_t)15)

void http_scratch_fini(struct http_scratch *scratch)
{
    free(scratch->data);
    *scratch = (struct http_scratch){0};
}

static uint8_t *scratch_of(struct http_scratch *scratch, uint64_t size)
{
    if (scratch->data != NULL && size <= scratch->size)
        return scratch->data;
    uint64_t grown = size < 4096 ? 4096 : size + size / 2;
    uint8_t *data = malloc(grown); /* nothing of it is of use any more */
    if (data == NULL)
        return NULL;
    free(scratch->data);
    *scratch = (struct http_scratch){data, grown};
    return data;
}

static struct cookie_place place_of(const struct squall_conn *conn, struct squall_bytes path)
{
    return (struct cookie_place){.host = conn->target->host,
                                 .path = path,
                                 .secure = conn->target->secure != 0,
                                 .now_s = host_of(conn)->now_ns(conn->worker) / NS_PER_S};
}

/* NULL: there are none. */
static const struct cookies *cookies_of(const struct squall_conn *conn, const struct squall_exchange *x)
{
    const struct http_target *target = conn->target->state;
    const struct http_past *past = ((const struct http_user *)x->user->state)->past;
    return target->cookies && past != NULL && past->cookies.count > 0 ? &past->cookies : NULL;
}

bool http_as_written(const struct squall_conn *conn, const struct squall_exchange *x)
{
    return x->hop == 0 && cookies_of(conn, x) == NULL;
}

/* Method, path, and the body or its absence. */
static const char *gather_line(const struct squall_exchange *x, struct http_parts *parts)
{
    const struct http_step *step = x->step->state;
    const struct http_options *options = x->options;
    const uint64_t line = HTTP_BIT(HTTP_METHOD) | HTTP_BIT(HTTP_PATH);
    const struct http_trail *trail = x->hop > 0 ? http_trail_of(x) : NULL;
    const char *reason = NULL;
    parts->method = options->method;
    parts->path = options->path;
    if (!(step->constant & HTTP_BIT(HTTP_METHOD)))
        reason = h1_check_method(parts->method);
    if (trail != NULL) {
        static const uint8_t get[] = "GET";
        if (trail->get)
            parts->method = (struct squall_bytes){get, 3};
        parts->path = (struct squall_bytes){(const uint8_t *)trail->path, trail->len};
        parts->altered = true;
        return reason != NULL ? reason : h1_check_target(parts->method, parts->path);
    }
    if (reason == NULL && (step->constant & line) != line)
        reason = h1_check_target(parts->method, parts->path);
    /* The answer's cookies and redirects are seen against it. */
    if (reason == NULL && !(step->constant & HTTP_BIT(HTTP_PATH)) && http_answer_wanted(x) != H1_FIELDS_NONE &&
        http_trail_set(x, parts->path, false) < 0)
        reason = "no memory for the path";
    return reason;
}

/* Fields that are made for a hop without a body say nothing of one. */
static void drop_body_fields(struct squall_map *headers)
{
    struct squall_pair *pairs = (struct squall_pair *)(uintptr_t)headers->pairs; /* in scratch: ours */
    uint64_t kept = 0;
    for (uint64_t i = 0; i < headers->count; i++) {
        struct squall_bytes name = pairs[i].name;
        bool of_body = name.len > 8 && strncasecmp((const char *)name.data, "content-", 8) == 0;
        if (!of_body)
            pairs[kept++] = pairs[i];
    }
    headers->count = kept;
}

/* Room in scratch: the step's fields or those that are made, one more for cookies, their text, the body's texts. */
struct rooms {
    uint64_t fields, cookie, body;
    uint8_t *at;
};

static const char *gather_fields(const struct squall_conn *conn, const struct squall_exchange *x,
                                 const struct rooms *rooms, bool no_body, struct http_parts *parts)
{
    const struct http_step *step = x->step->state;
    struct http_content content = {0};
    uint64_t culprit = 0;
    if (step->fields_constant && rooms->cookie == 0 && !no_body) {
        parts->headers = &step->content.headers;
        parts->found = step->found;
        return NULL;
    }
    if (step->fields_constant) {
        content.headers =
            (struct squall_map){(const struct squall_pair *)(void *)rooms->at, step->content.headers.count};
        if (content.headers.count > 0)
            memcpy(rooms->at, step->content.headers.pairs, content.headers.count * sizeof(struct squall_pair));
    } else {
        bool known;
        const char *type = http_content_type(x->options, UINT64_MAX, &known);
        http_content_fields(x->options, type, rooms->at, &content);
    }
    if (no_body)
        drop_body_fields(&content.headers);
    if (rooms->cookie > 0) {
        struct cookie_place place = place_of(conn, parts->path);
        uint8_t *text = rooms->at + rooms->fields;
        struct squall_pair *pair = (struct squall_pair *)(uintptr_t)&content.headers.pairs[content.headers.count++];
        *pair = (struct squall_pair){.name = {(const uint8_t *)"Cookie", 6},
                                     .value = {text, cookies_write(cookies_of(conn, x), &place, text)}};
    }
    parts->altered = parts->altered || step->fields_constant;
    parts->own = content.headers;
    parts->headers = &parts->own;
    return h1_check_fields(parts->headers, &parts->found, &culprit);
}

static const char *gather_body(const struct squall_exchange *x, const struct rooms *rooms, struct http_parts *parts)
{
    const struct http_step *step = x->step->state;
    struct http_content content = step->content;
    const char *reason = NULL;
    if (!step->body_constant)
        reason = http_content_body(x->options, rooms->at + rooms->fields + rooms->cookie, &content);
    parts->body = content.body;
    parts->pieces = content.pieces;
    parts->piece_count = content.piece_count;
    parts->body_lasts = step->body_constant;
    return reason;
}

const char *http_parts_gather(const struct squall_conn *conn, const struct squall_exchange *x,
                              struct http_parts *ret_parts)
{
    const struct http_step *step = x->step->state;
    struct http_worker *worker = conn->worker->state;
    const struct cookies *cookies = cookies_of(conn, x);
    const struct http_trail *trail = x->hop > 0 ? http_trail_of(x) : NULL;
    bool no_body = trail != NULL && trail->get;
    struct http_parts *parts = ret_parts;
    struct rooms rooms = {0};
    *parts = (struct http_parts){0};
    const char *reason = gather_line(x, parts);
    if (reason != NULL)
        return reason;
    if (cookies != NULL) {
        struct cookie_place place = place_of(conn, parts->path);
        rooms.cookie = ALIGNED(cookies_size(cookies, &place));
    }
    if (!step->fields_constant)
        rooms.fields = http_content_fields_room(x->options) + sizeof(struct squall_pair);
    else if (rooms.cookie > 0 || no_body)
        rooms.fields = ALIGNED((step->content.headers.count + 1) * sizeof(struct squall_pair));
    if (!step->body_constant && !no_body)
        rooms.body = http_content_body_room(x->options);
    rooms.at = scratch_of(&worker->scratch, rooms.fields + rooms.cookie + rooms.body);
    if (rooms.at == NULL)
        return "no memory for the request";
    reason = gather_fields(conn, x, &rooms, no_body, parts);
    if (reason == NULL && !no_body)
        reason = gather_body(x, &rooms, parts);
    if (reason == NULL && !no_body)
        reason = h1_check_length(&parts->found, parts->body.len);
    return reason;
}

bool http_piece_lasts(const struct squall_exchange *x, const struct http_parts *parts, uint32_t piece)
{
    const struct http_options *options = x->options;
    return parts->body_lasts || (piece % 2 == 1 && options->multipart.pairs[piece / 2].file.len > 0);
}

bool http_method_idempotent(struct squall_bytes method)
{
    static const char *const names[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (h1_bytes_are(method, names[i]))
            return true;
    return false;
}
