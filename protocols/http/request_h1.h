/* One exchange's request in HTTP/1.1: rendered options in, bytes in the connection's output. */
#ifndef SQUALL_HTTP_REQUEST_H1_H
#define SQUALL_HTTP_REQUEST_H1_H
#include "h1.h"
#include <squall/plugin.h>
#include <stdbool.h>

/* A body that waits for the server to ask for it (RFC 9110 10.1.1). Memory of its own: free() ends it. */
struct h1_held {
    uint64_t until_ns; /* then it is sent unasked */
    uint64_t size;
    uint32_t count;
    struct h1_held_piece {
        struct squall_bytes bytes;
        bool lasts; /* run memory; otherwise a copy behind the last piece */
    } pieces[];
};

struct h1_request {
    enum h1_request_kind kind;
    uint64_t bytes;       /* on the wire, without what is held */
    bool close;           /* it says Connection: close */
    bool idempotent;      /* RFC 9110 9.2.2 */
    bool torn;            /* on failure: a part is in the output already, so the connection is of no more use */
    struct h1_held *held; /* NULL: all is sent; otherwise the caller's */
};

/* NULL, or a static reason why nothing was sent. */
const char *h1_request_send(struct squall_conn *conn, const struct squall_exchange *x, struct h1_request *ret_request);
/* NULL, or a static reason; then a part may be in the output. */
const char *h1_held_send(struct squall_conn *conn, const struct h1_held *held);

#endif
