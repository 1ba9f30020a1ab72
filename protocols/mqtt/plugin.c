/*
 * The mqtt plugin: fits sessions to the seam. A user is a device with a connection of its own. Without a connect step
 * the plugin opens its session as soon as the transport is up, and capacity follows CONNACK; with one the step does it.
 */
#include "acks.h"
#include "alias.h"
#include "await.h"
#include "conn.h"
#include "deliver.h"
#include "encode.h"
#include "payload.h"
#include "reason.h"
#include "topic.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    mqtt_subscribe_from_the_start(conn);
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
    .record = mqtt_record,
    .code_name = mqtt_code_name,
    .matches = mqtt_matches,
    .awaits = "a CONNACK",
};
