/*
 * HTTP for `squall target`: answers with what the flags and a request's own query ask for. Here is the room's table,
 * and which version a connection speaks: HTTP/2 where its first bytes are that version's preface, else HTTP/1.1.
 */
#include "target_h1.h"
#include "target_h2.h"
#include <stdlib.h>
#include <string.h>

enum http_version { HTTP_UNKNOWN, HTTP_1, HTTP_2 };

struct http_conn {
    enum http_version version;
    union {
        struct target_h1 h1;
        struct target_h2 h2;
    };
};

union http_request {
    struct target_h1_request h1;
    struct target_h2_request h2;
};

/* ---- flags ---- */

static int parse_share(const struct squall_server_host *host, char *text, struct target_mix *mix, double *total)
{
    uint64_t status;
    double weight = 1;
    char *colon = strchr(text, ':'), *end = NULL;
    if (colon) {
        *colon = '\0';
        weight = strtod(colon + 1, &end);
        if (end == colon + 1 || *end || !(weight >= 0 && weight <= 1e9))
            return -1;
    }
    if (mix->count == TARGET_MIX_MAX || host->number_parse(text, SQUALL_UINT, &status) || status < 200 || status > 599)
        return -1;
    *total += weight;
    mix->status[mix->count] = (uint32_t)status;
    mix->upper[mix->count++] = *total;
    return 0;
}

static int parse_mix(const struct squall_server_host *host, const char *text, struct target_mix *mix)
{
    char copy[256], *rest = NULL;
    double total = 0;
    if (strlen(text) >= sizeof copy)
        return -1;
    memcpy(copy, text, strlen(text) + 1);
    for (char *share = strtok_r(copy, ",", &rest); share; share = strtok_r(NULL, ",", &rest))
        if (parse_share(host, share, mix, &total))
            return -1;
    if (!(total > 0))
        return -1;
    for (uint32_t i = 0; i < mix->count; i++)
        mix->upper[i] /= total;
    return 0;
}

static void put_error(struct squall_error *error, const char *text)
{
    memcpy(error->text, text, strlen(text) + 1);
}

/* 0: both versions. */
static int read_only(const char *text, uint32_t *ret_only)
{
    *ret_only = HTTP_UNKNOWN;
    if (text)
        *ret_only = strcmp(text, "1.1") == 0 ? HTTP_1 : strcmp(text, "2") == 0 ? HTTP_2 : HTTP_UNKNOWN;
    return text && !*ret_only ? -1 : 0;
}

static int32_t http_init(struct squall_server_run *run, struct squall_error *error)
{
    const struct target_options *options = run->options;
    struct target_run *state = run->state;
    if (parse_mix(run->host, (const char *)options->status.data, &state->mix)) {
        put_error(error, "--status: write a status from 200 to 599, or a mix of up to 16 such as 200:0.99,503:0.01");
        return -1;
    }
    if (run->host->distribution_parse((const char *)options->size.data, SQUALL_SIZE, &state->size, error))
        return -1;
    if (target_code_parse(run->host, (const char *)options->goaway.data, &state->goaway_code)) {
        put_error(error, "--goaway: write an error code of HTTP/2 by its name, such as no-error, or its number");
        return -1;
    }
    if (read_only((const char *)options->only.data, &state->only)) {
        put_error(error, "--only: write 1.1 or 2");
        return -1;
    }
    state->h2 = target_h2_new(options);
    if (!state->h2)
        put_error(error, "no memory");
    return state->h2 ? 0 : -1;
}

static void http_fini(struct squall_server_run *run)
{
    const struct target_run *state = run->state;
    target_h2_free(state->h2);
}

/* ---- connections ---- */

/* RFC 9113, 3.4; a shorter beginning of it may still become either. */
static enum http_version version_of(const uint8_t *data, uint64_t len)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const uint64_t whole = sizeof preface - 1;
    if (memcmp(data, preface, len < whole ? len : whole) != 0)
        return HTTP_1;
    return len < whole ? HTTP_UNKNOWN : HTTP_2;
}

static enum http_version version_agreed(struct squall_bytes alpn)
{
    return alpn.len == 2 && memcmp(alpn.data, "h2", 2) == 0 ? HTTP_2 : HTTP_1;
}

