/*
 * The mqtt plugin: fits sessions to the seam. A user is a device with a connection of its own. Without a connect step
 * the plugin opens its session as soon as the transport is up, and capacity follows CONNACK; with one the step does it.
 */
#include "acks.h"
#include "alias.h"
#include "await.h"
#include "conn.h"
#include "encode.h"
#include "payload.h"
#include "reason.h"
#include "topic.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A publish step with `subscribers`: its first users have a subscription from the start. */
static void subscribe_from_the_start(struct squall_conn *conn)
{
    const struct mqtt_target *target = conn->target->state;
    const struct mqtt_step *step = target->subscribed != NULL ? target->subscribed->state : NULL;
    struct mqtt_session *session = mqtt_session_of(conn);
    if (step == NULL || conn->user->id > step->subscribers || mqtt_subscription_find(session, step->topic) != NULL)
        return;
    struct mqtt_subscription *one = mqtt_subscription_to(session, step->topic);
    if (one == NULL)
        return;
    one->step = target->subscribed;
    one->options = step->qos;
}

static void connect(struct squall_conn *conn)
{
    struct mqtt_conn *c = conn->state;
    const struct mqtt_target *target = conn->target->state;
    const struct mqtt_target_options *options = conn->target->options;
    struct mqtt_session *session = mqtt_user_session(conn->user, conn->target);
    if (session == NULL) {
        c->state = MQTT_OVER;
        mqtt_host(conn)->fail(conn, "no memory for the session");
        return;
    }
    c->session = session;
    c->peer = (struct mqtt_peer){.version = target->version, .packet_max = (uint32_t)options->packet_max};
    if (target->connect_steps && !session->wanted) {
        c->state = MQTT_WAITING;
        mqtt_host(conn)->capacity(conn, 1);
        return;
    }
    subscribe_from_the_start(conn);
    mqtt_open(conn, NULL, session->connect_clean);
}

/* Keep Alive (3.1.2.10): silence of ours is broken by PINGREQ; silence of the broker after it ends the session. */
static uint64_t keep_alive(struct squall_conn *conn, uint64_t now_ns)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_packet packet = {.type = MQTT_PINGREQ, .version = c->peer.version};
    uint64_t size, due_ns = c->written_ns + c->keep_alive_ns;
    if (now_ns < due_ns)
        return due_ns;
    if (c->ping_ns != 0) {
        c->state = MQTT_OVER;
        mqtt_host(conn)->fail(conn, "no PINGRESP within the keep-alive (3.1.2.10)");
        return 0;
    }
    if (c->state == MQTT_OPEN && mqtt_send(conn, &packet, &size))
        c->ping_ns = mqtt_host(conn)->stamp_ns(conn->worker);
    return now_ns + c->keep_alive_ns;
}

static uint64_t tick(struct squall_conn *conn, uint64_t now_ns)
{
    const struct mqtt_conn *c = conn->state;
    if (c->state == MQTT_OVER || c->state == MQTT_WAITING)
        return 0;
    uint64_t ack_ns = mqtt_acks_due(conn, now_ns);
    uint64_t ping_ns = c->keep_alive_ns > 0 ? keep_alive(conn, now_ns) : 0;
    return ack_ns != 0 && (ping_ns == 0 || ack_ns < ping_ns) ? ack_ns : ping_ns;
}

static void disconnect(struct squall_conn *conn)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_session *session = mqtt_session_of(conn);
    if (session == NULL)
        return;
    mqtt_session_detach(session, c->keep);
    if (c->said_bye)
        session->wanted = false;
    if (c->said_bye && !c->keep)
        mqtt_subscriptions_forget(session, conn->worker);
    mqtt_await_fini(c);
    mqtt_alias_fini(c);
    mqtt_acks_fini(c);
}

static const char *code_name(uint32_t code)
{
    return code > 0 ? mqtt_reason_name(code - 1) : NULL;
}

static int32_t matches(struct squall_bytes pattern, struct squall_bytes address)
{
    struct squall_bytes share;
    (void)mqtt_filter_unshared(pattern, &share);
    if (!mqtt_filter_matches(pattern, address))
        return 0;
    return share.len > 0 ? 2 : 1;
}

/* ---- record --------------------------------------------------------------------------------------------------- */

