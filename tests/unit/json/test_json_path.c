/*
 * The lazy scan of JSON beside two others that are slow and simple: jansson, which reads the whole document, on random
 * documents and damaged ones; and a walk byte by byte, for what is skipped.
 */
#include "base/random.h"
#include "scenario/json_path.h"
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

#define TEXT_MAX_BYTES 16384u
#define DOCUMENTS      2000u
#define PATHS          8u  /* into each document */
#define DAMAGES        16u /* of each document */
#define NEST_MAX       6u
#define READ_FLAGS     (JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES)

static struct random_stream chance;

static uint32_t draw(uint32_t bound)
{
    return (uint32_t)random_below(&chance, bound);
}

/* A copy of its own size, so that the sanitizer sees a read past its end. */
static uint8_t *exact_copy(const void *text, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    if (len)
        memcpy(copy, text, len);
    return copy;
}

/* ---- A document ---- */

struct text {
    char data[TEXT_MAX_BYTES];
    size_t len;
};

static void put(struct text *text, const char *bytes)
{
    size_t len = strlen(bytes);
    assert_true(text->len + len < sizeof text->data);
    memcpy(text->data + text->len, bytes, len + 1);
    text->len += len;
}

static void put_space(struct text *text)
{
    static const char *const spaces[] = {"", "", "", "", " ", "\n  ", "\t", "\r\n"};
    put(text, spaces[draw(8)]);
}

static void put_string_part(struct text *text)
{
    static const char *const parts[] = {"a",   "name",     " ",
                                        "{",   "}",        "[",
                                        "]",   "\\\"",     "\\\\",
                                        "\\n", "\\/",      ",",
                                        ":",   "\xc3\xa9", "\\u00e9",
                                        "\\b", "\\\\\\\"", "\\ud83d\\ude00",
                                        "\\t", "\\u0041",  "seventeen letters"};
    put(text, parts[draw(sizeof parts / sizeof parts[0])]);
}

/* `place` makes the names of one object differ. */
static void put_name(struct text *text, uint32_t place)
{
    char number[16];
    put(text, "\"");
    for (uint32_t i = draw(3); i > 0; i--)
        put_string_part(text);
    snprintf(number, sizeof number, "%u\"", place);
    put(text, number);
}

static void put_scalar(struct text *text)
{
    static const char *const scalars[] = {"0",    "-1",   "12",    "3.5",  "-0.25",          "1e3",  "2E-2",
                                          "true", "null", "false", "\"\"", "123456789012.5", "1e+2", "999999999999999"};
    if (draw(2)) {
        put(text, scalars[draw(sizeof scalars / sizeof scalars[0])]);
        return;
    }
    put(text, "\"");
    for (uint32_t i = draw(draw(8) ? 6 : 60); i > 0; i--)
        put_string_part(text);
    put(text, "\"");
}

static void put_value(struct text *text, uint32_t nest)
{
    uint32_t kind = nest < NEST_MAX && text->len < TEXT_MAX_BYTES / 4 ? draw(nest ? 4 : 2) : 3;
    if (kind > 1) {
        put_scalar(text);
        return;
    }
    put(text, kind ? "{" : "[");
    uint32_t count = draw(6);
    for (uint32_t i = 0; i < count; i++) {
        put(text, i ? "," : "");
        put_space(text);
        if (kind) {
            put_name(text, i);
            put_space(text);
            put(text, ":");
            put_space(text);
        }
        put_value(text, nest + 1);
        put_space(text);
    }
    put_space(text);
    put(text, kind ? "}" : "]");
}

static void make_document(struct text *text)
{
    text->len = 0;
    put_space(text);
    put_value(text, 0);
    put_space(text);
}

/* ---- A path, and where it leads by jansson ---- */

