/*
 * A plugin that loads and then breaks one law, which the fake host must see. CMake builds one shared object a fault,
 * with FAULT defined as one of these; FAULT 0 behaves. Its protocol: one byte out, a line back.
 */
#include <pthread.h>
#include <squall/plugin.h>
#include <string.h>

enum fault {
    BEHAVES = 0,
    DONE_TWICE,
    DONE_AFTER_CANCEL,
    KEEPS_EXCHANGE, /* calls first_byte() on the one before */
    DONE_IN_RECORD,
    UNKNOWN_OUTCOME,
    UNKNOWN_METRIC,
    COMMITS_TOO_MUCH,
    STALE_RESERVE,   /* commits after another host call */
    USES_TOO_MUCH,   /* of the input */
    SPLIT_SENSITIVE, /* counts reads */
    OTHER_THREAD,    /* calls more than post() there */
    CALLS_CLOSED,    /* a connection after its end */
    UNWANTED_BODY,
    LENT_BYTES_CHANGE,
    STATIC_STATE,  /* counts the answers of all connections together */
    SHORT_REQUEST, /* sends half when there is no room */
    ENDS_TWICE,    /* request_end() */
    WRITES_BEHIND, /* its connection state */
};

struct conn_state {
    struct squall_exchange *exchange, *before;
    uint64_t reads;
};

static const struct squall_metric metrics[] = {{"reads", "reads", SQUALL_COUNTER, 0}};
static struct squall_conn *first_conn;
static uint8_t lent[1];
static uint32_t answers;

static void finish(struct squall_conn *conn, struct squall_exchange *exchange, uint32_t code)
{
    struct conn_state *state = conn->state;
    const struct squall_result result = {.outcome = FAULT == UNKNOWN_OUTCOME ? 77 : SQUALL_OK, .code = code};
    state->before = exchange;
    if (FAULT != DONE_AFTER_CANCEL)
        state->exchange = 0;
    conn->worker->host->done(exchange, &result);
    if (FAULT == DONE_TWICE)
        conn->worker->host->done(exchange, &result);
}

static void on_connect(struct squall_conn *conn)
{
    first_conn = first_conn ? first_conn : conn;
    answers = 0;
    conn->worker->host->capacity(conn, 1);
}

static void *other_thread(void *arg)
{
    struct squall_conn *conn = arg;
    conn->worker->host->capacity(conn, 2);
    return 0;
}

static void on_request(struct squall_conn *conn, struct squall_exchange *exchange)
{
    const struct squall_host *host = conn->worker->host;
    struct conn_state *state = conn->state;
    pthread_t thread;
    state->exchange = exchange;
    if (FAULT == WRITES_BEHIND)
        ((volatile uint8_t *)conn->state)[sizeof *state] = 1;
    if (FAULT == OTHER_THREAD && pthread_create(&thread, 0, other_thread, conn) == 0)
        pthread_join(thread, 0);
    if (FAULT == LENT_BYTES_CHANGE) {
        host->out_borrow(conn, (struct squall_bytes){lent, 1});
        lent[0]++;
        return;
    }
    uint8_t *room = host->out_reserve(conn, 2);
    if (!room && FAULT == SHORT_REQUEST) {
        room = host->out_reserve(conn, 1);
        if (room)
            host->out_commit(conn, 1);
        return;
    }
    if (!room) {
        const struct squall_result result = {.outcome = SQUALL_UNSENT, .reason = "no room"};
        state->exchange = 0;
        host->done(exchange, &result);
        return;
    }
    room[0] = '?';
    room[1] = '\n';
    if (FAULT == STALE_RESERVE)
        host->request_end(exchange);
    host->out_commit(conn, FAULT == COMMITS_TOO_MUCH ? 3 : 2);
    if (FAULT != STALE_RESERVE)
        host->request_end(exchange);
    if (FAULT == ENDS_TWICE)
        host->request_end(exchange);
}

static uint64_t on_receive(struct squall_conn *conn, const uint8_t *data, uint64_t len)
{
    const struct squall_host *host = conn->worker->host;
    struct conn_state *state = conn->state;
    const uint8_t *end = len ? memchr(data, '\n', len) : 0;
    if (!len)
        return 0;
    state->reads++;
    if (FAULT == KEEPS_EXCHANGE && state->before)
        host->first_byte(state->before);
    if (!state->exchange || !end)
        return state->exchange ? 0 : len;
    uint64_t used = (uint64_t)(end - data) + 1;
    if (FAULT == UNWANTED_BODY)
        host->body(state->exchange, (struct squall_bytes){data, used});
    answers++;
    finish(conn, state->exchange,
           FAULT == SPLIT_SENSITIVE ? (uint32_t)state->reads
           : FAULT == STATIC_STATE  ? answers
                                    : 1);
    return FAULT == USES_TOO_MUCH ? len + 1 : len;
}

static void on_cancel(struct squall_conn *conn, struct squall_exchange *exchange)
{
    struct conn_state *state = conn->state;
    const struct squall_result result = {.outcome = SQUALL_OK};
    state->exchange = 0;
    if (FAULT == DONE_AFTER_CANCEL)
        conn->worker->host->done(exchange, &result);
}

static void posted(struct squall_worker *worker, void *arg)
{
    worker->host->capacity(arg, 1);
}

static void on_disconnect(struct squall_conn *conn)
{
    if (first_conn == conn)
        first_conn = 0;
    if (FAULT == CALLS_CLOSED)
        conn->worker->host->post(conn->worker, posted, conn);
}

static void on_record(const struct squall_exchange *exchange, struct squall_recorder *recorder)
{
    recorder->sample(recorder, FAULT == UNKNOWN_METRIC ? 1 : 0, exchange->id);
}

/* record() has no host at hand; what a plugin could have kept, this one has kept. */
static void on_record_done(const struct squall_exchange *exchange, struct squall_recorder *recorder)
{
    const struct squall_result result = {.outcome = SQUALL_OK};
    (void)recorder;
    first_conn->worker->host->done((struct squall_exchange *)(uintptr_t)exchange, &result);
}

SQUALL_EXPORT extern const struct squall_protocol SQUALL_PROTOCOL;
const struct squall_protocol SQUALL_PROTOCOL = {
    .magic = SQUALL_PLUGIN_MAGIC,
    .abi_major = SQUALL_ABI_MAJOR,
    .abi_minor = SQUALL_ABI_MINOR,
    .size = sizeof(struct squall_protocol),
    .name = "misbehaved",
    .version = "1",
    .summary = "a fixture of the fake host's tests",
    .schemes = "misbehaved",
    .conn_size = sizeof(struct conn_state),
    .metrics = {metrics, 1, sizeof metrics[0], 0},
    .connect = on_connect,
    .receive = on_receive,
    .request = on_request,
    .cancel = on_cancel,
    .disconnect = on_disconnect,
    .record = FAULT == DONE_IN_RECORD ? on_record_done : on_record,
};
