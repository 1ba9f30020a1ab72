/* The request writer: what is written for which parts, within the size that was promised, and what is refused. */
#include "h1_scan.h"
#include "h1_write.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAIRS 4

struct parts {
    const char *method, *path, *body;
    const char *names[PAIRS], *values[PAIRS];
};

static struct squall_bytes bytes_of(const char *text)
{
    return (struct squall_bytes){.data = (const uint8_t *)text, .len = text != NULL ? strlen(text) : 0};
}

static struct squall_map map_of(const struct parts *parts, struct squall_pair *pairs)
{
    uint64_t count = 0;
    for (; count < PAIRS && parts->names[count] != NULL; count++)
        pairs[count] =
            (struct squall_pair){.name = bytes_of(parts->names[count]), .value = bytes_of(parts->values[count])};
    return (struct squall_map){.pairs = pairs, .count = count};
}

#define DEFAULTS "Host: h:8080\r\nUser-Agent: agent/1\r\nAccept: */*\r\n"

static const struct {
    struct parts parts;
    const char *expected;
} written[] = {
    {{"GET", "/x?y=z", "", {0}, {0}}, "GET /x?y=z HTTP/1.1\r\n" DEFAULTS "\r\n"},
    {{"GET", "", "", {0}, {0}}, "GET / HTTP/1.1\r\n" DEFAULTS "\r\n"},
    {{"GET", "?q", "", {0}, {0}}, "GET /?q HTTP/1.1\r\n" DEFAULTS "\r\n"},
    {{"OPTIONS", "*", "", {0}, {0}}, "OPTIONS * HTTP/1.1\r\n" DEFAULTS "\r\n"},
    {{"POST", "/", "", {0}, {0}}, "POST / HTTP/1.1\r\n" DEFAULTS "Content-Length: 0\r\n\r\n"},
    {{"PUT", "/", "", {0}, {0}}, "PUT / HTTP/1.1\r\n" DEFAULTS "Content-Length: 0\r\n\r\n"},
    {{"PATCH", "/", "12345678901", {0}, {0}}, "PATCH / HTTP/1.1\r\n" DEFAULTS "Content-Length: 11\r\n\r\n12345678901"},
    {{"GET", "/", "b", {0}, {0}}, "GET / HTTP/1.1\r\n" DEFAULTS "Content-Length: 1\r\n\r\nb"},
    {{"CONNECT", "a.b:443", "", {0}, {0}},
     "CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\nUser-Agent: agent/1\r\nAccept: */*\r\n\r\n"},
    {{"GET", "/", "", {"X-A", "x-b"}, {"1", ""}}, "GET / HTTP/1.1\r\n" DEFAULTS "X-A: 1\r\nx-b: \r\n\r\n"},
    {{"GET", "/", "", {"X", "host"}, {"1", "other"}},
     "GET / HTTP/1.1\r\nhost: other\r\nUser-Agent: agent/1\r\nAccept: */*\r\nX: 1\r\n\r\n"},
    {{"GET", "/", "", {"USER-AGENT", "accept"}, {"me", "text/html"}},
     "GET / HTTP/1.1\r\nHost: h:8080\r\nUSER-AGENT: me\r\naccept: text/html\r\n\r\n"},
    {{"GET", "/", "", {"Cookie", "Cookie"}, {"a", "b"}},
     "GET / HTTP/1.1\r\n" DEFAULTS "Cookie: a\r\nCookie: b\r\n\r\n"},
    {{"POST", "/", "abc", {"content-length"}, {"3"}}, "POST / HTTP/1.1\r\n" DEFAULTS "Content-Length: 3\r\n\r\nabc"},
    {{"GET", "/\xc3\xa4", "", {"X"}, {"\t\xff"}}, "GET /\xc3\xa4 HTTP/1.1\r\n" DEFAULTS "X: \t\xff\r\n\r\n"},
};

static void requests_are_written(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof written / sizeof written[0]; i++) {
        const struct parts *parts = &written[i].parts;
        struct squall_pair pairs[PAIRS];
        struct squall_map map = map_of(parts, pairs);
        struct squall_bytes method = bytes_of(parts->method), path = bytes_of(parts->path),
                            body = bytes_of(parts->body);
        struct squall_bytes host = h1_host_of(method, path, bytes_of("h:8080")), agent = bytes_of("agent/1");
        struct h1_fields found;
        uint64_t culprit;
        assert_null(h1_check_method(method));
        assert_null(h1_check_target(method, path));
        assert_null(h1_check_fields(&map, &found, &culprit));
        assert_null(h1_check_length(&found, body.len));

        uint64_t line_size = h1_line_size(method, path), fields_size = h1_fields_size(&found, host, agent);
        uint8_t *out = malloc(line_size + fields_size + H1_HEAD_END_MAX + body.len);
        assert_non_null(out);
        uint64_t line = h1_write_line(out, method, path);
        uint64_t fields = h1_write_fields(out + line, &map, &found, host, agent);
        uint64_t end = h1_write_head_end(out + line + fields, method, body.len);
        assert_true(line <= line_size && fields <= fields_size && end <= H1_HEAD_END_MAX);
        uint64_t len = line + fields + end;
        memcpy(out + len, body.data, body.len);
        len += body.len;
        if (len != strlen(written[i].expected) || memcmp(out, written[i].expected, len) != 0)
            fail_msg("wrote\n%.*s\nexpected\n%s", (int)len, (const char *)out, written[i].expected);
        free(out);
    }
}

