/* The expression language: the value of each construct and of each function, and each refusal with its column. */
#include "metrics/series.h"
#include "scenario/expression_tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

static const struct squall_pair fields[] = {
    {.name = {(const uint8_t *)"Content-Type", 12}, .value = {(const uint8_t *)"text/plain", 10}},
    {.name = {(const uint8_t *)"X-Count", 7}, .value = {(const uint8_t *)"17", 2}},
    {.name = {(const uint8_t *)"cookie.id", 9}, .value = {(const uint8_t *)"7", 1}},
};
static const struct answer answer = {.outcome = OUTCOME_REJECTED,
                                     .code = 404,
                                     .code_name = "NOT_FOUND",
                                     .latency_ns = 2500000,
                                     .service_ns = 2000000,
                                     .body = {(const uint8_t *)"Hello, world", 12},
                                     .fields = fields,
                                     .field_count = 3};
static const struct answer no_answer = {.outcome = OUTCOME_TIMED_OUT, .latency_ns = 1000};

static const struct {
    const char *text;
    bool pass;
} checks[] = {
    {"true", true},
    {"false", false},
    {"status == 404", true},
    {"status != 404", false},
    {"404 == status", true},
    {"status == \"NOT_FOUND\"", true},
    {"\"OK\" != status", true},
    {"status >= 400 and status < 500", true},
    {"status < 400 or status == 404", true},
    {"status == 404 and latency < 1h", true}, /* 404 has no unit, and needs none */
    {"latency > 0", true},
    {"not status == 200", true},
    {"not (status == 404)", false},
    {"not not true", true},
    {"outcome == 'rejected'", true},
    {"latency < 3ms", true},
    {"latency > 2.5ms", false},
    {"latency == 2500us", true},
    {"service <= 2ms and latency - service == 500us", true},
    {"body == \"Hello, world\"", true},
    {"size(body) == 12", true},
    {"size(body) < 1KiB", true},
    {"contains(body, 'lo, w')", true},
    {"contains(body, \"\")", true},
    {"contains(body, 'LO')", false},
    {"starts_with(body, 'Hello')", true},
    {"starts_with(body, 'hello')", false},
    {"starts_with('a', 'ab')", false},
    {"ends_with(body, 'world')", true},
    {"ends_with(body, 'word')", false},
    {"lower(body) == 'hello, world'", true},
    {"upper(header('content-type')) == 'TEXT/PLAIN'", true},
    {"header(\"CONTENT-TYPE\") == \"text/plain\"", true},
    {"cookie(\"id\") == \"7\"", true},
    {"cookie(\"x-count\") == null", true},
    {"number(header('x-count')) == 17", true},
    {"number(header('content-type')) == 17", false},
    {"number(' 1') == 1", false},
    {"number('0x10') == 16", false},
    {"number('-1.5e1') == -15", true},
    {"header('missing') == 'x'", false},
    {"header('missing') != 'x'", false},
    {"header('missing') == null", true},
    {"header('x-count') != null", true},
    {"null == null", true},
    {"contains(header('missing'), 'x')", false},
    {"not contains(header('missing'), 'x')", false},
    {"1 + 2 * 3 == 7", true},
    {"(1 + 2) * 3 == 9", true},
    {"7 % 3 == 1", true},
    {"10 / 4 == 2.5", true},
    {"10 - 4 - 3 == 3", true},
    {"-2 * -2 == 4", true},
    {"1 / 0 == 1", false},
    {"1 % 0 == 1", false},
    {"1 / 0 == null", true},
    {"'a' + 'b' == 'ab'", true},
    {"'a' < 'b' and 'a' < 'aa'", true},
    {"'a\\n\\t\\\\\\'\\\"' == \"a\\n\\t\\\\'\\\"\"", true},
    {"1% == 0.01", true},
    {"10k == 10_000", true},
    {"1m30s == 90s", true},
    {"1h == 60m", true},
    {"true == (1 < 2)", true},
    {"true or false and false", true},
    {"user.id == 3 and iteration == 5", true},
    {"now.s > 1600000000 and now.ms > now.s", true},
    {"starts_with(now.iso, '20') and size(now.iso) == 20", true},
    {"env.SQUALL_TEST == 'here'", true},
    {"secret.SQUALL_TEST == 'here'", true},
};

static struct random_stream stream;

static struct eval eval_with(const struct answer *with, struct arena *arena)
{
    return (struct eval){.user_id = 3, .iteration = 5, .random = &stream, .answer = with, .scratch = arena};
}

static struct value run(const char *text, enum expression_place place, const struct answer *with, struct arena *arena)
{
    const struct expression *expression;
    struct error error;
    uint32_t column;
    struct value value;
    struct eval eval = eval_with(with, arena);
    if (expression_compile(text, place, arena, &expression, &column, &error))
        fail_msg("'%s': column %u: %s", text, column, error.text);
    expression_evaluate(expression, &eval, &value);
    return value;
}

