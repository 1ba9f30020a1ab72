/*
 * Windows of a second, merged over workers: what the live view shows and what the verdict is fed. A window is complete
 * when a worker reports one that is WINDOWS_OPEN seconds later: workers tick together, so that is soon.
 */
#ifndef SQUALL_CLUSTER_WINDOWS_H
#define SQUALL_CLUSTER_WINDOWS_H
#include "metrics/result.h"

#define WINDOWS_OPEN 3

struct window {
    bool used;
    bool partial; /* holds a worker's last words: not a whole second */
    uint64_t number, ended, begun, waited;
    struct histogram latency, self_delay;
};
struct windows {
    struct window open[WINDOWS_OPEN];
    uint64_t newest;
};

void windows_init(struct windows *windows);
void windows_fini(struct windows *windows);
/* begun: measured exchanges that began since the worker's snapshot before; waited: exchanges that found no free connection. */
void windows_add(struct windows *windows, const struct snapshot *snapshot, uint64_t begun, uint64_t waited, struct verdict *verdict);
void windows_finish(struct windows *windows, struct verdict *verdict);
/* Count and percentiles of the newest whole window that has any. */
void windows_show(const struct windows *windows, struct progress *progress);

#endif
