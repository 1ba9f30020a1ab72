/*
 * HTTP/1.1 conversations (RFC 9112) through the plugin's seam: what becomes of each, and that neither the split of the
 * bytes, nor an end, a cancel or a break at any of them changes more than it must.
 */
#include "checks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* wants the ones above */

#define PARTS_MAX 4

struct conversation {
    const char *name;
    struct fake_option options[4];
    const char *parts[PARTS_MAX + 1]; /* a request goes before each when there is room for one */
    bool ends;
    const char *dones[PARTS_MAX + 1]; /* "outcome code", in order */
    const char *said[4];              /* what else the transcript holds */
};

#define OK_2 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static const struct conversation conversations[] = {
    {"content-length",
     {{NULL, NULL}},
     {OK_2, OK_2, OK_2},
     false,
     {"0 code 200", "0 code 200", "0 code 200"},
     {"body 3 hi\n", "request-end 3"}},
    {"empty body",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", OK_2},
     false,
     {"0 code 200", "0 code 200"},
     {"body 2 hi"}},
    {"chunked",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10;x=y\r\n0123456789abcdef\r\n0\r\n\r\n", OK_2},
     false,
     {"0 code 200", "0 code 200"},
     {"body 1 abc0123456789abcdef\n"}},
    {"chunked with trailers",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\nDigest: q\r\nX-B: 2\r\n\r\n", OK_2},
     false,
     {"0 code 200", "0 code 200"},
     {"body 1 z\n"}},
    {"close-delimited",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\n\r\nall until the end"},
     true,
     {"0 code 200"},
     {"body 1 all until the end", "retire"}},
    {"http/1.0", {{NULL, NULL}}, {"HTTP/1.0 200 OK\r\n\r\nold"}, true, {"0 code 200"}, {"body 1 old", "retire"}},
    {"connection: close",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"},
     false,
     {"0 code 200"},
     {"retire", "closed"}},
    {"head",
     {{"method", "HEAD"}},
     {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"},
     false,
     {"0 code 200", "0 code 200"},
     {"out HEAD / HTTP/1.1"}},
    {"204 and 304",
     {{"expect", "204,304"}},
     {"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"},
     false,
     {"0 code 204", "0 code 304"},
     {"request-end 2"}},
    {"interim answers",
     {{NULL, NULL}},
     {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" OK_2, OK_2},
     false,
     {"0 code 200", "0 code 200"},
     {"body 1 hi"}},
    {"not expected",
     {{NULL, NULL}},
     {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nbusy", OK_2},
     false,
     {"1 code 503", "0 code 200"},
     {"body 1 busy"}},
    {"post",
     {{"method", "POST"}, {"body", "payload"}, {"headers", "X-A: 1"}},
     {OK_2},
     false,
     {"0 code 200"},
     {"out POST / HTTP/1.1", "payload"}},
    {"fields",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\nX-Name:  a value \r\nContent-Length: 0\r\n\r\n"},
     false,
     {"0 code 200"},
     {"=a value\n"}},
    {"no status line", {{NULL, NULL}}, {"SSH-2.0-OpenSSH_9.2\r\n"}, false, {"2 code 0"}, {"close reset"}},
    {"two lengths",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc"},
     false,
     {"2 code 200"},
     {"close reset"}},
    {"length that is no number",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"},
     false,
     {"2 code 200"},
     {"close reset"}},
    {"bad chunk",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
     false,
     {"2 code 200"},
     {"close reset"}},
    {"space before colon",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi"},
     false,
     {"2 code 200"},
     {"close reset"}},
    {"answer to nobody", {{NULL, NULL}}, {OK_2 "HTTP/1.1 200 OK\r\n\r\n"}, false, {"0 code 200"}, {"fail ", "closed"}},
    {"cut in the body",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"},
     true,
     {NULL},
     {"fail ", "disconnected 1"}},
    {"cut in the head", {{NULL, NULL}}, {"HTTP/1.1 200 OK\r\nConte"}, true, {NULL}, {"fail ", "disconnected 1"}},
    {"cut in a chunk",
     {{NULL, NULL}},
     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"},
     true,
     {NULL},
     {"fail ", "disconnected 1"}},
    {"closed at once", {{NULL, NULL}}, {""}, true, {NULL}, {"fail ", "disconnected 1"}},
};
#define COUNT (sizeof conversations / sizeof conversations[0])

static struct protocol_registry registry;
static const struct protocol *http;

static int load(void **unused)
{
    struct error error = {0};
    (void)unused;
    protocol_registry_init(&registry);
    if (protocol_load_file(&registry, HTTP_PLUGIN, &http, &error) == 0)
        return 0;
    print_error("%s\n", error.text);
    return -1;
}

static int unload(void **unused)
{
    (void)unused;
    protocol_registry_fini(&registry);
    return 0;
}

static struct check_subject subject_of(const struct conversation *conversation, struct squall_bytes *parts)
{
    struct check_subject subject = {.protocol = http,
                                    .step_options = conversation->options,
                                    .parts = parts,
                                    .wants = SQUALL_WANT_BODY | SQUALL_WANT_FIELDS,
                                    .ends = conversation->ends};
    for (; conversation->parts[subject.part_count]; subject.part_count++)
        parts[subject.part_count] = (struct squall_bytes){(const uint8_t *)conversation->parts[subject.part_count],
                                                          strlen(conversation->parts[subject.part_count])};
    return subject;
}

static void assert_holds(const struct conversation *conversation, const char *transcript, const char *text)
{
    if (!strstr(transcript, text))
        fail_msg("%s: \"%s\" is not in\n%s", conversation->name, text, transcript);
}

static void test_outcomes(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT; i++) {
        const struct conversation *conversation = &conversations[i];
        const struct check_plan plan = {.split = SPLIT_NOT};
        struct squall_bytes parts[PARTS_MAX];
        struct check_subject subject = subject_of(conversation, parts);
        struct check_outcome outcome;
        uint32_t dones = 0;
        check_drive(&subject, &plan, &outcome);
        assert_string_equal(outcome.refusal, "");
        if (outcome.violation_count)
            fail_msg("%s: %s", conversation->name, outcome.violation);
        for (; conversation->dones[dones]; dones++) {
            char expected[80];
            snprintf(expected, sizeof expected, "done %u outcome %s ", dones + 1, conversation->dones[dones]);
            assert_holds(conversation, outcome.transcript, expected);
        }
        assert_int_equal(outcome.done, dones);
        for (size_t k = 0; k < 4 && conversation->said[k]; k++)
            assert_holds(conversation, outcome.transcript, conversation->said[k]);
        check_outcome_fini(&outcome);
    }
}

static void test_laws(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < COUNT; i++) {
        struct squall_bytes parts[PARTS_MAX];
        struct check_subject subject = subject_of(&conversations[i], parts);
        struct buffer failure = {0};
        if (check_all(&subject, &failure))
            fail_msg("%s: %.*s", conversations[i].name, (int)failure.len, (const char *)failure.data);
        buffer_fini(&failure);
    }
}

/* Sizes of an answer are those on the wire, all of it and nothing behind it. */
static void test_sizes(void **unused)
{
    const struct squall_bytes part = {(const uint8_t *)OK_2, strlen(OK_2)};
    const struct check_subject subject = {.protocol = http, .parts = &part, .part_count = 1};
    const struct check_plan plan = {.split = SPLIT_BYTES};
    struct check_outcome outcome;
    char expected[80];
    (void)unused;
    check_drive(&subject, &plan, &outcome);
    snprintf(expected, sizeof expected, "in %zu out %llu \n", strlen(OK_2), (unsigned long long)outcome.output_len);
    assert_non_null(strstr(outcome.transcript, expected));
    assert_null(strstr(outcome.transcript, "body"));
    assert_null(strstr(outcome.transcript, "field"));
    check_outcome_fini(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_laws),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
