/*
 * Packets in words, for who looks on (squall_host.trace). What was sent is read back from its bytes, so that what is
 * shown is what went out. Passwords and authentication data are not shown,
 * only how long they are.
 */
#include "conn.h"
#include "reason.h"
#include <stdio.h>

static struct squall_bytes bytes_of(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

static void field(struct squall_conn *conn, const char *name, struct squall_bytes value)
{
    mqtt_host(conn)->trace(conn, SQUALL_TRACE_FIELD, bytes_of(name), value);
}

static void field_text(struct squall_conn *conn, const char *name, const char *value)
{
    field(conn, name, bytes_of(value));
}

static void field_number(struct squall_conn *conn, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    field_text(conn, name, text);
}

/* In place of a secret. */
static void field_length(struct squall_conn *conn, const char *name, struct squall_bytes value)
{
    char text[40];
    snprintf(text, sizeof text, "(%llu bytes)", (unsigned long long)value.len);
    field_text(conn, name, text);
}

static void properties(struct squall_conn *conn, const char *where, const struct mqtt_properties *all)
{
    struct squall_bytes block = all->encoded;
    struct mqtt_property one;
    while (block.len > 0 && mqtt_property_next(&block, &one)) {
        const struct mqtt_property_row *row = mqtt_property_row(one.id);
        char name[200];
        bool pair = row->type == MQTT_PAIR, number = row->type != MQTT_TEXT && row->type != MQTT_BINARY && !pair;
        snprintf(name, sizeof name, "%s%s%s%.*s", where, row->name, pair ? " " : "",
                 pair ? (int)(one.name.len < 100 ? one.name.len : 100) : 0,
                 pair && one.name.len > 0 ? (const char *)one.name.data : "");
        if (number)
            field_number(conn, name, one.number);
        else if (one.id == MQTT_AUTH_DATA)
            field_length(conn, name, one.value);
        else
            field(conn, name, one.value);
    }
}

static void connect_fields(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    const struct mqtt_connect *connect = &packet->connect;
    const struct mqtt_will *will = &connect->will;
    field_text(conn, "version", packet->version < MQTT_5 ? "3.1.1" : "5");
    field(conn, "client id", connect->client_id);
    field_text(conn, packet->version < MQTT_5 ? "clean session" : "clean start", connect->clean_start ? "yes" : "no");
    field_number(conn, "keep alive, s", connect->keep_alive_s);
    if (connect->has_username)
        field(conn, "user name", connect->username);
    if (connect->has_password)
        field_length(conn, "password", connect->password);
    properties(conn, "", &packet->properties);
    if (!will->present)
        return;
    field(conn, "will topic", will->topic);
    field_number(conn, "will QoS", will->qos);
    field_text(conn, "will retain", will->retain ? "yes" : "no");
    properties(conn, "will ", &will->properties);
    field(conn, "will payload", will->payload);
}

static void publish_fields(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    field(conn, "topic", packet->topic);
    field_number(conn, "QoS", packet->qos);
    if (packet->qos > 0 && packet->packet_id > 0) /* else a library's affair */
        field_number(conn, "packet id", packet->packet_id);
    field_text(conn, "retain", packet->retain ? "yes" : "no");
    if (packet->dup)
        field_text(conn, "DUP", "yes");
    properties(conn, "", &packet->properties);
    if (packet->payload.len > 0)
        mqtt_host(conn)->trace(conn, SQUALL_TRACE_CONTENT, (struct squall_bytes){0}, packet->payload);
}

static void filter_fields(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct squall_bytes encoded = packet->filters.encoded;
    struct mqtt_filter one;
    char text[120];
    for (uint64_t i = 0;; i++) {
        if (packet->filters.rows != NULL && i < packet->filters.count)
            one = packet->filters.rows[i];
        else if (packet->filters.rows != NULL || encoded.len == 0 || !mqtt_filter_next(&encoded, packet->type, &one))
            return;
        field(conn, "filter", one.topic);
        if (packet->type != MQTT_SUBSCRIBE)
            continue;
        snprintf(text, sizeof text, "%u%s%s", one.options & 3u, one.options & MQTT_NO_LOCAL ? ", no local" : "",
                 one.options & MQTT_RETAIN_AS_PUBLISHED ? ", retain as published" : "");
        field_text(conn, "  QoS", text);
    }
}

static void reason(struct squall_conn *conn, const char *name, uint32_t code)
{
    char text[100];
    const char *words = mqtt_reason_name(code);
    snprintf(text, sizeof text, "0x%02x%s%s", (unsigned)code, words != NULL ? " " : "", words != NULL ? words : "");
    field_text(conn, name, text);
}

static void code_fields(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    for (uint64_t i = 0; i < packet->codes.len; i++)
        reason(conn, "reason", packet->codes.data[i]);
}

static void other_fields(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    bool said = packet->type == MQTT_CONNACK || packet->version >= MQTT_5;
    if (packet->packet_id > 0)
        field_number(conn, "packet id", packet->packet_id);
    if (packet->type == MQTT_CONNACK)
        field_text(conn, "session present", packet->session_present ? "yes" : "no");
    if (packet->type == MQTT_SUBSCRIBE || packet->type == MQTT_UNSUBSCRIBE)
        filter_fields(conn, packet);
    else if (packet->type == MQTT_SUBACK || packet->type == MQTT_UNSUBACK)
        code_fields(conn, packet);
    else if (said && packet->type != MQTT_PINGREQ && packet->type != MQTT_PINGRESP)
        reason(conn, "reason",
               packet->type == MQTT_CONNACK && packet->version < MQTT_5 ? mqtt_reason_of_return_code(packet->reason)
                                                                        : packet->reason);
    properties(conn, "", &packet->properties);
}

void mqtt_trace_packet(struct squall_conn *conn, uint32_t what, const struct mqtt_packet *packet)
{
    mqtt_host(conn)->trace(conn, what, bytes_of(mqtt_type_name(packet->type)), (struct squall_bytes){0});
    if (packet->type == MQTT_CONNECT)
        connect_fields(conn, packet);
    else if (packet->type == MQTT_PUBLISH)
        publish_fields(conn, packet);
    else
        other_fields(conn, packet);
}

void mqtt_trace_bytes(struct squall_conn *conn, const uint8_t *bytes, uint64_t len)
{
    const struct mqtt_conn *c = conn->state;
    const struct mqtt_peer peer = {.version = c->peer.version, .client = true, .packet_max = MQTT_PACKET_MAX};
    struct mqtt_packet packet;
    struct mqtt_fault fault;
    if (mqtt_decode(&peer, bytes, len, &packet, &fault) == MQTT_PACKET)
        mqtt_trace_packet(conn, SQUALL_TRACE_SENT, &packet);
    else
        mqtt_host(conn)->trace(conn, SQUALL_TRACE_SENT, bytes_of(mqtt_type_name(bytes[0] >> 4)),
                               (struct squall_bytes){0});
}
