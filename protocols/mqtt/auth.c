/* See auth.h. */
#include "auth.h"
#include "reason.h"
#include "wire.h"
#include <stdio.h>
#include <string.h>

#define MORE "the broker asks for a further step of authentication, and auth-data is all that squall has to say (4.12)"

/* The method of a packet; empty: none. */
static struct squall_bytes method_of(const struct mqtt_packet *packet)
{
    struct squall_bytes block = packet->properties.encoded;
    struct mqtt_property property;
    while (mqtt_property_next(&block, &property))
        if (property.id == MQTT_AUTH_METHOD)
            return property.value;
    return (struct squall_bytes){0};
}

static bool is_ours(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    const struct mqtt_target_options *options = mqtt_host(conn)->conn_options(conn);
    struct squall_bytes method = method_of(packet);
    return options == NULL ||
           (method.len == options->auth_method.len && memcmp(method.data, options->auth_method.data, method.len) == 0);
}

const char *mqtt_auth_refuse(struct squall_conn *conn, const struct mqtt_packet *connack)
{
    const struct mqtt_conn *c = conn->state;
    if (!c->auth)
        return method_of(connack).len > 0 ? "a method of authentication that CONNECT did not name (4.12)" : NULL;
    return is_ours(conn, connack) ? NULL : "another method of authentication than CONNECT named (4.12)";
}

/* The session ends here, and the broker has broken nothing. */
static void give_up(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    struct mqtt_conn *c = conn->state;
    struct squall_exchange *x = c->opening;
    c->state = MQTT_OVER;
    c->opening = NULL;
    if (x == NULL) {
        mqtt_host(conn)->fail(conn, "AUTH: " MORE);
        return;
    }
    ((struct mqtt_exchange *)x->state)->answer = packet;
    ((struct mqtt_exchange *)x->state)->bytes_in = packet->size;
    mqtt_end(conn, x, SQUALL_REJECTED, MQTT_CODE(packet->reason), "AUTH: " MORE);
    mqtt_host(conn)->close(conn, SQUALL_CLOSE_ORDERLY);
}

void mqtt_on_auth(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    const struct mqtt_conn *c = conn->state;
    if (!c->auth)
        mqtt_broken(conn, "AUTH", "no method of authentication was named (4.12)", MQTT_PROTOCOL_ERROR);
    else if (!is_ours(conn, packet))
        mqtt_broken(conn, "AUTH", "another method of authentication than CONNECT named (4.12)", MQTT_PROTOCOL_ERROR);
    else if (c->state != MQTT_CONNECTING)
        mqtt_broken(conn, "AUTH", "nobody has begun to authenticate again (4.12.1)", MQTT_PROTOCOL_ERROR);
    else if (packet->reason != MQTT_CONTINUE_AUTHENTICATION)
        mqtt_broken(conn, "AUTH", "authentication ends with CONNACK (4.12)", MQTT_PROTOCOL_ERROR);
    else
        give_up(conn, packet);
}
