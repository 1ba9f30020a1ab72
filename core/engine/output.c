/*
 * What a connection is to send: written as far as the kernel takes it, with the stamps of the exchanges whose bytes it
 * has taken. Those that no answer follows end here.
 */
#include "engine/internal.h"
#include <errno.h>

static void tap_output(struct conn *conn, size_t len)
{
    const struct output *output = conn->output;
    size_t owned = 0;
    for (uint32_t i = 0; i < output->count && len; i++) {
        const struct segment *segment = &output->segments[(output->first + i) % SEGMENTS];
        size_t part = segment->len < len ? segment->len : len;
        const uint8_t *data = segment->borrowed ? segment->borrowed : output->bytes.data + output->taken + owned;
        owned += segment->borrowed ? 0 : segment->len;
        conn->pool->engine->config.tap(conn->pool->engine->config.arg, true, data, part);
        len -= part;
    }
}

static void output_written(struct output *output, size_t len)
{
    output->written += len;
    while (len) {
        struct segment *segment = &output->segments[output->first];
        size_t part = segment->len < len ? segment->len : len;
        if (segment->borrowed)
            segment->borrowed += part;
        else
            output->taken += part;
        segment->len -= part;
        len -= part;
        if (segment->len == 0) {
            output->first = (output->first + 1) % SEGMENTS;
            output->count--;
        }
    }
}

static void stamp_unsent(struct output *output, uint64_t now_ns)
{
    while (!list_empty(&output->unsent)) {
        struct exchange *exchange = LIST_ENTRY(output->unsent.next, struct exchange, unsent);
        if (exchange->end_offset > output->written)
            break;
        list_remove(&exchange->unsent);
        exchange_sent(exchange, now_ns);
        if (exchange->answerless)
            exchange_end_sent(exchange);
    }
    if (!list_empty(&output->streaming))
        messages_written(output, now_ns);
}

/* Of what waits for the kernel now: the newest first, up to one that has waited before. */
static void stamp_attempted(struct output *output, uint64_t now_ns)
{
    for (struct link *link = output->unsent.previous; link != &output->unsent; link = link->previous) {
        struct exchange *exchange = LIST_ENTRY(link, struct exchange, unsent);
        if (exchange->attempted)
            break;
        exchange_attempted(exchange, now_ns);
    }
}

void conn_flush_soon(struct conn *conn, bool more)
{
    if (!conn_has_output(conn) || conn->write_blocked || conn->fd < 0)
        return;
    if (!more || conn->capacity <= 1 || conn->close_wanted)
        conn_flush(conn);
    else if (list_empty(&conn->output->flush))
        list_append(&conn->pool->engine->flushes, &conn->output->flush);
}

void conn_flush(struct conn *conn)
{
    struct engine *engine = conn->pool->engine;
    bool blocked = false;
    while (conn_has_output(conn) && !blocked) {
        size_t len = 0;
        switch (stream_write(conn, &len)) {
        case STREAM_OK:
            if (engine->config.tap && !conn->traced)
                tap_output(conn, len);
            output_written(conn->output, len);
            break;
        case STREAM_BLOCKED:
            blocked = true;
            break;
        default:
            conn_fail(conn, errno == ECONNRESET || errno == EPIPE ? "connection reset by the peer" : "writing failed");
            conn_touch(conn);
            stamp_unsent(conn->output, engine_stamp(engine));
            return;
        }
    }
    uint64_t now_ns = engine_stamp(engine);
    if (conn->output)
        stamp_unsent(conn->output, now_ns);
    if (blocked)
        stamp_attempted(conn->output, now_ns);
    else if (conn->output)
        output_give(conn);
    if (blocked != conn->write_blocked) {
        conn->write_blocked = blocked;
        loop_io_events(engine->loop, &conn->io, blocked ? LOOP_READ | LOOP_WRITE : LOOP_READ);
    }
    if (!blocked && conn->room_wanted) {
        conn->room_wanted = false;
        if (conn_abi(conn)->writable)
            conn_abi(conn)->writable(&conn->view);
        conn_touch(conn);
    }
}
