/* One exchange's request before it is written in any version of HTTP: rendered options in, checked parts out. */
#ifndef SQUALL_HTTP_REQUEST_H
#define SQUALL_HTTP_REQUEST_H
#include "h1_write.h"
#include <squall/plugin.h>
#include <stdbool.h>

/* Checked: whatever they hold, what is written of them is one request. Borrowed from the options. */
struct http_parts {
    struct squall_bytes method, path, body;
    const struct squall_map *headers;
    struct h1_fields found; /* in headers */
    bool body_lasts;        /* the body is run memory */
};

/* NULL, or a static reason why such a request is not sent. Only what varies is checked: step_init has seen the rest. */
const char *http_parts_gather(const struct squall_exchange *x, struct http_parts *ret_parts);

/* RFC 9110 9.2.2: sent twice it means the same as once. */
bool http_method_idempotent(struct squall_bytes method);

#endif
