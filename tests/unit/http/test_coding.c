/* Content codings: what comes out, however it comes in; and what does not. */
#include "coding.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct squall_bytes bytes(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

struct sink {
    uint8_t data[100000];
    uint64_t len, all;
};

static void take(void *arg, struct squall_bytes piece)
{
    struct sink *sink = arg;
    if (sink->len + piece.len <= sizeof sink->data) {
        memcpy(sink->data + sink->len, piece.data, piece.len);
        sink->len += piece.len;
    }
    sink->all += piece.len;
}

static uint64_t compress_with(int bits, const uint8_t *text, uint64_t len, uint8_t *out, uint64_t size)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (z_const Bytef *)(uintptr_t)text;
    stream.avail_in = (uInt)len;
    stream.next_out = out;
    stream.avail_out = (uInt)size;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    uint64_t made = size - stream.avail_out;
    deflateEnd(&stream);
    return made;
}

static const struct {
    int bits;
    enum coding coding;
} kinds[] = {{15 + 16, CODING_GZIP}, {15, CODING_DEFLATE}, {-15, CODING_DEFLATE}};

static void test_splits(void **state)
{
    (void)state;
    static uint8_t text[40000], packed[50000];
    static struct sink sink;
    struct decoders decoders = {0};
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)("the quick brown fox "[i % 20] + (i % 977 == 0));
    for (size_t kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        uint64_t len = compress_with(kinds[kind].bits, text, sizeof text, packed, sizeof packed);
        for (uint64_t step = 1; step <= len; step = step * 3 + 1) {
            struct decoder *decoder = decoder_take(&decoders, kinds[kind].coding);
            sink.len = sink.all = 0;
            for (uint64_t at = 0; at < len; at += step)
                assert_null(decoder_feed(decoder, (struct squall_bytes){packed + at, at + step < len ? step : len - at},
                                         take, &sink));
            assert_null(decoder_end(decoder));
            assert_int_equal(sink.len, sizeof text);
            assert_memory_equal(sink.data, text, sizeof text);
            decoder_give(&decoders, decoder);
        }
        assert_null(decoders.free->next); /* one served all */
    }
    decoders_fini(&decoders);
}

static void test_broken(void **state)
{
    (void)state;
    static uint8_t packed[200];
    static struct sink sink;
    struct decoders decoders = {0};
    uint64_t len = compress_with(15 + 16, (const uint8_t *)"hello hello hello", 17, packed, sizeof packed);
    struct decoder *decoder = decoder_take(&decoders, CODING_GZIP);
    assert_null(decoder_end(decoder)); /* an empty body has no coding to end */
    assert_non_null(decoder_feed(decoder, bytes("plain text"), take, &sink));
    decoder_give(&decoders, decoder);
    decoder = decoder_take(&decoders, CODING_GZIP); /* as good as new */
    assert_null(decoder_feed(decoder, (struct squall_bytes){packed, len - 1}, take, &sink));
    assert_non_null(decoder_end(decoder));
    packed[len - 5] ^= 1; /* the checksum */
    decoder_give(&decoders, decoder);
    decoder = decoder_take(&decoders, CODING_GZIP);
    assert_non_null(decoder_feed(decoder, (struct squall_bytes){packed, len}, take, &sink));
    decoder_give(&decoders, decoder);
    decoders_fini(&decoders);
}

static void test_bomb(void **state)
{
    (void)state;
    static struct sink sink;
    uint64_t size = CODING_OUTPUT_MAX * 4;
    uint8_t *zeros = calloc(1, size), *packed = malloc(size / 100);
    struct decoders decoders = {0};
    uint64_t len = compress_with(15 + 16, zeros, size, packed, size / 100);
    struct decoder *decoder = decoder_take(&decoders, CODING_GZIP);
    sink.len = sink.all = 0;
    assert_null(decoder_feed(decoder, (struct squall_bytes){packed, len}, take, &sink));
    assert_true(sink.all >= CODING_OUTPUT_MAX && sink.all < CODING_OUTPUT_MAX + 20000);
    assert_null(decoder_end(decoder));
    decoder_give(&decoders, decoder);
    decoders_fini(&decoders);
    free(zeros);
    free(packed);
}

static void test_names(void **state)
{
    static const struct {
        const char *value;
        enum coding coding;
    } rows[] = {
        {"", CODING_NONE},           {"identity", CODING_NONE}, {" GZip ", CODING_GZIP},      {"x-gzip", CODING_GZIP},
        {"deflate", CODING_DEFLATE}, {"br", CODING_OTHER},      {"gzip, gzip", CODING_OTHER}, {"gzi", CODING_OTHER}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(coding_of(bytes(rows[i].value)), rows[i].coding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_splits), cmocka_unit_test(test_broken),
                                       cmocka_unit_test(test_bomb), cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
