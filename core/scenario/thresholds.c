/* The `thresholds` part of a scenario: expressions over the whole run, or over what the key before them names. */
#include "scenario/keys.h"
#include "scenario/load.h"
#include <string.h>

#define WINDOWS_MAX_S      3600u /* of all thresholds: each second is kept with its histogram */
#define THRESHOLDS_EXAMPLE "thresholds: [ \"p99(latency) < 200ms\" ]"

/* What the plugins of the scenario's steps declare, each name once. */
static uint32_t plugin_metrics(const struct loader *loader, const struct threshold_metric **ret_metrics)
{
    const struct scenario *scenario = loader->scenario;
    uint32_t count = 0, most = 0;
    for (uint32_t i = 0; i < scenario->series_count; i++)
        most += scenario->series[i].protocol->abi.metrics.count;
    struct threshold_metric *metrics = arena_alloc(loader->arena, (most + 1) * sizeof *metrics);
    for (uint32_t i = 0; i < scenario->series_count; i++) {
        const struct squall_table *table = &scenario->series[i].protocol->abi.metrics;
        for (uint32_t row = 0; row < table->count; row++) {
            const struct squall_metric *metric = protocol_metric(table, row);
            uint32_t at = 0;
            while (at < count && strcmp(metrics[at].name, metric->name) != 0)
                at++;
            if (at == count)
                metrics[count++] = (struct threshold_metric){metric->name, metric->kind == SQUALL_COUNTER};
        }
    }
    *ret_metrics = metrics;
    return count;
}

static int find_plugin_rows(const struct loader *loader, const struct node *node, struct threshold *threshold)
{
    const struct scenario *scenario = loader->scenario;
    int32_t *found = arena_alloc(loader->arena, scenario->series_count * sizeof *found);
    threshold->plugin_rows = found;
    for (uint32_t i = 0; i < scenario->series_count; i++) {
        const struct squall_table *table = &scenario->series[i].protocol->abi.metrics;
        found[i] = -1;
        for (uint32_t row = 0; row < table->count; row++)
            if (strcmp(protocol_metric(table, row)->name, threshold->plugin_metric) == 0)
                found[i] = (int32_t)row;
    }
    for (uint32_t i = 0; i < scenario->series_count; i++)
        if (found[i] >= 0 && (threshold->scope != SCOPE_STEPS || threshold->series[i]))
            return 0;
    return fail_at(loader, node, "the step has no metric \"%.80s\": that is of another protocol",
                   threshold->plugin_metric);
}

/* The expression of a threshold that has its scope. */
static int read_threshold_expression(const struct loader *loader, const struct node *node, const struct node *key,
                                     struct threshold *threshold)
{
    const struct threshold_metric *metrics;
    uint32_t metric_count = plugin_metrics(loader, &metrics), column = 1;
    if (node->kind != NODE_SCALAR || node_empty(node))
        return fail_at(loader, node,
                       "a threshold is an expression, or `\"name of a step, check or transaction\": expression`; write "
                       "for example "
                       "p99(latency) < 200ms");
    if (threshold_parse(node->text, metrics, metric_count, loader->arena, threshold, &column, loader->error))
        return fail_prefix(loader, node, column);
    if (key && threshold_find_scope(loader, key, threshold))
        return -1;
    if (threshold_scope_check(threshold, loader->error))
        return fail_prefix(loader, node, 1);
    return threshold->plugin_metric ? find_plugin_rows(loader, node, threshold) : 0;
}

/* { when: EXPRESSION, abort: true, grace: 10s }: the expression says what must not be. */
static int read_when(const struct loader *loader, const struct node *node, const struct node *key,
                     struct threshold *threshold)
{
    const char *const *keys = keys_of(PART_WHEN);
    const struct node *when = node_get(node, "when"), *ends = node_get(node, "abort"), *grace = node_get(node, "grace");
    bool abort = false;
    uint64_t grace_ns = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        bool known = false;
        for (uint32_t k = 0; keys[k]; k++)
            known = known || strcmp(node_key(node, i)->text, keys[k]) == 0;
        if (!known)
            return fail_unknown_key(loader, node_key(node, i), "a threshold with `when`", keys);
    }
    if (read_threshold_expression(loader, when, key, threshold) || (ends && read_bool(loader, ends, &abort)) ||
        (grace && read_duration(loader, grace, 0, &grace_ns)))
        return -1;
    if (grace && !abort && threshold->window_s == 0)
        return fail_at(loader, grace,
                       "a grace has no meaning where the whole run is judged at its end; add abort: true or a window");
    if (abort && threshold_of_the_end(threshold))
        return fail_at(loader, ends, "what was delivered is known when the run is over: leave `abort` out");
    threshold_negate(threshold);
    threshold->abort = abort;
    threshold->grace_ns = grace_ns;
    threshold->text = arena_printf(loader->arena, "when %s", when->text);
    return 0;
}

static int load_threshold(const struct loader *loader, const struct node *node, struct threshold *threshold)
{
    const struct node *key = NULL, *value = node;
    *threshold = (struct threshold){.scope = SCOPE_RUN};
    bool when = node->kind == NODE_MAP && node_get(node, "when");
    if (!when && node->kind == NODE_MAP && node->count > 1 && fail_if_later(loader, node_key(node, 0)))
        return -1;
    if (!when && node->kind == NODE_MAP && node->count == 1) {
        key = node_key(node, 0);
        value = node_value(node, 0);
        when = value->kind == NODE_MAP && node_get(value, "when");
    }
    if (when ? read_when(loader, value, key, threshold) : read_threshold_expression(loader, value, key, threshold))
        return -1;
    if (key)
        threshold->text = arena_printf(loader->arena, "%s: %s", key->text, threshold->text);
    return 0;
}

static int check_windows(const struct loader *loader, const struct node *const *places)
{
    const struct scenario *scenario = loader->scenario;
    uint32_t seconds = 0;
    if (scenario->threshold_count > SERIES_MAX)
        return fail_at(loader, places[SERIES_MAX], "too many thresholds; at most 1,000");
    for (uint32_t i = 0; i < scenario->threshold_count; i++) {
        seconds += scenario->thresholds[i].window_s;
        if (seconds > WINDOWS_MAX_S)
            return fail_at(loader, places[i],
                           "too many windows: together they have more than %u seconds; take shorter ones",
                           WINDOWS_MAX_S);
    }
    return 0;
}

int load_thresholds(const struct loader *loader, const struct node *node)
{
    struct scenario *scenario = loader->scenario;
    const struct overrides *overrides = loader->overrides;
    if (node && read_list(loader, node, "`thresholds`", THRESHOLDS_EXAMPLE))
        return -1;
    uint32_t own = node ? node->count : 0, count = own + overrides->threshold_count;
    const struct node **places = arena_alloc(loader->arena, (count + 1) * sizeof *places);
    scenario->thresholds = arena_alloc(loader->arena, count * sizeof *scenario->thresholds);
    for (uint32_t i = 0; i < count; i++) {
        const struct flag_value *flag = i < own ? NULL : &overrides->thresholds[i - own];
        places[i] = flag ? node_from_flag(loader->arena, flag->flag, flag->value) : node->items[i];
        if (load_threshold(loader, places[i], &scenario->thresholds[i]))
            return -1;
    }
    scenario->threshold_count = count;
    return check_windows(loader, places);
}
