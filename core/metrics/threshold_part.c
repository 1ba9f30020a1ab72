/* Parts of time for a threshold, see threshold.h. They are added, never averaged. */
#include "metrics/threshold.h"

void threshold_part_init(struct threshold_part *part)
{
    *part = (struct threshold_part){.lower_bound_min_ns = UINT64_MAX};
    histogram_init(&part->times);
}

void threshold_part_fini(struct threshold_part *part)
{
    histogram_fini(&part->times);
}

void threshold_part_reset(struct threshold_part *part)
{
    histogram_reset(&part->times);
    part->lower_bounds = part->events = part->total = 0;
    part->lower_bound_min_ns = UINT64_MAX;
}

void threshold_part_merge(struct threshold_part *into, const struct threshold_part *from)
{
    histogram_merge(&into->times, &from->times);
    into->lower_bounds += from->lower_bounds;
    if (from->lower_bound_min_ns < into->lower_bound_min_ns)
        into->lower_bound_min_ns = from->lower_bound_min_ns;
    into->events += from->events;
    into->total += from->total;
}
