/*
 * One connection: its states and its input. A plugin is entered from here (connect, receive, writable, tick,
 * disconnect) and never from a host call; what host calls ask for is done by conn_settle once the plugin has returned.
 */
#include "engine/internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SLOW_CONNECT_NS (500 * NS_PER_MS) /* a connection request is sent again after a second: quicker ones need no look */
#define TLS_RECORD_MAX (16u << 10) /* what one read of TLS gives at most (RFC 8446 5.1) */
#define REASON_MAX 151 /* bytes of why a connection failed */
#define READS_A_WAKE 4 /* so that one flooding peer does not starve the others */

static void on_io(struct loop_io *io, uint32_t events);

static struct engine *engine_of(const struct conn *conn)
{
    return conn->pool->engine;
}

const char *conn_time_out_text(const struct conn *conn, char text[CONN_TIME_OUT_TEXT])
{
    if (conn->pool->own_transport)
        return "connect time-out: no session by then; does the server run, and does it speak this protocol?";
    switch (conn->state) {
    case CONN_RESOLVING:
        return "connect time-out: no name server answered; are they right (/etc/resolv.conf, or the target's name-servers)?";
    case CONN_CONNECTING:
        return "connect time-out: no answer to the connection request; is a firewall between, or the server's backlog full?";
    case CONN_HANDSHAKE:
        return "connect time-out: the server accepted the connection, and did not go on with the TLS handshake";
    case CONN_FLUSHING:
        return "the peer did not read before the connection closed";
    default:
        snprintf(text, CONN_TIME_OUT_TEXT, "connect time-out: the server accepted the connection, and did not send %s; is that %s's port?",
                 conn_abi(conn)->awaits ? conn_abi(conn)->awaits : "what the protocol begins with", conn->pool->target->protocol->name);
        return text;
    }
}

void conn_transit_over(struct timer *timer, uint64_t now_ns)
{
    struct conn *conn = LIST_ENTRY(timer, struct transit, timer)->conn;
    (void)now_ns;
    if (conn->state == CONN_BACKOFF) {
        transit_give(conn);
        conn->state = CONN_IDLE;
        if (!conn->owner || !list_empty(&conn->waiters) || engine_of(conn)->connecting) {
            list_append(&conn->pool->turns, &conn->place);
            pool_next_turn(conn->pool);
        }
        return;
    }
    char text[CONN_TIME_OUT_TEXT];
    conn_close(conn, conn_time_out_text(conn, text), true);
}

static void on_tick(struct timer *timer, uint64_t now_ns)
{
    struct conn *conn = LIST_ENTRY(timer, struct conn, tick);
    uint64_t next_ns = conn_abi(conn)->tick(&conn->view, now_ns);
    /* A time that has passed would never let timers_run end. */
    if (next_ns && conn->connected)
        timer_set(&engine_of(conn)->timers, &conn->tick, next_ns > now_ns ? next_ns : now_ns + 1);
    conn_touch(conn);
}

void conn_init(struct conn *conn, struct pool *pool, struct user *owner, void *state)
{
    struct plugin_worker *worker = &pool->engine->plugins[pool->target->protocol->index];
    conn->view.state = state;
    conn->view.worker = &worker->view;
    conn->view.target = &pool->target->view;
    conn->view.user = owner ? &user_views(owner)[pool->target->protocol->index] : NULL;
    conn->pool = pool;
    conn->owner = owner;
    conn->fd = -1;
    conn->tick.fn = on_tick;
    list_init(&conn->waiters);
    list_init(&conn->exchanges);
    list_init(&conn->place);
}

void conn_touch(struct conn *conn)
{
    struct engine *engine = engine_of(conn);
    if (conn->touched)
        return;
    conn->touched = true;
    conn->next_touched = NULL;
    if (engine->touched)
        engine->last_touched->next_touched = conn;
    else
        engine->touched = conn;
    engine->last_touched = conn;
}

void conn_fail(struct conn *conn, const char *why)
{
    conn->close_wanted = true;
    if (conn->fail_reason)
        return;
    conn->fail_reason = xmalloc(REASON_MAX);
    snprintf(conn->fail_reason, REASON_MAX, "%s", why);
}

/* ---- opening ---- */

static void call_connect(struct conn *conn)
{
    const struct squall_protocol *abi = conn_abi(conn);
    struct engine *engine = engine_of(conn);
    conn->state = CONN_OPENING;
    conn->connected = true;
    conn->view.alpn = tls_alpn(conn);
    abi->connect(&conn->view);
    if (abi->tick && conn->connected)
        timer_set(&engine->timers, &conn->tick, engine->now_ns);
    conn_touch(conn);
}

