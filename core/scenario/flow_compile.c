/*
 * A flow as a straight line of operations: what nests in the file becomes jumps, and each loop and transaction gets
 * a slot of the user's by its depth, so that walking takes neither a stack nor memory.
 */
#include "base/units.h"
#include "scenario/keys.h"
#include "scenario/load.h"
#include <stdlib.h>
#include <string.h>

#define FLOW_EXAMPLE "flow: [ { PROTOCOL: ... }, { think: 1s } ]"
#define ROUNDS_MAX   1000000u
#define WHILE_ROUNDS 1000u

struct compiler {
    const struct loader *loader;
    struct op *ops;
    uint32_t count, room;
    uint32_t depth, loops, spans;
    bool has_step;
    const struct node *calls[FLOW_DEPTH_MAX]; /* flows that are being called, the outermost first */
    uint32_t call_count;
};

static int compile_flow(struct compiler *compiler, const struct node *node, const char *what);

static struct op *add_op(struct compiler *compiler, enum op_kind kind)
{
    if (compiler->count == compiler->room) {
        uint32_t room = compiler->room ? 2 * compiler->room : 16;
        struct op *ops = arena_alloc(compiler->loader->arena, room * sizeof *ops);
        if (compiler->count)
            memcpy(ops, compiler->ops, compiler->count * sizeof *ops);
        compiler->ops = ops;
        compiler->room = room;
    }
    struct op *op = &compiler->ops[compiler->count++];
    *op = (struct op){.kind = kind, .depth = compiler->depth};
    return op;
}

/* 1s, or 1s..3s. */
static int compile_think(struct compiler *compiler, const struct node *entry)
{
    const struct loader *loader = compiler->loader;
    const struct node *node = node_get(entry, "think");
    const char *text;
    if (read_text(loader, node, &text))
        return -1;
    const char *dots = strstr(text, "..");
    size_t len = dots ? (size_t)(dots - text) : strlen(text);
    while (len > 0 && text[len - 1] == ' ')
        len--;
    const char *min = arena_copy(loader->arena, text, len);
    const char *max = dots ? dots + 2 + strspn(dots + 2, " ") : min;
    struct op *op = add_op(compiler, OP_THINK);
    if (units_parse_duration(min, &op->think_min_ns) || units_parse_duration(max, &op->think_max_ns))
        return fail_at(loader, node, "'%.80s' is not a time to think; write for example 1s, or 1s..3s",
                       shown_value(loader, node));
    if (op->think_min_ns > op->think_max_ns)
        return fail_at(loader, node, "the shorter time comes first; write %s..%s", max, min);
    if (op->think_max_ns > DURATION_MAX_NS)
        return fail_at(loader, node, "the time to think is longer than a year; write for example 1s..3s");
    return 0;
}

static int load_one_step(struct compiler *compiler, const struct node *entry, uint32_t *ret_step)
{
    struct scenario *scenario = compiler->loader->scenario;
    *ret_step = scenario->step_count;
    compiler->has_step = true;
    /* counted before it is whole: what its init made is undone by scenario_free */
    return load_step(compiler->loader, entry, &scenario->steps[scenario->step_count++]);
}

static int compile_set(struct compiler *compiler, const struct node *entry)
{
    struct op *op = add_op(compiler, OP_SET);
    uint64_t wants = 0;
    return read_assignments(compiler->loader, node_get(entry, "set"), PLACE_TEMPLATE, &op->assignments, &op->count, &wants);
}

static int compile_if(struct compiler *compiler, const struct node *entry)
{
    const struct node *otherwise = node_get(entry, "else"), *condition = node_get(entry, "if");
    uint32_t start = compiler->count;
    struct op *op = add_op(compiler, OP_IF);
    if (read_expression(compiler->loader, condition, PLACE_CONDITION, &op->condition))
        return -1;
    op->text = condition->text;
    if (compile_flow(compiler, node_get(entry, "flow"), "if"))
        return -1;
    uint32_t skip = compiler->count;
    if (otherwise)
        add_op(compiler, OP_JUMP)->text = "else";
    compiler->ops[start].target = compiler->count;
    if (otherwise && compile_flow(compiler, otherwise, "else"))
        return -1;
    if (otherwise)
        compiler->ops[skip].target = compiler->count;
    return 0;
}

static int enter_slot(struct compiler *compiler, uint32_t *slots, const struct node *entry, const char *what)
{
    if (*slots == FLOW_SLOTS_MAX)
        return fail_at(compiler->loader, entry, "%s are nested too deeply here; at most 8 in each other", what);
    return (int)(*slots)++;
}

