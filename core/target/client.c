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

static void end_request(struct client *client, struct client_request *request, enum squall_server_outcome outcome,
                        uint64_t now_ns)
{
    if (!request->sending)
        client->room.in_flight--;
    client->room.spare = REQUESTS_MAX - --client->request_count;
    request_end(client->service, request, outcome, now_ns);
}

static void abort_all(struct client *client, struct link *list, uint64_t now_ns)
{
    struct client_request *request;
    while ((request = request_first(list)))
        end_request(client, request, SQUALL_SERVER_ABORTED, now_ns);
}

static void fill_record(struct client_request *request, const struct client *client, struct squall_bytes label)
{
    struct request_record *record = &request->record;
    record->id = client->service->counts.arrived;
    record->conn = client->id;
    record->arrival_ns = client->now_ns;
    record->delay_ns = request->due_ns - client->now_ns;
    if (!client->service->log)
        return;
    record->label_len = (uint8_t)(label.len < REQUEST_LABEL_MAX ? label.len : REQUEST_LABEL_MAX);
    memcpy(record->label, label.data, record->label_len);
}

/* A request of an unordered connection is due. */
static void on_request_due(struct deadline *deadline)
{
    struct client_request *request = request_of_deadline(deadline);
    list_remove(&request->link);
    list_append(&request->client->ready, &request->link);
    service_touch(request->client->service, request->client);
}

static void on_client_due(struct deadline *deadline)
{
    struct client *client = (struct client *)(void *)((char *)deadline - offsetof(struct client, deadline));
    service_touch(client->service, client);
}

static void wait_until_due(struct client *client, struct client_request *request)
{
    list_append(&client->waiting, &request->link);
    deadlines_set(&client->service->deadlines, &request->deadline, request->due_ns);
}

struct squall_server_request *client_arrive(struct squall_server_conn *conn,
                                            const struct squall_server_arrival *arrival)
{
    struct client *client = client_of(conn);
    struct service *service = client->service;
    const struct service_options *options = service->options;
    assert(conn->spare);
    struct client_request *request = request_take(service);
    const struct squall_distribution *delay = arrival->delay ? arrival->delay : &options->delay;
    request->client = client;
    request->deadline.passed = on_request_due;
    request->due_ns = places_take(&service->places, client->now_ns, distribution_draw(delay, &service->random));
    request->reset = arrival->reset || (options->reset > 0 && random_unit(&service->random) < options->reset);
    request->last = arrival->last;
    if (arrival->stall_ns)
        service_stall(service, client->now_ns, arrival->stall_ns);
    service->counts.arrived++;
    fill_record(request, client, arrival->label);
    if (!conn->unordered)
        list_append(&client->waiting, &request->link);
    else if (request->due_ns > client->now_ns)
        wait_until_due(client, request);
    else
        list_append(&client->ready, &request->link);
    conn->spare = REQUESTS_MAX - ++client->request_count;
    conn->in_flight++;
    return &request->room;
}

void client_resume(struct squall_server_request *room, uint64_t delay_ns)
{
    struct client_request *request = request_of(room);
    struct client *client = request->client;
    assert(request->begun && !request->sending);
    request->due_ns = client->now_ns + delay_ns;
    request->resumed = true;
    if (!client->room.unordered)
        return; /* it is the first of those that wait: answer_due() looks at it */
    list_remove(&request->link);
    wait_until_due(client, request);
}

/* The answer ends with what has been committed last. */
static void complete(struct client *client, struct client_request *request, enum squall_server_outcome outcome)
{
    list_remove(&request->link);
    list_append(&client->sending, &request->link);
    request->sending = true;
    request->outcome = (uint8_t)outcome;
    request->end = client->committed;
    client->room.in_flight--;
}

void client_finish(struct squall_server_request *room, enum squall_server_outcome outcome)
{
    struct client_request *request = request_of(room);
    struct client *client = request->client;
    assert(client->room.unordered && !request->sending);
    client->draining = client->draining || room->last;
    if (outcome == SQUALL_SERVER_ABORTED) {
        end_request(client, request, outcome, clock_now_ns());
        return;
    }
    assert(request->begun);
    deadlines_unset(&client->service->deadlines, &request->deadline);
    complete(client, request, outcome);
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
    uint8_t *room = len <= OUTPUT_MAX ? buffer_reserve(output, (size_t)len) : NULL;
    client->refused = client->refused || !room;
    return room;
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
    struct client_request *request;
    while ((request = request_first(&client->sending)) && request->end <= client->sent)
        end_request(client, request, request->outcome, now_ns);
}

