/* The http plugin behind a host of a few lines: what it sends, and how each kind of answer ends an exchange. The laws
 * of the seam are the contract tests' business; here it is HTTP. */
#include "plugin.h"
#include "step.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

extern const struct squall_protocol SQUALL_PROTOCOL;
#define PLUGIN (&SQUALL_PROTOCOL)

/* ---- the host: it writes down every call ---- */

static char calls[8192], output[65536];
static size_t calls_len, output_len, output_max;
static struct squall_exchange *current;
static uint64_t body_len;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(calls + calls_len, sizeof calls - calls_len, format, arguments);
    va_end(arguments);
    assert_true(len >= 0 && (size_t)len < sizeof calls - calls_len);
    calls_len += (size_t)len;
}

static uint8_t *host_reserve(struct squall_conn *conn, uint64_t len)
{
    (void)conn;
    return output_len + len <= output_max ? (uint8_t *)output + output_len : NULL;
}
static void host_commit(struct squall_conn *conn, uint64_t len)
{
    (void)conn;
    output_len += len;
}
static int32_t host_borrow(struct squall_conn *conn, struct squall_bytes bytes)
{
    (void)conn;
    if (output_len + bytes.len > output_max)
        return -1;
    memcpy(output + output_len, bytes.data, bytes.len);
    output_len += bytes.len;
    return 0;
}
static void host_request_end(struct squall_exchange *x)
{
    assert_ptr_equal(x, current);
    say("sent ");
}
static void host_capacity(struct squall_conn *conn, uint32_t max)
{
    (void)conn;
    say("capacity %u ", max);
}
static void host_retire(struct squall_conn *conn)
{
    (void)conn;
    say("retire ");
}
static void host_close(struct squall_conn *conn, uint32_t how)
{
    (void)conn;
    say(how == SQUALL_CLOSE_RESET ? "reset " : "close ");
}
static void host_fail(struct squall_conn *conn, const char *why)
{
    (void)conn;
    say("fail(%s) ", why);
}
static void host_first_byte(struct squall_exchange *x)
{
    assert_ptr_equal(x, current);
    say("first ");
}
static void host_body(struct squall_exchange *x, struct squall_bytes bytes)
{
    assert_ptr_equal(x, current);
    body_len += bytes.len;
}
static void on_field(struct squall_recorder *recorder, struct squall_bytes name, struct squall_bytes value)
{
    (void)recorder;
    say("%.*s=%.*s ", (int)name.len, (const char *)name.data, (int)value.len, (const char *)value.data);
}
static void on_sample(struct squall_recorder *recorder, uint32_t metric, uint64_t value)
{
    (void)recorder;
    (void)metric;
    assert_int_equal(value, 1);
}
static void host_done(struct squall_exchange *x, const struct squall_result *result)
{
    static const char *const outcomes[] = {"ok", "rejected", "malformed", "unsent"};
    struct squall_recorder recorder = {.field = on_field, .sample = on_sample};
    assert_ptr_equal(x, current);
    assert_int_equal(result->bytes_out, result->outcome == SQUALL_UNSENT ? 0 : output_len);
    if (result->outcome != SQUALL_UNSENT)
        output_len = 0;
    say("%s %u in %llu%s%s ", outcomes[result->outcome], result->code, (unsigned long long)result->bytes_in,
        result->reason != NULL ? ": " : "", result->reason != NULL ? result->reason : "");
    PLUGIN->record(x, &recorder);
    current = NULL;
}

static const struct squall_host host = {
    .size = sizeof host,
    .abi_major = SQUALL_ABI_MAJOR,
    .abi_minor = SQUALL_ABI_MINOR,
    .out_reserve = host_reserve,
    .out_commit = host_commit,
    .out_borrow = host_borrow,
    .request_end = host_request_end,
    .capacity = host_capacity,
    .retire = host_retire,
    .close = host_close,
    .fail = host_fail,
    .first_byte = host_first_byte,
    .body = host_body,
    .done = host_done,
};

/* ---- one connection and one step ---- */

static const struct http_target_options target_options = {.version = HTTP_AUTO, .streams = 100};
static struct http_target target_state;
static struct squall_target target = {.options = &target_options, .state = &target_state};
static struct http_worker worker_state;
static struct squall_worker worker = {.host = &host, .state = &worker_state};
static struct squall_step step;
static struct squall_conn conn;
static struct squall_exchange exchange;
static struct http_user user_state;
static struct squall_user user = {.state = &user_state, .id = 1};
static uint64_t exchange_state[8];