static int compile_repeat(struct compiler *compiler, const struct node *entry)
{
    uint64_t rounds = 0;
    int slot = enter_slot(compiler, &compiler->loops, entry, "loops");
    if (slot < 0 || read_count(compiler->loader, node_get(entry, "repeat"), 1, ROUNDS_MAX, &rounds))
        return -1;
    struct op *loop = add_op(compiler, OP_LOOP);
    loop->slot = (uint32_t)slot;
    loop->count = (uint32_t)rounds;
    uint32_t start = compiler->count;
    if (compile_flow(compiler, node_get(entry, "flow"), "repeat"))
        return -1;
    struct op *op = add_op(compiler, OP_REPEAT);
    op->slot = (uint32_t)slot;
    op->target = start;
    compiler->loops--;
    return 0;
}

static int compile_while(struct compiler *compiler, const struct node *entry)
{
    const struct node *most = node_get(entry, "at-most"), *condition = node_get(entry, "while");
    uint64_t rounds = WHILE_ROUNDS;
    int slot = enter_slot(compiler, &compiler->loops, entry, "loops");
    if (slot < 0 || (most && read_count(compiler->loader, most, 1, ROUNDS_MAX, &rounds)))
        return -1;
    struct op *loop = add_op(compiler, OP_LOOP);
    loop->slot = (uint32_t)slot;
    loop->count = (uint32_t)rounds;
    uint32_t start = compiler->count;
    struct op *op = add_op(compiler, OP_WHILE);
    op->slot = (uint32_t)slot;
    op->text = condition->text;
    if (read_expression(compiler->loader, condition, PLACE_CONDITION, &op->condition) ||
        compile_flow(compiler, node_get(entry, "flow"), "while"))
        return -1;
    add_op(compiler, OP_JUMP)->target = start;
    compiler->ops[start].target = compiler->count;
    compiler->loops--;
    return 0;
}

static int read_weight_of(struct compiler *compiler, const struct node *arm, double *ret_weight)
{
    const struct node *node = node_get(arm, "weight");
    const char *text;
    char *end;
    *ret_weight = 1;
    if (!node)
        return 0;
    if (read_text(compiler->loader, node, &text))
        return -1;
    *ret_weight = strtod(text, &end);
    if (end == text || *end || text[strspn(text, "0123456789.")] || !(*ret_weight >= 1e-6) || *ret_weight > 1e6)
        return fail_at(compiler->loader, node, "'%.80s' is not a weight; write a number above 0, such as 3 or 0.5",
                       shown_value(compiler->loader, node));
    return 0;
}

static int check_keys(struct compiler *compiler, const struct node *map, const char *where, const char *const *keys)
{
    for (uint32_t i = 0; i < map->count; i++) {
        uint32_t k = 0;
        while (keys[k] && strcmp(keys[k], node_key(map, i)->text) != 0)
            k++;
        if (!keys[k])
            return fail_unknown_key(compiler->loader, node_key(map, i), where, keys);
    }
    return 0;
}

static int compile_arms(struct compiler *compiler, const struct node *list, struct arm *arms)
{
    const char *const *keys = keys_of(PART_BRANCH);
    double sum = 0;
    uint32_t *ends = arena_alloc(compiler->loader->arena, list->count * sizeof *ends);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct node *arm = list->items[i];
        double weight;
        if (read_map(compiler->loader, arm, "a branch of `choose`", "{ weight: 3, flow: [ ... ] }") ||
            check_keys(compiler, arm, "a branch of `choose`", keys) || read_weight_of(compiler, arm, &weight))
            return -1;
        arms[i].weight = sum += weight;
        arms[i].target = compiler->count;
        if (!node_get(arm, "flow"))
            return fail_at(compiler->loader, arm, "this branch has no flow; write { weight: 3, flow: [ ... ] }");
        if (compile_flow(compiler, node_get(arm, "flow"), "choose"))
            return -1;
        ends[i] = compiler->count;
        add_op(compiler, OP_JUMP)->text = i + 1 < list->count ? "or" : NULL;
    }
    for (uint32_t i = 0; i < list->count; i++) {
        compiler->ops[ends[i]].target = compiler->count;
        arms[i].weight = i + 1 < list->count ? arms[i].weight / sum : 1;
    }
    return 0;
}