static uint64_t http_receive(struct squall_server_conn *conn, const uint8_t *data, uint64_t len)
{
    struct http_conn *http = conn->state;
    const struct target_run *run = conn->run->state;
    if (http->version == HTTP_UNKNOWN) {
        http->version = run->only        ? (enum http_version)run->only
                        : conn->alpn.len ? version_agreed(conn->alpn)
                                         : version_of(data, len);
        if (http->version == HTTP_2 && target_h2_begin(conn, &http->h2)) {
            conn->run->host->malformed(conn); /* no memory: as good a word as any */
            return len;
        }
    }
    if (http->version == HTTP_UNKNOWN)
        return 0;
    return http->version == HTTP_1 ? target_h1_receive(conn, &http->h1, data, len)
                                   : target_h2_receive(&http->h2, data, len);
}

static int32_t http_answer(struct squall_server_conn *conn, struct squall_server_request *request)
{
    struct http_conn *http = conn->state;
    if (http->version == HTTP_1)
        return target_h1_answer(conn, &http->h1, request);
    target_h2_answer(&http->h2, request);
    return 0;
}

static void http_write(struct squall_server_conn *conn)
{
    struct http_conn *http = conn->state;
    target_h2_write(&http->h2);
}

static void http_disconnect(struct squall_server_conn *conn)
{
    struct http_conn *http = conn->state;
    if (http->version == HTTP_1)
        target_h1_disconnect(&http->h1);
    else if (http->version == HTTP_2)
        target_h2_disconnect(&http->h2);
}

#define AT(field) .offset = offsetof(struct target_options, field)
static const struct squall_option options[] = {
    {.name = "status",
     .flag = "--status",
     .metavar = "MIX",
     .type = SQUALL_STRING,
     AT(status),
     .fallback = "200",
     .help = "a status, or a mix such as 200:0.99,503:0.01"},
    {.name = "size",
     .flag = "--size",
     .metavar = "SIZE",
     .type = SQUALL_STRING,
     AT(size),
     .fallback = "128",
     .help = "bytes of a body: 128, 4k, uniform(100,2000), ..."},
    {.name = "chunked",
     .flag = "--chunked",
     .type = SQUALL_BOOL,
     AT(chunked),
     .help = "answer with chunked coding; HTTP/2: without content-length"},
    {.name = "only",
     .flag = "--only",
     .metavar = "VERSION",
     .type = SQUALL_STRING,
     AT(only),
     .help = "speak 1.1 or 2 alone, whatever the client begins with"},
    {.name = "streams",
     .flag = "--streams",
     .metavar = "N",
     .type = SQUALL_UINT,
     AT(streams),
     .fallback = "256",
     .max = 1000,
     .help = "HTTP/2: streams of a connection at a time"},
    {.name = "window",
     .flag = "--window",
     .metavar = "SIZE",
     .type = SQUALL_SIZE,
     AT(window),
     .fallback = "1MiB",
     .max = INT32_MAX,
     .help = "HTTP/2: of a stream's body, and of the connection's from 64 KiB on"},
    {.name = "no-window-updates",
     .flag = "--no-window-updates",
     .type = SQUALL_BOOL,
     AT(no_window_updates),
     .help = "HTTP/2: a window that is used up stays so"},
    {.name = "goaway",
     .flag = "--goaway",
     .metavar = "CODE",
     .type = SQUALL_STRING,
     AT(goaway),
     .fallback = "no-error",
     .help = "HTTP/2: what GOAWAY says where a connection closes"},
};

const struct squall_server squall_server_http = {
    .name = "http",
    .summary = "HTTP/1.1 and HTTP/2; /echo returns what it is sent, up to 1 MiB",
    .parameters_title = "What a request may ask for, such as GET /?delay=5ms&status=503",
    .parameters = target_parameters,
    .parameter_count = TARGET_PARAMETER_COUNT,
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .options_size = sizeof(struct target_options),
    .alpn = "h2,http/1.1",
    .run_size = sizeof(struct target_run),
    .conn_size = sizeof(struct http_conn),
    .request_size = sizeof(union http_request),
    .init = http_init,
    .fini = http_fini,
    .receive = http_receive,
    .answer = http_answer,
    .write = http_write,
    .disconnect = http_disconnect,
};
