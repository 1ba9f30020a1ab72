/* Table 2-6 of 5.0, and the return codes of 3.1.1 (table 3.1 and 3.9.3). */
#include "reason.h"
#include "packet.h"

#define CONNACK   MQTT_IN(MQTT_CONNACK)
#define PUBS      (MQTT_IN(MQTT_PUBACK) | MQTT_IN(MQTT_PUBREC))
#define PUBREL    (MQTT_IN(MQTT_PUBREL) | MQTT_IN(MQTT_PUBCOMP))
#define SUBACK    MQTT_IN(MQTT_SUBACK)
#define UNSUBACK  MQTT_IN(MQTT_UNSUBACK)
#define BY_SERVER MQTT_IN(MQTT_DISCONNECT)      /* DISCONNECT by the server */
#define BY_CLIENT MQTT_IN(MQTT_DISCONNECT + 16) /* DISCONNECT by the client */
/* Table 2-6 lets a server disconnect with 0x8C, table 3-10 leaves it out: taken, as well as its 0x00. */
#define DISCONNECT  (BY_SERVER | BY_CLIENT)
#define AUTH_SERVER MQTT_IN(MQTT_AUTH)
#define AUTH_CLIENT MQTT_IN(MQTT_AUTH + 16)

struct row {
    const char *name;
    uint32_t where;
};

static const struct row low[] = {
    [0x00] = {"success", CONNACK | PUBS | PUBREL | SUBACK | UNSUBACK | DISCONNECT | AUTH_SERVER},
    [0x01] = {"granted QoS 1", SUBACK},
    [0x02] = {"granted QoS 2", SUBACK},
    [0x04] = {"disconnect with will message", BY_CLIENT},
    [0x10] = {"no matching subscribers", PUBS},
    [0x11] = {"no subscription existed", UNSUBACK},
    [0x18] = {"continue authentication", AUTH_SERVER | AUTH_CLIENT},
    [0x19] = {"re-authenticate", AUTH_CLIENT},
};

/* From 0x80 on. */
static const struct row high[] = {
    {"unspecified error", CONNACK | PUBS | SUBACK | UNSUBACK | DISCONNECT},
    {"malformed packet", CONNACK | DISCONNECT},
    {"protocol error", CONNACK | DISCONNECT},
    {"implementation specific error", CONNACK | PUBS | SUBACK | UNSUBACK | DISCONNECT},
    {"unsupported protocol version", CONNACK},
    {"client identifier not valid", CONNACK},
    {"bad user name or password", CONNACK},
    {"not authorized", CONNACK | PUBS | SUBACK | UNSUBACK | BY_SERVER},
    {"server unavailable", CONNACK},
    {"server busy", CONNACK | BY_SERVER},
    {"banned", CONNACK},
    {"server shutting down", BY_SERVER},
    {"bad authentication method", CONNACK | BY_SERVER},
    {"keep alive timeout", BY_SERVER},
    {"session taken over", BY_SERVER},
    {"topic filter invalid", SUBACK | UNSUBACK | BY_SERVER},
    {"topic name invalid", CONNACK | PUBS | DISCONNECT},
    {"packet identifier in use", PUBS | SUBACK | UNSUBACK},
    {"packet identifier not found", PUBREL},
    {"receive maximum exceeded", DISCONNECT},
    {"topic alias invalid", DISCONNECT},
    {"packet too large", CONNACK | DISCONNECT},
    {"message rate too high", DISCONNECT},
    {"quota exceeded", CONNACK | PUBS | SUBACK | DISCONNECT},
    {"administrative action", DISCONNECT},
    {"payload format invalid", CONNACK | PUBS | DISCONNECT},
    {"retain not supported", CONNACK | BY_SERVER},
    {"QoS not supported", CONNACK | BY_SERVER},
    {"use another server", CONNACK | BY_SERVER},
    {"server moved", CONNACK | BY_SERVER},
    {"shared subscriptions not supported", SUBACK | BY_SERVER},
    {"connection rate exceeded", CONNACK | BY_SERVER},
    {"maximum connect time", BY_SERVER},
    {"subscription identifiers not supported", SUBACK | BY_SERVER},
    {"wildcard subscriptions not supported", SUBACK | BY_SERVER},
};

static const struct row *row_of(uint32_t code)
{
    if (code >= 0x80)
        return code - 0x80 < sizeof high / sizeof high[0] ? &high[code - 0x80] : NULL;
    return code < sizeof low / sizeof low[0] && low[code].name != NULL ? &low[code] : NULL;
}

const char *mqtt_reason_name(uint32_t code)
{
    const struct row *row = row_of(code);
    return row != NULL ? row->name : NULL;
}

const char *mqtt_refusal_hint(uint32_t code)
{
    switch (code) {
    case MQTT_UNSUPPORTED_VERSION:
        return "; try the other version (--mqtt-version)";
    case MQTT_CLIENT_ID_NOT_VALID:
        return "; give another client-id (--client-id)";
    case MQTT_BAD_USER_NAME_OR_PASSWORD:
    case MQTT_NOT_AUTHORIZED:
        return "; are username and password right (--username, --password)?";
    default:
        return "";
    }
}

bool mqtt_reason_fits(uint8_t version, uint8_t type, bool from_client, uint8_t code)
{
    if (version < MQTT_5)
        return type == MQTT_CONNACK ? code <= 5 : type == MQTT_SUBACK && (code <= 2 || code == MQTT_UNSPECIFIED_ERROR);
    const struct row *row = row_of(code);
    uint32_t place = MQTT_IN(type);
    if (from_client && (type == MQTT_DISCONNECT || type == MQTT_AUTH))
        place = MQTT_IN(type + 16u);
    return row != NULL && (row->where & place) != 0;
}

uint8_t mqtt_reason_of_return_code(uint8_t return_code)
{
    static const uint8_t codes[] = {0x00, 0x84, 0x85, 0x88, 0x86, 0x87};
    return return_code < sizeof codes ? codes[return_code] : MQTT_UNSPECIFIED_ERROR;
}
