/*
 * The line protocol watches the engine at every call: not entered twice, never above its capacity, input that grows.
 */
#include "line.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the peer ---- */

struct peer peer;

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

int listen_on(uint16_t port, int backlog, uint16_t *ret_port)
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

void peer_start(void (*serve)(struct peer *, int, int))
{
    memset(&peer, 0, sizeof peer);
    peer.serve = serve;
    peer.listener = listen_on(0, 128, &peer.port);
    assert_int_equal(pthread_create(&peer.thread, NULL, accept_all, &peer), 0);
}

void peer_restart(void (*serve)(struct peer *, int, int))
{
    pthread_join(peer.thread, NULL);
    peer.serve = serve;
    peer.listener = listen_on(peer.port, 128, &peer.port);
    assert_int_equal(pthread_create(&peer.thread, NULL, accept_all, &peer), 0);
}

static void peer_end(void)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(peer.port)};
    atomic_store(&peer.over, true);
    int last = socket(AF_INET, SOCK_STREAM, 0);
    (void)!connect(last, (struct sockaddr *)&in, sizeof in);
    pthread_join(peer.thread, NULL);
    close(last);
    close(peer.listener);
}

size_t read_line(int socket)
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

void write_text(int socket, const char *text)
{
    (void)!send(socket, text, strlen(text), MSG_NOSIGNAL);
}

void reset_at_close(int socket)
{
    struct linger now = {.l_onoff = 1};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void serve_lines(struct peer *own, int socket, int number)
{
    (void)own;
    (void)number;
    while (read_line(socket))
        write_text(socket, "ok\n");
}

/* ---- the protocol ---- */

struct line line;
struct run run;
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

void line_begin(const char *users, const char *iterations, const char *connections, uint16_t port)
{
    static char yaml[400];
    memset(filler, 'y', sizeof filler);
    snprintf(yaml, sizeof yaml,
             "squall: 1\ntargets: { t: { url: \"line://127.0.0.1:%u\", connections: %s, timeout: 20s, connect-timeout: "
             "300ms } }\n"
             "load: [ { users: %s, iterations: %s } ]\nflow: [ { line: , name: a } ]\n",
             port, connections, users, iterations);
    struct settings settings = {.yaml = yaml, .protocols = {&line_protocol}};
    run_begin(&run, &settings);
}

void line_finish(void)
{
    run_end(&run);
    assert_int_equal(line.connects, line.disconnects);
    peer_end();
    memset(&line, 0, sizeof line);
}
