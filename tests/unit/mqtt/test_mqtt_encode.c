/* The MQTT encoder: what was decoded is encoded to the same bytes, and what must not go out is refused. */
#include "packet_text.h"
#include "vectors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct squall_bytes text_of(const char *text)
{
    return (struct squall_bytes){.data = (const uint8_t *)text, .len = strlen(text)};
}

/* From the decoder's own blocks, and from rows of properties and filters. */
static void same_bytes(void **state)
{
    (void)state;
    static struct packet_rows rows;
    for (size_t i = 0; i < VECTORS; i++) {
        const struct vector *vector = &vectors[i];
        struct mqtt_peer peer = {.version = vector->version, .client = vector->client, .packet_max = MQTT_PACKET_MAX};
        struct mqtt_packet packet;
        struct mqtt_fault fault;
        uint8_t room[256];
        assert_int_equal(mqtt_decode(&peer, (const uint8_t *)vector->bytes, vector->len, &packet, &fault), MQTT_PACKET);
        struct mqtt_packet copy = packet_in_rows(&packet, &rows);
        const struct mqtt_packet *forms[] = {&packet, &copy};
        for (size_t form = 0; form < 2; form++) {
            assert_int_equal(mqtt_encoded_size(forms[form]), vector->len);
            assert_ptr_equal(mqtt_encode(room, forms[form]), room + vector->len);
            assert_memory_equal(room, vector->bytes, vector->len);
        }
        if (vector->client)
            assert_null(mqtt_encode_refuse(&copy));
    }
}

static void acknowledgements(void **state)
{
    (void)state;
    for (uint8_t type = MQTT_PUBACK; type <= MQTT_PUBCOMP; type++) {
        struct mqtt_packet packet = {.type = type, .version = MQTT_5, .packet_id = 0x1234};
        uint8_t whole[8], ack[MQTT_ACK_SIZE];
        assert_ptr_equal(mqtt_encode(whole, &packet), whole + MQTT_ACK_SIZE);
        assert_ptr_equal(mqtt_encode_ack(ack, type, 0x1234), ack + MQTT_ACK_SIZE);
        assert_memory_equal(whole, ack, MQTT_ACK_SIZE);
    }
}

/* User properties from a map stand behind the rows. */
static void user_properties(void **state)
{
    (void)state;
    struct squall_pair pair = {.name = text_of("k"), .value = text_of("v")};
    struct mqtt_property alias = {.id = MQTT_TOPIC_ALIAS, .number = 3};
    struct mqtt_packet packet = {
        .type = MQTT_PUBLISH,
        .version = MQTT_5,
        .topic = text_of("t"),
        .payload = text_of("p"),
        .properties = {.encoded = {.data = (const uint8_t *)"\x01\x01", .len = 2},
                       .rows = &alias,
                       .count = 1,
                       .user = {.pairs = &pair, .count = 1}},
    };
    static const char expected[] = "\x30\x11\x00\x01t\x0c\x01\x01\x23\x00\x03\x26\x00\x01k\x00\x01vp";
    uint8_t room[64];
    assert_null(mqtt_encode_refuse(&packet));
    assert_int_equal(mqtt_encoded_size(&packet), sizeof expected - 1);
    assert_ptr_equal(mqtt_encode(room, &packet), room + sizeof expected - 1);
    assert_memory_equal(room, expected, sizeof expected - 1);
    packet.version = MQTT_3_1_1;
    assert_int_equal(mqtt_encoded_size(&packet), 6);
}

