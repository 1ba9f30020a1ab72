/*
 * The encoder: a packet in, bytes out, in memory that the caller has. The size is computed first; what is written is
 * exactly that. Both directions, both versions; the fields of struct mqtt_packet that a packet does not have, and what
 * 3.1.1 does not know, are not looked at.
 */
#ifndef SQUALL_MQTT_ENCODE_H
#define SQUALL_MQTT_ENCODE_H
#include "packet.h"

/* Bytes of the whole packet; more than MQTT_PACKET_MAX: it cannot be encoded. */
uint64_t mqtt_encoded_size(const struct mqtt_packet *packet);
/* Writes mqtt_encoded_size bytes and returns their end. The packet must pass mqtt_encode_refuse. */
uint8_t *mqtt_encode(uint8_t *at, const struct mqtt_packet *packet);
/* A PUBLISH without its payload, of which only the length is looked at: the caller writes it behind. */
uint8_t *mqtt_encode_publish_head(uint8_t *at, const struct mqtt_packet *packet);
/* Why the packet, as a client would send it, cannot be encoded or would break the standard; NULL when it can go out.
 * Costs a pass over its strings, so that callers ask once for what never changes. */
const char *mqtt_encode_refuse(const struct mqtt_packet *packet);

#define MQTT_ACK_SIZE 4
/* A PUBACK, PUBREC, PUBREL or PUBCOMP that says success: the same four bytes in both versions. */
uint8_t *mqtt_encode_ack(uint8_t *at, uint8_t type, uint16_t packet_id);

#endif
