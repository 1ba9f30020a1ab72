/* The table of properties (2.2.2.2, table 2-4), and what reads and writes by it. */
#include "property.h"
#include "packet.h"
#include "wire.h"

#define IN_ACKS  (MQTT_IN(MQTT_PUBACK) | MQTT_IN(MQTT_PUBREC) | MQTT_IN(MQTT_PUBREL) | MQTT_IN(MQTT_PUBCOMP))
#define IN_REPLY (MQTT_IN(MQTT_CONNACK) | IN_ACKS | MQTT_IN(MQTT_SUBACK) | MQTT_IN(MQTT_UNSUBACK))
#define IN_AUTH  (MQTT_IN(MQTT_CONNECT) | MQTT_IN(MQTT_CONNACK) | MQTT_IN(MQTT_AUTH))
#define MESSAGE  (MQTT_IN(MQTT_PUBLISH) | MQTT_IN_WILL)
#define HELLO    MQTT_IN(MQTT_CONNECT)
#define WELCOME  MQTT_IN(MQTT_CONNACK)
#define ANYWHERE                                                                                                       \
    (MESSAGE | HELLO | IN_REPLY | MQTT_IN(MQTT_SUBSCRIBE) | MQTT_IN(MQTT_UNSUBSCRIBE) | MQTT_IN(MQTT_DISCONNECT) |     \
     MQTT_IN(MQTT_AUTH))
#define U32_ALL UINT32_MAX

