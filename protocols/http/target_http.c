/*
 * HTTP/1.1 for `squall target`: reads requests, answers with what the flags and the request's own query ask for.
 * Bodies are drained and never kept, but for /echo, which returns what it was sent, up to 1 MiB.
 */
#include "target_body.h"
#include "target_head.h"
#include "target_query.h"
#include <squall/server.h>
#include <stdlib.h>
#include <string.h>

#define ECHO_MAX   (1024 * 1024)
#define ECHO_KEPT  (64 * 1024) /* a larger echo buffer is given back after its answer */
#define CHUNK_SIZE 4096        /* of a chunked answer */
#define PART_SIZE  8192        /* of any other answer, at a time */
#define HEAD_SIZE  256         /* more than any answer's head and a chunk's framing */
#define LABEL_SIZE 160
#define MIX_MAX    16

struct http_options {
    struct squall_bytes status, size;
    uint64_t chunked;
};

/* Statuses and the upper bound of each one's share of [0, 1). */
struct http_mix {
    uint32_t status[MIX_MAX];
    double upper[MIX_MAX];
    uint32_t count;
};

struct http_run {
    struct http_mix mix;
    struct squall_distribution size;
};

/* What is known of a request before it has wholly arrived. */
struct http_incoming {
    struct target_query query;
    const char *refusal; /* answered with 400, or 413, and this text; NULL: none */
    uint32_t refusal_status;
    bool is_head, version_1_0, keep_alive, echo;
};

struct http_conn {
    struct http_incoming incoming;
    struct target_body body;
    bool finished; /* the last request has been read, or what cannot be: all that follows is dropped */
    uint8_t *echo;
    size_t echo_len, echo_capacity;
    uint64_t label_len;
    uint8_t label[LABEL_SIZE];
};

struct http_request {
    const uint8_t *body; /* NULL: filler */
    uint64_t left;       /* bytes of the body that are not written yet */
    bool begun, chunked, bodiless, version_1_0, echo;
};

/* ---- flags ---- */

static int parse_share(const struct squall_server_host *host, char *text, struct http_mix *mix, double *total)
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
    if (mix->count == MIX_MAX || host->number_parse(text, SQUALL_UINT, &status) || status < 200 || status > 599)
        return -1;
    *total += weight;
    mix->status[mix->count] = (uint32_t)status;
    mix->upper[mix->count++] = *total;
    return 0;
}

static int parse_mix(const struct squall_server_host *host, const char *text, struct http_mix *mix)
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

static int32_t http_init(struct squall_server_run *run, struct squall_error *error)
{
    const struct http_options *options = run->options;
    struct http_run *state = run->state;
    if (parse_mix(run->host, (const char *)options->status.data, &state->mix)) {
        put_error(error, "--status: write a status from 200 to 599, or a mix of up to 16 such as 200:0.99,503:0.01");
        return -1;
    }
    return run->host->distribution_parse((const char *)options->size.data, SQUALL_SIZE, &state->size, error);
}

/* ---- a request has arrived ---- */

static uint32_t draw_status(struct squall_server_conn *conn, const struct http_mix *mix)
{
    if (mix->count == 1)
        return mix->status[0];
    double unit = conn->run->host->random_unit(conn->run);
    uint32_t i = 0;
    while (i + 1 < mix->count && unit >= mix->upper[i])
        i++;
    return mix->status[i];
}

static void arrive(struct squall_server_conn *conn, struct squall_bytes label)
{
    struct http_conn *http = conn->state;
    const struct http_run *run = conn->run->state;
    const struct http_options *options = conn->run->options;
    const struct http_incoming *incoming = &http->incoming;
    const struct target_query *query = &incoming->query;
    struct squall_server_arrival arrival = {
        .label = label,
        .delay = query->has_delay ? &query->delay : NULL,
        .stall_ns = query->stall_ns,
        .reset = query->reset,
        .last = query->close || !incoming->keep_alive,
    };
    struct squall_server_request *request = conn->run->host->arrive(conn, &arrival);
    struct http_request *answer = request->state;
    request->status = query->status ? query->status : draw_status(conn, &run->mix);
    answer->version_1_0 = incoming->version_1_0;
    if (incoming->refusal) {
        request->status = incoming->refusal_status;
        answer->body = (const uint8_t *)incoming->refusal;
        answer->left = strlen(incoming->refusal);
    } else if (incoming->echo) {
        answer->echo = true;
        answer->body = http->echo;
        answer->left = http->echo_len;
    } else {
        answer->left = conn->run->host->distribution_draw(conn->run, query->has_size ? &query->size : &run->size);
    }
    /* Neither these statuses nor an answer to HEAD have a body (RFC 9110, 6.4.1). */
    answer->bodiless = incoming->is_head || request->status == 204 || request->status == 304;
    answer->chunked = (options->chunked || query->chunked) && !incoming->version_1_0 && !incoming->refusal;
    http->finished = !incoming->keep_alive;
}

