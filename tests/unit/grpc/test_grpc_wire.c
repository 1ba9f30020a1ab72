/* The rules of gRPC's wire that are not HTTP/2's: status, time-out, metadata, base64, and the framing at every split.
 */
#include "base64.h"
#include "fields.h"
#include "frame.h"
#include "status.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct squall_bytes bytes_of(const char *text)
{
    return (struct squall_bytes){.data = (const uint8_t *)text, .len = strlen(text)};
}

static void test_status(void **state)
{
    static const struct {
        const char *text;
        int result;
        uint32_t code;
    } values[] = {{"0", 0, RPC_OK},       {"5", 0, RPC_NOT_FOUND}, {"16", 0, RPC_UNAUTHENTICATED},
                  {"17", 0, RPC_UNKNOWN}, {"999", 0, RPC_UNKNOWN}, {"", -1, 0},
                  {"1000", -1, 0},        {"-1", -1, 0},           {"OK", -1, 0},
                  {"1 ", -1, 0},          {"05", 0, RPC_NOT_FOUND}};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint32_t code = 0;
        assert_int_equal(rpc_status_parse(bytes_of(values[i].text), &code), values[i].result);
        assert_int_equal(code, values[i].code);
    }
    for (uint32_t code = 0; code < RPC_CODES; code++) {
        uint32_t back;
        assert_int_equal(rpc_code_parse(bytes_of(rpc_code_name(code)), &back), 0);
        assert_int_equal(back, code);
        assert_string_equal(rpc_result_name(RPC_RESULT_CODE(code)), rpc_code_name(code));
    }
    assert_null(rpc_code_name(RPC_CODES));
    assert_null(rpc_result_name(0));
}

/* The two tables of gRPC's documents. */
static void test_mappings(void **state)
{
    static const uint32_t http[][2] = {
        {400, RPC_INTERNAL},    {401, RPC_UNAUTHENTICATED}, {403, RPC_PERMISSION_DENIED}, {404, RPC_UNIMPLEMENTED},
        {429, RPC_UNAVAILABLE}, {502, RPC_UNAVAILABLE},     {503, RPC_UNAVAILABLE},       {504, RPC_UNAVAILABLE},
        {500, RPC_UNKNOWN},     {301, RPC_UNKNOWN}};
    static const uint32_t resets[][2] = {{0, RPC_INTERNAL},
                                         {1, RPC_INTERNAL},
                                         {2, RPC_INTERNAL},
                                         {3, RPC_INTERNAL},
                                         {7, RPC_UNAVAILABLE},
                                         {8, RPC_CANCELLED},
                                         {11, RPC_RESOURCE_EXHAUSTED},
                                         {12, RPC_PERMISSION_DENIED}};
    (void)state;
    for (size_t i = 0; i < sizeof http / sizeof http[0]; i++)
        assert_int_equal(rpc_code_of_http(http[i][0]), http[i][1]);
    for (size_t i = 0; i < sizeof resets / sizeof resets[0]; i++)
        assert_int_equal(rpc_code_of_reset(resets[i][0]), resets[i][1]);
}

static void test_message(void **state)
{
    static const char *const pairs[][2] = {
        {"plain", "plain"},   {"a%20b%C3%A9", "a b\xc3\xa9"}, {"100%", "100%"}, {"%zz%4", "%zz%4"},
        {"%0a%00%7F", "???"}, {"%e4%BD%a0", "\xe4\xbd\xa0"},  {"", ""}};
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        rpc_message_decode(bytes_of(pairs[i][0]), out, sizeof out);
        assert_string_equal(out, pairs[i][1]);
    }
    assert_int_equal(rpc_message_decode(bytes_of("abcdef"), out, 4), 3);
    assert_string_equal(out, "abc");
}

static void test_message_encode(void **state)
{
    static const char text[] = " a~%\n\xc3\xa9\x7f", encoded[] = " a~%25%0A%C3%A9%7F";
    char out[RPC_MESSAGE_SIZE(sizeof text)];
    (void)state;
    assert_int_equal(rpc_message_encode(text, sizeof text - 1, out), sizeof encoded - 1);
    assert_memory_equal(out, encoded, sizeof encoded - 1);
    assert_int_equal(rpc_message_encode(text, 0, out), 0);
}

static void test_expect(void **state)
{
    uint32_t codes = 0;
    struct squall_error error;
    (void)state;
    assert_int_equal(rpc_expect_parse(bytes_of("OK, not_found,10"), &codes, &error), 0);
    assert_int_equal(codes, 1u << RPC_OK | 1u << RPC_NOT_FOUND | 1u << RPC_ABORTED);
    static const char *const wrong[] = {"", "OK,", "FINE", "17", "OK;ABORTED"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(rpc_expect_parse(bytes_of(wrong[i]), &codes, &error), -1);
        assert_non_null(strstr(error.text, "expect"));
    }
}

static void test_timeout(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } values[] = {{1, "1n"},
                  {99999999, "99999999n"},
                  {100000000, "100000u"},
                  {100000001, "100001u"},
                  {300000000, "300000u"},
                  {UINT64_C(100000000000), "100000m"},
                  {UINT64_C(3600000000000), "3600000m"},
                  {UINT64_MAX, "5124096H"}};
    char text[RPC_TIMEOUT_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_int_equal(rpc_timeout_write(values[i].ns, text), strlen(values[i].text));
        assert_memory_equal(text, values[i].text, strlen(values[i].text));
    }
}

