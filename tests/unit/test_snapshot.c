/* Snapshots: random stores come back as they were; damaged messages are refused or read, never worse. */
#include "metrics/snapshot.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <msgpack.h>

static const uint32_t metric_counts[] = {0, 2, 1};
#define SERIES_COUNT 3
#define CHECK_COUNT 2

static void init(struct snapshot *snapshot)
{
    memset(snapshot, 0, sizeof(*snapshot));
    store_init(&snapshot->store, SERIES_COUNT, metric_counts, CHECK_COUNT);
}

static void random_histogram(struct random_stream *stream, struct histogram *histogram)
{
    uint64_t count = random_below(stream, 4) ? random_below(stream, 40) : 0;
    while (count--)
        histogram_record(histogram, random_next(stream) >> (20 + random_below(stream, 44)));
}

static void random_cells(struct random_stream *stream, void *cells, size_t size)
{
    for (size_t i = 0; i < size / sizeof(uint64_t); i++)
        ((uint64_t *)cells)[i] = random_next(stream) >> random_below(stream, 64);
}

static void randomize(struct random_stream *stream, struct snapshot *snapshot)
{
    struct store *store = &snapshot->store;
    snapshot->worker = (uint32_t)random_below(stream, 1000);
    snapshot->sequence = random_next(stream);
    snapshot->window = random_below(stream, 100);
    snapshot->last = (uint32_t)random_below(stream, 2);
    random_cells(stream, &snapshot->facts, sizeof(snapshot->facts));
    random_cells(stream, store->ledgers, sizeof(store->ledgers));
    random_cells(stream, store->checks, CHECK_COUNT * sizeof(*store->checks));
    random_histogram(stream, &store->journey_ns);
    random_histogram(stream, &store->self_delay);
    random_histogram(stream, &store->send_lag);
    random_histogram(stream, &store->receive_lag);
    store->skipped_ticks = random_next(stream);
    store->errors_more = random_below(stream, 3);
    for (uint64_t i = random_below(stream, 5); i; i--) {
        char text[64];
        snprintf(text, sizeof(text), "error \xc3\xa9 %llu", (unsigned long long)random_below(stream, 1000));
        store_error(store, text, random_below(stream, 9) + 1, random_below(stream, 100), random_below(stream, 100));
    }
    for (uint32_t i = 0; i < SERIES_COUNT; i++) {
        struct series *series = &store->series[i];
        series->count = random_below(stream, 1000);
        random_cells(stream, series->outcomes, sizeof(series->outcomes));
        series->bytes_in = random_next(stream);
        for (uint64_t n = random_below(stream, 70); n; n--)
            series_code(series, (uint32_t)random_next(stream), n);
        random_histogram(stream, &series->latency_ok);
        random_histogram(stream, &series->latency_failed);
        random_histogram(stream, &series->service);
        for (int p = 0; p < PHASE_COUNT; p++)
            random_histogram(stream, &series->phases[p]);
        series->lower_bounds = random_below(stream, 3);
        random_cells(stream, &series->messages_sent, 4 * sizeof(uint64_t));
        random_histogram(stream, &series->message_latency);
        random_histogram(stream, &series->message_service);
        random_histogram(stream, &series->message_first);
        random_histogram(stream, &series->message_gap);
        for (uint32_t m = 0; m < series->metric_count; m++) {
            series->metrics[m].counter = random_next(stream);
            random_histogram(stream, &series->metrics[m].histogram);
        }
    }
}

static void same_histogram(const struct histogram *a, const struct histogram *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->overflow, b->overflow);
    assert_int_equal(a->min, b->min);
    assert_int_equal(a->max, b->max);
    assert_true(!(a->sum < b->sum) && !(a->sum > b->sum));
    assert_int_equal(a->low, b->low);
    assert_int_equal(a->high, b->high);
    for (uint32_t i = a->low; i <= a->high; i++)
        assert_int_equal(a->slots[i], b->slots[i]);
}

