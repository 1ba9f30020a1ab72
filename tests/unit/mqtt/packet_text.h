/*
 * A decoded MQTT packet as one line of text, for tests to compare, and a copy of it whose properties and filters are
 * rows instead of the decoder's bytes, so that encoding it again goes through every field.
 */
#ifndef SQUALL_TEST_PACKET_TEXT_H
#define SQUALL_TEST_PACKET_TEXT_H
#include "decode.h"
#include "encode.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct packet_text {
    char text[16384];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static inline void put(struct packet_text *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line->text + line->len, sizeof line->text - line->len, format, arguments);
    va_end(arguments);
    line->len += (size_t)len;
    if (line->len >= sizeof line->text)
        line->len = sizeof line->text - 1;
}

/* In quotes; what is not a plain character as \xx. */
static inline void put_quoted(struct packet_text *line, struct squall_bytes bytes)
{
    put(line, "\"");
    for (uint64_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.data[i];
        put(line, byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\' ? "%c" : "\\%02x", byte);
    }
    put(line, "\"");
}

static inline void put_properties(struct packet_text *line, struct squall_bytes block)
{
    struct mqtt_property property;
    const char *between = "";
    put(line, " {");
    while (mqtt_property_next(&block, &property)) {
        const struct mqtt_property_row *row = mqtt_property_row(property.id);
        put(line, "%s%s=", between, row->name);
        between = ", ";
        if (row->type <= MQTT_VARINT) {
            put(line, "%u", property.number);
            continue;
        }
        if (row->type == MQTT_PAIR) {
            put_quoted(line, property.name);
            put(line, ":");
        }
        put_quoted(line, property.value);
    }
    put(line, "}");
}

static inline void put_connect_text(struct packet_text *line, const struct mqtt_packet *packet)
{
    const struct mqtt_connect *connect = &packet->connect;
    put(line, " clean=%d keep=%u id=", connect->clean_start, connect->keep_alive_s);
    put_quoted(line, connect->client_id);
    if (connect->has_username) {
        put(line, " user=");
        put_quoted(line, connect->username);
    }
    if (connect->has_password) {
        put(line, " password=");
        put_quoted(line, connect->password);
    }
    if (!connect->will.present)
        return;
    put(line, " will(qos=%u retain=%d topic=", connect->will.qos, connect->will.retain);
    put_quoted(line, connect->will.topic);
    put(line, " payload=");
    put_quoted(line, connect->will.payload);
    if (packet->version >= MQTT_5)
        put_properties(line, connect->will.properties.encoded);
    put(line, ")");
}

static inline void put_filters_text(struct packet_text *line, const struct mqtt_packet *packet)
{
    struct squall_bytes encoded = packet->filters.encoded;
    struct mqtt_filter filter;
    while (mqtt_filter_next(&encoded, packet->type, &filter)) {
        put(line, " ");
        put_quoted(line, filter.topic);
        if (packet->type == MQTT_SUBSCRIBE)
            put(line, ":%u", filter.options);
    }
}

static inline const char *packet_describe(struct packet_text *line, const struct mqtt_packet *packet)
{
    line->len = 0;
    put(line, "%s", mqtt_type_name(packet->type));
    if (packet->type == MQTT_CONNECT)
        put_connect_text(line, packet);
    if (packet->type == MQTT_CONNACK)
        put(line, " present=%d reason=%u", packet->session_present, packet->reason);
    if (packet->type == MQTT_PUBLISH)
        put(line, " dup=%d qos=%u retain=%d", packet->dup, packet->qos, packet->retain);
    if (packet->packet_id != 0)
        put(line, " id=%u", packet->packet_id);
    if (packet->type == MQTT_PUBLISH) {
        put(line, " topic=");
        put_quoted(line, packet->topic);
        put(line, " payload=");
        put_quoted(line, packet->payload);
    }
    if ((packet->type >= MQTT_PUBACK && packet->type <= MQTT_PUBCOMP) || packet->type >= MQTT_DISCONNECT)
        put(line, " reason=%u", packet->reason);
    put_filters_text(line, packet);
    for (uint64_t i = 0; i < packet->codes.len; i++)
        put(line, "%s%u", i == 0 ? " codes=" : ",", packet->codes.data[i]);
    if (packet->version >= MQTT_5 && packet->type != MQTT_PINGREQ && packet->type != MQTT_PINGRESP)
        put_properties(line, packet->properties.encoded);
    return line->text;
}

#define ROWS_MAX 256
struct packet_rows {
    struct mqtt_property properties[ROWS_MAX], will[ROWS_MAX];
    struct mqtt_filter filters[ROWS_MAX];
};

static inline void rows_of(struct mqtt_properties *properties, struct mqtt_property *rows)
{
    struct squall_bytes block = properties->encoded;
    uint64_t count = 0;
    while (count < ROWS_MAX && mqtt_property_next(&block, &rows[count]))
        count++;
    *properties = (struct mqtt_properties){.rows = rows, .count = count, .encoded = block};
}

static inline struct mqtt_packet packet_in_rows(const struct mqtt_packet *packet, struct packet_rows *rows)
{
    struct mqtt_packet copy = *packet;
    rows_of(&copy.properties, rows->properties);
    if (copy.type == MQTT_CONNECT)
        rows_of(&copy.connect.will.properties, rows->will);
    struct squall_bytes encoded = copy.filters.encoded;
    copy.filters = (struct mqtt_filters){.rows = rows->filters};
    while (copy.filters.count < ROWS_MAX && mqtt_filter_next(&encoded, copy.type, &rows->filters[copy.filters.count]))
        copy.filters.count++;
    return copy;
}

#endif