/* The next step of a path into `node`, mostly one that exists; and what is there: NULL, nothing. */
static const json_t *take_step(const json_t *node, struct json_step *ret_step)
{
    if (json_is_object(node) && json_object_size(node)) {
        uint32_t left = draw((uint32_t)json_object_size(node));
        void *member = json_object_iter((json_t *)(uintptr_t)node);
        while (left-- > 0)
            member = json_object_iter_next((json_t *)(uintptr_t)node, member);
        const char *name = json_object_iter_key(member);
        *ret_step = (struct json_step){.kind = JSON_MEMBER, .name = {(const uint8_t *)name, strlen(name)}};
        return json_object_iter_value(member);
    }
    int64_t size = (int64_t)json_array_size(node), index = (int64_t)draw((uint32_t)size + 1);
    if (json_is_array(node)) {
        *ret_step = (struct json_step){.kind = JSON_INDEX, .index = draw(2) ? index - size : index};
        int64_t place = ret_step->index < 0 ? ret_step->index + size : ret_step->index;
        return json_array_get(node, (size_t)place);
    }
    *ret_step = (struct json_step){.kind = JSON_MEMBER, .name = {(const uint8_t *)"none", 4}};
    return NULL;
}

static const json_t *make_path(const json_t *root, struct json_step *steps, uint32_t *ret_count)
{
    uint32_t count = draw(NEST_MAX + 1), taken = 0;
    const json_t *node = root;
    while (taken < count && node)
        node = take_step(node, &steps[taken++]);
    *ret_count = taken;
    return node;
}

static void same_value(const struct value *value, const json_t *node, const char *document)
{
    bool same = false;
    switch (json_typeof(node)) {
    case JSON_OBJECT:
    case JSON_ARRAY: {
        json_error_t error;
        json_t *part = json_loadb((const char *)value->string.data, value->string.len, READ_FLAGS, &error);
        same = value->json && part && json_equal(part, node);
        json_decref(part);
        break;
    }
    case JSON_STRING:
        same = value->type == VALUE_STRING && !value->json && value->string.len == json_string_length(node) &&
               memcmp(value->string.data, json_string_value(node), value->string.len) == 0;
        break;
    case JSON_NULL:
        same = value->type == VALUE_NULL;
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        same = value->type == VALUE_BOOL && value->boolean == json_is_true(node);
        break;
    default:
        same = value->type == VALUE_NUMBER && value->number == json_number_value(node);
    }
    if (!same)
        fail_msg("another value than jansson's in %s", document);
}

/* Whatever the text: what jansson reads we find too, with the same value, and what it does not we do not. */
static void compare(const char *document, size_t len, const json_t *root, struct arena *arena)
{
    uint8_t *copy = exact_copy(document, len);
    struct json_step steps[NEST_MAX + 1];
    for (uint32_t i = 0; i < PATHS; i++) {
        struct squall_bytes raw;
        struct value value;
        uint32_t count;
        const json_t *node = make_path(root, steps, &count);
        bool found = json_find((struct squall_bytes){copy, len}, steps, count, &raw);
        if (found != (node != NULL))
            fail_msg("%s, and jansson has the opposite: %s", found ? "found" : "not found", document);
        if (!found)
            continue;
        assert_true(raw.data >= copy && raw.data + raw.len <= copy + len && raw.len > 0);
        json_value(raw, arena, &value);
        same_value(&value, node, document);
        if (json_is_object(node) || json_is_array(node))
            assert_int_equal(json_size(raw), json_is_array(node) ? json_array_size(node) : json_object_size(node));
    }
    free(copy);
}

