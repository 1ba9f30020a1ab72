/* The `users` part of a scenario, or its short form `flow`: classes of users with a weight, and what each does. */
#include "scenario/keys.h"
#include "scenario/load.h"
#include <stdlib.h>
#include <string.h>

#define USERS_EXAMPLE "users: { visitor: { flow: [ ... ] } }"
#define FLOW_EXAMPLE  "flow: [ { PROTOCOL: ... }, { think: 1s } ]"

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

/* In the order in which they are walked: so their steps stand in every table. */
static int load_parts(const struct loader *outer, const struct node *node, const struct node *flow, struct user_class *class)
{
    const struct node *setup = node_get(node, "setup"), *teardown = node_get(node, "teardown");
    struct loader of_flow = *outer, of_setup = *outer, of_teardown = *outer;
    of_setup.feed_use = of_teardown.feed_use = FEEDS_IN_SETUP;
    of_setup.feeds_read = &class->setup_feeds;
    of_flow.feeds_read = of_teardown.feeds_read = &class->feeds; /* a teardown reads the last journey's rows */
    int failed = (setup && flow_compile(&of_setup, setup, false, &class->setup)) || flow_compile(&of_flow, flow, !setup, &class->flow) ||
                 (teardown && flow_compile(&of_teardown, teardown, false, &class->teardown));
    class->feeds |= class->setup_feeds; /* a setup takes the rows of the first journey */
    return failed ? -1 : 0;
}

/* `script: FILE` of a class is a flow of that alone. */
static const struct node *flow_of_script(const struct loader *loader, const struct node *class, const struct node *script)
{
    struct node *entry = arena_alloc(loader->arena, sizeof *entry), *list = arena_alloc(loader->arena, sizeof *list);
    *entry = *class;
    entry->count = 1;
    entry->items = arena_alloc(loader->arena, 2 * sizeof *entry->items);
    for (uint32_t i = 0; i < class->count; i++)
        if (node_value(class, i) == script)
            entry->items[0] = class->items[2 * i];
    entry->items[1] = (struct node *)(uintptr_t)script;
    *list = *script;
    list->kind = NODE_LIST;
    list->count = 1;
    list->items = arena_alloc(loader->arena, sizeof *list->items);
    list->items[0] = entry;
    return list;
}

static int load_class(const struct loader *outer, const struct node *key, const struct node *node,
                      const struct user_class *base, struct user_class *class)
{
    const char *const *keys = keys_of(PART_CLASS);
    const struct node *flow = node_get(node, "flow"), *script = node_get(node, "script"), *weight = node_get(node, "weight"), *vars = node_get(node, "vars");
    struct loader inner = *outer;
    const struct loader *loader = &inner;
    *class = *base;
    class->name = key->text;
    for (uint32_t i = 0; node->kind == NODE_MAP && i < node->count; i++) {
        uint32_t k = 0;
        while (keys[k] && strcmp(keys[k], node_key(node, i)->text) != 0)
            k++;
        if (!keys[k])
            return fail_unknown_key(loader, node_key(node, i), "a class of users", keys);
    }
    if (flow && script)
        return fail_at(loader, script, "`script` is in place of `flow`; keep one of them");
    if (!flow && !script)
        return fail_at(loader, key, "the users `%.80s` have no flow; write %.80s: { flow: [ ... ] }", key->text,
                       key->text);
    flow = flow ? flow : flow_of_script(loader, node, script);
    if (weight && read_weight(loader, weight, &class->weight))
        return -1;
    if (node_get(node, "tags") && read_tags(loader, node_get(node, "tags"), &inner.tags))
        return -1;
    if (vars && read_initial_values(loader, vars, base->variables, base->variable_count, &class->variables,
                                    &class->variable_count))
        return -1;
    return load_sets(loader, class) ? -1 : load_parts(loader, node, flow, class);
}

/* No step without an entry of a list; a called flow counts with each call. Gives up counting beyond STEPS_MAX. */
static void count_entries(const struct loader *loader, const struct node *node, uint32_t calls, size_t *count)
{
    const struct node *call = node_get(node, "call");
    if (!node || node->kind == NODE_SCALAR || *count > STEPS_MAX)
        return;
    *count += node_get(node, "script") ? SCRIPT_STEPS_MAX : 0;
    if (call && call->kind == NODE_SCALAR && calls < FLOW_DEPTH_MAX)
        count_entries(loader, node_get(loader->flows, call->text), calls + 1, count);
    uint32_t nodes = node->kind == NODE_MAP ? 2 * node->count : node->count;
    for (uint32_t i = 0; i < nodes; i++) {
        *count += node->kind == NODE_LIST;
        count_entries(loader, node->items[i], calls, count);
    }
}

