/* The decoder, a table row for each packet type. Sections: chapter 2.1 for the fixed header, 3.x for packet x. */
#include "decode.h"
#include "reason.h"
#include "topic.h"
#include "wire.h"

#define FROM_CLIENT 1
#define FROM_SERVER 2
#define BOTH        3

struct decode {
    struct mqtt_reader reader;
    const struct mqtt_peer *peer;
    struct mqtt_packet *packet;
};

static void malformed(struct decode *decode, const char *why)
{
    mqtt_fault(&decode->reader, MQTT_MALFORMED_PACKET, why);
}

static void protocol_error(struct decode *decode, const char *why)
{
    mqtt_fault(&decode->reader, MQTT_PROTOCOL_ERROR, why);
}

/* ---- parts that several packets have ------------------------------------------------------------- */

static void take_packet_id(struct decode *decode)
{
    decode->packet->packet_id = mqtt_take_u16(&decode->reader);
    if (decode->packet->packet_id == 0 && decode->reader.why == NULL)
        protocol_error(decode, "packet identifier 0 (2.2.1; 3.1.1: 2.3.1)");
}

static struct squall_bytes take_block(struct decode *decode, uint32_t where, uint64_t *ret_seen)
{
    uint32_t len = mqtt_take_varint(&decode->reader);
    struct squall_bytes block = mqtt_take_bytes(&decode->reader, len);
    bool is_protocol_error = false;
    const char *why = NULL;
    if (decode->peer->client)
        where |= MQTT_IN_CLIENT_SENT;
    if (decode->reader.why == NULL)
        why = mqtt_properties_check(block, where, ret_seen, &is_protocol_error);
    if (why != NULL)
        mqtt_fault(&decode->reader, is_protocol_error ? MQTT_PROTOCOL_ERROR : MQTT_MALFORMED_PACKET, why);
    return block;
}

static void take_properties(struct decode *decode)
{
    struct mqtt_packet *packet = decode->packet;
    if (packet->version >= MQTT_5)
        packet->properties.encoded = take_block(decode, MQTT_IN(packet->type), &packet->properties_seen);
}

static void check_reason(struct decode *decode, uint8_t code)
{
    struct mqtt_packet *packet = decode->packet;
    if (decode->reader.why == NULL && !mqtt_reason_fits(packet->version, packet->type, decode->peer->client, code))
        protocol_error(decode, "a reason code that this packet cannot carry (2.4; 3.1.1: 3.2.2.3, 3.9.3)");
}

static void take_reason(struct decode *decode)
{
    decode->packet->reason = mqtt_take_byte(&decode->reader);
    check_reason(decode, decode->packet->reason);
}

/* ---- a function for each kind of packet ----------------------------------------------------------- */

static void decode_nothing(struct decode *decode)
{
    (void)decode; /* what is left is refused behind */
}

static void take_will(struct decode *decode, uint8_t flags)
{
    struct mqtt_will *will = &decode->packet->connect.will;
    uint64_t seen;
    will->present = true;
    will->qos = flags >> 3 & 3;
    will->retain = (flags & 0x20) != 0;
    if (decode->packet->version >= MQTT_5)
        will->properties.encoded = take_block(decode, MQTT_IN_WILL, &seen);
    will->topic = mqtt_take_text(&decode->reader);
    will->payload = mqtt_take_binary(&decode->reader);
    if (decode->reader.why == NULL && mqtt_topic_refuse(will->topic) != NULL)
        protocol_error(decode, "a will topic that is no topic name (3.1.3.3; 3.1.1: 3.1.3.2)");
}

/* Connect Flags, 3.1.2.3 */
static void check_connect_flags(struct decode *decode, uint8_t flags)
{
    if (flags & 0x01)
        malformed(decode, "the reserved connect flag is set (3.1.2.3)");
    else if (!(flags & 0x04) && (flags & 0x38))
        malformed(decode, "will QoS or will retain without a will (3.1.2.6)");
    else if ((flags & 0x18) == 0x18)
        malformed(decode, "will QoS 3 (3.1.2.6)");
    else if (decode->packet->version < MQTT_5 && (flags & 0xc0) == 0x40)
        malformed(decode, "a password without a user name (3.1.2.9)");
}

