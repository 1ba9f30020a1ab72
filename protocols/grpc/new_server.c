/* Reflection over a socket of its own. See new_server.h. */
#include "new_server.h"
#include "frame.h"
#include "questions.h"
#include "status.h"
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SERVICES_MAX 200
#define MESSAGE_MAX  (4u << 20)

struct client {
    int fd;
    uint64_t until_ms;
    struct h2_memory memory;
    struct h2_session *session;
    struct h2_stream stream;
    struct rpc_frame_reader reader;
    struct rpc_buffer in, out;
    bool ready, message, ended;
    uint32_t code; /* of the end */
    struct rpc_target target;
    struct rpc_questions questions;
    struct rpc_step steps[SERVICES_MAX];
    struct rpc_step_options options[SERVICES_MAX];
};

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the session's callbacks ---- */

static uint8_t *on_reserve(void *arg, size_t len)
{
    struct client *client = arg;
    return rpc_buffer_reserve(&client->out, len);
}

static void on_commit(void *arg, size_t len)
{
    struct client *client = arg;
    client->out.len += len;
}

static void on_sent(void *arg, struct h2_stream *stream)
{
    (void)arg;
    (void)stream;
}

static void on_field(void *arg, struct h2_stream *stream, const struct h2_field *field)
{
    struct client *client = arg;
    (void)stream;
    if (field->name_len == 11 && memcmp(field->name, "grpc-status", 11) == 0)
        rpc_status_parse((struct squall_bytes){field->value, field->value_len}, &client->code);
}

static void on_data(void *arg, struct h2_stream *stream, const uint8_t *data, size_t len)
{
    struct client *client = arg;
    const uint8_t *at = data;
    struct squall_bytes piece;
    (void)stream;
    for (;;) {
        switch (rpc_frame_read(&client->reader, &at, data + len, &piece)) {
        case RPC_FRAME_BYTES:
            if (client->in.len + piece.len > MESSAGE_MAX || rpc_buffer_reserve(&client->in, piece.len) == NULL) {
                rpc_questions_fail(&client->questions, "an answer that is too large");
                return;
            }
            memcpy(client->in.data + client->in.len, piece.data, piece.len);
            client->in.len += piece.len;
            break;
        case RPC_FRAME_END:
            rpc_questions_answer(&client->questions, (struct squall_bytes){client->in.data, client->in.len});
            client->in.len = 0;
            client->message = true;
            break;
        case RPC_FRAME_MORE:
            return;
        case RPC_FRAME_MALFORMED:
            rpc_questions_fail(&client->questions, "an answer that is not framed as gRPC's are");
            return;
        default:
            break;
        }
    }
}

static void on_end(void *arg, struct h2_stream *stream, const struct h2_end *end)
{
    struct client *client = arg;
    (void)stream;
    (void)end;
    client->ended = true;
}

static void on_capacity(void *arg, uint32_t streams)
{
    struct client *client = arg;
    client->ready = streams > 0;
}

static void on_closing(void *arg)
{
    (void)arg;
}

static const struct h2_callbacks callbacks = {.reserve = on_reserve,
                                              .commit = on_commit,
                                              .sent = on_sent,
                                              .field = on_field,
                                              .data = on_data,
                                              .end = on_end,
                                              .capacity = on_capacity,
                                              .closing = on_closing};

/* ---- the socket ---- */

static int wait_for(const struct client *client, short events)
{
    struct pollfd poll_fd = {.fd = client->fd, .events = events};
    uint64_t now = now_ms();
    return now < client->until_ms && poll(&poll_fd, 1, (int)(client->until_ms - now)) == 1 ? 0 : -1;
}

