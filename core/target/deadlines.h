/* A binary heap of deadlines: the earliest first, any one removed in O(log n). Owners embed struct deadline, zeroed. */
#ifndef SQUALL_TARGET_DEADLINES_H
#define SQUALL_TARGET_DEADLINES_H
#include <stdint.h>

struct deadline {
    uint64_t at_ns;
    uint32_t place; /* 1-based, in the heap; 0: not set */
    void (*passed)(struct deadline *deadline);
};

struct deadlines {
    struct deadline **heap; /* heap[0] is unused, so that the parent of i is i / 2 */
    uint32_t count, capacity;
};

void deadlines_fini(struct deadlines *deadlines);
/* Room for one deadline more than any that is set at once; grows by doubling, so the steady state allocates nothing. */
void deadlines_set(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ns);
void deadlines_unset(struct deadlines *deadlines, struct deadline *deadline);
/* NULL: none is set. */
static inline struct deadline *deadlines_first(const struct deadlines *deadlines)
{
    return deadlines->count ? deadlines->heap[1] : 0;
}

#endif
