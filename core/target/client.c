/* An accepted connection of the target: see client.h for its states and lists. */
#include "base/arena.h"
#include "target/answering.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX         (64 * 1024) /* unused input: no more is read above it */
#define READS_MAX         4           /* in a row, before others get their turn */
#define LINGER_NS         NS_PER_S
#define ROUND_UP_16(size) (((size) + 15) & ~(size_t)15)

static void on_io(struct loop_io *io, uint32_t events);

static void linger(struct client *client)
{
    client->state = CLIENT_LINGERING;
    transport_shutdown(&client->transport);
    deadlines_set(&client->service->deadlines, &client->deadline, client->now_ns + LINGER_NS);
    loop_io_events(client->service->loop, &client->io, LOOP_READ);
}

/* What the descriptor is watched for follows from the state alone. While frozen nobody may be woken for what would
 * write: sending, and a handshake. */
static void watch(struct client *client, bool frozen)
{
    uint32_t events = client->input.len < INPUT_MAX || client->state != CLIENT_OPEN ? LOOP_READ : 0;
    if (frozen && !client->transport.up)
        events = 0;
    if ((!client_output_empty(client) || client->transport.wants_write) && !frozen)
        events |= LOOP_WRITE;
    loop_io_events(client->service->loop, &client->io, events);
    if (events & LOOP_READ && transport_pending(&client->transport))
        deadlines_set(&client->service->deadlines, &client->unread, client->now_ns);
}

/* ---- input ---- */

/* Hands the input to the room and answers what is due, until neither gets any further. Returns what was used. */
static size_t process(struct client *client, const uint8_t *data, size_t len)
{
    struct service *service = client->service;
    size_t used = 0;
    for (;;) {
        size_t count = 0;
        if (used < len && client->state == CLIENT_OPEN)
            count = (size_t)service->server->receive(&client->room, data + used, len - used);
        assert(count <= len - used);
        used += count;
        bool in_order = !client->room.unordered && !service_frozen(service, client->now_ns);
        bool answered = in_order && client_answer_due(client);
        if (client->state != CLIENT_OPEN)
            return len;
        if ((!count && !answered) || used == len)
            return used;
    }
}

/* Parses what was left unused before, now that there is more of it or an answer has made room. */
static void process_left(struct client *client)
{
    size_t used = process(client, client->input.data, client->input.len);
    if (client->state == CLIENT_ENDED)
        return;
    buffer_consume(&client->input, used);
    /* Nothing in flight, and still not understood: the room has failed to bound it. */
    if (client->input.len >= INPUT_MAX && !client->room.in_flight && client_output_empty(client))
        client_end(client);
}

/* Sends what there is; then reads on in the input where only the number of requests had stopped the room. */
static void send_all(struct client *client)
{
    for (;;) {
        bool was_full = !client->room.spare;
        if (client->room.unordered)
            client_write_ready(client);
        client_flush(client);
        if (client->state != CLIENT_OPEN || !was_full || !client->room.spare || !client->input.len)
            return;
        process_left(client);
    }
}

/* The end of every way into a client: what is due is sent, and the descriptor is watched for what comes next. */
static void settle(struct client *client)
{
    bool frozen = service_frozen(client->service, client->now_ns);
    if (client->state == CLIENT_ENDED || client->state == CLIENT_LINGERING)
        return;
    if (!frozen)
        send_all(client);
    if (client->state == CLIENT_LAST && client_output_empty(client))
        linger(client);
    else if (client->state != CLIENT_ENDED)
        watch(client, frozen);
}

static void take_input(struct client *client, const uint8_t *data, size_t len)
{
    if (client->input.len) {
        if (buffer_append(&client->input, data, len))
            client_end(client);
        else
            process_left(client);
        return;
    }
    size_t used = process(client, data, len);
    if (client->state == CLIENT_OPEN && used < len && buffer_append(&client->input, data + used, len - used))
        client_end(client);
}

/* From the handshake's end on the room may know what was agreed on. A first read that fails was no handshake. */
static void note_handshake(struct client *client, ssize_t count)
{
    if (client->transport.up)
        client->room.alpn = transport_alpn(&client->transport);
    else if (count == TRANSPORT_FAILED)
        client->service->counts.malformed++;
}

