/* The step's option table and its checks. All that is constant is checked here, where an error can name the place in
 * the scenario; what varies is checked by request.c. */
#include "step.h"
#include "request.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const methods[] = {"GET",     "HEAD",    "POST",  "PUT",   "DELETE",
                                      "CONNECT", "OPTIONS", "TRACE", "PATCH", NULL};

const struct squall_option http_step_rows[HTTP_ROWS] = {
    [HTTP_METHOD] = {.name = "method",
                     .flag = "-X,--method",
                     .metavar = "METHOD",
                     .help = "request method",
                     .fallback = "GET",
                     .choices = methods,
                     .type = SQUALL_STRING,
                     .offset = offsetof(struct http_options, method)},
    [HTTP_PATH] = {.name = "path",
                   .help = "path and query, from its '/'; '*' with OPTIONS, host:port with CONNECT",
                   .fallback = "/",
                   .type = SQUALL_STRING,
                   .offset = offsetof(struct http_options, path),
                   .role = SQUALL_ROLE_URL_PATH},
    [HTTP_HEADERS] = {.name = "headers",
                      .flag = "-H,--header",
                      .metavar = "NAME: VALUE",
                      .help = "header fields to send; host, user-agent and accept replace the defaults",
                      .type = SQUALL_MAP,
                      .offset = offsetof(struct http_options, headers)},
    [HTTP_BODY] = {.name = "body",
                   .flag = "--body",
                   .metavar = "TEXT",
                   .help = "request body (as a flag also @FILE); its content-length is added",
                   .type = SQUALL_STRING,
                   .role = SQUALL_ROLE_FLAG_FILE,
                   .offset = offsetof(struct http_options, body)},
    [HTTP_JSON] = {.name = "json",
                   .flag = "--json",
                   .metavar = "JSON",
                   .help = "request body as JSON (as a flag also @FILE), of type application/json",
                   .type = SQUALL_TREE,
                   .role = SQUALL_ROLE_FLAG_FILE,
                   .offset = offsetof(struct http_options, json)},
    [HTTP_FORM] = {.name = "form",
                   .flag = "--form",
                   .metavar = "NAME: VALUE",
                   .help = "request body as a form, application/x-www-form-urlencoded",
                   .type = SQUALL_MAP,
                   .offset = offsetof(struct http_options, form)},
    [HTTP_MULTIPART] = {.name = "multipart",
                        .help = "request body as multipart/form-data; a value of @FILE or @FILE;type=TYPE is an upload",
                        .type = SQUALL_MAP,
                        .offset = offsetof(struct http_options, multipart),
                        .role = SQUALL_ROLE_FILE},
    [HTTP_FILE] = {.name = "file",
                   .help = "request body: the content of a file, sent from disk",
                   .type = SQUALL_STRING,
                   .offset = offsetof(struct http_options, file),
                   .role = SQUALL_ROLE_FILE},
    [HTTP_BASIC] = {.name = "basic",
                    .flag = "--basic",
                    .metavar = "USER:PASSWORD",
                    .help = "authorization by user and password",
                    .type = SQUALL_STRING,
                    .offset = offsetof(struct http_options, basic)},
    [HTTP_BEARER] = {.name = "bearer",
                     .flag = "--bearer",
                     .metavar = "TOKEN",
                     .help = "authorization by a token",
                     .type = SQUALL_STRING,
                     .offset = offsetof(struct http_options, bearer)},
    [HTTP_COMPRESSED] = {.name = "compressed",
                         .flag = "--compressed",
                         .help = "take compressed answers (gzip, deflate); undone where a body is looked at",
                         .type = SQUALL_BOOL,
                         .offset = offsetof(struct http_options, compressed)},
    [HTTP_REDIRECTS] = {.name = "redirects",
                        .help = "redirects on the same host that are followed, each an exchange of its own",
                        .fallback = "10",
                        .max = SQUALL_HOPS_MAX,
                        .type = SQUALL_UINT,
                        .offset = offsetof(struct http_options, redirects)},
    [HTTP_EXPECT] = {.name = "expect",
                     .flag = "--expect",
                     .metavar = "CODES",
                     .help = "status codes that are ok: 200, 2xx, 200-204,404",
                     .fallback = EXPECT_DEFAULT,
                     .type = SQUALL_STRING,
                     .offset = offsetof(struct http_options, expect)},
    [HTTP_EXPECT_CONTINUE] = {.name = "expect-continue",
                              .flag = "--expect-continue",
                              .metavar = "TIME",
                              .help = "HTTP/1.1: ask before a body is sent (Expect: 100-continue), for so long; 0s: never",
                              .fallback = "0s",
                              .type = SQUALL_DURATION,
                              .offset = offsetof(struct http_options, expect_continue)},
};

