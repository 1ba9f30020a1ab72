/* A binary heap of deadlines. Every deadline's place is its index in the heap, at all times. */
#include "target/deadlines.h"
#include "base/arena.h"
#include <stdlib.h>

void deadlines_fini(struct deadlines *deadlines)
{
    free(deadlines->heap);
    *deadlines = (struct deadlines){0};
}

static void put(struct deadlines *deadlines, struct deadline *deadline, uint32_t place)
{
    deadlines->heap[place] = deadline;
    deadline->place = place;
}

static void rise(struct deadlines *deadlines, struct deadline *deadline)
{
    uint32_t place = deadline->place;
    for (; place > 1 && deadlines->heap[place / 2]->at_ns > deadline->at_ns; place /= 2)
        put(deadlines, deadlines->heap[place / 2], place);
    put(deadlines, deadline, place);
}

static void sink(struct deadlines *deadlines, struct deadline *deadline)
{
    uint32_t place = deadline->place;
    for (;;) {
        uint32_t child = place * 2;
        if (child > deadlines->count)
            break;
        if (child < deadlines->count && deadlines->heap[child + 1]->at_ns < deadlines->heap[child]->at_ns)
            child++;
        if (deadlines->heap[child]->at_ns >= deadline->at_ns)
            break;
        put(deadlines, deadlines->heap[child], place);
        place = child;
    }
    put(deadlines, deadline, place);
}

void deadlines_set(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ns)
{
    if (!deadline->place) {
        if (deadlines->count + 1 >= deadlines->capacity) {
            deadlines->capacity = deadlines->capacity ? deadlines->capacity * 2 : 64;
            deadlines->heap = xrealloc(deadlines->heap, deadlines->capacity * sizeof deadlines->heap[0]);
        }
        put(deadlines, deadline, ++deadlines->count);
    }
    deadline->at_ns = at_ns;
    rise(deadlines, deadline);
    sink(deadlines, deadline);
}

void deadlines_unset(struct deadlines *deadlines, struct deadline *deadline)
{
    if (!deadline->place)
        return;
    struct deadline *last = deadlines->heap[deadlines->count--];
    if (last != deadline) {
        put(deadlines, last, deadline->place);
        rise(deadlines, last);
        sink(deadlines, last);
    }
    deadline->place = 0;
}
