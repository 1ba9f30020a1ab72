/*
 * Reason codes (5.0: 2.4) by name, and which packet may carry which. The return codes of a 3.1.1 CONNACK (3.2.2.3) mean
 * the same as five of them, and squall reports them as these, so that one list of codes serves both versions.
 */
#ifndef SQUALL_MQTT_REASON_H
#define SQUALL_MQTT_REASON_H
#include <stdbool.h>
#include <stdint.h>

/* Those that code of this room names. */
enum mqtt_reason {
    MQTT_SUCCESS = 0x00,
    MQTT_DISCONNECT_WITH_WILL = 0x04,
    MQTT_NO_MATCHING_SUBSCRIBERS = 0x10,
    MQTT_CONTINUE_AUTHENTICATION = 0x18,
    MQTT_REAUTHENTICATE = 0x19,
    MQTT_UNSPECIFIED_ERROR = 0x80, /* from here on: failures */
    MQTT_UNSUPPORTED_VERSION = 0x84,
    MQTT_CLIENT_ID_NOT_VALID = 0x85,
    MQTT_BAD_USER_NAME_OR_PASSWORD = 0x86,
    MQTT_NOT_AUTHORIZED = 0x87,
    MQTT_PACKET_ID_NOT_FOUND = 0x92,
    MQTT_RECEIVE_MAXIMUM_EXCEEDED = 0x93,
    MQTT_TOPIC_ALIAS_INVALID = 0x94,
};

/* A reason code's name, or NULL. */
const char *mqtt_reason_name(uint32_t code);
/* Of a CONNACK: what to look at, "; see ..."; "": nothing that we could have said otherwise. */
const char *mqtt_refusal_hint(uint32_t code);
/* Whether a packet may carry it. `from_client` matters to DISCONNECT and AUTH only. */
bool mqtt_reason_fits(uint8_t version, uint8_t type, bool from_client, uint8_t code);
/* The reason code that a return code of a 3.1.1 CONNACK, 0 to 5, stands for. */
uint8_t mqtt_reason_of_return_code(uint8_t return_code);

#endif
