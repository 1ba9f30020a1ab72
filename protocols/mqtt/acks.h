/*
 * Our acknowledgements of what the broker sends: at once, or each `ack-delay` after what it answers.
 */
#ifndef SQUALL_MQTT_ACKS_H
#define SQUALL_MQTT_ACKS_H
#include "conn.h"

/* PUBACK, PUBREC or PUBCOMP. A connection that cannot take or remember it fails. */
void mqtt_ack(struct squall_conn *conn, uint8_t type, uint16_t packet_id);
/* Sends those that are due; returns when the next one is, 0: there is none. */
uint64_t mqtt_acks_due(struct squall_conn *conn, uint64_t now_ns);
void mqtt_acks_fini(struct mqtt_conn *c);

#endif