static void same_series(const struct series *a, const struct series *b)
{
    assert_int_equal(a->count, b->count);
    assert_memory_equal(a->outcomes, b->outcomes, sizeof(a->outcomes));
    assert_int_equal(a->bytes_in, b->bytes_in);
    assert_int_equal(a->code_count, b->code_count);
    for (uint32_t i = 0; i < a->code_count; i++) {
        assert_int_equal(a->codes[i].code, b->codes[i].code);
        assert_int_equal(a->codes[i].count, b->codes[i].count);
    }
    same_histogram(&a->latency_ok, &b->latency_ok);
    same_histogram(&a->latency_failed, &b->latency_failed);
    same_histogram(&a->service, &b->service);
    assert_int_equal(a->lower_bounds, b->lower_bounds);
    assert_int_equal(a->lower_bound_min_ns, b->lower_bound_min_ns);
    for (int p = 0; p < PHASE_COUNT; p++)
        same_histogram(&a->phases[p], &b->phases[p]);
    assert_memory_equal(&a->messages_sent, &b->messages_sent, 4 * sizeof(uint64_t));
    same_histogram(&a->message_latency, &b->message_latency);
    same_histogram(&a->message_service, &b->message_service);
    same_histogram(&a->message_first, &b->message_first);
    same_histogram(&a->message_gap, &b->message_gap);
    for (uint32_t m = 0; m < a->metric_count; m++) {
        assert_int_equal(a->metrics[m].counter, b->metrics[m].counter);
        same_histogram(&a->metrics[m].histogram, &b->metrics[m].histogram);
    }
}

static void same(const struct snapshot *a, const struct snapshot *b)
{
    assert_int_equal(a->worker, b->worker);
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->window, b->window);
    assert_int_equal(a->last, b->last);
    assert_memory_equal(&a->facts, &b->facts, sizeof(a->facts));
    assert_memory_equal(a->store.ledgers, b->store.ledgers, sizeof(a->store.ledgers));
    assert_memory_equal(a->store.checks, b->store.checks, CHECK_COUNT * sizeof(*a->store.checks));
    same_histogram(&a->store.journey_ns, &b->store.journey_ns);
    same_histogram(&a->store.self_delay, &b->store.self_delay);
    same_histogram(&a->store.send_lag, &b->store.send_lag);
    same_histogram(&a->store.receive_lag, &b->store.receive_lag);
    assert_int_equal(a->store.skipped_ticks, b->store.skipped_ticks);
    assert_int_equal(a->store.errors_more, b->store.errors_more);
    assert_int_equal(a->store.error_count, b->store.error_count);
    for (uint32_t i = 0; i < a->store.error_count; i++) {
        assert_string_equal(a->store.errors[i].text, b->store.errors[i].text);
        assert_int_equal(a->store.errors[i].count, b->store.errors[i].count);
        assert_int_equal(a->store.errors[i].first_at_ns, b->store.errors[i].first_at_ns);
        assert_int_equal(a->store.errors[i].last_at_ns, b->store.errors[i].last_at_ns);
    }
    for (uint32_t i = 0; i < SERIES_COUNT; i++)
        same_series(&a->store.series[i], &b->store.series[i]);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct random_stream stream;
    struct snapshot sent, received;
    struct buffer buffer = {0};
    struct error error;
    init(&sent);
    init(&received);
    random_init(&stream, 1, 2);
    for (int i = 0; i < 300; i++) { /* `received` is used again: nothing of the one before may stay */
        store_reset(&sent.store);
        if (i)
            randomize(&stream, &sent);
        buffer.len = 0;
        assert_int_equal(snapshot_pack(&sent, &buffer), 0);
        if (snapshot_unpack(buffer.data, buffer.len, &received, &error) < 0)
            fail_msg("%s", error.text);
        same(&sent, &received);
    }
    store_fini(&sent.store);
    store_fini(&received.store);
    buffer_fini(&buffer);
}

