/*
 * The engine's transport against a peer that does as scripted: when `sent` is stamped, how output is taken and what
 * input comes back. Connections that are lost, never made or made again: test_engine_connections.c.
 */
#include "line.h"
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>

/* ---- the plain way ---- */

static void test_lines(void **state)
{
    (void)state;
    peer_start(serve_lines);
    line_begin("1", "200", "1", peer.port);
    run_whole(&run);
    const struct series *series = &run.total.series[0];
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 200);
    assert_int_equal(series->service.count, 200);
    assert_int_equal(series->phases[PHASE_CONNECT].count, 1);
    assert_int_equal(series->phases[PHASE_TLS].count, 0);
    assert_int_equal(series->phases[PHASE_FIRST_BYTE].count, 200);
    assert_int_equal(run.facts.connections, 1);
    assert_int_equal(line.ticks, 3); /* right after connect, then when it said, and no more */
    line_finish();
}

/* ---- law 5 ---- */

static atomic_bool may_read;

/* Reads nothing until told to: it asks the kernel whether bytes wait, without taking them. */
static void serve_late(struct peer *own, int socket, int number)
{
    char byte;
    if (recv(socket, &byte, 1, MSG_PEEK) <= 0)
        return;
    while (!atomic_load(&may_read))
        sched_yield();
    serve_lines(own, socket, number);
}

static uint64_t opened_ns;

/* In the engine's own loop, some turns after the request was handed over: nothing was read until now. */
static void let_read(void)
{
    opened_ns = clock_now_ns();
    atomic_store(&may_read, true);
}

/* 16 MB do not fit in a socket's buffers: the last byte is taken only once the peer reads, and service counts from
 * there. */
static void test_sent_is_when_the_kernel_took_it(void **state)
{
    (void)state;
    line.request_size = 16 << 20;
    atomic_store(&may_read, false);
    peer_start(serve_late);
    line_begin("1", "1", "1", peer.port);
    line.on_tick = let_read;
    run_connect(&run);
    uint64_t started_ns = clock_now_ns();
    run_load(&run, 0);
    uint64_t ended_ns = clock_now_ns();
    run_verify(&run);
    const struct series *series = &run.total.series[0];
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 1);
    assert_int_equal(series->service.count, 1);
    assert_true(opened_ns > started_ns);
    /* sent is not before the peer began to read; the histogram's slots are within a thousandth. */
    assert_true(series->service.max <= (ended_ns - opened_ns) + (ended_ns - opened_ns) / 500);
    assert_true(series->latency_ok.max >= opened_ns - started_ns - NS_PER_MS ||
                series->latency_ok.max >= series->service.max);
    line_finish();
}

/* The answer comes before the request has gone out: done = sent, and what is left still goes out. */
static void test_answer_overtakes(void **state)
{
    (void)state;
    line.done_in_request = true;
    line.request_size = 3 << 20;
    peer_start(serve_lines);
    line_begin("1", "5", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 5);
    assert_int_equal(run.total.series[0].service.count, 5);
    assert_int_equal(run.total.series[0].service.max, 0);
    line_finish();
}

static void test_many_borrows(void **state)
{
    (void)state;
    line.borrows = true;
    line.request_size = 1000;
    peer_start(serve_lines);
    line_begin("1", "50", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 50);
    line_finish();
}

static void test_writable_after_full(void **state)
{
    (void)state;
    line.fills = true;
    peer_start(serve_lines);
    line_begin("1", "1", "1", peer.port);
    run_connect(&run);
    run_load(&run, 0);
    run_verify(&run);
    assert_int_equal(line.writables, 1);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 1);
    line_finish();
}

/* ---- law 6 ---- */

static void serve_slowly(struct peer *own, int socket, int number)
{
    (void)own;
    (void)number;
    static const char text[] = "a longer answer\n";
    int one = 1;
    setsockopt(socket, IPPROTO_TCP, 1, &one, sizeof one); /* TCP_NODELAY */
    while (read_line(socket))
        for (size_t i = 0; text[i]; i++)
            if (send(socket, &text[i], 1, MSG_NOSIGNAL) != 1)
                return;
}

static void test_leftover_comes_back_grown(void **state)
{
    (void)state;
    peer_start(serve_slowly);
    line_begin("1", "50", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 50);
    line_finish();
}

static void serve_flood(struct peer *own, int socket, int number)
{
    static char flood[1 << 16];
    (void)own;
    (void)number;
    memset(flood, 'x', sizeof flood);
    if (!read_line(socket))
        return;
    while (send(socket, flood, sizeof flood, MSG_NOSIGNAL) > 0)
        ;
}

static void test_input_has_a_cap(void **state)
{
    (void)state;
    line.holds_input = true;
    line.capacity = 3;
    peer_start(serve_flood);
    line_begin("3", "3", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_DISCONNECTED), 3);
    assert_true(line.biggest_input <= (1 << 20) + (64 << 10)); /* what was left, and a read behind it */
    assert_true(run_has_error(&run, "1 MiB"));
    line_finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_sent_is_when_the_kernel_took_it),
        cmocka_unit_test(test_answer_overtakes),
        cmocka_unit_test(test_many_borrows),
        cmocka_unit_test(test_writable_after_full),
        cmocka_unit_test(test_leftover_comes_back_grown),
        cmocka_unit_test(test_input_has_a_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
