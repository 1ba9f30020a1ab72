/*
 * The properties of MQTT 5.0 (2.2.2): one table says of each its name, its type, the packets that may carry it, and
 * what values it may have. Decoder, encoder and tests all read that table. The last row of table 2-4 is 0x2A, so that a
 * set of properties is one 64-bit mask.
 */
#ifndef SQUALL_MQTT_PROPERTY_H
#define SQUALL_MQTT_PROPERTY_H
#include <squall/plugin.h>
#include <stdbool.h>

enum mqtt_property_id {
    MQTT_PAYLOAD_FORMAT = 0x01,
    MQTT_MESSAGE_EXPIRY = 0x02,
    MQTT_CONTENT_TYPE = 0x03,
    MQTT_RESPONSE_TOPIC = 0x08,
    MQTT_CORRELATION_DATA = 0x09,
    MQTT_SUBSCRIPTION_ID = 0x0b,
    MQTT_SESSION_EXPIRY = 0x11,
    MQTT_ASSIGNED_CLIENT_ID = 0x12,
    MQTT_SERVER_KEEP_ALIVE = 0x13,
    MQTT_AUTH_METHOD = 0x15,
    MQTT_AUTH_DATA = 0x16,
    MQTT_REQUEST_PROBLEM_INFORMATION = 0x17,
    MQTT_WILL_DELAY = 0x18,
    MQTT_REQUEST_RESPONSE_INFORMATION = 0x19,
    MQTT_RESPONSE_INFORMATION = 0x1a,
    MQTT_SERVER_REFERENCE = 0x1c,
    MQTT_REASON_STRING = 0x1f,
    MQTT_RECEIVE_MAXIMUM = 0x21,
    MQTT_TOPIC_ALIAS_MAXIMUM = 0x22,
    MQTT_TOPIC_ALIAS = 0x23,
    MQTT_MAXIMUM_QOS = 0x24,
    MQTT_RETAIN_AVAILABLE = 0x25,
    MQTT_USER_PROPERTY = 0x26,
    MQTT_MAXIMUM_PACKET_SIZE = 0x27,
    MQTT_WILDCARD_AVAILABLE = 0x28,
    MQTT_SUBSCRIPTION_ID_AVAILABLE = 0x29,
    MQTT_SHARED_AVAILABLE = 0x2a,
    MQTT_PROPERTIES_END,
};
#define MQTT_SEEN(id) (UINT64_C(1) << (id))

/* Data representations (1.5). */
enum mqtt_property_type { MQTT_BYTE = 1, MQTT_U16, MQTT_U32, MQTT_VARINT, MQTT_TEXT, MQTT_BINARY, MQTT_PAIR };

/* Where a property may stand: bit n is packet type n; beside these: */
#define MQTT_IN(type)       (UINT32_C(1) << (type))
#define MQTT_IN_WILL        MQTT_IN(0)  /* the will properties of CONNECT (3.1.3.2) */
#define MQTT_IN_CLIENT_SENT MQTT_IN(16) /* added when the packet goes to the server: DISCONNECT and PUBLISH differ */

struct mqtt_property_row {
    const char *name;  /* as the standard writes it; NULL: no such property */
    uint32_t where;    /* packets, MQTT_IN */
    uint32_t min, max; /* of a number, inclusive */
    uint8_t type;      /* enum mqtt_property_type */
    bool repeats;      /* may stand more than once */
};

struct mqtt_property {
    uint8_t id;                /* enum mqtt_property_id */
    uint32_t number;           /* BYTE, U16, U32, VARINT */
    struct squall_bytes name;  /* PAIR */
    struct squall_bytes value; /* TEXT, BINARY, PAIR */
};

/* Properties to encode: the three parts go out one behind the other. As decoded: `encoded` alone. */
struct mqtt_properties {
    struct squall_bytes encoded; /* without the length in front */
    const struct mqtt_property *rows;
    uint64_t count;
    struct squall_map user; /* each pair a User Property */
};

/* The row of an id, or NULL. */
const struct mqtt_property_row *mqtt_property_row(uint8_t id);

/* Looks at a block from a peer: known ids, allowed in `where` (one bit, with MQTT_IN_CLIENT_SENT where it applies), not
 * repeated, of the right form, in range. Returns NULL and the set of ids in ret_seen, or static text of what is wrong;
 * *ret_protocol_error then tells a Protocol Error from a Malformed Packet (1.2). */
const char *mqtt_properties_check(struct squall_bytes block, uint32_t where, uint64_t *ret_seen,
                                  bool *ret_protocol_error);

/* Takes the next property from a block that was checked; false at its end. */
bool mqtt_property_next(struct squall_bytes *block, struct mqtt_property *ret_property);
/* The number of the first property `id` of a checked block, or `fallback`. */
uint32_t mqtt_property_number(struct squall_bytes block, uint8_t id, uint32_t fallback);

/* What properties take without the length in front of them, and the writing of so many bytes. A UTF-8 or binary value
 * must not be longer than MQTT_TEXT_MAX. mqtt_properties_write returns the end of what it wrote. */
uint64_t mqtt_properties_size(const struct mqtt_properties *properties);
uint8_t *mqtt_properties_write(uint8_t *at, const struct mqtt_properties *properties);
/* Why they cannot be sent in `where`, or NULL. Looks at rows and user, as `encoded` was checked when it was made. */
const char *mqtt_properties_refuse(const struct mqtt_properties *properties, uint32_t where);

#endif