/* A count of every length that MessagePack has for numbers, in slots side by side and far apart; what is written is
 * MessagePack to another reader too. */
static void test_counts_of_all_lengths(void **state)
{
    static const uint64_t counts[] = {1,          0x7f,        0x80,        0xff,         0x100,
                                      0xffff,     0x10000,     0xffffffff,  0x100000000,  UINT64_C(1) << 40};
    static const uint32_t gaps[] = {1, 2, 15, 16, 17, 127, 128, 129, 256, 300};
    (void)state;
    struct snapshot sent, received;
    struct buffer buffer = {0};
    struct error error;
    init(&sent);
    init(&received);
    for (uint32_t first = 0; first < 40; first++) {
        struct histogram *histogram = &sent.store.journey_ns;
        store_reset(&sent.store);
        uint32_t index = first;
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++, index += gaps[i - 1]) {
            histogram_add_slot(histogram, index, counts[i]);
            histogram->count += counts[i];
        }
        histogram->min = histogram_slot_low(histogram->low);
        histogram->max = histogram_slot_high(histogram->high);
        buffer.len = 0;
        assert_int_equal(snapshot_pack(&sent, &buffer), 0);
        size_t read = 0;
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        assert_int_equal(msgpack_unpack_next(&unpacked, (const char *)buffer.data, buffer.len, &read), MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(read, buffer.len);
        msgpack_unpacked_destroy(&unpacked);
        if (snapshot_unpack(buffer.data, buffer.len, &received, &error) < 0)
            fail_msg("%s", error.text);
        same(&sent, &received);
    }
    store_fini(&sent.store);
    store_fini(&received.store);
    buffer_fini(&buffer);
}

static void test_full_buffer(void **state)
{
    (void)state;
    struct snapshot sent;
    struct buffer buffer = {.limit = 300};
    init(&sent);
    assert_int_equal(buffer_append(&buffer, "head", 4), 0);
    assert_int_equal(snapshot_pack(&sent, &buffer), -1);
    assert_int_equal(buffer.len, 4);
    store_fini(&sent.store);
    buffer_fini(&buffer);
}

/* Each prefix is copied to a block of its own, so that a sanitizer sees a read past its end. */
static int unpack_copy(const uint8_t *data, size_t len, struct snapshot *into, struct error *error)
{
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    int result = snapshot_unpack(copy, len, into, error);
    free(copy);
    return result;
}

static void test_damage(void **state)
{
    (void)state;
    struct random_stream stream;
    struct snapshot sent, received;
    struct buffer buffer = {0};
    struct error error;
    init(&sent);
    init(&received);
    random_init(&stream, 3, 4);
    randomize(&stream, &sent);
    assert_int_equal(snapshot_pack(&sent, &buffer), 0);
    for (size_t len = 0; len < buffer.len; len++) {
        assert_int_equal(unpack_copy(buffer.data, len, &received, &error), -1);
        assert_non_null(strstr(error.text, "refused at byte"));
        assert_int_equal(error.exit_code, EXIT_CODE_INVALID);
        assert_int_equal(received.store.series[0].count, 0); /* nothing half-read stays */
    }
    uint8_t *damaged = malloc(buffer.len);
    assert_non_null(damaged);
    unsigned refused = 0;
    for (int i = 0; i < 20000; i++) {
        memcpy(damaged, buffer.data, buffer.len);
        for (uint64_t n = 1 + random_below(&stream, 4); n; n--)
            damaged[random_below(&stream, buffer.len)] = (uint8_t)random_next(&stream);
        refused += unpack_copy(damaged, buffer.len, &received, &error) < 0;
    }
    assert_true(refused > 5000);
    free(damaged);
    store_fini(&sent.store);
    store_fini(&received.store);
    buffer_fini(&buffer);
}

