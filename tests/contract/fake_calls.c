/*
 * What a plugin calls, in a host that only watches. Each call first asks whether it may be made at all: on the right
 * thread, from within the plugin, on a connection and an exchange that are alive.
 */
#include "fake_calls.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOG_LEVEL_MAX 3

void fake_violation(struct fake_host *host, const char *format, ...)
{
    va_list args;
    pthread_mutex_lock(&host->lock);
    if (host->violation_count < FAKE_VIOLATIONS_MAX) {
        va_start(args, format);
        vsnprintf(host->violations[host->violation_count], sizeof host->violations[0], format, args);
        va_end(args);
    }
    host->violation_count++;
    pthread_mutex_unlock(&host->lock);
}

/* ---- transcript ---- */

static void finish_run(struct fake_conn *conn)
{
    if (conn->run_kind)
        buffer_append(&conn->transcript, "\n", 1);
    conn->run_kind = 0;
}

void fake_note(struct fake_conn *conn, const char *format, ...)
{
    char line[400];
    va_list args;
    finish_run(conn);
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buffer_printf(&conn->transcript, "%s\n", line);
}

/* Bytes that come in pieces join into one line: in how many pieces a plugin hands them on is its own affair. */
static void note_bytes(struct fake_conn *conn, char kind, const void *of, const char *label, const uint8_t *data,
                       uint64_t len)
{
    if (!len)
        return;
    if (conn->run_kind != kind || conn->run_of != of) {
        finish_run(conn);
        buffer_printf(&conn->transcript, "%s ", label);
        conn->run_kind = kind;
        conn->run_of = of;
    }
    for (uint64_t i = 0; i < len; i++)
        if (data[i] >= ' ' && data[i] < 127 && data[i] != '\\')
            buffer_append(&conn->transcript, &data[i], 1);
        else
            buffer_printf(&conn->transcript, "\\x%02x", data[i]);
}

static void note_pair(struct fake_conn *conn, const char *label, struct squall_bytes name, struct squall_bytes value)
{
    fake_note(conn, "%s %.*s=%.*s", label, (int)(name.len & 0xff), (const char *)name.data, (int)(value.len & 0xff),
              (const char *)value.data);
}

/* ---- may this call be made? ---- */

bool fake_on_thread(struct fake_host *host, const char *call)
{
    if (pthread_equal(host->thread, pthread_self())) {
        if (!host->depth)
            fake_violation(host, "law 9: %s() from outside a call into the plugin", call);
        return true;
    }
    fake_violation(host, "law 8: %s() on a thread of the plugin; only post(), hold() and wake() may be called there", call);
    return false;
}

static struct fake_conn *live_conn(struct squall_conn *view, const char *call)
{
    struct fake_conn *conn = (struct fake_conn *)(void *)view;
    if (!fake_on_thread(conn->host, call))
        return NULL;
    fake_reserve_forget(conn);
    if (!conn->connected) {
        fake_violation(conn->host, "law 1: %s() on a connection after its disconnect()", call);
        return NULL;
    }
    return conn;
}

static struct fake_exchange *live_exchange(struct squall_exchange *view, const char *call)
{
    struct fake_exchange *exchange = (struct fake_exchange *)(void *)view;
    struct fake_conn *conn = exchange->conn;
    if (!fake_on_thread(conn->host, call))
        return NULL;
    fake_reserve_forget(conn);
    if (exchange->end == FAKE_DONE)
        fake_violation(conn->host, "law 3: %s() on exchange %u after its done()", call, exchange->number);
    else if (exchange->end == FAKE_CANCELLED)
        fake_violation(conn->host, "law 1: %s() on exchange %u, which was cancelled", call, exchange->number);
    else if (exchange->end == FAKE_GIVEN_BACK)
        fake_violation(conn->host, "law 10: %s() on exchange %u, which was given back", call, exchange->number);
    else if (exchange->end == FAKE_DISCONNECTED)
        fake_violation(conn->host, "law 3: %s() on exchange %u, whose connection has ended", call, exchange->number);
    else if (exchange->recording)
        fake_violation(conn->host, "law 9: %s() on exchange %u from within record()", call, exchange->number);
    else
        return exchange;
    return NULL;
}

/* ---- worker ---- */