#define WHOLE_MAX 16384 /* bytes of a body that is kept with its head: a longer one is sent from where it lies */
#define AGENT     "squall/" SQUALL_VERSION

struct squall_bytes http_agent(void)
{
    return (struct squall_bytes){.data = (const uint8_t *)AGENT, .len = sizeof AGENT - 1};
}

enum h1_request_kind http_kind_of(struct squall_bytes method)
{
    if (h1_bytes_are(method, "HEAD"))
        return H1_REQUEST_HEAD;
    return h1_bytes_are(method, "CONNECT") ? H1_REQUEST_CONNECT : H1_REQUEST_OTHER;
}

/* `what "value": reason`, where the value is cut short and shows no control characters. */
static int32_t refuse(struct squall_error *error, const char *what, struct squall_bytes value, const char *reason)
{
    char shown[64];
    size_t len = value.len < sizeof shown - 1 ? (size_t)value.len : sizeof shown - 1;
    for (size_t i = 0; i < len; i++)
        shown[i] = value.data[i] < 0x20 || value.data[i] == 0x7f ? '?' : (char)value.data[i];
    shown[len] = '\0';
    snprintf(error->text, sizeof error->text, "%s \"%s\": %s", what, shown, reason);
    return -1;
}

/* Methods are case-sensitive (RFC 9110 9.1), so `get` is another method than GET, and never what was meant. */
static int32_t check_method(struct squall_bytes method, struct squall_error *error)
{
    const char *reason = h1_check_method(method);
    if (reason != NULL)
        return refuse(error, "method", method, reason);
    for (const char *const *known = methods; *known != NULL; known++) {
        size_t at = 0;
        while (at < method.len && (*known)[at] != '\0' && (method.data[at] & 0xdf) == (uint8_t)(*known)[at])
            at++;
        if (at == method.len && (*known)[at] == '\0' && !h1_bytes_are(method, *known)) {
            snprintf(error->text, sizeof error->text, "method \"%.*s\": methods are case-sensitive; write %s",
                     (int)method.len, (const char *)method.data, *known);
            return -1;
        }
    }
    return 0;
}

static int32_t check_constants(struct http_step *step, const struct http_options *options, struct squall_error *error)
{
    const uint64_t line = HTTP_BIT(HTTP_METHOD) | HTTP_BIT(HTTP_PATH);
    const char *reason;
    if (!(step->constant & HTTP_BIT(HTTP_REDIRECTS))) {
        snprintf(error->text, sizeof error->text, "redirects: cannot hold variables; write the number");
        return -1;
    }
    if (!(step->constant & HTTP_BIT(HTTP_EXPECT))) {
        snprintf(error->text, sizeof error->text, "expect: cannot hold variables; write the codes");
        return -1;
    }
    if (http_expect_parse(options->expect, &step->expect, error) < 0)
        return -1;
    if ((step->constant & HTTP_BIT(HTTP_METHOD)) && check_method(options->method, error) < 0)
        return -1;
    if ((step->constant & line) == line) {
        reason = h1_check_target(options->method, options->path);
        if (reason != NULL)
            return refuse(error, "path", options->path, reason);
    }
    if (step->fields_constant) {
        uint64_t culprit = 0;
        reason = h1_check_fields(&step->content.headers, &step->found, &culprit);
        if (reason != NULL)
            return refuse(error, "header", step->content.headers.pairs[culprit].name, reason);
    }
    if (step->fields_constant && step->body_constant) {
        reason = h1_check_length(&step->found, step->content.body.len);
        if (reason != NULL)
            return refuse(error, "header", (struct squall_bytes){(const uint8_t *)"content-length", 14}, reason);
    }
    return 0;
}

/* Writes ahead what will not change: the whole request, or its header block. The block depends on the method too, as
 * the Host of a CONNECT is its target. */