static const struct mqtt_property_row rows[MQTT_PROPERTIES_END] = {
    [MQTT_PAYLOAD_FORMAT] = {.name = "Payload Format Indicator", .where = MESSAGE, .type = MQTT_BYTE, .max = 1},
    [MQTT_MESSAGE_EXPIRY] = {.name = "Message Expiry Interval", .where = MESSAGE, .type = MQTT_U32, .max = U32_ALL},
    [MQTT_CONTENT_TYPE] = {.name = "Content Type", .where = MESSAGE, .type = MQTT_TEXT},
    [MQTT_RESPONSE_TOPIC] = {.name = "Response Topic", .where = MESSAGE, .type = MQTT_TEXT},
    [MQTT_CORRELATION_DATA] = {.name = "Correlation Data", .where = MESSAGE, .type = MQTT_BINARY},
    [MQTT_SUBSCRIPTION_ID] = {.name = "Subscription Identifier",
                              .where = MQTT_IN(MQTT_PUBLISH) | MQTT_IN(MQTT_SUBSCRIBE),
                              .type = MQTT_VARINT,
                              .min = 1,
                              .max = MQTT_REMAINING_MAX},
    [MQTT_SESSION_EXPIRY] = {.name = "Session Expiry Interval",
                             .where = HELLO | WELCOME | MQTT_IN(MQTT_DISCONNECT),
                             .type = MQTT_U32,
                             .max = U32_ALL},
    [MQTT_ASSIGNED_CLIENT_ID] = {.name = "Assigned Client Identifier", .where = WELCOME, .type = MQTT_TEXT},
    [MQTT_SERVER_KEEP_ALIVE] = {.name = "Server Keep Alive", .where = WELCOME, .type = MQTT_U16, .max = UINT16_MAX},
    [MQTT_AUTH_METHOD] = {.name = "Authentication Method", .where = IN_AUTH, .type = MQTT_TEXT},
    [MQTT_AUTH_DATA] = {.name = "Authentication Data", .where = IN_AUTH, .type = MQTT_BINARY},
    [MQTT_REQUEST_PROBLEM_INFORMATION] = {.name = "Request Problem Information",
                                          .where = HELLO,
                                          .type = MQTT_BYTE,
                                          .max = 1},
    [MQTT_WILL_DELAY] = {.name = "Will Delay Interval", .where = MQTT_IN_WILL, .type = MQTT_U32, .max = U32_ALL},
    [MQTT_REQUEST_RESPONSE_INFORMATION] = {.name = "Request Response Information",
                                           .where = HELLO,
                                           .type = MQTT_BYTE,
                                           .max = 1},
    [MQTT_RESPONSE_INFORMATION] = {.name = "Response Information", .where = WELCOME, .type = MQTT_TEXT},
    [MQTT_SERVER_REFERENCE] = {.name = "Server Reference",
                               .where = WELCOME | MQTT_IN(MQTT_DISCONNECT),
                               .type = MQTT_TEXT},
    [MQTT_REASON_STRING] = {.name = "Reason String",
                            .where = IN_REPLY | MQTT_IN(MQTT_DISCONNECT) | MQTT_IN(MQTT_AUTH),
                            .type = MQTT_TEXT},
    [MQTT_RECEIVE_MAXIMUM] =
        {.name = "Receive Maximum", .where = HELLO | WELCOME, .type = MQTT_U16, .min = 1, .max = UINT16_MAX},
    [MQTT_TOPIC_ALIAS_MAXIMUM] = {.name = "Topic Alias Maximum",
                                  .where = HELLO | WELCOME,
                                  .type = MQTT_U16,
                                  .max = UINT16_MAX},
    [MQTT_TOPIC_ALIAS] =
        {.name = "Topic Alias", .where = MQTT_IN(MQTT_PUBLISH), .type = MQTT_U16, .min = 1, .max = UINT16_MAX},
    [MQTT_MAXIMUM_QOS] = {.name = "Maximum QoS", .where = WELCOME, .type = MQTT_BYTE, .max = 1},
    [MQTT_RETAIN_AVAILABLE] = {.name = "Retain Available", .where = WELCOME, .type = MQTT_BYTE, .max = 1},
    [MQTT_USER_PROPERTY] = {.name = "User Property", .where = ANYWHERE, .type = MQTT_PAIR, .repeats = true},
    [MQTT_MAXIMUM_PACKET_SIZE] =
        {.name = "Maximum Packet Size", .where = HELLO | WELCOME, .type = MQTT_U32, .min = 1, .max = U32_ALL},
    [MQTT_WILDCARD_AVAILABLE] = {.name = "Wildcard Subscription Available",
                                 .where = WELCOME,
                                 .type = MQTT_BYTE,
                                 .max = 1},
    [MQTT_SUBSCRIPTION_ID_AVAILABLE] = {.name = "Subscription Identifiers Available",
                                        .where = WELCOME,
                                        .type = MQTT_BYTE,
                                        .max = 1},
    [MQTT_SHARED_AVAILABLE] = {.name = "Shared Subscription Available", .where = WELCOME, .type = MQTT_BYTE, .max = 1},
};

const struct mqtt_property_row *mqtt_property_row(uint8_t id)
{
    return id < MQTT_PROPERTIES_END && rows[id].name != NULL ? &rows[id] : NULL;
}

/* ---- reading ------------------------------------------------------------------------------------- */

static void take_value(struct mqtt_reader *reader, uint8_t type, struct mqtt_property *property)
{
    switch (type) {
    case MQTT_BYTE:
        property->number = mqtt_take_byte(reader);
        break;
    case MQTT_U16:
        property->number = mqtt_take_u16(reader);
        break;
    case MQTT_U32:
        property->number = mqtt_take_u32(reader);
        break;
    case MQTT_VARINT:
        property->number = mqtt_take_varint(reader);
        break;
    case MQTT_PAIR:
        property->name = mqtt_take_text(reader);
        property->value = mqtt_take_text(reader);
        break;
    case MQTT_TEXT:
        property->value = mqtt_take_text(reader);
        break;
    default:
        property->value = mqtt_take_binary(reader);
        break;
    }
}

