/*
 * What each way of losing a connection costs, those that are never reached, and how connections come back.
 */
#include "line.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- losing connections ---- */

static void serve_reset(struct peer *own, int socket, int number)
{
    (void)own;
    if (number % 2)
        read_line(socket);
    reset_at_close(socket);
}

static void serve_end(struct peer *own, int socket, int number)
{
    (void)own;
    if (number % 2)
        read_line(socket);
}

static void serve_half(struct peer *own, int socket, int number)
{
    (void)own;
    (void)number;
    read_line(socket);
    write_text(socket, "half an ans");
}

static void test_peer_goes(void **state)
{
    (void)state;
    static const struct {
        void (*serve)(struct peer *, int, int);
        const char *error;
    } table[] = {
        {serve_reset, "reset by the peer"}, {serve_end, "closed by the peer"}, {serve_half, "closed by the peer"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        peer_start(table[i].serve);
        line_begin("1", "6", "1", peer.port);
        run_connect(&run);
        run_load(&run, 0);
        run_verify(&run);
        assert_int_equal(run_begun(&run), 6);
        assert_int_equal(run_outcomes(&run, OUTCOME_OK), 0);
        assert_true(run_outcomes(&run, OUTCOME_DISCONNECTED) > 0);
        assert_true(run_has_error(&run, table[i].error));
        line_finish();
    }
}

static void serve_one_each(struct peer *own, int socket, int number)
{
    (void)own;
    (void)number;
    if (read_line(socket))
        write_text(socket, "ok\n");
}

/* A server that closes after each answer: every request that was answered is ok, none is lost in between. */
static void test_one_request_a_connection(void **state)
{
    (void)state;
    line.retires = true;
    line.capacity = 1;
    peer_start(serve_one_each);
    line_begin("1", "30", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 30);
    assert_int_equal(run.total.series[0].phases[PHASE_CONNECT].count, 30);
    line_finish();
}

static void test_retire_with_others_in_flight(void **state)
{
    (void)state;
    line.retires = true;
    line.capacity = 4;
    peer_start(serve_lines);
    line_begin("4", "40", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 40);
    assert_in_range(line.connects, 10, 11); /* four on each; one more may be opened for nobody */
    line_finish();
}

static atomic_size_t bytes_at_close;

static void serve_counts(struct peer *own, int socket, int number)
{
    (void)own;
    (void)number;
    char data[4096];
    ssize_t len;
    while ((len = recv(socket, data, sizeof data, 0)) > 0)
        atomic_fetch_add(&bytes_at_close, (size_t)len);
}

/* Orderly: all of the output arrives before the end, however large. */
static void test_orderly_close_writes_out(void **state)
{
    (void)state;
    atomic_store(&bytes_at_close, 0);
    line.closes = true;
    line.request_size = 8 << 20;
    peer_start(serve_counts);
    line_begin("1", "1", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_DISCONNECTED), 1);
    line_finish();
    assert_int_equal(atomic_load(&bytes_at_close), 8 << 20);
}

/* Says much and reads nothing: the orderly close gives up in time, and does not spin meanwhile. */
static void serve_talks_only(struct peer *own, int socket, int number)
{
    (void)own;
    (void)number;
    static char talk[4096];
    while (send(socket, talk, sizeof talk, MSG_NOSIGNAL) > 0)
        ;
}

static void test_orderly_close_against_a_talker(void **state)
{
    (void)state;
    struct timespec before, after;
    line.closes = true;
    line.request_size = 16 << 20;
    peer_start(serve_talks_only);
    line_begin("1", "1", "1", peer.port);
    run_connect(&run);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    run_load(&run, 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    run_verify(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_DISCONNECTED), 1);
    assert_true(run_has_error(&run, "did not read"));
    uint64_t cpu_ns =
        (uint64_t)(after.tv_sec - before.tv_sec) * NS_PER_S + (uint64_t)after.tv_nsec - (uint64_t)before.tv_nsec;
    assert_true(cpu_ns < 250 * NS_PER_MS); /* of the 300 ms that it waited */
    line_finish();
}

