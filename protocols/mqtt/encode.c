/* The encoder. Each packet has a body size and a body writer that walk the same fields in the same order. */
#include "encode.h"
#include "reason.h"
#include "topic.h"
#include "wire.h"

static bool is_5(const struct mqtt_packet *packet)
{
    return packet->version >= MQTT_5;
}

static uint64_t block_size(const struct mqtt_properties *properties)
{
    uint64_t size = mqtt_properties_size(properties);
    return mqtt_varint_size(size) + size;
}

static uint8_t *put_block(uint8_t *at, const struct mqtt_properties *properties)
{
    return mqtt_properties_write(mqtt_put_varint(at, mqtt_properties_size(properties)), properties);
}

/* How much of "reason code, properties" an acknowledgement or DISCONNECT needs: 0, 1 or 2 of them (3.4.2.1, 3.14.2.1).
 */
static unsigned tail_of(const struct mqtt_packet *packet)
{
    if (!is_5(packet))
        return 0;
    if (mqtt_properties_size(&packet->properties) > 0)
        return 2;
    if (packet->reason == MQTT_SUCCESS)
        return 0;
    return packet->type == MQTT_AUTH ? 2 : 1;
}

static uint64_t tail_size(const struct mqtt_packet *packet)
{
    unsigned tail = tail_of(packet);
    return tail < 2 ? tail : 1 + block_size(&packet->properties);
}

static uint8_t *put_tail(uint8_t *at, const struct mqtt_packet *packet)
{
    unsigned tail = tail_of(packet);
    if (tail > 0)
        *at++ = packet->reason;
    return tail > 1 ? put_block(at, &packet->properties) : at;
}

/* ---- CONNECT (3.1) --------------------------------------------------------------------------------- */

static uint64_t connect_size(const struct mqtt_packet *packet)
{
    const struct mqtt_connect *connect = &packet->connect;
    uint64_t size = 10 + 2 + connect->client_id.len;
    if (is_5(packet))
        size += block_size(&packet->properties);
    if (connect->will.present)
        size += 4 + connect->will.topic.len + connect->will.payload.len +
                (is_5(packet) ? block_size(&connect->will.properties) : 0);
    if (connect->has_username)
        size += 2 + connect->username.len;
    if (connect->has_password)
        size += 2 + connect->password.len;
    return size;
}

static uint8_t connect_flags(const struct mqtt_connect *connect)
{
    unsigned flags =
        (connect->has_username ? 0x80u : 0) | (connect->has_password ? 0x40u : 0) | (connect->clean_start ? 0x02u : 0);
    if (connect->will.present)
        flags |= 0x04u | (unsigned)connect->will.qos << 3 | (connect->will.retain ? 0x20u : 0);
    return (uint8_t)flags;
}

static uint8_t *put_connect(uint8_t *at, const struct mqtt_packet *packet)
{
    const struct mqtt_connect *connect = &packet->connect;
    at = mqtt_put_binary(at, (struct squall_bytes){.data = (const uint8_t *)"MQTT", .len = 4});
    *at++ = packet->version;
    *at++ = connect_flags(connect);
    at = mqtt_put_u16(at, connect->keep_alive_s);
    if (is_5(packet))
        at = put_block(at, &packet->properties);
    at = mqtt_put_binary(at, connect->client_id);
    if (connect->will.present) {
        if (is_5(packet))
            at = put_block(at, &connect->will.properties);
        at = mqtt_put_binary(at, connect->will.topic);
        at = mqtt_put_binary(at, connect->will.payload);
    }
    if (connect->has_username)
        at = mqtt_put_binary(at, connect->username);
    return connect->has_password ? mqtt_put_binary(at, connect->password) : at;
}

/* ---- filters (3.8.3, 3.10.3) ------------------------------------------------------------------------ */

static uint64_t filters_size(const struct mqtt_packet *packet)
{
    const struct mqtt_filters *filters = &packet->filters;
    uint64_t size = filters->encoded.len, each = packet->type == MQTT_SUBSCRIBE ? 3 : 2;
    for (uint64_t i = 0; filters->rows != NULL && i < filters->count; i++)
        size += each + filters->rows[i].topic.len;
    return size;
}