static void decode_connect(struct decode *decode)
{
    struct mqtt_packet *packet = decode->packet;
    struct mqtt_connect *connect = &packet->connect;
    struct mqtt_reader *reader = &decode->reader;
    *connect = (struct mqtt_connect){0};
    struct squall_bytes name = mqtt_take_binary(reader);
    uint8_t level = mqtt_take_byte(reader), flags = mqtt_take_byte(reader);
    connect->keep_alive_s = mqtt_take_u16(reader);
    if (reader->why == NULL && (name.len != 4 || memcmp(name.data, "MQTT", 4) != 0))
        malformed(decode, "the protocol name is not MQTT (3.1.2.1)");
    else if (reader->why == NULL && level != packet->version)
        protocol_error(decode, "another protocol level than expected (3.1.2.2)");
    check_connect_flags(decode, flags);
    take_properties(decode);
    if ((packet->properties_seen & (MQTT_SEEN(MQTT_AUTH_DATA) | MQTT_SEEN(MQTT_AUTH_METHOD))) ==
        MQTT_SEEN(MQTT_AUTH_DATA))
        protocol_error(decode, "Authentication Data without a method (3.1.2.11.10)");
    connect->clean_start = (flags & 0x02) != 0;
    connect->client_id = mqtt_take_text(reader);
    if (flags & 0x04)
        take_will(decode, flags);
    connect->has_username = (flags & 0x80) != 0;
    connect->has_password = (flags & 0x40) != 0;
    if (connect->has_username)
        connect->username = mqtt_take_text(reader);
    if (connect->has_password)
        connect->password = mqtt_take_binary(reader);
}

static void decode_connack(struct decode *decode)
{
    struct mqtt_packet *packet = decode->packet;
    uint8_t flags = mqtt_take_byte(&decode->reader);
    if (flags > 1)
        malformed(decode, "a reserved bit of the CONNACK flags is set (3.2.2.1)");
    packet->session_present = flags == 1;
    take_reason(decode);
    take_properties(decode);
    if (packet->session_present && packet->reason != MQTT_SUCCESS)
        protocol_error(decode, "Session Present beside a refusal (3.2.2.1.1; 3.1.1: 3.2.2.2)");
}

static void decode_publish(struct decode *decode)
{
    struct mqtt_packet *packet = decode->packet;
    packet->topic = mqtt_take_text(&decode->reader);
    if (packet->qos > 0)
        take_packet_id(decode);
    take_properties(decode);
    packet->payload = mqtt_take_bytes(&decode->reader, mqtt_left(&decode->reader));
    if (decode->reader.why != NULL)
        return;
    if (packet->topic.len == 0) {
        if (!(packet->properties_seen & MQTT_SEEN(MQTT_TOPIC_ALIAS)))
            protocol_error(decode, "neither topic name nor topic alias (3.3.2.1; 3.1.1: 4.7.3)");
    } else if (memchr(packet->topic.data, '+', packet->topic.len) != NULL ||
               memchr(packet->topic.data, '#', packet->topic.len) != NULL) {
        protocol_error(decode, "a topic name with a wildcard (3.3.2.1)");
    }
}

/* PUBACK, PUBREC, PUBREL, PUBCOMP: 3.4 to 3.7 */
static void decode_ack(struct decode *decode)
{
    take_packet_id(decode);
    if (decode->packet->version < MQTT_5 || mqtt_left(&decode->reader) == 0)
        return;
    take_reason(decode);
    if (mqtt_left(&decode->reader) > 0)
        take_properties(decode);
}