/* A plugin that says goodbye before it had any capacity: the pool's counts stay right. */
static void test_close_before_capacity(void **state)
{
    (void)state;
    line.closes_in_connect = true;
    peer_start(serve_talks_only);
    line_begin("1", "1", "2", peer.port);
    run_connect(&run);
    assert_true(run.error[0]);
    assert_int_equal(run.page.connections, 0);
    line_finish();
}

/* ---- never reached ---- */

static void test_refused(void **state)
{
    (void)state;
    uint16_t port;
    int holder = listen_on(0, -1, &port); /* bound, not listening */
    peer_start(serve_lines);
    line_begin("1", "1", "1", port);
    run_connect(&run);
    assert_non_null(strstr(run.error, "connect time-out"));
    assert_non_null(strstr(run.error, "refused"));
    line_finish();
    close(holder);
}

/* Nobody accepts and the backlog is full: the kernel leaves the attempt hanging. */
static void test_connect_time_out(void **state)
{
    (void)state;
    uint16_t port;
    int listener = listen_on(0, 0, &port), waiting[16];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    for (int i = 0; i < 16; i++) {
        waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)!connect(waiting[i], (struct sockaddr *)&in, sizeof in);
    }
    peer_start(serve_lines);
    line_begin("1", "1", "1", port);
    run_connect(&run);
    assert_non_null(strstr(run.error, "no connection to target t"));
    line_finish();
    for (int i = 0; i < 16; i++)
        close(waiting[i]);
    close(listener);
}

static void test_silent_plugin_times_out(void **state)
{
    (void)state;
    line.no_capacity = true;
    peer_start(serve_lines);
    line_begin("1", "1", "1", peer.port);
    run_connect(&run);
    assert_non_null(strstr(run.error, "connect time-out"));
    line_finish();
}

/* ---- coming back ---- */

static void serve_one_then_vanish(struct peer *own, int socket, int number)
{
    (void)number;
    if (read_line(socket))
        write_text(socket, "ok\n");
    reset_at_close(socket);
    close(own->listener); /* nobody listens any more */
    own->listener = -1;
}

static void peer_comes_back(struct run *in, const struct step *step, const struct answer *answer)
{
    (void)in;
    (void)step;
    (void)answer;
    if (run_outcomes(&run, OUTCOME_UNREACHABLE) != 3 || peer.listener >= 0)
        return;
    peer_restart(serve_lines);
}

/* The server goes and comes back: who waits meanwhile is told that it is unreachable, and afterwards all is well. */
static void test_server_returns(void **state)
{
    (void)state;
    static const char *const connections[] = {"1", "per-user"};
    for (int i = 0; i < 2; i++) {
        peer_start(serve_one_then_vanish);
        line_begin("1", "20", connections[i], peer.port);
        run.ended = peer_comes_back;
        run_connect(&run);
        run_load(&run, 0);
        run_verify(&run);
        assert_int_equal(run_begun(&run), 20);
        assert_true(run_outcomes(&run, OUTCOME_UNREACHABLE) >= 3);
        assert_true(run_outcomes(&run, OUTCOME_OK) >= 12);
        assert_true(run_has_error(&run, "connecting to"));
        line_finish();
    }
}

/* A user's own connection comes back when the user wants it, and not before. */
static void test_own_connections_are_lazy(void **state)
{
    (void)state;
    line.retires = true;
    line.capacity = 1;
    peer_start(serve_one_each);
    line_begin("1", "10", "per-user", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 10);
    assert_int_equal(line.connects, 10); /* none for after the last */
    line_finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peer_goes),
        cmocka_unit_test(test_one_request_a_connection),
        cmocka_unit_test(test_retire_with_others_in_flight),
        cmocka_unit_test(test_orderly_close_writes_out),
        cmocka_unit_test(test_orderly_close_against_a_talker),
        cmocka_unit_test(test_close_before_capacity),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_connect_time_out),
        cmocka_unit_test(test_silent_plugin_times_out),
        cmocka_unit_test(test_server_returns),
        cmocka_unit_test(test_own_connections_are_lazy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
