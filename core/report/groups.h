/*
 * Steps added up by the value of a tag. A group's series is what one step would have that had made all of its steps'
 * exchanges: counts are sums, histograms are merged, and percentiles are read from these.
 */
#ifndef SQUALL_REPORT_GROUPS_H
#define SQUALL_REPORT_GROUPS_H
#include "metrics/result.h"

struct group {
    const char *value; /* of the tag, borrowed; NULL: the steps that do not have it */
    const struct protocol
        *protocol;   /* of all its steps; NULL: they differ, and `series` has neither codes nor metrics */
    bool has_sent;   /* as figures_has_sent, of every step */
    bool measured;   /* some step is a flow's, or has counted something */
    uint32_t *steps; /* step_count indexes of the result's series, ascending */
    uint32_t step_count;
    struct series series;
};
struct groups {
    struct group *list; /* in the order in which the values first stand in the scenario; those without the tag last */
    uint32_t count;
};

/* Every step of the result is in one group. Freed by groups_free. */
void groups_make(const struct result *result, const char *tag, struct groups *ret_groups);
void groups_free(struct groups *groups);

#endif
