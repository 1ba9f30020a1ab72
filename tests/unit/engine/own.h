/*
 * A protocol with a transport of its own whose behaviour a test sets. It watches the engine at every call: not entered
 * twice (law 9), never above the capacity last given (law 4), state zeroed, each exchange ended once (laws 1 and 7).
 */
#ifndef SQUALL_TESTS_ENGINE_OWN_H
#define SQUALL_TESTS_ENGINE_OWN_H
#include "engine/protocol.h"

#define OWN_HELD_MAX 256

struct own_conn {
    uint32_t capacity, in_flight, requests;
    uint64_t up; /* 1 between connect and disconnect */
    struct squall_exchange *held[OWN_HELD_MAX];
};
struct own_options {
    struct squall_bytes text;
    uint64_t number;
};

struct own {
    /* What the test does; NULL: connect gives capacity 1, request answers at once, the others do nothing. */
    void (*connect)(struct squall_conn *);
    void (*request)(struct squall_conn *, struct squall_exchange *);
    void (*cancel)(struct squall_conn *, struct squall_exchange *);
    void (*disconnect)(struct squall_conn *);
    uint64_t (*tick)(struct squall_conn *, uint64_t now_ns);
    void (*record)(const struct squall_exchange *, struct squall_recorder *);
    void *arg;
    /* What was seen. */
    uint64_t connects, disconnects, requests, cancels, records, users_ended, done;
    int inside, in_done;
};
extern struct own own;
extern struct protocol own_protocol;
extern struct protocol own_second; /* the same under the name of `other`: for scenarios of two protocols */

void own_reset(void);
struct own_conn *own_state(struct squall_conn *conn);
void own_capacity(struct squall_conn *conn, uint32_t in_flight_max);
void own_done(struct squall_conn *conn, struct squall_exchange *exchange, uint32_t outcome);
/* Ends the oldest one that is held; false: none is. */
bool own_done_oldest(struct squall_conn *conn);
/* For `request`: keeps the exchange until own_done. */
void own_hold(struct squall_conn *conn, struct squall_exchange *exchange);
/* For `request`: posts the end of the oldest one. */
void own_post(struct squall_conn *conn, struct squall_exchange *exchange);

#endif
