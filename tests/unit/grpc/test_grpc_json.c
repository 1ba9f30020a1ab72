/* The JSON scanner, and the texts of moments and durations. */
#include "json.h"
#include "times.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_skip(void **state)
{
    static const char *const good[] = {"0",
                                       "-1.5e+3",
                                       "\"\"",
                                       "[]",
                                       "{}",
                                       "[1,[2,{\"a\":null}],true]",
                                       " { \"a\" : [ ] , \"b\" : { } } ",
                                       "\"\\ud83d\\ude00\""};
    static const char *const bad[] = {
        "",      "01",      "-",           "1.",          ".5",       "+1",       "tru",          "nulls",
        "\"",    "\"\\x\"", "\"\\ud800\"", "\"\\udc00\"", "\"\x01\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
        "[",     "[1",      "[1,]",        "[,1]",        "{\"a\"}",  "{\"a\":}", "{\"a\":1,}",   "{a:1}",
        "{1:1}", "[}",      "1 2"};
    char deep[2 * PB_JSON_DEPTH_MAX + 3];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct pb_json json = {good[i], strlen(good[i]), 0};
        assert_null(pb_json_skip(&json));
        pb_json_peek(&json);
        assert_int_equal(json.at, json.len);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pb_json json = {bad[i], strlen(bad[i]), 0};
        bool refused = pb_json_skip(&json) != NULL;
        pb_json_peek(&json);
        assert_true(refused || json.at != json.len);
    }
    for (size_t depth = PB_JSON_DEPTH_MAX; depth <= PB_JSON_DEPTH_MAX + 1; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        struct pb_json json = {deep, 2 * depth, 0};
        assert_int_equal(pb_json_skip(&json) == NULL, depth == PB_JSON_DEPTH_MAX);
    }
}

static void test_unescape(void **state)
{
    static const char *const pairs[][2] = {
        {"abc", "abc"},
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
        {"\\u0041\\u00e9\\u20ac\\ud83d\\ude00", "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80"}};
    char out[64];
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        int64_t len = pb_json_unescape(pairs[i][0], strlen(pairs[i][0]), out);
        assert_int_equal(len, strlen(pairs[i][1]));
        assert_int_equal(pb_json_unescape(pairs[i][0], strlen(pairs[i][0]), NULL), len);
        assert_memory_equal(out, pairs[i][1], (size_t)len);
    }
}

static void test_timestamps(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
        const char *written; /* NULL: as read */
    } good[] = {{"1970-01-01T00:00:00Z", 0, 0, NULL},
                {"2017-01-15T01:30:15.010Z", 1484443815, 10000000, NULL},
                {"2017-01-15T01:30:15.01Z", 1484443815, 10000000, "2017-01-15T01:30:15.010Z"},
                {"0001-01-01T00:00:00Z", INT64_C(-62135596800), 0, NULL},
                {"9999-12-31T23:59:59.999999999Z", INT64_C(253402300799), 999999999, NULL},
                {"2000-02-29T12:00:00.000001Z", 951825600, 1000, NULL},
                {"1969-12-31T23:59:59.5Z", -1, 500000000, "1969-12-31T23:59:59.500Z"},
                {"2024-03-01T00:00:00+01:30", 1709245800, 0, "2024-02-29T22:30:00Z"},
                {"2024-03-01t00:00:00-00:30z", 0, 0, ""}};
    static const char *const bad[] = {"",
                                      "2017-01-15",
                                      "2017-13-01T00:00:00Z",
                                      "2017-02-29T00:00:00Z",
                                      "2017-01-15T24:00:00Z",
                                      "2017-01-15T01:30:15",
                                      "2017-01-15T01:30:15.Z",
                                      "2017-01-15T01:30:15.0123456789Z",
                                      "0000-01-01T00:00:00Z",
                                      "0001-01-01T00:00:00+00:01",
                                      "2017-01-15T01:30:15Zx",
                                      "2017-1-15T01:30:15Z"};
    char text[PB_TIME_TEXT_MAX];
    int64_t seconds;
    int32_t nanos;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        bool wanted = good[i].written == NULL || good[i].written[0] != '\0';
        assert_int_equal(pb_timestamp_parse(good[i].text, strlen(good[i].text), &seconds, &nanos) == 0, wanted);
        if (!wanted)
            continue;
        assert_int_equal(seconds, good[i].seconds);
        assert_int_equal(nanos, good[i].nanos);
        assert_true(pb_timestamp_format(seconds, nanos, text) > 0);
        assert_string_equal(text, good[i].written ? good[i].written : good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(pb_timestamp_parse(bad[i], strlen(bad[i]), &seconds, &nanos), -1);
    assert_int_equal(pb_timestamp_format(INT64_C(253402300800), 0, text), -1);
    assert_int_equal(pb_timestamp_format(0, -1, text), -1);
}

/* Every day of 400 years, the period of the calendar: each follows the one before. */
static void test_calendar(void **state)
{
    char text[PB_TIME_TEXT_MAX];
    (void)state;
    for (int64_t day = -146097; day <= 146097; day++) {
        int64_t seconds = 0;
        int32_t nanos = 0;
        int len = pb_timestamp_format(day * 86400, 0, text);
        assert_true(len > 0);
        assert_int_equal(pb_timestamp_parse(text, (size_t)len, &seconds, &nanos), 0);
        assert_int_equal(seconds, day * 86400);
    }
}

static void test_durations(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
    } good[] = {{"0s", 0, 0},
                {"1.500s", 1, 500000000},
                {"-1.000001s", -1, -1000},
                {"-0.500s", 0, -500000000},
                {"315576000000s", INT64_C(315576000000), 0}};
    static const char *const bad[] = {"", "s", "1", "1.s", ".5s", "315576000001s", "1e3s", "+1s", "--1s", "1 s"};
    char text[PB_TIME_TEXT_MAX];
    int64_t seconds;
    int32_t nanos;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(pb_duration_parse(good[i].text, strlen(good[i].text), &seconds, &nanos), 0);
        assert_int_equal(seconds, good[i].seconds);
        assert_int_equal(nanos, good[i].nanos);
        assert_true(pb_duration_format(seconds, nanos, text) > 0);
        assert_string_equal(text, good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(pb_duration_parse(bad[i], strlen(bad[i]), &seconds, &nanos), -1);
    assert_int_equal(pb_duration_format(1, -1, text), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_skip), cmocka_unit_test(test_unescape),
                                       cmocka_unit_test(test_timestamps), cmocka_unit_test(test_calendar),
                                       cmocka_unit_test(test_durations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
