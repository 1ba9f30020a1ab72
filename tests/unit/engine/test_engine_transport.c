/*
 * The engine's transport against a peer that does as scripted: when `sent` is stamped, what input comes back, what each
 * way of losing a connection costs, and how connections come back. The peer is a thread with blocking sockets.
 *
 * The protocol: a request is any bytes ending in a newline; an answer is a line too.
 */
#include "fixture.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the peer ---- */

struct peer {
    int listener;
    uint16_t port;
    pthread_t thread;
    void (*serve)(struct peer *peer, int socket, int number); /* closes nothing: the socket is closed after it */
    atomic_int accepted;
    atomic_bool over;
};
static struct peer peer;

static void *accept_all(void *arg)
{
    struct peer *own = arg;
    for (;;) {
        int socket = accept(own->listener, NULL, NULL);
        if (atomic_load(&own->over) || socket < 0) {
            if (socket >= 0)
                close(socket);
            return NULL;
        }
        own->serve(own, socket, atomic_fetch_add(&own->accepted, 1) + 1);
        close(socket);
    }
}

static int listen_on(uint16_t port, int backlog, uint16_t *ret_port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    socklen_t len = sizeof in;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof in), 0);
    if (backlog >= 0)
        assert_int_equal(listen(listener, backlog), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&in, &len), 0);
    *ret_port = ntohs(in.sin_port);
    return listener;
}

/* One connection after the other. */
static void peer_start(void (*serve)(struct peer *, int, int))
{
    memset(&peer, 0, sizeof peer);
    peer.serve = serve;
    peer.listener = listen_on(0, 128, &peer.port);
    assert_int_equal(pthread_create(&peer.thread, NULL, accept_all, &peer), 0);
}

static void peer_end(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(peer.port)};
    atomic_store(&peer.over, true);
    int last = socket(AF_INET, SOCK_STREAM, 0);
    (void)!connect(last, (struct sockaddr *)&in, sizeof in);
    pthread_join(peer.thread, NULL);
    close(last);
    close(peer.listener);
}

/* Reads up to and including a newline; how many bytes came, 0 at the end. */
static size_t read_line(int socket)
{
    static char data[1 << 16];
    size_t total = 0;
    for (;;) {
        ssize_t len = recv(socket, data, sizeof data, MSG_PEEK);
        if (len <= 0)
            return 0;
        char *end = memchr(data, '\n', (size_t)len);
        size_t part = end ? (size_t)(end - data) + 1 : (size_t)len;
        if (recv(socket, data, part, MSG_WAITALL) != (ssize_t)part)
            return 0;
        total += part;
        if (end)
            return total;
    }
}

static void write_text(int socket, const char *text)
{
    (void)!send(socket, text, strlen(text), MSG_NOSIGNAL);
}

static void reset_at_close(int socket)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

static void serve_lines(struct peer *own, int socket, int number)
{
    (void)own;
    (void)number;
    while (read_line(socket))
        write_text(socket, "ok\n");
}

/* ---- the protocol ---- */

struct line_conn {
    struct squall_exchange *asked[64];
    uint32_t count;
    uint64_t ticks, turns, biggest_input;
};
struct line {
    size_t request_size;
    uint32_t capacity;
    bool holds_input;      /* uses nothing of what comes */
    bool done_in_request, borrows, fills, retires, closes, closes_in_connect, no_capacity;
    uint64_t connects, disconnects, writables, reads, ends, ticks, biggest_input;
    void (*on_tick)(void); /* called once, 20 ms into a request */
    int inside;
};
static struct line line;
static struct run run;
static uint8_t filler[1 << 16];

static void enter(void)
{
    assert_int_equal(line.inside, 0);
    line.inside = 1;
}

static void finish_first(struct squall_conn *conn, uint32_t outcome)
{
    struct line_conn *state = conn->state;
    struct squall_exchange *first = state->asked[0];
    struct squall_result result = {.outcome = outcome, .bytes_in = 3};
    memmove(state->asked, state->asked + 1, --state->count * sizeof state->asked[0]);
    conn->worker->host->first_byte(first);
    conn->worker->host->done(first, &result);
}

