/* UTF-8, topic names and filters, matching, and reason codes. */
#include "packet.h"
#include "reason.h"
#include "topic.h"
#include "utf8.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct squall_bytes text_of(const char *text)
{
    return (struct squall_bytes){.data = (const uint8_t *)text, .len = strlen(text)};
}

/* Each in memory of its own size, at every offset into the words of eight bytes that the check takes at once. */
static void utf8(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        bool valid;
    } texts[] = {
        {"", true},
        {"a", true},
        {"\x01\x7f", true},
        {"\xc2\x80", true},
        {"\xdf\xbf", true},
        {"\xe0\xa0\x80", true},
        {"\xed\x9f\xbf", true},
        {"\xee\x80\x80", true},
        {"\xef\xbb\xbf", true},
        {"\xef\xbf\xbf", true},
        {"\xf0\x90\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\x80", false},
        {"\xbf", false},
        {"\xc0\x80", false},
        {"\xc1\xbf", false},
        {"\xc2", false},
        {"\xc2\x7f", false},
        {"\xc2\xc0", false},
        {"\xe0\x9f\xbf", false},
        {"\xe1\x80", false},
        {"\xe1\x80\x7f", false},
        {"\xed\xa0\x80", false},
        {"\xed\xbf\xbf", false},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf1\x80\x80", false},
        {"\xf4\x90\x80\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"\xff", false},
        {"\xfe", false},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t before = 0; before < 17; before++) {
            size_t len = before + strlen(texts[i].bytes);
            uint8_t *block = malloc(len > 0 ? len : 1);
            assert_non_null(block);
            memset(block, 'x', before);
            memcpy(block + before, texts[i].bytes, len - before);
            assert_int_equal(mqtt_utf8_valid((struct squall_bytes){block, len}), texts[i].valid);
            free(block);
        }
    }
    for (size_t at = 0; at < 20; at++) {
        uint8_t block[20];
        memset(block, 'x', sizeof block);
        block[at] = 0;
        assert_false(mqtt_utf8_valid((struct squall_bytes){block, sizeof block}));
    }
    assert_true(mqtt_utf8_valid((struct squall_bytes){0}));
}

