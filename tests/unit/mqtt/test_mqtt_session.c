/* What a session remembers: packet identifiers, QoS 2 received, subscriptions; the window of a tracked pair; the list
 * of filters as a scenario writes it. */
#include "conn.h"
#include "filters.h"
#include "payload.h"
#include "session.h"
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

static struct squall_target target;
static struct mqtt_user user_state;
static struct squall_user user = {.state = &user_state, .id = 7};

/* Identifiers are taken in order, none twice while it is in use, never 0, across the wrap of 16 bits. */
static void identifiers(void **state)
{
    (void)state;
    struct mqtt_session *session = mqtt_user_session(&user, &target);
    assert_non_null(session);
    assert_ptr_equal(mqtt_user_session(&user, &target), session);
    session->last_id = 65530;
    for (int i = 0; i < 20; i++) {
        struct mqtt_slot *slot = mqtt_slot_take(session, 20);
        assert_non_null(slot);
        assert_true(slot->id != 0);
        slot->state = MQTT_SLOT_PUBACK;
        for (uint32_t k = 0; k < session->slot_count; k++)
            if (&session->slots[k] != slot && session->slots[k].state != MQTT_SLOT_FREE)
                assert_int_not_equal(session->slots[k].id, slot->id);
    }
    assert_null(mqtt_slot_take(session, 20));
    assert_null(mqtt_slot_find(session, 4711));
    /* One whose place is taken is passed over, so that any of these may be missing, but not the first. */
    struct mqtt_slot *first = mqtt_slot_find(session, 65531);
    assert_non_null(first);
    mqtt_slot_free(session, first);
    assert_null(mqtt_slot_find(session, 65531));
    assert_non_null(mqtt_slot_take(session, 20));
    mqtt_session_reset(session);
    assert_int_equal(session->used, 0);
    mqtt_user_fini(&user);
}

static void received(void **state)
{
    (void)state;
    struct mqtt_session *session = mqtt_user_session(&user, &target);
    for (uint16_t id = 1; id <= 100; id++)
        assert_int_equal(mqtt_received_add(session, id), 1);
    assert_int_equal(mqtt_received_add(session, 50), 0);
    assert_true(mqtt_received_remove(session, 50));
    assert_false(mqtt_received_remove(session, 50));
    assert_int_equal(mqtt_received_add(session, 50), 1);
    mqtt_user_fini(&user);
}

static void subscriptions(void **state)
{
    (void)state;
    struct mqtt_session *session = mqtt_user_session(&user, &target);
    static const uint8_t identifier_2[] = {MQTT_SUBSCRIPTION_ID, 2};
    mqtt_subscription_to(session, text_of("a/+"))->id = 1;
    mqtt_subscription_to(session, text_of("b/#"))->id = 2;
    assert_int_equal(session->subscription_count, 2);
    assert_ptr_equal(mqtt_subscription_to(session, text_of("a/+")), mqtt_subscription_find(session, text_of("a/+")));
    assert_int_equal(mqtt_subscription_of(session, text_of("a/x"), (struct squall_bytes){0})->id, 1);
    assert_int_equal(mqtt_subscription_of(session, text_of("b"), (struct squall_bytes){0})->id, 2);
    assert_null(mqtt_subscription_of(session, text_of("c"), (struct squall_bytes){0}));
    /* The broker's word for which one it was counts more than what the topic looks like. */
    assert_int_equal(mqtt_subscription_of(session, text_of("a/x"), (struct squall_bytes){identifier_2, 2})->id, 2);
    mqtt_subscription_remove(session, mqtt_subscription_find(session, text_of("a/+")));
    assert_null(mqtt_subscription_of(session, text_of("a/x"), (struct squall_bytes){0}));
    mqtt_user_fini(&user);
}

static void window(void **state)
{
    static const struct {
        uint64_t sequence;
        enum mqtt_arrival arrival;
    } steps[] = {
        {1, MQTT_NEW},    {2, MQTT_NEW},   {2, MQTT_AGAIN},  {1, MQTT_AGAIN},    {5, MQTT_NEW},     {4, MQTT_BEHIND},
        {4, MQTT_AGAIN},  {68, MQTT_NEW},  {5, MQTT_AGAIN},  {6, MQTT_BEHIND},   {4, MQTT_BEHIND},  {69, MQTT_NEW},
        {5, MQTT_BEHIND}, {6, MQTT_AGAIN}, {1000, MQTT_NEW}, {999, MQTT_BEHIND}, {999, MQTT_AGAIN}, {69, MQTT_BEHIND},
    };
    struct mqtt_pair pair = {0};
    (void)state;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (mqtt_pair_take(&pair, steps[i].sequence) != steps[i].arrival)
            fail_msg("step %zu: sequence %llu", i, (unsigned long long)steps[i].sequence);
}

