/*
 * Enhanced authentication of 5.0 (4.12), as far as it goes in one step: CONNECT names a method and brings its data, and
 * CONNACK answers. A broker that asks for more is told about, since what to answer only the method knows.
 */
#ifndef SQUALL_MQTT_AUTH_H
#define SQUALL_MQTT_AUTH_H
#include "conn.h"

/* An AUTH packet, in whichever state: nothing that the broker may send is understood, and it ends the session. */
void mqtt_on_auth(struct squall_conn *conn, const struct mqtt_packet *packet);
/* Why a CONNACK does not go with the method that CONNECT named, or named not; NULL when it does. */
const char *mqtt_auth_refuse(struct squall_conn *conn, const struct mqtt_packet *connack);

#endif