static void take_codes(struct decode *decode)
{
    struct mqtt_packet *packet = decode->packet;
    packet->codes = mqtt_take_bytes(&decode->reader, mqtt_left(&decode->reader));
    if (packet->codes.len == 0)
        protocol_error(decode, "no reason code at all (3.9.3, 3.11.3)");
    for (uint64_t i = 0; i < packet->codes.len && decode->reader.why == NULL; i++)
        check_reason(decode, packet->codes.data[i]);
}

static void decode_suback(struct decode *decode)
{
    take_packet_id(decode);
    take_properties(decode);
    take_codes(decode);
}

static void decode_unsuback(struct decode *decode)
{
    take_packet_id(decode);
    take_properties(decode);
    if (decode->packet->version >= MQTT_5)
        take_codes(decode);
}

static void check_options(struct decode *decode, uint8_t options, struct squall_bytes topic)
{
    bool is_5 = decode->packet->version >= MQTT_5;
    if ((options & 3) == 3)
        protocol_error(decode, "QoS 3 in a subscription (3.8.3.1; 3.1.1: 3.8.3)");
    else if (options & (is_5 ? 0xc0 : 0xfc))
        malformed(decode, "a reserved bit of the subscription options is set (3.8.3.1; 3.1.1: 3.8.3)");
    else if ((options >> MQTT_RETAIN_HANDLING_SHIFT & 3) == 3)
        protocol_error(decode, "Retain Handling 3 (3.8.3.1)");
    else if ((options & MQTT_NO_LOCAL) && topic.len >= 7 && memcmp(topic.data, "$share/", 7) == 0)
        protocol_error(decode, "No Local on a shared subscription (3.8.3.1)");
}

/* SUBSCRIBE and UNSUBSCRIBE: 3.8, 3.10 */
static void decode_filters(struct decode *decode)
{
    struct mqtt_packet *packet = decode->packet;
    struct mqtt_reader *reader = &decode->reader;
    take_packet_id(decode);
    take_properties(decode);
    packet->filters.encoded = (struct squall_bytes){.data = reader->at, .len = mqtt_left(reader)};
    if (mqtt_left(reader) == 0)
        protocol_error(decode, "no topic filter (3.8.3, 3.10.3)");
    while (mqtt_left(reader) > 0) {
        struct squall_bytes topic = mqtt_take_text(reader);
        uint8_t options = packet->type == MQTT_SUBSCRIBE ? mqtt_take_byte(reader) : 0;
        if (reader->why != NULL)
            break;
        const char *why = mqtt_filter_refuse(topic, packet->version >= MQTT_5);
        if (why != NULL)
            protocol_error(decode, why);
        check_options(decode, options, topic);
        packet->filters.count++;
    }
}

static void decode_disconnect(struct decode *decode)
{
    if (decode->packet->version < MQTT_5 || mqtt_left(&decode->reader) == 0)
        return;
    take_reason(decode);
    if (mqtt_left(&decode->reader) > 0)
        take_properties(decode);
}

static void decode_auth(struct decode *decode)
{
    if (mqtt_left(&decode->reader) == 0) {
        check_reason(decode, MQTT_SUCCESS);
        return;
    }
    take_reason(decode);
    take_properties(decode); /* may not be left out beside a reason code (3.15.2.1) */
}

/* ---- the fixed header ----------------------------------------------------------------------------- */

