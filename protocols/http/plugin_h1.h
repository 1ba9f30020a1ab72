/*
 * A connection of HTTP/1.1: one exchange at a time (no pipelining: RFC 9112 9.3.2 lets a client, but browsers and
 * client libraries do not, and one slow answer would be charged to the exchanges behind it).
 */
#ifndef SQUALL_HTTP_PLUGIN_H1_H
#define SQUALL_HTTP_PLUGIN_H1_H
#include "client.h"
#include "h1.h"
#include "hints.h"
#include "kept.h"
#include <squall/plugin.h>

struct h1_held;

struct h1_conn {
    struct h1_reader reader;
    struct squall_exchange *exchange; /* in flight, or NULL */
    uint64_t request_bytes;
    struct h1_held *held; /* of the exchange's body: what the server has not asked for yet, or NULL */
    struct kept_fields kept;
    struct http_answer answer;
    struct http_hint_search hint; /* in the present answer */
    bool heard;                   /* the host knows of the answer's first byte */
    bool served;                  /* an exchange has ended here */
    bool close_asked;             /* the request said Connection: close */
    bool idempotent;              /* the request is */
    bool retired;                 /* no request follows; bytes behind the last answer are of no interest */
    bool over;                    /* failed or closed: whatever still comes is dropped */
};

/* As squall_protocol has them. */
void h1_conn_connect(struct squall_conn *conn, struct h1_conn *c);
void h1_conn_request(struct squall_conn *conn, struct h1_conn *c, struct squall_exchange *x);
void h1_conn_cancel(struct squall_conn *conn, struct h1_conn *c);
uint64_t h1_conn_receive(struct squall_conn *conn, struct h1_conn *c, const uint8_t *data, uint64_t len);
/* Of squall_protocol.tick. */
uint64_t h1_conn_tick(struct squall_conn *conn, struct h1_conn *c, uint64_t now_ns);
void h1_conn_disconnect(struct squall_conn *conn, struct h1_conn *c);

#endif