static void test_checks(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        struct arena arena;
        arena_init(&arena);
        struct value value = run(checks[i].text, PLACE_CHECK, &answer, &arena);
        bool pass = value.type == VALUE_BOOL && value.boolean;
        if (pass != checks[i].pass)
            fail_msg("'%s' is %s", checks[i].text, pass ? "true" : "not true");
        arena_fini(&arena);
    }
}

/* An exchange without an answer: every part of it is null, and no comparison with it holds. */
static void test_no_answer(void **state)
{
    static const struct {
        const char *text;
        bool pass;
    } rows[] = {{"status == 0", false},        {"status < 400", false},   {"status != 200", false},
                {"status == 'OK'", false},     {"status == null", true},  {"outcome == 'timed_out'", true},
                {"body == ''", true},          {"size(body) == 0", true}, {"contains(body, 'x')", false},
                {"header('a') == null", true}, {"latency == 1us", true}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        arena_init(&arena);
        struct value value = run(rows[i].text, PLACE_CHECK, &no_answer, &arena);
        if ((value.type == VALUE_BOOL && value.boolean) != rows[i].pass)
            fail_msg("'%s'", rows[i].text);
        arena_fini(&arena);
    }
}

static const struct {
    const char *text;
    uint32_t column;
    const char *error;
} refused[] = {
    {"", 1, "ends too early"},
    {"status ==", 10, "ends too early"},
    {"status = 200", 8, "write =="},
    {"status == 200 && true", 15, "write and"},
    {"true || true", 6, "write or"},
    {"!true", 1, "write not"},
    {"body =~ 'x'", 6, "contains"},
    {"stauts == 200", 1, "did you mean `status`"},
    {"status == OK", 11, "`OK` is not known"},
    {"status 200", 8, "stands where the expression should end"},
    {"status == 200)", 14, "')'"},
    {"(status == 200", 1, "has no )"},
    {"status == 'OK", 11, "has no end"},
    {"status == 'a\\q'", 13, "'\\q' means nothing"},
    {"latency < 10parsecs", 11, "'10parsecs' is not a number"},
    {"latency < 'x'", 9, "cannot join a number and a text"},
    {"latency < 12", 9, "write 12ms, 12s or 12us"},
    {"0.5 > service", 5, "write 0.5ms"},
    {"status == '200'", 8, "write 200 without quotes"},
    {"status == true", 8, "cannot join"},
    {"status and true", 8, "cannot join"},
    {"status", 1, "a check must be true or false"},
    {"'text'", 1, "a check must be true or false"},
    {"not status", 1, "`not` needs true or false"},
    {"-body == 1", 1, "`-` needs a number"},
    {"1 < 2 < 3", 7, "cannot join"},
    {"true < false", 6, "cannot join"},
    {"1 + 'a' == 2", 3, "cannot join"},
    {"size == 1", 1, "needs parentheses; write size(text)"},
    {"status() == 1", 1, "takes no parentheses"},
    {"size(1) == 1", 6, "`size` takes a text here, not a number"},
    {"size() == 1", 1, "write size(text)"},
    {"size(body, body) == 1", 1, "write size(text)"},
    {"contains(body) ", 1, "write contains(text, \"part\")"},
    {"contains(body, ) ", 16, "stands where a value should"},
    {"random.int(1, 2) == 1", 1, "no place in a check"},
    {"env.SQUALL_NOT_SET == 'x'", 1, "is not set"},
    {"secret.SQUALL_NOT_SET == 'x'", 1, "is not in the environment"},
    {"status == #", 11, "means nothing here"},
    {"status == \xc3\xa9", 11, "'\xc3\xa9' means nothing here"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct arena arena;
        struct error error = {0};
        const struct expression *expression;
        uint32_t column = 0;
        arena_init(&arena);
        if (expression_compile(refused[i].text, PLACE_CHECK, &arena, &expression, &column, &error) != -1)
            fail_msg("'%s' was taken", refused[i].text);
        if (!strstr(error.text, refused[i].error) || column != refused[i].column)
            fail_msg("'%s': column %u, '%s' instead of column %u, '%s'", refused[i].text, column, error.text,
                     refused[i].column, refused[i].error);
        arena_fini(&arena);
    }
}

static void test_answers_only_in_checks(void **state)
{
    (void)state;
    struct arena arena;
    struct error error = {0};
    const struct expression *expression;
    uint32_t column = 0;
    arena_init(&arena);
    assert_int_equal(expression_compile("1 + status", PLACE_TEMPLATE, &arena, &expression, &column, &error), -1);
    assert_int_equal(column, 5);
    assert_non_null(strstr(error.text, "in a check"));
    arena_fini(&arena);
}

