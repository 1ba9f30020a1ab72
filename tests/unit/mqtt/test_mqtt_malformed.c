/* The MQTT decoder on packets that the standards forbid, cut short, and damaged at random. */
#include "packet_text.h"
#include "vectors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define BAD_FLAGS  "reserved bits of the first byte"
#define ONLY_OTHER "a packet that only the other side may send"
#define BAD_LENGTH "a Remaining Length that this packet cannot have"
#define ENDS       "it ends inside a field"
#define BEHIND     "bytes behind its last field"
#define BAD_REASON "a reason code that this packet cannot carry"
#define ID_0       "packet identifier 0"
#define NOT_UTF8   "a string that is not UTF-8"
#define BAD_VARINT "a Variable Byte Integer of more bytes"
#define CONNECT_4  "\x00\x04MQTT\x04"
#define CONNECT_5  "\x00\x04MQTT\x05"

static const struct vector forbidden[] = {
    /* the first byte */
    V(4, S, "\x00", "a packet type that is reserved"),
    V(5, S, "\x00", "a packet type that is reserved"),
    V(4, S, "\xf0", "a packet type that is reserved"),
    V(4, C, "\x11", BAD_FLAGS),
    V(5, S, "\x21", BAD_FLAGS),
    V(5, S, "\x41", BAD_FLAGS),
    V(5, S, "\x58", BAD_FLAGS),
    V(5, S, "\x60", BAD_FLAGS),
    V(4, S, "\x6a", BAD_FLAGS),
    V(4, S, "\x72", BAD_FLAGS),
    V(4, C, "\x80", BAD_FLAGS),
    V(5, S, "\x9f", BAD_FLAGS),
    V(4, C, "\xa0", BAD_FLAGS),
    V(4, S, "\xb2", BAD_FLAGS),
    V(4, C, "\xc1", BAD_FLAGS),
    V(5, S, "\xd4", BAD_FLAGS),
    V(5, S, "\xe1", BAD_FLAGS),
    V(5, S, "\xf2", BAD_FLAGS),
    V(5, S, "\x10", ONLY_OTHER),
    V(5, C, "\x20", ONLY_OTHER),
    V(4, S, "\x82", ONLY_OTHER),
    V(4, C, "\x90", ONLY_OTHER),
    V(4, S, "\xa2", ONLY_OTHER),
    V(4, C, "\xb0", ONLY_OTHER),
    V(4, S, "\xc0", ONLY_OTHER),
    V(4, C, "\xd0", ONLY_OTHER),
    V(4, S, "\xe0", ONLY_OTHER),
    V(4, S, "\x36", "QoS 3"),
    V(5, S, "\x3f", "QoS 3"),
    V(5, S, "\x38", "DUP with QoS 0"),
    /* Remaining Length */
    V(4, S, "\x30\x80\x80\x80\x80", "a Remaining Length of more bytes"),
    V(5, S, "\x30\xff\xff\xff\xff", "a Remaining Length of more bytes"),
    V(5, S, "\xd0\x80\x00", "a Remaining Length of more bytes"),
    V(4, S, "\x20\x01", BAD_LENGTH),
    V(4, S, "\x20\x03", BAD_LENGTH),
    V(4, S, "\x30\x02", BAD_LENGTH),
    V(4, S, "\x40\x03", BAD_LENGTH),
    V(4, S, "\x50\x01", BAD_LENGTH),
    V(4, S, "\x62\x00", BAD_LENGTH),
    V(4, S, "\x70\x04", BAD_LENGTH),
    V(4, S, "\x90\x02", BAD_LENGTH),
    V(4, S, "\xb0\x03", BAD_LENGTH),
    V(4, C, "\x10\x0b", BAD_LENGTH),
    V(4, S, "\xd0\x01\x00", BEHIND),
    V(4, C, "\xe0\x01\x00", BEHIND),
    V(5, S, "\xd0\x01\x00", BEHIND),
    V(5, C, "\xc0\x01\x00", BEHIND),
    V(5, S, "\x20\x00", ENDS),
    V(5, S, "\x20\x02\x00\x00", ENDS),
    V(5, S, "\x20\x04\x00\x00\x00\x00", BEHIND),
    V(5, S, "\x20\x04\x00\x00\x02\x24", ENDS),
    V(5, S, "\x40\x01\x00", ENDS),
    V(5, S, "\xb0\x02\x00\x01", ENDS),
    V(5, S, "\xf0\x01\x00", ENDS),
    /* CONNECT */
    V(4, C, "\x10\x0c\x00\x04MQTt\x04\x02\x00\x00\x00\x00", "the protocol name is not MQTT"),
    V(4, C, "\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x00\x00\x00", "the protocol name is not MQTT"),
    V(4, C, "\x10\x0c" CONNECT_5 "\x02\x00\x00\x00\x00", "another protocol level"),
    V(4, C, "\x10\x0c" CONNECT_4 "\x03\x00\x00\x00\x00", "the reserved connect flag"),
    V(4, C, "\x10\x0c" CONNECT_4 "\x0a\x00\x00\x00\x00", "will QoS or will retain without a will"),
    V(4, C, "\x10\x0c" CONNECT_4 "\x22\x00\x00\x00\x00", "will QoS or will retain without a will"),
    V(4, C, "\x10\x11" CONNECT_4 "\x1e\x00\x00\x00\x00\x00\x01w\x00\x00", "will QoS 3"),
    V(4, C, "\x10\x11" CONNECT_4 "\x06\x00\x00\x00\x00\x00\x01+\x00\x00", "a will topic that is no topic name"),
    V(4, C, "\x10\x0e" CONNECT_4 "\x42\x00\x00\x00\x00\x00\x00", "a password without a user name"),
    V(4, C, "\x10\x0d" CONNECT_4 "\x02\x00\x00\x00\x00!", BEHIND),
    V(4, C, "\x10\x0c" CONNECT_4 "\x82\x00\x00\x00\x00", ENDS),
    V(5, C, "\x10\x11" CONNECT_5 "\x02\x00\x00\x04\x16\x00\x01x\x00\x00", "Authentication Data without a method"),
    /* CONNACK */
    V(4, S, "\x20\x02\x02\x00", "a reserved bit of the CONNACK flags"),
    V(5, S, "\x20\x03\x81\x00\x00", "a reserved bit of the CONNACK flags"),
    V(4, S, "\x20\x02\x00\x06", BAD_REASON),
    V(5, S, "\x20\x03\x00\x01\x00", BAD_REASON),
    V(5, S, "\x20\x03\x00\x8e\x00", BAD_REASON),
    V(5, S, "\x20\x03\x00\xff\x00", BAD_REASON),
    V(4, S, "\x20\x02\x01\x05", "Session Present beside a refusal"),
    V(5, S, "\x20\x03\x01\x87\x00", "Session Present beside a refusal"),
    V(5, S, "\x20\x06\x00\x00\x03\x21\x00\x00", "a property's number outside"),
    V(5, S, "\x20\x08\x00\x00\x05\x27\x00\x00\x00\x00", "a property's number outside"),
    V(5, S, "\x20\x05\x00\x00\x02\x24\x02", "a property's number outside"),
    V(5, S, "\x20\x09\x00\x00\x06\x21\x00\x01\x21\x00\x01", "a property given twice"),
    V(5, S, "\x20\x05\x00\x00\x02\x01\x00", "a property that this packet cannot carry"),
    V(5, S, "\x20\x05\x00\x00\x02\x04\x00", "a property that does not exist"),
    V(5, S, "\x20\x05\x00\x00\x02\x80\x01", "a property that does not exist"),
    V(5, S, "\x20\x07\x00\x00\x04\x1f\x00\x05x", ENDS),
    V(5, S, "\x20\x07\x00\x00\x04\x1f\x00\x01\xff", NOT_UTF8),
    V(5, S, "\x20\x06\x00\x00\x80\x80\x80\x80", BAD_VARINT),
    V(5, S, "\x20\x04\x00\x00\x80\x00", BAD_VARINT),
    /* PUBLISH */
    V(4, S, "\x30\x03\x00\x02t", ENDS),
    V(4, S, "\x32\x03\x00\x01t", ENDS),
    V(4, S, "\x32\x05\x00\x01t\x00\x00", ID_0),
    V(4, S, "\x30\x03\x00\x00p", "neither topic name nor topic alias"),
    V(5, S, "\x30\x03\x00\x00\x00", "neither topic name nor topic alias"),
    V(4, S, "\x30\x03\x00\x01#", "a topic name with a wildcard"),
    V(4, S,
      "\x30\x05\x00\x03"
      "a/+",
      "a topic name with a wildcard"),
    V(4, S, "\x30\x03\x00\x01\x00", NOT_UTF8),
    V(4, S, "\x30\x04\x00\x02\xc0\x80", NOT_UTF8),
    V(4, S, "\x30\x05\x00\x03\xed\xa0\x80", NOT_UTF8),
    V(5, S, "\x30\x07\x00\x01t\x03\x23\x00\x00", "a property's number outside"),
    V(5, S, "\x30\x06\x00\x01t\x02\x0b\x00", "a property's number outside"),
    V(5, S, "\x30\x07\x00\x01t\x03\x0b\x81\x00", BAD_VARINT),
    V(5, S, "\x30\x08\x00\x01t\x04\x08\x00\x01#", "a Response Topic that is no topic name"),
    V(5, S, "\x30\x07\x00\x01t\x03\x08\x00\x00", "a Response Topic that is no topic name"),
    V(5, C, "\x30\x06\x00\x01t\x02\x0b\x01", "Subscription Identifier from a client"),
    V(5, S, "\x30\x05\x00\x01t\x02\x01", ENDS),
    /* acknowledgements */
    V(4, S, "\x40\x02\x00\x00", ID_0),
    V(5, S, "\x70\x02\x00\x00", ID_0),
    V(5, S, "\x40\x03\x00\x01\x92", BAD_REASON),
    V(5, S, "\x50\x03\x00\x01\x01", BAD_REASON),
    V(5, S, "\x62\x03\x00\x01\x10", BAD_REASON),
    V(5, S, "\x70\x03\x00\x01\x87", BAD_REASON),
    V(5, S, "\x40\x05\x00\x01\x00\x00\x00", BEHIND),
    V(5, S, "\x40\x07\x00\x01\x00\x03\x21\x00\x01", "a property that this packet cannot carry"),
    V(4, S, "\x90\x03\x00\x01\x03", BAD_REASON),
    V(5, S, "\x90\x04\x00\x01\x00\x11", BAD_REASON),
    V(5, S, "\x90\x03\x00\x01\x00", "no reason code at all"),
    V(5, S, "\xb0\x04\x00\x01\x00\x01", BAD_REASON),
    V(5, S, "\xb0\x03\x00\x01\x00", "no reason code at all"),
    /* SUBSCRIBE, UNSUBSCRIBE */
    V(4, C, "\x82\x02\x00\x01", "no topic filter"),
    V(4, C, "\x82\x05\x00\x01\x00\x01t", ENDS),
    V(4, C, "\x82\x06\x00\x01\x00\x01t\x03", "QoS 3 in a subscription"),
    V(4, C, "\x82\x06\x00\x01\x00\x01t\x04", "a reserved bit of the subscription options"),
    V(5, C, "\x82\x07\x00\x01\x00\x00\x01t\x40", "a reserved bit of the subscription options"),
    V(5, C, "\x82\x07\x00\x01\x00\x00\x01t\x30", "Retain Handling 3"),
    V(5, C, "\x82\x10\x00\x01\x00\x00\x0a$share/g/x\x04", "No Local on a shared subscription"),
    V(5, C, "\x82\x0e\x00\x01\x00\x00\x08$share/g\x00", "a shared subscription without a proper name"),
    V(5, C,
      "\x82\x09\x00\x01\x00\x00\x03"
      "a#b\x00",
      "a wildcard that is not a whole level"),
    V(4, C,
      "\x82\x07\x00\x01\x00\x02"
      "a+\x00",
      "a wildcard that is not a whole level"),
    V(4, C, "\x82\x08\x00\x01\x00\x03#/a\x00", "'#' that is not the last level"),
    V(4, C, "\x82\x05\x00\x01\x00\x00\x00", "a topic filter without a character"),
    V(4, C, "\xa2\x02\x00\x01", "no topic filter"),
    V(4, C, "\xa2\x05\x00\x00\x00\x01t", ID_0),
    /* DISCONNECT, AUTH */
    V(5, S, "\xe0\x01\x04", BAD_REASON),
    V(5, C, "\xe0\x01\x8b", BAD_REASON),
    V(5, S, "\xe0\x07\x00\x05\x11\x00\x00\x00\x3c", "Session Expiry Interval from a server"),
    V(5, C, "\xe0\x06\x00\x04\x1c\x00\x01s", "Server Reference from a client"),
    V(5, S, "\xe0\x03\x00\x00\x00", BEHIND),
    V(5, S, "\xf0\x02\x19\x00", BAD_REASON),
    V(5, C, "\xf0\x00", BAD_REASON),
};

