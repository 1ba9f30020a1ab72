/*
 * Every name and function of the language: in the table of functions, on the page of the scenario language, and with
 * cases here. A new one without its line there or its cases here fails, and so does a line for one that is gone.
 */
#include "metrics/series.h"
#include "scenario/expression_tree.h"
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

static const char *const names_list[] = {"text", "none"};
static const struct expression_names names = {.list = names_list, .count = 2};

/* Function, expression, and what it gives as it would stand in a text; null as `null`. What is drawn or read from a
 * clock is compared within the expression. `text` is "Ab c", `none` null. */
static const struct {
    const char *name, *expression, *value;
} cases[] = {
    {"status", "status", "404"},
    {"status", "status == 'NOT_FOUND'", "true"},
    {"outcome", "outcome", "rejected"},
    {"latency", "latency == 7ms", "true"},
    {"service", "service < 7ms", "true"},
    {"body", "body", "{\"id\": [4, 5], \"none\": null}"},
    {"body", "body.id[-1]", "5"},
    {"body", "body.other", "null"},
    {"header", "header('eTag')", "w/1"},
    {"header", "header('x-none')", "null"},
    {"cookie", "cookie('ID')", "7"},
    {"cookie", "cookie('none')", "null"},
    {"size", "size(text)", "4"},
    {"size", "size(body.id)", "2"},
    {"size", "size(none)", "null"},
    {"contains", "contains(text, 'b ')", "true"},
    {"contains", "contains(text, 'bc')", "false"},
    {"contains", "contains(none, 'b')", "null"},
    {"starts_with", "starts_with(text, 'Ab')", "true"},
    {"starts_with", "starts_with(text, 'b')", "false"},
    {"ends_with", "ends_with(text, ' c')", "true"},
    {"ends_with", "ends_with(text, 'b')", "false"},
    {"matches", "matches(text, '^[A-Z]b\\\\s')", "true"},
    {"matches", "matches(text, '^b')", "false"},
    {"lower", "lower(text)", "ab c"},
    {"lower", "lower(none)", "null"},
    {"upper", "upper(text)", "AB C"},
    {"trim", "trim(' ' + text + '\\n')", "Ab c"},
    {"substring", "substring(text, 1, 2)", "b "},
    {"substring", "substring(text, -1)", "c"},
    {"replace", "replace(text, 'b', 'xx')", "Axx c"},
    {"split", "split(text, ' ', 1)", "c"},
    {"split", "split(text, ' ', 2)", "null"},
    {"json", "json('[1, 2]')[1]", "2"},
    {"json", "json('[1,')", "null"},
    {"number", "number('12.5') + 1", "13.5"},
    {"number", "number(text)", "null"},
    {"abs", "abs(0 - 2)", "2"},
    {"floor", "floor(2.9)", "2"},
    {"ceil", "ceil(2.1)", "3"},
    {"round", "round(2.4)", "2"},
    {"min", "min(3, 2, 4)", "2"},
    {"max", "max(3, 2, 4)", "4"},
    {"max", "max(3, none)", "null"},
    {"between", "between(9, 1, 9)", "true"},
    {"between", "between(10, 1, 9)", "false"},
    {"in", "in(text, 'x', 'Ab c')", "true"},
    {"in", "in(text, 'x')", "false"},
    {"coalesce", "coalesce(none, text)", "Ab c"},
    {"hex", "hex(text)", "41622063"},
    {"base64", "base64(text)", "QWIgYw=="},
    {"base64_decode", "base64_decode('QWIgYw')", "Ab c"},
    {"base64_decode", "base64_decode('!')", "null"},
    {"url_encode", "url_encode(text)", "Ab%20c"},
    {"url_decode", "url_decode('Ab+%63')", "Ab c"},
    {"md5", "md5('')", "d41d8cd98f00b204e9800998ecf8427e"},
    {"sha1", "sha1('')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    {"sha256", "sha256('')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    /* RFC 4231, test case 2 */
    {"hmac_sha256", "hmac_sha256('Jefe', 'what do ya want for nothing?')",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"user.id", "user.id", "3"},
    {"iteration", "iteration + 1", "6"},
    {"now.s", "now.s > 1700000000", "true"},
    {"now.ms", "now.ms >= 1000 * now.s", "true"},
    {"now.iso", "matches(now.iso, '^2\\\\d{3}-\\\\d\\\\d-\\\\d\\\\dT\\\\d\\\\d:\\\\d\\\\d:\\\\d\\\\dZ$')", "true"},
    {"random.int", "between(random.int(1, 6), 1, 6)", "true"},
    {"random.int", "random.int(user.id, 2)", "null"},
    {"random.float", "between(random.float(1, 2), 1, 2)", "true"},
    {"random.choice", "in(random.choice('a', 'b'), 'a', 'b')", "true"},
    {"random.string", "matches(random.string(8), '^[A-Za-z0-9]{8}$')", "true"},
    {"random.string", "size(random.string(0))", "0"},
    {"uuid", "matches(uuid(), '^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$')", "true"},
};
#define CASES (sizeof cases / sizeof cases[0])

static struct squall_bytes bytes(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

static void test_cases(void **state)
{
    (void)state;
    struct random_stream random;
    const struct squall_pair fields[] = {{.name = bytes("ETag"), .value = bytes("w/1")},
                                         {.name = bytes("cookie.id"), .value = bytes("7")}};
    const struct answer answer = {.outcome = OUTCOME_REJECTED,
                                  .code = 404,
                                  .code_name = "NOT_FOUND",
                                  .latency_ns = 7000000,
                                  .service_ns = 6000000,
                                  .body = bytes("{\"id\": [4, 5], \"none\": null}"),
                                  .fields = fields,
                                  .field_count = 2};
    const struct value variables[] = {{.type = VALUE_STRING, .string = bytes("Ab c")}, {.type = VALUE_NULL}};
    random_init(&random, 1, 3);
    for (size_t i = 0; i < CASES; i++) {
        struct arena arena;
        const struct expression *expression;
        struct error error;
        struct value value;
        uint32_t column;
        arena_init(&arena);
        if (expression_compile_named(cases[i].expression, PLACE_SAVE, &names, &arena, &expression, &column, &error))
            fail_msg("%s: column %u: %s", cases[i].expression, column, error.text);
        const struct eval eval = {.user_id = 3,
                                  .iteration = 5,
                                  .random = &random,
                                  .answer = &answer,
                                  .variables = variables,
                                  .scratch = &arena};
        expression_evaluate(expression, &eval, &value);
        struct squall_bytes text = value.type == VALUE_NULL ? bytes("null") : value_text(&value, &arena);
        if (text.len != strlen(cases[i].value) || memcmp(text.data, cases[i].value, text.len) != 0)
            fail_msg("%s gives %.*s, not %s", cases[i].expression, (int)text.len, (const char *)text.data,
                     cases[i].value);
        arena_fini(&arena);
    }
}

static bool has_case(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < CASES; i++) {
        const char *at = strstr(cases[i].expression, name);
        if (strcmp(cases[i].name, name) == 0 && at && !isalnum((unsigned char)at[len]) && at[len] != '_')
            return true;
    }
    return false;
}

static bool is_function(const char *name, size_t len)
{
    for (uint32_t i = 0; i < expression_function_count; i++)
        if (strlen(expression_functions[i].name) == len && memcmp(expression_functions[i].name, name, len) == 0)
            return true;
    return false;
}

static void test_every_function_has_a_case(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < expression_function_count; i++)
        if (!has_case(expression_functions[i].name))
            fail_msg("%s has no case in this file", expression_functions[i].name);
    for (size_t i = 0; i < CASES; i++)
        if (!is_function(cases[i].name, strlen(cases[i].name)))
            fail_msg("%s is no function, but has a case", cases[i].name);
}

