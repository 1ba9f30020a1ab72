/* What steps ask for, as packets. */
#include "alias.h"
#include "await.h"
#include "conn.h"
#include "encode.h"
#include "filters.h"
#include "payload.h"
#include "reason.h"
#include "topic.h"
#include "wire.h"
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)
#define NO_ROOM  "no room in the output"

static void unsent(struct squall_conn *conn, struct squall_exchange *x, const char *why)
{
    mqtt_end(conn, x, SQUALL_UNSENT, 0, why);
}

bool mqtt_send(struct squall_conn *conn, const struct mqtt_packet *packet, uint64_t *ret_size)
{
    struct mqtt_conn *c = conn->state;
    uint64_t size = mqtt_encoded_size(packet);
    uint8_t *room = size <= MQTT_PACKET_MAX ? mqtt_host(conn)->out_reserve(conn, size) : NULL;
    if (room == NULL)
        return false;
    mqtt_encode(room, packet);
    mqtt_trace_sent(conn, room, size);
    mqtt_host(conn)->out_commit(conn, size);
    c->written_ns = mqtt_host(conn)->now_ns(conn->worker);
    *ret_size = size;
    return true;
}

/* ---- publish --------------------------------------------------------------------------------------------- */

/* What this broker does not take (3.2.2.3), or NULL. */
static const char *refuse_publish(const struct mqtt_conn *c, const struct mqtt_step_options *options, uint64_t size)
{
    if (options->qos > c->qos_max)
        return "the broker takes no messages of this QoS (3.2.2.3.4)";
    if (options->retain && !c->retain_available)
        return "the broker keeps no messages (3.2.2.3.5)";
    if (options->topic_alias > c->alias_max)
        return "a topic alias above the broker's maximum (3.2.2.3.8)";
    return size > c->packet_max ? "larger than the broker's maximum packet size (3.2.2.3.6)" : NULL;
}

/* A message that may have to be sent again when the session is resumed. */
static void keep_packet(struct mqtt_slot *slot, const uint8_t *bytes, uint64_t len)
{
    slot->packet = malloc(len);
    slot->packet_len = slot->packet != NULL ? (uint32_t)len : 0;
    if (slot->packet != NULL)
        memcpy(slot->packet, bytes, len);
}

/* One message of x, of so many bytes: NULL, or why it was not sent. */
static const char *publish_one(struct squall_conn *conn, struct squall_exchange *x, struct mqtt_packet *packet,
                               uint64_t size, struct mqtt_payload *payload)
{
    struct mqtt_conn *c = conn->state;
    const struct squall_host *host = mqtt_host(conn);
    struct mqtt_slot *slot = NULL;
    if (packet->qos > 0) {
        slot = mqtt_slot_take(mqtt_session_of(conn), c->send_max);
        if (slot == NULL)
            return "as many messages are unacknowledged as the broker allows, or no memory (3.2.2.3.3)";
        packet->packet_id = slot->id;
    }
    uint8_t *room = size <= MQTT_PACKET_MAX ? host->out_reserve(conn, size) : NULL;
    if (room == NULL) {
        if (slot != NULL)
            mqtt_slot_free(mqtt_session_of(conn), slot);
        return NO_ROOM;
    }
    uint64_t sent_ns = packet->qos > 0 || payload->track ? host->stamp_ns(conn->worker) : 0;
    mqtt_payload_write(room + size - payload->size, payload, conn, sent_ns);
    mqtt_encode_publish_head(room, packet);
    mqtt_trace_sent(conn, room, size);
    host->out_commit(conn, size);
    c->written_ns = host->now_ns(conn->worker);
    ((struct mqtt_exchange *)x->state)->bytes_out += size;
    uint32_t address = payload->track ? payload->stream->address : UINT32_MAX;
    if (slot == NULL) {
        if (address != UINT32_MAX)
            host->sent_to(conn->worker, address, x->intended_ns);
        return NULL;
    }
    slot->address = address;
    slot->due_ns = x->intended_ns;
    slot->state = packet->qos == 1 ? MQTT_SLOT_PUBACK : MQTT_SLOT_PUBREC;
    slot->exchange = x;
    slot->step = x->step;
    slot->sent_ns = sent_ns;
    if (c->keep)
        keep_packet(slot, room, size);
    return NULL;
}