static uint8_t *put_filters(uint8_t *at, const struct mqtt_packet *packet)
{
    const struct mqtt_filters *filters = &packet->filters;
    at = mqtt_put_raw(at, filters->encoded);
    for (uint64_t i = 0; filters->rows != NULL && i < filters->count; i++) {
        at = mqtt_put_binary(at, filters->rows[i].topic);
        if (packet->type == MQTT_SUBSCRIBE)
            *at++ = filters->rows[i].options;
    }
    return at;
}

/* ---- all packets -------------------------------------------------------------------------------------- */

static uint64_t body_size(const struct mqtt_packet *packet)
{
    uint64_t block = is_5(packet) && packet->type != MQTT_CONNECT ? block_size(&packet->properties) : 0;
    switch (packet->type) {
    case MQTT_CONNECT:
        return connect_size(packet);
    case MQTT_CONNACK:
        return 2 + block;
    case MQTT_PUBLISH:
        return 2 + packet->topic.len + (packet->qos > 0 ? 2 : 0) + block + packet->payload.len;
    case MQTT_PUBACK:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
        return 2 + tail_size(packet);
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        return 2 + block + filters_size(packet);
    case MQTT_SUBACK:
        return 2 + block + packet->codes.len;
    case MQTT_UNSUBACK:
        return 2 + block + (is_5(packet) ? packet->codes.len : 0);
    case MQTT_DISCONNECT:
    case MQTT_AUTH:
        return tail_size(packet);
    default:
        return 0;
    }
}

uint64_t mqtt_encoded_size(const struct mqtt_packet *packet)
{
    uint64_t body = body_size(packet);
    return body > MQTT_REMAINING_MAX ? UINT64_MAX : 1 + mqtt_varint_size(body) + body;
}

static uint8_t first_byte(const struct mqtt_packet *packet)
{
    unsigned flags = 0;
    if (packet->type == MQTT_PUBLISH)
        flags = (packet->dup ? 8u : 0) | (unsigned)packet->qos << 1 | (packet->retain ? 1u : 0);
    else if (packet->type == MQTT_PUBREL || packet->type == MQTT_SUBSCRIBE || packet->type == MQTT_UNSUBSCRIBE)
        flags = 2;
    return (uint8_t)((unsigned)packet->type << 4 | flags);
}

uint8_t *mqtt_encode_publish_head(uint8_t *at, const struct mqtt_packet *packet)
{
    *at++ = first_byte(packet);
    at = mqtt_put_varint(at, body_size(packet));
    at = mqtt_put_binary(at, packet->topic);
    if (packet->qos > 0)
        at = mqtt_put_u16(at, packet->packet_id);
    return is_5(packet) ? put_block(at, &packet->properties) : at;
}

/* The packets that begin with a packet identifier. */
static uint8_t *put_identified(uint8_t *at, const struct mqtt_packet *packet)
{
    at = mqtt_put_u16(at, packet->packet_id);
    if (packet->type >= MQTT_PUBACK && packet->type <= MQTT_PUBCOMP)
        return put_tail(at, packet);
    if (is_5(packet))
        at = put_block(at, &packet->properties);
    if (packet->type == MQTT_SUBSCRIBE || packet->type == MQTT_UNSUBSCRIBE)
        return put_filters(at, packet);
    return packet->type == MQTT_SUBACK || is_5(packet) ? mqtt_put_raw(at, packet->codes) : at;
}

uint8_t *mqtt_encode(uint8_t *at, const struct mqtt_packet *packet)
{
    if (packet->type == MQTT_PUBLISH)
        return mqtt_put_raw(mqtt_encode_publish_head(at, packet), packet->payload);
    *at++ = first_byte(packet);
    at = mqtt_put_varint(at, body_size(packet));
    switch (packet->type) {
    case MQTT_CONNECT:
        return put_connect(at, packet);
    case MQTT_CONNACK:
        *at++ = packet->session_present;
        *at++ = packet->reason;
        return is_5(packet) ? put_block(at, &packet->properties) : at;
    case MQTT_PINGREQ:
    case MQTT_PINGRESP:
        return at;
    case MQTT_DISCONNECT:
    case MQTT_AUTH:
        return put_tail(at, packet);
    default:
        return put_identified(at, packet);
    }
}

