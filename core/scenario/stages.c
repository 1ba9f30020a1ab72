/*
 * The stages of one load: a list, all of a rate or all of users. A stage that ends after a number of journeys instead of
 * a time has no length; it is the last.
 */
#include "scenario/keys.h"
#include "scenario/load.h"
#include <stdio.h>
#include <string.h>

#define LOAD_EXAMPLE "load: [ { hold: 100/s, for: 30s } ] or load: [ { users: 10, for: 30s } ]"

/* "A -> B" or a single value. A side that is not written with a unit takes the other's. */
static void split_arrow(const struct loader *loader, const char *text, const char **ret_from, const char **ret_to)
{
    const char *arrow = strstr(text, "->");
    size_t len = arrow ? (size_t)(arrow - text) : strlen(text);
    while (len > 0 && text[len - 1] == ' ')
        len--;
    *ret_from = arena_copy(loader->arena, text, len);
    *ret_to = *ret_from;
    if (!arrow)
        return;
    *ret_to = arrow + 2 + strspn(arrow + 2, " ");
    const char *unit = strchr(*ret_to, '/');
    if (unit && !strchr(*ret_from, '/'))
        *ret_from = arena_printf(loader->arena, "%s%s", *ret_from, unit);
}

/* One side of the arrow, as a node of its own that stands where the whole does. */
static int read_side(const struct loader *loader, const struct node *node, const char *text, bool closed, double *ret)
{
    struct node side = *node;
    uint64_t count;
    side.text = text;
    side.quoted = true;
    side.exact = false;
    if (!closed)
        return read_rate(loader, &side, ret);
    if (read_count(loader, &side, 0, USERS_MAX, &count))
        return -1;
    *ret = (double)count;
    return 0;
}

static int read_level(const struct loader *loader, const struct node *node, bool closed, bool arrow,
                      struct stage *stage)
{
    const char *text, *from, *to;
    const char *example = closed ? "users: 0 -> 50" : "ramp: 0 -> 200/s";
    if (read_text(loader, node, &text))
        return -1;
    if (arrow && !strstr(text, "->"))
        return fail_at(loader, node, "a ramp goes from one value to another; write `%s`", example);
    if (!arrow && !closed && strstr(text, "->"))
        return fail_at(loader, node, "`hold` takes one rate; write `%s` for a rate that changes", example);
    split_arrow(loader, text, &from, &to);
    if (read_side(loader, node, from, closed, &stage->from) || read_side(loader, node, to, closed, &stage->to))
        return -1;
    if (stage->from <= 0 && stage->to <= 0)
        return fail_at(loader, node, "a stage of zero does nothing; write a %s above 0, or leave the stage out",
                       closed ? "number of users" : "rate");
    return 0;
}

int read_arrivals(const struct loader *loader, const struct node *node, enum arrivals_kind *ret_arrivals)
{
    const char *text;
    if (read_text(loader, node, &text))
        return -1;
    if (strcmp(text, "poisson") != 0 && strcmp(text, "constant") != 0)
        return fail_at(loader, node, "'%.80s' is not a kind of arrivals; write poisson or constant",
                       shown_value(loader, node));
    *ret_arrivals = text[0] == 'p' ? ARRIVALS_POISSON : ARRIVALS_CONSTANT;
    return 0;
}

static int check_keys(const struct loader *loader, const struct node *node)
{
    if (node->kind != NODE_MAP)
        return fail_at(loader, node, "a stage is a map; write for example { hold: 100/s, for: 30s }");
    for (uint32_t i = 0; i < node->count; i++) {
        bool known = false;
        for (uint32_t k = 0; keys_of(PART_STAGE)[k]; k++)
            known = known || strcmp(node_key(node, i)->text, keys_of(PART_STAGE)[k]) == 0;
        if (!known)
            return fail_unknown_key(loader, node_key(node, i), "a stage of `load`", keys_of(PART_STAGE));
    }
    return 0;
}

static int read_length(const struct loader *loader, const struct node *node, bool changes, bool counted, struct stage *stage)
{
    const struct node *over = node_get(node, "over"), *for_node = node_get(node, "for");
    if (changes && for_node)
        return fail_at(loader, for_node, "a ramp lasts `over` a time; write over: instead of for:");
    if (!changes && over)
        return fail_at(loader, over, "a level is held `for` a time; write for: instead of over:");
    const struct node *length = changes ? over : for_node;
    stage->duration_ns = UINT64_MAX;
    if (length)
        return read_duration(loader, length, 1, &stage->duration_ns);
    if (changes)
        return fail_at(loader, node, "this ramp has no length; write over: 30s");
    if (!counted && !node_get(node, "iterations") && !node_get(node, "iterations-per-user"))
        return fail_at(loader, node, "this stage has no end; write for: 30s, or iterations: 1000");
    return 0;
}

