/* See timers.h. Equal times run in no particular order. */
#include "engine/timers.h"
#include "base/arena.h"
#include <stdlib.h>

void timers_fini(struct timers *timers)
{
    free(timers->heap);
    timers->heap = NULL;
    timers->count = timers->capacity = 0;
}

static void place(struct timers *timers, struct timer *timer, uint32_t position)
{
    timers->heap[position] = timer;
    timer->position = position;
}

static void sift_up(struct timers *timers, struct timer *timer, uint32_t position)
{
    while (position > 1 && timers->heap[position / 2]->at_ns > timer->at_ns) {
        place(timers, timers->heap[position / 2], position);
        position /= 2;
    }
    place(timers, timer, position);
}

static void sift_down(struct timers *timers, struct timer *timer, uint32_t position)
{
    for (;;) {
        uint32_t child = position * 2;
        if (child > timers->count)
            break;
        if (child < timers->count && timers->heap[child + 1]->at_ns < timers->heap[child]->at_ns)
            child++;
        if (timers->heap[child]->at_ns >= timer->at_ns)
            break;
        place(timers, timers->heap[child], position);
        position = child;
    }
    place(timers, timer, position);
}

void timer_clear(struct timers *timers, struct timer *timer)
{
    uint32_t position = timer->position;
    if (!position)
        return;
    timer->position = 0;
    struct timer *last = timers->heap[timers->count--];
    if (last == timer)
        return;
    if (position > 1 && timers->heap[position / 2]->at_ns > last->at_ns)
        sift_up(timers, last, position);
    else
        sift_down(timers, last, position);
}

void timer_set(struct timers *timers, struct timer *timer, uint64_t at_ns)
{
    timer_clear(timers, timer);
    timer->at_ns = at_ns;
    if (timers->count + 1 >= timers->capacity) {
        timers->capacity = timers->capacity ? timers->capacity * 2 : 64;
        timers->heap = xrealloc(timers->heap, timers->capacity * sizeof *timers->heap);
    }
    timers->count++;
    sift_up(timers, timer, timers->count);
}

uint64_t timers_next(const struct timers *timers)
{
    return timers->count ? timers->heap[1]->at_ns : UINT64_MAX;
}

void timers_run(struct timers *timers, uint64_t now_ns)
{
    while (timers->count && timers->heap[1]->at_ns <= now_ns) {
        struct timer *timer = timers->heap[1];
        timer_clear(timers, timer);
        timer->fn(timer, now_ns);
    }
}