static struct squall_bytes bytes_of(const char *text)
{
    return (struct squall_bytes){.data = (const uint8_t *)text, .len = strlen(text)};
}

static struct http_options options_of(const char *method, const char *path)
{
    return (struct http_options){
        .method = bytes_of(method), .path = bytes_of(path), .body = bytes_of(""), .expect = bytes_of(EXPECT_DEFAULT)};
}

static void open_step(const struct http_options *options, uint64_t constant)
{
    struct squall_error error;
    target.authority = bytes_of("h:1");
    assert_int_equal(PLUGIN->target_init(&target, &error), 0);
    step = (struct squall_step){.state = calloc(1, PLUGIN->step_size), .target = &target};
    conn = (struct squall_conn){.state = calloc(1, PLUGIN->conn_size), .worker = &worker, .target = &target};
    assert_true(step.state != NULL && conn.state != NULL);
    if (PLUGIN->step_init(&step, options, constant, &error) != 0)
        fail_msg("%s", error.text);
    output_max = sizeof output;
    calls_len = output_len = 0;
    PLUGIN->connect(&conn);
}

static void close_step(void)
{
    PLUGIN->disconnect(&conn);
    PLUGIN->step_fini(&step);
    free(step.state);
    free(conn.state);
    current = NULL;
}

static void ask(const struct http_options *options, uint32_t wants)
{
    memset(exchange_state, 0, sizeof exchange_state);
    assert_true(PLUGIN->exchange_size <= sizeof exchange_state);
    exchange = (struct squall_exchange){
        .state = exchange_state, .step = &step, .user = &user, .options = options, .wants = wants};
    current = &exchange;
    body_len = 0;
    PLUGIN->request(&conn, &exchange);
}

static void feed(const char *text)
{
    uint64_t len = strlen(text);
    assert_int_equal(PLUGIN->receive(&conn, (const uint8_t *)text, len), len);
}

#define ALL UINT64_MAX

static const struct {
    const char *method, *answer;
    uint32_t wants;
    bool ends; /* the stream, behind the answer */
    const char *calls;
} answers[] = {
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 0, false, "first ok 200 in 40 "},
    {"GET", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 0, false, "first rejected 404 in 38 "},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 0, false, "first ok 200 in 38 "},
    {"GET", "HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 0\r\n\r\n", SQUALL_WANT_FIELDS, false,
     "first ok 200 in 44 X=y Content-Length=0 "},
    {"GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\nmore", 0, true,
     "first retire ok 200 in 57 "},
    {"GET", "HTTP/1.1 200 OK\r\n\r\nabc", 0, true, "first retire ok 200 in 22 "},
    {"GET", "HTTP/1.1 204 No\r\n\r\nx", 0, false, "first ok 204 in 19 fail(bytes that answer no request) "},
    {"GET", "HTTP/1.1 200 OK\r\nA\r\n", 0, true, "first malformed 200 in 17: header line without a colon reset "},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\nabc", 0, true,
     "first fail(connection closed after 3 of 1024 body bytes) "},
    {"GET", "", 0, true, "fail(connection closed before an answer) "},
    /* A server that wants something else than plain HTTP/1.1. */
    {"GET", "\x15\x03\x03", 0, false, "first malformed 0 in 0: not an HTTP/1.x answer: it begins like TLS; try https:// reset "},
    {"GET", "\x14\x03\x03", 0, false,
     "first malformed 0 in 0: not an HTTP/1.x answer: control character in the first line reset "},
    {"GET", "HTTP/1.1 100 Continue\r\n\r\n\x15", 0, false,
     "first malformed 100 in 25: not an HTTP/1.x answer: control character in the first line reset "},
    {"GET", "HTTP/1.1 400 No\r\nContent-Length: 20\r\n\r\nsent to a HTTPS port", 0, false,
     "first rejected 400 in 59: 400 Bad Request, with a text that speaks of HTTPS; try https:// "},
    {"GET", "HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nHHT\r\n4\r\nTPSX\r\n0\r\n\r\n", 0, false,
     "first rejected 400 in 69: 400 Bad Request, with a text that speaks of HTTPS; try https:// "},
    {"GET", "HTTP/1.1 400 No\r\nContent-Length: 10\r\n\r\nHTTPXHTTP?", 0, false, "first rejected 400 in 49 "},
    {"GET", "HTTP/1.1 403 No\r\nContent-Length: 10\r\n\r\nuse HTTPS!", 0, false, "first rejected 403 in 49 "},
    {"CONNECT", "HTTP/1.1 200 OK\r\n\r\n", 0, false, "first retire ok 200 in 19 "},
};