static struct squall_bytes text_of(const char *text)
{
    return (struct squall_bytes){.data = (const uint8_t *)text, .len = strlen(text)};
}

/* "Content Type" is named content-type. */
static struct squall_bytes field_name(const char *title, char *room, size_t size)
{
    size_t len = 0;
    for (; title[len] != '\0' && len + 1 < size; len++)
        room[len] = (char)(title[len] == ' '                        ? '-'
                           : title[len] >= 'A' && title[len] <= 'Z' ? title[len] + 32
                                                                    : title[len]);
    return (struct squall_bytes){.data = (const uint8_t *)room, .len = len};
}

static void tell_number(struct squall_recorder *recorder, struct squall_bytes name, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    recorder->field(recorder, name, text_of(text));
}

static void tell_properties(struct squall_recorder *recorder, struct squall_bytes block)
{
    struct mqtt_property property;
    char room[48];
    while (mqtt_property_next(&block, &property)) {
        const struct mqtt_property_row *row = mqtt_property_row(property.id);
        struct squall_bytes name = field_name(row->name, room, sizeof room);
        if (row->type == MQTT_PAIR)
            recorder->field(recorder, property.name, property.value);
        else if (row->type <= MQTT_VARINT)
            tell_number(recorder, name, property.number);
        else
            recorder->field(recorder, name, property.value);
    }
}

static void record(const struct squall_exchange *x, struct squall_recorder *recorder)
{
    const struct mqtt_exchange *exchange = x->state;
    const struct mqtt_packet *answer = exchange->answer;
    if (answer == NULL || !(x->wants & SQUALL_WANT_FIELDS))
        return;
    tell_properties(recorder, answer->properties.encoded);
    if (answer->type == MQTT_CONNACK)
        recorder->field(recorder, text_of("session-present"), text_of(answer->session_present ? "1" : "0"));
    if (answer->type != MQTT_PUBLISH)
        return;
    recorder->field(recorder, text_of("topic"), exchange->topic);
    tell_number(recorder, text_of("qos"), answer->qos);
    tell_number(recorder, text_of("retain"), answer->retain);
    tell_number(recorder, text_of("dup"), answer->dup);
}

SQUALL_EXPORT extern const struct squall_protocol SQUALL_PROTOCOL;
const struct squall_protocol SQUALL_PROTOCOL = {
    .magic = SQUALL_PLUGIN_MAGIC,
    .abi_major = SQUALL_ABI_MAJOR,
    .abi_minor = SQUALL_ABI_MINOR,
    .size = sizeof(struct squall_protocol),
    .flags = SQUALL_SESSIONS | SQUALL_CODES_FROM_0,
    .name = "mqtt",
    .version = SQUALL_VERSION,
    .summary = "MQTT 3.1.1 and 5 over TCP or TLS",
    .schemes = "mqtt,mqtts",
    .ports = "1883,8883",
    .worker_size = sizeof(struct mqtt_worker),
    .target_size = sizeof(struct mqtt_target),
    .user_size = sizeof(struct mqtt_user),
    .step_size = sizeof(struct mqtt_step),
    .conn_size = sizeof(struct mqtt_conn),
    .exchange_size = sizeof(struct mqtt_exchange),
    .target_options = {.rows = mqtt_target_rows,
                       .count = MQTT_TARGET_ROWS,
                       .stride = sizeof(struct squall_option),
                       .size = sizeof(struct mqtt_target_options)},
    .step_options = {.rows = mqtt_step_rows,
                     .count = MQTT_STEP_ROWS,
                     .stride = sizeof(struct squall_option),
                     .size = sizeof(struct mqtt_step_options)},
    .metrics = {.rows = mqtt_metric_rows, .count = MQTT_METRICS, .stride = sizeof(struct squall_metric)},
    .verbs = {.rows = mqtt_verb_rows, .count = MQTT_VERBS, .stride = sizeof(struct squall_verb)},
    .target_init = mqtt_target_init,
    .step_init = mqtt_step_init,
    .worker_fini = mqtt_worker_fini,
    .user_fini = mqtt_user_fini,
    .connect = connect,
    .receive = mqtt_receive,
    .tick = tick,
    .disconnect = disconnect,
    .request = mqtt_request,
    .cancel = mqtt_cancel,
    .record = record,
    .code_name = code_name,
    .matches = matches,
};
