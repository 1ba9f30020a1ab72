/*
 * The least that a closed-loop MQTT generator can cost: every client has one PUBLISH of QoS 1 in flight, and sends the
 * next when PUBACK has come; epoll, send, recv, and nothing else. With --qos 0 each client sends alone, round after
 * round, --batch messages in a write. Answers are counted in bytes: a PUBACK has four. No clock is read, nothing is
 * parsed, nothing is recorded.
 *
 *   mqtt_floor [--clients C] [--messages N] [--qos 0|1] [--batch B] mqtt://HOST:PORT
 *
 * CPU time is that of the messages: what connecting cost is taken off, and said of its own.
 */
#include "http.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sys/epoll.h>

#define CLIENTS_MAX 15000
#define BATCH_MAX   64
#define STALL_MS    10000
#define PAYLOAD     16

static int fds[CLIENTS_MAX];
static uint32_t missing[CLIENTS_MAX]; /* bytes of PUBACK that are to come */
static uint8_t output[BATCH_MAX * 64], input[65536];
static uint64_t started, ended, messages_max = 100000;
static size_t message_len;
static unsigned qos = 1, batch = 1;

/* CONNECT of 3.1.1 with a client identifier of its own, and its CONNACK. */
static void open_session(const struct url *url, unsigned number)
{
    char packet[64];
    int id_len = snprintf(packet + 14, sizeof packet - 14, "floor-%u", number);
    memcpy(packet, "\x10\0\0\4MQTT\4\2\2\x58\0", 13);
    packet[1] = (char)(12 + id_len);
    packet[13] = (char)id_len;
    fds[number] = connect_to(url);
    if (send(fds[number], packet, (size_t)(14 + id_len), MSG_NOSIGNAL) != 14 + id_len)
        die("send");
    if (recv(fds[number], input, 4, MSG_WAITALL) != 4 || input[0] != 0x20 || input[3] != 0)
        die("CONNACK");
    if (fcntl(fds[number], F_SETFL, O_NONBLOCK) < 0)
        die("fcntl");
}

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
    static struct epoll_event events[1024];
    int queue = epoll_create1(0);
    for (unsigned i = 0; i < clients; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(queue, EPOLL_CTL_ADD, fds[i], &event) < 0)
            die("epoll_ctl");
    }
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
    close(queue);
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
    for (unsigned i = 0; i < clients; i++)
        open_session(&url, i);
    uint64_t connected = cpu_ns();
    run(clients);
    printf("{\"clients\": %u, \"messages\": %llu, \"cpu_ns_per_message\": %.1f, \"cpu_ns_per_connect\": %.1f}\n", clients,
           (unsigned long long)started, (double)(cpu_ns() - connected) / (double)started, (double)(connected - before) / clients);
    return 0;
}