#define MINIMUM "\x82\xa7version\x01\xa6worker\x05"
#define PLUS(pairs, more) pairs "\xa7version\x01\xa6worker\x05" more
#define HISTOGRAM(count, slots)                                                                                        \
    PLUS("\x83", "\xaajourney_ns\x85\xa5" "count" count "\xa3min\x05\xa3max\x05\xa3sum\x05\xa5slots" slots)
static const struct message {
    const char *bytes;
    size_t len;
    const char *why; /* NULL: accepted */
} messages[] = {
#define MESSAGE(bytes, why) {bytes, sizeof(bytes) - 1, why}
    MESSAGE(MINIMUM, NULL),
    MESSAGE(PLUS("\x83", "\xa3new\x93\x01\x81\xa1k\xc4\x02xy\xca\x01\x02\x03\x04"), NULL), /* an unknown key of any shape */
    MESSAGE("", "ends inside"),
    MESSAGE("\x80", "no version"),
    MESSAGE("\x81\xa7version\x01", "no version or no worker"),
    MESSAGE("\x82\xa7version\x02\xa6worker\x05", "does not speak"),
    MESSAGE(MINIMUM "\x01", "behind"),
    MESSAGE("\x93\x01\x02\x03", "map belongs"),
    MESSAGE("\xdf\xff\xff\xff\xff", "past the end"),
    MESSAGE(PLUS("\x83", "\xa6series\x91\x80"), "number of steps"),
    MESSAGE(PLUS("\x83", "\xa6series\xdd\xff\xff\xff\xff"), "past the end"),
    MESSAGE(PLUS("\x83", "\xa6" "checks\x92\x01\x02"), "number of checks"),
    MESSAGE(PLUS("\x83", "\xa4last\x02"), "out of its range"),
    MESSAGE(PLUS("\x83", "\xa8sequence\xff"), "whole number"),
    MESSAGE(PLUS("\x83", "\xa3new\xc1"), "forbids"),
    MESSAGE(HISTOGRAM("\x01", "\x92\x05\x01"), NULL),
    MESSAGE(HISTOGRAM("\x02", "\x92\x05\x01"), "do not add up"),
    MESSAGE(HISTOGRAM("\x01", "\x92\x06\x01"), "do not add up"), /* not the slot of min and max */
    MESSAGE(HISTOGRAM("\x00", "\x90"), "do not add up"),
    MESSAGE(HISTOGRAM("\x01", "\x91\x05"), "half a pair"),
    MESSAGE(HISTOGRAM("\x01", "\x92\x05\x00"), "slot out of range"),
    MESSAGE(HISTOGRAM("\x01", "\x92\xcd\x82\x8d\x01"), "out of its range"),
    MESSAGE(HISTOGRAM("\x01", "\x94\xcd\x82\x8c\x01\x00\x01"), "slot out of range"),
};

static void test_messages(void **state)
{
    (void)state;
    static const uint32_t no_metrics[] = {0};
    struct snapshot received = {0};
    struct error error;
    store_init(&received.store, 0, no_metrics, 0);
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        int result = unpack_copy((const uint8_t *)messages[i].bytes, messages[i].len, &received, &error);
        if (messages[i].why && (result == 0 || !strstr(error.text, messages[i].why)))
            fail_msg("message %zu: %s", i, result == 0 ? "accepted" : error.text);
        if (!messages[i].why && result < 0)
            fail_msg("message %zu: %s", i, error.text);
        if (!messages[i].why)
            assert_int_equal(received.worker, 5);
    }
    /* as deep as it is long: an unknown key is skipped without recursion */
    static uint8_t deep[100000];
    memset(deep, 0x91, sizeof(deep));
    memcpy(deep, "\x83\xa7version\x01\xa6worker\x05\xa3new", 22);
    deep[sizeof(deep) - 1] = 0;
    assert_int_equal(unpack_copy(deep, sizeof(deep), &received, &error), 0);
    store_fini(&received.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_counts_of_all_lengths),
        cmocka_unit_test(test_full_buffer),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
