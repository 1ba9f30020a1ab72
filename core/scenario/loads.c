/*
 * The `load` part of a scenario: one load, or several side by side by their names, each with its own stages and users.
 * Who walks them is read once the classes of users are known.
 */
#include "scenario/keys.h"
#include "scenario/load.h"
#include <string.h>

#define LOADS_EXAMPLE "load: { browse: [ { hold: 100/s, for: 30s } ] }"

struct load load_empty(const char *name)
{
    return (struct load){.name = name, .iterations = UINT64_MAX, .user_iterations = UINT64_MAX};
}

static int find_class(const struct loader *loader, const struct node *node, struct load *load)
{
    const struct scenario *scenario = loader->scenario;
    const char *text;
    const char **names = arena_alloc(loader->arena, (scenario->class_count + 1) * sizeof *names);
    if (read_text(loader, node, &text))
        return -1;
    for (uint32_t i = 0; i < scenario->class_count; i++) {
        names[i] = scenario->classes[i].name;
        if (strcmp(names[i], text) != 0)
            continue;
        uint32_t at = load->class_count++;
        for (; at > 0 && load->classes[at - 1] > i; at--)
            load->classes[at] = load->classes[at - 1];
        load->classes[at] = i;
        if (at > 0 && load->classes[at - 1] == i)
            return fail_at(loader, node, "`%.80s` stands here twice; keep one of them", text);
        return 0;
    }
    const char *near = error_nearest(text, names, scenario->class_count, sizeof names[0]);
    return fail_at(loader, node, "`%.80s` is no class of users%s%s%s; how many users there are belongs into the stages",
                   shown_value(loader, node), near ? ": did you mean `" : "", near ? near : "", near ? "`?" : "");
}

/* `users: buyer`, or `users: [buyer, visitor]`. */
static int load_classes(const struct loader *loader, const struct node *node, struct load *load)
{
    uint32_t most = loader->scenario->class_count;
    load->classes = arena_alloc(loader->arena, (most + 1) * sizeof *load->classes);
    if (node->kind == NODE_SCALAR)
        return find_class(loader, node, load);
    if (read_list(loader, node, "`users` of a load", "users: [buyer]"))
        return -1;
    for (uint32_t i = 0; i < node->count; i++)
        if (find_class(loader, node->items[i], load))
            return -1;
    return 0;
}

/* The load's pace is that of every stage without one of its own. */
static int spread_pace(const struct loader *loader, const struct node *node, struct load *load)
{
    uint64_t pace_ns;
    if (load_pace(loader, node, load->closed, &pace_ns))
        return -1;
    struct stage *stages = arena_alloc(loader->arena, load->stage_count * sizeof *stages);
    memcpy(stages, load->stages, load->stage_count * sizeof *stages);
    for (uint32_t i = 0; i < load->stage_count; i++)
        if (stages[i].pace_ns == 0)
            stages[i].pace_ns = pace_ns;
    load->stages = stages;
    return 0;
}

/* { users: [...], stages: [...], ... } */
static int load_map(const struct loader *loader, const struct node *node, struct load *load)
{
    const struct node *stages = node_get(node, "stages");
    const struct node *pace = node_get(node, "pace"), *iterations = node_get(node, "iterations");
    const struct node *each = node_get(node, "iterations-per-user");
    for (uint32_t i = 0; i < node->count; i++) {
        bool known = false;
        for (uint32_t k = 0; keys_of(PART_LOAD)[k]; k++)
            known = known || strcmp(node_key(node, i)->text, keys_of(PART_LOAD)[k]) == 0;
        if (!known)
            return fail_unknown_key(loader, node_key(node, i), "a load", keys_of(PART_LOAD));
    }
    if (!stages)
        return fail_at(loader, node, "this load has no stages; write stages: [ { hold: 100/s, for: 30s } ]");
    if (iterations && read_count(loader, iterations, 1, UINT64_C(1) << 50, &load->iterations))
        return -1;
    if (each && read_count(loader, each, 1, UINT64_C(1) << 50, &load->user_iterations))
        return -1;
    if (load_stages(loader, stages, load) || (pace && spread_pace(loader, pace, load)))
        return -1;
    return each ? load_user_iterations(loader, each, load) : 0; /* again: now it is known whether the load is of users */
}

static int load_one(const struct loader *loader, const struct node *node, struct load *load)
{
    bool map = node->kind == NODE_MAP && !node_get(node, "preset") && !node_get(node, "shape");
    return map ? load_map(loader, node, load) : load_stages(loader, node, load);
}

/* Who walks it; a preset's `users` are how many. */
static const struct node *walkers_of(const struct node *node)
{
    return node->kind == NODE_MAP && !node_get(node, "preset") && !node_get(node, "shape") ? node_get(node, "users") : NULL;
}

/* No names. */
static bool is_one(const struct node *node)
{
    return node->kind != NODE_MAP || node_get(node, "stages") || node_get(node, "preset") || node_get(node, "shape");
}

int load_loads(const struct loader *loader, const struct node *node)
{
    struct scenario *scenario = loader->scenario;
    if (is_one(node))
        return load_one(loader, node, &scenario->loads[0]);
    if (node_get(node, "hold") || node_get(node, "ramp") || node_get(node, "for") || node_get(node, "over"))
        return load_stages(loader, node, &scenario->loads[0]); /* a stage that is no list: that is what it says */
    if (read_map(loader, node, "`load`", LOADS_EXAMPLE))
        return -1;
    if (node->count > LOADS_MAX)
        return fail_at(loader, node, "too many loads side by side; at most 100");
    scenario->loads = arena_alloc(loader->arena, node->count * sizeof *scenario->loads);
    scenario->load_count = node->count;
    for (uint32_t i = 0; i < node->count; i++) {
        scenario->loads[i] = load_empty(node_key(node, i)->text);
        if (load_one(loader, node_value(node, i), &scenario->loads[i]))
            return -1;
    }
    return 0;
}

int load_walkers(const struct loader *loader, const struct node *node)
{
    const struct node *users = is_one(node) ? walkers_of(node) : NULL;
    if (users && load_classes(loader, users, &loader->scenario->loads[0]))
        return -1;
    for (uint32_t i = 0; !is_one(node) && i < node->count; i++) {
        users = walkers_of(node_value(node, i));
        if (users && load_classes(loader, users, &loader->scenario->loads[i]))
            return -1;
    }
    return 0;
}
