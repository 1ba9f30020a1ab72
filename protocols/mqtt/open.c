/* How a session opens: CONNECT, CONNACK, and what has to be restored before exchanges may come. */
#include "auth.h"
#include "await.h"
#include "conn.h"
#include "encode.h"
#include "filters.h"
#include "payload.h"
#include "reason.h"
#include "wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S     UINT64_C(1000000000)
#define PARALLEL_MAX 64 /* exchanges of one user at once */
#define PACKET_MAX_5 UINT32_MAX
#define CONNECT_ROWS 6

/* ---- CONNECT ------------------------------------------------------------------------------------------- */

static void add(struct mqtt_property *rows, uint64_t *count, uint8_t id, uint64_t number)
{
    rows[(*count)++] = (struct mqtt_property){.id = id, .number = (uint32_t)number};
}

static void add_text(struct mqtt_property *rows, uint64_t *count, uint8_t id, struct squall_bytes value)
{
    if (value.len > 0)
        rows[(*count)++] = (struct mqtt_property){.id = id, .value = value};
}

static uint64_t connect_properties(const struct mqtt_target_options *options, struct mqtt_property *rows)
{
    uint64_t count = 0;
    if (options->session_expiry_ns > 0)
        add(rows, &count, MQTT_SESSION_EXPIRY, options->session_expiry_ns / NS_PER_S);
    if (options->receive_maximum < UINT16_MAX)
        add(rows, &count, MQTT_RECEIVE_MAXIMUM, options->receive_maximum);
    add(rows, &count, MQTT_MAXIMUM_PACKET_SIZE, options->packet_max);
    if (options->topic_alias_maximum > 0)
        add(rows, &count, MQTT_TOPIC_ALIAS_MAXIMUM, options->topic_alias_maximum);
    add_text(rows, &count, MQTT_AUTH_METHOD, options->auth_method);
    add_text(rows, &count, MQTT_AUTH_DATA, options->auth_data);
    return count;
}

static void fill_connect(struct mqtt_packet *packet, const struct mqtt_target_options *options,
                         const struct mqtt_session *session)
{
    struct mqtt_connect *connect = &packet->connect;
    connect->client_id = options->client_id.len > 0 ? options->client_id : session->assigned_id;
    connect->username = options->username;
    connect->password = options->password;
    connect->has_username = options->username.len > 0;
    connect->has_password = options->password.len > 0;
    connect->keep_alive_s = (uint16_t)(options->keep_alive_ns / NS_PER_S);
    if (options->will_topic.len == 0)
        return;
    connect->will = (struct mqtt_will){.present = true,
                                       .topic = options->will_topic,
                                       .payload = options->will_payload,
                                       .qos = (uint8_t)options->will_qos,
                                       .retain = options->will_retain != 0};
    connect->will.properties.user = options->will_properties;
}

static void open_failed(struct squall_conn *conn, struct squall_exchange *x, const char *why)
{
    char text[160];
    snprintf(text, sizeof text, "CONNECT: %s", why);
    if (x != NULL)
        mqtt_end(conn, x, SQUALL_UNSENT, 0, text);
    else
        mqtt_host(conn)->fail(conn, text);
}

/* Writes CONNECT; NULL, or why it was not. */
static const char *send_connect(struct squall_conn *conn, struct mqtt_packet *packet, bool will_track,
                                uint64_t *ret_size)
{
    struct mqtt_will *will = &packet->connect.will;
    struct squall_bytes tracked = {0};
    if (will->present && will_track) {
        tracked = mqtt_will_payload(conn, will->payload);
        will->payload = tracked;
    }
    const char *why = will->present && will_track && tracked.data == NULL ? "no memory" : mqtt_encode_refuse(packet);
    if (why == NULL && !mqtt_send(conn, packet, ret_size))
        why = "no room in the output";
    free((void *)(uintptr_t)tracked.data);
    return why;
}

