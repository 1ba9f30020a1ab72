/*
 * Addresses and patterns in one list with a hash table over it. The join looks patterns that are addresses up, and
 * compares only the others with each address: a run may have a hundred thousand of the one, and has few of the other.
 */
#include "metrics/tracks.h"
#include "metrics/reader.h"
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#define COMPARISONS_MAX UINT64_C(50000000) /* of patterns with addresses: a second or two */
#define VALUES 5                           /* of a packed track */

void tracks_fini(struct tracks *tracks)
{
    for (uint32_t i = 0; i < tracks->count; i++)
        free(tracks->list[i].text);
    free(tracks->list);
    free(tracks->index);
    *tracks = (struct tracks){0};
}

/* ---- the table ---- */

static uint64_t hash_of(uint32_t series, bool pattern, const void *text, size_t len)
{
    uint64_t hash = UINT64_C(1469598103934665603) ^ (uint64_t)series << 1 ^ pattern; /* FNV-1a */
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const unsigned char *)text)[i]) * UINT64_C(1099511628211);
    return hash ^ hash >> 32;
}

static uint32_t *slot_for(const struct tracks *tracks, uint32_t series, bool pattern, const void *text, size_t len)
{
    uint64_t at = hash_of(series, pattern, text, len);
    for (;; at++) {
        uint32_t *slot = &tracks->index[at & (tracks->index_size - 1)];
        const struct track *track = *slot ? &tracks->list[*slot - 1] : NULL;
        if (!track || (track->series == series && track->pattern == pattern && track->len == len &&
                       (len == 0 || memcmp(track->text, text, len) == 0)))
            return slot;
    }
}

/* Room for one more in list and table. */
static int grow(struct tracks *tracks)
{
    if (tracks->count < tracks->size)
        return 0;
    uint32_t size = tracks->size ? tracks->size * 2 : 64;
    struct track *list = realloc(tracks->list, size * sizeof *list);
    uint32_t *index = calloc(2 * (size_t)size, sizeof *index);
    if (list)
        tracks->list = list;
    if (!list || !index) {
        free(index);
        return -1;
    }
    free(tracks->index);
    tracks->index = index;
    tracks->index_size = 2 * size;
    tracks->size = size;
    for (uint32_t i = 0; i < tracks->count; i++)
        *slot_for(tracks, list[i].series, list[i].pattern, list[i].text, list[i].len) = i + 1;
    return 0;
}

static struct track *find_or_add(struct tracks *tracks, uint32_t series, bool pattern, struct squall_bytes text)
{
    uint32_t *slot = tracks->index ? slot_for(tracks, series, pattern, text.data, text.len) : NULL;
    if (slot && *slot)
        return &tracks->list[*slot - 1];
    char *copy = tracks->count < TRACKS_MAX && text.len <= TRACK_TEXT_MAX ? malloc(text.len + 1) : NULL;
    if (!copy || grow(tracks) < 0) {
        free(copy);
        tracks->refused++;
        return NULL;
    }
    if (text.len)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    struct track *track = &tracks->list[tracks->count++];
    *track = (struct track){.series = series, .len = (uint32_t)text.len, .text = copy, .pattern = pattern};
    *slot_for(tracks, series, pattern, copy, track->len) = tracks->count;
    tracks->patterns += pattern;
    return track;
}

uint32_t tracks_address(struct tracks *tracks, uint32_t series, struct squall_bytes address)
{
    const struct track *track = find_or_add(tracks, series, false, address);
    return track ? (uint32_t)(track - tracks->list) : TRACK_NONE;
}

void tracks_sent(struct tracks *tracks, uint32_t place, uint64_t messages)
{
    if (place < tracks->count)
        tracks->list[place].count += messages;
}

void tracks_want(struct tracks *tracks, uint32_t series, struct squall_bytes pattern, bool plain, int32_t receivers, bool steady)
{
    struct track *track = find_or_add(tracks, series, true, pattern);
    if (!track)
        return;
    track->plain = plain;
    track->unsteady |= !steady;
    uint64_t change = (uint64_t)(receivers < 0 ? -receivers : receivers);
    if (receivers >= 0)
        track->count += change;
    else
        track->count -= change < track->count ? change : track->count;
}

/* ---- on the bus ---- */

static int append(void *data, const char *bytes, size_t len)
{
    return buffer_append(data, bytes, len) < 0 ? -1 : 0;
}

int tracks_pack(const struct tracks *tracks, struct buffer *out)
{
    msgpack_packer packer;
    size_t before = out->len;
    msgpack_packer_init(&packer, out, append);
    int failed = msgpack_pack_array(&packer, 1 + VALUES * (size_t)tracks->count) | msgpack_pack_uint64(&packer, tracks->refused);
    for (uint32_t i = 0; i < tracks->count && !failed; i++) {
        const struct track *track = &tracks->list[i];
        failed = msgpack_pack_uint32(&packer, track->series) |
                 msgpack_pack_uint32(&packer, (track->pattern ? 1u : 0) | (track->plain ? 2u : 0) | (track->unsteady ? 4u : 0)) |
                 msgpack_pack_uint64(&packer, track->count) | msgpack_pack_str_with_body(&packer, track->text, track->len) |
                 msgpack_pack_nil(&packer);
    }
    if (failed)
        out->len = before;
    return failed ? -1 : 0;
}

