/* What the broker sends, packet by packet. */
#include "acks.h"
#include "alias.h"
#include "auth.h"
#include "await.h"
#include "conn.h"
#include "deliver.h"
#include "encode.h"
#include "reason.h"
#include "wire.h"
#include <stdio.h>

/* ---- the broker breaks the protocol ---------------------------------------------------------------------- */

/* The next exchange of the connection that waits for something, taken off. */
static struct squall_exchange *take_exchange(struct squall_conn *conn)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_session *session = mqtt_session_of(conn);
    struct squall_exchange *x = c->opening != NULL ? c->opening : c->pinging;
    if (x != NULL) {
        if (x == c->opening)
            c->opening = NULL;
        else
            c->pinging = NULL;
        return x;
    }
    x = mqtt_await_take(c);
    for (uint32_t i = 0; x == NULL && i < session->slot_count; i++)
        if (session->slots[i].state != MQTT_SLOT_FREE)
            x = session->slots[i].exchange;
    for (uint32_t i = 0; x != NULL && i < session->slot_count; i++)
        if (session->slots[i].exchange == x)
            session->slots[i].exchange = NULL;
    return x;
}

void mqtt_broken(struct squall_conn *conn, const char *packet, const char *why, uint8_t code)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_packet bye = {.type = MQTT_DISCONNECT, .version = c->peer.version, .reason = code};
    uint64_t size;
    char text[200];
    struct squall_exchange *x;
    snprintf(text, sizeof text, "%s: %s%s", packet, why,
             c->state == MQTT_CONNECTING ? "; is it an MQTT broker that listens there?" : "");
    if (c->peer.version >= MQTT_5 && c->state == MQTT_OPEN)
        (void)mqtt_send(conn, &bye, &size); /* a courtesy: without room it is left out */
    c->state = MQTT_OVER;
    while ((x = take_exchange(conn)) != NULL)
        mqtt_end(conn, x, SQUALL_MALFORMED, 0, text);
    mqtt_host(conn)->fail(conn, text);
}

/* ---- messages ------------------------------------------------------------------------------------------------ */

/* QoS 1 and 2: at most as many without our acknowledgement as we said (3.3.4). */
static bool within_window(struct squall_conn *conn)
{
    struct mqtt_conn *c = conn->state;
    const struct mqtt_target_options *options = conn->target->options;
    return c->peer.version < MQTT_5 || c->unacknowledged < options->receive_maximum;
}

static void on_publish(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_conn *c = conn->state;
    struct squall_bytes topic = packet->topic;
    const char *why = mqtt_alias_resolve(conn, packet, &topic);
    if (why != NULL) {
        mqtt_broken(conn, "PUBLISH", why, MQTT_TOPIC_ALIAS_INVALID);
        return;
    }
    if (packet->qos == 0) {
        mqtt_deliver(conn, packet, topic);
        return;
    }
    int fresh = packet->qos == 2 ? mqtt_received_add(mqtt_session_of(conn), packet->packet_id) : 1;
    if (fresh < 0) {
        mqtt_host(conn)->fail(conn, "no memory for the identifiers of QoS 2");
        return;
    }
    if (fresh && !within_window(conn)) {
        mqtt_broken(conn, "PUBLISH", "more than Receive Maximum are unacknowledged (3.3.4)",
                    MQTT_RECEIVE_MAXIMUM_EXCEEDED);
        return;
    }
    c->unacknowledged = (uint16_t)(c->unacknowledged + fresh);
    if (fresh)
        mqtt_deliver(conn, packet, topic);
    if (c->state != MQTT_OVER)
        mqtt_ack(conn, packet->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, packet->packet_id);
}

/* QoS 2 received: the last leg. An identifier that nobody knows is acknowledged all the same (4.3.3). */
static void on_pubrel(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    if (!mqtt_received_remove(mqtt_session_of(conn), packet->packet_id))
        mqtt_host(conn)->sample(conn->worker, mqtt_first_step(conn), MQTT_LATE_ACKS, 1);
    mqtt_ack(conn, MQTT_PUBCOMP, packet->packet_id);
}

/* ---- acknowledgements ------------------------------------------------------------------------------------------ */

/* The slot that an acknowledgement is for; NULL: there is none, and all that follows from it has been done. */
static struct mqtt_slot *slot_for(struct squall_conn *conn, const struct mqtt_packet *packet, uint8_t state)
{
    struct mqtt_slot *slot = mqtt_slot_find(mqtt_session_of(conn), packet->packet_id);
    if (slot == NULL)
        mqtt_host(conn)->sample(conn->worker, mqtt_first_step(conn), MQTT_LATE_ACKS, 1);
    else if (slot->state != state)
        mqtt_broken(conn, mqtt_type_name(packet->type), "it does not answer what has this packet identifier (2.2.1)",
                    MQTT_PROTOCOL_ERROR);
    return slot != NULL && slot->state == state ? slot : NULL;
}

