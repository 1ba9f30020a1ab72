/*
 * A client of Eclipse Paho MQTT C (MQTTAsync, 1.3) for one connection. The library has threads of its own, on which it
 * says what happened; here that becomes events on the engine's thread.
 *
 * Who may touch what: a call and a client are the engine thread's, but for the fields under "the library's thread",
 * which it writes before it posts the call and never again. A call goes with its event. A client that
 * was closed stays until the worker ends, since a thread of the library may still be on its way to it; it is small.
 */
#ifndef SQUALL_MQTT_PAHO_CLIENT_H
#define SQUALL_MQTT_PAHO_CLIENT_H
#include "conn.h"
#include <MQTTAsync.h>

enum paho_call_kind { PAHO_CONNECT, PAHO_PUBLISH, PAHO_SUBSCRIBE, PAHO_UNSUBSCRIBE, PAHO_DISCONNECT };

/* Something that the library was asked to do. */
struct paho_call {
    struct paho_client *client;
    struct paho_call *next, *before;  /* of the client's */
    struct squall_exchange *exchange; /* NULL: given up, or nobody asked */
    const struct squall_step *step;
    uint64_t sent_ns, due_ns;
    uint32_t address; /* of a tracked message; UINT32_MAX: none */
    uint16_t id;      /* of a subscribe or unsubscribe: in its subscriptions */
    uint16_t filters; /* and how many it has */
    uint8_t kind, qos;
    /* the library's thread */
    bool failed, session_present;
    uint32_t reason; /* reason code; of 3.1.1 the return code */
    char text[80];   /* why it failed, where no reason code says it */
};

/* The library gave it up without a word of the broker's: the connection was lost. */
static inline bool paho_call_broken(const struct paho_call *call)
{
    return call->failed && call->reason == 0;
}

/* squall_conn.state of this engine. */
struct paho_conn {
    struct mqtt_conn mqtt; /* first: what is shared reads it */
    struct paho_client *client;
};

/* What the seam does with events, on the engine's thread, while the connection lives. */
struct paho_events {
    void (*called)(struct squall_conn *, struct paho_call *);
    void (*message)(struct squall_conn *, const struct mqtt_packet *);
    void (*lost)(struct squall_conn *, const char *why);
};

struct paho_client {
    MQTTAsync handle;
    struct squall_worker *worker;
    const struct paho_events *events;
    struct squall_conn *conn; /* NULL: gone */
    struct paho_call *calls;
    struct paho_client *next_closed;
    uint8_t version;
};

/* NULL with the reason. `uri` and `client_id` are copied. */
struct paho_client *paho_client_new(struct squall_conn *conn, const char *uri, const char *client_id, uint8_t version,
                                    const struct paho_events *events, const char **ret_why);
/* The connection is over: closes, and forgets. */
void paho_client_close(struct paho_client *client);
/* At the worker's end. */
void paho_clients_free(struct squall_worker *worker);
/* A call to be handed over; NULL: no memory. paho_call_drop for one that was not. */
struct paho_call *paho_call_new(struct paho_client *client, uint8_t kind, struct squall_exchange *exchange,
                                const struct squall_step *step);
void paho_call_drop(struct paho_call *call);
/* Lets the library say on `call` how it ended. */
void paho_call_answers(struct paho_call *call, MQTTAsync_responseOptions *options);
void paho_call_connects(struct paho_call *call, MQTTAsync_connectOptions *options);
void paho_call_disconnects(struct paho_call *call, MQTTAsync_disconnectOptions *options);

#endif
