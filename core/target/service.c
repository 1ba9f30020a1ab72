/* The target's host: sockets, time, stalls, the end. See service.h. */
#include "target/service.h"
#include "base/arena.h"
#include "base/exit_code.h"
#include "base/log.h"
#include "base/units.h"
#include "target/answering.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEVER       UINT64_MAX
#define BACKLOG     4096
#define ACCEPTS_MAX 64 /* in a row, before others get their turn */

/* ---- what a room may call ---- */

static struct service *service_of(struct squall_server_run *run)
{
    return (struct service *)(void *)((char *)run - offsetof(struct service, run));
}

static int32_t host_distribution_parse(const char *text, uint32_t type, struct squall_distribution *ret_distribution,
                                       struct squall_error *ret_error)
{
    struct error error;
    if (!distribution_parse(text, type, ret_distribution, &error))
        return 0;
    size_t len = strnlen(error.text, sizeof ret_error->text - 1);
    memcpy(ret_error->text, error.text, len);
    ret_error->text[len] = '\0';
    return -1;
}

static uint64_t host_distribution_draw(struct squall_server_run *run, const struct squall_distribution *distribution)
{
    return distribution_draw(distribution, &service_of(run)->random);
}

static double host_random_unit(struct squall_server_run *run)
{
    return random_unit(&service_of(run)->random);
}

static int32_t host_number_parse(const char *text, uint32_t type, uint64_t *ret_number)
{
    if (type == SQUALL_DURATION)
        return units_parse_duration(text, ret_number);
    return type == SQUALL_SIZE ? units_parse_size(text, ret_number) : units_parse_count(text, ret_number);
}

static const struct squall_server_host server_host = {
    .distribution_parse = host_distribution_parse,
    .distribution_draw = host_distribution_draw,
    .random_unit = host_random_unit,
    .now_ns = client_now_ns,
    .number_parse = host_number_parse,
    .arrive = client_arrive,
    .resume = client_resume,
    .finish = client_finish,
    .out_reserve = client_out_reserve,
    .out_commit = client_out_commit,
    .malformed = client_malformed,
};

/* ---- listening ---- */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ADDR:PORT, [V6]:PORT or localhost:PORT. No names: what is listened on must be what was written. */
static int parse_address(const char *text, union address *ret_address, socklen_t *ret_len, struct error *error)
{
    const char *colon = strrchr(text, ':');
    char host[64], *end;
    size_t len = colon ? (size_t)(colon - text) : 0;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (!len || len >= sizeof host || colon[1] < '0' || colon[1] > '9' || *end || port > 65535)
        goto wrong;
    memcpy(host, text, len);
    host[len] = '\0';
    union address address = {0};
    if (host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons((uint16_t)port);
        if (inet_pton(AF_INET6, host + 1, &address.v6.sin6_addr) != 1)
            goto wrong;
        *ret_len = sizeof address.v6;
    } else {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons((uint16_t)port);
        if (inet_pton(AF_INET, strcmp(host, "localhost") ? host : "127.0.0.1", &address.v4.sin_addr) != 1)
            goto wrong;
        *ret_len = sizeof address.v4;
    }
    *ret_address = address;
    return 0;
wrong:
    return error_set(error, "--listen %s: write an address and a port, such as 127.0.0.1:8080, or port 0 to pick one",
                     text);
}