static enum mqtt_decoded decode_exact(const struct mqtt_peer *peer, const uint8_t *bytes, size_t len,
                                      struct mqtt_fault *fault)
{
    struct mqtt_packet packet;
    uint8_t *block = malloc(len > 0 ? len : 1);
    assert_non_null(block);
    memcpy(block, bytes, len);
    enum mqtt_decoded decoded = mqtt_decode(peer, block, len, &packet, fault);
    free(block);
    return decoded;
}

/* Cut anywhere it is not whole yet or refused for the same reason. */
static void forbidden_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        const struct vector *vector = &forbidden[i];
        struct mqtt_peer peer = {.version = vector->version, .client = vector->client, .packet_max = MQTT_PACKET_MAX};
        struct mqtt_fault fault = {0}, cut = {0};
        enum mqtt_decoded decoded = decode_exact(&peer, (const uint8_t *)vector->bytes, vector->len, &fault);
        if (decoded != MQTT_BROKEN || strncmp(fault.why, vector->text, strlen(vector->text)) != 0)
            fail_msg("%zu: expected %s\n  got %d %s", i, vector->text, (int)decoded,
                     decoded == MQTT_BROKEN ? fault.why : "");
        assert_true(fault.code == 0x81 || fault.code == 0x82);
        for (size_t len = 0; len < vector->len; len++) {
            decoded = decode_exact(&peer, (const uint8_t *)vector->bytes, len, &cut);
            if (decoded != MQTT_MORE && (decoded != MQTT_BROKEN || cut.why != fault.why))
                fail_msg("%zu: %zu bytes give %d %s", i, len, (int)decoded, decoded == MQTT_BROKEN ? cut.why : "");
        }
    }
}

