/*
 * Times that begin in one worker and may end in another: a device goes in one, and what the service says about it arrives
 * in the other. Each worker keeps when its keys set out. What arrives for a key of its own has its time at once; what
 * arrives for an unknown key is kept, and the controller finds its beginning among those of all workers, at the end.
 *
 * All times are CLOCK_MONOTONIC ns of one machine. Keys are 64 bits that the plugin makes up, one for each beginning.
 */
#ifndef SQUALL_METRICS_CROSSINGS_H
#define SQUALL_METRICS_CROSSINGS_H
#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

#define CROSSINGS_MAX       200000   /* beginnings, and arrivals, that a worker keeps */
#define CROSSINGS_TOTAL_MAX 1000000 /* and the controller, of all workers */

struct crossing_start {
    uint64_t key, at_ns; /* at_ns 0: a free place */
};

struct crossing_end {
    uint64_t key, at_ns;
    uint32_t series, metric;
};

struct crossings {
    struct crossing_start *starts; /* open addressing; start_size a power of two, at most half full */
    struct crossing_end *ends;
    uint32_t start_count, start_size, end_count, end_size;
    uint64_t refused; /* that crossings_unpack had no room for */
};

void crossings_fini(struct crossings *crossings); /* of a zeroed one too */

/* at_ns > 0. A key that sets out again begins anew. 0, or -1: `limit` are kept, or there is no memory. */
int crossings_start(struct crossings *crossings, uint32_t limit, uint64_t key, uint64_t at_ns);
/* Whether the key's beginning is known here, and when it was. */
bool crossings_find(const struct crossings *crossings, uint64_t key, uint64_t *ret_at_ns);
/* Keeps an arrival whose beginning is not known here. As crossings_start. */
int crossings_end(struct crossings *crossings, uint32_t limit, const struct crossing_end *end);

int crossings_pack(const struct crossings *crossings, struct buffer *out);
/* Adds what a worker has packed. series_count: of the run. Which metrics a series has is looked at by who joins. */
int crossings_unpack(const uint8_t *data, size_t len, uint32_t series_count, struct crossings *into, struct error *error);

/* Calls fn with the time of each arrival whose beginning is known. The others are of what set out unseen. */
typedef void crossings_fn(void *arg, uint32_t series, uint32_t metric, uint64_t ns);
void crossings_join(const struct crossings *crossings, crossings_fn *fn, void *arg);

#endif
