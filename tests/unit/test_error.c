/* Error texts, suggestions, the order of exit codes, log levels. */
#include "base/error.h"
#include "base/log.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void test_texts(void **state)
{
    (void)state;
    struct error error;
    char lengthy[3000];
    memset(lengthy, 'x', sizeof(lengthy));
    lengthy[sizeof(lengthy) - 1] = '\0';
    assert_int_equal(error_set(&error, "no %s", "file"), -1);
    assert_int_equal(error.exit_code, EXIT_CODE_USAGE);
    assert_int_equal(error_prefix(&error, "line %d", 3), -1);
    assert_string_equal(error.text, "line 3: no file");
    assert_int_equal(error_set(&error, "again: %s", error.text), -1);
    assert_string_equal(error.text, "again: line 3: no file");
    assert_int_equal(error_set_code(&error, EXIT_CODE_INTERNAL, "bad"), -1);
    assert_int_equal(error_prefix(&error, "here"), -1);
    assert_int_equal(error.exit_code, EXIT_CODE_INTERNAL);
    error_set(&error, "%s", lengthy);
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
    error_prefix(&error, "%s", "p");
    assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
    assert_memory_equal(error.text, "p: xx", 5);
    error_prefix(&error, "%s", lengthy);
    assert_true(strlen(error.text) < sizeof(error.text));
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"users", "duration", "rate", "connections", "timeout", "warmup", NULL, "http"};
    static const struct {
        const char *word, *nearest;
    } rows[] = {
        {"user", "users"}, {"usres", "users"},  {"durations", "duration"}, {"Duration", "duration"}, {"rat", "rate"}, {"tiemout", "timeout"},
        {"conn", "connections"}, {"conections", "connections"}, {"htpt", "http"}, {"rate", "rate"}, {"zzzz", NULL}, {"", NULL}, {"r", NULL}, {"us", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *nearest = error_nearest(rows[i].word, names, sizeof(names) / sizeof(names[0]), sizeof(names[0]));
        if (!nearest != !rows[i].nearest || (nearest && strcmp(nearest, rows[i].nearest) != 0))
            fail_msg("\"%s\": %s", rows[i].word, nearest ? nearest : "none");
    }
    static const struct {
        const char *name;
        int other[3];
    } table[] = {{"alpha", {0}}, {"beta", {0}}};
    assert_string_equal(error_nearest("bata", &table[0].name, 2, sizeof(table[0])), "beta");
    char lengthy[200];
    memset(lengthy, 'a', sizeof(lengthy));
    lengthy[sizeof(lengthy) - 1] = '\0';
    assert_null(error_nearest(lengthy, names, 6, sizeof(names[0])));
}

static void test_exit_codes(void **state)
{
    (void)state;
    static const enum exit_code order[] = {EXIT_CODE_INTERNAL,    EXIT_CODE_USAGE,     EXIT_CODE_UNREACHABLE, EXIT_CODE_INVALID,
                                           EXIT_CODE_INTERRUPTED, EXIT_CODE_UNTRUSTED, EXIT_CODE_THRESHOLD,   EXIT_CODE_OK};
    size_t count = sizeof(order) / sizeof(order[0]);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++)
            assert_int_equal(exit_code_worst(order[i], order[j]), order[i < j ? i : j]);
    }
    assert_int_equal(EXIT_CODE_INTERRUPTED, 130);
}

static void test_log_levels(void **state)
{
    (void)state;
    enum log_level level = LOG_ERROR;
    assert_int_equal(log_level_parse("debug", &level), 0);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_parse("loud", &level), -1);
    assert_int_equal(level, LOG_DEBUG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_nearest), cmocka_unit_test(test_exit_codes),
                                       cmocka_unit_test(test_log_levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