/* Each packet with a Remaining Length that is too short ends inside a field, or is another proper packet; never is a
 * byte behind it read, which the exact block would show under the address sanitizer. */
static void every_truncation(void **state)
{
    (void)state;
    size_t broken = 0;
    for (size_t i = 0; i < VECTORS; i++) {
        struct mqtt_peer peer = {
            .version = vectors[i].version, .client = vectors[i].client, .packet_max = MQTT_PACKET_MAX};
        uint8_t bytes[256];
        memcpy(bytes, vectors[i].bytes, vectors[i].len);
        for (size_t len = 2; len < vectors[i].len; len++) {
            struct mqtt_fault fault = {0};
            bytes[1] = (uint8_t)(len - 2);
            enum mqtt_decoded decoded = decode_exact(&peer, bytes, len, &fault);
            assert_true(decoded != MQTT_MORE);
            broken += decoded == MQTT_BROKEN;
        }
    }
    assert_true(broken > 300);
}

/* Any byte of any packet changed to anything: the outcome is one of three, and MORE only for a longer packet. */
static void random_damage(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        struct mqtt_peer peer = {.version = vectors[i].version, .client = vectors[i].client, .packet_max = 1 << 20};
        uint8_t bytes[256];
        for (size_t at = 0; at < vectors[i].len; at++) {
            for (unsigned value = 0; value < 256; value++) {
                struct mqtt_fault fault = {0};
                memcpy(bytes, vectors[i].bytes, vectors[i].len);
                bytes[at] = (uint8_t)value;
                enum mqtt_decoded decoded = decode_exact(&peer, bytes, vectors[i].len, &fault);
                assert_true(decoded != MQTT_MORE || at == 1);
                assert_true(decoded != MQTT_BROKEN || (fault.why != NULL && fault.code != 0));
            }
        }
    }
}

static void too_large(void **state)
{
    (void)state;
    struct mqtt_peer peer = {.version = MQTT_5, .packet_max = 16};
    struct mqtt_fault fault;
    assert_int_equal(decode_exact(&peer, (const uint8_t *)"\x30\x0f", 2, &fault), MQTT_BROKEN);
    assert_int_equal(fault.code, 0x95);
    assert_int_equal(fault.type, MQTT_PUBLISH);
    assert_int_equal(decode_exact(&peer, (const uint8_t *)"\x30\x0e", 2, &fault), MQTT_MORE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forbidden_packets),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(random_damage),
        cmocka_unit_test(too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
