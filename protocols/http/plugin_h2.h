/* A connection of HTTP/2: many exchanges at once, each a stream. */
#ifndef SQUALL_HTTP_PLUGIN_H2_H
#define SQUALL_HTTP_PLUGIN_H2_H
#include "h1.h"
#include "h2_session.h"
#include "h2_trace.h"
#include "kept.h"
#include <squall/plugin.h>

/* One for all connections of a worker. */
struct h2_stock {
    struct h2_memory memory;
    struct kept_fields *kept; /* that nobody uses now, by kept_fields.next */
};

struct h2_conn {
    struct h2_session *session;
    struct h2_stock *stock;
    uint32_t open; /* exchanges in flight */
    bool over;     /* failed or closed: whatever still comes is dropped */
    struct h2_trace trace;
    uint32_t date_stream; /* whose Date field `date` is: that of the head which is being read, or an older one */
    uint8_t date_len;
    char date[H1_DATE_MAX];
};

void h2_stock_init(struct h2_stock *stock);
void h2_stock_fini(struct h2_stock *stock);

/* As squall_protocol has them. */
void h2_conn_connect(struct squall_conn *conn, struct h2_conn *c, struct h2_stock *stock);
void h2_conn_request(struct squall_conn *conn, struct h2_conn *c, struct squall_exchange *x);
void h2_conn_cancel(struct squall_conn *conn, struct h2_conn *c, struct squall_exchange *x);
uint64_t h2_conn_receive(struct squall_conn *conn, struct h2_conn *c, const uint8_t *data, uint64_t len);
void h2_conn_writable(struct squall_conn *conn, struct h2_conn *c);
void h2_conn_disconnect(struct squall_conn *conn, struct h2_conn *c);
/* For who looks on: bytes of the answer's body, decoded. */
void h2_conn_trace_body(struct squall_conn *conn, struct squall_exchange *x, struct squall_bytes bytes);

#endif