static void test_timeout_parse(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } values[] = {{"1n", 1},
                  {"250m", 250000000},
                  {"99999999S", UINT64_C(99999999000000000)},
                  {"2M", UINT64_C(120000000000)},
                  {"1H", UINT64_C(3600000000000)},
                  {"99999999H", INT64_MAX},
                  {"0u", 0}};
    static const char *const wrong[] = {"", "1", "n", "1s", "-1m", "1.5S", "123456789n", "1 m"};
    uint64_t ns;
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_int_equal(rpc_timeout_parse(bytes_of(values[i].text), &ns), 0);
        assert_true(ns == values[i].ns);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(rpc_timeout_parse(bytes_of(wrong[i]), &ns), -1);
}

static void test_metadata(void **state)
{
    static const struct {
        const char *name, *value;
        bool ok;
    } values[] = {{"x-id", "a b~", true},        {"x-id", "\xc3\xa9", false}, {"x-id", "a\n", false},
                  {"x-bin", "\x01\xff", true},   {"X-Id", "a", false},        {"", "a", false},
                  {"grpc-timeout", "1S", false}, {"te", "x", false},          {"a b", "x", false},
                  {"a.b_c-1", "", true},         {":path", "/", false},       {"content-type", "x", false}};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        assert_int_equal(rpc_metadata_check(bytes_of(values[i].name), bytes_of(values[i].value)) == NULL, values[i].ok);
    assert_true(rpc_metadata_is_binary(bytes_of("x-bin")));
    assert_false(rpc_metadata_is_binary(bytes_of("-bin")));
    assert_false(rpc_metadata_is_binary(bytes_of("x-bin-")));
}

static void test_base64(void **state)
{
    uint8_t bytes[64], back[64];
    char text[128];
    (void)state;
    for (size_t len = 0; len < sizeof bytes; len++)
        for (int padded = 0; padded < 2; padded++) {
            for (size_t i = 0; i < len; i++)
                bytes[i] = (uint8_t)(i * 77 + len);
            size_t written = rpc_base64_encode(bytes, len, padded, text);
            assert_true(written <= RPC_BASE64_SIZE(len));
            assert_int_equal(rpc_base64_decode(text, written, back), len);
            assert_memory_equal(bytes, back, len);
        }
    assert_int_equal(rpc_base64_decode("-_8", 3, back), 2);
    static const char *const wrong[] = {"a", "ab=", "a===", "ab c", "====", "ab==ab", "\xff\xff"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(rpc_base64_decode(wrong[i], strlen(wrong[i]), back), -1);
}

/* What the reader says, as one line: pieces of a message are put together. */
static void trace(const uint8_t *data, size_t len, size_t step, char *out)
{
    struct rpc_frame_reader reader = {0};
    const uint8_t *at = data;
    out[0] = '\0';
    for (size_t come = 0; come < len || come == 0;) {
        struct squall_bytes piece;
        enum rpc_frame_event event;
        come = len - come > step ? come + step : len;
        while ((event = rpc_frame_read(&reader, &at, data + come, &piece)) != RPC_FRAME_MORE) {
            size_t used = strlen(out);
            if (event == RPC_FRAME_BEGIN)
                sprintf(out + used, "[%u%s:", reader.length, reader.compressed ? "z" : "");
            else if (event == RPC_FRAME_BYTES)
                sprintf(out + used, "%.*s", (int)piece.len, (const char *)piece.data);
            else if (event == RPC_FRAME_END)
                strcat(out, "]");
            if (event == RPC_FRAME_MALFORMED) {
                strcat(out, "!");
                return;
            }
        }
        if (len == 0)
            break;
    }
    strcat(out, rpc_frame_is_between(&reader) ? "." : "~");
}

static void test_framing(void **state)
{
    static const struct {
        const char *data;
        size_t len;
        const char *expected;
    } vectors[] = {{"", 0, "."},
                   {"\0\0\0\0\0", 5, "[0:]."},
                   {"\0\0\0\0\3abc", 8, "[3:abc]."},
                   {"\1\0\0\0\2xy\0\0\0\0\1z", 13, "[2z:xy][1:z]."},
                   {"\0\0\0\0\3ab", 7, "[3:ab~"},
                   {"\0\0\0", 3, "~"},
                   {"\2\0\0\0\0", 5, "!"},
                   {"\0\0\0\0\0\0\0\0\0\1q\x80", 12, "[0:][1:q]!"},
                   {"\0\xff\xff\xff\xff"
                    "a",
                    6, "[4294967295:a~"}};
    char whole[128], pieces[128];
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const uint8_t *data = (const uint8_t *)vectors[i].data;
        trace(data, vectors[i].len, SIZE_MAX, whole);
        assert_string_equal(whole, vectors[i].expected);
        for (size_t step = 1; step < vectors[i].len; step++) {
            trace(data, vectors[i].len, step, pieces);
            assert_string_equal(pieces, whole);
        }
    }
    uint8_t prefix[RPC_PREFIX];
    rpc_frame_prefix(prefix, 1, 0x01020304);
    assert_memory_equal(prefix, "\1\1\2\3\4", 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_status),         cmocka_unit_test(test_mappings),
                                       cmocka_unit_test(test_message),        cmocka_unit_test(test_expect),
                                       cmocka_unit_test(test_timeout),        cmocka_unit_test(test_timeout_parse),
                                       cmocka_unit_test(test_message_encode), cmocka_unit_test(test_metadata),
                                       cmocka_unit_test(test_base64),         cmocka_unit_test(test_framing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