/* Forgets what x waits for; late acknowledgements are taken and counted. */
static void let_go(struct mqtt_session *session, const struct squall_exchange *x)
{
    for (uint32_t i = 0; i < session->slot_count; i++)
        if (session->slots[i].state != MQTT_SLOT_FREE && session->slots[i].exchange == x)
            session->slots[i].exchange = NULL;
}

static void publish(struct squall_conn *conn, struct squall_exchange *x)
{
    struct mqtt_conn *c = conn->state;
    const struct mqtt_step *step = x->step->state;
    const struct mqtt_step_options *options = x->options;
    struct mqtt_exchange *exchange = x->state;
    struct mqtt_property rows[MQTT_PUBLISH_PROPERTIES];
    struct mqtt_packet packet;
    mqtt_packet_clear(&packet);
    packet.type = MQTT_PUBLISH;
    packet.version = c->peer.version;
    packet.qos = (uint8_t)options->qos;
    packet.retain = options->retain != 0;
    packet.topic = options->topic;
    /* What may be sent again goes out in another connection, where no alias is known (3.3.2.3.4). */
    uint64_t alias = c->keep && packet.qos > 0 ? 0 : options->topic_alias;
    packet.properties = mqtt_publish_properties(options, alias, rows);
    struct mqtt_payload payload;
    const char *why = step->checked ? NULL : mqtt_encode_refuse(&packet);
    if (why == NULL)
        why = mqtt_payload_plan(&payload, conn, x);
    uint64_t size = 0;
    if (why == NULL) {
        /* The payload is written behind the rest, where it is made; until then only its length counts. */
        packet.payload.len = payload.size;
        size = mqtt_encoded_size(&packet);
        why = refuse_publish(c, options, size);
    }
    if (why == NULL && alias > 0) {
        mqtt_alias_use(conn, alias, &packet.topic);
        size = mqtt_encoded_size(&packet);
    }
    for (uint64_t i = 0; i < options->count && why == NULL; i++) {
        why = publish_one(conn, x, &packet, size, &payload);
        exchange->left += why == NULL && packet.qos > 0;
    }
    if (why != NULL) {
        if (alias > 0 && exchange->bytes_out == 0)
            mqtt_alias_forget(c, alias);
        let_go(mqtt_session_of(conn), x);
        unsent(conn, x, why);
        return;
    }
    if (packet.qos == 0)
        mqtt_host(conn)->request_is_all(x, exchange->bytes_out);
    else
        mqtt_host(conn)->request_end(x);
}

/* ---- subscribe, unsubscribe -------------------------------------------------------------------------------- */

static const char *refuse_filters(const struct mqtt_conn *c, const struct mqtt_packet *packet, uint32_t id)
{
    if (id > 0 && !c->identifiers_available)
        return "the broker takes no subscription identifiers (3.2.2.3.12)";
    for (uint64_t i = 0; i < packet->filters.count; i++) {
        struct squall_bytes share, filter = mqtt_filter_unshared(packet->filters.rows[i].topic, &share);
        bool wildcard = memchr(filter.data, '+', filter.len) != NULL || memchr(filter.data, '#', filter.len) != NULL;
        if (share.len > 0 && !c->shared_available)
            return "the broker has no shared subscriptions (3.2.2.3.13)";
        if (wildcard && !c->wildcard_available)
            return "the broker takes no wildcards (3.2.2.3.11)";
    }
    return NULL;
}

