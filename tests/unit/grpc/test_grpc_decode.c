/* Answers as JSON: what comes out, and what bytes are refused. */
#include "decode.h"
#include "schema.h"
#include "skeleton.h"
#include "template.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct pb_schema *schema;

static int load(void **state)
{
    struct squall_error error;
    (void)state;
    schema = pb_schema_new();
    return pb_schema_add_proto(schema, SAMPLES "/sample.proto", &error) < 0 ||
                   pb_schema_add_proto(schema, SAMPLES "/old.proto", &error) < 0
               ? -1
               : 0;
}

static int unload(void **state)
{
    (void)state;
    pb_schema_free(schema);
    return 0;
}

static const char *decode(const char *type, const uint8_t *bytes, size_t len, struct pb_text *text)
{
    struct pb_decoder decoder = {0};
    pb_text_reset(text);
    const char *reason = pb_decode(&decoder, pb_schema_type(schema, type), bytes, len, text);
    pb_decoder_fini(&decoder);
    return reason;
}

static size_t from_hex(const char *hex, uint8_t *bytes)
{
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (uint8_t)byte;
    }
    return len;
}

static const struct {
    const char *type, *hex, *json;
} vectors[] = {
    {"sample.Item", "", "{\"productId\":\"\",\"count\":0}"},
    {"sample.Item", "0a0261621003", "{\"productId\":\"ab\",\"count\":3}"},
    {"sample.Item", "10031004", "{\"productId\":\"\",\"count\":4}"},
    {"sample.Item", "1a0210011a030a0178",
     "{\"productId\":\"\",\"count\":0,\"inner\":{\"productId\":\"x\",\"count\":1}}"},
    {"sample.Item", "0a03ff0a22", "{\"productId\":\"\xef\xbf\xbd\\n\\\"\",\"count\":0}"},
    {"sample.Item", "f8ff0701fa0f0161c33e08011a00c43ec53e01020304c13e0102030405060708",
     "{\"productId\":\"\",\"count\":0}"},
    {"google.protobuf.Timestamp", "0801", "\"1970-01-01T00:00:01Z\""},
    {"google.protobuf.Duration", "10ffffffffffffffffff01", "\"-0.000000001s\""},
    {"google.protobuf.Int64Value", "0807", "\"7\""},
    {"google.protobuf.Int64Value", "", "\"0\""},
    {"google.protobuf.BytesValue", "0a01ff", "\"/w==\""},
    {"google.protobuf.FieldMask", "0a01610a05625f632e64", "\"a,bC.d\""},
    {"google.protobuf.Struct", "0a0e0a0161120911000000000000f83f", "{\"a\":1.5}"},
    {"google.protobuf.Value", "0800", "null"},
    {"google.protobuf.Value", "", "null"},
    {"google.protobuf.Value", "20011a0178", "\"x\""},
    {"google.protobuf.ListValue", "0a0220010a020800", "[true,null]"},
    {"google.protobuf.Any", "0a0d782f73616d706c652e4974656d12021001",
     "{\"@type\":\"x/sample.Item\",\"productId\":\"\",\"count\":1}"},
    {"google.protobuf.Any", "0a03782f791201ff", "{\"@type\":\"x/y\",\"value\":\"/w==\"}"},
    {"sample.old.Old", "0a01612b08012c330a01783433341803220101220102",
     "{\"name\":\"a\",\"loose\":[3],\"tight\":[1,2],\"box\":{\"width\":1},\"lid\":[{\"label\":\"x\"},{}]}"},
};

static void test_vectors(void **state)
{
    struct pb_text text = {.limit = 4096};
    uint8_t bytes[256];
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        size_t len = from_hex(vectors[i].hex, bytes);
        const char *reason = decode(vectors[i].type, bytes, len, &text);
        if (reason != NULL || strcmp(text.data, vectors[i].json) != 0)
            fail_msg("%s %s: %s %s, wanted %s", vectors[i].type, vectors[i].hex, reason ? reason : "", text.data,
                     vectors[i].json);
    }
    pb_text_fini(&text);
}