void conn_established(struct conn *conn)
{
    struct engine *engine = engine_of(conn);
    uint64_t now_ns = engine_stamp(engine);
    if (conn->state == CONN_CONNECTING) {
        struct transit *transit = conn->transit;
        conn->connect_ns = now_ns - transit->phase_began_ns;
        conn->pool->address_good = transit->address;
        conn->syn_retransmits = conn->connect_ns > SLOW_CONNECT_NS ? stream_retransmits(conn) : 0;
        engine->facts.syn_retransmits += conn->syn_retransmits;
        if (conn->pool->tls) {
            conn->state = CONN_HANDSHAKE;
            transit->phase_began_ns = now_ns;
            on_io(&conn->io, LOOP_WRITE);
            return;
        }
    } else {
        conn->tls_ns = now_ns - conn->transit->phase_began_ns;
    }
    loop_io_events(engine->loop, &conn->io, LOOP_READ);
    call_connect(conn);
}

/* Tries the target's addresses in turn, from the one that worked last. Leaves the connection CONNECTING, or fails it. */
static int try_addresses(struct conn *conn)
{
    struct engine *engine = engine_of(conn);
    const struct pool *pool = conn->pool;
    struct transit *transit = conn->transit;
    int failure = EADDRNOTAVAIL;
    transit->address = pool->address_good;
    transit->phase_began_ns = engine_stamp(engine);
    for (uint32_t i = 0; i < pool->address_count; i++, transit->address = (transit->address + 1) % pool->address_count) {
        failure = stream_connect(conn, &pool->addresses[transit->address]);
        if (failure == 0) {
            loop_io_start(engine->loop, &conn->io, conn->fd, LOOP_WRITE, on_io, conn);
            return 0;
        }
        if (failure == EMFILE || failure == ENFILE)
            engine->facts.descriptors_exhausted++;
        if (failure == EADDRNOTAVAIL && !conn->bind_failed)
            engine->facts.ports_exhausted++;
    }
    return failure;
}

/* What a failed connect means to the one who reads it, and what to change. */
static const char *connect_text(int failure)
{
    switch (failure) {
    case EADDRNOTAVAIL:
        return "no local port is free: name more `source` addresses or widen net.ipv4.ip_local_port_range";
    case EMFILE:
    case ENFILE:
        return "no file descriptor is free: raise the limit (ulimit -n) or use fewer connections";
    case EAGAIN:
        return "the unix socket's backlog is full: its server accepts too slowly";
    case ECONNREFUSED:
        return "Connection refused: nothing listens there; does the server run, and is this its address?";
    case ECONNRESET:
        return "Connection reset by peer while connecting: is the server's backlog full, or a firewall between?";
    case ENETUNREACH:
        return "Network is unreachable: this machine has no route there; look at its routes and at the target's address";
    case EHOSTUNREACH:
        return "No route to host: nobody on the way knows where it is; look at the target's address and at the routes";
    case EACCES:
    case EPERM:
        return "Permission denied: by a route or a firewall of this machine, or by the unix socket's mode";
    default:
        return strerror(failure);
    }
}

/* A plugin with a transport of its own is not told by its library that this was why; the kernel tells. */
static bool descriptors_out(void)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd < 0 && (errno == EMFILE || errno == ENFILE);
}

static void close_failed(struct conn *conn, int failure)
{
    const char *text = connect_text(failure);
    if (conn->bind_failed && failure == EAFNOSUPPORT)
        text = "no `source` is of the target's kind (IPv4 or IPv6); name one that is";
    else if (conn->bind_failed && failure == EADDRNOTAVAIL)
        text = "a `source` is not an address of this machine: add it to an interface or take it out";
    conn_close(conn, text, false);
}

void conn_resolved(struct conn *conn, const char *error)
{
    uint64_t now_ns = engine_of(conn)->now_ns, began_ns = conn->transit->began_ns;
    if (conn->pool->resolver && now_ns > began_ns)
        conn->dns_ns = now_ns - began_ns;
    if (error) {
        conn_close(conn, error, false);
        return;
    }
    conn->state = CONN_CONNECTING;
    int failure = try_addresses(conn);
    if (failure)
        close_failed(conn, failure);
}

void conn_open(struct conn *conn)
{
    struct engine *engine = engine_of(conn);
    const struct squall_protocol *abi = conn_abi(conn);
    if (abi->conn_size)
        memset(conn->view.state, 0, abi->conn_size);
    conn->capacity = conn->in_flight = 0;
    conn->retired = conn->eof = conn->connected = conn->write_blocked = conn->room_wanted = false;
    conn->phases_told = conn->served = conn->close_wanted = conn->reset_wanted = conn->traced = false;
    conn->syn_retransmits = 0;
    conn->dns_ns = conn->connect_ns = conn->tls_ns = NO_TIME;
    conn->state = CONN_RESOLVING;
    conn->pool->connecting++;
    struct transit *transit = transit_take(conn);
    transit->began_ns = engine_stamp(engine);
    timer_set(&engine->timers, &transit->timer, transit->began_ns + conn->pool->target->connect_timeout_ns);
    if (conn->pool->own_transport) {
        call_connect(conn);
        return;
    }
    if (pool_find_addresses(conn))
        conn_resolved(conn, NULL);
}