static const struct {
    struct mqtt_packet packet;
    const char *why; /* how the reason begins */
} refused[] = {
    {{.type = MQTT_CONNECT, .version = 4}, "an empty client identifier without a clean session"},
    {{.type = MQTT_CONNECT, .version = 4, .connect = {.clean_start = true, .has_password = true}},
     "a password without a user name"},
    {{.type = MQTT_CONNECT, .version = 5, .connect = {.client_id = {(const uint8_t *)"\xff", 1}}}, "not UTF-8"},
    {{.type = MQTT_CONNECT, .version = 5, .connect = {.has_username = true, .username = {(const uint8_t *)"", 1}}},
     "not UTF-8"},
    {{.type = MQTT_CONNECT, .version = 5, .connect = {.will = {.present = true}}}, "a topic name without a character"},
    {{.type = MQTT_CONNECT,
      .version = 5,
      .connect = {.will = {.present = true, .qos = 3, .topic = {(const uint8_t *)"w", 1}}}},
     "will QoS 3"},
    {{.type = MQTT_PUBLISH, .version = 4}, "a topic name without a character"},
    {{.type = MQTT_PUBLISH, .version = 5}, "neither topic name nor topic alias"},
    {{.type = MQTT_PUBLISH, .version = 5, .topic = {(const uint8_t *)"a/#", 3}}, "a topic name with a wildcard"},
    {{.type = MQTT_PUBLISH, .version = 5, .qos = 3, .topic = {(const uint8_t *)"a", 1}}, "QoS 3"},
    {{.type = MQTT_PUBLISH,
      .version = 5,
      .topic = {(const uint8_t *)"a", 1},
      .properties = {.rows = &(const struct mqtt_property){.id = MQTT_TOPIC_ALIAS}, .count = 1}},
     "a property's number outside"},
    {{.type = MQTT_PUBLISH,
      .version = 5,
      .topic = {(const uint8_t *)"a", 1},
      .properties = {.rows = &(const struct mqtt_property){.id = MQTT_RECEIVE_MAXIMUM, .number = 1}, .count = 1}},
     "a property that this packet cannot carry"},
    {{.type = MQTT_PUBLISH,
      .version = 5,
      .topic = {(const uint8_t *)"a", 1},
      .properties = {.rows = &(const struct mqtt_property){.id = 4}, .count = 1}},
     "a property that does not exist"},
    {{.type = MQTT_SUBSCRIBE, .version = 5}, "no topic filter"},
    {{.type = MQTT_SUBSCRIBE,
      .version = 5,
      .filters = {.rows = &(const struct mqtt_filter){.topic = {(const uint8_t *)"a#", 2}}, .count = 1}},
     "a wildcard that is not a whole level"},
};

static void refused_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const char *why = mqtt_encode_refuse(&refused[i].packet);
        if (why == NULL || strncmp(why, refused[i].why, strlen(refused[i].why)) != 0)
            fail_msg("%zu: expected %s, got %s", i, refused[i].why, why != NULL ? why : "nothing");
    }
}

/* The limits of 16-bit lengths, and of Remaining Length. */
static void lengths(void **state)
{
    (void)state;
    static uint8_t text[MQTT_TEXT_MAX + 1];
    memset(text, 'x', sizeof text);
    struct mqtt_packet packet = {.type = MQTT_PUBLISH, .version = MQTT_5, .topic = {text, MQTT_TEXT_MAX}};
    assert_null(mqtt_encode_refuse(&packet));
    packet.topic.len++;
    assert_non_null(mqtt_encode_refuse(&packet));
    struct mqtt_packet connect = {
        .type = MQTT_CONNECT, .version = MQTT_5, .connect = {.client_id = {text, sizeof text}}};
    assert_non_null(mqtt_encode_refuse(&connect));
    connect.connect = (struct mqtt_connect){.has_password = true, .password = {text, sizeof text}};
    assert_non_null(mqtt_encode_refuse(&connect));
    /* Sizes alone: no byte of this payload is touched. */
    packet.topic.len = 1;
    packet.payload = (struct squall_bytes){.data = text, .len = MQTT_REMAINING_MAX - 4};
    assert_int_equal(mqtt_encoded_size(&packet), MQTT_PACKET_MAX);
    assert_null(mqtt_encode_refuse(&packet));
    packet.payload.len++;
    assert_non_null(mqtt_encode_refuse(&packet));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bytes),      cmocka_unit_test(acknowledgements), cmocka_unit_test(user_properties),
        cmocka_unit_test(refused_packets), cmocka_unit_test(lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