/* ---- reading ---- */

static void put(struct squall_server_conn *conn, const char *text)
{
    size_t len = strlen(text);
    uint8_t *room = conn->run->host->out_reserve(conn, len);
    if (room) {
        memcpy(room, text, len);
        conn->run->host->out_commit(conn, len);
    }
}

/* The input cannot be read any further; said once all earlier requests are answered. */
static void refuse_input(struct squall_server_conn *conn, const char *why)
{
    struct http_conn *http = conn->state;
    if (conn->in_flight)
        return;
    char length[32], *digit = length + sizeof length - 1;
    *digit = '\0';
    for (size_t len = strlen(why) + 1; len; len /= 10)
        *--digit = (char)('0' + len % 10);
    put(conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: ");
    put(conn, digit);
    put(conn, "\r\n\r\n");
    put(conn, why);
    put(conn, "\n");
    conn->run->host->malformed(conn);
    http->finished = true;
}

static bool is_echo(struct squall_bytes path)
{
    return path.len == 5 && memcmp(path.data, "/echo", 5) == 0;
}

static void refuse_request(struct http_incoming *incoming, uint32_t status, const char *why)
{
    incoming->refusal = why;
    incoming->refusal_status = status;
    incoming->echo = false;
}

/* Keeps what the answer will need of the head, which is gone when the body has been read. */
static void begin_request(struct squall_server_conn *conn, const struct target_head *head)
{
    struct http_conn *http = conn->state;
    struct http_incoming *incoming = &http->incoming;
    const char *why;
    *incoming = (struct http_incoming){
        .is_head = head->is_head,
        .version_1_0 = head->version_1_0,
        .keep_alive = head->keep_alive,
        .echo = is_echo(head->path),
    };
    if (head->query.len && target_query_parse(conn->run->host, head->query, &incoming->query, &why)) {
        incoming->query = (struct target_query){.status = 0};
        refuse_request(incoming, 400, why);
    }
    if (incoming->echo)
        http->echo_len = 0;
}

static void begin_body(struct squall_server_conn *conn, const struct target_head *head)
{
    struct http_conn *http = conn->state;
    http->label_len = head->label.len < LABEL_SIZE ? head->label.len : LABEL_SIZE;
    memcpy(http->label, head->label.data, http->label_len);
    target_body_begin(&http->body, head->chunked, head->content_length);
    if (head->expects_continue)
        put(conn, "HTTP/1.1 100 Continue\r\n\r\n");
}

/* Returns how many bytes were used; 0: it needs more, or must wait for earlier answers. */
static size_t read_head(struct squall_server_conn *conn, const uint8_t *data, size_t len)
{
    struct target_head head;
    size_t used;
    const char *why;
    if (conn->full)
        return 0;
    int result = target_head_parse(data, len, &head, &used, &why);
    if (result == 0)
        return 0;
    if (result < 0) {
        refuse_input(conn, why);
        return 0;
    }
    bool has_body = head.chunked || head.content_length;
    /* One echo buffer a connection, and an interim answer may not stand among others. */
    if (conn->in_flight && (is_echo(head.path) || (has_body && head.expects_continue)))
        return 0;
    begin_request(conn, &head);
    if (has_body)
        begin_body(conn, &head);
    else
        arrive(conn, head.label);
    return used;
}

static void keep_echo(struct http_conn *http, struct squall_bytes piece)
{
    if (!http->incoming.echo || !piece.len)
        return;
    size_t needed = http->echo_len + piece.len;
    if (needed > ECHO_MAX) {
        refuse_request(&http->incoming, 413, "/echo returns at most 1 MiB\n");
        return;
    }
    if (needed > http->echo_capacity) {
        size_t capacity = http->echo_capacity ? http->echo_capacity : 4096;
        while (capacity < needed)
            capacity *= 2;
        uint8_t *grown = realloc(http->echo, capacity);
        if (!grown) {
            refuse_request(&http->incoming, 503, "no memory for this echo\n");
            return;
        }
        http->echo = grown;
        http->echo_capacity = capacity;
    }
    memcpy(http->echo + http->echo_len, piece.data, piece.len);
    http->echo_len = needed;
}

/* As read_head; a state that needs no input is passed within the call that entered it. */
static size_t read_body(struct squall_server_conn *conn, const uint8_t *data, size_t len)
{
    struct http_conn *http = conn->state;
    size_t used = 0;
    for (;;) {
        struct squall_bytes piece;
        size_t count = 0;
        const char *why;
        switch (target_body_read(&http->body, data + used, len - used, &piece, &count, &why)) {
        case TARGET_BODY_MORE:
            return used;
        case TARGET_BODY_MALFORMED:
            refuse_input(conn, why);
            return used;
        case TARGET_BODY_PIECE:
            used += count;
            keep_echo(http, piece);
            break;
        case TARGET_BODY_END:
            arrive(conn, (struct squall_bytes){http->label, http->label_len});
            return used + count;
        }
    }
}

static uint64_t http_receive(struct squall_server_conn *conn, const uint8_t *data, uint64_t len)
{
    struct http_conn *http = conn->state;
    size_t used = 0;
    while (used < len) {
        if (http->finished)
            return len;
        bool in_body = http->body.state != TARGET_BODY_NONE;
        size_t count = in_body ? read_body(conn, data + used, len - used) : read_head(conn, data + used, len - used);
        if (!count)
            break;
        used += count;
    }
    return used;
}

/* ---- answering ---- */

/* Names for the statuses that people program; any other gets a neutral one, which RFC 9112 allows. */
static const char *reason_phrase(uint32_t status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 204:
        return "No Content";
    case 301:
        return "Moved Permanently";
    case 302:
        return "Found";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 413:
        return "Content Too Large";
    case 429:
        return "Too Many Requests";
    case 500:
        return "Internal Server Error";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    default:
        return "Status";
    }
}