void mqtt_open(struct squall_conn *conn, struct squall_exchange *x, uint8_t clean)
{
    struct mqtt_conn *c = conn->state;
    const struct mqtt_target_options *options = mqtt_host(conn)->conn_options(conn);
    if (options == NULL)
        return; /* the connection has failed, and x ends with it */
    struct mqtt_session *session = mqtt_session_of(conn);
    struct mqtt_property rows[CONNECT_ROWS];
    struct mqtt_property delay = {.id = MQTT_WILL_DELAY, .number = (uint32_t)(options->will_delay_ns / NS_PER_S)};
    struct mqtt_packet packet = {.type = MQTT_CONNECT, .version = c->peer.version};
    packet.properties =
        (struct mqtt_properties){.rows = rows, .count = connect_properties(options, rows), .user = options->properties};
    fill_connect(&packet, options, session);
    if (packet.connect.will.present && options->will_delay_ns > 0) {
        packet.connect.will.properties.rows = &delay;
        packet.connect.will.properties.count = 1;
    }
    packet.connect.clean_start = clean == MQTT_CLEAN_TARGET ? options->clean_start != 0 : clean == MQTT_CLEAN_TRUE;
    uint64_t size = 0;
    c->connect_ns = mqtt_host(conn)->stamp_ns(conn->worker); /* ahead of the will, which bears it */
    const char *why = send_connect(conn, &packet, options->will_track != 0, &size);
    if (why != NULL) {
        open_failed(conn, x, why);
        return;
    }
    c->state = MQTT_CONNECTING;
    c->clean = packet.connect.clean_start;
    c->keep = c->peer.version < MQTT_5 ? !c->clean : options->session_expiry_ns > 0;
    c->auth = options->auth_method.len > 0;
    c->keep_alive_ns = options->keep_alive_ns / NS_PER_S * NS_PER_S;
    c->ack_delay_ns = options->ack_delay_ns;
    c->opening = x;
    session->connect_clean = clean;
    if (x != NULL) {
        ((struct mqtt_exchange *)x->state)->bytes_out = size;
        mqtt_host(conn)->request_end(x);
    }
}

/* ---- CONNACK --------------------------------------------------------------------------------------------- */

/* What the broker allows (3.2.2.3). */
static void take_limits(struct mqtt_conn *c, struct squall_bytes properties)
{
    struct mqtt_property property;
    c->send_max = UINT16_MAX;
    c->packet_max = PACKET_MAX_5;
    c->qos_max = 2;
    c->retain_available = c->wildcard_available = c->shared_available = c->identifiers_available = true;
    while (mqtt_property_next(&properties, &property)) {
        switch (property.id) {
        case MQTT_RECEIVE_MAXIMUM:
            c->send_max = property.number;
            break;
        case MQTT_MAXIMUM_PACKET_SIZE:
            c->packet_max = property.number;
            break;
        case MQTT_MAXIMUM_QOS:
            c->qos_max = (uint8_t)property.number;
            break;
        case MQTT_RETAIN_AVAILABLE:
            c->retain_available = property.number != 0;
            break;
        case MQTT_WILDCARD_AVAILABLE:
            c->wildcard_available = property.number != 0;
            break;
        case MQTT_SHARED_AVAILABLE:
            c->shared_available = property.number != 0;
            break;
        case MQTT_SUBSCRIPTION_ID_AVAILABLE:
            c->identifiers_available = property.number != 0;
            break;
        case MQTT_TOPIC_ALIAS_MAXIMUM:
            c->alias_max = (uint16_t)property.number;
            break;
        case MQTT_SERVER_KEEP_ALIVE:
            c->keep_alive_ns = property.number * NS_PER_S;
            break;
        case MQTT_SESSION_EXPIRY:
            c->keep = property.number > 0;
            break;
        default:
            break;
        }
    }
}

/* The identifier that the broker chose is the client's from now on: without it no session could be resumed. */
static int keep_assigned_id(struct mqtt_session *session, struct squall_bytes properties)
{
    struct mqtt_property property;
    while (mqtt_property_next(&properties, &property)) {
        if (property.id != MQTT_ASSIGNED_CLIENT_ID)
            continue;
        uint8_t *copy = malloc(property.value.len > 0 ? property.value.len : 1);
        if (copy == NULL)
            return -1;
        memcpy(copy, property.value.data, property.value.len);
        free((void *)(uintptr_t)session->assigned_id.data);
        session->assigned_id = (struct squall_bytes){.data = copy, .len = property.value.len};
    }
    return 0;
}

/* What was not acknowledged goes out again (4.4), in the order of its identifiers; the window is the broker's. */
static void send_again(struct squall_conn *conn)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_session *session = mqtt_session_of(conn);
    const struct squall_host *host = mqtt_host(conn);
    uint32_t sent = 0;
    for (uint32_t i = 1; i <= session->slot_count && sent < c->send_max; i++) {
        struct mqtt_slot *slot = &session->slots[(session->last_id + i) & (session->slot_count - 1)];
        bool release = slot->state == MQTT_SLOT_PUBCOMP;
        uint64_t len = release ? MQTT_ACK_SIZE : slot->packet_len;
        if (slot->state == MQTT_SLOT_FREE || slot->resent)
            continue;
        uint8_t *room = len > 0 ? host->out_reserve(conn, len) : NULL;
        if (room == NULL)
            return;
        if (release) {
            mqtt_encode_ack(room, MQTT_PUBREL, slot->id);
        } else {
            memcpy(room, slot->packet, len);
            room[0] |= 0x08; /* DUP, 3.3.1.1 */
        }
        mqtt_trace_sent(conn, room, len);
        host->out_commit(conn, len);
        host->sample(conn->worker, slot->step, MQTT_REDELIVERED, 1);
        slot->resent = true;
        sent++;
    }
}

