/*
 * Messages of streams: each has a time when it was due, one when the kernel took its last byte, and one when it was
 * answered. An exchange waits for the answers of at most MESSAGES_MAX at once; one more, and the oldest is given up as
 * unanswered, so that a peer that never answers cannot make us grow.
 *
 * What must stay true: ring[first .. first+count) is in the order of sending; `unsent` is how many of its last ones have
 * no sent_ns, and end_offset ascends in those.
 */
#include "engine/internal.h"
#include <stdlib.h>

#define RING_FIRST 4u /* a ping-pong stream needs one */

static struct message *message_at(const struct messages *messages, uint32_t i)
{
    return &messages->ring[(messages->first + i) & (messages->size - 1)];
}

static uint64_t since(uint64_t later_ns, uint64_t earlier_ns)
{
    return later_ns > earlier_ns ? later_ns - earlier_ns : 0;
}

/* Where a message is booked; NULL: it is part of the warm-up, or of no journey. */
static struct series *series_of(const struct exchange *exchange, uint64_t at_ns)
{
    struct engine *engine = exchange->user->engine;
    bool counts = exchange->user->walk == WALK_JOURNEY && at_ns >= engine->warm_until_ns;
    return counts ? &engine->store.series[step_of(exchange)->series] : NULL;
}

static void on_turn(struct timer *timer, uint64_t now_ns)
{
    struct messages *messages = LIST_ENTRY(timer, struct messages, turn);
    struct exchange *exchange = messages->exchange;
    struct conn *conn = exchange->conn;
    (void)now_ns;
    messages->in_turn = true;
    conn_abi(conn)->turn(&conn->view, &exchange->view, messages->number++);
    messages->in_turn = false;
    conn_touch(conn);
    if (exchange->state != EXCHANGE_IN_FLIGHT || !messages->every_ns)
        return;
    messages->due_ns += messages->every_ns;
    timer_set(&exchange->user->engine->timers, &messages->turn, messages->due_ns);
}

static struct messages *messages_of(struct exchange *exchange)
{
    if (exchange->messages)
        return exchange->messages;
    struct messages *messages = xcalloc(1, sizeof *messages);
    messages->exchange = exchange;
    messages->size = RING_FIRST;
    messages->ring = xcalloc(messages->size, sizeof *messages->ring);
    messages->turn.fn = on_turn;
    messages->last_received_ns = NO_TIME;
    list_init(&messages->streaming);
    exchange->messages = messages;
    return messages;
}

void messages_every(struct exchange *exchange, uint64_t interval_ns)
{
    struct engine *engine = exchange->user->engine;
    struct messages *messages = messages_of(exchange);
    messages->every_ns = conn_abi(exchange->conn)->turn ? interval_ns : 0;
    if (messages->in_turn)
        return; /* on_turn goes on from here */
    timer_clear(&engine->timers, &messages->turn);
    if (!messages->every_ns)
        return;
    messages->due_ns = engine_stamp(engine);
    timer_set(&engine->timers, &messages->turn, messages->due_ns);
}

/* ---- the ring ---- */

static void unanswered(struct exchange *exchange, const struct message *message, uint64_t now_ns)
{
    struct series *series = message->answered ? NULL : series_of(exchange, message->intended_ns);
    if (!series)
        return;
    series->messages_unanswered++;
    histogram_record(&series->message_latency, since(now_ns, message->intended_ns));
}

static void drop_first(struct messages *messages)
{
    if (message_at(messages, 0)->sent_ns == NO_TIME && messages->unsent)
        messages->unsent--;
    messages->first = (messages->first + 1) & (messages->size - 1);
    messages->count--;
}

static void make_room(struct messages *messages, uint64_t now_ns)
{
    if (messages->count < messages->size)
        return;
    if (messages->size == MESSAGES_MAX) {
        unanswered(messages->exchange, message_at(messages, 0), now_ns);
        drop_first(messages);
        return;
    }
    struct message *ring = xcalloc((size_t)messages->size * 2, sizeof *ring);
    for (uint32_t i = 0; i < messages->count; i++)
        ring[i] = *message_at(messages, i);
    free(messages->ring);
    messages->ring = ring;
    messages->size *= 2;
    messages->first = 0;
}