static void largest_length_fits(void **state)
{
    (void)state;
    uint8_t out[H1_HEAD_END_MAX];
    static const char expected[] = "Content-Length: 18446744073709551615\r\n\r\n";
    assert_int_equal(h1_write_head_end(out, bytes_of("GET"), UINT64_MAX), sizeof expected - 1);
    assert_memory_equal(out, expected, sizeof expected - 1);
}

static const struct {
    struct parts parts;
    const char *reason; /* is part of the text */
} refused[] = {
    {{"", "/", "", {0}, {0}}, "the method is empty"},
    {{"GE T", "/", "", {0}, {0}}, "method holds"},
    {{"GET\r\n", "/", "", {0}, {0}}, "method holds"},
    {{"GET", "/a b", "", {0}, {0}}, "write %20"},
    {{"GET", "/a#b", "", {0}, {0}}, "a fragment is never sent"},
    {{"GET", "/a\r\nX: y", "", {0}, {0}}, "path holds a line break"},
    {{"GET", "/\x7f", "", {0}, {0}}, "path holds a line break"},
    {{"GET", "x", "", {0}, {0}}, "does not begin with '/'"},
    {{"GET", "http://h/x", "", {0}, {0}}, "the path is a whole URL"},
    {{"GET", "https://h/x", "", {0}, {0}}, "the path is a whole URL"},
    {{"GET", "*", "", {0}, {0}}, "only OPTIONS"},
    {{"CONNECT", "/", "", {0}, {0}}, "CONNECT takes host:port"},
    {{"CONNECT", "", "", {0}, {0}}, "CONNECT takes host:port"},
    {{"GET", "/", "", {""}, {"x"}}, "without a name"},
    {{"GET", "/", "", {"A B"}, {"x"}}, "header's name holds"},
    {{"GET", "/", "", {"A:"}, {"x"}}, "header's name holds"},
    {{"GET", "/", "", {"A\r\nB"}, {"x"}}, "header's name holds"},
    {{"GET", "/", "", {"A"}, {"x\r\nB: y"}}, "header's value holds"},
    {{"GET", "/", "", {"A-name"}, {"a value of more than sixteen bytes\n"}}, "header's value holds"},
    {{"GET", "/", "", {"Transfer-Encoding"}, {"chunked"}}, "transfer-encoding cannot be set"},
    {{"GET", "/", "", {"Host", "HOST"}, {"a", "b"}}, "host is given twice"},
    {{"GET", "/", "", {"Content-Length"}, {"x"}}, "content-length is no number"},
    {{"GET", "/", "", {"Content-Length"}, {""}}, "content-length is no number"},
    {{"GET", "/", "", {"Content-Length"}, {"99999999999999999999"}}, "content-length is no number"},
    {{"GET", "/", "abc", {"Content-Length"}, {"4"}}, "content-length differs"},
};

static void what_could_break_out_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        const struct parts *parts = &refused[i].parts;
        struct squall_pair pairs[PAIRS];
        struct squall_map map = map_of(parts, pairs);
        struct h1_fields found = {0};
        uint64_t culprit;
        const char *reason = h1_check_method(bytes_of(parts->method));
        if (reason == NULL)
            reason = h1_check_target(bytes_of(parts->method), bytes_of(parts->path));
        if (reason == NULL)
            reason = h1_check_fields(&map, &found, &culprit);
        if (reason == NULL)
            reason = h1_check_length(&found, strlen(parts->body));
        if (reason == NULL || strstr(reason, refused[i].reason) == NULL)
            fail_msg("row %zu: %s, expected %s", i, reason != NULL ? reason : "accepted", refused[i].reason);
    }
}

static void culprit_and_close_are_found(void **state)
{
    (void)state;
    struct squall_pair pairs[] = {{.name = bytes_of("a"), .value = bytes_of("b")},
                                  {.name = bytes_of("connection"), .value = bytes_of("TE, Close")}};
    struct squall_map map = {.pairs = pairs, .count = 2};
    struct h1_fields found;
    uint64_t culprit = 99;
    assert_null(h1_check_fields(&map, &found, &culprit));
    assert_true(found.close);
    pairs[1].value = bytes_of("x\n");
    assert_non_null(h1_check_fields(&map, &found, &culprit));
    assert_int_equal(culprit, 1);
    struct squall_bytes nul = {.data = (const uint8_t *)"a\0b", .len = 3};
    pairs[1].value = nul;
    assert_non_null(h1_check_fields(&map, &found, &culprit));
    assert_non_null(h1_check_method(nul));
}

/* Each byte at each place of texts of all lengths about 16, beside the table. */
static void all_agrees_with_the_table(void **state)
{
    (void)state;
    static const enum h1_class classes[] = {H1_TOKEN, H1_TEXT, H1_TARGET};
    for (size_t len = 0; len <= 50; len++) {
        uint8_t *text = malloc(len > 0 ? len : 1); /* of its own size, for the sanitizer */
        assert_non_null(text);
        memset(text, 'a', len > 0 ? len : 1);
        for (size_t c = 0; c < 3; c++)
            assert_true(h1_all(text, len, classes[c]));
        for (size_t at = 0; at < len; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                text[at] = (uint8_t)byte;
                for (size_t c = 0; c < 3; c++)
                    assert_int_equal(h1_all(text, len, classes[c]), h1_is((uint8_t)byte, classes[c]));
            }
            text[at] = 'a';
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_agrees_with_the_table),   cmocka_unit_test(requests_are_written),
        cmocka_unit_test(largest_length_fits),         cmocka_unit_test(what_could_break_out_is_refused),
        cmocka_unit_test(culprit_and_close_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
