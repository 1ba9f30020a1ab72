/*
 * Whether a worker lives, as its controller sees it: by when it last turned its loop, which its page says, and by the
 * CPU time that it uses. Without clock or process of its own, so that the test needs neither.
 *
 * One that is stopped, or waits for what does not come, uses no CPU and is silent once the limit has passed. One that
 * computes is given longer: it may be slow (a turn with much to do, a machine that others use, an emulator at a
 * fiftieth of the speed) as well as run in circles. Before its first turn it loads, which takes as long as the data is
 * large.
 */
#ifndef SQUALL_CLUSTER_LIFE_H
#define SQUALL_CLUSTER_LIFE_H
#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>

#define LIFE_LOADING_NS (5 * NS_PER_S) /* without CPU before the first turn, beside the limit: a disk may be slow */
#define LIFE_CIRCLES    10             /* limits for one that computes and does not turn its loop */
#define LIFE_SHARE      50             /* computes: had a CPU for one part in so many at least */

/* Of one worker. */
struct life {
    uint64_t began_ns;
    uint64_t looked_ns, cpu_ns; /* the last look, and the CPU time that it showed */
    uint64_t computed_ns;       /* the look from which on it has computed until the next; 0: none yet */
};

void life_begin(struct life *life, uint64_t now_ns);
/* A look. beat_ns: its last turn, 0: none yet; cpu_ns: CPU time used since its start. True: it is to be given up. */
bool life_silent(struct life *life, uint64_t now_ns, uint64_t beat_ns, uint64_t cpu_ns, uint64_t limit_ns);

#endif
