/* One exchange's request: rendered options in, bytes in the connection's output. */
#ifndef SQUALL_HTTP_REQUEST_H
#define SQUALL_HTTP_REQUEST_H
#include "h1.h"
#include <squall/plugin.h>
#include <stdbool.h>

struct http_request {
    enum h1_request_kind kind;
    uint64_t bytes; /* on the wire */
    bool close;     /* it says Connection: close */
    bool torn;      /* on failure: a part is in the output already, so the connection is of no more use */
};

/* NULL, or a static reason why nothing was sent. */
const char *http_request_send(struct squall_conn *conn, const struct squall_exchange *x,
                              struct http_request *ret_request);

#endif