static int compile_choose(struct compiler *compiler, const struct node *entry)
{
    const struct node *list = node_get(entry, "choose");
    if (read_list(compiler->loader, list, "`choose`", "choose: [ { weight: 3, flow: [ ... ] }, { flow: [ ... ] } ]"))
        return -1;
    struct op *op = add_op(compiler, OP_CHOOSE);
    struct arm *arms = arena_alloc(compiler->loader->arena, list->count * sizeof *arms);
    op->arms = arms;
    op->count = list->count;
    return compile_arms(compiler, list, arms);
}

/* A step whose protocol has an option by a word of flows is still a step: its protocol stands first. */
static bool begins_with_protocol(struct compiler *compiler, const struct node *entry)
{
    const struct scenario *scenario = compiler->loader->scenario;
    for (uint32_t i = 0; i < scenario->target_count; i++)
        if (target_speaks(&scenario->targets[i], node_key(entry, 0)->text))
            return true;
    return false;
}

static int compile_parallel(struct compiler *compiler, const struct node *entry)
{
    const struct node *list = node_get(entry, "parallel");
    struct scenario *scenario = compiler->loader->scenario;
    if (read_list(compiler->loader, list, "`parallel`", "parallel: [ { PROTOCOL: ... }, { PROTOCOL: ... } ]"))
        return -1;
    if (list->count > 64)
        return fail_at(compiler->loader, list, "too many steps at once; at most 64");
    struct op *op = add_op(compiler, OP_PARALLEL);
    op->step = scenario->step_count;
    op->count = list->count;
    scenario->width = list->count > scenario->width ? list->count : scenario->width;
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t step;
        if (list->items[i]->kind != NODE_MAP || list->items[i]->count == 0 || !begins_with_protocol(compiler, list->items[i]))
            return fail_at(compiler->loader, list->items[i], "`parallel` takes steps; write - PROTOCOL: ...");
        if (load_one_step(compiler, list->items[i], &step))
            return -1;
    }
    return 0;
}

int transaction_index(const struct loader *loader, const char *name, const struct node *place)
{
    struct scenario *scenario = loader->scenario;
    for (uint32_t i = 0; i < scenario->transaction_count; i++)
        if (strcmp(scenario->transactions[i], name) == 0)
            return (int)i;
    if (scenario->transaction_count == TRANSACTIONS_MAX)
        return fail_at(loader, place, "too many transactions of different names; at most 256");
    scenario->transactions[scenario->transaction_count] = name;
    return (int)scenario->transaction_count++;
}

static int compile_transaction(struct compiler *compiler, const struct node *entry)
{
    const struct node *node = node_get(entry, "transaction");
    const char *name = NULL;
    int index = read_shown_text(compiler->loader, node, &name) ? -1 : transaction_index(compiler->loader, name, node);
    int slot = index < 0 ? -1 : enter_slot(compiler, &compiler->spans, entry, "transactions");
    if (slot < 0)
        return -1;
    struct op *op = add_op(compiler, OP_SPAN_BEGIN);
    op->slot = (uint32_t)slot;
    op->count = (uint32_t)index;
    if (compile_flow(compiler, node_get(entry, "flow"), "transaction"))
        return -1;
    op = add_op(compiler, OP_SPAN_END);
    op->slot = (uint32_t)slot;
    op->count = (uint32_t)index;
    compiler->spans--;
    return 0;
}

static const struct node *find_flow(struct compiler *compiler, const struct node *name)
{
    const struct loader *loader = compiler->loader;
    const struct node *flow = node_get(loader->flows, name->text), *flows = loader->flows;
    const char **names = arena_alloc(loader->arena, ((flows ? flows->count : 0) + 1) * sizeof *names);
    for (uint32_t i = 0; flows && i < flows->count; i++)
        names[i] = node_key(flows, i)->text;
    const char *near = flow || !flows ? NULL : error_nearest(name->text, names, flows->count, sizeof *names);
    if (!flow)
        fail_at(loader, name, "there is no flow `%.80s` to call; %s%s", name->text,
                near ? "did you mean " : "write it under flows: { NAME: [ ... ] }", near ? near : "");
    return flow;
}