static void matching(void **state)
{
    (void)state;
    static const struct {
        const char *filter, *topic;
        bool matches;
    } pairs[] = {
        /* the examples of 4.7.1 to 4.7.3 */
        {"sport/tennis/player1/#", "sport/tennis/player1", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
        {"sport/tennis/player1/#", "sport/tennis/player2", false},
        {"sport/#", "sport", true},
        {"#", "sport", true},
        {"#", "/", true},
        {"sport/tennis/+", "sport/tennis/player1", true},
        {"sport/tennis/+", "sport/tennis/player1/ranking", false},
        {"sport/+", "sport", false},
        {"sport/+", "sport/", true},
        {"+", "sport", true},
        {"+/tennis/#", "sport/tennis", true},
        {"sport/+/player1", "sport/tennis/player1", true},
        {"+/+", "/finance", true},
        {"/+", "/finance", true},
        {"+", "/finance", false},
        {"#", "$SYS/uptime", false},
        {"+/uptime", "$SYS/uptime", false},
        {"$SYS/#", "$SYS/uptime", true},
        {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
        /* and more */
        {"a", "a", true},
        {"a", "A", false},
        {"a", "ab", false},
        {"ab", "a", false},
        {"a/b", "a", false},
        {"a", "a/b", false},
        {"a/", "a", false},
        {"a//b", "a//b", true},
        {"a/+/b", "a//b", true},
        {"a/+", "a/b/", false},
        {"a/b/#", "a", false},
        {"+/#", "a", true},
        {"$share/g/a/#", "a/b", true},
        {"$share/g/a", "b", false},
        {"$share/g/#", "$SYS/x", false},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        if (mqtt_filter_matches(text_of(pairs[i].filter), text_of(pairs[i].topic)) != pairs[i].matches)
            fail_msg("%s, %s", pairs[i].filter, pairs[i].topic);
}

static void names_and_filters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool name, filter, shared; /* valid as such; shared: as a filter of 5.0 */
    } texts[] = {
        {"a", true, true, true},           {"", false, false, false},
        {"/", true, true, true},           {"a b", true, true, true},
        {"#", false, true, true},          {"+", false, true, true},
        {"a/#", false, true, true},        {"a#", false, false, false},
        {"#/a", false, false, false},      {"+a", false, false, false},
        {"+/a/+", false, true, true},      {"$share/g/a", true, true, true},
        {"$share/g", true, true, false},   {"$share//a", true, true, false},
        {"$share/g/", true, true, false},  {"$share/+/a", false, true, false},
        {"$share/g/#", false, true, true}, {"$shared", true, true, true},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct squall_bytes text = text_of(texts[i].text);
        if ((mqtt_topic_refuse(text) == NULL) != texts[i].name ||
            (mqtt_filter_refuse(text, false) == NULL) != texts[i].filter ||
            (mqtt_filter_refuse(text, true) == NULL) != texts[i].shared)
            fail_msg("%s", texts[i].text);
    }
    struct squall_bytes share, filter = mqtt_filter_unshared(text_of("$share/grp/a/b"), &share);
    assert_int_equal(filter.len, 3);
    assert_memory_equal(filter.data, "a/b", 3);
    assert_int_equal(share.len, 3);
    assert_memory_equal(share.data, "grp", 3);
}

/* Each code of table 2-6 that a packet may carry, counted by hand from the standard's table of that packet. */
static void reasons(void **state)
{
    (void)state;
    static const struct {
        uint8_t version, type;
        bool client;
        unsigned count;
    } packets[] = {
        {5, MQTT_CONNACK, false, 22}, {5, MQTT_PUBACK, false, 9},      {5, MQTT_PUBREC, false, 9},
        {5, MQTT_PUBREL, false, 2},   {5, MQTT_PUBCOMP, false, 2},     {5, MQTT_SUBACK, false, 12},
        {5, MQTT_UNSUBACK, false, 7}, {5, MQTT_DISCONNECT, false, 29}, {5, MQTT_DISCONNECT, true, 14},
        {5, MQTT_AUTH, false, 2},     {5, MQTT_AUTH, true, 2},         {4, MQTT_CONNACK, false, 6},
        {4, MQTT_SUBACK, false, 4},   {4, MQTT_PUBACK, false, 0},
    };
    for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
        unsigned count = 0;
        for (unsigned code = 0; code < 256; code++) {
            bool fits = mqtt_reason_fits(packets[i].version, packets[i].type, packets[i].client, (uint8_t)code);
            count += fits;
            if (fits && packets[i].version == 5)
                assert_non_null(mqtt_reason_name(code));
        }
        if (count != packets[i].count)
            fail_msg("%s: %u codes", mqtt_type_name(packets[i].type), count);
    }
    assert_string_equal(mqtt_reason_name(0x87), "not authorized");
    assert_null(mqtt_reason_name(0xa3));
    assert_null(mqtt_reason_name(3));
    assert_string_equal(mqtt_reason_name(mqtt_reason_of_return_code(1)), "unsupported protocol version");
    assert_string_equal(mqtt_reason_name(mqtt_reason_of_return_code(2)), "client identifier not valid");
    assert_string_equal(mqtt_reason_name(mqtt_reason_of_return_code(3)), "server unavailable");
    assert_string_equal(mqtt_reason_name(mqtt_reason_of_return_code(4)), "bad user name or password");
    assert_string_equal(mqtt_reason_name(mqtt_reason_of_return_code(5)), "not authorized");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8),
        cmocka_unit_test(matching),
        cmocka_unit_test(names_and_filters),
        cmocka_unit_test(reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
