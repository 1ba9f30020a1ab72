/*
 * The decoder: bytes in, one packet out. It does no I/O, keeps no bytes and allocates nothing; what it returns points
 * into the bytes that it was given. A packet is looked at as a whole and only when it is whole, so that its outcome is
 * a function of its bytes and never of how they came; only the fixed header is judged ahead, and in the same order.
 *
 * What it decides: everything that a packet shows by itself, reserved bits, lengths, strings, properties, reason codes.
 * What it leaves to the session: whether a packet may come now, packet identifiers in use, topic aliases, Receive
 * Maximum.
 */
#ifndef SQUALL_MQTT_DECODE_H
#define SQUALL_MQTT_DECODE_H
#include "packet.h"

/* What the decoder expects from its peer. */
struct mqtt_peer {
    uint8_t version;     /* enum mqtt_version */
    bool client;         /* the peer is a client; else a server */
    uint32_t packet_max; /* bytes of a whole packet; larger ones are refused by their fixed header */
};

enum mqtt_decoded {
    MQTT_MORE,   /* the packet is not whole */
    MQTT_PACKET, /* packet.size bytes are used */
    MQTT_BROKEN, /* fault says why; nothing behind it can be read */
};

/* Why a packet was refused. Both strings are static; `type` is 0 when its type is what is wrong. */
struct mqtt_fault {
    const char *why; /* with the section of the standard */
    uint8_t type;
    uint8_t code; /* reason code to end the connection with: malformed packet, protocol error, packet too large */
};

enum mqtt_decoded mqtt_decode(const struct mqtt_peer *peer, const uint8_t *data, uint64_t len,
                              struct mqtt_packet *ret_packet, struct mqtt_fault *ret_fault);

/* Takes the next filter of a SUBSCRIBE or UNSUBSCRIBE (`type`) from filters.encoded; false at its end. */
bool mqtt_filter_next(struct squall_bytes *encoded, uint8_t type, struct mqtt_filter *ret_filter);

#endif