/* Resets the connection instead of an answer: what others have left to send gets its chance first. */
static void reset(struct client *client, struct client_request *request)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    flush(client);
    if (client->state == CLIENT_ENDED)
        return;
    uint64_t now_ns = clock_now_ns();
    abort_all(client, &client->sending, now_ns);
    end_request(client, request, SQUALL_SERVER_RESET, now_ns);
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    client_end(client);
}

/* Lets the room write the answer, or begin or go on with it; true when it says that the answer is complete. */
static bool ask(struct client *client, struct client_request *request)
{
    if (!request->begun) {
        request->begun = true;
        client->answers++;
        request->room.last = request->last || client->answers == client->service->options->close_after;
    }
    request->resumed = false;
    return client->service->server->answer(&client->room, &request->room) != 0;
}

/* One answer in its turn, or as much of it as fits: true when it is complete. */
static bool answer(struct client *client, struct client_request *request)
{
    uint64_t before = client->committed;
    bool whole = ask(client, request);
    request->room.bytes += client->committed - before;
    assert(whole || request->resumed || !output_empty(client)); /* else it would never be asked again */
    if (!whole)
        return false;
    complete(client, request, SQUALL_SERVER_ANSWERED);
    if (request->room.last)
        client->state = CLIENT_LAST;
    return true;
}

/* Writes all answers that are due, in order; true when there was one. */
static bool answer_due(struct client *client)
{
    struct client_request *request;
    bool any = false;
    while (client->state == CLIENT_OPEN && (request = request_first(&client->waiting))) {
        if (request->due_ns > client->now_ns) {
            deadlines_set(&client->service->deadlines, &client->deadline, request->due_ns);
            break;
        }
        if (request->reset) {
            reset(client, request);
            return true;
        }
        if (answer(client, request)) {
            any = true;
            continue;
        }
        if (request->resumed) {
            deadlines_set(&client->service->deadlines, &client->deadline, request->due_ns);
            break;
        }
        /* The output is full. */
        uint64_t sent = client->sent;
        flush(client);
        if (client->state == CLIENT_ENDED || client->sent == sent)
            break;
    }
    return any;
}

/* Unordered: says to the room which answers are due; it writes them in write(). */
static void begin_ready(struct client *client)
{
    struct client_request *request;
    while (client->state == CLIENT_OPEN && (request = request_first(&client->ready))) {
        if (request->reset) {
            reset(client, request);
            return;
        }
        list_remove(&request->link);
        list_append(&client->begun, &request->link);
        ask(client, request);
    }
}

/* Unordered: lets the room write until it has no more, or neither the output nor the kernel takes any more. */
static void write_ready(struct client *client)
{
    uint64_t sent;
    begin_ready(client);
    do {
        if (client->state != CLIENT_OPEN)
            return;
        sent = client->sent;
        client->refused = false;
        client->service->server->write(&client->room);
        bool idle = !client->room.in_flight && !client->room.coming && !client->refused;
        if (client->state == CLIENT_OPEN && client->draining && idle)
            client->state = CLIENT_LAST;
        flush(client);
    } while (client->refused && client->sent != sent);
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
        bool answered = in_order && answer_due(client);
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
    if (client->input.len >= INPUT_MAX && !client->room.in_flight && output_empty(client))
        client_end(client);
}

/* Sends what there is; then reads on in the input where only the number of requests had stopped the room. */
static void send_all(struct client *client)
{
    for (;;) {
        bool was_full = !client->room.spare;
        if (client->room.unordered)
            write_ready(client);
        flush(client);
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
    if (client->state == CLIENT_LAST && output_empty(client))
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
    uint64_t now_ns = clock_now_ns();
    client->service->counts.malformed++;
    client->state = CLIENT_LAST;
    abort_all(client, &client->waiting, now_ns);
    abort_all(client, &client->ready, now_ns);
    abort_all(client, &client->begun, now_ns);
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
    client->room.spare = REQUESTS_MAX;
    list_init(&client->waiting);
    list_init(&client->ready);
    list_init(&client->begun);
    list_init(&client->sending);
    client->deadline.passed = on_client_due;
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
    abort_all(client, &client->sending, now_ns);
    abort_all(client, &client->begun, now_ns);
    abort_all(client, &client->ready, now_ns);
    abort_all(client, &client->waiting, now_ns);
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
    request_free_all(service);
}