/* The exceptions to "may stand in this packet, once". */
static void check_place(struct mqtt_reader *reader, uint8_t id, uint32_t where, uint64_t seen)
{
    const struct mqtt_property_row *row = &rows[id];
    bool from_client = (where & MQTT_IN_CLIENT_SENT) != 0;
    if (!(row->where & where))
        mqtt_fault(reader, MQTT_PROTOCOL_ERROR, "a property that this packet cannot carry (2.2.2.2)");
    else if (id == MQTT_SESSION_EXPIRY && (where & MQTT_IN(MQTT_DISCONNECT)) && !from_client)
        mqtt_fault(reader, MQTT_PROTOCOL_ERROR, "Session Expiry Interval from a server (3.14.2.2.2)");
    else if (id == MQTT_SERVER_REFERENCE && from_client)
        mqtt_fault(reader, MQTT_PROTOCOL_ERROR, "Server Reference from a client (3.14.2.2.5)");
    else if (id == MQTT_SUBSCRIPTION_ID && (where & MQTT_IN(MQTT_PUBLISH)) && from_client)
        mqtt_fault(reader, MQTT_PROTOCOL_ERROR, "Subscription Identifier from a client (3.3.4)");
    else if ((seen & MQTT_SEEN(id)) && !row->repeats &&
             !(id == MQTT_SUBSCRIPTION_ID && (where & MQTT_IN(MQTT_PUBLISH))))
        mqtt_fault(reader, MQTT_PROTOCOL_ERROR, "a property given twice (2.2.2.2)");
}

static bool has_wildcard(struct squall_bytes topic)
{
    return topic.len > 0 && (memchr(topic.data, '+', topic.len) != NULL || memchr(topic.data, '#', topic.len) != NULL);
}

static void check_value(struct mqtt_reader *reader, const struct mqtt_property *property)
{
    const struct mqtt_property_row *row = &rows[property->id];
    if (row->type <= MQTT_VARINT && (property->number < row->min || property->number > row->max))
        mqtt_fault(reader, MQTT_PROTOCOL_ERROR, "a property's number outside of what it may be (3)");
    else if (property->id == MQTT_RESPONSE_TOPIC && (property->value.len == 0 || has_wildcard(property->value)))
        mqtt_fault(reader, MQTT_PROTOCOL_ERROR, "a Response Topic that is no topic name (3.3.2.3.5)");
}

const char *mqtt_properties_check(struct squall_bytes block, uint32_t where, uint64_t *ret_seen,
                                  bool *ret_protocol_error)
{
    struct mqtt_reader reader = {.at = block.data, .end = block.data + block.len};
    uint64_t seen = 0;
    while (reader.at < reader.end) {
        struct mqtt_property property = {.id = *reader.at};
        /* An identifier is a Variable Byte Integer, and all that exist fit in one byte of it. */
        if (mqtt_property_row(property.id) == NULL) {
            mqtt_fault(&reader, MQTT_MALFORMED_PACKET, "a property that does not exist (2.2.2.2)");
            break;
        }
        reader.at++;
        check_place(&reader, property.id, where, seen);
        if (reader.why == NULL)
            take_value(&reader, rows[property.id].type, &property);
        if (reader.why == NULL)
            check_value(&reader, &property);
        seen |= MQTT_SEEN(property.id);
    }
    if (reader.why == NULL)
        *ret_seen = seen;
    *ret_protocol_error = reader.code == MQTT_PROTOCOL_ERROR;
    return reader.why;
}

bool mqtt_property_next(struct squall_bytes *block, struct mqtt_property *ret_property)
{
    if (block->len == 0)
        return false;
    struct mqtt_reader reader = {.at = block->data, .end = block->data + block->len};
    *ret_property = (struct mqtt_property){.id = *reader.at++};
    take_value(&reader, rows[ret_property->id].type, ret_property);
    *block = (struct squall_bytes){.data = reader.at, .len = mqtt_left(&reader)};
    return true;
}

uint32_t mqtt_property_number(struct squall_bytes block, uint8_t id, uint32_t fallback)
{
    struct mqtt_property property;
    while (mqtt_property_next(&block, &property))
        if (property.id == id)
            return property.number;
    return fallback;
}

