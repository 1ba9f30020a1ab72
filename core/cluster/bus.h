/*
 * The bus: what the controller and its workers say to each other. Messages carry a topic and a self-describing,
 * versioned body (MessagePack maps); what a peer sends is checked before it is believed.
 *
 * This is the local carrier: a socket pair to each child process. Nothing in the interface says so: a carrier for other
 * machines takes the same calls.
 */
#ifndef SQUALL_CLUSTER_BUS_H
#define SQUALL_CLUSTER_BUS_H
#include "engine/loop.h"
#include <stddef.h>

#define BUS_MESSAGE_MAX ((size_t)64 << 20)

struct bus;
/* `from`: the peer's number; workers hear one peer, 0. Data is borrowed. */
typedef void bus_message_fn(void *arg, uint32_t from, const uint8_t *data, size_t len);
typedef void bus_lost_fn(void *arg, uint32_t peer);

/* Takes ownership of one connected socket a peer. lost: a peer's end has closed, or it sent what cannot be read. */
struct bus *bus_connect_local(struct loop *loop, const int *sockets, uint32_t count, bus_lost_fn *lost, void *lost_arg);
/* Topics are static strings. */
void bus_subscribe(struct bus *bus, const char *topic, bus_message_fn *fn, void *arg);
/* To every peer that is not lost. Queued, never blocks; a peer whose queue passes its limit is lost. */
void bus_publish(struct bus *bus, const char *topic, const uint8_t *data, size_t len);
/* Gives a peer up: no more from it, no more to it. */
void bus_drop(struct bus *bus, uint32_t peer);
/* Writes out what is queued for at most wait_ms, closes, frees. Takes NULL. */
void bus_close(struct bus *bus, int wait_ms);

/* Before there is a loop: waits for one message of a topic. 0, or -1 when the peer closed or sent something else. The
 * data is malloc'd. */
int bus_receive_first(int socket, const char *topic, uint8_t **ret_data, size_t *ret_len);

#endif