int load_user_iterations(const struct loader *loader, const struct node *node, struct load *load)
{
    if (!load->closed)
        return fail_at(loader, node, "`iterations-per-user` belongs to a load of users; for a rate write iterations: 1000");
    return read_count(loader, node, 1, UINT64_C(1) << 50, &load->user_iterations);
}

/* What a stage says about the whole load: users of the pool, journeys. */
static int read_limits(const struct loader *loader, const struct node *node, bool last, struct load *load)
{
    const struct node *iterations = node_get(node, "iterations"), *pool = load->closed ? NULL : node_get(node, "users");
    const struct node *each = node_get(node, "iterations-per-user");
    uint64_t users;
    if (pool) {
        if (read_count(loader, pool, 1, USERS_MAX, &users))
            return -1;
        if (users > load->users)
            load->users = (uint32_t)users;
        load->users_set = true;
    }
    if (!last && (iterations || each))
        return fail_at(loader, iterations ? iterations : each, "`%s` ends the whole load; write it in the last stage",
                       iterations ? "iterations" : "iterations-per-user");
    if (each && load_user_iterations(loader, each, load))
        return -1;
    return !iterations ? 0 : read_count(loader, iterations, 1, UINT64_C(1) << 50, &load->iterations);
}

int load_pace(const struct loader *loader, const struct node *node, bool closed, uint64_t *ret_pace_ns)
{
    if (!closed)
        return fail_at(loader, node, "`pace` belongs to users; a rate is a pace already");
    return read_duration(loader, node, 1, ret_pace_ns);
}

static int load_stage(const struct loader *loader, const struct node *node, bool first, bool last, struct load *load,
                      struct stage *stage)
{
    if (check_keys(loader, node))
        return -1;
    const struct node *ramp = node_get(node, "ramp"), *hold = node_get(node, "hold"), *users = node_get(node, "users");
    bool closed = !ramp && !hold;
    if (ramp && hold)
        return fail_at(loader, node, "a stage has `ramp` or `hold`, not both; write two stages");
    if (closed && !users)
        return fail_at(loader, node,
                       "this stage says neither a rate nor users; write hold: 100/s, ramp: 0 -> 100/s or users: 10");
    if (!first && closed != load->closed)
        return fail_at(loader, node,
                       "the stages of one load are all of a rate or all of users; the ones before this are of %s",
                       load->closed ? "users" : "a rate");
    load->closed = closed;
    *stage = (struct stage){.kind = closed ? STAGE_USERS : STAGE_RATE};
    if (read_level(loader, closed ? users : ramp ? ramp : hold, closed, ramp != NULL, stage))
        return -1;
    /* A rate that is ramped between equal values is still a ramp to whoever wrote it. */
    const char *users_text = NULL;
    if (closed && read_text(loader, users, &users_text))
        return -1;
    bool changes = ramp || (users_text && strstr(users_text, "->"));
    bool counted = last && (load->iterations != UINT64_MAX || load->user_iterations != UINT64_MAX);
    if (read_length(loader, node, changes, counted, stage) || read_limits(loader, node, last, load))
        return -1;
    const struct node *arrivals = node_get(node, "arrivals"), *pace = node_get(node, "pace");
    if (pace && load_pace(loader, pace, closed, &stage->pace_ns))
        return -1;
    if (arrivals && closed)
        return fail_at(loader, arrivals,
                       "`arrivals` belongs to a rate; users start their next journey when the last has ended");
    return arrivals ? read_arrivals(loader, arrivals, &stage->arrivals) : 0;
}

int load_stages(const struct loader *loader, const struct node *node, struct load *load)
{
    if (node->kind == NODE_MAP && node_get(node, "shape"))
        return load_shape(loader, node, load);
    if (node->kind == NODE_MAP && node_get(node, "preset"))
        return load_preset(loader, node, load);
    if (read_list(loader, node, "`load`", LOAD_EXAMPLE))
        return -1;
    if (node->count > STAGES_MAX)
        return fail_at(loader, node, "too many stages; at most 1,000");
    struct stage *stages = arena_alloc(loader->arena, node->count * sizeof *stages);
    load->stages = stages;
    for (uint32_t i = 0; i < node->count; i++) {
        bool last = i + 1 == node->count;
        if (load_stage(loader, node->items[i], i == 0, last, load, &stages[i]))
            return -1;
    }
    load->stage_count = node->count;
    return 0;
}
