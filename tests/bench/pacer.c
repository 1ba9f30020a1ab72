/*
 * The least lateness that an open-loop generator can have on this machine: a timerfd at a constant rate, one small
 * send a tick, its lag from the time that was due. Without a URL it writes into a socket pair that it reads itself.
 *
 *   pacer --rate R --seconds S [--connections C] [URL]
 */
#include "http.h"
#include <fcntl.h>
#include <getopt.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define CONNECTIONS_MAX 1024
#define SENDS_MAX       10000000

static char request[1024], input[65536];
static size_t request_len;
static int fds[CONNECTIONS_MAX];
static unsigned long fd_count = 64;

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    fcntl(fd, F_SETFL, O_NONBLOCK);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

static void open_connections(int epoll, const char *text)
{
    if (!text) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
            die("socketpair");
        fd_count = 1;
        fds[0] = pair[0];
        memset(request, 'x', request_len = 64);
        watch(epoll, pair[1]);
        return;
    }
    struct url url = parse_url(text);
    request_len = write_request(&url, request, sizeof request);
    for (unsigned long i = 0; i < fd_count; i++)
        watch(epoll, fds[i] = connect_to(&url));
}

static void arm(int timer, uint64_t at_ns)
{
    /* Zero disarms. */
    struct itimerspec spec = {.it_value = {(time_t)(at_ns / NS_PER_S), (long)(at_ns % NS_PER_S)}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* Sends all that is due, each stamped after its send; returns how many have been sent by now. */
static uint64_t send_due(uint64_t start_ns, double interval_ns, uint64_t sent, uint64_t sends, uint64_t *lags)
{
    while (sent < sends) {
        uint64_t due_ns = start_ns + (uint64_t)((double)sent * interval_ns);
        if (due_ns > now_ns())
            break;
        if (send(fds[sent % fd_count], request, request_len, MSG_NOSIGNAL) != (ssize_t)request_len)
            die("send");
        lags[sent++] = now_ns() - due_ns;
    }
    return sent;
}

static void run(int epoll, int timer, double interval_ns, uint64_t sends, uint64_t *lags)
{
    uint64_t start_ns = now_ns() + NS_PER_S / 100, sent = 0;
    struct epoll_event events[256];
    while (sent < sends) {
        arm(timer, start_ns + (uint64_t)((double)sent * interval_ns));
        int count = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < count; i++)
            if (events[i].data.fd != timer && recv(events[i].data.fd, input, sizeof input, 0) == 0)
                die("the server closed a connection");
        sent = send_due(start_ns, interval_ns, sent, sends, lags);
    }
}

/* What is still on its way is read, so that the server can count it as answered. */
static void read_rest(int epoll, int timer)
{
    struct epoll_event event;
    arm(timer, 0);
    while (epoll_wait(epoll, &event, 1, 50) > 0)
        if (recv(event.data.fd, input, sizeof input, 0) <= 0)
            return;
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"rate", required_argument, NULL, 'r'},
                                          {"seconds", required_argument, NULL, 'd'},
                                          {"connections", required_argument, NULL, 'c'},
                                          {0}};
    double rate = 0, seconds = 0;
    for (int flag; (flag = getopt_long(argc, argv, "r:d:c:", longs, NULL)) != -1;) {
        if (flag == 'r')
            rate = strtod(optarg, NULL);
        else if (flag == 'd')
            seconds = strtod(optarg, NULL);
        else if (flag == 'c')
            fd_count = strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (optind + 1 < argc || !(rate > 0) || !(seconds > 0) || !(rate * seconds >= 1) || rate * seconds > SENDS_MAX ||
        !fd_count || fd_count > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: pacer --rate R --seconds S [--connections C] [URL]\n");
        return 2;
    }
    uint64_t sends = (uint64_t)(rate * seconds + 0.5), *lags = calloc(sends, sizeof *lags);
    int epoll = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (!lags || epoll < 0 || timer < 0)
        die("set-up");
    open_connections(epoll, argv[optind]);
    watch(epoll, timer);
    uint64_t wall_ns = now_ns(), used_ns = cpu_ns();
    run(epoll, timer, 1e9 / rate, sends, lags);
    wall_ns = now_ns() - wall_ns;
    read_rest(epoll, timer);
    used_ns = cpu_ns() - used_ns;
    qsort(lags, sends, sizeof *lags, compare);
    printf("{\"sends\": %llu, \"wall_ns\": %llu, \"cpu_ns\": %llu, \"lag_p50_ns\": %llu, \"lag_p99_ns\": %llu, "
           "\"lag_max_ns\": %llu}\n",
           (unsigned long long)sends, (unsigned long long)wall_ns, (unsigned long long)used_ns,
           (unsigned long long)lags[sends / 2], (unsigned long long)lags[sends * 99 / 100],
           (unsigned long long)lags[sends - 1]);
    free(lags);
    return 0;
}
