/* One exchange's request before it is written in any version of HTTP: rendered options in, checked parts out. */
#ifndef SQUALL_HTTP_REQUEST_H
#define SQUALL_HTTP_REQUEST_H
#include "h1_write.h"
#include <squall/plugin.h>
#include <stdbool.h>

/* Checked: whatever they hold, what is written of them is one request. Borrowed from the options and from
 * the worker's scratch; not to be moved. */
struct http_parts {
    struct squall_bytes method, path, body;
    const struct squall_map *headers;
    const struct squall_bytes *pieces; /* NULL, or what the body, which then is a length only, is made of */
    uint32_t piece_count;
    struct h1_fields found; /* in headers */
    bool body_lasts;        /* the body, or each of its pieces, is run memory */
    bool altered;           /* the fields are not those that the step's options alone come to */
    struct squall_map own;  /* `headers` of a request that brings its own */
};

/* Memory of a worker for what is made up for one request; gone with the next. */
struct http_scratch {
    uint8_t *data;
    uint64_t size;
};
void http_scratch_fini(struct http_scratch *scratch);

/* Whether the step's options alone say what is sent: no cookie goes with it, no redirect is followed. */
bool http_as_written(const struct squall_conn *conn, const struct squall_exchange *x);

/* NULL, or a static reason why such a request is not sent. Only what varies is checked: step_init has seen the rest. */
const char *http_parts_gather(const struct squall_conn *conn, const struct squall_exchange *x,
                              struct http_parts *ret_parts);

/* Whether a piece of the body is run memory: a file's content is, and all where nothing varies. */
bool http_piece_lasts(const struct squall_exchange *x, const struct http_parts *parts, uint32_t piece);

/* RFC 9110 9.2.2: sent twice it means the same as once. */
bool http_method_idempotent(struct squall_bytes method);

#endif
