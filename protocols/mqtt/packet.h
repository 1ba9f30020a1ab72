/*
 * What an MQTT control packet holds, for MQTT 3.1.1 (OASIS standard, 29 October 2014) and MQTT 5.0 (OASIS standard,
 * 7 March 2019), in both directions. One struct serves the decoder, whose views point into the bytes that it was given,
 * and the encoder, which reads whatever the caller points it at. Section numbers in this room are those of 5.0; where
 * 3.1.1 puts the matter elsewhere, "3.1.1:" stands before its number. Chapter 3, a section for each packet, has the
 * same numbers in both.
 */
#ifndef SQUALL_MQTT_PACKET_H
#define SQUALL_MQTT_PACKET_H
#include "property.h"
#include <squall/plugin.h>
#include <stdbool.h>
#include <string.h>

/* The protocol level of CONNECT (3.1.2.2). */
enum mqtt_version { MQTT_3_1_1 = 4, MQTT_5 = 5 };

/* Control packet types (2.1.2). */
enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT,
    MQTT_AUTH, /* 5.0 only */
};

#define MQTT_REMAINING_MAX UINT32_C(268435455) /* largest Remaining Length (2.1.4) */
#define MQTT_PACKET_MAX    (MQTT_REMAINING_MAX + 5)
#define MQTT_TEXT_MAX      65535 /* bytes of a string or of binary data (1.5.4, 1.5.6) */

/* One topic filter of SUBSCRIBE with its options, or of UNSUBSCRIBE (3.8.3, 3.10.3). */
struct mqtt_filter {
    struct squall_bytes topic;
    uint8_t options; /* QoS in bits 0 and 1; in 5.0 No Local, Retain As Published, Retain Handling (3.8.3.1) */
};
#define MQTT_NO_LOCAL              0x04
#define MQTT_RETAIN_AS_PUBLISHED   0x08
#define MQTT_RETAIN_HANDLING_SHIFT 4

/* Filters to encode (rows), or as the decoder found and checked them (encoded; mqtt_filter_next reads it). */
struct mqtt_filters {
    struct squall_bytes encoded;
    const struct mqtt_filter *rows;
    uint64_t count;
};

/* The last message of a session that ends badly (3.1.2.5). */
struct mqtt_will {
    struct squall_bytes topic, payload;
    struct mqtt_properties properties;
    uint8_t qos;
    bool present, retain;
};

/* What CONNECT has beside the common fields (3.1). */
struct mqtt_connect {
    struct squall_bytes client_id, username, password;
    struct mqtt_will will;
    uint16_t keep_alive_s;
    bool clean_start; /* 3.1.1: Clean Session */
    bool has_username, has_password;
};

/* Fields that a packet does not have are zero. */
struct mqtt_packet {
    uint8_t type;    /* enum mqtt_type */
    uint8_t version; /* enum mqtt_version */
    uint8_t qos;     /* PUBLISH */
    bool dup, retain;
    bool session_present; /* CONNACK */
    /* CONNACK, acknowledgements, DISCONNECT, AUTH; what was left out reads as 0. CONNACK of 3.1.1: its return code. */
    uint8_t reason;
    uint16_t packet_id;
    uint32_t size;            /* decoder: bytes of the whole packet */
    uint64_t properties_seen; /* decoder: bit n for property n */
    struct mqtt_properties properties;
    struct squall_bytes topic, payload; /* PUBLISH */
    struct squall_bytes codes;          /* SUBACK, UNSUBACK: a reason code for each filter, in order */
    struct mqtt_filters filters;        /* SUBSCRIBE, UNSUBSCRIBE */
    struct mqtt_connect connect;        /* set for CONNECT alone; else not even cleared by the decoder */
};

/* Everything but `connect`, which is large and only CONNECT has. */
static inline void mqtt_packet_clear(struct mqtt_packet *packet)
{
    memset(packet, 0, offsetof(struct mqtt_packet, connect));
}

/* "PUBLISH"; "packet" for what is no type. */
const char *mqtt_type_name(uint8_t type);

#endif
