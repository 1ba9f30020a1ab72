/* Gathering and checking the parts of a request of which at least one varies. */
#include "request.h"
#include "step.h"

const char *http_parts_gather(const struct squall_exchange *x, struct http_parts *ret_parts)
{
    const struct http_step *step = x->step->state;
    const struct http_options *options = x->options;
    const uint64_t line = HTTP_BIT(HTTP_METHOD) | HTTP_BIT(HTTP_PATH);
    struct http_parts parts = {.method = options->method,
                               .path = options->path,
                               .body = options->body,
                               .headers = &options->headers,
                               .found = step->found};
    const char *reason = NULL;
    if (!(step->constant & HTTP_BIT(HTTP_METHOD)))
        reason = h1_check_method(parts.method);
    if (reason == NULL && (step->constant & line) != line)
        reason = h1_check_target(parts.method, parts.path);
    if (reason == NULL && !(step->constant & HTTP_BIT(HTTP_HEADERS))) {
        uint64_t culprit = 0;
        reason = h1_check_fields(parts.headers, &parts.found, &culprit);
    }
    if (reason == NULL)
        reason = h1_check_length(&parts.found, parts.body.len);
    if (reason != NULL)
        return reason;
    if (step->constant & HTTP_BIT(HTTP_BODY)) {
        parts.body = step->body;
        parts.body_lasts = true;
    }
    *ret_parts = parts;
    return NULL;
}

bool http_method_idempotent(struct squall_bytes method)
{
    static const char *const names[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (h1_bytes_are(method, names[i]))
            return true;
    return false;
}