static void put(struct squall_conn *conn, size_t size)
{
    const struct squall_host *host = conn->worker->host;
    while (size) {
        size_t part = size < sizeof filler ? size : sizeof filler;
        if (line.borrows && part == 1) {
            assert_int_equal(host->out_borrow(conn, (struct squall_bytes){(const uint8_t *)"\n", 1}), 0);
        } else if (line.borrows) {
            part = part - 1 < 7 ? part - 1 : 7; /* many small ones: more than there are segments */
            assert_int_equal(host->out_borrow(conn, (struct squall_bytes){filler, part}), 0);
        } else {
            uint8_t *room = host->out_reserve(conn, part);
            assert_non_null(room);
            memset(room, 'x', part);
            if (part == size)
                room[part - 1] = '\n';
            host->out_commit(conn, part);
        }
        size -= part;
    }
}

static void line_connect(struct squall_conn *conn)
{
    enter();
    line.connects++;
    if (line.closes_in_connect) {
        put(conn, 16 << 20); /* more than the kernel takes at once */
        conn->worker->host->close(conn, SQUALL_CLOSE_ORDERLY);
    } else if (!line.no_capacity) {
        conn->worker->host->capacity(conn, line.capacity ? line.capacity : 1);
    }
    line.inside = 0;
}

static uint64_t line_receive(struct squall_conn *conn, const uint8_t *data, uint64_t len)
{
    struct line_conn *state = conn->state;
    uint64_t used = 0;
    enter();
    line.reads++;
    if (!len)
        line.ends++;
    if (line.holds_input && len) {
        assert_true(len > state->biggest_input); /* what was left comes again, grown */
        state->biggest_input = line.biggest_input = len;
        if (!memchr(data, '\n', len)) {
            line.inside = 0;
            return 0;
        }
    }
    while (used < len) {
        const uint8_t *end = memchr(data + used, '\n', len - used);
        if (!end)
            break;
        used = (uint64_t)(end - data) + 1;
        if (state->count)
            finish_first(conn, SQUALL_OK);
    }
    line.inside = 0;
    return used;
}

static void line_request(struct squall_conn *conn, struct squall_exchange *exchange)
{
    const struct squall_host *host = conn->worker->host;
    struct line_conn *state = conn->state;
    enter();
    assert_true(state->count < (line.capacity ? line.capacity : 1));
    state->asked[state->count++] = exchange;
    if (line.fills) {
        for (uint8_t *room; (room = host->out_reserve(conn, sizeof filler)) != NULL;) {
            memcpy(room, filler, sizeof filler); /* no line break in it, whatever the memory held before */
            host->out_commit(conn, sizeof filler);
        }
        assert_non_null(host->out_reserve(conn, 0)); /* asking for less does not call off writable() */
    } else {
        put(conn, line.request_size ? line.request_size : 4);
        host->request_end(exchange);
    }
    if (line.done_in_request)
        finish_first(conn, SQUALL_OK);
    if (line.retires && state->count == line.capacity)
        host->retire(conn);
    if (line.closes)
        host->close(conn, SQUALL_CLOSE_ORDERLY);
    line.inside = 0;
}

static void line_cancel(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)exchange;
    enter();
    conn->worker->host->close(conn, SQUALL_CLOSE_RESET);
    line.inside = 0;
}

static void line_writable(struct squall_conn *conn)
{
    enter();
    struct line_conn *state = conn->state;
    line.writables++;
    put(conn, 1);
    conn->worker->host->request_end(state->asked[0]);
    line.inside = 0;
}

static uint64_t line_tick(struct squall_conn *conn, uint64_t now_ns)
{
    struct line_conn *state = conn->state;
    enter();
    line.ticks++;
    state->ticks++;
    line.inside = 0;
    if (!line.on_tick)
        return state->ticks < 3 ? now_ns + 1000 : 0;
    if (state->count && ++state->turns == 20) {
        line.on_tick();
        return 0;
    }
    return now_ns + NS_PER_MS;
}

