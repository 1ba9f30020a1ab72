/*
 * What users and connections have for a while only: exchanges, outputs, transits, buffers. Each kind has a list of
 * spare ones. The one that was given back last is handed out first, whoever had it, so that the processor has it at
 * hand. They are run memory, as many as were ever in use at once; a steady run makes no new ones. What they hold is
 * bounded: the bytes of a spare buffer are kept up to KEPT_MAX.
 */
#include "engine/internal.h"

#define KEPT_MAX INPUT_SIZE

struct spare_buffer {
    struct buffer bytes; /* first: buffer_give casts back */
    struct spare_buffer *next;
};

static void trim(struct buffer *bytes)
{
    bytes->len = 0;
    if (bytes->capacity > KEPT_MAX)
        buffer_fini(bytes);
}

/* ---- outputs ---- */

struct output *output_new(struct engine *engine)
{
    struct output *output = arena_alloc(&engine->arena, sizeof *output);
    output->bytes.limit = OUTPUT_HELD_MAX;
    list_init(&output->unsent);
    list_init(&output->streaming);
    list_init(&output->flush);
    return output;
}

void output_trim(struct output *output)
{
    buffer_fini(&output->bytes);
}

/* ---- transits ---- */

struct transit *transit_take(struct conn *conn)
{
    struct engine *engine = conn->pool->engine;
    struct transit *transit = engine->spares.transits;
    if (transit)
        engine->spares.transits = transit->next_spare;
    else
        transit = arena_alloc(&engine->arena, sizeof *transit);
    *transit = (struct transit){.conn = conn, .timer.fn = conn_transit_over};
    conn->transit = transit;
    return transit;
}

void transit_give(struct conn *conn)
{
    struct engine *engine = conn->pool->engine;
    struct transit *transit = conn->transit;
    timer_clear(&engine->timers, &transit->timer);
    transit->next_spare = engine->spares.transits;
    engine->spares.transits = transit;
    conn->transit = NULL;
}

/* ---- buffers ---- */

struct buffer *buffer_take(struct engine *engine, size_t limit)
{
    struct spare_buffer *spare = engine->spares.buffers;
    if (spare)
        engine->spares.buffers = spare->next;
    else
        spare = arena_alloc(&engine->arena, sizeof *spare);
    spare->bytes.limit = limit;
    return &spare->bytes;
}

void buffer_give(struct engine *engine, struct buffer **buffer)
{
    struct spare_buffer *spare = (struct spare_buffer *)(void *)*buffer;
    trim(&spare->bytes);
    spare->next = engine->spares.buffers;
    engine->spares.buffers = spare;
    *buffer = NULL;
}

void spares_fini(struct engine *engine)
{
    for (struct output *output = engine->spares.outputs; output; output = output->next_spare)
        buffer_fini(&output->bytes);
    for (struct spare_buffer *spare = engine->spares.buffers; spare; spare = spare->next)
        buffer_fini(&spare->bytes);
    engine->spares = (struct spares){0};
}