static void finish_connecting(struct conn *conn)
{
    int failure = stream_connected(conn);
    if (failure == 0) {
        conn_established(conn);
        return;
    }
    /* Another address may answer; the attempt as a whole keeps its time-out. */
    const struct pool *pool = conn->pool;
    struct transit *transit = conn->transit;
    uint32_t next = (transit->address + 1) % pool->address_count;
    if (next != pool->address_good) {
        loop_io_stop(engine_of(conn)->loop, &conn->io);
        stream_close(conn, false);
        transit->address = next;
        if (stream_connect(conn, &pool->addresses[next]) == 0) {
            loop_io_start(engine_of(conn)->loop, &conn->io, conn->fd, LOOP_WRITE, on_io, conn);
            return;
        }
    }
    conn->bind_failed = false;
    close_failed(conn, failure);
}

static void continue_handshake(struct conn *conn)
{
    char text[200];
    switch (tls_handshake(conn, text, sizeof text)) {
    case STREAM_OK:
        conn->write_blocked = false;
        conn_established(conn);
        break;
    case STREAM_BLOCKED:
        loop_io_events(engine_of(conn)->loop, &conn->io, conn->write_blocked ? LOOP_WRITE : LOOP_READ);
        conn->write_blocked = false;
        break;
    default:
        conn_close(conn, text, false);
    }
}

/* ---- input ---- */

/* What a plugin leaves is at most INPUT_HELD_MAX, so with the next read behind it, it fits. */
static void keep_input(struct conn *conn, const uint8_t *data, size_t len)
{
    if (!conn->in)
        conn->in = buffer_take(engine_of(conn), INPUT_HELD_MAX + INPUT_SIZE);
    buffer_append(conn->in, data, len);
}

static void receive(struct conn *conn, const uint8_t *data, size_t len)
{
    struct engine *engine = engine_of(conn);
    if (engine->config.tap && len && !conn->traced)
        engine->config.tap(engine->config.arg, false, data, len);
    uint64_t used = 0;
    if (conn->in) {
        keep_input(conn, data, len);
        used = conn_abi(conn)->receive(&conn->view, conn->in->data, conn->in->len);
        buffer_consume(conn->in, used);
        if (!conn->in->len)
            buffer_give(engine, &conn->in);
        else if (conn->in->len > INPUT_HELD_MAX && !conn->close_wanted) {
            conn->reset_wanted = true;
            conn_fail(conn, "the peer sent more than 1 MiB that the protocol could not take apart");
        }
        return;
    }
    used = conn_abi(conn)->receive(&conn->view, data, len);
    if (used < len && !conn->close_wanted)
        keep_input(conn, data + used, len - used);
}

static void receive_end(struct conn *conn)
{
    conn->eof = true;
    conn_abi(conn)->receive(&conn->view, NULL, 0);
    if (!conn->close_wanted)
        conn_fail(conn, "connection closed by the peer");
}

/* Gives whether anything was there for the protocol to read. */
static bool read_input(struct conn *conn)
{
    struct engine *engine = engine_of(conn);
    bool came = false;
    /* What TLS holds back (a record at most) wakes nobody, and must be read now. */
    for (int turn = 0; (turn < READS_A_WAKE || stream_pending(conn)) && !conn->close_wanted; turn++) {
        size_t len = 0;
        switch (stream_read(conn, engine->input, INPUT_SIZE, &len)) {
        case STREAM_OK:
            came = true;
            receive(conn, engine->input, len);
            /* A short read emptied the socket: asking again would only give EAGAIN. */
            if (len < (conn->tls ? TLS_RECORD_MAX : INPUT_SIZE) && !stream_pending(conn))
                return came;
            break;
        case STREAM_BLOCKED:
            return came;
        case STREAM_END:
            receive_end(conn);
            return came;
        case STREAM_FAILED:
            conn_fail(conn, errno == ECONNRESET ? "connection reset by the peer" : "reading failed");
            return came;
        }
    }
    return came;
}

/* ---- readiness ---- */

static void fetch(const void *data, size_t size)
{
    for (size_t i = 0; i < size; i += CACHE_LINE)
        __builtin_prefetch((const char *)data + i);
}

/* With thousands of connections none of what an answer will touch is in the caches. The kernel's part of a read takes as
 * long as memory does, so what was asked for before it is there after it. */