static bool is_loopback(const union address *address)
{
    if (address->any.sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
    return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
}

static int start_listening(struct service *service, struct error *error)
{
    const char *text = (const char *)service->options->listen.data;
    union address address;
    socklen_t len = 0;
    if (parse_address(text, &address, &len, error))
        return -1;
    if (!service->options->public && !is_loopback(&address))
        return error_set(error,
                         "--listen %s: not a loopback address; anyone there could use and stall this target: "
                         "say --public if that is what you want",
                         text);
    int one = 1;
    service->listen_fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (service->listen_fd < 0 || setsockopt(service->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(service->listen_fd, &address.any, len) || listen(service->listen_fd, BACKLOG))
        return error_set_code(error, EXIT_CODE_INTERNAL, "cannot listen on %s: %s%s", text, strerror(errno),
                              errno == EADDRINUSE ? ": stop what listens there, or use port 0 to pick a free one" : "");
    return 0;
}

char *service_address(const struct service *service, char *buf, size_t size)
{
    union address address = {0};
    socklen_t len = sizeof address;
    char host[INET6_ADDRSTRLEN] = "";
    getsockname(service->listen_fd, &address.any, &len);
    if (address.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof host);
        snprintf(buf, size, "[%s]:%u", host, ntohs(address.v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof host);
        snprintf(buf, size, "%s:%u", host, ntohs(address.v4.sin_port));
    }
    return buf;
}

/* Out of descriptors: no use in being woken for connections until one ends. */
static void set_accepting(struct service *service, bool accepting)
{
    if (service->accepting == accepting)
        return;
    service->accepting = accepting;
    loop_io_events(service->loop, &service->listen_io, accepting ? LOOP_READ : 0);
}

static void on_connection(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct service *service = io->arg;
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        int one = 1, fd = accept4(service->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            client_accept(service, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log_line(LOG_WARNING, "accepting no connection until one ends: %s", strerror(errno));
            set_accepting(service, false);
        }
        if (errno != ECONNABORTED && errno != EINTR)
            return;
    }
}

/* ---- time ---- */

static void find_stall(struct service *service, uint64_t now_ns)
{
    uint64_t since_ns = now_ns - service->start_ns, end_ns = stalls_end(&service->stalls, since_ns);
    uint64_t next_ns = stalls_next(&service->stalls, since_ns);
    service->frozen_until_ns = end_ns ? service->start_ns + end_ns : 0;
    service->next_stall_ns = next_ns > NEVER - service->start_ns ? NEVER : service->start_ns + next_ns;
}

void service_stall(struct service *service, uint64_t now_ns, uint64_t length_ns)
{
    uint64_t since_ns = now_ns - service->start_ns;
    stalls_insert(&service->stalls, since_ns, since_ns + length_ns);
    find_stall(service, now_ns);
}

static void wake_clients(struct service *service, uint64_t now_ns)
{
    struct client *next;
    for (struct client *client = service->clients; client; client = next) {
        next = client->next;
        client_wake(client, now_ns);
    }
}

void service_touch(struct service *service, struct client *client)
{
    if (client->touched)
        return;
    client->touched = true;
    client->next_touched = service->touched;
    service->touched = client;
}

/* What is due for one client at the same time goes out together. */
static void wake_due(struct service *service, uint64_t now_ns)
{
    struct deadline *first;
    while ((first = deadlines_first(&service->deadlines)) && first->at_ns <= now_ns) {
        deadlines_unset(&service->deadlines, first);
        first->passed(first);
    }
    while (service->touched) {
        struct client *client = service->touched;
        service->touched = client->next_touched;
        client->touched = false;
        client_wake(client, now_ns);
    }
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Before the loop sleeps: does what is due, and says when something will be. */
static uint64_t on_idle(void *arg)
{
    struct service *service = arg;
    uint64_t now_ns = clock_now_ns();
    if (now_ns >= service->stop_at_ns)
        loop_stop(service->loop);
    if (now_ns >= service->next_flush_ns) {
        request_log_flush(service->log);
        service->next_flush_ns = now_ns + NS_PER_S;
    }
    if (service->frozen_until_ns || now_ns >= service->next_stall_ns) {
        bool was_frozen = service->frozen_until_ns != 0;
        find_stall(service, now_ns);
        if (was_frozen && !service->frozen_until_ns)
            wake_clients(service, now_ns);
    }
    if (!service->frozen_until_ns)
        wake_due(service, now_ns);
    if (service->ended_clients) {
        client_reap(service);
        set_accepting(service, true);
    }
    const struct deadline *first = service->frozen_until_ns ? NULL : deadlines_first(&service->deadlines);
    uint64_t at_ns = least(service->stop_at_ns, service->next_flush_ns);
    at_ns = least(at_ns, service->frozen_until_ns ? service->frozen_until_ns : service->next_stall_ns);
    return first ? least(at_ns, first->at_ns) : at_ns;
}

static void on_signal(void *arg, int signal)
{
    (void)signal;
    struct service *service = arg;
    loop_stop(service->loop);
}

/* ---- life ---- */

/* Every connection is a descriptor: take as many as we are allowed. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int init_server(struct service *service, struct error *error)
{
    struct squall_error room_error = {.text = ""};
    service->run.host = &server_host;
    service->run.options = service->options->server_options;
    service->run.state = xcalloc(1, service->server->run_size + 1u);
    if (service->server->init && service->server->init(&service->run, &room_error))
        return error_set(error, "%s", room_error.text);
    return 0;
}

struct service *service_new(const struct service_options *options, struct error *error)
{
    struct service *service = xcalloc(1, sizeof *service);
    service->options = options;
    service->server = options->server;
    service->stalls = options->stalls;
    places_init(&service->places, (uint32_t)options->at_once);
    service->listen_fd = -1;
    list_init(&service->free_requests);
    random_init(&service->random, options->seed, 0);
    raise_descriptor_limit();
    if ((options->tls && transport_context(options->cert, options->key, options->alpn, &service->tls_context, error)) ||
        init_server(service, error) || start_listening(service, error))
        goto failed;
    struct loop_hooks hooks = {.idle = on_idle, .arg = service};
    service->loop = loop_new(&hooks);
    if (!service->loop) {
        error_set_code(error, EXIT_CODE_INTERNAL, "no event loop: %s", strerror(errno));
        goto failed;
    }
    if (options->log_path && !(service->log = request_log_open(options->log_path, error)))
        goto failed;
    service->start_ns = clock_now_ns();
    service->next_flush_ns = service->log ? service->start_ns : NEVER;
    service->stop_at_ns = options->duration_ns ? service->start_ns + options->duration_ns : NEVER;
    find_stall(service, service->start_ns);
    service->accepting = true;
    loop_io_start(service->loop, &service->listen_io, service->listen_fd, LOOP_READ, on_connection, service);
    loop_signal(service->loop, SIGINT, on_signal, service);
    loop_signal(service->loop, SIGTERM, on_signal, service);
    return service;
failed:
    service_end(service, &(struct service_counts){0}, &(struct error){0});
    return NULL;
}

void service_run(struct service *service)
{
    loop_run(service->loop);
}

int service_end(struct service *service, struct service_counts *ret_counts, struct error *error)
{
    if (!service)
        return 0;
    if (service->accepting)
        loop_io_stop(service->loop, &service->listen_io);
    if (service->listen_fd >= 0)
        close(service->listen_fd);
    while (service->clients)
        client_end(service->clients);
    int result = request_log_close(service->log, error);
    struct service_counts counts = service->counts;
    if (!result && counts.arrived != counts.answered + counts.reset + counts.aborted)
        result =
            error_set_code(error, EXIT_CODE_INTERNAL, "the target's counts do not add up: this is a fault of squall");
    client_free_all(service);
    deadlines_fini(&service->deadlines);
    loop_free(service->loop);
    if (service->server->fini && service->run.state)
        service->server->fini(&service->run);
    free(service->run.state);
    transport_context_free(service->tls_context);
    free(service);
    *ret_counts = counts;
    return result;
}
