/* An accepted connection of the target: see client.h for its states and lists. */
#include "target/client.h"
#include "base/arena.h"
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUTPUT_MAX        (256 * 1024)
#define INPUT_MAX         (64 * 1024) /* unused input: no more is read above it */
#define REQUESTS_MAX      1024        /* not wholly answered, a connection */
#define READS_MAX         4           /* in a row, before others get their turn */
#define LINGER_NS         NS_PER_S
#define ROUND_UP_16(size) (((size) + 15) & ~(size_t)15)

static void on_io(struct loop_io *io, uint32_t events);

static struct client *client_of(struct squall_server_conn *conn)
{
    return (struct client *)(void *)((char *)conn - offsetof(struct client, room));
}

/* ---- requests ---- */

static struct client_request *take_request(struct service *service)
{
    size_t head = ROUND_UP_16(sizeof(struct client_request));
    struct client_request *request = service->free_requests;
    if (request)
        service->free_requests = request->next;
    else
        request = xmalloc(head + service->server->request_size);
    memset(request, 0, offsetof(struct client_request, record));
    request->room.state = (char *)request + head;
    memset(request->room.state, 0, service->server->request_size);
    return request;
}

/* Ends the first request of the list: counts and logs it. */
static void end_request(struct client *client, enum request_outcome outcome, uint64_t now_ns)
{
    struct service *service = client->service;
    struct client_request *request = client->requests;
    if (request == client->unanswered) {
        client->unanswered = request->next;
        client->room.in_flight--;
    }
    client->requests = request->next;
    if (!client->requests)
        client->requests_end = NULL;
    client->request_count--;
    client->room.full = 0;
    if (outcome == REQUEST_ANSWERED)
        service->counts.answered++;
    else if (outcome == REQUEST_RESET)
        service->counts.reset++;
    else
        service->counts.aborted++;
    if (service->log) {
        request->record.status = request->room.status;
        request->record.outcome = (uint8_t)outcome;
        request->record.answer_ns = now_ns;
        request_log_add(service->log, &request->record);
    }
    request->next = service->free_requests;
    service->free_requests = request;
}

static void fill_record(struct client_request *request, const struct client *client, struct squall_bytes label)
{
    struct request_record *record = &request->record;
    record->id = client->service->counts.arrived;
    record->conn = client->id;
    record->arrival_ns = client->now_ns;
    record->delay_ns = request->due_ns - client->now_ns;
    record->bytes = 0;
    if (!client->service->log)
        return;
    record->label_len = (uint8_t)(label.len < REQUEST_LABEL_MAX ? label.len : REQUEST_LABEL_MAX);
    memcpy(record->label, label.data, record->label_len);
}

struct squall_server_request *client_arrive(struct squall_server_conn *conn,
                                            const struct squall_server_arrival *arrival)
{
    struct client *client = client_of(conn);
    struct service *service = client->service;
    const struct service_options *options = service->options;
    assert(!conn->full);
    struct client_request *request = take_request(service);
    const struct squall_distribution *delay = arrival->delay ? arrival->delay : &options->delay;
    request->due_ns = places_take(&service->places, client->now_ns, distribution_draw(delay, &service->random));
    request->reset = arrival->reset || (options->reset > 0 && random_unit(&service->random) < options->reset);
    request->last = arrival->last;
    if (arrival->stall_ns)
        service_stall(service, client->now_ns, arrival->stall_ns);
    service->counts.arrived++;
    fill_record(request, client, arrival->label);
    if (client->requests_end)
        client->requests_end->next = request;
    else
        client->requests = request;
    client->requests_end = request;
    if (!client->unanswered)
        client->unanswered = request;
    conn->full = ++client->request_count == REQUESTS_MAX;
    conn->in_flight++;
    return &request->room;
}

/* ---- output ---- */

uint8_t *client_out_reserve(struct squall_server_conn *conn, uint64_t len)
{
    struct client *client = client_of(conn);
    struct buffer *output = &client->output;
    if (client->output_start && (client->output_start == output->len || output->len + len > OUTPUT_MAX)) {
        buffer_consume(output, client->output_start);
        client->output_start = 0;
    }
    return len <= OUTPUT_MAX ? buffer_reserve(output, (size_t)len) : NULL;
}

void client_out_commit(struct squall_server_conn *conn, uint64_t len)
{
    struct client *client = client_of(conn);
    client->output.len += (size_t)len;
    client->committed += len;
}

static bool output_empty(const struct client *client)
{
    return client->output_start == client->output.len;
}

static void linger(struct client *client)
{
    client->state = CLIENT_LINGERING;
    shutdown(client->fd, SHUT_WR);
    deadlines_set(&client->service->deadlines, &client->deadline, client->now_ns + LINGER_NS);
    loop_io_events(client->service->loop, &client->io, LOOP_READ);
}

/* What the descriptor is watched for follows from the state alone. While frozen nobody may be woken for writing,
 * since nothing would be written. */
static void watch(struct client *client, bool frozen)
{
    uint32_t events = client->input.len < INPUT_MAX || client->state != CLIENT_OPEN ? LOOP_READ : 0;
    if (!output_empty(client) && !frozen)
        events |= LOOP_WRITE;
    loop_io_events(client->service->loop, &client->io, events);
}

/* Sends what there is; stamps the answers that the kernel has now taken. */
static void flush(struct client *client)
{
    struct buffer *output = &client->output;
    if (output_empty(client))
        return;
    ssize_t count =
        send(client->fd, output->data + client->output_start, output->len - client->output_start, MSG_NOSIGNAL);
    if (count < 0) {
        if (errno != EAGAIN && errno != EINTR)
            client_end(client);
        return;
    }
    client->output_start += (size_t)count;
    client->sent += (uint64_t)count;
    if (output_empty(client))
        client->output_start = output->len = 0;
    uint64_t now_ns = clock_now_ns();
    while (client->requests && client->requests->end && client->requests->end <= client->sent)
        end_request(client, REQUEST_ANSWERED, now_ns);
}