/* Fields of All one by one: the rest of the object is defaults. */
static void test_fields(void **state)
{
    static const char *const pairs[][2] = {{"c80205", "\"number\":5"},
                                           {"c80205c2020178", "\"text\":\"x\""},
                                           {"c2020178d20200", "\"thing\":{\"productId\":\"\",\"count\":0}"},
                                           {"b2010301ac02b00105", "\"numbers\":[1,300,5]"},
                                           {"b0010ab2010103", "\"numbers\":[10,3]"},
                                           {"7005", "\"color\":5"},
                                           {"7001", "\"color\":\"COLOR_RED\""},
                                           {"880101900104", "\"anSint32\":-1,\"anSint64\":\"2\""},
                                           {"f201050a016b1200", "\"byName\":{\"k\":{\"productId\":\"\",\"count\":0}}"},
                                           {"fa0103120178", "\"byNumber\":{\"0\":\"x\"}"},
                                           {"82020008", "!"},
                                           {"82020208018202020801", "\"byTruth\":{\"true\":\"COLOR_NONE\",\"true\":"},
                                           {"09000000000000f07f", "\"aDouble\":\"Infinity\""},
                                           {"15cdcccc3d", "\"aFloat\":0.1,"},
                                           {"099a9999999999b93f", "\"aDouble\":0.1,"},
                                           {"20ffffffffffffffffff01", "\"aUint64\":\"18446744073709551615\""},
                                           {"900300", "\"maybe\":0"},
                                           {"d80200", "\"nothing\":null"},
                                           {"82050178", "\"odd-name\":\"x\""}};
    struct pb_text text = {.limit = 8192};
    uint8_t bytes[256];
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        size_t len = from_hex(pairs[i][0], bytes);
        const char *reason = decode("sample.All", bytes, len, &text);
        bool refused = pairs[i][1][0] == '!';
        if ((reason != NULL) != refused || (!refused && strstr(text.data, pairs[i][1]) == NULL))
            fail_msg("%s: %s %s, wanted %s", pairs[i][0], reason ? reason : "", text.data, pairs[i][1]);
    }
    pb_text_fini(&text);
}

static void test_malformed(void **state)
{
    static const char *const bad[] = {"08",
                                      "0a02",
                                      "0a0261",
                                      "15000000",
                                      "0900",
                                      "00",
                                      "07",
                                      "0801ff",
                                      "ffffffffffffffffffffff",
                                      "0affffffffffffffffff01",
                                      "3301",
                                      "33083c",
                                      "340a",
                                      "1a0108",
                                      "0f"};
    struct pb_text text = {.limit = 4096};
    uint8_t bytes[256];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t len = from_hex(bad[i], bytes);
        if (decode("sample.Item", bytes, len, &text) == NULL)
            fail_msg("%s: taken as %s", bad[i], text.data);
    }
    /* A Timestamp beyond the year 9999 has no text. */
    size_t len = from_hex("08ffffffffffffffff7f", bytes);
    assert_non_null(decode("google.protobuf.Timestamp", bytes, len, &text));
    pb_text_fini(&text);
}

/* Levels of one message in another, or of groups that nobody knows. */
static void test_bounds(void **state)
{
    uint8_t bytes[8 * PB_DEPTH_MAX], *at = bytes + sizeof bytes;
    struct pb_text text = {.limit = 65536}, small = {.limit = 100};
    (void)state;
    for (unsigned depth = 1; depth < PB_DEPTH_MAX + 2; depth++) {
        size_t len = (size_t)(bytes + sizeof bytes - at);
        assert_int_equal(decode("sample.Item", at, len, &text) == NULL, depth <= PB_DEPTH_MAX);
        if (len >= 128)
            *--at = (uint8_t)(len >> 7);
        *--at = (uint8_t)((len & 0x7f) | (len >= 128 ? 0x80 : 0));
        *--at = 0x1a;
    }
    memset(bytes, 0x33, sizeof bytes);
    assert_non_null(decode("sample.Item", bytes, sizeof bytes, &text));
    memset(bytes, 'a', sizeof bytes);
    bytes[0] = 0x0a;
    bytes[1] = 100;
    assert_non_null(strstr(decode("sample.Item", bytes, 102, &small), "too large"));
    assert_true(small.len <= small.limit);
    pb_text_fini(&text);
    pb_text_fini(&small);
}

/* A skeleton is a message: it encodes, and shows every field that can be shown. */
static void test_skeleton(void **state)
{
    static const char *const types[] = {
        "sample.Item",          "sample.All", "sample.old.Old", "google.protobuf.Struct", "google.protobuf.Timestamp",
        "google.protobuf.Empty"};
    struct pb_text text = {.limit = 65536};
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct squall_error error;
        pb_text_reset(&text);
        pb_skeleton(pb_schema_type(schema, types[i]), &text);
        assert_false(text.failed);
        struct pb_template *template =
            pb_template_new(pb_schema_type(schema, types[i]), text.data, text.len, NULL, 0, &error);
        if (template == NULL)
            fail_msg("%s: %s: %s", types[i], text.data, error.text);
        pb_template_free(template);
    }
    pb_text_reset(&text);
    pb_skeleton(pb_schema_type(schema, "sample.Item"), &text);
    assert_string_equal(text.data, "{\"product_id\":\"\",\"count\":0}");
    pb_text_fini(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vectors), cmocka_unit_test(test_fields),
                                       cmocka_unit_test(test_malformed), cmocka_unit_test(test_bounds),
                                       cmocka_unit_test(test_skeleton)};
    return cmocka_run_group_tests(tests, load, unload);
}
