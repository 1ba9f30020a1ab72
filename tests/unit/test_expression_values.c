/* Paths into JSON, variables, and the functions that make new values: what each gives, and each refusal. */
#include "scenario/expression_tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

#define BODY                                                                                                           \
    " {\"id\": 7, \"name\":\"A\\u00e9\\n\\ud83d\\ude00\", \"deep\" : {\"a\":[[1,2],[3,4,{\"x\":true}]]},"              \
    "\"items\":[{\"id\":10,\"tags\":[]},{\"id\":11,\"price\":2.5,\"tags\":[\"new\",\"red\"]}], \"none\":null,"         \
    "\"odd key\":\"yes\",\"\":\"empty\",\"e\\u0073c\":1,\"size\":-1.5e2,\"big\":123456789012345678,\"off\":false,"     \
    "\"twice\":1,\"twice\":2,\"q\":\"}]\\\"{[\"}  "

static const char *const names_list[] = {"token", "count", "missing", "cart"};
static const struct expression_names names = {.list = names_list, .count = 4};

static struct squall_bytes bytes(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

static struct value run(const char *text, enum expression_place place, struct arena *arena)
{
    const struct value variables[] = {{.type = VALUE_STRING, .string = bytes("secret")},
                                      {.type = VALUE_NUMBER, .number = 3},
                                      {.type = VALUE_NULL},
                                      {.type = VALUE_STRING, .json = true, .string = bytes("{\"lines\":[{\"n\":4},5]}")}};
    const struct answer answer = {.code = 200, .body = bytes(BODY)};
    const struct expression *expression;
    struct error error;
    uint32_t column;
    if (expression_compile_named(text, place, &names, arena, &expression, &column, &error))
        fail_msg("%s: %u: %s", text, column, error.text);
    struct eval eval = {.answer = &answer, .variables = variables, .scratch = arena};
    struct value value;
    expression_evaluate(expression, &eval, &value);
    return value;
}

/* As it would stand within a text; null as `null`. */
static const struct {
    const char *text, *value;
} rows[] = {
    {"body.id", "7"},
    {"body.id + 1", "8"},
    {"body.name", "A\xc3\xa9\n\xf0\x9f\x98\x80"},
    {"body.deep.a[1][0]", "3"},
    {"body.deep.a[1][2].x", "true"},
    {"body.deep.a[-1][-1].x", "true"},
    {"body.deep.a[-3]", "null"},
    {"body.deep.a[2]", "null"},
    {"body.deep.a", "[[1,2],[3,4,{\"x\":true}]]"},
    {"size(body.deep.a)", "2"},
    {"size(body.items[0].tags)", "0"},
    {"size(body.items[1])", "3"},
    {"size(body.name)", "8"},
    {"body.items[*].price", "2.5"},
    {"body.items[*].tags[1]", "red"},
    {"body.items[*].nothing", "null"},
    {"body[\"odd key\"]", "yes"},
    {"body['odd key']", "yes"},
    {"body[\"\"]", "empty"},
    {"body.esc", "1"},
    {"body.none", "null"},
    {"body.size", "-150"},
    {"body.big", "1.23456789012346e+17"},
    {"body.off", "false"},
    {"body.twice", "1"},
    {"body.q", "}]\"{["},
    {"body.id.x", "null"},
    {"body.missing.x[0]", "null"},
    {"body[0]", "null"},
    {"token", "secret"},
    {"token + '!'", "secret!"},
    {"count * 2 + 1", "7"},
    {"missing", "null"},
    {"cart.lines[0].n", "4"},
    {"cart.lines[1]", "5"},
    {"size(cart)", "1"},
    {"token.x", "null"},
    {"json('[1, {\"a\": \"b\"}]')[1].a", "b"},
    {"json(' 12 ')", "12"},
    {"json('{')", "null"},
    {"json('')", "null"},
    {"json('01')", "null"},
    {"json('nul')", "null"},
    {"json('\"\\\\x\"')", "null"},
    {"json('\"\\\\ud800\"')", "\xef\xbf\xbd"},
    {"trim('  a b\\n')", "a b"},
    {"substring('abcdef', 2)", "cdef"},
    {"substring('abcdef', 2, 2)", "cd"},
    {"substring('abcdef', -2)", "ef"},
    {"substring('abcdef', -9, 2)", "ab"},
    {"substring('abc', 5)", ""},
    {"substring('abc', 1, -1)", ""},
    {"replace('a-b-c', '-', '+')", "a+b+c"},
    {"replace('abc', '', 'x')", "abc"},
    {"replace('aaa', 'aa', '')", "a"},
    {"replace('abc', 'd', 'x')", "abc"},
    {"split('a,b,c', ',', 0)", "a"},
    {"split('a,b,c', ',', 2)", "c"},
    {"split('a,b,c', ',', 3)", "null"},
    {"split('', ',', 0)", ""},
    {"matches('session=abc42;', '=[a-z]+\\\\d+;$')", "true"},
    {"matches('abc', '^b')", "false"},
    {"matches('', '^$')", "true"},
    {"matches(token, 'e(c)r')", "true"},
    {"matches(missing, 'x')", "null"},
    {"matches('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', '^(a+)+$')", "null"},
    {"abs(-2.5)", "2.5"},
    {"floor(-2.5)", "-3"},
    {"ceil(2.1)", "3"},
    {"round(2.5)", "3"},
    {"min(3, 1, 2)", "1"},
    {"max(3, count, 9)", "9"},
    {"max(3, missing)", "null"},
    {"between(count, 3, 4)", "true"},
    {"between(count, 4, 9)", "false"},
    {"between(missing, 4, 9)", "null"},
    {"in(token, 'a', 'secret')", "true"},
    {"in(count, 1, '3')", "false"},
    {"coalesce(missing, token)", "secret"},
    {"coalesce(missing, body.none)", "null"},
    {"hex('az')", "617a"},
    {"base64('abcd')", "YWJjZA=="},
    {"base64('')", ""},
    {"base64_decode('YWJjZA==')", "abcd"},
    {"base64_decode('YWJjZA')", "abcd"},
    {"base64_decode('_-8')", "\xff\xef"},
    {"base64_decode('YWJjZ')", "null"},
    {"base64_decode('Y!==')", "null"},
    {"url_encode('a b/\xc3\xa9~')", "a%20b%2F%C3%A9~"},
    {"url_encode(12)", "12"},
    {"url_decode('a+b%2fc%zz%4')", "a b/c%zz%4"},
    {"md5('abc')", "900150983cd24fb0d6963f7d28e17f72"},
    {"sha1('abc')", "a9993e364706816aba3e25717850c26c9cd0d89d"},
    {"sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    /* RFC 4231, test cases 2 and 6 */
    {"hmac_sha256('Jefe', 'what do ya want for nothing?')",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        arena_init(&arena);
        struct value value = run(rows[i].text, PLACE_SAVE, &arena);
        struct squall_bytes text = value_text(&value, &arena);
        if (value.type == VALUE_NULL)
            text = bytes("null");
        if (text.len != strlen(rows[i].value) || memcmp(text.data, rows[i].value, text.len) != 0)
            fail_msg("%s gives '%.*s' instead of '%s'", rows[i].text, (int)text.len, (const char *)text.data,
                     rows[i].value);
        arena_fini(&arena);
    }
}

static void test_places(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    assert_true(run("count > 2 and token != null", PLACE_CONDITION, &arena).boolean);
    assert_true(run("status == 200 and body.items[0].id == 10", PLACE_CHECK, &arena).boolean);
    arena_fini(&arena);
}

static const struct {
    const char *text;
    enum expression_place place;
    uint32_t column;
    const char *error;
} refused[] = {
    {"tokn == 1", PLACE_CHECK, 1, "did you mean `token`?"},
    {"boddy.id == 1", PLACE_CHECK, 1, "did you mean `body.id`?"},
    {"body.", PLACE_CHECK, 5, "this is no path"},
    {"body[x]", PLACE_CHECK, 5, "this is no path"},
    {"body[1", PLACE_CHECK, 5, "this is no path"},
    {"body[12345678901]", PLACE_CHECK, 5, "this is no path"},
    {"body['x]", PLACE_CHECK, 6, "has no end"},
    {"body.id", PLACE_TEMPLATE, 1, "in a check or in save"},
    {"body.id == 1", PLACE_CONDITION, 1, "in a check or in save"},
    {"size(token)", PLACE_CONDITION, 1, "a condition must be true or false"},
    {"matches(token, '(')", PLACE_CHECK, 1, "no regular expression"},
    {"matches(token, token)", PLACE_CHECK, 1, "write a fixed text"},
    {"uuid() == token", PLACE_CHECK, 1, "has no place in a check"},
    {"body.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q == 1", PLACE_CHECK, 37, "the path is too long"},
    {"count()", PLACE_CONDITION, 1, "`count` is not known"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct arena arena;
        const struct expression *expression;
        struct error error = {0};
        uint32_t column = 0;
        arena_init(&arena);
        if (!expression_compile_named(refused[i].text, refused[i].place, &names, &arena, &expression, &column, &error) ||
            column != refused[i].column || !strstr(error.text, refused[i].error))
            fail_msg("%s: %u: %s", refused[i].text, column, error.text);
        arena_fini(&arena);
    }
}

static void test_names_taken(void **state)
{
    (void)state;
    static const char *const taken[] = {"user", "body", "random", "null", "status", "env", "now"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        assert_true(expression_name_taken(taken[i]));
    assert_false(expression_name_taken("token"));
    assert_false(expression_name_taken("use"));
    assert_false(expression_name_taken("size")); /* with parentheses it is the function */
}

/* Every start and every single changed byte of a document: whatever comes back lies within it. */
static void test_any_bytes(void **state)
{
    (void)state;
    static const struct json_step steps[] = {{.kind = JSON_MEMBER, .name = {(const uint8_t *)"items", 5}},
                                             {.kind = JSON_ANY},
                                             {.kind = JSON_MEMBER, .name = {(const uint8_t *)"tags", 4}},
                                             {.kind = JSON_INDEX, .index = -1}};
    static const uint8_t changes[] = {'"', '\\', '{', '}', '[', ']', ',', ':', 0, 0xff};
    size_t len = strlen(BODY);
    struct arena arena;
    arena_init(&arena);
    for (size_t i = 0; i <= len; i++) {
        for (size_t c = 0; c <= sizeof changes; c++) {
            size_t part = c < sizeof changes ? len : i;
            uint8_t *copy = malloc(part + 1); /* of its own size, for the sanitizer */
            copy = realloc(copy, part ? part : 1);
            memcpy(copy, BODY, part);
            if (c < sizeof changes && i < len)
                copy[i] = changes[c];
            for (uint32_t count = 0; count <= 4; count++) {
                struct squall_bytes raw;
                struct value value;
                if (!json_find((struct squall_bytes){copy, part}, steps, count, &raw))
                    continue;
                assert_true(raw.data >= copy && raw.data + raw.len <= copy + part && raw.len > 0);
                json_value(raw, &arena, &value);
                assert_true(json_size(raw) <= (int64_t)part);
            }
            free(copy);
        }
        arena_reset(&arena);
    }
    arena_fini(&arena);
}

static void test_deep(void **state)
{
    (void)state;
    static const struct json_step last = {.kind = JSON_INDEX, .index = 1};
    for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        char text[2 * JSON_DEPTH_MAX + 16] = "[";
        memset(text + 1, '[', depth);
        memset(text + 1 + depth, ']', depth);
        strcpy(text + 1 + 2 * depth, ",5]");
        struct squall_bytes raw;
        assert_int_equal(json_find(bytes(text), &last, 1, &raw), depth <= JSON_DEPTH_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),      cmocka_unit_test(test_places),
                                       cmocka_unit_test(test_refused),     cmocka_unit_test(test_names_taken),
                                       cmocka_unit_test(test_any_bytes),   cmocka_unit_test(test_deep)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
