/*
 * The bus over socket pairs. A frame is: length of all that follows (4 bytes, network order), length of the topic (1
 * byte), topic, body.
 */
#include "base/arena.h"
#include "base/buffer.h"
#include "cluster/bus.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SUBSCRIPTIONS 8
#define FRAME_HEAD 5

struct peer {
    struct bus *bus;
    int socket; /* -1: lost or dropped */
    uint32_t number;
    struct loop_io io;
    struct buffer in, out;
};

struct bus {
    struct loop *loop;
    struct peer *peers;
    uint32_t peer_count;
    bus_lost_fn *lost;
    void *lost_arg;
    struct {
        const char *topic;
        bus_message_fn *fn;
        void *arg;
    } subscriptions[SUBSCRIPTIONS];
    uint32_t subscription_count;
};

static void on_io(struct loop_io *io, uint32_t events);

void bus_drop(struct bus *bus, uint32_t number)
{
    struct peer *peer = &bus->peers[number];
    if (peer->socket < 0)
        return;
    loop_io_stop(bus->loop, &peer->io);
    close(peer->socket);
    peer->socket = -1;
    buffer_fini(&peer->in);
    buffer_fini(&peer->out);
}

static void lose(struct peer *peer)
{
    struct bus *bus = peer->bus;
    if (peer->socket < 0)
        return;
    bus_drop(bus, peer->number);
    bus->lost(bus->lost_arg, peer->number);
}

static void dispatch(struct peer *peer, const uint8_t *topic, size_t topic_len, const uint8_t *body, size_t body_len)
{
    struct bus *bus = peer->bus;
    /* A handler may drop the peer, and the message with it. */
    for (uint32_t i = 0; i < bus->subscription_count && peer->socket >= 0; i++)
        if (strlen(bus->subscriptions[i].topic) == topic_len && memcmp(bus->subscriptions[i].topic, topic, topic_len) == 0)
            bus->subscriptions[i].fn(bus->subscriptions[i].arg, peer->number, body, body_len);
}

static uint32_t frame_length(const uint8_t *data)
{
    uint32_t length;
    memcpy(&length, data, sizeof length);
    return ntohl(length);
}

/* Works off the whole frames in peer->in. False when what came is no frame. */
static bool take_frames(struct peer *peer)
{
    size_t taken = 0;
    while (peer->socket >= 0 && peer->in.len - taken >= FRAME_HEAD) {
        const uint8_t *frame = peer->in.data + taken;
        uint32_t length = frame_length(frame);
        size_t topic_len = frame[4];
        if (length > BUS_MESSAGE_MAX || length < 1 + topic_len)
            return false;
        if (peer->in.len - taken < 4 + (size_t)length)
            break;
        dispatch(peer, frame + FRAME_HEAD, topic_len, frame + FRAME_HEAD + topic_len, length - 1 - topic_len);
        taken += 4 + (size_t)length;
    }
    if (peer->socket >= 0)
        buffer_consume(&peer->in, taken);
    return true;
}

static void read_peer(struct peer *peer)
{
    uint8_t *room = buffer_reserve(&peer->in, 64 << 10);
    if (!room) {
        lose(peer);
        return;
    }
    ssize_t len = recv(peer->socket, room, 64 << 10, MSG_DONTWAIT);
    if (len > 0) {
        peer->in.len += (size_t)len;
        if (!take_frames(peer))
            lose(peer);
        return;
    }
    if (len == 0 || (errno != EAGAIN && errno != EINTR))
        lose(peer);
}

