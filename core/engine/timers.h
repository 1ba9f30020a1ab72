/* Timers in nanoseconds: a binary heap over intrusive nodes. Adding and removing cost O(log n) and allocate nothing
 * once the heap has reached its size. */
#ifndef SQUALL_ENGINE_TIMERS_H
#define SQUALL_ENGINE_TIMERS_H
#include <stdint.h>

struct timer {
    uint64_t at_ns;
    uint32_t position; /* 1-based place in the heap; 0: not set */
    void (*fn)(struct timer *timer, uint64_t now_ns);
};

struct timers {
    struct timer **heap; /* heap[1..count] */
    uint32_t count, capacity;
};

void timers_fini(struct timers *timers);
/* Sets or moves a timer. */
void timer_set(struct timers *timers, struct timer *timer, uint64_t at_ns);
void timer_clear(struct timers *timers, struct timer *timer);
/* When the first one is due; UINT64_MAX: none is set. */
uint64_t timers_next(const struct timers *timers);
/* Runs what is due at now_ns, in order of time. A timer is no longer set when its function runs. */
void timers_run(struct timers *timers, uint64_t now_ns);

#endif