static const struct row {
    const char *name;
    void (*decode)(struct decode *);
    uint8_t flags;    /* bits 3 to 0 of the first byte, but for PUBLISH */
    uint8_t from[2];  /* who sends it: in 3.1.1, in 5.0 */
    uint8_t min, max; /* Remaining Length in 3.1.1; max 0: variable */
} rows[16] = {
    [MQTT_CONNECT] = {"CONNECT", decode_connect, 0, {FROM_CLIENT, FROM_CLIENT}, 12, 0},
    [MQTT_CONNACK] = {"CONNACK", decode_connack, 0, {FROM_SERVER, FROM_SERVER}, 2, 2},
    [MQTT_PUBLISH] = {"PUBLISH", decode_publish, 0, {BOTH, BOTH}, 3, 0},
    [MQTT_PUBACK] = {"PUBACK", decode_ack, 0, {BOTH, BOTH}, 2, 2},
    [MQTT_PUBREC] = {"PUBREC", decode_ack, 0, {BOTH, BOTH}, 2, 2},
    [MQTT_PUBREL] = {"PUBREL", decode_ack, 2, {BOTH, BOTH}, 2, 2},
    [MQTT_PUBCOMP] = {"PUBCOMP", decode_ack, 0, {BOTH, BOTH}, 2, 2},
    [MQTT_SUBSCRIBE] = {"SUBSCRIBE", decode_filters, 2, {FROM_CLIENT, FROM_CLIENT}, 2, 0},
    [MQTT_SUBACK] = {"SUBACK", decode_suback, 0, {FROM_SERVER, FROM_SERVER}, 3, 0},
    [MQTT_UNSUBSCRIBE] = {"UNSUBSCRIBE", decode_filters, 2, {FROM_CLIENT, FROM_CLIENT}, 2, 0},
    [MQTT_UNSUBACK] = {"UNSUBACK", decode_unsuback, 0, {FROM_SERVER, FROM_SERVER}, 2, 2},
    [MQTT_PINGREQ] = {"PINGREQ", decode_nothing, 0, {FROM_CLIENT, FROM_CLIENT}, 0, 0},
    [MQTT_PINGRESP] = {"PINGRESP", decode_nothing, 0, {FROM_SERVER, FROM_SERVER}, 0, 0},
    [MQTT_DISCONNECT] = {"DISCONNECT", decode_disconnect, 0, {FROM_CLIENT, BOTH}, 0, 0},
    [MQTT_AUTH] = {"AUTH", decode_auth, 0, {0, BOTH}, 0, 0},
};

const char *mqtt_type_name(uint8_t type)
{
    return type < 16 && rows[type].name != NULL ? rows[type].name : "packet";
}

/* The first byte: type, sender, flags (2.1.2, 2.1.3). */
static const char *refuse_first(const struct mqtt_peer *peer, uint8_t first, uint8_t *ret_code)
{
    const struct row *row = &rows[first >> 4];
    uint8_t flags = first & 0x0f, from = row->from[peer->version >= MQTT_5];
    *ret_code = MQTT_MALFORMED_PACKET;
    if (from == 0)
        return "a packet type that is reserved (2.1.2; 3.1.1: 2.2.1)";
    if (!(from & (peer->client ? FROM_CLIENT : FROM_SERVER))) {
        *ret_code = MQTT_PROTOCOL_ERROR;
        return "a packet that only the other side may send (2.1.2; 3.1.1: 2.2.1)";
    }
    if (first >> 4 != MQTT_PUBLISH)
        return flags == row->flags ? NULL
                                   : "reserved bits of the first byte are not as they must be (2.1.3; 3.1.1: 2.2.2)";
    if ((flags & 0x06) == 0x06)
        return "QoS 3 (3.3.1.2)";
    return (flags & 0x0e) == 0x08 ? "DUP with QoS 0 (3.3.1.1)" : NULL;
}

/* Remaining Length at data[1] (2.1.4; 3.1.1: 2.2.3, which does not ask for its shortest form). Returns its bytes, 0
 * when it is not whole, -1 when it is none. */
static int take_remaining(const struct mqtt_peer *peer, const uint8_t *data, uint64_t len, uint32_t *ret_remaining)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        if ((uint64_t)i + 1 >= len)
            return 0;
        uint8_t byte = data[i + 1];
        value |= (uint32_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (byte == 0 && i > 0 && peer->version >= MQTT_5)
            return -1;
        *ret_remaining = value;
        return i + 1;
    }
    return -1;
}