/* The session's subscriptions as they will be: messages may overtake the SUBACK, and go on until the UNSUBACK. */
static const char *note_filters(struct mqtt_session *session, const struct mqtt_packet *packet,
                                const struct squall_step *step, uint32_t id, uint64_t sent_ns)
{
    for (uint64_t i = 0; i < packet->filters.count; i++) {
        const struct mqtt_filter *filter = &packet->filters.rows[i];
        struct mqtt_subscription *one = packet->type == MQTT_SUBSCRIBE ? mqtt_subscription_to(session, filter->topic)
                                                                       : mqtt_subscription_find(session, filter->topic);
        if (one == NULL && packet->type == MQTT_UNSUBSCRIBE)
            continue;
        if (one == NULL)
            return "more than 4,096 subscriptions of one user, or no memory";
        one->packet_id = packet->packet_id;
        one->index = (uint8_t)i;
        one->state = packet->type == MQTT_SUBSCRIBE ? MQTT_SUBSCRIBING : MQTT_UNSUBSCRIBING;
        if (packet->type != MQTT_SUBSCRIBE)
            continue;
        one->step = step;
        one->since_ns = sent_ns;
        one->options = filter->options;
        one->id = id;
    }
    return NULL;
}

const char *mqtt_send_filters(struct squall_conn *conn, struct squall_exchange *x, const struct squall_step *step,
                              struct mqtt_packet *packet, uint32_t subscription_id)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_session *session = mqtt_session_of(conn);
    uint64_t size = 0;
    const char *why = mqtt_encode_refuse(packet);
    if (why == NULL)
        why = refuse_filters(c, packet, subscription_id);
    struct mqtt_slot *slot = why == NULL ? mqtt_slot_take(session, UINT16_MAX) : NULL;
    if (why != NULL || slot == NULL)
        return why != NULL ? why : "no packet identifier is free";
    packet->packet_id = slot->id;
    uint64_t sent_ns = mqtt_host(conn)->stamp_ns(conn->worker);
    if (mqtt_encoded_size(packet) > c->packet_max)
        why = "larger than the broker's maximum packet size (3.2.2.3.6)";
    else if (!mqtt_send(conn, packet, &size))
        why = NO_ROOM;
    else
        why = note_filters(session, packet, step, subscription_id, sent_ns);
    if (why != NULL) {
        mqtt_slot_free(session, slot);
        return why;
    }
    slot->state = packet->type == MQTT_SUBSCRIBE ? MQTT_SLOT_SUBACK : MQTT_SLOT_UNSUBACK;
    slot->exchange = x;
    slot->step = step;
    slot->sent_ns = sent_ns;
    if (x != NULL)
        ((struct mqtt_exchange *)x->state)->bytes_out = size;
    return NULL;
}

static void filters(struct squall_conn *conn, struct squall_exchange *x, uint8_t type)
{
    const struct mqtt_step_options *options = x->options;
    const struct mqtt_conn *c = conn->state;
    struct mqtt_filter_list list;
    struct mqtt_property id = {.id = MQTT_SUBSCRIPTION_ID, .number = (uint32_t)options->subscription_id};
    struct mqtt_packet packet = {.type = type, .version = c->peer.version, .filters = {.rows = list.rows}};
    const char *why;
    packet.properties.user = options->properties;
    if (type == MQTT_SUBSCRIBE && options->subscription_id > 0) {
        packet.properties.rows = &id;
        packet.properties.count = 1;
    }
    if (mqtt_filter_list_init(&list, options, &why) == 0) {
        packet.filters.count = list.count;
        why = mqtt_send_filters(conn, x, x->step, &packet, type == MQTT_SUBSCRIBE ? id.number : 0);
        mqtt_filter_list_fini(&list);
    }
    if (why != NULL)
        unsent(conn, x, why);
    else
        mqtt_host(conn)->request_end(x);
}

/* ---- the end of a session, ping ------------------------------------------------------------------------------ */

