/*
 * The laws on the grpc-core plugin. It moves its own bytes, so the checks that cut a peer's bytes have nothing to cut:
 * here `squall target grpc` is the peer, and what is cut is the plugin's life. Connections go and calls are cancelled
 * after every number of events, in a host that frees state in the moment in which it dies.
 */
#include "checks.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h> /* wants the ones above */

#define WAIT_MS      20000
#define EVENTS_READY 2  /* the channel's: it connects, it is ready */
#define EVENTS_MAX   10 /* at most that many are let through before the cut */

static const char proto[] = "\"" SQUALL_SOURCE_DIR "/protocols/grpc/service/demo.proto\"";
static const struct fake_option from_file[] = {{"proto", proto}, {NULL, NULL}};
static const struct fake_option from_server[] = {{NULL, NULL}};
static const struct fake_option quick[] = {{"method", "squall.demo.Demo/Unary"}, {NULL, NULL}};
static const struct fake_option slow[] = {
    {"method", "squall.demo.Demo/Unary"}, {"message", "{\"delay\":\"300ms\"}"}, {NULL, NULL}};
static const struct fake_option talk[] = {{"method", "squall.demo.Demo/Chat"},
                                          {"send", "[{\"tag\":\"a\"},{\"tag\":\"b\"}]"},
                                          {"ping-pong", "true"},
                                          {"repeat", "2"},
                                          {NULL, NULL}};
static const struct fake_option nowhere[] = {{"method", "squall.demo.Nowhere/Unary"}, {NULL, NULL}};

static struct protocol_registry registry;
static const struct protocol *protocol;
static pid_t server;
static uint16_t port;

/* ---- the peer ---- */

static int start_server(void **unused)
{
    int out[2];
    char line[200] = "";
    struct error error;
    (void)unused;
    protocol_registry_init(&registry);
    if (protocol_load_file(&registry, GRPC_CORE_PLUGIN, &protocol, &error) || pipe(out) || (server = fork()) < 0)
        return -1;
    if (server == 0) {
        dup2(out[1], STDOUT_FILENO);
        execl(SQUALL_PROGRAM, SQUALL_PROGRAM, "target", "grpc", "--listen", "127.0.0.1:0", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *text = fdopen(out[0], "r");
    const char *colon = text && fgets(line, sizeof line, text) ? strrchr(line, ':') : NULL;
    port = colon ? (uint16_t)atoi(colon + 1) : 0;
    return port ? 0 : -1;
}

static int stop_server(void **unused)
{
    int status;
    (void)unused;
    protocol_registry_fini(&registry);
    kill(server, SIGTERM);
    return waitpid(server, &status, 0) == server && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* ---- driving ---- */

static struct fake_host *new_host(const struct fake_option *target, uint16_t to)
{
    struct error error;
    struct fake_host *host = fake_host_new(protocol, target, &error);
    assert_non_null(host);
    host->target.host = (struct squall_bytes){(const uint8_t *)"127.0.0.1", 9};
    host->target.port = to;
    return host;
}

static struct fake_step *new_step(struct fake_host *host, const struct fake_option *options)
{
    struct error error = {0};
    struct fake_step *step = fake_host_step(host, options, false, &error);
    if (!step)
        fail_msg("%s", error.text);
    return step;
}

/* Lets the plugin's thread go on until something was posted; false: nothing came in time. */
static bool wait_for_event(struct fake_host *host)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int left = WAIT_MS; left > 0; left--) {
        if (fake_host_run_posts(host) > 0)
            return true;
        nanosleep(&moment, NULL);
    }
    return false;
}

static void wait_for_capacity(struct fake_conn *conn)
{
    while (conn->connected && !conn->failed && !fake_conn_free_for_request(conn))
        assert_true(wait_for_event(conn->host));
}

static void wait_for_end(struct fake_exchange *exchange)
{
    while (exchange->end == FAKE_IN_FLIGHT)
        assert_true(wait_for_event(exchange->conn->host));
}

/* Threads of this process whose name is not this program's: those of gRPC core. (An attempt to connect that is given up
 * keeps some of them for 20 s: they are looked at where none was.) */
static int foreign_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    int count = 0;
    char own[32] = "", name[32];
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        char path[300];
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = entry->d_name[0] != '.' ? fopen(path, "r") : NULL;
        if (file && fgets(name, sizeof name, file)) {
            if (atoi(entry->d_name) == getpid())
                strcpy(own, name);
            else
                count += strcmp(name, own) != 0;
        }
        if (file)
            fclose(file);
    }
    if (tasks)
        closedir(tasks);
    return count;
}

static void end_host(struct fake_host *host)
{
    fake_host_stop(host);
    if (host->violation_count)
        fail_msg("%s", host->violations[0]);
    fake_host_free(host);
}

/* ---- the tests ---- */