/* Steps are not moved once made: plugins may keep their addresses. So all the room is taken first. */
static int make_room(const struct loader *loader, const struct node *root)
{
    static const char *const parts[] = {"users", "flow", "setup", "teardown"};
    struct scenario *scenario = loader->scenario;
    size_t steps = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        count_entries(loader, node_get(root, parts[i]), 0, &steps);
    if (steps > STEPS_MAX)
        return fail_at(loader, root, "the flows have more than 200,000 entries, called ones counted with each call; call fewer");
    scenario->steps = arena_alloc(loader->arena, steps * sizeof *scenario->steps);
    scenario->series = arena_alloc(loader->arena, SERIES_MAX * sizeof *scenario->series);
    scenario->check_names = arena_alloc(loader->arena, SERIES_MAX * sizeof *scenario->check_names);
    scenario->transactions = arena_alloc(loader->arena, TRANSACTIONS_MAX * sizeof *scenario->transactions);
    scenario->scripts = arena_alloc(loader->arena, SCRIPTS_MAX * sizeof *scenario->scripts);
    scenario->trusted = loader->overrides->trust_scenario;
    scenario->width = 1;
    return 0;
}

static int load_classes(const struct loader *loader, const struct node *root, const struct user_class *base)
{
    struct scenario *scenario = loader->scenario;
    const struct node *users = node_get(root, "users"), *flow = node_get(root, "flow");
    uint32_t count = flow ? 1 : users->count;
    scenario->classes = arena_alloc(loader->arena, count * sizeof *scenario->classes);
    scenario->class_count = count;
    if (flow) {
        scenario->classes[0] = *base;
        if (load_sets(loader, &scenario->classes[0]))
            return -1;
        return load_parts(loader, NULL, flow, &scenario->classes[0]);
    }
    for (uint32_t i = 0; i < count; i++)
        if (load_class(loader, node_key(users, i), node_value(users, i), base, &scenario->classes[i]))
            return -1;
    return 0;
}

void find_measured(struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->class_count; i++) {
        const struct program *flow = &scenario->classes[i].flow;
        for (uint32_t j = 0; j < flow->count; j++) {
            const struct op *op = &flow->ops[j];
            uint32_t steps = op->kind == OP_STEP ? 1 : op->kind == OP_PARALLEL ? op->count : 0;
            const struct script *script = op->kind == OP_SCRIPT ? &scenario->scripts[op->count] : NULL;
            for (uint32_t k = 0; script && k < script->call_count; k++)
                if (!script->calls[k].other)
                    scenario->series[scenario->steps[script->calls[k].step].series].measured = true;
            for (uint32_t k = 0; k < steps; k++)
                scenario->series[scenario->steps[op->step + k].series].measured = true;
        }
    }
}

static int check_parts(const struct loader *loader, const struct node *root)
{
    const struct node *users = node_get(root, "users"), *flow = node_get(root, "flow");
    if (!users && !flow)
        return fail_at(loader, root, "the scenario says nothing to do; write %s", FLOW_EXAMPLE);
    if (users && flow)
        return fail_at(loader, flow, "`flow` is the short form of `users` with one class; keep one of them");
    if (users && users->kind == NODE_SCALAR)
        return fail_at(loader, users,
                       "`users` names classes of users and their flows; how many there are belongs into load: [ { "
                       "users: 10, for: 30s } ]");
    return users ? read_map(loader, users, "`users`", USERS_EXAMPLE) : 0;
}

static int check_flows(const struct loader *loader)
{
    const struct node *flows = loader->flows;
    for (uint32_t i = 0; flows && i < flows->count; i++) {
        const struct node *flow = node_value(flows, i);
        if (flow->kind != NODE_LIST || flow->count == 0)
            return fail_at(loader, flow, "the flow `%.80s` must be a list of entries; write %.80s: [ { PROTOCOL: ... } ]", node_key(flows, i)->text,
                           node_key(flows, i)->text);
    }
    return 0;
}

int load_users(const struct loader *outer, const struct node *root)
{
    struct scenario *scenario = outer->scenario;
    const struct node *vars = node_get(root, "vars"), *setup = node_get(root, "setup"), *teardown = node_get(root, "teardown");
    const struct node *flows = node_get(root, "flows");
    if (check_parts(outer, root))
        return -1;
    if (flows && read_map(outer, flows, "`flows`", "flows: { login: [ { PROTOCOL: ... } ] }"))
        return -1;
    struct loader with_flows = *outer;
    const struct loader *loader = &with_flows;
    with_flows.flows = flows;
    if (check_flows(loader) || make_room(loader, root))
        return -1;
    struct user_class base = {.name = "users", .weight = 1};
    if (vars && read_initial_values(loader, vars, NULL, 0, &base.variables, &base.variable_count))
        return -1;
    struct loader of_run = *loader;
    of_run.feed_use = FEEDS_NOWHERE;
    if ((setup && flow_compile(&of_run, setup, false, &scenario->setup)) || load_classes(loader, root, &base) ||
        (teardown && flow_compile(&of_run, teardown, false, &scenario->teardown)))
        return -1;
    find_measured(scenario);
    return 0;
}
