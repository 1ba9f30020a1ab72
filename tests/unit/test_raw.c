/* Raw log lines are JSON, bounded, and leave out what is not known. */
#include "metrics/raw.h"
#include "metrics/series.h"
#include "scenario/scenario.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_escape(void **state)
{
    (void)state;
    static const struct {
        const char *name, *escaped;
    } rows[] = {
        {"", "\"\""},
        {"list products", "\"list products\""},
        {"a\"b\\c\n\x7f", "\"a\\\"b\\\\c\\u000a\\u007f\""},
        {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\xff", "\"\\ufffd\""},
        {"\xc3", "\"\\ufffd\""},
        {"\xe0\x80\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* overlong */
        {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* half a surrogate pair */
        {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *escaped = raw_escape(rows[i].name);
        assert_string_equal(escaped, rows[i].escaped);
        free(escaped);
    }
}

static void test_line(void **state)
{
    (void)state;
    char name[5000], line[RAW_LINE_MAX + RAW_NAME_MAX + 20];
    size_t room = RAW_LINE_MAX;
    memset(name, '\x01', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    char *escaped = raw_escape(name);
    assert_true(strlen(escaped) <= RAW_NAME_MAX);
    free(escaped);
    char *one = raw_step("one", &(struct tags){0}), *longest = raw_step(name, &(struct tags){0});
    const char *const steps[] = {one, longest};
    struct raw_names names = {.steps = steps, .worker = UINT32_MAX};
    struct raw_record records[] = {
        {.id = 1, .intended_ns = 5, .sent_ns = RAW_NO_TIME, .done_ns = 9, .outcome = OUTCOME_UNSENT, .block = BLOCK_WARMUP},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX, UINT64_MAX, 1, UINT32_MAX,
         OUTCOME_UNREACHABLE, BLOCK_MEASURED},
    };
    for (size_t i = 0; i < 2; i++) {
        size_t length = raw_format(&records[i], line, sizeof line, &names);
        assert_true(length < room + strlen(steps[records[i].series]));
        assert_int_equal(strlen(line), length);
        assert_ptr_equal(strchr(line, '\n'), line + length - 1);
    }
    raw_format(&records[0], line, sizeof line, &names);
    json_t *json = json_loads(line, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "step")), "one");
    assert_string_equal(json_string_value(json_object_get(json, "block")), "warmup");
    assert_string_equal(json_string_value(json_object_get(json, "outcome")), "unsent");
    assert_null(json_object_get(json, "sent_ns"));
    assert_int_equal(json_integer_value(json_object_get(json, "done_ns")), 9);
    json_decref(json);
    free(longest);
    free(one);
}

/* Tags stand behind the name, whatever is in them; a line of a step without any has no such key. */
static void test_tags(void **state)
{
    (void)state;
    static const struct tag list[] = {{"service", "shop"}, {"a \"b\"", "\n"}};
    const struct tags none = {0}, two = {list, 2};
    char *steps[] = {raw_step("buy", &none), raw_step("buy", &two)}, line[2 * RAW_LINE_MAX];
    struct raw_names names = {.steps = (const char *const *)steps, .worker = 1};
    for (uint32_t i = 0; i < 2; i++) {
        raw_format(&(struct raw_record){.series = i, .done_ns = 9}, line, sizeof line, &names);
        json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL), *tags = json_object_get(json, "tags");
        assert_string_equal(json_string_value(json_object_get(json, "step")), "buy");
        assert_int_equal(json_object_size(tags), i ? 2 : 0);
        assert_int_equal(tags != NULL, i == 1);
        if (i) {
            assert_string_equal(json_string_value(json_object_get(tags, "service")), "shop");
            assert_string_equal(json_string_value(json_object_get(tags, "a \"b\"")), "\n");
        }
        json_decref(json);
        free(steps[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_escape), cmocka_unit_test(test_line), cmocka_unit_test(test_tags)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