void mqtt_opened(struct squall_conn *conn)
{
    struct mqtt_conn *c = conn->state;
    c->state = MQTT_OPEN;
    mqtt_host(conn)->capacity(conn, c->send_max < PARALLEL_MAX ? c->send_max : PARALLEL_MAX);
}

/* Subscriptions of a session that the broker has forgotten, or that a publish step asks for with `subscribers`: a
 * SUBSCRIBE for each step that they are of, one after the other. */
static void restore_next(struct squall_conn *conn)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_filter rows[MQTT_FILTERS_MAX];
    struct mqtt_property id = {.id = MQTT_SUBSCRIPTION_ID};
    struct mqtt_packet packet = {.type = MQTT_SUBSCRIBE, .version = c->peer.version, .filters = {.rows = rows}};
    const struct squall_step *step = NULL;
    packet.filters.count = mqtt_subscriptions_lost(mqtt_session_of(conn), rows, MQTT_FILTERS_MAX, &step, &id.number);
    if (packet.filters.count == 0) {
        mqtt_opened(conn);
        return;
    }
    packet.properties.rows = &id;
    packet.properties.count = id.number > 0;
    c->state = MQTT_RESTORING;
    const char *why = mqtt_send_filters(conn, NULL, step, &packet, id.number);
    if (why != NULL)
        mqtt_host(conn)->fail(conn, why);
}

void mqtt_restored(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    for (uint64_t i = 0; i < packet->codes.len; i++) {
        char text[120];
        if (packet->codes.data[i] < MQTT_UNSPECIFIED_ERROR)
            continue;
        snprintf(text, sizeof text, "SUBACK: %s", mqtt_reason_name(packet->codes.data[i]));
        mqtt_host(conn)->fail(conn, text);
        return;
    }
    restore_next(conn);
}

static void note_answer(struct squall_exchange *x, const struct mqtt_packet *packet)
{
    struct mqtt_exchange *exchange = x->state;
    exchange->answer = packet;
    exchange->bytes_in = packet->size;
}

static void refused(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_conn *c = conn->state;
    uint32_t code = packet->version < MQTT_5 ? mqtt_reason_of_return_code(packet->reason) : packet->reason;
    struct squall_exchange *x = c->opening;
    char text[120];
    c->state = MQTT_OVER;
    c->opening = NULL;
    if (x != NULL) {
        note_answer(x, packet);
        mqtt_end(conn, x, SQUALL_REJECTED, MQTT_CODE(code), NULL);
        mqtt_host(conn)->close(conn, SQUALL_CLOSE_ORDERLY);
        return;
    }
    snprintf(text, sizeof text, "CONNACK: %s%s", mqtt_reason_name(code), mqtt_refusal_hint(code));
    mqtt_host(conn)->fail(conn, text);
}

void mqtt_on_connack(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_session *session = mqtt_session_of(conn);
    struct squall_exchange *x = c->opening;
    if (packet->reason != MQTT_SUCCESS) {
        refused(conn, packet);
        return;
    }
    if (packet->session_present && c->clean) {
        mqtt_broken(conn, "CONNACK", "Session Present after a clean start (3.2.2.1.1)", MQTT_PROTOCOL_ERROR);
        return;
    }
    const char *why = mqtt_auth_refuse(conn, packet);
    if (why != NULL) {
        mqtt_broken(conn, "CONNACK", why, MQTT_PROTOCOL_ERROR);
        return;
    }
    uint64_t keep_alive_ns = c->keep_alive_ns;
    take_limits(c, packet->properties.encoded);
    if (c->keep_alive_ns != keep_alive_ns && c->keep_alive_ns > 0) /* the broker's own (3.2.2.3.14) */
        mqtt_host(conn)->tick_at(conn, c->written_ns + c->keep_alive_ns);
    if (keep_assigned_id(session, packet->properties.encoded) < 0) {
        mqtt_host(conn)->fail(conn, "no memory for the client identifier");
        return;
    }
    mqtt_host(conn)->elapsed(conn->worker, x != NULL ? x->step : mqtt_first_step(conn), MQTT_CONNACK_NS, c->connect_ns);
    session->wanted = true;
    if (packet->session_present) {
        send_again(conn);
    } else {
        mqtt_session_reset(session);
        if (x != NULL)
            mqtt_subscriptions_forget(session, conn->worker);
        mqtt_subscriptions_lose(session);
    }
    restore_next(conn);
    if (x == NULL)
        return;
    c->opening = NULL;
    note_answer(x, packet);
    mqtt_end(conn, x, SQUALL_OK, MQTT_CODE(MQTT_SUCCESS), NULL);
}