static void answers_end_exchanges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        struct http_options options =
            options_of(answers[i].method, strcmp(answers[i].method, "CONNECT") == 0 ? "a:1" : "/");
        open_step(&options, ALL);
        assert_string_equal(calls, "capacity 1 ");
        ask(&options, answers[i].wants);
        assert_string_equal(calls, "capacity 1 sent ");
        calls_len = 0;
        if (answers[i].answer[0] != '\0')
            feed(answers[i].answer);
        if (answers[i].ends)
            PLUGIN->receive(&conn, (const uint8_t *)"", 0);
        calls[calls_len] = '\0';
        if (strcmp(calls, answers[i].calls) != 0)
            fail_msg("row %zu: %s\nexpected %s", i, calls, answers[i].calls);
        close_step();
    }
}

static void a_connection_is_reused_then_stale(void **state)
{
    (void)state;
    struct http_options options = options_of("GET", "/");
    open_step(&options, ALL);
    for (unsigned i = 0; i < 3; i++) {
        ask(&options, SQUALL_WANT_BODY | SQUALL_WANT_FIELDS);
        feed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
        assert_null(current);
        assert_int_equal(body_len, 3);
    }
    ask(&options, 0);
    calls_len = 0;
    PLUGIN->receive(&conn, (const uint8_t *)"", 0);
    assert_string_equal(calls, "fail(connection closed before an answer (stale keep-alive connection?)) ");
    close_step();
}

/* SETTINGS, as a server of HTTP/2 begins with: before a request, in its answer, and behind an answer of HTTP/1.1, where it
 * is anything but that. Over TLS the bytes inside say nothing of the scheme. */
static void frames_of_http2(void **state)
{
    (void)state;
    static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    static const char hint[] = "not an HTTP/1.x answer: it begins like HTTP/2; try --h2 (in a target, http: h2)";
    struct http_options options = options_of("GET", "/");
    char expected[200];
    for (size_t len = 1; len <= sizeof settings; len++) {
        open_step(&options, ALL);
        calls_len = 0;
        PLUGIN->receive(&conn, settings, len);
        snprintf(expected, sizeof expected, "fail(%s) ", hint);
        assert_string_equal(calls, expected);
        close_step();

        open_step(&options, ALL);
        ask(&options, 0);
        calls_len = 0;
        PLUGIN->receive(&conn, settings, len);
        snprintf(expected, sizeof expected, "first malformed 0 in 0: %s reset ", hint);
        assert_string_equal(calls, expected);
        close_step();
    }
    open_step(&options, ALL);
    ask(&options, 0);
    feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    calls_len = 0;
    PLUGIN->receive(&conn, settings, sizeof settings);
    assert_string_equal(calls, "fail(bytes that answer no request) ");
    close_step();

    target.secure = 1;
    open_step(&options, ALL);
    ask(&options, 0);
    calls_len = 0;
    PLUGIN->receive(&conn, settings, sizeof settings);
    assert_string_equal(calls, "first malformed 0 in 0: not an HTTP/1.x answer: control character in the first line reset ");
    close_step();
    target.secure = 0;
}

/* However the body is split, and no further than where a server's page ends. */
static void the_word_in_a_refusal(void **state)
{
    (void)state;
    static const char head[] = "HTTP/1.1 400 No\r\nContent-Length: 1030\r\n\r\n";
    static const char hint[] = "rejected 400 in 1071: 400 Bad Request, with a text that speaks of HTTPS; try https:// ";
    struct http_options options = options_of("GET", "/");
    for (size_t place = HTTP_HINT_BYTES - 7; place <= HTTP_HINT_BYTES - 3; place++) {
        for (size_t cut = place; cut <= place + 5; cut++) {
            char body[1031];
            memset(body, 'H', sizeof body - 1);
            body[sizeof body - 1] = '\0';
            memcpy(body + place, "HTTPS", 5);
            open_step(&options, ALL);
            ask(&options, 0);
            feed(head);
            PLUGIN->receive(&conn, (const uint8_t *)body, cut);
            calls_len = 0;
            feed(body + cut);
            assert_string_equal(calls, place + 5 <= HTTP_HINT_BYTES ? hint : "rejected 400 in 1071 ");
            close_step();
        }
    }
}

static void an_idle_connection_may_end(void **state)
{
    (void)state;
    struct http_options options = options_of("GET", "/");
    open_step(&options, ALL);
    calls_len = 0;
    PLUGIN->receive(&conn, (const uint8_t *)"", 0);
    assert_string_equal(calls, "close ");
    close_step();
}

