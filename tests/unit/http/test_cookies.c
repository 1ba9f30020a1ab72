/* Cookies: what is kept, what is sent where, dates. Rows by RFC 6265. */
#include "cookies.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000

static struct squall_bytes bytes(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

static struct cookie_place place(const char *host, const char *path, bool secure)
{
    return (struct cookie_place){bytes(host), bytes(path), secure, NOW};
}

static void set(struct cookies *cookies, const char *host, const char *path, const char *field)
{
    struct cookie_place at = place(host, path, true);
    char *copy = strdup(field); /* of its own, so that a kept pointer is seen */
    assert_int_equal(cookies_set(cookies, &at, bytes(copy), bytes("Sun, 06 Nov 1994 08:49:37 GMT")), 0);
    free(copy);
}

static void assert_sent(const struct cookies *cookies, struct cookie_place at, const char *expected)
{
    char out[COOKIES_MAX * (COOKIE_BYTES_MAX + 4)];
    uint64_t size = cookies_size(cookies, &at), len = cookies_write(cookies, &at, (uint8_t *)out);
    out[len] = '\0';
    assert_int_equal(size, len);
    assert_string_equal(out, expected);
}

static void test_fields(void **state)
{
    static const struct {
        const char *host, *path, *field; /* set there */
        const char *to_host, *to_path;
        bool secure;
        const char *sent;
    } rows[] = {
        {"a.test", "/", "id=1", "a.test", "/", false, "id=1"},
        {"a.test", "/", " id = a b ; Path = / ", "A.TEST", "/x?y", false, "id=a b"},
        {"a.test", "/", "id=\"q\"", "a.test", "/", false, "id=\"q\""},
        {"a.test", "/", "id=", "a.test", "/", false, "id="},
        {"a.test", "/", "id", "a.test", "/", false, ""},
        {"a.test", "/", "=1", "a.test", "/", false, ""},
        {"a.test", "/", "", "a.test", "/", false, ""},
        {"a.test", "/", "id=1", "b.a.test", "/", false, ""}, /* host only */
        {"a.test", "/", "id=1; Domain=a.test", "b.a.test", "/", false, "id=1"},
        {"a.test", "/", "id=1; domain=.A.test", "b.a.test", "/", false, "id=1"},
        {"a.test", "/", "id=1; Domain=a.test", "ba.test", "/", false, ""},
        {"b.a.test", "/", "id=1; Domain=a.test", "a.test", "/", false, "id=1"},
        {"a.test", "/", "id=1; Domain=b.a.test", "b.a.test", "/", false, ""}, /* not its own */
        {"a.test", "/", "id=1; Domain=test", "a.test", "/", false, ""},
        {"localhost", "/", "id=1; Domain=localhost", "localhost", "/", false, "id=1"},
        {"127.0.0.1", "/", "id=1; Domain=127.0.0.1", "127.0.0.1", "/", false, "id=1"},
        {"127.0.0.1", "/", "id=1; Domain=0.0.1", "127.0.0.1", "/", false, ""},
        {"a.test", "/", "id=1; Domain=", "b.a.test", "/", false, ""},
        {"a.test", "/a/b", "id=1", "a.test", "/a", false, "id=1"}, /* default path /a */
        {"a.test", "/a/b", "id=1", "a.test", "/a/c", false, "id=1"},
        {"a.test", "/a/b", "id=1", "a.test", "/ab", false, ""},
        {"a.test", "/a/b?x=/y/z", "id=1", "a.test", "/", false, ""},
        {"a.test", "/a", "id=1", "a.test", "/", false, "id=1"},
        {"a.test", "/a", "id=1; Path=b", "a.test", "/", false, "id=1"}, /* no path: the default */
        {"a.test", "/", "id=1; Path=/x/", "a.test", "/x/y", false, "id=1"},
        {"a.test", "/", "id=1; Path=/x/", "a.test", "/x", false, ""},
        {"a.test", "/", "id=1; Secure", "a.test", "/", false, ""},
        {"a.test", "/", "id=1; SECURE; HttpOnly; SameSite=Lax", "a.test", "/", true, "id=1"},
        {"a.test", "/", "id=1; Max-Age=1", "a.test", "/", false, "id=1"},
        {"a.test", "/", "id=1; Max-Age=0", "a.test", "/", false, ""},
        {"a.test", "/", "id=1; Max-Age=-5", "a.test", "/", false, ""},
        {"a.test", "/", "id=1; Max-Age=x", "a.test", "/", false, "id=1"},
        {"a.test", "/", "id=1; Max-Age=99999999999999999999999999", "a.test", "/", false, "id=1"},
        {"a.test", "/", "id=1; Expires=Sun, 06 Nov 1994 08:49:38 GMT", "a.test", "/", false, "id=1"},
        {"a.test", "/", "id=1; Expires=Sun, 06 Nov 1994 08:49:37 GMT", "a.test", "/", false, ""},
        {"a.test", "/", "id=1; Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "a.test", "/", false, "id=1"},
        {"a.test", "/", "id=1; Expires=never", "a.test", "/", false, "id=1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cookies cookies = {0};
        set(&cookies, rows[i].host, rows[i].path, rows[i].field);
        print_message("row %zu: %s\n", i, rows[i].field);
        assert_sent(&cookies, place(rows[i].to_host, rows[i].to_path, rows[i].secure), rows[i].sent);
        cookies_fini(&cookies);
    }
}

static void test_order_and_replacement(void **state)
{
    (void)state;
    struct cookies cookies = {0};
    set(&cookies, "a.test", "/", "one=1; Path=/");
    set(&cookies, "a.test", "/", "deep=2; Path=/x/y");
    set(&cookies, "a.test", "/", "two=3; Path=/");
    set(&cookies, "a.test", "/", "one=4; Path=/"); /* keeps its place */
    set(&cookies, "a.test", "/", "one=5; Path=/x");
    assert_sent(&cookies, place("a.test", "/x/y/z", false), "deep=2; one=5; one=4; two=3");
    set(&cookies, "a.test", "/", "one=; Path=/; Max-Age=0");
    assert_sent(&cookies, place("a.test", "/", false), "two=3");
    cookies_fini(&cookies);
}

static void test_expiry(void **state)
{
    (void)state;
    struct cookies cookies = {0};
    struct cookie_place later = place("a.test", "/", false);
    set(&cookies, "a.test", "/", "a=1; Max-Age=60");
    set(&cookies, "a.test", "/", "b=1; Expires=Sun, 06 Nov 1994 08:51:37 GMT");
    set(&cookies, "a.test", "/", "c=1");
    later.now_s = NOW + 60;
    assert_sent(&cookies, later, "b=1; c=1");
    later.now_s = NOW + 120;
    assert_sent(&cookies, later, "c=1");
    cookies_fini(&cookies);
    /* Without the server's clock a date long ago deletes, and any other lasts. */
    struct cookie_place at = place("a.test", "/", false);
    cookies_set(&cookies, &at, bytes("a=1; Expires=Thu, 01 Jan 1970 00:00:01 GMT"), bytes(""));
    cookies_set(&cookies, &at, bytes("b=1; Expires=Thu, 01 Jan 2015 00:00:01 GMT"), bytes(""));
    assert_sent(&cookies, at, "b=1");
    cookies_fini(&cookies);
}

static void test_bounds(void **state)
{
    (void)state;
    struct cookies cookies = {0};
    char field[COOKIE_BYTES_MAX + 10];
    for (int i = 0; i < COOKIES_MAX + 3; i++) {
        snprintf(field, sizeof field, "c%d=1", i);
        set(&cookies, "a.test", "/", field);
    }
    assert_int_equal(cookies.count, COOKIES_MAX);
    char out[COOKIES_MAX * 8];
    struct cookie_place at = place("a.test", "/", false);
    uint64_t len = cookies_write(&cookies, &at, (uint8_t *)out);
    assert_true(len < sizeof out);
    assert_memory_equal(out, "c3=1; c4=1", 10); /* the first three made room */
    memset(field, 'x', sizeof field);
    field[0] = 'n';
    field[1] = '=';
    field[COOKIE_BYTES_MAX + 1] = '\0';
    set(&cookies, "b.test", "/", field);
    assert_int_equal(cookies_size(&cookies, &(struct cookie_place){bytes("b.test"), bytes("/"), false, NOW}),
                     COOKIE_BYTES_MAX + 1);
    field[COOKIE_BYTES_MAX + 1] = 'x';
    field[COOKIE_BYTES_MAX + 2] = '\0';
    set(&cookies, "d.test", "/", field);
    assert_int_equal(cookies_size(&cookies, &(struct cookie_place){bytes("d.test"), bytes("/"), false, NOW}), 0);
    cookies_fini(&cookies);
}

static void test_dates(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } rows[] = {
        {"Sun, 06 Nov 1994 08:49:37 GMT", 784111777}, /* the three shapes of RFC 9110 5.6.7 */
        {"Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
        {"Sun Nov  6 08:49:37 1994", 784111777},
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Tue, 29 Feb 2000 12:00:00 GMT", 951825600},
        {"1 mar 2100 0:0:0", 4107542400},
        {"01 Jan 69 00:00:00", 3124224000},
        {"01 Jan 1900 00:00:00", 0},
        {"01 Jan 1600 00:00:00", -1},
        {"", -1},
        {"never", -1},
        {"32 Jan 2000 00:00:00", -1},
        {"01 Jan 2000 24:00:00", -1},
        {"01 Jan 2000 00:60:00", -1},
        {"01 Jan 2000", -1},
        {"Jan 2000 00:00:00", -1},
        {"01 Foo 2000 00:00:00", -1},
        {"01 Jan 20000 00:00:00", -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t seconds = cookie_date(bytes(rows[i].text));
        if (seconds != rows[i].seconds)
            fail_msg("\"%s\": %lld, not %lld", rows[i].text, (long long)seconds, (long long)rows[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fields), cmocka_unit_test(test_order_and_replacement),
                                       cmocka_unit_test(test_expiry), cmocka_unit_test(test_bounds),
                                       cmocka_unit_test(test_dates)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
