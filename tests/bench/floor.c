/*
 * The least that a closed-loop HTTP/1.1 generator can cost: epoll, send, recv, and nothing else. It learns an
 * answer's size from a first one and then only counts bytes: every answer must have that size. No clock is read,
 * nothing is parsed, nothing is recorded. What a real tool needs beyond this is its own.
 *
 *   floor [--connections C] [--requests N | --seconds S] URL
 */
#include "http.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <strings.h>
#include <sys/epoll.h>

#define CONNECTIONS_MAX 10000
#define STALL_MS        10000 /* without any answer for so long: give up */

struct connection {
    int fd;
    size_t missing; /* bytes of the answer that is being read */
};

static char request[1024], input[65536];
static size_t request_len, answer_len;
static struct connection connections[CONNECTIONS_MAX];
static uint64_t started, ended, requests_max = UINT64_MAX;

/* One answer, and what its head says its size is. */
static size_t learn_answer_size(const struct url *url)
{
    int fd = connect_to(url);
    size_t len = 0;
    if (send(fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
        die("send");
    for (;;) {
        ssize_t count = recv(fd, input + len, sizeof input - 1 - len, 0);
        if (count <= 0)
            die("the first answer");
        len += (size_t)count;
        input[len] = '\0';
        char *end = strstr(input, "\r\n\r\n"), *field = strcasestr(input, "\r\ncontent-length:");
        if (!end)
            continue;
        if (!field || field > end) {
            fprintf(stderr, "the answer has no Content-Length\n");
            exit(1);
        }
        size_t size = (size_t)(end + 4 - input) + strtoul(field + 17, NULL, 10);
        if (len < size && len < sizeof input - 1)
            continue;
        close(fd);
        return size;
    }
}

static void send_request(struct connection *connection)
{
    if (started == requests_max)
        return;
    started++;
    connection->missing = answer_len;
    if (send(connection->fd, request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
        die("send");
}

static void read_answer(struct connection *connection)
{
    ssize_t count = recv(connection->fd, input, sizeof input, 0);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0 || (size_t)count > connection->missing) {
        fprintf(stderr, count > 0 ? "an answer of another size\n" : "the server closed a connection\n");
        exit(1);
    }
    connection->missing -= (size_t)count;
    if (!connection->missing) {
        ended++;
        send_request(connection);
    }
}

static void run(int epoll, uint64_t until_ns)
{
    struct epoll_event events[256];
    while (ended < requests_max) {
        int count = epoll_wait(epoll, events, 256, STALL_MS);
        if (count == 0) {
            fprintf(stderr, "no answer for 10 s\n");
            exit(1);
        }
        for (int i = 0; i < count; i++)
            read_answer(events[i].data.ptr);
        if (until_ns && now_ns() >= until_ns)
            return;
    }
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"connections", required_argument, NULL, 'c'},
                                          {"requests", required_argument, NULL, 'n'},
                                          {"seconds", required_argument, NULL, 'd'},
                                          {0}};
    unsigned long count = 64;
    double seconds = 0;
    for (int flag; (flag = getopt_long(argc, argv, "c:n:d:", longs, NULL)) != -1;) {
        if (flag == 'c')
            count = strtoul(optarg, NULL, 10);
        else if (flag == 'n')
            requests_max = strtoull(optarg, NULL, 10);
        else if (flag == 'd')
            seconds = strtod(optarg, NULL);
        else
            return 2;
    }
    if (optind + 1 != argc || !count || count > CONNECTIONS_MAX || (requests_max == UINT64_MAX && seconds <= 0)) {
        fprintf(stderr, "usage: floor [--connections C] [--requests N | --seconds S] URL\n");
        return 2;
    }
    struct url url = parse_url(argv[optind]);
    request_len = write_request(&url, request, sizeof request);
    answer_len = learn_answer_size(&url);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned long i = 0; i < count; i++) {
        struct connection *connection = &connections[i];
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        connection->fd = connect_to(&url);
        fcntl(connection->fd, F_SETFL, O_NONBLOCK);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event))
            die("epoll_ctl");
    }
    uint64_t start_ns = now_ns(), cpu_before_ns = cpu_ns();
    for (unsigned long i = 0; i < count; i++)
        send_request(&connections[i]);
    run(epoll, seconds > 0 ? start_ns + (uint64_t)(seconds * 1e9) : 0);
    uint64_t wall_ns = now_ns() - start_ns, used_ns = cpu_ns() - cpu_before_ns;
    printf("{\"requests\": %llu, \"wall_ns\": %llu, \"cpu_ns\": %llu, \"cpu_ns_per_request\": %.1f}\n",
           (unsigned long long)ended, (unsigned long long)wall_ns, (unsigned long long)used_ns,
           ended ? (double)used_ns / (double)ended : 0.0);
    return 0;
}
