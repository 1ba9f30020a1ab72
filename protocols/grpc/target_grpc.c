/* gRPC for `squall target`: the room's table. See target_demo.h. */
#include "status.h"
#include "target_demo.h"
#include <stdlib.h>
#include <string.h>

/* ---- flags ---- */

static int parse_share(char *text, struct demo_mix *mix, double *total)
{
    double weight = 1;
    char *colon = strchr(text, ':'), *end = NULL;
    if (colon != NULL) {
        *colon = '\0';
        weight = strtod(colon + 1, &end);
        if (end == colon + 1 || *end != '\0' || !(weight >= 0 && weight <= 1e9))
            return -1;
    }
    struct squall_bytes name = {(const uint8_t *)text, strlen(text)};
    if (mix->count == DEMO_MIX_MAX || rpc_code_parse(name, &mix->code[mix->count]) < 0)
        return -1;
    *total += weight;
    mix->upper[mix->count++] = *total;
    return 0;
}

static int parse_mix(const char *text, struct demo_mix *mix)
{
    char copy[512], *rest = NULL;
    double total = 0;
    if (strlen(text) >= sizeof copy)
        return -1;
    memcpy(copy, text, strlen(text) + 1);
    for (char *share = strtok_r(copy, ",", &rest); share != NULL; share = strtok_r(NULL, ",", &rest))
        if (parse_share(share, mix, &total) < 0)
            return -1;
    if (!(total > 0))
        return -1;
    for (uint32_t i = 0; i < mix->count; i++)
        mix->upper[i] /= total;
    return 0;
}

static int32_t refuse(struct squall_error *error, const char *text)
{
    memcpy(error->text, text, strlen(text) + 1);
    return -1;
}

static int32_t grpc_init(struct squall_server_run *run, struct squall_error *error)
{
    const struct demo_options *options = run->options;
    struct demo_run *state = run->state;
    if (parse_mix((const char *)options->status.data, &state->mix) < 0)
        return refuse(error, "--status: write a status, or a mix of up to 16 such as OK:0.99,UNAVAILABLE:0.01");
    if (run->host->distribution_parse((const char *)options->size.data, SQUALL_SIZE, &state->size, error))
        return -1;
    return demo_calls_init(state) < 0 ? refuse(error, "no memory") : 0;
}

static void grpc_fini(struct squall_server_run *run)
{
    demo_calls_fini(run->state);
}

/* ---- connections ---- */

static uint64_t grpc_receive(struct squall_server_conn *conn, const uint8_t *data, uint64_t len)
{
    struct demo_conn *demo = conn->state;
    if (demo->h2.conn == NULL && demo_conn_begin(conn, demo) < 0) {
        conn->run->host->malformed(conn); /* no memory: as good a word as any */
        return len;
    }
    return h2_server_receive(&demo->h2, data, len);
}

static int32_t grpc_answer(struct squall_server_conn *conn, struct squall_server_request *request)
{
    (void)conn;
    demo_answer(((struct demo_request *)request->state)->call);
    return 0;
}

static void grpc_write(struct squall_server_conn *conn)
{
    struct demo_conn *demo = conn->state;
    if (h2_server_write(&demo->h2) && demo->failed)
        conn->run->host->malformed(conn);
}

static void grpc_disconnect(struct squall_server_conn *conn)
{
    demo_conn_end(conn->state);
}

#define AT(field) .offset = offsetof(struct demo_options, field)
static const struct squall_option options[] = {
    {.name = "status",
     .flag = "--status",
     .metavar = "MIX",
     .type = SQUALL_STRING,
     AT(status),
     .fallback = "OK",
     .help = "a status, or a mix such as OK:0.99,UNAVAILABLE:0.01"},
    {.name = "size",
     .flag = "--size",
     .metavar = "SIZE",
     .type = SQUALL_STRING,
     AT(size),
     .fallback = "128",
     .help = "bytes of an answer's payload: 128, 4k, uniform(100,2000), ..."},
    {.name = "max-message",
     .flag = "--max-message",
     .metavar = "SIZE",
     .type = SQUALL_SIZE,
     AT(max_message),
     .fallback = "4MiB",
     .max = DEMO_MESSAGE_MAX,
     .help = "of a message that is taken, below 8 MiB"},
    {.name = "streams",
     .flag = "--streams",
     .metavar = "N",
     .type = SQUALL_UINT,
     AT(streams),
     .fallback = "256",
     .max = 1000,
     .help = "calls of a connection at a time"},
};

/* The fields of squall.demo.Ask, in its order. */
static const struct squall_server_parameter parameters[] = {
    {"payload", "BYTES", "counted and dropped"},
    {"tag", "TEXT", "comes back in the answers"},
    {"size", "SIZE", "of an answer's payload: 4k, uniform(100,2000), ..."},
    {"delay", "DELAY", "until the answer begins"},
    {"parts", "[{size, delay, count}, ...]", "Download, Chat: the answers, each after its delay"},
    {"status", "NAME", "after the parts, or instead of an answer"},
    {"message", "TEXT", "beside the status"},
    {"stall", "TIME", "the whole target says nothing for so long"},
    {"reset", "true", "a reset of the connection instead of an answer"},
    {"close", "true", "GOAWAY; the connection closes once its calls have ended"},
    {"http_status", "N", "an answer that is not gRPC's"},
    {"fault", "NAME",
     "NO_TRAILERS, RESET_BEFORE_HEADERS, RESET_AFTER_HEADERS, RESET_IN_MESSAGE, GOAWAY, BROKEN_LENGTH, HUGE_LENGTH"},
    {"error_code", "N", "HTTP/2's, of those resets (else INTERNAL_ERROR) and of GOAWAY"},
};

const struct squall_server squall_server_grpc = {
    .name = "grpc",
    .summary = "gRPC: squall.demo.Demo (Unary, Download, Upload, Chat), health, reflection",
    .parameters_title =
        "What a message to squall.demo.Demo may ask for, such as {\"delay\": \"5ms\", \"status\": \"NOT_FOUND\"}",
    .parameters = parameters,
    .parameter_count = sizeof parameters / sizeof parameters[0],
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .options_size = sizeof(struct demo_options),
    .alpn = "h2",
    .run_size = sizeof(struct demo_run),
    .conn_size = sizeof(struct demo_conn),
    .request_size = sizeof(struct demo_request),
    .init = grpc_init,
    .fini = grpc_fini,
    .receive = grpc_receive,
    .answer = grpc_answer,
    .write = grpc_write,
    .disconnect = grpc_disconnect,
};
