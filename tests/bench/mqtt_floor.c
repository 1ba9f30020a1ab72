/*
 * The least that a closed-loop MQTT generator can cost: every client has one PUBLISH of QoS 1 in flight, and sends the
 * next when PUBACK has come; epoll, send, recv, and nothing else. With --qos 0 each client sends alone, round after
 * round, --batch messages in a write. Answers are counted in bytes: a PUBACK has four. No clock is read, nothing is
 * parsed, nothing is recorded.
 *
 *   mqtt_floor [--clients C] [--messages N] [--qos 0|1] [--batch B] mqtt://HOST:PORT
 *
 * Before it, sessions are opened by the same loop, a hundred at a time: connect, CONNECT, CONNACK. CPU time is that of
 * the messages: what connecting cost is taken off, and said of its own. With --messages 0 that is all.
 */
#include "http.h"
#include <errno.h>
#include <getopt.h>
#include <sys/epoll.h>

#define CLIENTS_MAX 15000
#define BATCH_MAX   64
#define STALL_MS    10000
#define OPENING_MAX 100 /* below a broker's listen backlog */
#define PAYLOAD     16

static int fds[CLIENTS_MAX], queue;
static struct epoll_event events[1024];
static uint32_t missing[CLIENTS_MAX]; /* bytes of PUBACK that are to come */
static uint8_t output[BATCH_MAX * 64], input[65536];
static uint64_t started, ended, messages_max = 100000;
static size_t message_len;
static unsigned qos = 1, batch = 1;

/* ---- sessions ---- */

static void begin_session(const struct addrinfo *address, unsigned number)
{
    int one = 1, fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = number};
    fds[number] = fd;
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
        die("socket");
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS)
        die("connect");
    if (epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event) < 0)
        die("epoll_ctl");
}

/* CONNECT of 3.1.1 with a client identifier of its own. */
static void say_hello(unsigned number)
{
    char packet[64];
    int failure = 0, id_len = snprintf(packet + 14, sizeof packet - 14, "floor-%u", number);
    socklen_t len = sizeof failure;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = number};
    if (getsockopt(fds[number], SOL_SOCKET, SO_ERROR, &failure, &len) < 0 || (errno = failure) != 0)
        die("connect");
    memcpy(packet, "\x10\0\0\4MQTT\4\2\2\x58\0", 13);
    packet[1] = (char)(12 + id_len);
    packet[13] = (char)id_len;
    if (send(fds[number], packet, (size_t)(14 + id_len), MSG_NOSIGNAL) != 14 + id_len)
        die("send");
    if (epoll_ctl(queue, EPOLL_CTL_MOD, fds[number], &event) < 0)
        die("epoll_ctl");
}

static void open_sessions(const struct url *url, unsigned clients)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address;
    unsigned begun = 0, open = 0;
    if (getaddrinfo(url->host, url->port, &hints, &address)) {
        fprintf(stderr, "%s: unknown host\n", url->host);
        exit(1);
    }
    while (open < clients) {
        while (begun < clients && begun - open < OPENING_MAX)
            begin_session(address, begun++);
        int ready = epoll_wait(queue, events, 1024, STALL_MS);
        if (ready <= 0)
            die("no answer");
        for (int i = 0; i < ready; i++) {
            unsigned number = events[i].data.u32;
            if (events[i].events & EPOLLOUT)
                say_hello(number);
            else if (recv(fds[number], input, 4, 0) != 4 || input[0] != 0x20 || input[3] != 0)
                die("CONNACK");
            else
                open++;
        }
    }
    freeaddrinfo(address);
}

/* ---- messages ---- */

static void send_messages(unsigned number)
{
    if (started >= messages_max)
        return;
    started += batch;
    missing[number] = qos * 4 * batch;
    ssize_t sent = send(fds[number], output, message_len * batch, MSG_NOSIGNAL);
    if (sent != (ssize_t)(message_len * batch))
        die("send: the socket is full");
}

static void receive(unsigned number)
{
    ssize_t count = recv(fds[number], input, sizeof input, 0);
    if (count < 0 && errno == EAGAIN)
        return;
    if (count <= 0 || (size_t)count > missing[number])
        die("recv: the broker said something else");
    missing[number] -= (uint32_t)count;
    if (missing[number] > 0)
        return;
    ended += batch;
    send_messages(number);
}

static void make_messages(void)
{
    static const char topic[] = "floor/topic";
    for (unsigned i = 0; i < batch; i++) {
        message_len = 2 + 2 + sizeof topic - 1 + 2 * qos + PAYLOAD;
        uint8_t *at = output + i * message_len;
        *at++ = (uint8_t)(0x30 | qos << 1);
        *at++ = (uint8_t)(message_len - 2);
        *at++ = 0;
        *at++ = sizeof topic - 1;
        memcpy(at, topic, sizeof topic - 1);
        at += sizeof topic - 1;
        if (qos) {
            *at++ = 0;
            *at++ = (uint8_t)(i + 1);
        }
        memset(at, 'x', PAYLOAD);
    }
}

static void run(unsigned clients)
{
    for (unsigned i = 0; i < clients; i++)
        send_messages(i);
    while (qos == 0 && started < messages_max)
        for (unsigned i = 0; i < clients; i++)
            send_messages(i);
    while (qos > 0 && ended < started) {
        int ready = epoll_wait(queue, events, 1024, STALL_MS);
        if (ready <= 0)
            die("no answer");
        for (int i = 0; i < ready; i++)
            receive(events[i].data.u32);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"clients", 1, NULL, 'c'},
                                            {"messages", 1, NULL, 'n'},
                                            {"qos", 1, NULL, 'q'},
                                            {"batch", 1, NULL, 'b'},
                                            {NULL, 0, NULL, 0}};
    unsigned clients = 100;
    struct url url = {.port = "1883"};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        unsigned long value = option == '?' ? 0 : strtoul(optarg, NULL, 10);
        if (option == 'c')
            clients = (unsigned)value;
        else if (option == 'n')
            messages_max = value;
        else if (option == 'q')
            qos = (unsigned)value;
        else if (option == 'b')
            batch = (unsigned)value;
        else
            return 2;
    }
    if (optind + 1 != argc || clients < 1 || clients > CLIENTS_MAX || qos > 1 || batch < 1 || batch > BATCH_MAX)
        return 2;
    if (sscanf(argv[optind], "mqtt://%127[^:/]:%7[0-9]", url.host, url.port) != 2) {
        fprintf(stderr, "%s: write mqtt://HOST:PORT\n", argv[optind]);
        return 2;
    }
    make_messages();
    uint64_t before = cpu_ns();
    queue = epoll_create1(EPOLL_CLOEXEC);
    if (queue < 0)
        die("epoll_create1");
    open_sessions(&url, clients);
    uint64_t connected = cpu_ns();
    run(clients);
    printf("{\"clients\": %u, \"messages\": %llu, \"cpu_ns_per_message\": %.1f, \"cpu_ns_per_connect\": %.1f}\n",
           clients, (unsigned long long)started, started ? (double)(cpu_ns() - connected) / (double)started : 0.0,
           (double)(connected - before) / clients);
    return 0;
}
