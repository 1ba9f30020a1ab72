/*
 * The part that both engines share: messages of subscriptions are counted, timed and handed to await steps; exchanges
 * end; answers are told to checks. Reads struct mqtt_conn, of which the other engine's connection begins with one.
 */
#ifndef SQUALL_MQTT_DELIVER_H
#define SQUALL_MQTT_DELIVER_H
#include "conn.h"

/* A message has come; `topic` is never empty. */
void mqtt_deliver(struct squall_conn *conn, const struct mqtt_packet *packet, struct squall_bytes topic);

/* Ahead of the first CONNECT: of a publish step with `subscribers`, its first users have a subscription from the start.
 */
void mqtt_subscribe_from_the_start(struct squall_conn *conn);

/* As squall_protocol wants them. */
void mqtt_record(const struct squall_exchange *x, struct squall_recorder *recorder);
const char *mqtt_code_name(uint32_t code);
int32_t mqtt_matches(struct squall_bytes pattern, struct squall_bytes address);

#endif
