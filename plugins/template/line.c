/*
 * line: a protocol to copy. It sends one line of text and takes one line as the answer, which is enough to drive an
 * echo service, or a server that answers in lines. An answer that begins with '-' says no.
 *
 * Whatever must be remembered stands in a state block that the engine sizes, zeroes and frees: there is no malloc here,
 * and no static variable that changes, since one process drives many connections.
 */
#include <squall/plugin.h>
#include <string.h>

#define ANSWER_MAX 65536 /* a peer must not make us hold more */

enum code { CODE_ANSWERED = 1, CODE_REFUSED = 2 };
enum metric { METRIC_ANSWER_BYTES };

struct conn_state {
    struct squall_exchange *exchange; /* in flight, or 0: forgotten before done() and in cancel() */
    uint64_t seen;                    /* bytes of an unfinished answer that hold no end of line */
};

struct exchange_state {
    uint64_t bytes_out, bytes_in;
};

/* What the rows below describe; the engine fills it in for each exchange. */
struct step_options {
    struct squall_bytes text;
};

static const struct squall_option step_options[] = {
    {.name = "text", .flag = "--text", .metavar = "TEXT", .help = "the line to send, without its end",
     .fallback = "hello", .type = SQUALL_STRING, .offset = offsetof(struct step_options, text)},
};

static const struct squall_metric metrics[] = {
    [METRIC_ANSWER_BYTES] = {.name = "answer_bytes", .help = "length of an answer", .kind = SQUALL_HISTOGRAM},
};

/* The transport is up. A protocol with a greeting or a login would send it here, and announce its capacity later. */
static void line_connect(struct squall_conn *conn)
{
    conn->worker->host->capacity(conn, 1);
}

static void line_finish(struct squall_conn *conn, uint32_t outcome, uint32_t code, const char *reason)
{
    struct conn_state *state = conn->state;
    struct squall_exchange *exchange = state->exchange;
    struct exchange_state *numbers = exchange->state;
    struct squall_result result = {outcome, code, numbers->bytes_in, numbers->bytes_out, reason};
    state->exchange = 0; /* first: from done() on it may belong to another exchange */
    conn->worker->host->done(exchange, &result);
}

static void line_request(struct squall_conn *conn, struct squall_exchange *exchange)
{
    const struct squall_host *host = conn->worker->host;
    const struct step_options *options = exchange->options;
    struct conn_state *state = conn->state;
    struct exchange_state *numbers = exchange->state;
    uint64_t len = options->text.len;
    int one_line = !len || !memchr(options->text.data, '\n', len);
    uint8_t *room = one_line ? host->out_reserve(conn, len + 1) : 0;
    state->exchange = exchange;
    if (!room) {
        line_finish(conn, SQUALL_UNSENT, 0, one_line ? "no room in the output" : "text holds an end of line");
        return;
    }
    if (len)
        memcpy(room, options->text.data, len);
    room[len] = '\n';
    host->out_commit(conn, len + 1);
    host->request_end(exchange); /* so that the engine can stamp `sent` */
    numbers->bytes_out = len + 1;
}

/* Bytes of the peer, in pieces of any size; what is not used comes again with more behind it. */
static uint64_t line_receive(struct squall_conn *conn, const uint8_t *data, uint64_t len)
{
    const struct squall_host *host = conn->worker->host;
    struct conn_state *state = conn->state;
    if (!len) /* the peer's end: the engine closes the connection and ends what is in flight */
        return 0;
    if (!state->exchange) {
        host->fail(conn, "bytes that answer no request");
        return len;
    }
    if (!state->seen)
        host->first_byte(state->exchange);
    uint64_t known = len < ANSWER_MAX ? len : ANSWER_MAX;
    const uint8_t *end = memchr(data + state->seen, '\n', known - state->seen);
    if (!end && known < ANSWER_MAX) {
        state->seen = len;
        return 0;
    }
    uint64_t used = end ? (uint64_t)(end - data) + 1 : known;
    ((struct exchange_state *)state->exchange->state)->bytes_in = used;
    state->seen = 0;
    if (!end) {
        line_finish(conn, SQUALL_MALFORMED, 0, "the answer's line has no end");
        host->close(conn, SQUALL_CLOSE_RESET);
        return len;
    }
    if (state->exchange->wants & SQUALL_WANT_BODY)
        host->body(state->exchange, (struct squall_bytes){data, used - 1});
    line_finish(conn, data[0] == '-' ? SQUALL_REJECTED : SQUALL_OK, data[0] == '-' ? CODE_REFUSED : CODE_ANSWERED, 0);
    if (used < len) /* nobody asked for more */
        host->fail(conn, "bytes that answer no request");
    return len;
}

/* The engine gave up on the exchange. Its late answer could be taken for the next one's, so the connection goes too. */
static void line_cancel(struct squall_conn *conn, struct squall_exchange *exchange)
{
    struct conn_state *state = conn->state;
    (void)exchange;
    state->exchange = 0;
    conn->worker->host->close(conn, SQUALL_CLOSE_RESET);
}

/* Called from done(): what only this protocol knows about an answer. */
static void line_record(const struct squall_exchange *exchange, struct squall_recorder *recorder)
{
    const struct exchange_state *numbers = exchange->state;
    if (numbers->bytes_in)
        recorder->sample(recorder, METRIC_ANSWER_BYTES, numbers->bytes_in);
}

static const char *line_code_name(uint32_t code)
{
    return code == CODE_ANSWERED ? "answered" : code == CODE_REFUSED ? "refused" : 0;
}

SQUALL_EXPORT extern const struct squall_protocol SQUALL_PROTOCOL;
const struct squall_protocol SQUALL_PROTOCOL = {
    .magic = SQUALL_PLUGIN_MAGIC, .abi_major = SQUALL_ABI_MAJOR, .abi_minor = SQUALL_ABI_MINOR,
    .size = sizeof(struct squall_protocol),
    .name = "line", /* and the file is line.so */
    .version = "0.1.0",
    .summary = "one line out, one line back",
    .schemes = "line",
    .headline = "text",
    .conn_size = sizeof(struct conn_state),
    .exchange_size = sizeof(struct exchange_state),
    .step_options = {step_options, sizeof step_options / sizeof step_options[0], sizeof step_options[0],
                     sizeof(struct step_options)},
    .metrics = {metrics, sizeof metrics / sizeof metrics[0], sizeof metrics[0], 0},
    .connect = line_connect, .receive = line_receive, .request = line_request, .cancel = line_cancel,
    .record = line_record, .code_name = line_code_name,
};
