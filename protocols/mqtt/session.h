/*
 * The client's side of a session (4.1): packet identifiers in use, messages that were not acknowledged yet, those of
 * QoS 2 that were received and not released, and the subscriptions. It lives in the user's state, since it outlives a
 * connection when the broker was asked to keep it too. Every list has a limit.
 */
#ifndef SQUALL_MQTT_SESSION_H
#define SQUALL_MQTT_SESSION_H
#include "packet.h"

enum mqtt_slot_state {
    MQTT_SLOT_FREE,
    MQTT_SLOT_PUBACK,  /* PUBLISH of QoS 1 sent -> FREE */
    MQTT_SLOT_PUBREC,  /* PUBLISH of QoS 2 sent -> PUBCOMP, or FREE when refused */
    MQTT_SLOT_PUBCOMP, /* PUBREL sent -> FREE */
    MQTT_SLOT_SUBACK,
    MQTT_SLOT_UNSUBACK,
};

/* One packet identifier in use. */
struct mqtt_slot {
    uint16_t id;
    uint8_t state; /* enum mqtt_slot_state */
    bool resent;   /* in this connection, after the session was resumed */
    uint32_t packet_len;
    uint8_t *packet;                  /* the PUBLISH, to be sent again; NULL: the session will not be resumed */
    struct squall_exchange *exchange; /* NULL: given up, or of an earlier connection */
    const struct squall_step *step;
    uint64_t sent_ns, leg_ns; /* stamps of PUBLISH and PUBREL */
    uint64_t due_ns;          /* of a tracked message: when it was due */
    uint32_t address;         /* and where it went: host->address(); UINT32_MAX: not tracked */
};

enum mqtt_subscription_state {
    MQTT_SUBSCRIBING,   /* SUBSCRIBE sent; messages may come before its SUBACK -> SUBSCRIBED; gone when refused; LOST */
    MQTT_SUBSCRIBED,    /* -> UNSUBSCRIBING, or SUBSCRIBING again */
    MQTT_UNSUBSCRIBING, /* UNSUBSCRIBE sent -> gone, or SUBSCRIBED when refused */
    MQTT_LOST,          /* the broker knows no such session, or was gone before SUBACK -> SUBSCRIBING */
};

struct mqtt_subscription {
    struct squall_bytes filter; /* allocated */
    const struct squall_step *step;
    uint64_t since_ns;  /* SUBSCRIBE's stamp, for retained messages */
    uint32_t id;        /* subscription identifier; 0: none */
    uint16_t packet_id; /* of the SUBSCRIBE or UNSUBSCRIBE under way */
    uint8_t index;      /* of its filter there */
    uint8_t options, state;
    bool counted; /* as one that wants messages: host->want() */
};

/* A publisher's numbering of what it sends to one topic; see track.h. */
struct mqtt_stream {
    uint64_t topic_hash;
    uint32_t address; /* host->address() of the step that sent first */
    uint64_t sequence;
};
#define MQTT_STREAMS_MAX 64 /* topics of one user that are tracked; its index takes 8 bits of a header */

/* A user's session with one target. */
struct mqtt_session {
    struct mqtt_slot *slots; /* slot_count, a power of two; identifier i can only be in slots[i % slot_count] */
    uint16_t slot_count, used, last_id;
    struct mqtt_slot first;    /* is the slots for as long as one is enough, as it is for who waits for each answer */
    struct mqtt_session *next; /* of the same user */
    const struct squall_target *target;
    uint64_t number;       /* unique in the run: the user's times 256, plus which of its sessions it is */
    bool wanted;           /* a connect step has opened it, and nothing has closed it on purpose */
    uint8_t connect_clean; /* that step's enum mqtt_clean */
    uint16_t *received;    /* identifiers of QoS 2 that wait for PUBREL */
    uint16_t received_count, received_size;
    uint16_t subscription_count, subscription_size;
    struct mqtt_subscription *subscriptions;
    struct squall_bytes assigned_id; /* allocated: the client identifier that the broker gave */
};

/* squall_user.state */
struct mqtt_user {
    struct mqtt_session first; /* of `sessions`, once there is one: most users have no other */
    struct mqtt_session *sessions;
    struct mqtt_stream *streams; /* what it publishes, to whatever target */
    uint32_t session_count, stream_count;
};
#define MQTT_SESSIONS_MAX 256
/* Found or made; NULL: too many targets, or no memory. */
struct mqtt_session *mqtt_user_session(struct squall_user *user, const struct squall_target *target);
void mqtt_user_fini(struct squall_user *user);

#define MQTT_SLOTS_MAX         32768
#define MQTT_SUBSCRIPTIONS_MAX 4096 /* of one user */

/* The broker knows no such session: what it was to remember is forgotten. Subscriptions and streams stay. */
void mqtt_session_reset(struct mqtt_session *session);
/* The connection is gone: its exchanges have ended; what cannot be resumed is forgotten, and subscriptions that the
 * broker has not confirmed are LOST. */
void mqtt_session_detach(struct mqtt_session *session, bool keep);

/* A free packet identifier with its slot; NULL: `limit` are in use, or there is no memory. */
struct mqtt_slot *mqtt_slot_take(struct mqtt_session *session, uint32_t limit);
struct mqtt_slot *mqtt_slot_find(struct mqtt_session *session, uint16_t id);
void mqtt_slot_free(struct mqtt_session *session, struct mqtt_slot *slot);

/* QoS 2 received. add: 1 new, 0 known already, -1 no memory. */
int mqtt_received_add(struct mqtt_session *session, uint16_t id);
bool mqtt_received_remove(struct mqtt_session *session, uint16_t id);

/* The subscription to a filter, found or made; NULL: too many, or no memory. */
struct mqtt_subscription *mqtt_subscription_to(struct mqtt_session *session, struct squall_bytes filter);
struct mqtt_subscription *mqtt_subscription_find(struct mqtt_session *session, struct squall_bytes filter);
/* host->want() for one that the broker has granted, and its opposite. */
void mqtt_subscription_count(struct mqtt_subscription *subscription, struct squall_worker *worker, bool wanted);
/* All of them are gone. */
void mqtt_subscriptions_forget(struct mqtt_session *session, struct squall_worker *worker);
void mqtt_subscription_remove(struct mqtt_session *session, struct mqtt_subscription *subscription);
/* Those that the broker has not confirmed are to be asked for again: whether it has them nobody will say any more. */
void mqtt_subscriptions_doubt(struct mqtt_session *session);
/* All of them are. */
void mqtt_subscriptions_lose(struct mqtt_session *session);
/* Those that are LOST, as far as they go in one SUBSCRIBE: of one step, with one identifier, at most `limit`. Returns
 * how many, and what they have in common. */
uint64_t mqtt_subscriptions_lost(const struct mqtt_session *session, struct mqtt_filter *rows, uint64_t limit,
                                 const struct squall_step **ret_step, uint32_t *ret_id);
/* The subscription that a message belongs to; NULL: none. `ids` are the message's properties, for its identifiers. */
const struct mqtt_subscription *mqtt_subscription_of(const struct mqtt_session *session, struct squall_bytes topic,
                                                     struct squall_bytes properties);

#endif