static void test_calls_end_once(void **unused)
{
    const struct fake_option *const kinds[] = {quick, slow, talk};
    (void)unused;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct fake_host *host = new_host(from_file, port);
        struct fake_step *step = new_step(host, kinds[i]);
        struct fake_conn *conn = fake_conn_new(host, false);
        struct fake_exchange *made[3];
        wait_for_capacity(conn);
        for (int k = 0; k < 3; k++)
            made[k] = fake_conn_request(conn, step, SQUALL_WANT_BODY | SQUALL_WANT_FIELDS);
        for (int k = 0; k < 3; k++) {
            wait_for_end(made[k]);
            assert_int_equal(made[k]->end, FAKE_DONE);
            assert_int_equal(made[k]->result.outcome, SQUALL_OK);
            assert_int_equal(made[k]->result.code, 1);
        }
        fake_conn_drop(conn);
        end_host(host);
        assert_int_equal(foreign_threads(), 0); /* nothing of gRPC core runs on */
    }
}

enum cut { CUT_CONNECTION, CUT_CALLS, CUT_ALL };

/* One cut after so many events; false: everything had ended before. */
static bool cut_after(const struct fake_option *target, const struct fake_option *options, int events, enum cut cut)
{
    struct fake_host *host = new_host(target, port);
    struct fake_step *step = new_step(host, options), *after = new_step(host, quick);
    struct fake_conn *conn = fake_conn_new(host, false);
    struct fake_exchange *exchange = NULL;
    for (int i = 0; i < events && !(exchange && exchange->end != FAKE_IN_FLIGHT); i++) {
        assert_true(wait_for_event(host));
        if (!exchange && fake_conn_free_for_request(conn))
            exchange = fake_conn_request(conn, step, SQUALL_WANT_BODY);
    }
    bool cuts = !exchange || exchange->end == FAKE_IN_FLIGHT;
    if (cut == CUT_CALLS && exchange) {
        fake_conn_cancel_all(conn);
        struct fake_exchange *next = fake_conn_request(conn, after, 0);
        wait_for_end(next); /* the connection is as good as before */
        assert_int_equal(next->result.outcome, SQUALL_OK);
    }
    if (cut != CUT_ALL)
        fake_conn_drop(conn);
    end_host(host);
    return cuts;
}

static void cut_everywhere(const struct fake_option *target, const struct fake_option *options)
{
    bool more = true;
    for (int events = EVENTS_READY; more && events < EVENTS_MAX; events++) {
        more = cut_after(target, options, events, CUT_CONNECTION);
        more = cut_after(target, options, events, CUT_CALLS) && more;
        more = cut_after(target, options, events, CUT_ALL) && more;
    }
}

static void test_cut_anywhere(void **unused)
{
    (void)unused;
    cut_everywhere(from_file, slow);
    cut_everywhere(from_file, talk);
    cut_everywhere(from_server, quick);
}

/* Where the connection that asks goes, another one does; then both have capacity. */
static void test_reflection_is_handed_on(void **unused)
{
    (void)unused;
    for (int events = EVENTS_READY; events < EVENTS_MAX; events++) {
        struct fake_host *host = new_host(from_server, port);
        struct fake_step *step = new_step(host, quick);
        struct fake_conn *first = fake_conn_new(host, false), *second = fake_conn_new(host, false);
        for (int i = 0; i < events && !fake_conn_free_for_request(second); i++)
            assert_true(wait_for_event(host));
        fake_conn_drop(first);
        wait_for_capacity(second);
        assert_false(second->failed);
        struct fake_exchange *exchange = fake_conn_request(second, step, 0);
        wait_for_end(exchange);
        assert_int_equal(exchange->result.outcome, SQUALL_OK);
        end_host(host);
    }
}

/* The last test: what it gives up keeps threads of core for a while. */
static void test_cut_while_connecting(void **unused)
{
    (void)unused;
    for (int events = 0; events < EVENTS_READY; events++)
        cut_after(from_server, quick, events, CUT_CONNECTION);
}

static void test_refusals(void **unused)
{
    (void)unused;
    struct fake_host *host = new_host(from_server, port);
    new_step(host, nowhere);
    struct fake_conn *conn = fake_conn_new(host, false);
    wait_for_capacity(conn);
    assert_true(conn->refused);
    assert_non_null(strstr(fake_conn_transcript(conn), "refuse a step: the server has no service"));
    end_host(host);

    host = new_host(from_file, 1); /* nobody listens there */
    conn = fake_conn_new(host, false);
    wait_for_capacity(conn);
    assert_true(conn->failed);
    assert_non_null(strstr(fake_conn_transcript(conn), "refused"));
    end_host(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls_end_once), cmocka_unit_test(test_cut_anywhere),
                                       cmocka_unit_test(test_reflection_is_handed_on), cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_cut_while_connecting)};
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