/* The message of a slot has been acknowledged for good; its exchange ends with its last one. */
static void settle(struct squall_conn *conn, struct mqtt_slot *slot, const struct mqtt_packet *packet)
{
    struct squall_exchange *x = slot->exchange;
    if (packet->reason < MQTT_UNSPECIFIED_ERROR && slot->address != UINT32_MAX)
        mqtt_host(conn)->sent_to(conn->worker, slot->address, slot->due_ns);
    mqtt_slot_free(mqtt_session_of(conn), slot);
    if (x == NULL) {
        mqtt_host(conn)->sample(conn->worker, mqtt_first_step(conn), MQTT_LATE_ACKS, 1);
        return;
    }
    struct mqtt_exchange *exchange = x->state;
    exchange->bytes_in += packet->size;
    if (packet->reason > exchange->code)
        exchange->code = packet->reason;
    if (--exchange->left > 0)
        return;
    exchange->answer = packet;
    mqtt_end(conn, x, SQUALL_OK, MQTT_CODE(exchange->code), NULL);
}

static void on_puback(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_slot *slot = slot_for(conn, packet, MQTT_SLOT_PUBACK);
    if (slot == NULL)
        return;
    mqtt_host(conn)->elapsed(conn->worker, slot->step, MQTT_PUBACK_NS, slot->sent_ns);
    settle(conn, slot, packet);
}

static void on_pubrec(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_slot *slot = mqtt_slot_find(mqtt_session_of(conn), packet->packet_id);
    uint8_t *room;
    if (slot != NULL && slot->state == MQTT_SLOT_PUBCOMP) /* said again: so is PUBREL (4.3.3) */
        slot->leg_ns = mqtt_host(conn)->stamp_ns(conn->worker);
    else
        slot = slot_for(conn, packet, MQTT_SLOT_PUBREC);
    if (slot == NULL)
        return;
    if (slot->state == MQTT_SLOT_PUBREC)
        mqtt_host(conn)->elapsed(conn->worker, slot->step, MQTT_PUBREC_NS, slot->sent_ns);
    if (packet->reason >= MQTT_UNSPECIFIED_ERROR) {
        settle(conn, slot, packet);
        return;
    }
    room = mqtt_host(conn)->out_reserve(conn, MQTT_ACK_SIZE);
    if (room == NULL) {
        mqtt_host(conn)->fail(conn, "no room in the output for PUBREL");
        return;
    }
    mqtt_encode_ack(room, MQTT_PUBREL, packet->packet_id);
    mqtt_trace_sent(conn, room, MQTT_ACK_SIZE);
    mqtt_host(conn)->out_commit(conn, MQTT_ACK_SIZE);
    c->written_ns = mqtt_host(conn)->now_ns(conn->worker);
    slot->state = MQTT_SLOT_PUBCOMP;
    slot->leg_ns = mqtt_host(conn)->stamp_ns(conn->worker);
    if (slot->exchange != NULL) {
        ((struct mqtt_exchange *)slot->exchange->state)->bytes_in += packet->size;
        ((struct mqtt_exchange *)slot->exchange->state)->bytes_out += MQTT_ACK_SIZE;
    }
}

static void on_pubcomp(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_slot *slot = slot_for(conn, packet, MQTT_SLOT_PUBCOMP);
    if (slot == NULL)
        return;
    mqtt_host(conn)->elapsed(conn->worker, slot->step, MQTT_PUBCOMP_NS, slot->leg_ns);
    mqtt_host(conn)->elapsed(conn->worker, slot->step, MQTT_QOS2_NS, slot->sent_ns);
    settle(conn, slot, packet);
}

/* Each code is for the filter of its place (3.9.3). Of 5.0's UNSUBACK too; 3.1.1's has none and means yes. */
static void settle_filters(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_session *session = mqtt_session_of(conn);
    bool asked = packet->type == MQTT_SUBACK;
    for (uint32_t i = session->subscription_count; i-- > 0;) {
        struct mqtt_subscription *one = &session->subscriptions[i];
        if (one->packet_id != packet->packet_id || one->state != (asked ? MQTT_SUBSCRIBING : MQTT_UNSUBSCRIBING))
            continue;
        uint8_t code = one->index < packet->codes.len ? packet->codes.data[one->index] : 0;
        bool granted = code < MQTT_UNSPECIFIED_ERROR;
        mqtt_subscription_count(one, conn->worker, granted == asked);
        if (granted == asked)
            one->state = MQTT_SUBSCRIBED;
        else
            mqtt_subscription_remove(session, one);
    }
}

