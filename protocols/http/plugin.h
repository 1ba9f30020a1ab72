/* What the parts of the plugin share. */
#ifndef SQUALL_HTTP_PLUGIN_H
#define SQUALL_HTTP_PLUGIN_H
#include "kept.h"
#include "options.h"
#include "plugin_h1.h"
#include "plugin_h2.h"
#include "request.h"

/* squall_worker.state */
struct http_worker {
    struct h2_stock stock;
    struct http_scratch scratch;
    struct decoders decoders;
};

/* squall_conn.state. The last field is the version's own. */
struct http_conn {
    enum http_version version; /* HTTP_1 or HTTP_2 once connected; HTTP_AUTO: neither, it was refused */
    union {
        struct h1_conn *h1; /* from the stock: the larger one, which HTTP/2 has no use for */
        struct h2_conn h2;
    };
};

struct h2_exchange;

/* squall_exchange.state */
struct http_exchange {
    union {
        const struct kept_fields
            *kept;              /* for record(); NULL: no fields wanted. Of HTTP/2 within done() only, and before: */
        struct h2_exchange *h2; /* its stream; NULL: none */
    };
    uint32_t metric; /* which counter record() adds to, plus one; 0: none */
};

static inline const struct squall_host *host_of(const struct squall_conn *conn)
{
    return conn->worker->host;
}

#endif
