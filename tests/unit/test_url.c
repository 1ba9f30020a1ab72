/* URLs of targets: what each part is, and that anything else is refused with what to write. */
#include "scenario/scenario.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

static const struct {
    const char *text, *scheme, *authority, *host, *path;
    uint16_t port;
    const char *fragment; /* NULL: none */
} good[] = {
    {"web://127.0.0.1:8080", "web", "127.0.0.1:8080", "127.0.0.1", "", 8080, NULL},
    {"WEB://example.org", "web", "example.org", "example.org", "", 0, NULL},
    {"web://[::1]:50051/a/b?c=d", "web", "[::1]:50051", "::1", "/a/b?c=d", 50051, NULL},
    {"web://[::1]", "web", "[::1]", "::1", "", 0, NULL},
    {"web://host?q=1", "web", "host", "host", "?q=1", 0, NULL},
    {"web://host:1/p#fragment", "web", "host:1", "host", "/p", 1, "#fragment"},
    {"web://host:65535/", "web", "host:65535", "host", "/", 65535, NULL},
    {"a+b-c.1://h_1", "a+b-c.1", "h_1", "h_1", "", 0, NULL},
    {"web://h/${random.int(1, 9)}#x", "web", "h", "h", "/${random.int(1, 9)}", 0, "#x"},
};

static const struct {
    const char *text, *error;
} bad[] = {
    {"", "is not a URL"},
    {"host:80", "is not a URL"},
    {"//host", "is not a URL"},
    {"1x://host", "is not a URL"},
    {"web:/host", "is not a URL"},
    {"web://", "no valid host"},
    {"web://:80", "no valid host"},
    {"web://ho st", "no valid host"},
    {"web://user:pw@host", "user name"},
    {"web://host:", "no valid port"},
    {"web://host:0", "no valid port"},
    {"web://host:65536", "no valid port"},
    {"web://host:80a", "no valid port"},
    {"web://host:999999", "no valid port"},
    {"web://[::1", "does not close"},
    {"web://[::1]80", "between ']'"},
    {"web://[]", "no valid host"},
    {"web://[g::1]", "no valid host"},
    {"web://host/a b", "space"},
    {"web://host/a\nb", "control"},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct arena arena;
        struct error error;
        struct url url;
        arena_init(&arena);
        assert_int_equal(url_parse(good[i].text, &arena, &url, &error), 0);
        assert_string_equal(url.scheme, good[i].scheme);
        assert_string_equal(url.authority, good[i].authority);
        assert_string_equal(url.host, good[i].host);
        assert_string_equal(url.path, good[i].path);
        assert_int_equal(url.port, good[i].port);
        assert_string_equal(url.fragment, good[i].fragment ? good[i].fragment : "");
        arena_fini(&arena);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena arena;
        struct error error = {0};
        struct url url = {.port = 7};
        arena_init(&arena);
        if (url_parse(bad[i].text, &arena, &url, &error) != -1 || !strstr(error.text, bad[i].error))
            fail_msg("'%s': '%s' does not hold '%s'", bad[i].text, error.text, bad[i].error);
        assert_non_null(strstr(error.text, "; "));
        assert_int_equal(url.port, 7); /* untouched */
        arena_fini(&arena);
    }
}

static void test_host_length(void **state)
{
    (void)state;
    char text[400] = "web://";
    struct arena arena;
    struct error error;
    struct url url;
    arena_init(&arena);
    memset(text + 6, 'a', 253);
    assert_int_equal(url_parse(text, &arena, &url, &error), 0);
    text[6 + 253] = 'a';
    assert_int_equal(url_parse(text, &arena, &url, &error), -1);
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                       cmocka_unit_test(test_host_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
