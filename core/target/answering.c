/* Requests and answers of the target's clients: when they are due, who writes them, when they end. See request.h. */
#include "target/answering.h"
#include <assert.h>
#include <string.h>
#include <sys/socket.h>

static struct client *client_of(struct squall_server_conn *conn)
{
    return (struct client *)(void *)((char *)conn - offsetof(struct client, room));
}

uint64_t client_now_ns(const struct squall_server_conn *conn)
{
    return client_of((struct squall_server_conn *)(uintptr_t)conn)->now_ns;
}

/* ---- requests ---- */

static void end_request(struct client *client, struct client_request *request, enum squall_server_outcome outcome,
                        uint64_t now_ns)
{
    if (!request->sending)
        client->room.in_flight--;
    client->room.spare = CLIENT_REQUESTS_MAX - --client->request_count;
    request_end(client->service, request, outcome, now_ns);
}

void client_abort(struct client *client, struct link *list, uint64_t now_ns)
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
    if (arrival->within_ns && request->due_ns > client->now_ns + arrival->within_ns)
        request->due_ns = client->now_ns + arrival->within_ns;
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
    conn->spare = CLIENT_REQUESTS_MAX - ++client->request_count;
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
        return; /* it is the first of those that wait: client_answer_due() looks at it */
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
    deadlines_unset(&client->service->deadlines, &request->deadline);
    complete(client, request, outcome);
}

/* ---- output ---- */

uint8_t *client_out_reserve(struct squall_server_conn *conn, uint64_t len)
{
    struct client *client = client_of(conn);
    struct buffer *output = &client->output;
    if (client->output_start && (client->output_start == output->len || output->len + len > CLIENT_OUTPUT_MAX)) {
        buffer_consume(output, client->output_start);
        client->output_start = 0;
    }
    uint8_t *room = len <= CLIENT_OUTPUT_MAX ? buffer_reserve(output, (size_t)len) : NULL;
    client->refused = client->refused || !room;
    return room;
}

void client_out_commit(struct squall_server_conn *conn, uint64_t len)
{
    struct client *client = client_of(conn);
    client->output.len += (size_t)len;
    client->committed += len;
}

/* Sends what there is; stamps the answers that the kernel has now taken. */
void client_flush(struct client *client)
{
    struct buffer *output = &client->output;
    if (client_output_empty(client))
        return;
    ssize_t count =
        transport_send(&client->transport, output->data + client->output_start, output->len - client->output_start);
    if (count == TRANSPORT_FAILED)
        client_end(client);
    if (count < 0)
        return;
    client->output_start += (size_t)count;
    client->sent += (uint64_t)count;
    if (client_output_empty(client))
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
    client_flush(client);
    if (client->state == CLIENT_ENDED)
        return;
    uint64_t now_ns = clock_now_ns();
    client_abort(client, &client->sending, now_ns);
    end_request(client, request, SQUALL_SERVER_RESET, now_ns);
    setsockopt(client->transport.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
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
    assert(whole || request->resumed || !client_output_empty(client)); /* else it would never be asked again */
    if (!whole)
        return false;
    complete(client, request, SQUALL_SERVER_ANSWERED);
    if (request->room.last)
        client->state = CLIENT_LAST;
    return true;
}

/* Writes all answers that are due, in order; true when there was one. */
bool client_answer_due(struct client *client)
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
        client_flush(client);
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
void client_write_ready(struct client *client)
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
        client_flush(client);
    } while (client->refused && client->sent != sent);
}

void client_malformed(struct squall_server_conn *conn)
{
    struct client *client = client_of(conn);
    uint64_t now_ns = clock_now_ns();
    client->service->counts.malformed++;
    client->state = CLIENT_LAST;
    client_abort(client, &client->waiting, now_ns);
    client_abort(client, &client->ready, now_ns);
    client_abort(client, &client->begun, now_ns);
}
