/* Requests and answers of `squall target`, whatever the version of HTTP: see target_room.h. */
#include "target_room.h"
#include <stdlib.h>
#include <string.h>

bool target_is_echo(struct squall_bytes path)
{
    return path.len == 5 && memcmp(path.data, "/echo", 5) == 0;
}

void target_incoming_refuse(struct target_incoming *incoming, uint32_t status, const char *why)
{
    incoming->refusal = why;
    incoming->refusal_status = status;
    incoming->echo = false;
}

void target_incoming_begin(struct squall_server_run *run, struct target_incoming *incoming, struct squall_bytes path,
                           struct squall_bytes query)
{
    const char *why;
    incoming->echo = target_is_echo(path);
    if (query.len && target_query_parse(run->host, query, incoming->is_h2, &incoming->query, &why)) {
        incoming->query = (struct target_query){.status = 0};
        target_incoming_refuse(incoming, 400, why);
    }
}

static uint32_t draw_status(struct squall_server_conn *conn, const struct target_mix *mix)
{
    if (mix->count == 1)
        return mix->status[0];
    double unit = conn->run->host->random_unit(conn->run);
    uint32_t i = 0;
    while (i + 1 < mix->count && unit >= mix->upper[i])
        i++;
    return mix->status[i];
}

struct squall_server_request *target_arrive(struct squall_server_conn *conn, const struct target_incoming *incoming,
                                            const struct target_echo *echo, struct squall_bytes label,
                                            struct target_answer *ret_answer)
{
    const struct target_run *run = conn->run->state;
    const struct target_options *options = conn->run->options;
    const struct target_query *query = &incoming->query;
    struct squall_server_arrival arrival = {
        .label = label,
        .delay = query->has_delay ? &query->delay : NULL,
        .stall_ns = query->stall_ns,
        .reset = query->reset,
        .last = query->close || query->faults.goaway || !incoming->keep_alive,
    };
    struct squall_server_request *request = conn->run->host->arrive(conn, &arrival);
    struct target_answer answer = {
        .part = query->part,
        .pace_ns = query->pace_ns,
        .stop_left = query->hang ? query->hang_after : UINT64_MAX,
    };
    request->status = query->status ? query->status : draw_status(conn, &run->mix);
    if (incoming->refusal) {
        request->status = incoming->refusal_status;
        answer.body = (const uint8_t *)incoming->refusal;
        answer.left = strlen(incoming->refusal);
    } else if (incoming->echo) {
        answer.body = echo->data;
        answer.left = echo->len;
    } else {
        answer.left = conn->run->host->distribution_draw(conn->run, query->has_size ? &query->size : &run->size);
    }
    /* Neither these statuses nor an answer to HEAD have a body (RFC 9110, 6.4.1). */
    answer.bodiless = incoming->is_head || request->status == 204 || request->status == 304;
    target_next_part(&answer);
    answer.chunked = (options->chunked || query->chunked) && !incoming->version_1_0 && !incoming->refusal;
    *ret_answer = answer;
    return request;
}

void target_echo_add(struct target_echo *echo, struct target_incoming *incoming, struct squall_bytes piece)
{
    if (!incoming->echo || !piece.len)
        return;
    size_t needed = echo->len + piece.len;
    if (needed > TARGET_ECHO_MAX) {
        target_incoming_refuse(incoming, 413, "/echo returns at most 1 MiB\n");
        return;
    }
    if (needed > echo->capacity) {
        size_t capacity = echo->capacity ? echo->capacity : 4096;
        while (capacity < needed)
            capacity *= 2;
        uint8_t *grown = realloc(echo->data, capacity);
        if (!grown) {
            target_incoming_refuse(incoming, 503, "no memory for this echo\n");
            return;
        }
        echo->data = grown;
        echo->capacity = capacity;
    }
    memcpy(echo->data + echo->len, piece.data, piece.len);
    echo->len = needed;
}

void target_echo_fini(struct target_echo *echo)
{
    free(echo->data);
    *echo = (struct target_echo){0};
}

void target_echo_release(struct target_echo *echo)
{
    if (echo->capacity > TARGET_ECHO_KEPT)
        target_echo_fini(echo);
    echo->len = 0;
}

uint64_t target_ready(const struct target_answer *answer)
{
    uint64_t ready = answer->left < answer->stop_left ? answer->left : answer->stop_left;
    return answer->part && answer->part_left < ready ? answer->part_left : ready;
}

void target_next_part(struct target_answer *answer)
{
    answer->part_left = answer->part;
}

uint8_t *target_put_body(uint8_t *out, struct target_answer *answer, uint64_t count)
{
    if (answer->body) {
        memcpy(out, answer->body, count);
        answer->body += count;
    } else {
        memset(out, 'x', count);
    }
    answer->left -= count;
    answer->part_left -= answer->part ? count : 0;
    answer->stop_left -= answer->stop_left == UINT64_MAX ? 0 : count;
    return out + count;
}

uint8_t *target_put_number(uint8_t *out, uint64_t number, unsigned base)
{
    uint8_t digits[20];
    unsigned count = 0;
    do
        digits[count++] = (uint8_t) "0123456789abcdef"[number % base];
    while (number /= base);
    while (count)
        *out++ = digits[--count];
    return out;
}