uint8_t *mqtt_encode_ack(uint8_t *at, uint8_t type, uint16_t packet_id)
{
    at[0] = (uint8_t)((unsigned)type << 4 | (type == MQTT_PUBREL ? 2u : 0u));
    at[1] = 2;
    return mqtt_put_u16(at + 2, packet_id);
}

/* ---- what may go out ----------------------------------------------------------------------------------- */

static const char *refuse_text(struct squall_bytes text)
{
    if (text.len > MQTT_TEXT_MAX)
        return "longer than 65,535 bytes (1.5.4)";
    return mqtt_utf8_valid(text) ? NULL : "not UTF-8, or holds U+0000 (1.5.4)";
}

static bool has_row(const struct mqtt_packet *packet, uint8_t id)
{
    for (uint64_t i = 0; i < packet->properties.count; i++)
        if (packet->properties.rows[i].id == id)
            return true;
    return false;
}

static const char *refuse_will(const struct mqtt_packet *packet)
{
    const struct mqtt_will *will = &packet->connect.will;
    const char *why = mqtt_topic_refuse(will->topic);
    if (why == NULL && will->payload.len > MQTT_TEXT_MAX)
        why = "a will payload longer than 65,535 bytes (3.1.3.4)";
    if (why == NULL && will->qos > 2)
        why = "will QoS 3 (3.1.2.6)";
    if (why == NULL && is_5(packet))
        why = mqtt_properties_refuse(&will->properties, MQTT_IN_WILL | MQTT_IN_CLIENT_SENT);
    return why;
}

static const char *refuse_connect(const struct mqtt_packet *packet)
{
    const struct mqtt_connect *connect = &packet->connect;
    const char *why = refuse_text(connect->client_id);
    if (why == NULL && connect->client_id.len == 0 && !is_5(packet) && !connect->clean_start)
        why = "an empty client identifier without a clean session (3.1.3.1)";
    if (why == NULL && connect->has_username)
        why = refuse_text(connect->username);
    if (why == NULL && connect->has_password && connect->password.len > MQTT_TEXT_MAX)
        why = "a password longer than 65,535 bytes (3.1.3.6)";
    if (why == NULL && connect->has_password && !connect->has_username && !is_5(packet))
        why = "a password without a user name (3.1.2.9)";
    if (why == NULL && connect->will.present)
        why = refuse_will(packet);
    if (why == NULL && has_row(packet, MQTT_AUTH_DATA) && !has_row(packet, MQTT_AUTH_METHOD))
        why = "auth-data without auth-method (3.1.2.11.10)";
    return why;
}

static const char *refuse_publish(const struct mqtt_packet *packet)
{
    if (packet->qos > 2)
        return "QoS 3 (3.3.1.2)";
    if (packet->topic.len > 0 || !is_5(packet))
        return mqtt_topic_refuse(packet->topic);
    return has_row(packet, MQTT_TOPIC_ALIAS) ? NULL : "neither topic name nor topic alias (3.3.2.1)";
}

static const char *refuse_filters(const struct mqtt_packet *packet)
{
    const char *why = packet->filters.count == 0 ? "no topic filter (3.8.3, 3.10.3)" : NULL;
    for (uint64_t i = 0; packet->filters.rows != NULL && i < packet->filters.count && why == NULL; i++)
        why = mqtt_filter_refuse(packet->filters.rows[i].topic, is_5(packet));
    return why;
}

const char *mqtt_encode_refuse(const struct mqtt_packet *packet)
{
    const char *why = NULL;
    if (packet->type == MQTT_CONNECT)
        why = refuse_connect(packet);
    else if (packet->type == MQTT_PUBLISH)
        why = refuse_publish(packet);
    else if (packet->type == MQTT_SUBSCRIBE || packet->type == MQTT_UNSUBSCRIBE)
        why = refuse_filters(packet);
    if (why == NULL && is_5(packet))
        why = mqtt_properties_refuse(&packet->properties, MQTT_IN(packet->type) | MQTT_IN_CLIENT_SENT);
    if (why == NULL && mqtt_encoded_size(packet) > MQTT_PACKET_MAX)
        why = "larger than a packet can be (2.1.4)";
    return why;
}