static uint8_t *put_text(uint8_t *out, const char *text)
{
    size_t len = strlen(text);
    memcpy(out, text, len);
    return out + len;
}

static uint8_t *put_number(uint8_t *out, uint64_t number, unsigned base)
{
    uint8_t digits[20];
    unsigned count = 0;
    do
        digits[count++] = (uint8_t) "0123456789abcdef"[number % base];
    while (number /= base);
    while (count)
        *out++ = digits[--count];
    return out;
}

static uint8_t *put_head(uint8_t *out, const struct squall_server_request *request, const struct http_request *answer)
{
    out = put_number(put_text(out, "HTTP/1.1 "), request->status, 10);
    *out++ = ' ';
    out = put_text(put_text(out, reason_phrase(request->status)), "\r\nContent-Type: text/plain\r\n");
    if (answer->chunked && request->status != 204)
        out = put_text(out, "Transfer-Encoding: chunked\r\n");
    else if (request->status != 204)
        out = put_text(put_number(put_text(out, "Content-Length: "), answer->left, 10), "\r\n");
    if (request->last)
        out = put_text(out, "Connection: close\r\n");
    else if (answer->version_1_0)
        out = put_text(out, "Connection: keep-alive\r\n");
    return put_text(out, "\r\n");
}

static uint8_t *put_body(uint8_t *out, struct http_request *answer, uint64_t count)
{
    if (answer->body) {
        memcpy(out, answer->body, count);
        answer->body += count;
    } else {
        memset(out, 'x', count);
    }
    answer->left -= count;
    return out + count;
}

/* The body's next part, with its framing: behind the head, in the same room. */
static uint8_t *put_part(uint8_t *out, struct http_request *answer)
{
    uint64_t most = answer->chunked ? CHUNK_SIZE : PART_SIZE;
    uint64_t count = answer->left < most ? answer->left : most;
    if (!answer->chunked)
        return put_body(out, answer, count);
    if (count)
        out = put_text(put_body(put_text(put_number(out, count, 16), "\r\n"), answer, count), "\r\n");
    return answer->left ? out : put_text(out, "0\r\n\r\n");
}

static void release_echo(struct http_conn *http)
{
    if (http->echo_capacity <= ECHO_KEPT)
        return;
    free(http->echo);
    http->echo = NULL;
    http->echo_capacity = http->echo_len = 0;
}

static int32_t http_answer(struct squall_server_conn *conn, struct squall_server_request *request)
{
    struct http_request *answer = request->state;
    do {
        uint64_t part = answer->left < PART_SIZE ? answer->left : PART_SIZE;
        uint8_t *start = conn->run->host->out_reserve(conn, HEAD_SIZE + part), *out = start;
        if (!start)
            return 0;
        if (!answer->begun) {
            answer->begun = true;
            out = put_head(out, request, answer);
            if (answer->bodiless)
                answer->left = 0;
        }
        if (!answer->bodiless)
            out = put_part(out, answer);
        conn->run->host->out_commit(conn, (uint64_t)(out - start));
    } while (answer->left);
    if (answer->echo)
        release_echo(conn->state);
    return 1;
}

static void http_disconnect(struct squall_server_conn *conn)
{
    struct http_conn *http = conn->state;
    free(http->echo);
}

#define AT(field) .offset = offsetof(struct http_options, field)
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
    {.name = "chunked", .flag = "--chunked", .type = SQUALL_BOOL, AT(chunked), .help = "answer with chunked coding"},
};

const struct squall_server squall_server_http = {
    .name = "http",
    .summary = "HTTP/1.1. GET /?delay=5ms&status=503&size=4k&chunked=1&stall=200ms&reset=1&close=1; /echo",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .options_size = sizeof(struct http_options),
    .run_size = sizeof(struct http_run),
    .conn_size = sizeof(struct http_conn),
    .request_size = sizeof(struct http_request),
    .init = http_init,
    .receive = http_receive,
    .answer = http_answer,
    .disconnect = http_disconnect,
};