static void write_peer(struct peer *peer)
{
    while (peer->out.len) {
        ssize_t len = send(peer->socket, peer->out.data, peer->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (len > 0) {
            buffer_consume(&peer->out, (size_t)len);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN) {
            lose(peer);
            return;
        }
        break;
    }
    loop_io_events(peer->bus->loop, &peer->io, peer->out.len ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void on_io(struct loop_io *io, uint32_t events)
{
    struct peer *peer = io->arg;
    if (events & LOOP_WRITE)
        write_peer(peer);
    if ((events & LOOP_READ) && peer->socket >= 0)
        read_peer(peer);
}

struct bus *bus_connect_local(struct loop *loop, const int *sockets, uint32_t count, bus_lost_fn *lost, void *lost_arg)
{
    struct bus *bus = xcalloc(1, sizeof *bus);
    bus->loop = loop;
    bus->lost = lost;
    bus->lost_arg = lost_arg;
    bus->peers = xcalloc(count, sizeof *bus->peers);
    bus->peer_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct peer *peer = &bus->peers[i];
        peer->bus = bus;
        peer->socket = sockets[i];
        peer->number = i;
        peer->in.limit = peer->out.limit = 2 * BUS_MESSAGE_MAX;
        loop_io_start(loop, &peer->io, peer->socket, LOOP_READ, on_io, peer);
    }
    return bus;
}

void bus_subscribe(struct bus *bus, const char *topic, bus_message_fn *fn, void *arg)
{
    bus->subscriptions[bus->subscription_count].topic = topic;
    bus->subscriptions[bus->subscription_count].fn = fn;
    bus->subscriptions[bus->subscription_count++].arg = arg;
}

void bus_publish(struct bus *bus, const char *topic, const uint8_t *data, size_t len)
{
    size_t topic_len = strlen(topic);
    uint32_t length = htonl((uint32_t)(1 + topic_len + len));
    uint8_t head[FRAME_HEAD];
    memcpy(head, &length, 4);
    head[4] = (uint8_t)topic_len;
    for (uint32_t i = 0; i < bus->peer_count; i++) {
        struct peer *peer = &bus->peers[i];
        if (peer->socket < 0)
            continue;
        if (1 + topic_len + len > BUS_MESSAGE_MAX || !buffer_reserve(&peer->out, FRAME_HEAD + topic_len + len)) {
            lose(peer);
            continue;
        }
        buffer_append(&peer->out, head, FRAME_HEAD);
        buffer_append(&peer->out, topic, topic_len);
        buffer_append(&peer->out, data, len);
        write_peer(peer);
    }
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void bus_close(struct bus *bus, int wait_ms)
{
    if (!bus)
        return;
    int64_t until_ms = now_ms() + wait_ms;
    for (uint32_t i = 0; i < bus->peer_count; i++) {
        struct peer *peer = &bus->peers[i];
        while (peer->socket >= 0 && peer->out.len && now_ms() < until_ms) {
            struct pollfd writable = {.fd = peer->socket, .events = POLLOUT};
            poll(&writable, 1, (int)(until_ms - now_ms()));
            ssize_t len = send(peer->socket, peer->out.data, peer->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (len < 0 && errno != EAGAIN && errno != EINTR)
                break;
            if (len > 0)
                buffer_consume(&peer->out, (size_t)len);
        }
        bus_drop(bus, i);
    }
    free(bus->peers);
    free(bus);
}

static int read_whole(int socket, uint8_t *data, size_t len)
{
    while (len) {
        ssize_t part = recv(socket, data, len, 0);
        if (part == 0 || (part < 0 && errno != EINTR))
            return -1;
        if (part > 0) {
            data += part;
            len -= (size_t)part;
        }
    }
    return 0;
}

int bus_receive_first(int socket, const char *topic, uint8_t **ret_data, size_t *ret_len)
{
    uint8_t head[FRAME_HEAD];
    if (read_whole(socket, head, sizeof head) < 0)
        return -1;
    size_t length = frame_length(head), topic_len = head[4];
    if (length > BUS_MESSAGE_MAX || length < 1 + topic_len || topic_len != strlen(topic))
        return -1;
    uint8_t *data = xmalloc(length);
    if (read_whole(socket, data, length - 1) < 0 || memcmp(data, topic, topic_len) != 0) {
        free(data);
        return -1;
    }
    *ret_len = length - 1 - topic_len;
    memmove(data, data + topic_len, *ret_len);
    *ret_data = data;
    return 0;
}
