/*
 * What was sent to where, and who wants what: from both follows how many deliveries a run owes its receivers. A worker
 * counts addresses and patterns, as its plugins name them; the controller adds up all workers' and joins them, since a
 * message of one worker may have its receivers in another. What an address or a pattern means only the protocol knows.
 */
#ifndef SQUALL_METRICS_TRACKS_H
#define SQUALL_METRICS_TRACKS_H
#include "base/buffer.h"
#include "base/error.h"
#include "metrics/series.h"
#include <squall/plugin.h>

#define TRACKS_MAX 200000 /* addresses and patterns, of all workers together */
#define TRACK_TEXT_MAX 65535

struct track {
    uint32_t series;
    uint32_t len;
    char *text;      /* address or pattern */
    uint64_t count;  /* address: messages sent; pattern: receivers */
    bool pattern, plain, unsteady; /* plain: a pattern that is an address; unsteady: receivers came or went during the load */
};

struct tracks {
    struct track *list;
    uint32_t count, size, patterns;
    uint32_t *index; /* hash table of places plus one; index_size a power of two */
    uint32_t index_size;
    uint64_t refused; /* that found no place */
};
#define TRACK_NONE UINT32_MAX

void tracks_fini(struct tracks *tracks); /* of a zeroed one too */

/* The place of an address that steps of `series` send to; TRACK_NONE: there is none left. */
uint32_t tracks_address(struct tracks *tracks, uint32_t series, struct squall_bytes address);
void tracks_sent(struct tracks *tracks, uint32_t place, uint64_t messages);
/* Receivers more, or fewer, of a pattern. */
void tracks_want(struct tracks *tracks, uint32_t series, struct squall_bytes pattern, bool plain, int32_t receivers, bool steady);

int tracks_pack(const struct tracks *tracks, struct buffer *out);
/* Adds what a worker has packed. series_count: of the run. */
int tracks_unpack(const uint8_t *data, size_t len, uint32_t series_count, struct tracks *into, struct error *error);

/* Whether a message that series `sender` sent to the address belongs to receivers of the pattern of series `receiver`.
 * *ret_shared: one of them gets it and not all. */
typedef bool tracks_match_fn(const void *arg, const struct track *address, const struct track *pattern, bool *ret_shared);

/* Sets all but `delivered`; `ret_deliveries` is zeroed, one a series. */
void tracks_join(const struct tracks *tracks, tracks_match_fn *match, const void *arg, struct deliveries *ret_deliveries);

#endif
