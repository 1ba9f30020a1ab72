/* A fake host of `squall target`. See fake_target.h. */
#include "fake_target.h"
#include "base/error.h"
#include "base/random.h"
#include "base/units.h"
#include "target/behaviour.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define REQUESTS_MAX 64
#define OUTPUT_SMALL (65 * 1024)
#define OUTPUT_LARGE (512 * 1024)
#define ROUNDS_MAX   200 /* of answers behind the input: bodies may be large, and pauses many */
#define TURN_NS      UINT64_C(20000000)

struct fake_request {
    struct squall_server_request room;
    bool begun, again;
    uint64_t again_ns;
    _Alignas(16) uint8_t state[512];
};

struct fake {
    const struct squall_server *server;
    struct squall_server_run run;
    struct squall_server_conn conn;
    struct random_stream random;
    struct fake_request *requests[REQUESTS_MAX];
    uint32_t count; /* in order of arrival */
    uint64_t turns, now_ns;
    size_t output, output_max;
    bool receiving, ended;
    uint8_t out[OUTPUT_LARGE];
};

static struct fake fake;

static void require(bool kept)
{
    if (!kept)
        abort();
}

static uint32_t index_of(const struct squall_server_request *room)
{
    for (uint32_t i = 0; i < fake.count; i++)
        if (&fake.requests[i]->room == room)
            return i;
    abort(); /* a request that is not, or no longer, the room's */
}

static void drop(uint32_t index)
{
    free(fake.requests[index]);
    memmove(&fake.requests[index], &fake.requests[index + 1], (fake.count - index - 1) * sizeof fake.requests[0]);
    fake.count--;
    fake.conn.in_flight--;
    fake.conn.spare++;
}

/* ---- the host ---- */

static int32_t host_distribution_parse(const char *text, uint32_t type, struct squall_distribution *ret_distribution,
                                       struct squall_error *ret_error)
{
    struct error error;
    if (distribution_parse(text, type, ret_distribution, &error) == 0)
        return 0;
    memcpy(ret_error->text, "no distribution", sizeof "no distribution");
    return -1;
}

/* Bodies stay small, so that an input is over soon. */
static uint64_t host_distribution_draw(struct squall_server_run *run, const struct squall_distribution *distribution)
{
    (void)run;
    return distribution_draw(distribution, &fake.random) % 100000;
}

static double host_random_unit(struct squall_server_run *run)
{
    (void)run;
    return random_unit(&fake.random);
}

static uint64_t host_now_ns(const struct squall_server_conn *conn)
{
    (void)conn;
    return fake.now_ns;
}

static int32_t host_number_parse(const char *text, uint32_t type, uint64_t *ret_number)
{
    if (type == SQUALL_DURATION)
        return units_parse_duration(text, ret_number);
    return type == SQUALL_SIZE ? units_parse_size(text, ret_number) : units_parse_count(text, ret_number);
}

static struct squall_server_request *host_arrive(struct squall_server_conn *conn,
                                                 const struct squall_server_arrival *arrival)
{
    require(fake.receiving && conn->spare && arrival->label.len <= 1 << 16);
    struct fake_request *request = calloc(1, sizeof *request);
    require(request && fake.server->request_size <= sizeof request->state);
    request->room.state = request->state;
    request->room.last = arrival->last;
    fake.requests[fake.count++] = request;
    conn->in_flight++;
    conn->spare--;
    return &request->room;
}

static void host_resume(struct squall_server_request *room, uint64_t delay_ns)
{
    struct fake_request *request = fake.requests[index_of(room)];
    require(request->begun);
    request->again = true;
    request->again_ns = fake.now_ns + delay_ns;
}

static void host_finish(struct squall_server_request *room, enum squall_server_outcome outcome)
{
    require(fake.conn.unordered && outcome <= SQUALL_SERVER_ABORTED);
    drop(index_of(room));
}

static uint8_t *host_out_reserve(struct squall_server_conn *conn, uint64_t len)
{
    require(conn->unordered || !fake.receiving || !conn->in_flight);
    return len <= fake.output_max - fake.output ? fake.out + fake.output : NULL;
}

static void host_out_commit(struct squall_server_conn *conn, uint64_t len)
{
    (void)conn;
    require(len <= fake.output_max - fake.output);
    fake.output += len;
}