static void cancel_resets_and_drops_the_late_answer(void **state)
{
    (void)state;
    struct http_options options = options_of("GET", "/");
    open_step(&options, ALL);
    ask(&options, 0);
    calls_len = 0;
    PLUGIN->cancel(&conn, &exchange);
    current = NULL;
    feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    PLUGIN->receive(&conn, (const uint8_t *)"", 0);
    assert_string_equal(calls, "reset ");
    close_step();
}

#define DEFAULTS "Host: h:1\r\nUser-Agent: squall/" SQUALL_VERSION "\r\nAccept: */*\r\n"

/* Whatever is written ahead, the bytes are the same. */
static void constant_or_not_the_request_is_the_same(void **state)
{
    (void)state;
    struct squall_pair pair = {.name = bytes_of("X"), .value = bytes_of("y")};
    struct http_options options = options_of("POST", "/p");
    options.headers = (struct squall_map){.pairs = &pair, .count = 1};
    options.body = bytes_of("text");
    static const char expected[] = "POST /p HTTP/1.1\r\n" DEFAULTS "X: y\r\nContent-Length: 4\r\n\r\ntext";
    for (uint64_t constant = 0; constant <= HTTP_BIT(HTTP_BODY) * 2 - 1; constant++) { /* options that are absent are constant */
        struct http_options known = options;
        uint64_t mask = constant | ~(HTTP_BIT(HTTP_BODY) * 2 - 1);
        if (!(mask & HTTP_BIT(HTTP_METHOD)))
            known.method = (struct squall_bytes){0};
        if (!(mask & HTTP_BIT(HTTP_PATH)))
            known.path = (struct squall_bytes){0};
        if (!(mask & HTTP_BIT(HTTP_HEADERS)))
            known.headers = (struct squall_map){0};
        if (!(mask & HTTP_BIT(HTTP_BODY)))
            known.body = (struct squall_bytes){0};
        open_step(&known, mask);
        ask(&options, 0);
        assert_int_equal(output_len, sizeof expected - 1);
        assert_memory_equal(output, expected, output_len);
        close_step();
    }
}

static void a_long_constant_body_follows_its_head(void **state)
{
    (void)state;
    static char text[20001];
    memset(text, 'b', sizeof text - 1);
    struct http_options options = options_of("PUT", "/p"), known = options;
    options.body = known.body = bytes_of(text);
    known.path = (struct squall_bytes){0};
    uint64_t mask = ALL & ~HTTP_BIT(HTTP_PATH);
    static const char head[] = "PUT /p HTTP/1.1\r\n" DEFAULTS "Content-Length: 20000\r\n\r\n";
    open_step(&known, mask);
    ask(&options, 0);
    assert_int_equal(output_len, sizeof head - 1 + 20000);
    assert_memory_equal(output, head, sizeof head - 1);
    assert_memory_equal(output + sizeof head - 1, text, 20000);
    close_step();

    open_step(&known, mask);
    output_max = 10000; /* the head fits, its body does not */
    calls_len = 0;
    ask(&options, 0);
    assert_string_equal(calls, "unsent 0 in 0: no room in the connection's output reset ");
    close_step();
}

static void rendered_values_cannot_inject(void **state)
{
    (void)state;
    struct squall_pair pair = {.name = bytes_of("X"), .value = bytes_of("y\r\nZ: q")};
    struct http_options known = options_of("GET", "/"), options = known;
    options.headers = (struct squall_map){.pairs = &pair, .count = 1};
    uint64_t mask = ALL & ~(HTTP_BIT(HTTP_HEADERS) | HTTP_BIT(HTTP_PATH));
    open_step(&known, mask);
    calls_len = 0;
    ask(&options, 0);
    assert_string_equal(calls, "unsent 0 in 0: a header's value holds a line break or another control character ");
    assert_int_equal(output_len, 0);
    pair.value = bytes_of("y");
    options.path = bytes_of("/ HTTP/1.1\r\n\r\nGET /");
    calls_len = 0;
    ask(&options, 0);
    assert_string_equal(calls, "unsent 0 in 0: the path holds a space: write %20 ");
    options.path = bytes_of("/fine");
    ask(&options, 0);
    assert_true(output_len > 0);
    close_step();
}

