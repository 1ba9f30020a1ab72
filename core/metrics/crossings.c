/* Beginnings in a hash table, since each arrival looks one up; arrivals in a list. */
#include "metrics/crossings.h"
#include "metrics/reader.h"
#include <msgpack.h>
#include <stdlib.h>

#define FIRST_SIZE   64
#define START_VALUES 2 /* of a packed beginning */
#define END_VALUES   4 /* of a packed arrival */

void crossings_fini(struct crossings *crossings)
{
    free(crossings->starts);
    free(crossings->ends);
    *crossings = (struct crossings){0};
}

/* ---- beginnings ---- */

/* Keys may be anything: neighbours are put apart. */
static uint64_t place_of(uint64_t key)
{
    key = (key ^ key >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return key ^ key >> 29;
}

/* Where the key stands, or would. */
static struct crossing_start *start_for(struct crossing_start *starts, uint32_t size, uint64_t key)
{
    for (uint64_t at = place_of(key);; at++) {
        struct crossing_start *start = &starts[at & (size - 1)];
        if (start->at_ns == 0 || start->key == key)
            return start;
    }
}

static int grow_starts(struct crossings *crossings)
{
    uint32_t size = crossings->start_size ? crossings->start_size * 2 : FIRST_SIZE;
    struct crossing_start *starts = calloc(size, sizeof *starts);
    if (!starts)
        return -1;
    for (uint32_t i = 0; i < crossings->start_size; i++)
        if (crossings->starts[i].at_ns)
            *start_for(starts, size, crossings->starts[i].key) = crossings->starts[i];
    free(crossings->starts);
    crossings->starts = starts;
    crossings->start_size = size;
    return 0;
}

int crossings_start(struct crossings *crossings, uint32_t limit, uint64_t key, uint64_t at_ns)
{
    uint64_t before;
    bool known = crossings_find(crossings, key, &before);
    if (!known && (crossings->start_count >= limit ||
                   (2 * crossings->start_count + 2 > crossings->start_size && grow_starts(crossings) < 0)))
        return -1;
    crossings->start_count += !known;
    *start_for(crossings->starts, crossings->start_size, key) = (struct crossing_start){key, at_ns};
    return 0;
}

bool crossings_find(const struct crossings *crossings, uint64_t key, uint64_t *ret_at_ns)
{
    if (!crossings->start_size)
        return false;
    *ret_at_ns = start_for(crossings->starts, crossings->start_size, key)->at_ns;
    return *ret_at_ns != 0;
}

/* ---- arrivals ---- */

int crossings_end(struct crossings *crossings, uint32_t limit, const struct crossing_end *end)
{
    if (crossings->end_count >= limit)
        return -1;
    if (crossings->end_count == crossings->end_size) {
        uint32_t size = crossings->end_size ? crossings->end_size * 2 : FIRST_SIZE;
        struct crossing_end *ends = realloc(crossings->ends, size * sizeof *ends);
        if (!ends)
            return -1;
        crossings->ends = ends;
        crossings->end_size = size;
    }
    crossings->ends[crossings->end_count++] = *end;
    return 0;
}

/* ---- on the bus ---- */

static int append(void *data, const char *bytes, size_t len)
{
    return buffer_append(data, bytes, len) < 0 ? -1 : 0;
}

/* A list of two: beginnings, and arrivals, each flat. */
int crossings_pack(const struct crossings *crossings, struct buffer *out)
{
    msgpack_packer packer;
    size_t before = out->len;
    msgpack_packer_init(&packer, out, append);
    int failed = msgpack_pack_array(&packer, 2) | msgpack_pack_array(&packer, START_VALUES * (size_t)crossings->start_count);
    for (uint32_t i = 0; i < crossings->start_size && !failed; i++)
        if (crossings->starts[i].at_ns)
            failed = msgpack_pack_uint64(&packer, crossings->starts[i].key) | msgpack_pack_uint64(&packer, crossings->starts[i].at_ns);
    failed |= msgpack_pack_array(&packer, END_VALUES * (size_t)crossings->end_count);
    for (uint32_t i = 0; i < crossings->end_count && !failed; i++) {
        const struct crossing_end *end = &crossings->ends[i];
        failed = msgpack_pack_uint64(&packer, end->key) | msgpack_pack_uint64(&packer, end->at_ns) |
                 msgpack_pack_uint32(&packer, end->series) | msgpack_pack_uint32(&packer, end->metric);
    }
    if (failed)
        out->len = before;
    return failed ? -1 : 0;
}

static void unpack_start(struct reader *reader, struct crossings *into)
{
    uint64_t key = reader_uint(reader, UINT64_MAX), at_ns = reader_uint(reader, UINT64_MAX);
    if (at_ns == 0)
        reader_fail(reader, "a time that is none");
    else if (crossings_start(into, CROSSINGS_TOTAL_MAX, key, at_ns) < 0)
        into->refused++;
}

static void unpack_end(struct reader *reader, uint32_t series_count, struct crossings *into)
{
    struct crossing_end end = {.key = reader_uint(reader, UINT64_MAX), .at_ns = reader_uint(reader, UINT64_MAX)};
    end.series = (uint32_t)reader_uint(reader, series_count - 1);
    end.metric = (uint32_t)reader_uint(reader, UINT32_MAX);
    if (!reader->why && crossings_end(into, CROSSINGS_TOTAL_MAX, &end) < 0)
        into->refused++;
}

int crossings_unpack(const uint8_t *data, size_t len, uint32_t series_count, struct crossings *into, struct error *error)
{
    struct reader reader;
    reader_init(&reader, data, len);
    if (reader_array(&reader) != 2 || series_count == 0)
        reader_fail(&reader, "no list of beginnings and arrivals");
    uint32_t values = reader_array(&reader);
    if (values % START_VALUES)
        reader_fail(&reader, "half a beginning");
    for (uint32_t i = 0; i < values / START_VALUES && !reader.why; i++)
        unpack_start(&reader, into);
    values = reader_array(&reader);
    if (values % END_VALUES)
        reader_fail(&reader, "half an arrival");
    for (uint32_t i = 0; i < values / END_VALUES && !reader.why; i++)
        unpack_end(&reader, series_count, into);
    if (reader.why)
        return error_set(error, "sent times of crossings that cannot be read: %s", reader.why);
    return 0;
}

/* ---- the join ---- */

void crossings_join(const struct crossings *crossings, crossings_fn *fn, void *arg)
{
    for (uint32_t i = 0; i < crossings->end_count; i++) {
        const struct crossing_end *end = &crossings->ends[i];
        uint64_t start_ns;
        if (crossings_find(crossings, end->key, &start_ns))
            fn(arg, end->series, end->metric, end->at_ns > start_ns ? end->at_ns - start_ns : 0);
    }
}