static int encode_constants(struct http_step *step, const struct http_options *options, struct squall_bytes authority)
{
    const uint64_t line = HTTP_BIT(HTTP_METHOD) | HTTP_BIT(HTTP_PATH);
    const struct http_content *content = &step->content;
    bool all = (step->constant & line) == line && step->fields_constant && step->body_constant && !content->pieces &&
               content->body.len <= WHOLE_MAX && (step->constant & HTTP_BIT(HTTP_EXPECT_CONTINUE)) &&
               options->expect_continue == 0;
    bool block = (step->constant & HTTP_BIT(HTTP_METHOD)) && step->fields_constant;
    if (!all && (!block || step->kind == H1_REQUEST_CONNECT))
        return 0;
    struct squall_bytes host = h1_host_of(options->method, options->path, authority);
    uint64_t size = h1_fields_size(&step->found, host, http_agent());
    if (all)
        size += h1_line_size(options->method, options->path) + H1_HEAD_END_MAX + content->body.len;
    step->memory = malloc(size);
    if (step->memory == NULL)
        return -1;
    uint8_t *at = step->memory;
    if (all)
        at += h1_write_line(at, options->method, options->path);
    at += h1_write_fields(at, &content->headers, &step->found, host, http_agent());
    if (all) {
        at += h1_write_head_end(at, options->method, content->body.len);
        for (uint64_t i = 0; i < content->body.len; i++)
            *at++ = content->body.data[i];
    }
    struct squall_bytes written = {.data = step->memory, .len = (uint64_t)(at - step->memory)};
    *(all ? &step->whole : &step->fields) = written;
    return 0;
}

static void release(struct http_step *step)
{
    free(step->memory);
    free(step->head_memory);
    free(step->content_memory);
    step->memory = step->content_memory = NULL;
    step->head_memory = NULL;
}

/* A failed init leaves nothing behind. */
static int32_t fail(struct http_step *step)
{
    release(step);
    return -1;
}

/* The fields and the body, each as far as it does not vary. A reason is about values; -1: no memory. */
static int make_content(struct http_step *step, const struct http_options *options, const char **ret_reason)
{
    bool type_known;
    const char *type = http_content_type(options, step->constant, &type_known);
    step->fields_constant = (step->constant & HTTP_FIELD_BITS) == HTTP_FIELD_BITS && type_known;
    step->body_constant = (step->constant & HTTP_BODY_BITS) == HTTP_BODY_BITS;
    *ret_reason = http_content_check(options);
    if (*ret_reason != NULL)
        return 0;
    uint64_t fields_room = step->fields_constant ? http_content_fields_room(options) : 0;
    uint64_t body_room = step->body_constant ? http_content_body_room(options) : 0;
    step->content_memory = malloc(fields_room + body_room + 1);
    if (step->content_memory == NULL)
        return -1;
    if (step->fields_constant)
        http_content_fields(options, type, step->content_memory, &step->content);
    if (step->body_constant)
        *ret_reason = http_content_body(options, step->content_memory + fields_room, &step->content);
    return 0;
}

int32_t http_step_init(struct squall_step *view, const void *constant_options, uint64_t constant,
                       struct squall_error *error)
{
    const struct http_options *options = constant_options;
    struct http_step *step = view->state;
    const char *reason = NULL;
    step->constant = constant;
    if (make_content(step, options, &reason) < 0)
        reason = "no memory for the request";
    if (reason != NULL) {
        snprintf(error->text, sizeof error->text, "%s", reason);
        return fail(step);
    }
    if (check_constants(step, options, error) < 0)
        return fail(step);
    step->expect_given = !h1_bytes_are(options->expect, EXPECT_DEFAULT);
    step->redirects = options->redirects;
    if (constant & HTTP_BIT(HTTP_METHOD)) {
        step->kind = http_kind_of(options->method);
        step->idempotent = http_method_idempotent(options->method);
        step->post = h1_bytes_are(options->method, "POST");
    }
    if (constant & HTTP_BIT(HTTP_PATH))
        step->path = options->path;
    if (encode_constants(step, options, view->target->authority) < 0 ||
        h2_head_prepare(step, options, view->target) < 0) {
        snprintf(error->text, sizeof error->text, "no memory for the request");
        return fail(step);
    }
    return 0;
}

void http_step_fini(struct squall_step *view)
{
    release(view->state);
}
