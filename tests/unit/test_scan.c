/* What a script's text says of its steps without being run. */
#include "script/scan.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

static const char *const protocols[] = {"web", "bus"};

static const char *shown(const char *text)
{
    static char out[2000];
    struct arena arena;
    struct scan scan;
    size_t len = 0;
    arena_init(&arena);
    scan_script(text, strlen(text), protocols, 2, &arena, &scan);
    out[0] = '\0';
    for (uint32_t i = 0; i < scan.call_count; i++) {
        const struct scan_call *call = &scan.calls[i];
        len += (size_t)snprintf(out + len, sizeof out - len, "%u %s.%s(%s%s) %s @%s\n", call->line, call->protocol, call->word ? call->word : "",
                                call->text ? call->text : "?", call->continues ? ".." : "", call->name ? call->name : "-",
                                call->target ? call->target : "-");
    }
    for (uint32_t i = 0; i < scan.check_count; i++)
        len += (size_t)snprintf(out + len, sizeof out - len, "check %s\n", scan.checks[i]);
    arena_fini(&arena);
    return out;
}

static const struct {
    const char *text, *shown;
} cases[] = {
    {"user.web.get(\"/a\")", "1 web.get(/a) - @-\n"},
    {"user.web.get('/a?p=' .. n, { name = 'list' })", "1 web.get(/a?p=..) list @-\n"},
    {"\n\nweb.get '/a'", "3 web.get(/a) - @-\n"},
    {"user.web('GET /a', { target = \"shop\"; })", "1 web.(GET /a) - @shop\n"},
    {"user.web{ method = 'GET', path = '/a', name = 'x' }", "1 web.(?) x @-\n"},
    {"user.web.post('/a', { headers = { name = 'no' }, json = { target = 'no' }, name = 'yes' })", "1 web.post(/a) yes @-\n"},
    {"web.get(path) web.get('a' + 1) local web = user.web", "1 web.get(?) - @-\n1 web.get(?) - @-\n"},
    {"-- web.get('/comment')\n--[[ web.get('/long') ]] --[==[ ]] web.get('/x') ]==] bus.publish([[a\nb]])", "2 bus.publish(a\nb) - @-\n"},
    {"x = 'web.get(\"/text\")' y = \"it's\" web.get(\"/a\\\"b\\\\c\\n\")", "1 web.get(/a\"b\\c\n) - @-\n"},
    {"web.get('\\065')", "1 web.get(?) - @-\n"},
    {"user.check('is ok', true) check(\"b\", x) check(name, y) check('is ok', z)", "check b\ncheck is ok\n"},
    {"webs.get('/') other.web_get('/')", ""},
    {"web", ""},
    {"web.", ""},
    {"web.get(", "1 web.get(?) - @-\n"},
    {"web.get('", "1 web.get(?) - @-\n"},
    {"web.get([==[", "1 web.get(?) - @-\n"},
};

static void test_calls(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (strcmp(shown(cases[i].text), cases[i].shown) != 0)
            fail_msg("%s\ngives\n%s\nnot\n%s", cases[i].text, shown(cases[i].text), cases[i].shown);
}

static void test_words(void **state)
{
    (void)state;
    struct arena arena;
    struct scan scan;
    const char *text = "local a = { ['x-y'] = 1, body = b.c } -- d\nreturn function(user) end";
    arena_init(&arena);
    scan_script(text, strlen(text), protocols, 2, &arena, &scan);
    static const char *const there[] = {"a", "x-y", "body", "b", "c", "user", "function"}, *const missing[] = {"d", "x", "bod", ""};
    for (size_t i = 0; i < sizeof there / sizeof there[0]; i++)
        assert_true(scan_has(&scan, there[i]));
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        assert_false(scan_has(&scan, missing[i]));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls), cmocka_unit_test(test_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