static void host_malformed(struct squall_server_conn *conn)
{
    require(conn->unordered || !conn->in_flight);
    fake.ended = true;
    while (fake.count)
        drop(0);
}

static const struct squall_server_host host = {
    .distribution_parse = host_distribution_parse,
    .distribution_draw = host_distribution_draw,
    .random_unit = host_random_unit,
    .now_ns = host_now_ns,
    .number_parse = host_number_parse,
    .arrive = host_arrive,
    .resume = host_resume,
    .finish = host_finish,
    .out_reserve = host_out_reserve,
    .out_commit = host_out_commit,
    .malformed = host_malformed,
};

/* ---- turns ---- */

static void answer_in_order(void)
{
    while (fake.count && !fake.ended) {
        struct fake_request *request = fake.requests[0];
        bool last = request->room.last;
        request->begun = true;
        request->again = false;
        if (!fake.server->answer(&fake.conn, &request->room))
            return;
        drop(0);
        fake.ended = last;
    }
}

static void answer_unordered(bool some_wait)
{
    for (uint32_t i = 0; i < fake.count; i++) {
        struct fake_request *request = fake.requests[i];
        if (request->begun && (!request->again || request->again_ns > fake.now_ns))
            continue;
        if (some_wait && ++fake.turns & 1)
            continue;
        request->begun = true;
        request->again = false;
        fake.server->answer(&fake.conn, &request->room);
    }
    fake.server->write(&fake.conn);
}

static void turn(bool some_wait)
{
    fake.now_ns += TURN_NS;
    if (fake.conn.unordered && !fake.ended)
        answer_unordered(some_wait);
    else if (!fake.ended)
        answer_in_order();
    fake.output = fake.output_max == OUTPUT_SMALL ? fake.output / 2 : 0;
}

static void converse(const uint8_t *data, size_t size, size_t step, bool some_wait)
{
    size_t used = 0;
    for (size_t come = 0; come < size && !fake.ended;) {
        come = size - come > step ? come + step : size;
        for (uint32_t round = 0; round < 4 && used < come && !fake.ended; round++) {
            fake.receiving = true;
            uint64_t count = fake.server->receive(&fake.conn, data + used, come - used);
            fake.receiving = false;
            require(count <= come - used);
            used += count;
            turn(some_wait);
        }
    }
    for (uint32_t round = 0; round < ROUNDS_MAX && fake.count && !fake.ended; round++)
        turn(some_wait);
}

static uint8_t *make_options(const struct fake_target *target)
{
    uint8_t *options = calloc(1, target->server->options_size);
    for (uint32_t i = 0; i < target->server->option_count; i++) {
        const struct squall_option *row = &target->server->options[i];
        const char *text = target->option ? target->option(row, target->choices) : NULL;
        if (!text)
            text = row->fallback;
        struct squall_bytes bytes = {(const uint8_t *)text, text ? strlen(text) : 0};
        uint64_t number = 0;
        if (row->type == SQUALL_STRING)
            memcpy(options + row->offset, &bytes, sizeof bytes);
        else if (text && host_number_parse(text, row->type, &number) == 0)
            memcpy(options + row->offset, &number, sizeof number);
    }
    return options;
}

void fake_target_run(const struct fake_target *target, const uint8_t *data, size_t size)
{
    struct squall_error error;
    uint8_t *options = make_options(target);
    memset(&fake, 0, offsetof(struct fake, out));
    random_init(&fake.random, 1, 0);
    fake.server = target->server;
    fake.output_max = target->choices & 2 ? OUTPUT_SMALL : OUTPUT_LARGE;
    fake.run = (struct squall_server_run){&host, options, calloc(1, fake.server->run_size)};
    fake.conn = (struct squall_server_conn){
        .state = calloc(1, fake.server->conn_size), .run = &fake.run, .spare = REQUESTS_MAX};
    require(fake.server->init(&fake.run, &error) == 0);
    converse(data, size, target->step ? target->step * 16u : 1, target->choices & 4);
    while (fake.count)
        drop(0);
    fake.server->disconnect(&fake.conn);
    fake.server->fini(&fake.run);
    free(fake.conn.state);
    free(fake.run.state);
    free(options);
}