static void line_disconnect(struct squall_conn *conn)
{
    enter();
    (void)conn;
    line.disconnects++;
    line.inside = 0;
}

static struct protocol line_protocol = {.name = "line",
                                        .abi = {.name = "line",
                                                .schemes = "line",
                                                .ports = "9",
                                                .conn_size = sizeof(struct line_conn),
                                                .connect = line_connect,
                                                .receive = line_receive,
                                                .request = line_request,
                                                .cancel = line_cancel,
                                                .writable = line_writable,
                                                .tick = line_tick,
                                                .disconnect = line_disconnect}};

static void begin(const char *users, const char *iterations, const char *connections, uint16_t port)
{
    static char yaml[400];
    snprintf(yaml, sizeof yaml,
             "squall: 1\ntargets: { t: { url: \"line://127.0.0.1:%u\", connections: %s, timeout: 20s, connect-timeout: 300ms } }\n"
             "load: [ { users: %s, iterations: %s } ]\nflow: [ { line: , name: a } ]\n",
             port, connections, users, iterations);
    struct settings settings = {.yaml = yaml, .protocols = {&line_protocol}};
    run_begin(&run, &settings);
}

static void finish(void)
{
    run_end(&run);
    assert_int_equal(line.connects, line.disconnects);
    peer_end();
    memset(&line, 0, sizeof line);
}

/* ---- the plain way ---- */

static void test_lines(void **state)
{
    (void)state;
    peer_start(serve_lines);
    begin("1", "200", "1", peer.port);
    run_whole(&run);
    const struct series *series = &run.total.series[0];
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 200);
    assert_int_equal(series->service.count, 200);
    assert_int_equal(series->phases[PHASE_CONNECT].count, 1);
    assert_int_equal(series->phases[PHASE_TLS].count, 0);
    assert_int_equal(series->phases[PHASE_FIRST_BYTE].count, 200);
    assert_int_equal(run.facts.connections, 1);
    assert_int_equal(line.ticks, 3); /* right after connect, then when it said, and no more */
    finish();
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

/* 16 MB do not fit in a socket's buffers: the last byte is taken only once the peer reads, and service counts from there. */
static void test_sent_is_when_the_kernel_took_it(void **state)
{
    (void)state;
    line.request_size = 16 << 20;
    atomic_store(&may_read, false);
    peer_start(serve_late);
    begin("1", "1", "1", peer.port);
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
    assert_true(series->latency_ok.max >= opened_ns - started_ns - NS_PER_MS || series->latency_ok.max >= series->service.max);
    finish();
}

/* The answer comes before the request has gone out: done = sent, and what is left still goes out. */
static void test_answer_overtakes(void **state)
{
    (void)state;
    line.done_in_request = true;
    line.request_size = 3 << 20;
    peer_start(serve_lines);
    begin("1", "5", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 5);
    assert_int_equal(run.total.series[0].service.count, 5);
    assert_int_equal(run.total.series[0].service.max, 0);
    finish();
}

static void test_many_borrows(void **state)
{
    (void)state;
    line.borrows = true;
    line.request_size = 1000;
    peer_start(serve_lines);
    begin("1", "50", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 50);
    finish();
}