/* The called flow's operations stand where the call does: its slots are then those of its place. */
static int compile_call(struct compiler *compiler, const struct node *entry)
{
    const struct loader *loader = compiler->loader;
    const struct node *name = node_get(entry, "call"), *with = node_get(entry, "with");
    if (name->kind != NODE_SCALAR || node_empty(name))
        return fail_at(loader, name, "the name of a flow is needed here; write call: login");
    const struct node *flow = find_flow(compiler, name);
    if (!flow)
        return -1;
    for (uint32_t i = 0; i < compiler->call_count; i++)
        if (compiler->calls[i] == flow)
            return fail_at(loader, name, "the flow `%.80s` calls itself here; use while or repeat for rounds", name->text);
    if (with) {
        uint64_t wants = 0;
        struct op *set = add_op(compiler, OP_SET);
        if (read_assignments(loader, with, PLACE_TEMPLATE, &set->assignments, &set->count, &wants))
            return -1;
    }
    struct op *op = add_op(compiler, OP_JUMP); /* to the next: it is here for the plan in words */
    op->text = arena_printf(loader->arena, "call     %s", name->text);
    op->target = compiler->count;
    if (compiler->call_count == FLOW_DEPTH_MAX)
        return fail_at(loader, name, "flows call each other too deeply here; at most 16 calls");
    compiler->calls[compiler->call_count++] = flow;
    int status = compile_flow(compiler, flow, "call");
    compiler->call_count--;
    return status;
}

static int compile_script(struct compiler *compiler, const struct node *entry)
{
    uint32_t index = 0;
    if (compiler->loader->feed_use == FEEDS_NOWHERE)
        return fail_at(compiler->loader, entry, "the run's setup and teardown take steps; a script belongs to the users");
    if (load_script(compiler->loader, node_get(entry, "script"), &index))
        return -1;
    struct op *op = add_op(compiler, OP_SCRIPT);
    op->count = index;
    compiler->has_step = true;
    return 0;
}

static const struct form {
    enum key_part part;
    int (*compile)(struct compiler *, const struct node *);
    bool flow; /* must stand beside it */
} forms[] = {
    {PART_THINK, compile_think, false},
    {PART_SET, compile_set, false},
    {PART_IF, compile_if, true},
    {PART_WHILE, compile_while, true},
    {PART_REPEAT, compile_repeat, true},
    {PART_CHOOSE, compile_choose, false},
    {PART_PARALLEL, compile_parallel, false},
    {PART_TRANSACTION, compile_transaction, true},
    {PART_CALL, compile_call, false},
    {PART_SCRIPT, compile_script, false},
};

static int compile_entry(struct compiler *compiler, const struct node *entry)
{
    const struct loader *loader = compiler->loader;
    if (entry->kind != NODE_MAP || entry->count == 0)
        return fail_at(loader, entry, "an entry of a flow is a step; write `- PROTOCOL: ...` or `- think: 1s`");
    bool step_first = begins_with_protocol(compiler, entry);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *const *keys = keys_of(forms[i].part);
        if (step_first || !node_get(entry, keys[0]))
            continue;
        if (!keys[1] && entry->count > 1)
            return fail_at(loader, entry, "`%s` is an entry of its own; write `- %s: ...` on a line of its own", keys[0], keys[0]);
        if (check_keys(compiler, entry, arena_printf(loader->arena, "`%s`", keys[0]), keys))
            return -1;
        if (forms[i].flow && !node_get(entry, "flow"))
            return fail_at(loader, entry, "`%s` has no flow; write flow: [ ... ] beside it", keys[0]);
        return forms[i].compile(compiler, entry);
    }
    uint32_t step = 0, place = compiler->count;
    add_op(compiler, OP_STEP);
    if (load_one_step(compiler, entry, &step))
        return -1;
    compiler->ops[place].step = step;
    return 0;
}

static int compile_flow(struct compiler *compiler, const struct node *node, const char *what)
{
    if (read_list(compiler->loader, node, what ? arena_printf(compiler->loader->arena, "the flow of `%s`", what) : "a flow",
                  FLOW_EXAMPLE))
        return -1;
    if (compiler->depth == FLOW_DEPTH_MAX)
        return fail_at(compiler->loader, node, "flows are nested too deeply here; at most 16 in each other");
    compiler->depth++;
    for (uint32_t i = 0; i < node->count; i++)
        if (compile_entry(compiler, node->items[i]))
            return -1;
    compiler->depth--;
    return 0;
}

int flow_compile(const struct loader *loader, const struct node *node, bool step_needed, struct program *ret_program)
{
    struct compiler compiler = {.loader = loader};
    if (compile_flow(&compiler, node, NULL))
        return -1;
    if (step_needed && !compiler.has_step)
        return fail_at(loader, node, "this flow only thinks; add a step such as `- PROTOCOL: ...`");
    add_op(&compiler, OP_END);
    *ret_program = (struct program){compiler.ops, compiler.count};
    return 0;
}