void messages_sent(struct exchange *exchange, uint64_t key)
{
    struct engine *engine = exchange->user->engine;
    struct messages *messages = messages_of(exchange);
    struct conn *conn = exchange->conn;
    uint64_t now_ns = engine_stamp(engine);
    uint64_t intended_ns = messages->in_turn ? messages->due_ns : now_ns;
    bool written = !conn_has_output(conn);
    struct series *series = series_of(exchange, intended_ns);
    if (series)
        series->messages_sent++;
    if (key == SQUALL_NO_ANSWER)
        return;
    make_room(messages, now_ns);
    *message_at(messages, messages->count++) = (struct message){
        .key = key, .intended_ns = intended_ns, .sent_ns = written ? now_ns : NO_TIME, .end_offset = written ? 0 : conn->output->queued};
    if (written)
        return;
    messages->unsent++;
    if (list_empty(&messages->streaming))
        list_append(&conn->output->streaming, &messages->streaming);
}

void messages_written(struct output *output, uint64_t now_ns)
{
    struct link *next;
    for (struct link *link = output->streaming.next; link != &output->streaming; link = next) {
        struct messages *messages = LIST_ENTRY(link, struct messages, streaming);
        next = link->next;
        while (messages->unsent) {
            struct message *message = message_at(messages, messages->count - messages->unsent);
            if (message->end_offset > output->written)
                break;
            message->sent_ns = now_ns;
            messages->unsent--;
        }
        if (!messages->unsent)
            list_remove(link);
    }
}

/* An answer may overtake its message's last byte; answered >= sent holds all the same. */
void messages_answered(struct exchange *exchange, uint64_t key)
{
    struct engine *engine = exchange->user->engine;
    struct messages *messages = exchange->messages;
    uint64_t now_ns = engine->posted_ns ? engine->posted_ns : engine_stamp(engine);
    for (uint32_t i = 0; messages && i < messages->count; i++) {
        struct message *message = message_at(messages, i);
        if (message->key != key || message->answered)
            continue;
        struct series *series = series_of(exchange, message->intended_ns);
        if (series) {
            series->messages_answered++;
            histogram_record(&series->message_latency, since(now_ns, message->intended_ns));
            histogram_record(&series->message_service,
                             message->sent_ns == NO_TIME ? 0 : since(now_ns, message->sent_ns));
        }
        message->answered = true;
        break;
    }
    while (messages && messages->count && message_at(messages, 0)->answered)
        drop_first(messages);
}

void messages_received(struct exchange *exchange)
{
    struct engine *engine = exchange->user->engine;
    struct messages *messages = messages_of(exchange);
    uint64_t now_ns = engine->posted_ns ? engine->posted_ns : engine_stamp(engine);
    struct series *series = series_of(exchange, now_ns);
    if (series) {
        series->messages_received++;
        if (messages->last_received_ns != NO_TIME)
            histogram_record(&series->message_gap, since(now_ns, messages->last_received_ns));
        else if (exchange->view.intended_ns >= engine->warm_until_ns)
            histogram_record(&series->message_first, since(now_ns, exchange->view.intended_ns));
    }
    messages->last_received_ns = now_ns;
}

/* ---- ends ---- */

void messages_end(struct exchange *exchange, uint64_t done_ns)
{
    struct messages *messages = exchange->messages;
    timer_clear(&exchange->user->engine->timers, &messages->turn);
    list_remove(&messages->streaming);
    for (uint32_t i = 0; i < messages->count && done_ns != NO_TIME; i++)
        unanswered(exchange, message_at(messages, i), done_ns);
    messages->first = messages->count = messages->unsent = 0;
    messages->every_ns = messages->number = 0;
    messages->last_received_ns = NO_TIME;
}

void messages_fini(struct exchange *exchange)
{
    if (!exchange->messages)
        return;
    free(exchange->messages->ring);
    free(exchange->messages);
    exchange->messages = NULL;
}