static void unpack_one(struct reader *reader, uint32_t series_count, struct tracks *into)
{
    size_t len = 0;
    uint32_t series = (uint32_t)reader_uint(reader, UINT32_MAX), flags = (uint32_t)reader_uint(reader, 7);
    uint64_t count = reader_uint(reader, UINT64_MAX / TRACKS_MAX);
    const char *text = reader_text(reader, &len);
    if (!reader_nil(reader) || series >= series_count || len > TRACK_TEXT_MAX)
        reader_fail(reader, "an address or a pattern that is none");
    if (reader->why)
        return;
    struct track *track = find_or_add(into, series, flags & 1, (struct squall_bytes){(const uint8_t *)text, len});
    if (!track)
        return;
    track->count += count;
    track->plain |= (flags & 2) != 0;
    track->unsteady |= (flags & 4) != 0;
}

int tracks_unpack(const uint8_t *data, size_t len, uint32_t series_count, struct tracks *into, struct error *error)
{
    struct reader reader;
    reader_init(&reader, data, len);
    uint32_t values = reader_array(&reader);
    into->refused += reader_uint(&reader, UINT32_MAX);
    if (values % VALUES != 1)
        reader_fail(&reader, "half a track");
    for (uint32_t i = 0; i < values / VALUES && !reader.why; i++)
        unpack_one(&reader, series_count, into);
    if (reader.why)
        return error_set(error, "sent tracks that cannot be read: %s", reader.why);
    return 0;
}

/* ---- the join ---- */

/* Patterns that are no addresses first, then a table of the others by their text alone. */
struct join {
    const struct tracks *tracks;
    tracks_match_fn *match;
    const void *arg;
    struct deliveries *deliveries;
    uint32_t *wild, wild_count;
    uint32_t *table, *next; /* heads of chains, and the next of each track in its chain; places plus one */
    uint32_t table_size;
};

static void join_pair(struct join *join, const struct track *address, const struct track *pattern)
{
    bool shared = false;
    if (join->match(join->arg, address, pattern, &shared))
        join->deliveries[pattern->series].expected += address->count * (shared && pattern->count ? 1 : pattern->count);
}

static void join_address(struct join *join, const struct track *address)
{
    uint64_t hash = hash_of(0, true, address->text, address->len);
    for (uint32_t place = join->table[hash & (join->table_size - 1)]; place; place = join->next[place - 1]) {
        const struct track *pattern = &join->tracks->list[place - 1];
        if (pattern->len == address->len && memcmp(pattern->text, address->text, address->len) == 0)
            join_pair(join, address, pattern);
    }
    for (uint32_t i = 0; i < join->wild_count; i++)
        join_pair(join, address, &join->tracks->list[join->wild[i]]);
}

static void sort_patterns(struct join *join)
{
    for (uint32_t i = 0; i < join->tracks->count; i++) {
        const struct track *track = &join->tracks->list[i];
        struct deliveries *deliveries = &join->deliveries[track->series];
        if (!track->pattern)
            continue;
        deliveries->wanted = true;
        deliveries->unknown |= track->unsteady;
        if (!track->plain) {
            join->wild[join->wild_count++] = i;
            continue;
        }
        uint32_t *head = &join->table[hash_of(0, true, track->text, track->len) & (join->table_size - 1)];
        join->next[i] = *head;
        *head = i + 1;
    }
}

static void give_up(const struct join *join)
{
    for (uint32_t i = 0; i < join->tracks->count; i++)
        if (join->tracks->list[i].pattern)
            join->deliveries[join->tracks->list[i].series] = (struct deliveries){.wanted = true, .unknown = true};
}

void tracks_join(const struct tracks *tracks, tracks_match_fn *match, const void *arg, struct deliveries *ret_deliveries)
{
    struct join join = {.tracks = tracks, .match = match, .arg = arg, .deliveries = ret_deliveries, .table_size = 64};
    while (join.table_size < tracks->patterns)
        join.table_size *= 2;
    join.wild = calloc(tracks->count + 1, sizeof *join.wild);
    join.next = calloc(tracks->count + 1, sizeof *join.next);
    join.table = calloc(join.table_size, sizeof *join.table);
    if (join.wild && join.next && join.table)
        sort_patterns(&join);
    uint64_t comparisons = (uint64_t)join.wild_count * (tracks->count - tracks->patterns);
    if (!join.wild || !join.next || !join.table || tracks->refused || comparisons > COMPARISONS_MAX)
        give_up(&join);
    for (uint32_t i = 0; i < tracks->count && comparisons <= COMPARISONS_MAX && join.wild && join.next && join.table; i++)
        if (!tracks->list[i].pattern && tracks->list[i].count)
            join_address(&join, &tracks->list[i]);
    free(join.wild);
    free(join.next);
    free(join.table);
}
