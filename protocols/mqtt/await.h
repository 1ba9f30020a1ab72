/*
 * Messages that came, and the await steps that want one. A message goes to the first waiter that it matches; with none
 * it waits in the inbox of its connection, if the scenario has await steps at all, where the oldest make room.
 */
#ifndef SQUALL_MQTT_AWAIT_H
#define SQUALL_MQTT_AWAIT_H
#include "conn.h"

#define MQTT_INBOX_MAX (64u << 10) /* bytes of topics, properties and payloads */

/* An await step: ends at once with a message of the inbox, or waits. */
void mqtt_await(struct squall_conn *conn, struct squall_exchange *x);
void mqtt_await_cancel(struct mqtt_conn *c, const struct squall_exchange *x);
/* A message has come; `topic` is never empty. */
void mqtt_await_message(struct squall_conn *conn, const struct mqtt_packet *packet, struct squall_bytes topic,
                        const struct squall_step *step);
/* Takes the first waiter's exchange off; NULL: there is none. For the end of a connection. */
struct squall_exchange *mqtt_await_take(struct mqtt_conn *c);
void mqtt_await_fini(struct mqtt_conn *c);

#endif