static void test_beside_jansson(void **state)
{
    (void)state;
    static struct text text;
    struct arena arena;
    arena_init(&arena);
    random_init(&chance, 1, 0);
    for (uint32_t i = 0; i < DOCUMENTS; i++) {
        json_error_t error;
        make_document(&text);
        json_t *root = json_loadb(text.data, text.len, READ_FLAGS, &error);
        if (!root)
            fail_msg("%s: %s", error.text, text.data);
        compare(text.data, text.len, root, &arena);
        json_decref(root);
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

/* One byte changed, or the end cut off. What then still is JSON is compared; of what is not we only want to come back.
 */
static void test_damaged(void **state)
{
    (void)state;
    static const char changes[] = "\"\\{}[],: 0a\n";
    static struct text text;
    struct arena arena;
    uint32_t still_json = 0;
    arena_init(&arena);
    random_init(&chance, 2, 0);
    for (uint32_t i = 0; i < DOCUMENTS / 4; i++) {
        make_document(&text);
        for (uint32_t j = 0; j < DAMAGES; j++) {
            json_error_t error;
            size_t place = draw((uint32_t)text.len), len = draw(4) ? text.len : place;
            char kept = text.data[place];
            text.data[place] = changes[draw(sizeof changes - 1)];
            json_t *root = json_loadb(text.data, len, READ_FLAGS, &error);
            still_json += root != NULL;
            uint8_t *copy = exact_copy(text.data, len);
            static const struct json_step any[] = {
                {.kind = JSON_ANY}, {.kind = JSON_ANY}, {.kind = JSON_INDEX, .index = -1}};
            struct squall_bytes raw;
            if (root)
                compare(text.data, len, root, &arena);
            else if (json_find((struct squall_bytes){copy, len}, any, draw(4), &raw))
                assert_true(raw.data >= copy && raw.data + raw.len <= copy + len && raw.len > 0);
            json_decref(root);
            free(copy);
            text.data[place] = kept;
        }
        arena_reset(&arena);
    }
    arena_fini(&arena);
    assert_true(still_json > 100);
}

/* ---- What is skipped ---- */

/* A backslash hides a quote wherever it stands: outside of strings no JSON has one. */
static const uint8_t *plain_skip(const uint8_t *at, const uint8_t *end)
{
    bool string = false, escaped = false;
    uint32_t depth = 0;
    for (; at < end; at++) {
        bool hidden = escaped;
        escaped = *at == '\\' && !hidden;
        if (*at == '"' && !hidden)
            string = !string;
        if (string)
            continue;
        if ((*at == '{' || *at == '[') && ++depth > JSON_DEPTH_MAX)
            return NULL;
        if ((*at == '}' || *at == ']') && --depth == 0)
            return at + 1;
    }
    return NULL;
}

static const uint8_t *plain_skip_string(const uint8_t *at, const uint8_t *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\' && ++at == end)
            return NULL;
    return at < end ? at + 1 : NULL;
}

/* Few kinds of bytes, so that every neighbourhood comes at every place of a block of 64. */
static void test_skip(void **state)
{
    (void)state;
    static const char *const alphabets[] = {"{}[]\"\\ a", "\"\\", "[]\"a\\\\", "{}\"aaaaaaaaaaaaaaaaaa\\\x7f\xff;=["};
    random_init(&chance, 3, 0);
    uint32_t ended = 0;
    for (uint32_t i = 0; i < 40000; i++) {
        const char *alphabet = alphabets[draw(4)];
        size_t len = 1 + draw(200), letters = strlen(alphabet);
        uint8_t text[200];
        for (size_t j = 0; j < len; j++)
            text[j] = (uint8_t)alphabet[draw((uint32_t)letters)];
        uint8_t *copy = exact_copy(text, len);
        copy[0] = draw(2) ? '{' : '[';
        const uint8_t *behind = plain_skip(copy, copy + len);
        assert_ptr_equal(json_skip_nested(copy, copy + len), behind);
        ended += behind != NULL;
        copy[0] = '"';
        assert_ptr_equal(json_skip_string(copy, copy + len), plain_skip_string(copy, copy + len));
        free(copy);
    }
    assert_true(ended > 1000);
}

/* One bracket in the middle of a long text, and one string that holds all the others. */
static void test_skip_far(void **state)
{
    (void)state;
    char text[1024];
    for (size_t len = 2; len < sizeof text; len++) {
        memset(text, ']', len);
        text[0] = '[';
        text[1] = '"';
        text[len - 1] = '"';
        assert_null(json_skip_nested((const uint8_t *)text, (const uint8_t *)text + len));
        if (len < 4)
            continue;
        text[len - 2] = '"';
        text[len - 1] = ']';
        assert_ptr_equal(json_skip_nested((const uint8_t *)text, (const uint8_t *)text + len), text + len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_beside_jansson), cmocka_unit_test(test_damaged),
                                       cmocka_unit_test(test_skip), cmocka_unit_test(test_skip_far)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
