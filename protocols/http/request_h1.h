/* One exchange's request in HTTP/1.1: rendered options in, bytes in the connection's output. */
#ifndef SQUALL_HTTP_REQUEST_H1_H
#define SQUALL_HTTP_REQUEST_H1_H
#include "h1.h"
#include <squall/plugin.h>
#include <stdbool.h>

struct h1_request {
    enum h1_request_kind kind;
    uint64_t bytes;  /* on the wire */
    bool close;      /* it says Connection: close */
    bool idempotent; /* RFC 9110 9.2.2 */
    bool torn;       /* on failure: a part is in the output already, so the connection is of no more use */
};

/* NULL, or a static reason why nothing was sent. */
const char *h1_request_send(struct squall_conn *conn, const struct squall_exchange *x, struct h1_request *ret_request);

#endif
