/*
 * A plugin with one fault, which the loader must refuse. Each field that a fault can stand in is a macro; CMake builds
 * one shared object a fault, with one of them defined. Without any it is a plugin that loads.
 */
#include <squall/plugin.h>

#ifndef SYMBOL
#define SYMBOL SQUALL_PROTOCOL
#endif
#ifndef MAGIC
#define MAGIC SQUALL_PLUGIN_MAGIC
#endif
#ifndef MAJOR
#define MAJOR SQUALL_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR SQUALL_ABI_MINOR
#endif
#ifndef SIZE
#define SIZE sizeof(struct squall_protocol)
#endif
#ifndef FLAGS
#define FLAGS 0
#endif
#ifndef NAME
#define NAME "broken"
#endif
#ifndef PLUGIN_VERSION
#define PLUGIN_VERSION "1"
#endif
#ifndef SUMMARY
#define SUMMARY "a fixture of the loader's tests"
#endif
#ifndef SCHEMES
#define SCHEMES "broken,brokens"
#endif
#ifndef PORTS
#define PORTS "7,8"
#endif
#ifndef HEADLINE
#define HEADLINE "number other"
#endif
#ifndef CONNECT
#define CONNECT on_connect
#endif
#ifndef RECEIVE
#define RECEIVE on_receive
#endif
#ifndef REQUEST
#define REQUEST on_request
#endif
#ifndef CANCEL
#define CANCEL on_cancel
#endif
#ifndef CONN_SIZE
#define CONN_SIZE 16
#endif
#ifndef ROWS
#define ROWS options
#endif
#ifndef COUNT
#define COUNT 2
#endif
#ifndef STRIDE
#define STRIDE sizeof(struct squall_option)
#endif
#ifndef OPTIONS_SIZE
#define OPTIONS_SIZE sizeof(struct values)
#endif
#ifndef ROW_NAME
#define ROW_NAME "number"
#endif
#ifndef ROW_FLAG
#define ROW_FLAG "-x,--number"
#endif
#ifndef ROW_METAVAR
#define ROW_METAVAR "N"
#endif
#ifndef ROW_HELP
#define ROW_HELP "a number"
#endif
#ifndef ROW_FALLBACK
#define ROW_FALLBACK "5"
#endif
#ifndef ROW_CHOICES
#define ROW_CHOICES 0
#endif
#ifndef ROW_MIN
#define ROW_MIN 1
#endif
#ifndef ROW_MAX
#define ROW_MAX 10
#endif
#ifndef ROW_TYPE
#define ROW_TYPE SQUALL_UINT
#endif
#ifndef ROW_OFFSET
#define ROW_OFFSET offsetof(struct values, number)
#endif
#ifndef ROW_ROLE
#define ROW_ROLE 0
#endif
#ifndef ROW_VERBS
#define ROW_VERBS 0
#endif
#ifndef VERB_NAME
#define VERB_NAME "poke"
#endif
#ifndef VERB_HELP
#define VERB_HELP "pokes it"
#endif
#ifndef VERB_HEADLINE
#define VERB_HEADLINE "other"
#endif
#ifndef VERB_COUNT
#define VERB_COUNT 0
#endif
#ifndef METRIC_NAME
#define METRIC_NAME "gap_ns"
#endif
#ifndef METRIC_HELP
#define METRIC_HELP "a gap"
#endif
#ifndef METRIC_KIND
#define METRIC_KIND SQUALL_HISTOGRAM
#endif
#ifndef METRIC_ROLE
#define METRIC_ROLE 0
#endif
#ifndef METRIC_STRIDE
#define METRIC_STRIDE sizeof(struct squall_metric)
#endif
#ifndef METRIC_COUNT
#define METRIC_COUNT 2
#endif

struct values {
    uint64_t number;
    struct squall_bytes other;
};

/* A fault may leave any of these out of the table. */
#define UNUSED __attribute__((unused))

UNUSED static const char *const no_choices[] = {0};
UNUSED static const char *const some_choices[] = {"one", "two", 0};

UNUSED static const struct squall_option options[] = {
    {ROW_NAME, ROW_FLAG, ROW_METAVAR, ROW_HELP, ROW_FALLBACK, ROW_CHOICES, ROW_MIN, ROW_MAX, ROW_TYPE, ROW_OFFSET,
     ROW_ROLE, ROW_VERBS},
    {"other", 0, 0, "some text", 0, 0, 0, 0, SQUALL_STRING, offsetof(struct values, other), 0, 0},
};

static const struct squall_metric metrics[] = {
    {METRIC_NAME, METRIC_HELP, METRIC_KIND, METRIC_ROLE},
    {"tries", "a second one", SQUALL_COUNTER, 0},
};

static const struct squall_verb verbs[] = {{VERB_NAME, VERB_HELP, VERB_HEADLINE}, {"prod", "prods it", 0}};

UNUSED static void on_connect(struct squall_conn *conn)
{
    conn->worker->host->capacity(conn, 1);
}

UNUSED static uint64_t on_receive(struct squall_conn *conn, const uint8_t *data, uint64_t len)
{
    (void)conn;
    (void)data;
    return len;
}

UNUSED static void on_request(struct squall_conn *conn, struct squall_exchange *exchange)
{
    const struct squall_result result = {.outcome = SQUALL_OK};
    conn->worker->host->done(exchange, &result);
}

UNUSED static void on_cancel(struct squall_conn *conn, struct squall_exchange *exchange)
{
    (void)conn;
    (void)exchange;
}

SQUALL_EXPORT extern const struct squall_protocol SYMBOL;
const struct squall_protocol SYMBOL = {
    .magic = MAGIC,
    .abi_major = MAJOR,
    .abi_minor = MINOR,
    .size = SIZE,
    .flags = FLAGS,
    .name = NAME,
    .version = PLUGIN_VERSION,
    .summary = SUMMARY,
    .schemes = SCHEMES,
    .ports = PORTS,
    .headline = HEADLINE,
    .conn_size = CONN_SIZE,
    .step_options = {ROWS, COUNT, STRIDE, OPTIONS_SIZE},
    .metrics = {metrics, METRIC_COUNT, METRIC_STRIDE, 0},
    .connect = CONNECT,
    .receive = RECEIVE,
    .request = REQUEST,
    .cancel = CANCEL,
    .verbs = {verbs, VERB_COUNT, sizeof(struct squall_verb), 0},
};