static uint64_t call_now_ns(const struct squall_worker *worker)
{
    fake_on_thread(fake_host_of(worker), "now_ns");
    return fake_host_of(worker)->now_ns;
}

/* splitmix64, so that a drive can be repeated. */
static uint64_t call_random(struct squall_worker *worker)
{
    struct fake_host *host = fake_host_of(worker);
    fake_on_thread(host, "random");
    uint64_t mixed = host->random += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

static void call_log(struct squall_worker *worker, uint32_t level, const char *line)
{
    struct fake_host *host = fake_host_of(worker);
    fake_on_thread(host, "log");
    if (level > LOG_LEVEL_MAX || !line || strchr(line, '\n'))
        fake_violation(host, "log() takes a level from 0 to 3 and one line");
}

static int32_t call_hold(struct squall_worker *worker, void (*fn)(struct squall_worker *, void *), void *arg)
{
    struct fake_host *host = fake_host_of(worker);
    int32_t status = -1;
    pthread_mutex_lock(&host->lock);
    if (host->post_count < FAKE_POSTS_MAX) {
        host->posts[host->post_count++] = (struct fake_post){fn, arg};
        status = 0;
    }
    pthread_mutex_unlock(&host->lock);
    return status;
}

static void call_wake(struct squall_worker *worker)
{
    struct fake_host *host = fake_host_of(worker);
    pthread_mutex_lock(&host->lock);
    host->posts_due = host->post_count;
    pthread_mutex_unlock(&host->lock);
}

static int32_t call_post(struct squall_worker *worker, void (*fn)(struct squall_worker *, void *), void *arg)
{
    int32_t status = call_hold(worker, fn, arg);
    call_wake(worker);
    return status;
}

/* ---- output ---- */

void fake_reserve_forget(struct fake_conn *conn)
{
    free(conn->reserved);
    conn->reserved = NULL;
    conn->reserved_len = 0;
}

static uint8_t *call_out_reserve(struct squall_conn *view, uint64_t len)
{
    struct fake_conn *conn = live_conn(view, "out_reserve");
    if (!conn)
        return NULL;
    if (len > conn->out_room) {
        conn->room_wanted = true;
        return NULL;
    }
    conn->reserved = xcalloc(1, len ? len : 1);
    conn->reserved_len = len;
    return conn->reserved;
}

/* Under a limit something waits already, whatever is still taken. */
static int32_t call_out_room(struct squall_conn *view, uint64_t enough)
{
    struct fake_conn *conn = live_conn(view, "out_room");
    (void)enough;
    if (!conn || conn->out_room == UINT64_MAX)
        return 1;
    conn->room_wanted = true;
    return 0;
}

static void put_output(struct fake_conn *conn, const uint8_t *data, uint64_t len)
{
    buffer_append(&conn->out, data, len);
    if (conn->out_room != UINT64_MAX)
        conn->out_room -= len;
    note_bytes(conn, 'o', conn, "out", data, len);
}

static void call_out_commit(struct squall_conn *view, uint64_t len)
{
    struct fake_conn *conn = (struct fake_conn *)(void *)view;
    uint8_t *reserved = conn->reserved;
    uint64_t room = conn->reserved_len;
    if (!fake_on_thread(conn->host, "out_commit"))
        return;
    conn->reserved = NULL; /* kept from being freed by the look-up: its bytes are wanted */
    conn = live_conn(view, "out_commit");
    if (conn && len > room)
        fake_violation(conn->host,
                       "memory: out_commit() of %llu bytes where %llu were reserved and nothing was called since",
                       (unsigned long long)len, (unsigned long long)room);
    else if (conn)
        put_output(conn, reserved, len);
    free(reserved);
}

static int32_t call_out_borrow(struct squall_conn *view, struct squall_bytes bytes)
{
    struct fake_conn *conn = live_conn(view, "out_borrow");
    if (!conn || bytes.len > conn->out_room) {
        if (conn)
            conn->room_wanted = true;
        return -1;
    }
    if (bytes.len && conn->borrow_count < FAKE_BORROWS_MAX) {
        struct fake_borrow *borrow = &conn->borrows[conn->borrow_count++];
        *borrow = (struct fake_borrow){bytes.data, xmalloc(bytes.len), bytes.len};
        memcpy(borrow->copy, bytes.data, bytes.len);
    }
    put_output(conn, bytes.data, bytes.len);
    return 0;
}

void fake_borrows_check(struct fake_conn *conn)
{
    for (uint32_t i = 0; i < conn->borrow_count; i++) {
        const struct fake_borrow *borrow = &conn->borrows[i];
        if (memcmp(borrow->data, borrow->copy, borrow->len) != 0)
            fake_violation(conn->host, "memory: bytes lent through out_borrow() changed; they must be run memory");
        free(borrow->copy);
    }
    conn->borrow_count = 0;
}

static void call_request_end(struct squall_exchange *view)
{
    struct fake_exchange *exchange = live_exchange(view, "request_end");
    if (!exchange)
        return;
    if (exchange->request_ended)
        fake_violation(exchange->conn->host, "request_end() twice on exchange %u", exchange->number);
    exchange->request_ended = true;
    fake_note(exchange->conn, "request-end %u", exchange->number);
}

/* ---- connection ---- */

static void call_capacity(struct squall_conn *view, uint32_t in_flight_max)
{
    struct fake_conn *conn = live_conn(view, "capacity");
    if (!conn)
        return;
    conn->capacity = in_flight_max;
    fake_note(conn, "capacity %u", in_flight_max);
}

static void call_retire(struct squall_conn *view)
{
    struct fake_conn *conn = live_conn(view, "retire");
    if (!conn)
        return;
    conn->retired = true;
    fake_note(conn, "retire");
}

static void call_close(struct squall_conn *view, uint32_t how)
{
    struct fake_conn *conn = live_conn(view, "close");
    if (!conn)
        return;
    if (how > SQUALL_CLOSE_RESET)
        fake_violation(conn->host, "close() in the unknown way %u", how);
    conn->close_wanted = true;
    fake_note(conn, "close %s", how == SQUALL_CLOSE_RESET ? "reset" : "orderly");
}

static void call_refuse(struct squall_conn *view, const struct squall_step *step, const char *why)
{
    struct fake_conn *conn = live_conn(view, "refuse");
    if (!conn)
        return;
    if (!why || !*why)
        fake_violation(conn->host, "refuse() without a reason; say what the target lacks");
    for (const struct fake_step *known = conn->host->steps; step && &known->view != step; known = known->next)
        if (!known->next)
            fake_violation(conn->host, "refuse() of a step that is none; give the one that step_init() was called with");
    conn->close_wanted = conn->failed = conn->refused = true;
    fake_note(conn, "refuse %s%s", step ? "a step: " : "", why ? why : "");
}

/* As if the scenario had given nothing but the target's host. */
static int32_t call_tls(struct squall_conn *view, struct squall_tls *ret_tls)
{
    struct fake_conn *conn = live_conn(view, "tls");
    if (!conn)
        return -1;
    if (!conn->host->target.secure)
        fake_violation(conn->host, "tls() of a target whose scheme is not secure");
    *ret_tls = (struct squall_tls){.server_name = (const char *)conn->host->target.host.data};
    return 0;
}

/* A copy, so that one kept for longer than the call is seen by the sanitizer. */
static const void *call_conn_options(struct squall_conn *view)
{
    struct fake_conn *conn = live_conn(view, "conn_options");
    if (!conn)
        return NULL;
    uint64_t size = conn->host->protocol->abi.target_options.size;
    free(conn->options);
    conn->options = xmalloc(size ? size : 1);
    memcpy(conn->options, conn->host->target.options, size);
    return conn->options;
}

static void call_fail(struct squall_conn *view, const char *why)
{
    struct fake_conn *conn = live_conn(view, "fail");
    if (!conn)
        return;
    if (!why || !*why)
        fake_violation(conn->host, "fail() without a reason; say what broke the session");
    conn->close_wanted = conn->failed = true;
    fake_note(conn, "fail %s", why ? why : "");
}

/* ---- exchange ---- */

static void call_first_byte(struct squall_exchange *view)
{
    struct fake_exchange *exchange = live_exchange(view, "first_byte");
    if (exchange)
        fake_note(exchange->conn, "first-byte %u", exchange->number);
}

static void call_body(struct squall_exchange *view, struct squall_bytes bytes)
{
    struct fake_exchange *exchange = live_exchange(view, "body");
    char label[24];
    if (!exchange)
        return;
    if (!(exchange->view.wants & SQUALL_WANT_BODY))
        fake_violation(exchange->conn->host, "body() on exchange %u, which does not want it", exchange->number);
    snprintf(label, sizeof label, "body %u", exchange->number);
    note_bytes(exchange->conn, 'b', exchange, label, bytes.data, bytes.len);
}

/* Given back and seen no more: a drive has one connection, and what it shows is how this one goes on. */
static int32_t call_again(struct squall_exchange *view)
{
    struct fake_exchange *exchange = live_exchange(view, "again");
    if (!exchange)
        return -1;
    fake_note(exchange->conn, "again %u", exchange->number);
    fake_exchange_end(exchange, FAKE_GIVEN_BACK);
    return 0;
}

static int32_t call_follow(struct squall_exchange *view)
{
    struct fake_exchange *exchange = live_exchange(view, "follow");
    if (!exchange || view->hop >= SQUALL_HOPS_MAX)
        return -1;
    if (exchange->followed)
        fake_violation(exchange->conn->host, "follow() twice on exchange %u", exchange->number);
    exchange->followed = true;
    fake_note(exchange->conn, "follow %u", exchange->number);
    return 0;
}

/* ---- messages ---- */

static void call_every(struct squall_exchange *view, uint64_t interval_ns)
{
    struct fake_exchange *exchange = live_exchange(view, "every");
    if (!exchange)
        return;
    struct fake_host *host = exchange->conn->host;
    if (interval_ns && !host->protocol->abi.turn)
        fake_violation(host, "every() by a plugin without turn(); nothing would be called");
    exchange->every_ns = interval_ns;
    exchange->turn_ns = host->now_ns;
    fake_note(exchange->conn, "every %u %llu", exchange->number, (unsigned long long)interval_ns);
}

static void note_message(struct squall_exchange *view, const char *call, uint64_t key)
{
    struct fake_exchange *exchange = live_exchange(view, call);
    if (exchange)
        fake_note(exchange->conn, "%s %u %llu", call, exchange->number, (unsigned long long)key);
}

static void call_message_sent(struct squall_exchange *view, uint64_t key)
{
    note_message(view, "message_sent", key);
}

static void call_message_answered(struct squall_exchange *view, uint64_t key)
{
    note_message(view, "message_answered", key);
}

static void call_message_received(struct squall_exchange *view)
{
    note_message(view, "message_received", 0);
}

/* ---- times ---- */

static void call_tick_at(struct squall_conn *view, uint64_t at_ns)
{
    struct fake_conn *conn = live_conn(view, "tick_at");
    if (!conn)
        return;
    if (!conn->host->protocol->abi.tick)
        fake_violation(conn->host, "tick_at() by a plugin without tick(); nothing would be called");
    conn->next_tick_ns = at_ns;
}

static uint64_t call_stamp_ns(struct squall_worker *worker)
{
    fake_on_thread(fake_host_of(worker), "stamp_ns");
    return fake_host_of(worker)->now_ns;
}

struct recorder {
    struct squall_recorder view; /* first */
    struct fake_exchange *exchange;
};

static void record_field(struct squall_recorder *view, struct squall_bytes name, struct squall_bytes value)
{
    note_pair(((struct recorder *)(void *)view)->exchange->conn, "field", name, value);
}

static void record_sample(struct squall_recorder *view, uint32_t metric, uint64_t value)
{
    struct fake_conn *conn = ((struct recorder *)(void *)view)->exchange->conn;
    if (metric >= conn->host->protocol->abi.metrics.count)
        fake_violation(conn->host, "sample() of metric %u, of which there are %u", metric,
                       conn->host->protocol->abi.metrics.count);
    fake_note(conn, "sample %u %llu", metric, (unsigned long long)value);
}

static void call_ended(struct squall_exchange *view)
{
    struct fake_exchange *exchange = live_exchange(view, "ended");
    if (!exchange)
        return;
    if (exchange->ended)
        fake_violation(exchange->conn->host, "law 1: ended() a second time");
    exchange->ended = true;
}

static void call_done(struct squall_exchange *view, const struct squall_result *result)
{
    struct fake_exchange *exchange = live_exchange(view, "done");
    if (!exchange)
        return;
    struct fake_conn *conn = exchange->conn;
    const struct squall_protocol *abi = &conn->host->protocol->abi;
    if (result->outcome > SQUALL_BROKEN_OFF)
        fake_violation(conn->host, "law 7: done() with the unknown outcome %u", result->outcome);
    exchange->result = *result;
    snprintf(exchange->reason, sizeof exchange->reason, "%s", result->reason ? result->reason : "");
    exchange->result.reason = exchange->reason;
    fake_note(conn, "done %u outcome %u code %u in %llu out %llu %s", exchange->number, result->outcome, result->code,
              (unsigned long long)result->bytes_in, (unsigned long long)result->bytes_out, exchange->reason);
    if (abi->record) {
        /* Of its own on the heap: one that the plugin keeps is seen by the sanitizer. */
        struct recorder *recorder = xcalloc(1, sizeof *recorder);
        *recorder = (struct recorder){{record_field, record_sample}, exchange};
        exchange->recording = true;
        abi->record(view, &recorder->view);
        exchange->recording = false;
        free(recorder);
    }
    fake_exchange_end(exchange, FAKE_DONE);
}

/* It is told while a connection lives, and leaves room of out_reserve() as it is. */
static void call_trace(struct squall_conn *view, uint32_t what, struct squall_bytes name, struct squall_bytes value)
{
    struct fake_conn *conn = (struct fake_conn *)(void *)view;
    if (!fake_on_thread(conn->host, "trace"))
        return;
    if (!conn->connected)
        fake_violation(conn->host, "law 1: trace() on a connection after its disconnect()");
    if (what < SQUALL_TRACE_SENT || what > SQUALL_TRACE_NOTE || (what == SQUALL_TRACE_CONTENT) != (name.len == 0))
        fake_violation(conn->host, "trace() of %u with a name of %llu bytes", what, (unsigned long long)name.len);
    if ((what == SQUALL_TRACE_FIELD || what == SQUALL_TRACE_CONTENT) && !conn->traced.len)
        fake_violation(conn->host, "trace() of a part of nothing");
    static const char *const marks[] = {"", "\n> ", "\n< ", "\n", "", ""};
    buffer_printf(&conn->traced, "%s", marks[what <= SQUALL_TRACE_NOTE ? what : 0]);
    buffer_append(&conn->traced, name.data, what == SQUALL_TRACE_NOTE ? 0 : name.len);
    buffer_printf(&conn->traced, "%s", what == SQUALL_TRACE_FIELD ? ": " : value.len && name.len ? " " : "");
    buffer_append(&conn->traced, value.data, value.len);
}

/* Nothing is in the way of output here. */
static void call_request_is_all(struct squall_exchange *view, uint64_t bytes_out)
{
    call_request_end(view);
    call_done(view, &(struct squall_result){.outcome = SQUALL_OK, .bytes_out = bytes_out});
}

void fake_calls_init(struct fake_host *host)
{
    host->table = (struct squall_host){.size = sizeof host->table,
                                       .abi_major = SQUALL_ABI_MAJOR,
                                       .abi_minor = SQUALL_ABI_MINOR,
                                       .now_ns = call_now_ns,
                                       .random = call_random,
                                       .log = call_log,
                                       .out_reserve = call_out_reserve,
                                       .out_commit = call_out_commit,
                                       .out_borrow = call_out_borrow,
                                       .request_end = call_request_end,
                                       .capacity = call_capacity,
                                       .retire = call_retire,
                                       .close = call_close,
                                       .fail = call_fail,
                                       .first_byte = call_first_byte,
                                       .body = call_body,
                                       .done = call_done,
                                       .post = call_post,
                                       .again = call_again,
                                       .follow = call_follow,
                                       .refuse = call_refuse,
                                       .conn_options = call_conn_options,
                                       .every = call_every,
                                       .message_sent = call_message_sent,
                                       .message_answered = call_message_answered,
                                       .message_received = call_message_received,
                                       .stamp_ns = call_stamp_ns,
                                       .out_room = call_out_room,
                                       .tick_at = call_tick_at,
                                       .hold = call_hold,
                                       .wake = call_wake,
                                       .tls = call_tls,
                                       .trace = call_trace,
                                       .ended = call_ended,
                                       .request_is_all = call_request_is_all};
    fake_samples_init(&host->table);
}