/* ---- writing ------------------------------------------------------------------------------------- */

static uint64_t size_of(const struct mqtt_property *property)
{
    switch (rows[property->id].type) {
    case MQTT_BYTE:
        return 2;
    case MQTT_U16:
        return 3;
    case MQTT_U32:
        return 5;
    case MQTT_VARINT:
        return 1 + mqtt_varint_size(property->number);
    case MQTT_PAIR:
        return 5 + property->name.len + property->value.len;
    default:
        return 3 + property->value.len;
    }
}

static uint8_t *write_one(uint8_t *at, const struct mqtt_property *property)
{
    *at++ = property->id;
    switch (rows[property->id].type) {
    case MQTT_BYTE:
        *at++ = (uint8_t)property->number;
        return at;
    case MQTT_U16:
        return mqtt_put_u16(at, property->number);
    case MQTT_U32:
        return mqtt_put_u32(at, property->number);
    case MQTT_VARINT:
        return mqtt_put_varint(at, property->number);
    case MQTT_PAIR:
        at = mqtt_put_binary(at, property->name);
        return mqtt_put_binary(at, property->value);
    default:
        return mqtt_put_binary(at, property->value);
    }
}

uint64_t mqtt_properties_size(const struct mqtt_properties *properties)
{
    uint64_t size = properties->encoded.len;
    for (uint64_t i = 0; i < properties->count; i++)
        size += size_of(&properties->rows[i]);
    for (uint64_t i = 0; i < properties->user.count; i++)
        size += 5 + properties->user.pairs[i].name.len + properties->user.pairs[i].value.len;
    return size;
}

uint8_t *mqtt_properties_write(uint8_t *at, const struct mqtt_properties *properties)
{
    at = mqtt_put_raw(at, properties->encoded);
    for (uint64_t i = 0; i < properties->count; i++)
        at = write_one(at, &properties->rows[i]);
    for (uint64_t i = 0; i < properties->user.count; i++) {
        const struct squall_pair *pair = &properties->user.pairs[i];
        at = write_one(at, &(struct mqtt_property){.id = MQTT_USER_PROPERTY, .name = pair->name, .value = pair->value});
    }
    return at;
}

static const char *refuse_text(struct squall_bytes text)
{
    if (text.len > MQTT_TEXT_MAX)
        return "a property longer than 65,535 bytes (1.5.4)";
    return mqtt_utf8_valid(text) ? NULL : "a property's text is not UTF-8, or holds U+0000 (1.5.4)";
}

const char *mqtt_properties_refuse(const struct mqtt_properties *properties, uint32_t where)
{
    uint64_t seen = 0;
    const char *why = NULL;
    for (uint64_t i = 0; i < properties->count && why == NULL; i++) {
        const struct mqtt_property *property = &properties->rows[i];
        struct mqtt_reader judge = {0};
        if (mqtt_property_row(property->id) == NULL)
            return "a property that does not exist (2.2.2.2)";
        check_place(&judge, property->id, where, seen);
        check_value(&judge, property);
        why = judge.why;
        if (why == NULL && rows[property->id].type == MQTT_BINARY && property->value.len > MQTT_TEXT_MAX)
            why = "a property longer than 65,535 bytes (1.5.6)";
        if (why == NULL && (rows[property->id].type == MQTT_TEXT || rows[property->id].type == MQTT_PAIR))
            why = refuse_text(property->value);
        if (why == NULL && rows[property->id].type == MQTT_PAIR)
            why = refuse_text(property->name);
        seen |= MQTT_SEEN(property->id);
    }
    for (uint64_t i = 0; i < properties->user.count && why == NULL; i++) {
        why = refuse_text(properties->user.pairs[i].name);
        if (why == NULL)
            why = refuse_text(properties->user.pairs[i].value);
    }
    return why;
}
