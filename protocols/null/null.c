/*
 * null: a protocol that asks nobody. Every request is answered before it returns, so a run measures what the engine
 * itself costs for an exchange: schedule, users, checks, histograms, and nothing of a network.
 *
 * It keeps no state at all. A step may choose the answer, which also makes it a way to try thresholds and reports
 * without a server: `null: 503` with `outcome: rejected`.
 */
#include <squall/plugin.h>

struct step_options {
    uint64_t code;
    uint64_t outcome; /* as the choices: enum squall_outcome, of which the first two are in it */
};

static const char *const outcomes[] = {"ok", "rejected", 0};

static const struct squall_option step_options[] = {
    {.name = "code",
     .help = "the code that each answer carries; 0 stands for none",
     .fallback = "0",
     .type = SQUALL_UINT,
     .max = 65535,
     .offset = offsetof(struct step_options, code)},
    {.name = "outcome",
     .help = "how each exchange ends",
     .fallback = "ok",
     .choices = outcomes,
     .type = SQUALL_CHOICE,
     .offset = offsetof(struct step_options, outcome)},
};

static void null_connect(struct squall_conn *conn)
{
    conn->worker->host->capacity(conn, 1);
}

static void null_request(struct squall_conn *conn, struct squall_exchange *exchange)
{
    const struct step_options *options = exchange->options;
    const struct squall_result result = {
        .outcome = options->outcome ? SQUALL_REJECTED : SQUALL_OK,
        .code = (uint32_t)options->code,
        .reason = options->outcome && !options->code ? "rejected as the step asks" : 0,
    };
    conn->worker->host->done(exchange, &result);
}

/* Nothing is ever in flight when the engine could give up on it. */
static void null_cancel(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)conn;
    (void)exchange;
}

SQUALL_EXPORT extern const struct squall_protocol SQUALL_PROTOCOL;
const struct squall_protocol SQUALL_PROTOCOL = {
    .magic = SQUALL_PLUGIN_MAGIC,
    .abi_major = SQUALL_ABI_MAJOR,
    .abi_minor = SQUALL_ABI_MINOR,
    .size = sizeof(struct squall_protocol),
    .flags = SQUALL_OWN_TRANSPORT,
    .name = "null",
    .version = "0.1.0",
    .summary = "answers by itself: what the engine alone costs",
    .schemes = "null",
    .ports = "9", /* RFC 863, discard; a URL needs a port, and nobody connects to this one */
    .headline = "code",
    .step_options = {.rows = step_options,
                     .count = sizeof step_options / sizeof step_options[0],
                     .stride = sizeof step_options[0],
                     .size = sizeof(struct step_options)},
    .connect = null_connect,
    .request = null_request,
    .cancel = null_cancel,
};