static void connection_close_in_the_request_retires(void **state)
{
    (void)state;
    struct squall_pair pair = {.name = bytes_of("Connection"), .value = bytes_of("close")};
    struct http_options options = options_of("GET", "/");
    options.headers = (struct squall_map){.pairs = &pair, .count = 1};
    open_step(&options, ALL);
    ask(&options, 0);
    calls_len = 0;
    feed("HTTP/1.1 204 No\r\n\r\n");
    assert_string_equal(calls, "first retire ok 204 in 19 ");
    close_step();
}

static void expect_says_what_is_ok(void **state)
{
    (void)state;
    static const struct {
        const char *expect;
        unsigned yes[3], no[3];
    } rows[] = {
        {"200", {200, 200, 200}, {201, 404, 999}},          {"2xx", {200, 250, 299}, {199, 300, 404}},
        {" 200 , 404 ", {200, 404, 404}, {201, 403, 500}},  {"200-204,4XX", {200, 204, 499}, {205, 399, 500}},
        {EXPECT_DEFAULT, {200, 304, 399}, {400, 500, 999}},
    };
    struct squall_error error;
    struct http_expect expect;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(http_expect_parse(bytes_of(rows[i].expect), &expect, &error), 0);
        for (unsigned k = 0; k < 3; k++) {
            assert_true(http_expect_has(&expect, rows[i].yes[k]));
            assert_false(http_expect_has(&expect, rows[i].no[k]));
        }
    }
    static const char *const bad[] = {"",        "20",      "2000", "2x0", "xxx", "200,",
                                      "200 404", "300-200", "200-", "0xx", "ok"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (http_expect_parse(bytes_of(bad[i]), &expect, &error) == 0)
            fail_msg("%s was accepted", bad[i]);
}

static void bad_steps_are_refused_when_loaded(void **state)
{
    (void)state;
    static const struct {
        const char *method, *path, *expect, *name, *error;
    } rows[] = {
        {"get", "/", "200", NULL, "write GET"},
        {"G T", "/", "200", NULL, "method \"G T\": the method holds"},
        {"GET", "x\n", "200", NULL, "path \"x?\": the path holds a line break"},
        {"GET", "http://h/", "200", NULL, "whole URL"},
        {"GET", "/", "fine", NULL, "expect: \"fine\""},
        {"GET", "/", "200", "transfer-encoding", "header \"transfer-encoding\""},
        {"GET", "/", "200", "content-length", "content-length differs"},
    };
    target.authority = bytes_of("h:1");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct squall_pair pair = {.name = bytes_of(rows[i].name != NULL ? rows[i].name : "x"), .value = bytes_of("7")};
        struct http_options options = options_of(rows[i].method, rows[i].path);
        options.expect = bytes_of(rows[i].expect);
        options.headers = (struct squall_map){.pairs = &pair, .count = 1};
        struct squall_error error = {{0}};
        struct squall_step view = {.state = calloc(1, PLUGIN->step_size), .target = &target};
        assert_non_null(view.state);
        assert_int_equal(PLUGIN->step_init(&view, &options, ALL, &error), -1);
        if (strstr(error.text, rows[i].error) == NULL)
            fail_msg("row %zu: %s", i, error.text);
        PLUGIN->step_fini(&view);
        free(view.state);
    }
    struct http_options options = options_of("GET", "/");
    struct squall_error error;
    struct http_step *memory = calloc(1, sizeof *memory);
    struct squall_step view = {.state = memory, .target = &target};
    assert_int_equal(PLUGIN->step_init(&view, &options, ALL & ~HTTP_BIT(HTTP_EXPECT), &error), -1);
    free(memory);
}

static void codes_have_names(void **state)
{
    (void)state;
    assert_string_equal(PLUGIN->code_name(404), "Not Found");
    assert_null(PLUGIN->code_name(799));
    assert_null(PLUGIN->code_name(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_end_exchanges),
        cmocka_unit_test(a_connection_is_reused_then_stale),
        cmocka_unit_test(frames_of_http2),
        cmocka_unit_test(the_word_in_a_refusal),
        cmocka_unit_test(an_idle_connection_may_end),
        cmocka_unit_test(cancel_resets_and_drops_the_late_answer),
        cmocka_unit_test(constant_or_not_the_request_is_the_same),
        cmocka_unit_test(a_long_constant_body_follows_its_head),
        cmocka_unit_test(rendered_values_cannot_inject),
        cmocka_unit_test(connection_close_in_the_request_retires),
        cmocka_unit_test(expect_says_what_is_ok),
        cmocka_unit_test(bad_steps_are_refused_when_loaded),
        cmocka_unit_test(codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
