/* The MQTT decoder on packets that the standards allow: what is read, at every split, and that nothing behind is. */
#include "packet_text.h"
#include "vectors.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static struct packet_text line;

/* In memory of exactly that size, so that the address sanitizer sees any look beyond. */
static enum mqtt_decoded decode_exact(const struct mqtt_peer *peer, const char *bytes, size_t len,
                                      struct mqtt_packet *packet, struct mqtt_fault *fault, uint8_t **ret_block)
{
    *ret_block = malloc(len > 0 ? len : 1);
    assert_non_null(*ret_block);
    memcpy(*ret_block, bytes, len);
    return mqtt_decode(peer, *ret_block, len, packet, fault);
}

static struct mqtt_peer peer_of(const struct vector *vector)
{
    return (struct mqtt_peer){.version = vector->version, .client = vector->client, .packet_max = MQTT_PACKET_MAX};
}

static void allowed_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        const struct vector *vector = &vectors[i];
        struct mqtt_peer peer = peer_of(vector);
        struct mqtt_packet packet;
        struct mqtt_fault fault = {0};
        uint8_t *block;
        enum mqtt_decoded decoded = decode_exact(&peer, vector->bytes, vector->len, &packet, &fault, &block);
        if (decoded != MQTT_PACKET)
            fail_msg("%zu: %s\n  %s", i, vector->text, decoded == MQTT_MORE ? "more" : fault.why);
        assert_string_equal(packet_describe(&line, &packet), vector->text);
        assert_int_equal(packet.size, vector->len);
        free(block);
    }
}

/* A packet that is not whole says so at every length, and nothing else. */
static void every_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < VECTORS; i++) {
        struct mqtt_peer peer = peer_of(&vectors[i]);
        for (size_t len = 0; len < vectors[i].len; len++) {
            struct mqtt_packet packet;
            struct mqtt_fault fault = {0};
            uint8_t *block;
            enum mqtt_decoded decoded = decode_exact(&peer, vectors[i].bytes, len, &packet, &fault, &block);
            free(block);
            if (decoded != MQTT_MORE)
                fail_msg("%s: %zu bytes of it give %d", vectors[i].text, len, (int)decoded);
        }
    }
}

static void what_follows_is_left(void **state)
{
    (void)state;
    static const char two[] = "\x40\x02\x00\x01\xff\xff\xff";
    struct mqtt_peer peer = {.version = MQTT_5, .packet_max = MQTT_PACKET_MAX};
    struct mqtt_packet packet;
    struct mqtt_fault fault;
    assert_int_equal(mqtt_decode(&peer, (const uint8_t *)two, sizeof two - 1, &packet, &fault), MQTT_PACKET);
    assert_int_equal(packet.size, 4);
}

/* Reason and properties of 5.0 in longer forms than they need, which a sender may choose. */
static void longer_forms(void **state)
{
    (void)state;
    static const struct vector forms[] = {
        V(5, S, "\x40\x03\x00\x01\x00", "PUBACK id=1 reason=0 {}"),
        V(5, S, "\x40\x04\x00\x01\x00\x00", "PUBACK id=1 reason=0 {}"),
        V(5, S, "\xe0\x01\x00", "DISCONNECT reason=0 {}"),
        V(5, S, "\xe0\x02\x8e\x00", "DISCONNECT reason=142 {}"),
        V(5, S, "\xf0\x02\x00\x00", "AUTH reason=0 {}"),
        V(4, S, "\xd0\x80\x00", "PINGRESP"), /* 3.1.1 does not ask for the shortest Remaining Length */
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct mqtt_peer peer = peer_of(&forms[i]);
        struct mqtt_packet packet;
        struct mqtt_fault fault;
        assert_int_equal(mqtt_decode(&peer, (const uint8_t *)forms[i].bytes, forms[i].len, &packet, &fault),
                         MQTT_PACKET);
        assert_string_equal(packet_describe(&line, &packet), forms[i].text);
    }
}

static void largest_lengths(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
        uint32_t remaining;
    } lengths[] = {
        {"\x30\x7f", 2, 127},           {"\x30\x80\x01", 3, 128},         {"\x30\xff\x7f", 3, 16383},
        {"\x30\x80\x80\x01", 4, 16384}, {"\x30\xff\xff\x7f", 4, 2097151}, {"\x30\x80\x80\x80\x01", 5, 2097152},
    };
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t size = lengths[i].len + lengths[i].remaining;
        uint8_t *block = calloc(1, size);
        assert_non_null(block);
        memcpy(block, lengths[i].bytes, lengths[i].len);
        memcpy(block + lengths[i].len, "\0\1t", 3);
        struct mqtt_peer peer = {.version = MQTT_3_1_1, .packet_max = MQTT_PACKET_MAX};
        struct mqtt_packet packet;
        struct mqtt_fault fault;
        assert_int_equal(mqtt_decode(&peer, block, size - 1, &packet, &fault), MQTT_MORE);
        assert_int_equal(mqtt_decode(&peer, block, size, &packet, &fault), MQTT_PACKET);
        assert_int_equal(packet.size, size);
        assert_int_equal(packet.payload.len, lengths[i].remaining - 3);
        peer.packet_max = (uint32_t)size - 1;
        assert_int_equal(mqtt_decode(&peer, block, lengths[i].len, &packet, &fault), MQTT_BROKEN);
        assert_int_equal(fault.code, 0x95);
        free(block);
    }
}

/* Every property of the table, with its smallest and largest number, where it may stand; and refused everywhere else.
 */
static void properties_by_the_table(void **state)
{
    (void)state;
    for (unsigned id = 0; id < 256; id++) {
        const struct mqtt_property_row *row = mqtt_property_row((uint8_t)id);
        uint8_t block[32];
        uint64_t seen = 0;
        bool is_protocol_error = false;
        if (row == NULL) {
            block[0] = (uint8_t)id;
            assert_non_null(mqtt_properties_check((struct squall_bytes){block, 1}, MQTT_IN(MQTT_CONNACK), &seen,
                                                  &is_protocol_error));
            assert_false(is_protocol_error);
            continue;
        }
        struct squall_bytes text = {.data = (const uint8_t *)"x", .len = 1};
        struct mqtt_property property = {.id = (uint8_t)id, .number = row->max, .name = text, .value = text};
        struct mqtt_properties one = {.rows = &property, .count = 1};
        struct squall_bytes bytes = {.data = block, .len = mqtt_properties_size(&one)};
        assert_ptr_equal(mqtt_properties_write(block, &one), block + bytes.len);
        for (unsigned type = 0; type <= MQTT_AUTH; type++) {
            const char *why = mqtt_properties_check(bytes, MQTT_IN(type), &seen, &is_protocol_error);
            bool server_disconnect = id == MQTT_SESSION_EXPIRY && type == MQTT_DISCONNECT;
            if ((row->where & MQTT_IN(type)) && !server_disconnect) {
                assert_null(why);
                assert_true(seen == MQTT_SEEN(id));
            } else {
                assert_non_null(why);
                assert_true(is_protocol_error);
            }
        }
        assert_int_equal(mqtt_property_number(bytes, (uint8_t)id, 77), row->type <= MQTT_VARINT ? row->max : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allowed_packets), cmocka_unit_test(every_split),     cmocka_unit_test(what_follows_is_left),
        cmocka_unit_test(longer_forms),    cmocka_unit_test(largest_lengths), cmocka_unit_test(properties_by_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
