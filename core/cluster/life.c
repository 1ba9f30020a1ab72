/* See life.h. */
#include "cluster/life.h"

void life_begin(struct life *life, uint64_t now_ns)
{
    *life = (struct life){.began_ns = now_ns, .looked_ns = now_ns};
}

static bool passed(uint64_t from_ns, uint64_t now_ns, uint64_t limit_ns)
{
    return now_ns > from_ns && now_ns - from_ns > limit_ns;
}

bool life_silent(struct life *life, uint64_t now_ns, uint64_t beat_ns, uint64_t cpu_ns, uint64_t limit_ns)
{
    bool computes = cpu_ns > life->cpu_ns && (cpu_ns - life->cpu_ns) * LIFE_SHARE >= now_ns - life->looked_ns;
    /* The earliest that it can have stopped: a stop is noticed no later than without this. */
    if (computes)
        life->computed_ns = life->looked_ns;
    life->looked_ns = now_ns;
    life->cpu_ns = cpu_ns;
    uint64_t turned_ns = beat_ns ? beat_ns : life->began_ns + LIFE_LOADING_NS;
    if (!passed(turned_ns, now_ns, limit_ns))
        return false;
    bool in_circles = beat_ns && passed(beat_ns, now_ns, LIFE_CIRCLES * limit_ns);
    return in_circles || passed(life->computed_ns, now_ns, limit_ns);
}