static void test_random(void **state)
{
    (void)state;
    struct arena arena;
    uint32_t seen = 0;
    arena_init(&arena);
    for (int i = 0; i < 200; i++) {
        struct value value = run("random.int(1, 6)", PLACE_TEMPLATE, NULL, &arena);
        assert_true(value.number >= 1 && value.number <= 6 && value.number == (double)(int)value.number);
        seen |= 1u << (int)value.number;
        value = run("random.float(2, 3)", PLACE_TEMPLATE, NULL, &arena);
        assert_true(value.number >= 2 && value.number < 3);
        value = run("random.choice('a', 'b', 3)", PLACE_TEMPLATE, NULL, &arena);
        assert_true(value.type == VALUE_NUMBER ? value.number == 3
                                               : value.string.data[0] == 'a' || value.string.data[0] == 'b');
        value = run("random.string(8)", PLACE_TEMPLATE, NULL, &arena);
        assert_int_equal(value.string.len, 8);
    }
    assert_int_equal(seen, 0x7e);
    assert_int_equal(run("random.int(5, user.id)", PLACE_TEMPLATE, NULL, &arena).type, VALUE_NULL);
    assert_int_equal(run("random.int(-1, 1 / 0)", PLACE_TEMPLATE, NULL, &arena).type, VALUE_NULL);
    assert_int_equal(run("random.string(0 - user.id)", PLACE_TEMPLATE, NULL, &arena).type, VALUE_NULL);
    assert_int_equal(run("random.string(1G * user.id)", PLACE_TEMPLATE, NULL, &arena).type, VALUE_NULL);
    arena_fini(&arena);
}

static void test_uuid(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    struct value first = run("uuid()", PLACE_TEMPLATE, NULL, &arena),
                 second = run("uuid()", PLACE_TEMPLATE, NULL, &arena);
    assert_int_equal(first.string.len, 36);
    assert_int_equal(first.string.data[14], '4');
    assert_non_null(strchr("89ab", first.string.data[19]));
    assert_int_not_equal(memcmp(first.string.data, second.string.data, 36), 0);
    arena_fini(&arena);
}

/* The same seed gives the same texts: a run can be repeated. */
static void test_seeded(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    random_init(&stream, 7, 1);
    struct value first = run("random.string(20)", PLACE_TEMPLATE, NULL, &arena);
    random_init(&stream, 7, 1);
    struct value second = run("random.string(20)", PLACE_TEMPLATE, NULL, &arena);
    assert_memory_equal(first.string.data, second.string.data, 20);
    arena_fini(&arena);
}

static void test_constant_and_wants(void **state)
{
    static const struct {
        const char *text;
        bool constant;
        uint64_t wants;
    } rows[] = {
        {"1 + 2 == 3", true, 0},
        {"upper('a') == 'A'", true, 0},
        {"env.SQUALL_TEST == 'x'", true, 0},
        {"status == 200", false, 0},
        {"size(body) > 0", false, SQUALL_WANT_BODY},
        {"header('a') == 'b'", false, SQUALL_WANT_FIELDS},
        {"contains(lower(body), header('a'))", false, SQUALL_WANT_BODY | SQUALL_WANT_FIELDS},
        {"now.s == 1", false, 0},
        {"user.id == 1", false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arena arena;
        struct error error;
        const struct expression *expression;
        uint32_t column;
        arena_init(&arena);
        assert_int_equal(expression_compile(rows[i].text, PLACE_CHECK, &arena, &expression, &column, &error), 0);
        assert_int_equal(expression_constant(expression), rows[i].constant);
        assert_int_equal(expression_wants(expression), rows[i].wants);
        arena_fini(&arena);
    }
}

/* Depth and length are bounded: no input makes the compiler or the evaluator run out of stack. */
static void test_bounds(void **state)
{
    static const char *const units[] = {"(", "not ", "-", "1 + ", "size(", "1 == "};
    (void)state;
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        struct arena arena;
        struct error error = {0};
        const struct expression *expression;
        uint32_t column;
        size_t len = strlen(units[u]), count = 20000;
        char *text = malloc(len * count + 2);
        for (size_t i = 0; i < count; i++)
            memcpy(text + i * len, units[u], len);
        strcpy(text + len * count, "1");
        arena_init(&arena);
        assert_int_equal(expression_compile(text, PLACE_TEMPLATE, &arena, &expression, &column, &error), -1);
        arena_fini(&arena);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks),  cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_random),
        cmocka_unit_test(test_uuid),    cmocka_unit_test(test_answers_only_in_checks),
        cmocka_unit_test(test_seeded),  cmocka_unit_test(test_constant_and_wants),
        cmocka_unit_test(test_bounds),
    };
    setenv("SQUALL_TEST", "here", 1);
    unsetenv("SQUALL_NOT_SET");
    random_init(&stream, 1, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