static char *read_page(void)
{
    FILE *file = fopen(SQUALL_SOURCE_DIR "/docs/scenario.md", "rb");
    static char page[1 << 20];
    assert_non_null(file);
    size_t len = fread(page, 1, sizeof page - 1, file);
    fclose(file);
    assert_true(len > 1000 && len < sizeof page - 1);
    page[len] = '\0';
    return page;
}

/* The names in the first cell of a row: "| `lower(text)`, `upper(text)` | ... |". Those of env and secret are no
 * functions. */
static uint32_t check_row(const char *row, const char *end)
{
    uint32_t found = 0;
    const char *cell_end = memchr(row + 1, '|', (size_t)(end - row - 1));
    for (const char *at = row; cell_end && (at = memchr(at, '`', (size_t)(cell_end - at))); at++) {
        const char *close = memchr(at + 1, '`', (size_t)(cell_end - at - 1));
        if (!close)
            fail_msg("a quote is open: %.60s", at);
        size_t len = strspn(at + 1, "abcdefghijklmnopqrstuvwxyz0123456789_.");
        bool outside = strncmp(at + 1, "env.", 4) == 0 || strncmp(at + 1, "secret.", 7) == 0;
        if (!outside && !is_function(at + 1, len))
            fail_msg("docs/scenario.md describes %.*s, which the language does not have", (int)(close - at - 1),
                     at + 1);
        found++;
        at = close;
    }
    return found;
}

/* All three tables behind "In checks and in `save` only". */
static void test_page_names_nothing_else(void **state)
{
    (void)state;
    const char *at = strstr(read_page(), "\nIn checks and in `save` only:");
    assert_non_null(at);
    const char *end = strstr(at, "\n## ");
    uint32_t found = 0;
    for (const char *line = at + 1; line && (!end || line < end);
         line = strchr(line, '\n'), line = line ? line + 1 : NULL)
        if (line[0] == '|' && line[1] == ' ' && line[2] == '`')
            found += check_row(line, strchr(line, '\n'));
    if (found < expression_function_count)
        fail_msg("the page has %u names, the language %u", found, expression_function_count);
}

static void test_page_has_every_usage(void **state)
{
    (void)state;
    const char *page = read_page();
    for (uint32_t i = 0; i < expression_function_count; i++) {
        char quoted[200];
        snprintf(quoted, sizeof quoted, "`%s`", expression_functions[i].usage);
        if (!strstr(page, quoted))
            fail_msg("docs/scenario.md does not name %s", quoted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_every_function_has_a_case),
        cmocka_unit_test(test_page_has_every_usage),
        cmocka_unit_test(test_page_names_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
