/* The `users` part of a scenario, or its short form `flow`: classes of users with a weight, and what each does. */
#include "base/units.h"
#include "scenario/load.h"
#include <stdlib.h>
#include <string.h>

#define USERS_EXAMPLE "users: { visitor: { flow: [ ... ] } }"
#define FLOW_EXAMPLE  "flow: [ { PROTOCOL: ... }, { think: 1s } ]"

/* 1s, or 1s..3s. */
static int read_think(const struct loader *loader, const struct node *node, struct op *op)
{
    const char *text;
    if (read_text(loader, node, &text))
        return -1;
    const char *dots = strstr(text, "..");
    size_t len = dots ? (size_t)(dots - text) : strlen(text);
    while (len > 0 && text[len - 1] == ' ')
        len--;
    const char *min = arena_copy(loader->arena, text, len);
    const char *max = dots ? dots + 2 + strspn(dots + 2, " ") : min;
    *op = (struct op){.kind = OP_THINK};
    if (units_parse_duration(min, &op->think_min_ns) || units_parse_duration(max, &op->think_max_ns))
        return fail_at(loader, node, "'%.80s' is not a time to think; write for example 1s, or 1s..3s",
                       shown_value(loader, node));
    if (op->think_min_ns > op->think_max_ns)
        return fail_at(loader, node, "the shorter time comes first; write %s..%s", max, min);
    if (op->think_max_ns > DURATION_MAX_NS)
        return fail_at(loader, node, "the time to think is longer than a year; write for example 1s..3s");
    return 0;
}

static int load_entry(const struct loader *loader, const struct node *node, struct op *op)
{
    struct scenario *scenario = loader->scenario;
    if (node->kind != NODE_MAP || node->count == 0)
        return fail_at(loader, node, "an entry of a flow is a step; write `- PROTOCOL: ...` or `- think: 1s`");
    const struct node *think = node_get(node, "think");
    if (think && node->count > 1)
        return fail_at(loader, node, "`think` is an entry of its own; write `- think: 1s` on a line of its own");
    if (think)
        return read_think(loader, think, op);
    *op = (struct op){.kind = OP_STEP, .step = scenario->step_count};
    /* counted before it is whole: what its init made is undone by scenario_free */
    return load_step(loader, node, &scenario->steps[scenario->step_count++]);
}

static int load_flow(const struct loader *loader, const struct node *node, struct user_class *class)
{
    bool has_step = false;
    if (read_list(loader, node, "a flow", FLOW_EXAMPLE))
        return -1;
    struct op *ops = arena_alloc(loader->arena, (node->count + 1) * sizeof *ops);
    for (uint32_t i = 0; i < node->count; i++) {
        if (load_entry(loader, node->items[i], &ops[i]))
            return -1;
        has_step = has_step || ops[i].kind == OP_STEP;
    }
    if (!has_step)
        return fail_at(loader, node, "this flow only thinks; add a step such as `- PROTOCOL: ...`");
    ops[node->count].kind = OP_END;
    class->ops = ops;
    class->op_count = node->count + 1;
    return 0;
}

static int read_weight(const struct loader *loader, const struct node *node, double *ret_weight)
{
    const char *text;
    char *end;
    if (read_text(loader, node, &text))
        return -1;
    double weight = strtod(text, &end);
    if (end == text || *end || text[strspn(text, "0123456789.")] || !(weight >= 1e-6) || weight > 1e6)
        return fail_at(loader, node, "'%.80s' is not a weight; write a number above 0, such as 3 or 0.5",
                       shown_value(loader, node));
    *ret_weight = weight;
    return 0;
}

static int load_class(const struct loader *loader, const struct node *key, const struct node *node,
                      struct user_class *class)
{
    static const char *const keys[] = {"weight", "flow", NULL};
    const struct node *flow = node_get(node, "flow"), *weight = node_get(node, "weight");
    *class = (struct user_class){.name = key->text, .weight = 1};
    for (uint32_t i = 0; node->kind == NODE_MAP && i < node->count; i++)
        if (strcmp(node_key(node, i)->text, "weight") != 0 && strcmp(node_key(node, i)->text, "flow") != 0)
            return fail_unknown_key(loader, node_key(node, i), "a class of users", keys);
    if (!flow)
        return fail_at(loader, key, "the users `%.80s` have no flow; write %.80s: { flow: [ ... ] }", key->text,
                       key->text);
    if (weight && read_weight(loader, weight, &class->weight))
        return -1;
    return load_flow(loader, flow, class);
}

static uint32_t entry_count(const struct node *flow)
{
    return flow && flow->kind == NODE_LIST ? flow->count : 0;
}

/* Steps are not moved once made: plugins may keep their addresses. So all the room is taken first. */
static void make_room(const struct loader *loader, const struct node *users, const struct node *flow)
{
    struct scenario *scenario = loader->scenario;
    size_t steps = entry_count(flow);
    for (uint32_t i = 0; users && i < users->count; i++)
        steps += entry_count(node_get(node_value(users, i), "flow"));
    scenario->steps = arena_alloc(loader->arena, steps * sizeof *scenario->steps);
    scenario->series = arena_alloc(loader->arena, SERIES_MAX * sizeof *scenario->series);
    scenario->check_names = arena_alloc(loader->arena, SERIES_MAX * sizeof *scenario->check_names);
}

int load_users(const struct loader *loader, const struct node *root)
{
    struct scenario *scenario = loader->scenario;
    const struct node *users = node_get(root, "users"), *flow = node_get(root, "flow");
    if (!users && !flow)
        return fail_at(loader, root, "the scenario says nothing to do; write %s", FLOW_EXAMPLE);
    if (users && flow)
        return fail_at(loader, flow, "`flow` is the short form of `users` with one class; keep one of them");
    if (users && users->kind == NODE_SCALAR)
        return fail_at(loader, users,
                       "`users` names classes of users and their flows; how many there are belongs into load: [ { "
                       "users: 10, for: 30s } ]");
    if (users && read_map(loader, users, "`users`", USERS_EXAMPLE))
        return -1;
    make_room(loader, users, flow);
    uint32_t count = flow ? 1 : users->count;
    scenario->classes = arena_alloc(loader->arena, count * sizeof *scenario->classes);
    scenario->class_count = count;
    if (flow) {
        scenario->classes[0] = (struct user_class){.name = "users", .weight = 1};
        return load_flow(loader, flow, &scenario->classes[0]);
    }
    for (uint32_t i = 0; i < count; i++)
        if (load_class(loader, node_key(users, i), node_value(users, i), &scenario->classes[i]))
            return -1;
    return 0;
}
