/* The `thresholds` part of a scenario: expressions over the whole run, or over one step or check by its name. */
#include "scenario/load.h"
#include <string.h>

#define THRESHOLDS_EXAMPLE "thresholds: [ \"p99(latency) < 200ms\" ]"

static int find_scope(const struct loader *loader, const struct node *key, struct threshold *threshold)
{
    const struct scenario *scenario = loader->scenario;
    uint32_t found = 0, count = 0;
    const char **names =
        arena_alloc(loader->arena, (scenario->series_count + scenario->check_count + 1) * sizeof *names);
    for (uint32_t i = 0; i < scenario->series_count; i++) {
        names[count++] = scenario->series[i].name;
        if (strcmp(scenario->series[i].name, key->text) == 0) {
            threshold->series = (int32_t)i;
            found++;
        }
    }
    for (uint32_t i = 0; i < scenario->check_count; i++) {
        names[count++] = scenario->check_names[i];
        if (strcmp(scenario->check_names[i], key->text) == 0) {
            threshold->check = (int32_t)i;
            found++;
        }
    }
    if (found == 1)
        return 0;
    if (found > 1)
        return fail_at(loader, key, "`%.80s` is the name of several steps or checks; give them different names",
                       key->text);
    return fail_if_later(loader, key)
               ? -1
               : fail_unknown_key(loader, key, "thresholds, which take names of steps and checks", names);
}

static int load_threshold(const struct loader *loader, const struct node *node, struct threshold *threshold)
{
    const struct node *key = NULL, *value = node;
    uint32_t column = 1;
    *threshold = (struct threshold){.series = -1, .check = -1};
    if (node->kind == NODE_MAP && node->count > 1 && fail_if_later(loader, node_key(node, 0)))
        return -1;
    if (node->kind == NODE_MAP && node->count == 1) {
        key = node_key(node, 0);
        value = node_value(node, 0);
    }
    if (value->kind != NODE_SCALAR || node_empty(value))
        return fail_at(loader, value,
                       "a threshold is an expression, or `\"name of a step or check\": expression`; write for example "
                       "p99(latency) < 200ms");
    if (threshold_parse(value->text, loader->arena, threshold, &column, loader->error))
        return fail_prefix(loader, value, column);
    threshold->series = -1;
    threshold->check = -1;
    threshold->text = key ? arena_printf(loader->arena, "%s: %s", key->text, value->text) : value->text;
    if (!key)
        return 0;
    if (find_scope(loader, key, threshold))
        return -1;
    if (threshold->check >= 0 && threshold->measure != MEASURE_RATE && threshold->measure != MEASURE_COUNT)
        return fail_at(loader, value, "a check has no times, only counts; write for example rate(failed) < 1%%");
    return 0;
}

int load_thresholds(const struct loader *loader, const struct node *node)
{
    struct scenario *scenario = loader->scenario;
    if (read_list(loader, node, "`thresholds`", THRESHOLDS_EXAMPLE))
        return -1;
    if (node->count > SERIES_MAX)
        return fail_at(loader, node, "too many thresholds; at most 1,000");
    scenario->thresholds = arena_alloc(loader->arena, node->count * sizeof *scenario->thresholds);
    for (uint32_t i = 0; i < node->count; i++)
        if (load_threshold(loader, node->items[i], &scenario->thresholds[i]))
            return -1;
    scenario->threshold_count = node->count;
    return 0;
}
