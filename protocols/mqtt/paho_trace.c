/* See paho_trace.h. */
#include "paho_trace.h"
#include "reason.h"
#include <stdio.h>

#define NS_PER_S UINT64_C(1000000000)

void paho_trace_connect(struct squall_conn *conn, const struct mqtt_target_options *options, bool clean)
{
    const struct mqtt_conn *c = conn->state;
    struct mqtt_packet packet = {.type = MQTT_CONNECT, .version = c->peer.version};
    if (!mqtt_traced(conn))
        return;
    packet.connect = (struct mqtt_connect){.client_id = options->client_id,
                                           .username = options->username,
                                           .password = options->password,
                                           .has_username = options->username.len > 0,
                                           .has_password = options->password.len > 0,
                                           .keep_alive_s = (uint16_t)(options->keep_alive_ns / NS_PER_S),
                                           .clean_start = clean};
    packet.connect.will = (struct mqtt_will){.present = options->will_topic.len > 0,
                                             .topic = options->will_topic,
                                             .payload = options->will_payload,
                                             .qos = (uint8_t)options->will_qos,
                                             .retain = options->will_retain != 0};
    mqtt_trace_packet(conn, SQUALL_TRACE_SENT, &packet);
}

void paho_trace_publish(struct squall_conn *conn, const struct mqtt_step_options *options, struct squall_bytes payload)
{
    const struct mqtt_conn *c = conn->state;
    const struct mqtt_packet packet = {.type = MQTT_PUBLISH,
                                       .version = c->peer.version,
                                       .topic = options->topic,
                                       .qos = (uint8_t)options->qos,
                                       .retain = options->retain != 0,
                                       .payload = payload};
    if (mqtt_traced(conn))
        mqtt_trace_packet(conn, SQUALL_TRACE_SENT, &packet);
}

void paho_trace_filters(struct squall_conn *conn, uint8_t kind, const struct mqtt_filter_list *list)
{
    const struct mqtt_conn *c = conn->state;
    const struct mqtt_packet packet = {.type = kind == PAHO_SUBSCRIBE ? MQTT_SUBSCRIBE : MQTT_UNSUBSCRIBE,
                                       .version = c->peer.version,
                                       .filters = {.rows = list->rows, .count = list->count}};
    if (mqtt_traced(conn))
        mqtt_trace_packet(conn, SQUALL_TRACE_SENT, &packet);
}

void paho_trace_disconnect(struct squall_conn *conn)
{
    const struct mqtt_conn *c = conn->state;
    const struct mqtt_packet packet = {.type = MQTT_DISCONNECT, .version = c->peer.version};
    if (mqtt_traced(conn))
        mqtt_trace_packet(conn, SQUALL_TRACE_SENT, &packet);
}

static struct squall_bytes bytes_of(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

void paho_trace_answer(struct squall_conn *conn, const struct paho_call *call)
{
    static const char *const titles[] = {[PAHO_CONNECT] = "CONNACK",
                                         [PAHO_PUBLISH] = "acknowledgement of PUBLISH",
                                         [PAHO_SUBSCRIBE] = "SUBACK",
                                         [PAHO_UNSUBSCRIBE] = "UNSUBACK"};
    char text[120];
    if (!mqtt_traced(conn) || call->kind == PAHO_DISCONNECT || (call->kind == PAHO_PUBLISH && call->qos == 0))
        return;
    mqtt_host(conn)->trace(conn, SQUALL_TRACE_RECEIVED, bytes_of(titles[call->kind]),
                           bytes_of("(as the library tells it)"));
    if (call->kind == PAHO_CONNECT && !call->failed)
        mqtt_host(conn)->trace(conn, SQUALL_TRACE_FIELD, bytes_of("session present"),
                               bytes_of(call->session_present ? "yes" : "no"));
    const char *words = call->failed && call->text[0] != '\0' ? call->text : mqtt_reason_name(call->reason);
    snprintf(text, sizeof text, "0x%02x%s%s", (unsigned)call->reason, words != NULL ? " " : "",
             words != NULL ? words : "");
    mqtt_host(conn)->trace(conn, SQUALL_TRACE_FIELD, bytes_of("reason"), bytes_of(text));
}
