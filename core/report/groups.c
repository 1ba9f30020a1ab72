/* See groups.h. */
#include "report/groups.h"
#include "report/figures.h"
#include <stdlib.h>
#include <string.h>

static bool same_value(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* The group of that value, appended where there is none yet. Every step has a value or none: there is room. */
static struct group *group_of(struct groups *groups, const char *value)
{
    for (uint32_t i = 0; i < groups->count; i++)
        if (same_value(groups->list[i].value, value))
            return &groups->list[i];
    struct group *group = &groups->list[groups->count++];
    group->value = value;
    return group;
}

static void add_step(struct group *group, const struct result *result, uint32_t index)
{
    const struct series_info *info = &result->scenario->series[index];
    bool first = group->step_count == 0;
    group->steps = xrealloc(group->steps, (group->step_count + 1) * sizeof *group->steps);
    group->steps[group->step_count++] = index;
    group->protocol = first || group->protocol == info->protocol ? info->protocol : NULL;
    group->has_sent = (first || group->has_sent) && figures_has_sent(info->protocol);
    group->measured = group->measured || info->measured || result->store.series[index].count > 0;
}

/* Codes and metrics of two protocols have nothing in common but their numbers. */
static void add_up(struct group *group, const struct result *result)
{
    series_init(&group->series, group->protocol ? group->protocol->abi.metrics.count : 0);
    for (uint32_t i = 0; i < group->step_count; i++)
        series_merge(&group->series, &result->store.series[group->steps[i]]);
    if (!group->protocol)
        group->series.code_count = 0;
}

static void put_untagged_last(struct groups *groups)
{
    uint32_t at = 0;
    while (at < groups->count && groups->list[at].value)
        at++;
    if (at == groups->count)
        return;
    struct group untagged = groups->list[at];
    memmove(groups->list + at, groups->list + at + 1, (groups->count - at - 1) * sizeof *groups->list);
    groups->list[groups->count - 1] = untagged;
}

void groups_make(const struct result *result, const char *tag, struct groups *ret_groups)
{
    const struct scenario *scenario = result->scenario;
    *ret_groups = (struct groups){.list = xcalloc(scenario->series_count + 1, sizeof *ret_groups->list)};
    for (uint32_t i = 0; i < scenario->series_count; i++)
        add_step(group_of(ret_groups, tags_value(&scenario->series[i].tags, tag)), result, i);
    put_untagged_last(ret_groups);
    for (uint32_t i = 0; i < ret_groups->count; i++)
        add_up(&ret_groups->list[i], result);
}

void groups_free(struct groups *groups)
{
    for (uint32_t i = 0; i < groups->count; i++) {
        series_fini(&groups->list[i].series);
        free(groups->list[i].steps);
    }
    free(groups->list);
    *groups = (struct groups){0};
}