static void test_writable_after_full(void **state)
{
    (void)state;
    line.fills = true;
    peer_start(serve_lines);
    begin("1", "1", "1", peer.port);
    run_connect(&run);
    run_load(&run, 0);
    run_verify(&run);
    assert_int_equal(line.writables, 1);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 1);
    finish();
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
    begin("1", "50", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 50);
    finish();
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
    begin("3", "3", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_DISCONNECTED), 3);
    assert_true(line.biggest_input <= 1 << 20);
    assert_true(run_has_error(&run, "1 MiB"));
    finish();
}

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
    } table[] = {{serve_reset, "reset by the peer"}, {serve_end, "closed by the peer"}, {serve_half, "closed by the peer"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        peer_start(table[i].serve);
        begin("1", "6", "1", peer.port);
        run_connect(&run);
        run_load(&run, 0);
        run_verify(&run);
        assert_int_equal(run_begun(&run), 6);
        assert_int_equal(run_outcomes(&run, OUTCOME_OK), 0);
        assert_true(run_outcomes(&run, OUTCOME_DISCONNECTED) > 0);
        assert_true(run_has_error(&run, table[i].error));
        finish();
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
    begin("1", "30", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 30);
    assert_int_equal(run.total.series[0].phases[PHASE_CONNECT].count, 30);
    finish();
}

static void test_retire_with_others_in_flight(void **state)
{
    (void)state;
    line.retires = true;
    line.capacity = 4;
    peer_start(serve_lines);
    begin("4", "40", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 40);
    assert_in_range(line.connects, 10, 11); /* four on each; one more may be opened for nobody */
    finish();
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
    begin("1", "1", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_DISCONNECTED), 1);
    finish();
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
    begin("1", "1", "1", peer.port);
    run_connect(&run);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    run_load(&run, 0);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    run_verify(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_DISCONNECTED), 1);
    assert_true(run_has_error(&run, "did not read"));
    uint64_t cpu_ns = (uint64_t)(after.tv_sec - before.tv_sec) * NS_PER_S + (uint64_t)after.tv_nsec - (uint64_t)before.tv_nsec;
    assert_true(cpu_ns < 250 * NS_PER_MS); /* of the 300 ms that it waited */
    finish();
}

/* A plugin that says goodbye before it had any capacity: the pool's counts stay right. */
static void test_close_before_capacity(void **state)
{
    (void)state;
    line.closes_in_connect = true;
    peer_start(serve_talks_only);
    begin("1", "1", "2", peer.port);
    run_connect(&run);
    assert_true(run.error[0]);
    assert_int_equal(run.page.connections, 0);
    finish();
}

/* ---- never reached ---- */

static void test_refused(void **state)
{
    (void)state;
    uint16_t port;
    int holder = listen_on(0, -1, &port); /* bound, not listening */
    peer_start(serve_lines);
    begin("1", "1", "1", port);
    run_connect(&run);
    assert_non_null(strstr(run.error, "connect time-out"));
    assert_non_null(strstr(run.error, "refused"));
    finish();
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
    begin("1", "1", "1", port);
    run_connect(&run);
    assert_non_null(strstr(run.error, "no connection to target t"));
    finish();
    for (int i = 0; i < 16; i++)
        close(waiting[i]);
    close(listener);
}

static void test_silent_plugin_times_out(void **state)
{
    (void)state;
    line.no_capacity = true;
    peer_start(serve_lines);
    begin("1", "1", "1", peer.port);
    run_connect(&run);
    assert_non_null(strstr(run.error, "connect time-out"));
    finish();
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
    pthread_join(peer.thread, NULL);
    peer.serve = serve_lines;
    peer.listener = listen_on(peer.port, 128, &peer.port);
    assert_int_equal(pthread_create(&peer.thread, NULL, accept_all, &peer), 0);
}

/* The server goes and comes back: who waits meanwhile is told that it is unreachable, and afterwards all is well. */
static void test_server_returns(void **state)
{
    (void)state;
    static const char *const connections[] = {"1", "per-user"};
    for (int i = 0; i < 2; i++) {
        peer_start(serve_one_then_vanish);
        begin("1", "20", connections[i], peer.port);
        run.ended = peer_comes_back;
        run_connect(&run);
        run_load(&run, 0);
        run_verify(&run);
        assert_int_equal(run_begun(&run), 20);
        assert_true(run_outcomes(&run, OUTCOME_UNREACHABLE) >= 3);
        assert_true(run_outcomes(&run, OUTCOME_OK) >= 12);
        assert_true(run_has_error(&run, "connecting to"));
        finish();
    }
}

/* A user's own connection comes back when the user wants it, and not before. */
static void test_own_connections_are_lazy(void **state)
{
    (void)state;
    line.retires = true;
    line.capacity = 1;
    peer_start(serve_one_each);
    begin("1", "10", "per-user", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 10);
    assert_int_equal(line.connects, 10); /* none for after the last */
    finish();
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
    memset(filler, 'y', sizeof filler);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