static void disconnect(struct squall_conn *conn, struct squall_exchange *x)
{
    struct mqtt_conn *c = conn->state;
    const struct mqtt_step_options *options = x->options;
    struct mqtt_property expiry = {.id = MQTT_SESSION_EXPIRY,
                                   .number = (uint32_t)(options->session_expiry_ns / NS_PER_S)};
    struct mqtt_packet packet = {
        .type = MQTT_DISCONNECT, .version = c->peer.version, .reason = (uint8_t)options->reason};
    packet.properties = (struct mqtt_properties){.user = options->properties};
    if (options->session_expiry_ns > 0) {
        packet.properties.rows = &expiry;
        packet.properties.count = 1;
    }
    struct mqtt_exchange *exchange = x->state;
    const char *why = mqtt_reason_fits(MQTT_5, MQTT_DISCONNECT, true, (uint8_t)options->reason)
                          ? mqtt_encode_refuse(&packet)
                          : "no reason that a client may disconnect with (3.14.2.1)";
    if (why == NULL && !mqtt_send(conn, &packet, &exchange->bytes_out))
        why = NO_ROOM;
    if (why != NULL) {
        unsent(conn, x, why);
        return;
    }
    c->state = MQTT_OVER;
    c->said_bye = true;
    mqtt_host(conn)->request_is_all(x, exchange->bytes_out);
    mqtt_host(conn)->close(conn, SQUALL_CLOSE_ORDERLY);
}

static void drop(struct squall_conn *conn, struct squall_exchange *x)
{
    struct mqtt_conn *c = conn->state;
    const struct mqtt_step_options *options = x->options;
    bool reset = options->reset != 0;
    c->state = MQTT_OVER;
    c->said_bye = true;
    mqtt_will_dropped(conn);
    mqtt_end(conn, x, SQUALL_OK, 0, NULL);
    mqtt_host(conn)->close(conn, reset ? SQUALL_CLOSE_RESET : SQUALL_CLOSE_ORDERLY);
}

static void ping(struct squall_conn *conn, struct squall_exchange *x)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_packet packet = {.type = MQTT_PINGREQ, .version = c->peer.version};
    if (c->ping_ns != 0) {
        unsent(conn, x, "a PINGREQ waits for its answer already");
        return;
    }
    c->ping_ns = mqtt_host(conn)->stamp_ns(conn->worker);
    if (!mqtt_send(conn, &packet, &((struct mqtt_exchange *)x->state)->bytes_out)) {
        c->ping_ns = 0;
        unsent(conn, x, NO_ROOM);
        return;
    }
    c->pinging = x;
    mqtt_host(conn)->request_end(x);
}

/* ---- by verb --------------------------------------------------------------------------------------------------- */

void mqtt_request(struct squall_conn *conn, struct squall_exchange *x)
{
    const struct mqtt_conn *c = conn->state;
    const struct mqtt_step_options *options = x->options;
    const char *why = mqtt_out_of_place(c, x->step);
    if (why != NULL) {
        unsent(conn, x, why);
        return;
    }
    switch (x->step->verb) {
    case MQTT_VERB_CONNECT:
        mqtt_open(conn, x, (uint8_t)options->clean_start);
        break;
    case MQTT_VERB_PUBLISH:
        publish(conn, x);
        break;
    case MQTT_VERB_SUBSCRIBE:
        filters(conn, x, MQTT_SUBSCRIBE);
        break;
    case MQTT_VERB_UNSUBSCRIBE:
        filters(conn, x, MQTT_UNSUBSCRIBE);
        break;
    case MQTT_VERB_AWAIT:
        mqtt_await(conn, x);
        break;
    case MQTT_VERB_DISCONNECT:
        disconnect(conn, x);
        break;
    case MQTT_VERB_DROP:
        drop(conn, x);
        break;
    default:
        ping(conn, x);
        break;
    }
}

/* The engine gave up. The connection is still good: what answers late is known by its identifier. */
void mqtt_cancel(struct squall_conn *conn, struct squall_exchange *x)
{
    struct mqtt_conn *c = conn->state;
    mqtt_await_cancel(c, x);
    let_go(mqtt_session_of(conn), x);
    if (c->pinging == x)
        c->pinging = NULL;
    if (c->opening != x)
        return;
    c->opening = NULL;
    c->state = MQTT_OVER; /* a CONNACK that comes now opens nothing */
    mqtt_host(conn)->close(conn, SQUALL_CLOSE_RESET);
}