static void fetch_ahead(const struct conn *conn)
{
    const struct exchange *exchange = LIST_ENTRY(conn->exchanges.next, struct exchange, place);
    if (!conn->owner || !conn->in_flight)
        return;
    fetch(conn->view.state, CACHE_LINE);
    fetch(conn->view.user->state, 3 * CACHE_LINE);
    fetch(exchange, sizeof *exchange + CACHE_LINE);
    fetch(conn->owner, sizeof *conn->owner);
}

static void on_io(struct loop_io *io, uint32_t events)
{
    struct conn *conn = io->arg;
    struct engine *engine = engine_of(conn);
    if (conn->state == CONN_CONNECTING) {
        finish_connecting(conn);
    } else if (conn->state == CONN_HANDSHAKE) {
        continue_handshake(conn);
    } else {
        if (events & LOOP_WRITE)
            conn_flush(conn);
        if ((events & LOOP_READ) && conn->fd >= 0 && !conn->eof) {
            fetch_ahead(conn);
            bool young = !conn->served;
            if ((!read_input(conn) || young) && conn->tls)
                tls_idle(conn);
        }
        conn_touch(conn);
    }
    engine_settle(engine);
    if (engine->now_ns >= engine->next_due_ns)
        load_run_due(engine, engine->now_ns);
}

/* ---- after a plugin has returned ---- */

void conn_settle(struct conn *conn)
{
    if (conn->state < CONN_OPENING || conn->state == CONN_BACKOFF)
        return;
    if (conn->output && !conn->output->count)
        output_give(conn); /* reserved, and nothing committed */
    conn_flush_soon(conn, true);
    if (conn->state == CONN_OPENING && conn->capacity && !conn->close_wanted) {
        conn->state = CONN_UP;
        transit_give(conn);
        pool_conn_up(conn);
    }
    if (conn->retired && conn->in_flight == 0)
        conn->close_wanted = true;
    if (conn->close_wanted) {
        bool flush = conn_has_output(conn) && !conn->reset_wanted && !conn->eof && !conn->fail_reason;
        if (!flush) {
            conn_close(conn, conn->fail_reason, conn->reset_wanted);
            return;
        }
        if (!conn->transit)
            transit_take(conn);
        if (conn->state != CONN_FLUSHING)
            timer_set(&engine_of(conn)->timers, &conn->transit->timer, engine_of(conn)->now_ns + conn->pool->target->connect_timeout_ns);
        conn->state = CONN_FLUSHING;
        /* What still comes in is not read any more, and must not wake us again and again. */
        loop_io_events(engine_of(conn)->loop, &conn->io, LOOP_WRITE);
    }
    pool_available(conn);
}

uint32_t conn_retransmits(const struct conn *conn)
{
    return conn->state > CONN_CONNECTING && conn->state != CONN_BACKOFF ? stream_retransmits(conn) - conn->syn_retransmits : 0;
}

static void end_exchanges(struct conn *conn, const char *why)
{
    while (!list_empty(&conn->exchanges)) {
        struct exchange *exchange = LIST_ENTRY(conn->exchanges.next, struct exchange, place);
        exchange_end(exchange, OUTCOME_DISCONNECTED, NULL, why ? why : "the connection was closed");
    }
}

/* What is left of it is not sent. */
static void drop_output(struct conn *conn)
{
    struct output *output = conn->output;
    output->count = 0;
    output->written = output->queued;
    output_give(conn);
}

void conn_close(struct conn *conn, const char *why, bool reset)
{
    struct engine *engine = engine_of(conn);
    bool attempt_failed = !conn->counted;
    if (conn->state == CONN_IDLE || conn->state == CONN_BACKOFF)
        return;
    if (attempt_failed && conn->pool->own_transport && descriptors_out()) {
        engine->facts.descriptors_exhausted++;
        why = connect_text(EMFILE);
    }
    conn->close_wanted = true;
    end_exchanges(conn, why);
    if (conn->connected) {
        conn->connected = false;
        if (conn_abi(conn)->disconnect)
            conn_abi(conn)->disconnect(&conn->view);
    }
    if (conn->fd >= 0)
        loop_io_stop(engine->loop, &conn->io);
    timer_clear(&engine->timers, &conn->tick);
    engine->facts.retransmits += conn_retransmits(conn);
    if (conn->state == CONN_CONNECTING)
        engine->facts.syn_retransmits += stream_retransmits(conn);
    stream_close(conn, reset);
    if (conn->in)
        buffer_give(engine, &conn->in);
    if (conn->output)
        drop_output(conn);
    if (conn->transit)
        transit_give(conn);
    char *reason = conn->fail_reason; /* `why` may point there */
    conn->fail_reason = NULL;
    conn->state = CONN_IDLE;
    if (!conn->counted)
        conn->pool->connecting--;
    conn->counted = false;
    pool_conn_down(conn, why, attempt_failed);
    free(reason);
}
