/* The template: what it makes of answers, all checks on its conversations, and a real echo service on loopback. */
#include "checks.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h> /* wants the ones above */

#define BYTES(text)                                                                                                    \
    {                                                                                                                  \
        (const uint8_t *)(text), sizeof(text) - 1                                                                      \
    }

static struct protocol_registry registry;
static const struct protocol *line;

static int load(void **unused)
{
    struct error error;
    (void)unused;
    protocol_registry_init(&registry);
    return protocol_load_file(&registry, TEMPLATE_PLUGIN, &line, &error);
}

static int unload(void **unused)
{
    (void)unused;
    protocol_registry_fini(&registry);
    return 0;
}

static void test_conversations(void **unused)
{
    static const struct {
        struct fake_option options[2];
        struct squall_bytes parts[2];
        uint32_t count;
        const char *transcript;
    } cases[] = {
        {{{"text", "ping"}},
         {BYTES("pong\n")},
         1,
         "capacity 1\nrequest 1\nout ping\\x0a\nrequest-end 1\nfirst-byte 1\nbody 1 pong\n"
         "done 1 outcome 0 code 1 in 5 out 5 \nsample 0 5\n"},
        {{{"text", ""}},
         {BYTES("\n")},
         1,
         "capacity 1\nrequest 1\nout \\x0a\nrequest-end 1\nfirst-byte 1\ndone 1 outcome 0 code 1 in 1 out 1 \nsample 0 "
         "1\n"},
        {{{"text", "a"}},
         {BYTES("-no\n"), BYTES("b\n")},
         2,
         "capacity 1\nrequest 1\nout a\\x0a\nrequest-end 1\nfirst-byte 1\nbody 1 -no\ndone 1 outcome 1 code 2 in 4 out "
         "2 \nsample 0 4\n"
         "request 2\nout a\\x0a\nrequest-end 2\nfirst-byte 2\nbody 2 b\ndone 2 outcome 0 code 1 in 2 out 2 \nsample 0 "
         "2\n"},
        {{{"text", "a"}},
         {BYTES("b\nc")},
         1,
         "capacity 1\nrequest 1\nout a\\x0a\nrequest-end 1\nfirst-byte 1\nbody 1 b\ndone 1 outcome 0 code 1 in 2 out 2 "
         "\nsample 0 2\n"
         "fail bytes that answer no request\nclosed\n"},
        {{{"text", "a\nb"}},
         {BYTES("")},
         1,
         "capacity 1\nrequest 1\ndone 1 outcome 3 code 0 in 0 out 0 text holds an end of line\n"},
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct check_subject subject = {
            line, NULL, cases[i].options, cases[i].parts, cases[i].count, SQUALL_WANT_BODY, false};
        const struct check_plan plan = {.split = SPLIT_NOT};
        struct check_outcome outcome;
        struct buffer failure = {0};
        check_drive(&subject, &plan, &outcome);
        assert_string_equal(outcome.transcript, cases[i].transcript);
        assert_int_equal(outcome.violation_count, 0);
        check_outcome_fini(&outcome);
        if (check_all(&subject, &failure))
            fail_msg("%.*s", (int)failure.len, (const char *)failure.data);
        buffer_fini(&failure);
    }
}

/* A line without an end is given up at a fixed length, however it comes. */
static void test_endless_line(void **unused)
{
    static uint8_t data[70000];
    const struct squall_bytes part = {data, sizeof data};
    const struct check_subject subject = {.protocol = line, .parts = &part, .part_count = 1};
    struct check_outcome outcomes[2];
    (void)unused;
    memset(data, 'x', sizeof data - 1);
    data[sizeof data - 1] = '\n';
    for (int k = 0; k < 2; k++) {
        const struct check_plan plan = {.split = k ? SPLIT_RANDOM : SPLIT_NOT, .seed = 1};
        check_drive(&subject, &plan, &outcomes[k]);
        assert_non_null(strstr(outcomes[k].transcript, "done 1 outcome 2 code 0 in 65536"));
        assert_int_equal(outcomes[k].violation_count, 0);
    }
    assert_string_equal(outcomes[0].transcript, outcomes[1].transcript);
    check_outcome_fini(&outcomes[0]);
    check_outcome_fini(&outcomes[1]);
}

/* Sends back all that one client says, until it stops. */
static void *echo(void *arg)
{
    char data[256];
    int client = accept(*(int *)arg, NULL, NULL);
    for (ssize_t len; client >= 0 && (len = recv(client, data, sizeof data, 0)) > 0;)
        if (send(client, data, (size_t)len, MSG_NOSIGNAL) != len)
            break;
    if (client >= 0)
        close(client);
    return NULL;
}

static void test_echo_service(void **unused)
{
    static const struct fake_option options[] = {{"text", "over a real socket"}, {NULL, NULL}};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_len = sizeof address;
    struct timeval limit = {.tv_sec = 20};
    struct error error;
    pthread_t thread;
    (void)unused;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
        client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &address_len), 0);
    assert_int_equal(pthread_create(&thread, NULL, echo, &listener), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);

    struct fake_host *host = fake_host_new(line, NULL, &error);
    struct fake_step *step = fake_host_step(host, options, false, &error);
    struct fake_conn *conn = fake_conn_new(host, false);
    for (int i = 0; i < 100; i++) {
        size_t sent = conn->out.len;
        struct fake_exchange *exchange = fake_conn_request(conn, step, 0);
        assert_int_equal(send(client, conn->out.data + sent, conn->out.len - sent, MSG_NOSIGNAL), conn->out.len - sent);
        while (exchange->end == FAKE_IN_FLIGHT) {
            char data[256];
            ssize_t len = recv(client, data, sizeof data, 0);
            assert_true(len > 0);
            fake_conn_feed(conn, data, (uint64_t)len);
        }
        assert_int_equal(exchange->end, FAKE_DONE);
        assert_int_equal(exchange->result.outcome, SQUALL_OK);
        assert_int_equal(exchange->result.bytes_in, 19);
    }
    close(client);
    pthread_join(thread, NULL);
    close(listener);
    fake_host_stop(host);
    assert_int_equal(host->violation_count, 0);
    fake_host_free(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversations),
        cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_echo_service),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