static void on_filters_ack(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_conn *c = conn->state;
    bool asked = packet->type == MQTT_SUBACK;
    struct mqtt_slot *slot = slot_for(conn, packet, asked ? MQTT_SLOT_SUBACK : MQTT_SLOT_UNSUBACK);
    uint32_t code = 0;
    if (slot == NULL)
        return;
    mqtt_host(conn)->elapsed(conn->worker, slot->step, asked ? MQTT_SUBACK_NS : MQTT_UNSUBACK_NS, slot->sent_ns);
    struct squall_exchange *x = slot->exchange;
    mqtt_slot_free(mqtt_session_of(conn), slot);
    settle_filters(conn, packet);
    if (c->state == MQTT_RESTORING) {
        mqtt_restored(conn, packet);
        return;
    }
    if (x == NULL)
        return;
    for (uint64_t i = 0; i < packet->codes.len; i++)
        if (packet->codes.data[i] > code)
            code = packet->codes.data[i];
    struct mqtt_exchange *exchange = x->state;
    exchange->bytes_in = packet->size;
    exchange->answer = packet;
    mqtt_end(conn, x, SQUALL_OK, MQTT_CODE(code), NULL);
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static void on_pingresp(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_conn *c = conn->state;
    struct squall_exchange *x = c->pinging;
    if (c->ping_ns == 0) {
        mqtt_broken(conn, "PINGRESP", "nobody asked for it (3.13)", MQTT_PROTOCOL_ERROR);
        return;
    }
    mqtt_host(conn)->elapsed(conn->worker, x != NULL ? x->step : mqtt_first_step(conn), MQTT_PING_NS, c->ping_ns);
    c->ping_ns = 0;
    c->pinging = NULL;
    if (x == NULL)
        return;
    ((struct mqtt_exchange *)x->state)->bytes_in = packet->size;
    mqtt_end(conn, x, SQUALL_OK, 0, NULL);
}

static void on_disconnect(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_conn *c = conn->state;
    char text[120];
    snprintf(text, sizeof text, "DISCONNECT by the broker: %s", mqtt_reason_name(packet->reason));
    c->state = MQTT_OVER;
    mqtt_host(conn)->fail(conn, text);
}

static void dispatch(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    switch (packet->type) {
    case MQTT_PUBLISH:
        on_publish(conn, packet);
        break;
    case MQTT_PUBACK:
        on_puback(conn, packet);
        break;
    case MQTT_PUBREC:
        on_pubrec(conn, packet);
        break;
    case MQTT_PUBREL:
        on_pubrel(conn, packet);
        break;
    case MQTT_PUBCOMP:
        on_pubcomp(conn, packet);
        break;
    case MQTT_SUBACK:
    case MQTT_UNSUBACK:
        on_filters_ack(conn, packet);
        break;
    case MQTT_PINGRESP:
        on_pingresp(conn, packet);
        break;
    case MQTT_DISCONNECT:
        on_disconnect(conn, packet);
        break;
    case MQTT_AUTH:
        mqtt_on_auth(conn, packet);
        break;
    default:
        mqtt_broken(conn, mqtt_type_name(packet->type), "the session is open already (3.2)", MQTT_PROTOCOL_ERROR);
        break;
    }
}

/* Until CONNACK nothing else may come (3.2), but for AUTH (4.12). */
static void handle(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_conn *c = conn->state;
    if (c->state == MQTT_WAITING)
        mqtt_broken(conn, mqtt_type_name(packet->type), "nothing was sent yet (3.1)", MQTT_PROTOCOL_ERROR);
    else if (c->state != MQTT_CONNECTING)
        dispatch(conn, packet);
    else if (packet->type == MQTT_CONNACK)
        mqtt_on_connack(conn, packet);
    else if (packet->type == MQTT_AUTH)
        mqtt_on_auth(conn, packet);
    else
        mqtt_broken(conn, mqtt_type_name(packet->type), "CONNACK must come first (3.2)", MQTT_PROTOCOL_ERROR);
}

uint64_t mqtt_receive(struct squall_conn *conn, const uint8_t *data, uint64_t len)
{
    struct mqtt_conn *c = conn->state;
    uint64_t used = 0;
    while (c->state != MQTT_OVER && used < len) {
        struct mqtt_packet packet;
        struct mqtt_fault fault;
        enum mqtt_decoded decoded = mqtt_decode(&c->peer, data + used, len - used, &packet, &fault);
        if (decoded == MQTT_MORE)
            return used;
        if (decoded == MQTT_BROKEN) {
            mqtt_broken(conn, mqtt_type_name(fault.type), fault.why, fault.code);
            break;
        }
        used += packet.size;
        if (mqtt_traced(conn))
            mqtt_trace_packet(conn, SQUALL_TRACE_RECEIVED, &packet);
        handle(conn, &packet);
    }
    return len;
}