static int flush(struct client *client)
{
    size_t at = 0;
    while (at < client->out.len) {
        if (wait_for(client, POLLOUT) < 0)
            return -1;
        ssize_t sent = send(client->fd, client->out.data + at, client->out.len - at, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return -1;
        at += sent > 0 ? (size_t)sent : 0;
    }
    client->out.len = 0;
    return 0;
}

/* Until *flag, or the stream's end. */
static int run_until(struct client *client, const bool *flag)
{
    uint8_t part[16384];
    while (!*flag && !client->ended && client->questions.why[0] == '\0') {
        if (flush(client) < 0 || wait_for(client, POLLIN) < 0)
            return -1;
        ssize_t got = recv(client->fd, part, sizeof part, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return -1;
        if (got > 0 && h2_receive(client->session, part, (size_t)got) != NULL)
            return -1;
    }
    return flush(client);
}

/* "grpc://host:port/...", the host in brackets if it is an IPv6 address. */
static int split_url(const char *url, char host[256], char port[8], char authority[300])
{
    const char *from = strncmp(url, "grpc://", 7) == 0 ? url + 7 : url;
    size_t len = strcspn(from, "/?#");
    const char *end = from + len, *colon = end;
    bool bracket = from[0] == '[';
    if (len == 0 || len >= 256)
        return -1;
    snprintf(authority, 300, "%.*s", (int)len, from);
    while (colon > from && *colon != ':' && *colon != ']')
        colon--;
    bool has_port = *colon == ':' && (bracket ? colon > from && colon[-1] == ']' : true);
    const char *host_end = has_port ? colon : end;
    snprintf(port, 8, "%.*s", has_port ? (int)(end - colon - 1) : 5, has_port ? colon + 1 : "50051");
    snprintf(host, 256, "%.*s", (int)(host_end - from) - (bracket ? 2 : 0), from + (bracket ? 1 : 0));
    return host[0] == '\0' ? -1 : 0;
}

static int open_socket(struct client *client, const char *host, const char *port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    if (getaddrinfo(host, port, &hints, &list) != 0)
        return -1;
    client->fd = -1;
    for (struct addrinfo *one = list; one != NULL && client->fd < 0; one = one->ai_next) {
        int error = 0;
        socklen_t size = sizeof error;
        client->fd = socket(one->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (client->fd < 0)
            continue;
        bool ok = connect(client->fd, one->ai_addr, one->ai_addrlen) == 0 ||
                  (errno == EINPROGRESS && wait_for(client, POLLOUT) == 0 &&
                   getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0);
        if (ok)
            break;
        close(client->fd);
        client->fd = -1;
    }
    freeaddrinfo(list);
    return client->fd < 0 ? -1 : 0;
}

/* ---- the conversation ---- */

static int open_stream(struct client *client, const char *method, const char *authority)
{
    const char *const pairs[][2] = {{":method", "POST"},
                                    {":scheme", "http"},
                                    {":path", method},
                                    {":authority", authority},
                                    {"content-type", "application/grpc"},
                                    {"te", "trailers"}};
    nghttp2_nv fields[sizeof pairs / sizeof pairs[0]];
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        fields[i] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)pairs[i][0],
                                 .value = (uint8_t *)(uintptr_t)pairs[i][1],
                                 .namelen = strlen(pairs[i][0]),
                                 .valuelen = strlen(pairs[i][1])};
    const struct h2_request request = {.fields = fields, .field_count = 6, .more = true, .lasts = true};
    client->ended = false;
    client->code = RPC_UNKNOWN;
    client->reader = (struct rpc_frame_reader){0};
    client->stream = (struct h2_stream){.want_fields = true};
    return h2_submit(client->session, &client->stream, &request) == NULL ? 0 : -1;
}

static int ask_all(struct client *client)
{
    uint8_t question[RPC_QUESTION_SIZE];
    size_t len;
    while ((len = rpc_questions_next(&client->questions, question)) > 0) {
        if (client->questions.last ==
            RPC_ASK_SERVICES) { /* it lists a service that it does not describe: the next one */
            client->questions.last = RPC_ASK_SYMBOL;
            continue;
        }
        client->message = false;
        h2_write(client->session, &client->stream, question, len, false, false);
        if (h2_send(client->session) != NULL || run_until(client, &client->message) < 0 || client->ended)
            return -1;
    }
    return client->questions.why[0] == '\0' ? 0 : -1;
}

/* Its services become steps, which the questions are about. */
static void take_services(struct client *client, struct pb_text *services, char names[SERVICES_MAX][RPC_NAME_MAX + 3])
{
    size_t count = 0;
    for (size_t at = 0; at < services->len && count < SERVICES_MAX; at += strlen(services->data + at) + 1) {
        const char *name = services->data + at;
        if (strncmp(name, "grpc.reflection.", 16) == 0 || strlen(name) > RPC_NAME_MAX)
            continue;
        snprintf(names[count], RPC_NAME_MAX + 3, "%s/x", name);
        client->options[count].method = (struct squall_bytes){(const uint8_t *)names[count], strlen(names[count])};
        client->steps[count] =
            (struct rpc_step){.options = &client->options[count], .next = count > 0 ? &client->steps[count - 1] : NULL};
        client->target.steps = &client->steps[count++];
    }
}

static int converse(struct client *client, const char *method, const char *authority,
                    char names[SERVICES_MAX][RPC_NAME_MAX + 3])
{
    uint8_t question[RPC_QUESTION_SIZE];
    rpc_questions_begin(&client->questions, &client->target);
    client->questions.last = RPC_ASK_SERVICES; /* what it tells is wanted, and not which name is near */
    if (open_stream(client, method, authority) < 0)
        return -1;
    size_t len = rpc_questions_next(&client->questions, question);
    client->message = false;
    h2_write(client->session, &client->stream, question, len, false, false);
    if (h2_send(client->session) != NULL || run_until(client, &client->message) < 0 || !client->message)
        return -1;
    struct pb_text services = client->questions.services;
    rpc_questions_begin(&client->questions, &client->target);
    take_services(client, &services, names);
    client->questions.step = client->target.steps;
    pb_text_fini(&services);
    return ask_all(client);
}

static int learn(struct client *client, const char *authority)
{
    static char names[SERVICES_MAX][RPC_NAME_MAX + 3];
    const struct h2_options options = {.streams_max = 1,
                                       .stream_window = 1 << 20,
                                       .connection_window = 1 << 20,
                                       .header_table = 4096,
                                       .frame_max = H2_FRAME_MIN,
                                       .fields_max = 256,
                                       .fields_size = 65536};
    h2_memory_init(&client->memory);
    client->session = h2_session_new(&options, &callbacks, client, &client->memory);
    if (client->session == NULL || h2_send(client->session) != NULL || run_until(client, &client->ready) < 0)
        return -1;
    if (converse(client, rpc_reflection_v1, authority, names) == 0)
        return 0;
    if (!client->ended || client->code != RPC_UNIMPLEMENTED)
        return -1;
    rpc_questions_end(&client->questions);
    return converse(client, rpc_reflection_v1alpha, authority, names);
}

int new_server_read(const char *url, struct pb_schema *schema, struct squall_error *error)
{
    char host[256], port[8], authority[300];
    struct client *client = calloc(1, sizeof *client);
    int result = -1;
    if (client == NULL || split_url(url, host, port, authority) < 0) {
        snprintf(error->text, sizeof error->text, "%.200s: write grpc://host:port", url);
        free(client);
        return -1;
    }
    client->until_ms = now_ms() + NEW_SERVER_WAIT_S * 1000;
    client->target.schema = schema;
    if (open_socket(client, host, port) < 0) {
        snprintf(error->text, sizeof error->text, "%.200s: cannot be reached", url);
    } else if (learn(client, authority) == 0) {
        result = 0;
    } else {
        bool none = client->ended && client->code == RPC_UNIMPLEMENTED;
        snprintf(error->text, sizeof error->text, "%.200s: %.250s", url,
                 none                               ? "the server has no reflection service; name a .proto file instead"
                 : client->questions.why[0] != '\0' ? client->questions.why
                                                    : "the server does not answer as gRPC's reflection does");
    }
    if (client->fd > 0)
        close(client->fd);
    while (client->session != NULL && h2_forget(client->session) != NULL)
        continue;
    h2_session_free(client->session);
    h2_memory_fini(&client->memory);
    rpc_questions_end(&client->questions);
    rpc_buffer_fini(&client->in);
    rpc_buffer_fini(&client->out);
    free(client);
    return result;
}