static void pairs(void **state)
{
    struct mqtt_worker worker = {0};
    struct squall_worker view = {.state = &worker};
    (void)state;
    for (uint64_t i = 1; i <= 1000; i++) {
        struct mqtt_pair *pair = mqtt_pair_of(&worker, 1000, i % 10, i);
        assert_non_null(pair);
        pair->last = i;
    }
    assert_null(mqtt_pair_of(&worker, 1000, 1, 5000));
    for (uint64_t i = 1; i <= 1000; i++)
        assert_int_equal(mqtt_pair_of(&worker, 1000, i % 10, i)->last, i);
    mqtt_worker_fini(&view);
}

static void header(void **state)
{
    const struct mqtt_header written = {.kind = '1',
                                        .run = 0x01020304,
                                        .publisher = UINT64_MAX - 1,
                                        .sequence = 1u << 31,
                                        .intended_ns = 3,
                                        .sent_ns = 4};
    struct mqtt_header found;
    uint8_t bytes[MQTT_HEADER_SIZE];
    (void)state;
    mqtt_header_write(bytes, &written);
    assert_true(mqtt_header_read((struct squall_bytes){bytes, sizeof bytes}, &found));
    assert_true(found.kind == '1' && found.run == written.run && found.publisher == written.publisher &&
                found.sequence == written.sequence && found.intended_ns == 3 && found.sent_ns == 4);
    assert_false(mqtt_header_read((struct squall_bytes){bytes, sizeof bytes - 1}, &found));
    bytes[3] = '2';
    assert_false(mqtt_header_read((struct squall_bytes){bytes, sizeof bytes}, &found));
}

static void filter_lists(void **state)
{
    static const struct {
        const char *json, *first, *last; /* NULL: refused */
        uint8_t count, options;          /* of the last */
    } lists[] = {
        {"[\"a\"]", "a", "a", 1, 1},
        {"[ \"a/#\" , {\"topic\":\"b\",\"qos\":2} ]", "a/#", "b", 2, 2},
        {"[{\"qos\":\"0\",\"topic\":\"x/\\u00e9\\n\\\"\"}]", "x/\xc3\xa9\n\"", "x/\xc3\xa9\n\"", 1, 0},
        {"[{\"topic\":\"\\ud83d\\ude00\",\"no-local\":true,\"retain-handling\":2,\"retain-as-published\":true}]",
         "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", 1,
         1 | MQTT_NO_LOCAL | MQTT_RETAIN_AS_PUBLISHED | 2 << MQTT_RETAIN_HANDLING_SHIFT},
        {"[]", "", "", 0, 0},
        {"\"a\"", NULL, NULL, 0, 0},
        {"[1]", NULL, NULL, 0, 0},
        {"[{\"qos\":1}]", NULL, NULL, 0, 0},
        {"[{\"topic\":\"a\",\"qos\":3}]", NULL, NULL, 0, 0},
        {"[{\"topic\":\"a\",\"quality\":1}]", NULL, NULL, 0, 0},
        {"[\"a\" \"b\"]", NULL, NULL, 0, 0},
        {"[\"a", NULL, NULL, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct mqtt_step_options options = {.qos = 1, .filters = {.text = text_of(lists[i].json)}};
        struct mqtt_filter_list list;
        const char *why = NULL;
        int status = mqtt_filter_list_init(&list, &options, &why);
        if ((status == 0) != (lists[i].first != NULL))
            fail_msg("%s: %s", lists[i].json, why ? why : "taken");
        if (status < 0)
            continue;
        assert_int_equal(list.count, lists[i].count);
        if (list.count > 0) {
            assert_memory_equal(list.rows[0].topic.data, lists[i].first, list.rows[0].topic.len);
            const struct mqtt_filter *last = &list.rows[list.count - 1];
            assert_int_equal(last->topic.len, strlen(lists[i].last));
            assert_memory_equal(last->topic.data, lists[i].last, last->topic.len);
            assert_int_equal(last->options, lists[i].options);
        }
        mqtt_filter_list_fini(&list);
    }
}

/* What each device carries besides the engine's part (tests/unit/test_sizes.c): it is to stay within 1.5 KiB in all. A
 * member that few devices need belongs behind a pointer, as the inbox and the aliases are. */
static void sizes(void **state)
{
    (void)state;
    assert_in_range(sizeof(struct mqtt_conn), 1, 128);
    assert_in_range(sizeof(struct mqtt_user), 1, 176); /* with its first session, and that with its first slot */
    assert_in_range(sizeof(struct mqtt_session), 1, 152);
    assert_in_range(sizeof(struct mqtt_slot), 1, 64);
    assert_in_range(sizeof(struct mqtt_exchange), 1, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identifiers),  cmocka_unit_test(received), cmocka_unit_test(subscriptions),
        cmocka_unit_test(window),       cmocka_unit_test(pairs),    cmocka_unit_test(header),
        cmocka_unit_test(filter_lists), cmocka_unit_test(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