/* Resets the connection: what earlier answers have left to send gets its chance first. */
static void reset(struct client *client)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    flush(client);
    if (client->state == CLIENT_ENDED)
        return;
    uint64_t now_ns = clock_now_ns();
    while (client->requests != client->unanswered)
        end_request(client, REQUEST_ABORTED, now_ns);
    end_request(client, REQUEST_RESET, now_ns);
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    client_end(client);
}

/* One answer, or as much of it as fits: true when it is complete. */
static bool answer(struct client *client, struct client_request *request)
{
    struct service *service = client->service;
    if (!request->begun) {
        request->begun = true;
        client->answers++;
        request->room.last = request->last || client->answers == service->options->close_after;
    }
    uint64_t before = client->committed;
    bool complete = service->server->answer(&client->room, &request->room) != 0;
    request->record.bytes += client->committed - before;
    assert(complete || !output_empty(client)); /* else it would never be asked again */
    if (!complete)
        return false;
    request->end = client->committed;
    client->unanswered = request->next;
    client->room.in_flight--;
    if (request->room.last)
        client->state = CLIENT_LAST;
    return true;
}

/* Writes all answers that are due; true when there was one. */
static bool answer_due(struct client *client)
{
    bool any = false;
    while (client->unanswered && client->state == CLIENT_OPEN) {
        struct client_request *request = client->unanswered;
        if (request->due_ns > client->now_ns) {
            deadlines_set(&client->service->deadlines, &client->deadline, request->due_ns);
            break;
        }
        if (request->reset) {
            reset(client);
            return true;
        }
        if (answer(client, request)) {
            any = true;
            continue;
        }
        /* The output is full. */
        uint64_t sent = client->sent;
        flush(client);
        if (client->state == CLIENT_ENDED || client->sent == sent)
            break;
    }
    return any;
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
        bool answered = !service_frozen(service, client->now_ns) && answer_due(client);
        if (client->state != CLIENT_OPEN)
            return len;
        if ((!count && !answered) || used == len)
            return used;
    }
}

/* The end of every way into a client: what is due is sent, and the descriptor is watched for what comes next. */
static void settle(struct client *client)
{
    bool frozen = service_frozen(client->service, client->now_ns);
    if (client->state == CLIENT_ENDED || client->state == CLIENT_LINGERING)
        return;
    if (!frozen)
        flush(client);
    if (client->state == CLIENT_LAST && output_empty(client))
        linger(client);
    else if (client->state != CLIENT_ENDED)
        watch(client, frozen);
}

/* Parses what was left unused before, now that there is more of it or an answer has made room. */
static void process_left(struct client *client)
{
    size_t used = process(client, client->input.data, client->input.len);
    if (client->state == CLIENT_ENDED)
        return;
    buffer_consume(&client->input, used);
    /* Nothing in flight, and still not understood: the room has failed to bound it. */
    if (client->input.len >= INPUT_MAX && !client->room.in_flight && output_empty(client))
        client_end(client);
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

static void read_input(struct client *client)
{
    struct service *service = client->service;
    for (unsigned reads = 0; reads < READS_MAX; reads++) {
        ssize_t count = recv(client->fd, service->input, sizeof service->input, 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        /* A peer that has closed its side counts as gone, once it had what is ready: one that gave up looks the same.
         */
        if (count == 0 && !service_frozen(service, client->now_ns))
            flush(client);
        if (count <= 0) {
            client_end(client);
            return;
        }
        client->now_ns = clock_now_ns();
        if (client->state == CLIENT_OPEN)
            take_input(client, service->input, (size_t)count);
        if (client->state == CLIENT_ENDED || client->input.len >= INPUT_MAX || (size_t)count < sizeof service->input)
            return;
    }
}

static void on_io(struct loop_io *io, uint32_t events)
{
    struct client *client = io->arg;
    if (events & LOOP_WRITE) {
        client_wake(client, clock_now_ns());
        if (client->state == CLIENT_ENDED)
            return;
    }
    if (events & LOOP_READ) {
        read_input(client);
        settle(client);
    }
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
        flush(client);
        if (client->state == CLIENT_OPEN)
            process_left(client);
    }
    settle(client);
}

void client_malformed(struct squall_server_conn *conn)
{
    struct client *client = client_of(conn);
    client->service->counts.malformed++;
    client->state = CLIENT_LAST;
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
        output.limit = OUTPUT_MAX;
    }
    memset(client, 0, sizeof *client);
    client->input = input;
    client->output = output;
    client->room.state = (char *)client + head;
    memset(client->room.state, 0, service->server->conn_size);
    client->room.run = &service->run;
    client->service = service;
    client->fd = fd;
    client->id = ++service->counts.connections;
    client->next = service->clients;
    if (client->next)
        client->next->previous = client;
    service->clients = client;
    loop_io_start(service->loop, &client->io, fd, LOOP_READ, on_io, client);
}

void client_end(struct client *client)
{
    struct service *service = client->service;
    if (client->state == CLIENT_ENDED)
        return;
    client->state = CLIENT_ENDED;
    uint64_t now_ns = clock_now_ns();
    while (client->requests)
        end_request(client, REQUEST_ABORTED, now_ns);
    if (service->server->disconnect)
        service->server->disconnect(&client->room);
    deadlines_unset(&service->deadlines, &client->deadline);
    loop_io_stop(service->loop, &client->io);
    close(client->fd);
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
    while (service->free_requests) {
        struct client_request *request = service->free_requests;
        service->free_requests = request->next;
        free(request);
    }
}