static enum mqtt_decoded broken(struct mqtt_fault *ret_fault, uint8_t type, uint8_t code, const char *why)
{
    *ret_fault = (struct mqtt_fault){.why = why, .type = rows[type].name != NULL ? type : 0, .code = code};
    return MQTT_BROKEN;
}

/* The four bytes of an acknowledgement that says success, in both versions and both directions: most of what the client
 * of a busy broker reads. */
static bool is_short_ack(const struct mqtt_peer *peer, const uint8_t *data, uint64_t len)
{
    return len >= 4 && data[1] == 2 && (data[2] | data[3]) != 0 && peer->packet_max >= 4 &&
           (data[0] == MQTT_PUBACK << 4 || data[0] == MQTT_PUBREC << 4 || data[0] == (MQTT_PUBREL << 4 | 2) ||
            data[0] == MQTT_PUBCOMP << 4);
}

enum mqtt_decoded mqtt_decode(const struct mqtt_peer *peer, const uint8_t *data, uint64_t len,
                              struct mqtt_packet *ret_packet, struct mqtt_fault *ret_fault)
{
    uint32_t remaining = 0;
    uint8_t code;
    if (len == 0)
        return MQTT_MORE;
    uint8_t type = data[0] >> 4;
    if (is_short_ack(peer, data, len)) {
        mqtt_packet_clear(ret_packet);
        ret_packet->type = type;
        ret_packet->version = peer->version;
        ret_packet->size = 4;
        ret_packet->packet_id = (uint16_t)(data[2] << 8 | data[3]);
        return MQTT_PACKET;
    }
    const struct row *row = &rows[type];
    const char *why = refuse_first(peer, data[0], &code);
    if (why != NULL)
        return broken(ret_fault, type, code, why);
    int taken = take_remaining(peer, data, len, &remaining);
    if (taken < 0)
        return broken(ret_fault, type, MQTT_MALFORMED_PACKET,
                      "a Remaining Length of more bytes than it may have (2.1.4)");
    if (taken == 0)
        return MQTT_MORE;
    uint32_t size = 1 + (uint32_t)taken + remaining;
    if (size > peer->packet_max)
        return broken(ret_fault, type, MQTT_TOO_LARGE, "larger than the largest packet that is taken (3.1.2.11.4)");
    bool fixed = peer->version < MQTT_5 && row->max != 0;
    if (peer->version < MQTT_5 && (remaining < row->min || (fixed && remaining > row->max)))
        return broken(ret_fault, type, MQTT_MALFORMED_PACKET, "a Remaining Length that this packet cannot have (3)");
    if (len < size)
        return MQTT_MORE;
    mqtt_packet_clear(ret_packet);
    ret_packet->type = type;
    ret_packet->version = peer->version;
    ret_packet->size = size;
    if (type == MQTT_PUBLISH) {
        ret_packet->dup = (data[0] & 0x08) != 0;
        ret_packet->qos = data[0] >> 1 & 3;
        ret_packet->retain = (data[0] & 0x01) != 0;
    }
    struct decode decode = {.reader = {.at = data + 1 + taken, .end = data + size}, .peer = peer, .packet = ret_packet};
    row->decode(&decode);
    if (mqtt_left(&decode.reader) > 0)
        malformed(&decode, "bytes behind its last field (2.1.4)");
    if (decode.reader.why != NULL)
        return broken(ret_fault, type, decode.reader.code, decode.reader.why);
    return MQTT_PACKET;
}

bool mqtt_filter_next(struct squall_bytes *encoded, uint8_t type, struct mqtt_filter *ret_filter)
{
    if (encoded->len == 0)
        return false;
    struct mqtt_reader reader = {.at = encoded->data, .end = encoded->data + encoded->len};
    ret_filter->topic = mqtt_take_binary(&reader);
    ret_filter->options = type == MQTT_SUBSCRIBE ? mqtt_take_byte(&reader) : 0;
    *encoded = (struct squall_bytes){.data = reader.at, .len = mqtt_left(&reader)};
    return true;
}
