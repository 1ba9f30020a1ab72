/* What is secret is taken out of texts in each form that it may have there, and nothing else is. */
#include "base/secret.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

#define LINES "# comment\n\nPLAIN=hunter22\nODD=a \"b\"/ä+%41\r\nLONG=correct horse battery\nPIN=123\nEMPTY=\n"

static const char *shown(const char *text)
{
    static char copy[1000];
    snprintf(copy, sizeof copy, "%s", text);
    return secret_hide_text(copy);
}

static void test_get(void **state)
{
    (void)state;
    struct error error;
    const char *value;
    assert_int_equal(secrets_define(LINES, "f", &error), 0);
    setenv("PLAIN", "not this one", 1);
    setenv("ELSEWHERE", "from outside", 1);
    assert_int_equal(secret_get("PLAIN", &value, &error), 0);
    assert_string_equal(value, "hunter22");
    assert_int_equal(secret_get("ELSEWHERE", &value, &error), 0);
    assert_string_equal(value, "from outside");
    assert_int_equal(secret_get("ODD", &value, &error), 0);
    assert_string_equal(value, "a \"b\"/ä+%41");
    assert_int_equal(secret_get("LONG", &value, &error), 0);
    assert_int_equal(secret_get("PIN", &value, &error), -1);
    assert_non_null(strstr(error.text, "has 3 bytes"));
    assert_int_equal(secret_get("EMPTY", &value, &error), -1);
    assert_int_equal(secret_get("NOT_SET_ANYWHERE", &value, &error), -1);
    assert_non_null(strstr(error.text, "--secrets FILE"));
    assert_int_equal(secrets_define("A=1234\nno secret\n", "f", &error), -1);
    assert_non_null(strstr(error.text, "f:2: this is no secret"));
    for (int i = 0; i < 100; i++) /* the same one again takes no more room */
        assert_int_equal(secret_get("PLAIN", &value, &error), 0);
}

static const struct {
    const char *text, *shown;
} cases[] = {
    {"hunter22", "***"},
    {"a=hunter22&b=hunter22", "a=***&b=***"},
    {"hunter2", "hunter2"},
    {"hunter2hunter22", "hunter2***"},
    {"correct%20horse%20battery", "***"},
    {"correct+horse+battery", "***"},
    {"%63orrect horse%20battery!", "***!"},
    {"a%20%22b%22%2F%c3%A4%2b%2541", "***"},
    {"{\"x\": \"a \\\"b\\\"\\/\\u00e4+%41\"}", "{\"x\": \"***\"}"},
    {"a \\x22b\\x22/\\xc3\\xa4+%41", "***"},
    {"68756e7465723232", "***"},
    {"68756E7465723232.", "***."},
    /* base64 of it alone, then behind 5, 6 and 7 bytes, then of the alphabet for URLs */
    {"aHVudGVyMjI=", "***"},
    {"Basic dXNlcjpodW50ZXIyMg==", "Basic dXNlcj***"},
    {"dXNlcjI6aHVudGVyMjI", "dXNlcjI6***"},
    {"dXNlcjIyOmh1bnRlcjIyeA==", "dXNlcjIyO***A=="},
    {"YSAiYiIvw6QrJTQx", "***"},
    {"YSAiYiIvw6QrJTQx%3D", "***%3D"},
    {"nothing of it, 100 % + \\ \"", "nothing of it, 100 % + \\ \""},
    {"\\", "\\"},
    {"%", "%"},
    {"\\u00", "\\u00"},
    {"", ""},
};

static void test_hide(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(shown(cases[i].text), cases[i].shown) != 0)
            fail_msg("'%s' is shown as '%s' instead of '%s'", cases[i].text, shown(cases[i].text), cases[i].shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_get), cmocka_unit_test(test_hide)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
