/* Where redirects lead. The rows from "g" on are those of RFC 3986 5.4, against its base. */
#include "location.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct squall_bytes bytes(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

static const struct {
    const char *reference, *base, *path; /* path NULL: refused */
    bool elsewhere;
} rows[] = {
    {"/x", "/", "/x", false},
    {"/x?y=1#z", "/a?b", "/x?y=1", false},
    {"x", "/", "/x", false},
    {"", "/a?b", "/a?b", false},
    {"#z", "/a?b", "/a?b", false},
    {"http://a.test/x", "/", "/x", false},
    {"HTTP://A.TEST:80/x", "/", "/x", false},
    {"http://a.test", "/q", "/", false},
    {"http://a.test?q=1", "/z/y", "/?q=1", false},
    {"//a.test/x", "/", "/x", false},
    {"//b.test/x", "/", "/x", true},
    {"http://a.test:8080/x", "/", "/x", true},
    {"https://a.test/x", "/", "/x", true},
    {"https://a.test:80/x", "/", "/x", true},
    {"http://user@a.test/x", "/", "/x", true},
    {"ftp://a.test/x", "/", NULL, false},
    {"javascript:alert(1)", "/", NULL, false},
    {"http:x", "/", NULL, false},
    {"http:///x", "/", NULL, false},
    {"//", "/", NULL, false},
    {"/a b", "/", NULL, false},
    {"/a\r\nX: y", "/", NULL, false},
    {"/\xc3\xa4", "/", NULL, false},
    {"g", "/b/c/d;p?q", "/b/c/g", false},
    {"./g", "/b/c/d;p?q", "/b/c/g", false},
    {"g/", "/b/c/d;p?q", "/b/c/g/", false},
    {"/g", "/b/c/d;p?q", "/g", false},
    {"?y", "/b/c/d;p?q", "/b/c/d;p?y", false},
    {"g?y", "/b/c/d;p?q", "/b/c/g?y", false},
    {"#s", "/b/c/d;p?q", "/b/c/d;p?q", false},
    {"g;x=1/./y", "/b/c/d;p?q", "/b/c/g;x=1/y", false},
    {";x", "/b/c/d;p?q", "/b/c/;x", false},
    {".", "/b/c/d;p?q", "/b/c/", false},
    {"./", "/b/c/d;p?q", "/b/c/", false},
    {"..", "/b/c/d;p?q", "/b/", false},
    {"../", "/b/c/d;p?q", "/b/", false},
    {"../g", "/b/c/d;p?q", "/b/g", false},
    {"../..", "/b/c/d;p?q", "/", false},
    {"../../../g", "/b/c/d;p?q", "/g", false},
    {"/./g", "/b/c/d;p?q", "/g", false},
    {"/../g", "/b/c/d;p?q", "/g", false},
    {"g.", "/b/c/d;p?q", "/b/c/g.", false},
    {"..g", "/b/c/d;p?q", "/b/c/..g", false},
    {"./../g", "/b/c/d;p?q", "/b/g", false},
    {"g;x=1/../y", "/b/c/d;p?q", "/b/c/y", false},
    {"g?y/../x", "/b/c/d;p?q", "/b/c/g?y/../x", false},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct location location;
        const char *why =
            location_resolve(bytes(rows[i].reference), false, bytes("a.test"), bytes(rows[i].base), &location);
        if ((why != NULL) != (rows[i].path == NULL))
            fail_msg("\"%s\": %s", rows[i].reference, why ? why : "taken");
        if (why)
            continue;
        if (location.len != strlen(rows[i].path) || memcmp(location.path, rows[i].path, location.len) != 0)
            fail_msg("\"%s\" leads to \"%.*s\", not \"%s\"", rows[i].reference, (int)location.len, location.path,
                     rows[i].path);
        assert_int_equal(location.elsewhere, rows[i].elsewhere);
    }
}

static void test_length(void **state)
{
    (void)state;
    char *text = malloc(LOCATION_PATH_MAX + 2);
    struct location location;
    memset(text, 'x', LOCATION_PATH_MAX + 1);
    text[0] = '/';
    text[LOCATION_PATH_MAX] = '\0';
    assert_null(location_resolve(bytes(text), true, bytes("a.test"), bytes("/"), &location));
    assert_int_equal(location.len, LOCATION_PATH_MAX);
    text[LOCATION_PATH_MAX] = 'x';
    text[LOCATION_PATH_MAX + 1] = '\0';
    assert_non_null(location_resolve(bytes(text), true, bytes("a.test"), bytes("/"), &location));
    assert_non_null(
        location_resolve(bytes(text + 1), true, bytes("a.test"), bytes("/y/"), &location)); /* merged: too long */
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