static void read_input(struct client *client)
{
    struct service *service = client->service;
    struct transport *transport = &client->transport;
    for (unsigned reads = 0; reads < READS_MAX; reads++) {
        bool was_up = transport->up;
        if (!was_up && service_frozen(service, clock_now_ns()))
            return;
        ssize_t count = transport_receive(transport, service->input, sizeof service->input);
        if (!was_up)
            note_handshake(client, count);
        if (count == TRANSPORT_BLOCKED)
            return;
        /* A peer that has closed its side counts as gone, once it had what is ready: one that gave up looks the same.
         */
        if (count == 0 && !service_frozen(service, client->now_ns))
            client_flush(client);
        if (count <= 0) {
            client_end(client);
            return;
        }
        client->now_ns = clock_now_ns();
        if (client->state == CLIENT_OPEN)
            take_input(client, service->input, (size_t)count);
        if (client->state == CLIENT_ENDED || client->input.len >= INPUT_MAX ||
            ((size_t)count < sizeof service->input && !transport_pending(transport)))
            return;
    }
}

static void on_io(struct loop_io *io, uint32_t events)
{
    struct client *client = io->arg;
    bool reads = events & LOOP_READ || client->transport.wants_write;
    if (events & LOOP_WRITE) {
        client_wake(client, clock_now_ns());
        if (client->state == CLIENT_ENDED)
            return;
    }
    if (reads) {
        read_input(client);
        settle(client);
    }
}

/* Input that no event announces. */
static void on_unread(struct deadline *deadline)
{
    struct client *client = (struct client *)(void *)((char *)deadline - offsetof(struct client, unread));
    read_input(client);
    settle(client);
}

static void on_client_due(struct deadline *deadline)
{
    struct client *client = (struct client *)(void *)((char *)deadline - offsetof(struct client, deadline));
    service_touch(client->service, client);
}

void client_wake(struct client *client, uint64_t now_ns)
{
    if (client->state == CLIENT_ENDED)
        return;
    client->now_ns = now_ns;
    if (client->state == CLIENT_LINGERING && !client->deadline.place) {
        client_end(client);
        return;
    }
    if (!service_frozen(client->service, now_ns)) {
        client_flush(client);
        if (client->state == CLIENT_OPEN)
            process_left(client);
    }
    settle(client);
}

/* ---- life ---- */

void client_accept(struct service *service, int fd)
{
    size_t head = ROUND_UP_16(sizeof(struct client));
    struct client *client = service->free_clients;
    struct buffer input = {0}, output = {0};
    if (client) {
        service->free_clients = client->next;
        input = client->input;
        output = client->output;
    } else {
        client = xmalloc(head + service->server->conn_size);
        input.limit = INPUT_MAX + SERVICE_INPUT_SIZE;
        output.limit = CLIENT_OUTPUT_MAX;
    }
    memset(client, 0, sizeof *client);
    client->input = input;
    client->output = output;
    client->room.state = (char *)client + head;
    memset(client->room.state, 0, service->server->conn_size);
    client->room.run = &service->run;
    client->room.spare = CLIENT_REQUESTS_MAX;
    list_init(&client->waiting);
    list_init(&client->ready);
    list_init(&client->begun);
    list_init(&client->sending);
    client->deadline.passed = on_client_due;
    client->unread.passed = on_unread;
    client->service = service;
    client->id = ++service->counts.connections;
    client->next = service->clients;
    if (client->next)
        client->next->previous = client;
    service->clients = client;
    loop_io_start(service->loop, &client->io, fd, LOOP_READ, on_io, client);
    if (transport_begin(&client->transport, fd, service->tls_context))
        client_end(client);
}

void client_end(struct client *client)
{
    struct service *service = client->service;
    if (client->state == CLIENT_ENDED)
        return;
    client->state = CLIENT_ENDED;
    uint64_t now_ns = clock_now_ns();
    client_abort(client, &client->sending, now_ns);
    client_abort(client, &client->begun, now_ns);
    client_abort(client, &client->ready, now_ns);
    client_abort(client, &client->waiting, now_ns);
    if (service->server->disconnect)
        service->server->disconnect(&client->room);
    deadlines_unset(&service->deadlines, &client->deadline);
    deadlines_unset(&service->deadlines, &client->unread);
    loop_io_stop(service->loop, &client->io);
    transport_end(&client->transport);
    client->input.len = client->output.len = 0;
    if (client->next)
        client->next->previous = client->previous;
    if (client->previous)
        client->previous->next = client->next;
    else
        service->clients = client->next;
    client->next = service->ended_clients;
    service->ended_clients = client;
}

void client_reap(struct service *service)
{
    while (service->ended_clients) {
        struct client *client = service->ended_clients;
        service->ended_clients = client->next;
        client->next = service->free_clients;
        service->free_clients = client;
    }
}

void client_free_all(struct service *service)
{
    client_reap(service);
    while (service->free_clients) {
        struct client *client = service->free_clients;
        service->free_clients = client->next;
        buffer_fini(&client->input);
        buffer_fini(&client->output);
        free(client);
    }
    request_free_all(service);
}
