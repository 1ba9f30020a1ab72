/*
 * One connection of the mqtt plugin: where its session stands, what the broker allows, who waits for what. The files of
 * the plugin share it: plugin.c is the seam, open.c opens sessions, request.c sends what steps ask for, handle.c takes
 * what the broker sends.
 */
#ifndef SQUALL_MQTT_CONN_H
#define SQUALL_MQTT_CONN_H
#include "decode.h"
#include "metrics.h"
#include "options.h"
#include "session.h"

enum mqtt_conn_state {
    MQTT_WAITING,    /* the transport is up and a connect step has to come -> CONNECTING */
    MQTT_CONNECTING, /* CONNECT sent -> RESTORING, OPEN or OVER */
    MQTT_RESTORING,  /* SUBSCRIBE sent for subscriptions that the broker does not know any more -> OPEN, OVER */
    MQTT_OPEN,       /* -> OVER */
    MQTT_OVER,       /* closing; what comes is dropped */
};

/* An await step in flight. Allocated, with its texts behind it. */
struct mqtt_waiter {
    struct mqtt_waiter *next;
    struct squall_exchange *exchange;
    struct squall_bytes filter, contains;
    uint8_t bytes[];
};

struct mqtt_inbox;
struct mqtt_acks;
struct mqtt_aliases;

/* squall_conn.state. What each message touches is in its first 64 bytes, and in those of the session. */
struct mqtt_conn {
    uint8_t state; /* enum mqtt_conn_state */
    uint8_t qos_max;
    bool retain_available, wildcard_available, shared_available, identifiers_available;
    bool keep;     /* the broker keeps the session when the connection goes */
    bool clean;    /* CONNECT asked for a new session */
    bool auth;     /* CONNECT named a method of authentication */
    bool said_bye; /* closed on purpose: the session is not wanted any more */
    uint16_t alias_max;
    uint16_t unacknowledged; /* received with QoS 1 or 2, and our last word not sent */
    struct mqtt_peer peer;
    struct mqtt_session *session;
    uint32_t send_max, packet_max;   /* the broker's Receive Maximum and Maximum Packet Size */
    uint64_t written_ns;             /* when the last packet was */
    struct squall_exchange *opening; /* the connect step in flight */
    struct squall_exchange *pinging; /* the ping step in flight */
    struct mqtt_waiter *waiters;
    uint64_t keep_alive_ns;
    uint64_t connect_ns, ping_ns; /* stamps of CONNECT and PINGREQ; ping 0: none is out */
    uint64_t ack_delay_ns;
    struct mqtt_acks *acks;       /* acknowledgements that wait for their time; NULL: none ever did */
    struct mqtt_inbox *inbox;     /* messages that no await step has asked for yet; NULL: none */
    struct mqtt_aliases *aliases; /* NULL: none used */
};

/* squall_exchange.state */
struct mqtt_exchange {
    uint32_t left; /* acknowledgements to come */
    uint32_t code; /* the gravest reason so far */
    uint64_t bytes_in, bytes_out;
    const struct mqtt_packet *answer; /* within done(): what record() names the fields of */
};

static inline const struct squall_host *mqtt_host(const struct squall_conn *conn)
{
    return conn->worker->host;
}

static inline struct mqtt_session *mqtt_session_of(const struct squall_conn *conn)
{
    return ((const struct mqtt_conn *)conn->state)->session;
}

/* Books what belongs to no step of its own. */
static inline const struct squall_step *mqtt_first_step(const struct squall_conn *conn)
{
    return ((const struct mqtt_target *)conn->target->state)->first;
}

/* ---- deliver.c ---- */

/* As squall_result.code wants a reason code; 0 is for exchanges that no reason came for. */
#define MQTT_CODE(reason) ((uint32_t)(reason) + 1)
/* Ends x. reason: static or NULL; a failure's code makes OK a rejection. */
void mqtt_end(struct squall_conn *conn, struct squall_exchange *x, enum squall_outcome outcome, uint32_t code,
              const char *reason);

/* ---- open.c ---- */

/* Sends CONNECT, for a connect step (options as its clean-start says) or of our own accord (exchange NULL). */
void mqtt_open(struct squall_conn *conn, struct squall_exchange *exchange, uint8_t clean);
void mqtt_on_connack(struct squall_conn *conn, const struct mqtt_packet *packet);
/* SUBACK of the subscriptions that were restored. */
void mqtt_restored(struct squall_conn *conn, const struct mqtt_packet *packet);
/* The session is open: exchanges may come. */
void mqtt_opened(struct squall_conn *conn);

/* ---- request.c ---- */

void mqtt_request(struct squall_conn *conn, struct squall_exchange *x);
void mqtt_cancel(struct squall_conn *conn, struct squall_exchange *x);
/* Writes a packet; false: the output has no room for it. */
bool mqtt_send(struct squall_conn *conn, const struct mqtt_packet *packet, uint64_t *ret_size);
/* A SUBSCRIBE or UNSUBSCRIBE with a slot; NULL: sent, else why not. `exchange` may be NULL. */
const char *mqtt_send_filters(struct squall_conn *conn, struct squall_exchange *exchange,
                              const struct squall_step *step, struct mqtt_packet *packet, uint32_t subscription_id);

/* Why a step cannot be made in the state that its session is in; NULL: it can. */
static inline const char *mqtt_out_of_place(const struct mqtt_conn *c, const struct squall_step *step)
{
    if (step->verb != MQTT_VERB_CONNECT)
        return c->state == MQTT_OPEN ? NULL : "there is no session; a connect step comes first";
    return c->state == MQTT_WAITING ? NULL
                                    : "the session is open already; disconnect first, or connect once in the setup";
}

/* ---- trace.c: for who looks on ---- */

static inline bool mqtt_traced(const struct squall_conn *conn)
{
    return SQUALL_HOST_HAS(conn->worker->host, trace);
}
/* A packet that was received, in words. */
void mqtt_trace_packet(struct squall_conn *conn, uint32_t what, const struct mqtt_packet *packet);
/* One that goes out as these bytes. */
void mqtt_trace_bytes(struct squall_conn *conn, const uint8_t *bytes, uint64_t len);
static inline void mqtt_trace_sent(struct squall_conn *conn, const uint8_t *bytes, uint64_t len)
{
    if (mqtt_traced(conn))
        mqtt_trace_bytes(conn, bytes, len);
}

/* ---- handle.c ---- */

uint64_t mqtt_receive(struct squall_conn *conn, const uint8_t *data, uint64_t len);
/* The broker broke the protocol: what is in flight is malformed, the connection fails. `code` goes into DISCONNECT. */
void mqtt_broken(struct squall_conn *conn, const char *packet, const char *why, uint8_t code);

#endif
