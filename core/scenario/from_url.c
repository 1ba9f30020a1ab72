/*
 * The URL form: a scenario of one target and one step, made from a URL and flags. Which flags there are beside the
 * load's is for the plugin's tables to say.
 */
#include "scenario/load.h"
#include <string.h>

struct form {
    struct option_set target_set, step_set;
    const struct protocol *protocol;
};

/* Whether "-X,--method" holds the flag as written. */
static bool flag_matches(const char *list, const char *flag, struct protocol_flag *ret_found)
{
    while (protocol_next_flag(&list, ret_found))
        if (strncmp(ret_found->text, flag, ret_found->len) == 0 && flag[ret_found->len] == '\0')
            return true;
    return false;
}

/* The step is of the first verb. */
static int32_t find_flag(const struct squall_table *table, const char *flag, struct protocol_flag *ret_found)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct squall_option *row = protocol_option(table, i);
        if (protocol_option_of(row, 0) && flag_matches(row->flag, flag, ret_found))
            return (int32_t)i;
    }
    return -1;
}

static int fail_unknown_flag(const struct loader *loader, const struct form *form, const char *flag)
{
    const struct squall_table *tables[] = {form->target_set.table, form->step_set.table};
    const char *names[256];
    unsigned count = 0;
    for (size_t t = 0; t < 2; t++)
        for (uint32_t i = 0; i < tables[t]->count; i++) {
            const char *list = protocol_option(tables[t], i)->flag;
            struct protocol_flag known;
            while (count < 256 && protocol_next_flag(&list, &known))
                names[count++] = arena_copy(loader->arena, known.text, known.len);
        }
    const char *near = error_nearest(flag, names, count, sizeof names[0]);
    if (near)
        return error_set(loader->error, "%s: %s has no such flag; did you mean %s?", flag, form->protocol->name, near);
    return error_set(loader->error, "%s: %s has no such flag; `squall plugin show %s` lists them", flag,
                     form->protocol->name, form->protocol->name);
}

/* "Name: value" behind the pairs that the map has. */
static int add_pair(const struct loader *loader, const struct flag_value *flag, struct option_value *value)
{
    const char *colon = flag->value ? strchr(flag->value, ':') : NULL;
    if (!colon || colon == flag->value)
        return error_set(loader->error, "%s: '%.200s' is not a name and a value; write %s \"Name: value\"", flag->flag,
                         flag->value ? flag->value : "", flag->flag);
    size_t name_len = (size_t)(colon - flag->value);
    while (name_len > 1 && flag->value[name_len - 1] == ' ')
        name_len--;
    uint32_t count = value->node ? value->node->count : 0;
    struct node *map = arena_alloc(loader->arena, sizeof *map);
    *map = (struct node){.kind = NODE_MAP, .label = flag->flag, .count = count + 1};
    map->items = arena_alloc(loader->arena, 2 * (count + 1) * sizeof *map->items);
    if (count)
        memcpy(map->items, value->node->items, 2 * count * sizeof *map->items);
    struct node *key = arena_alloc(loader->arena, sizeof *key), *text = arena_alloc(loader->arena, sizeof *text);
    *key = (struct node){.kind = NODE_SCALAR, .label = flag->flag, .quoted = true};
    *text = *key;
    key->text = arena_copy(loader->arena, flag->value, name_len);
    text->text = colon + 1 + strspn(colon + 1, " \t");
    map->items[2 * count] = key;
    map->items[2 * count + 1] = text;
    value->node = map;
    return 0;
}

static int add_flag(const struct loader *loader, struct form *form, const struct flag_value *flag)
{
    struct option_set *set = &form->step_set;
    struct protocol_flag found;
    int32_t i = find_flag(set->table, flag->flag, &found);
    if (i < 0) {
        set = &form->target_set;
        i = find_flag(set->table, flag->flag, &found);
    }
    if (i < 0)
        return fail_unknown_flag(loader, form, flag->flag);
    const struct squall_option *row = protocol_option(set->table, (uint32_t)i);
    struct option_value *value = &set->values[i];
    if (row->type == SQUALL_MAP)
        return add_pair(loader, flag, value);
    if (value->node)
        return error_set(loader->error, "%s: `%s` is given twice; keep one of them", flag->flag, row->name);
    if (found.value) {
        const char *stands_for = arena_copy(loader->arena, found.value, found.value_len);
        *value = (struct option_value){node_from_flag(loader->arena, flag->flag, stands_for), stands_for, 1};
        return 0;
    }
    if (!flag->value && row->type != SQUALL_BOOL)
        return error_set(loader->error, "%s: has no value; write %s %s", flag->flag, flag->flag,
                         row->metavar ? row->metavar : "VALUE");
    const char *text = flag->value ? flag->value : "true";
    *value = (struct option_value){node_from_flag(loader->arena, flag->flag, text), text, 1};
    return 0;
}

/* The URL's path goes to the option that its row's role names. */
static void add_path(const struct loader *loader, struct option_set *set, const char *path)
{
    for (uint32_t i = 0; i < set->table->count; i++) {
        const struct squall_option *row = protocol_option(set->table, i);
        const char *text = NULL;
        if (row->role & SQUALL_ROLE_URL_PATH)
            text = path[0] == '/' ? path : arena_printf(loader->arena, "/%s", path);
        else if (row->role & SQUALL_ROLE_URL_TAIL)
            text = path[0] == '/' ? path + 1 : path;
        if (text && *text && !set->values[i].node)
            set->values[i] = (struct option_value){node_from_flag(loader->arena, "URL", text), text, 1};
    }
}

static void make_flow(const struct loader *loader)
{
    struct scenario *scenario = loader->scenario;
    struct op *ops = arena_alloc(loader->arena, 2 * sizeof *ops);
    ops[0] = (struct op){.kind = OP_STEP};
    ops[1] = (struct op){.kind = OP_END};
    scenario->classes = arena_alloc(loader->arena, sizeof *scenario->classes);
    scenario->classes[0] = (struct user_class){.name = "users", .weight = 1, .flow = {ops, 2}};
    scenario->width = 1;
    scenario->class_count = 1;
}

static int build(const struct loader *loader)
{
    struct scenario *scenario = loader->scenario;
    const struct overrides *overrides = loader->overrides;
    scenario->name = arena_copy(loader->arena, overrides->url, strlen(overrides->url));
    scenario->targets = arena_alloc(loader->arena, sizeof *scenario->targets);
    scenario->steps = arena_alloc(loader->arena, sizeof *scenario->steps);
    scenario->series = arena_alloc(loader->arena, sizeof *scenario->series);
    struct target *target = scenario->targets;
    struct step *step = scenario->steps;
    const struct node *engine = overrides->engine ? node_from_flag(loader->arena, "--engine", overrides->engine) : NULL;
    if (target_from_url(loader, NULL, overrides->url, target) || read_engine(loader, engine, target))
        return -1;
    target->name = target->host;
    struct form form = {.protocol = target->protocol};
    form.target_set.table = &target->protocol->abi.target_options;
    form.step_set.table = &target->protocol->abi.step_options;
    for (uint32_t i = 0; i < overrides->flag_count; i++)
        if (add_flag(loader, &form, &overrides->flags[i]))
            return -1;
    add_path(loader, &form.step_set, target->path);
    scenario->target_count = 1;
    if (target_finish(loader, target, &form.target_set, NULL))
        return -1;
    step->protocol = target->protocol;
    step->target = target;
    step->name = step_default_name(loader, step->protocol, &form.step_set);
    scenario->step_count = 1;
    if (step_finish(loader, step, &form.step_set, NULL))
        return -1;
    make_flow(loader);
    find_measured(scenario);
    if (load_thresholds(loader, NULL) || load_group_tags(loader, NULL))
        return -1;
    return load_overrides(loader) || load_defaults(loader) || check_step_users(loader) ? -1 : 0;
}

static int check_sets(const struct loader *loader)
{
    if (!loader->overrides->set_count)
        return 0;
    return error_set(loader->error, "--set %s: the URL form has no variables; write a scenario with vars, or leave --set out",
                     loader->overrides->sets[0].flag);
}

int scenario_from_url(const struct overrides *overrides, struct protocol_registry *registry,
                      struct scenario **ret_scenario, struct error *error)
{
    struct scenario *scenario = scenario_new();
    struct loader loader = {
        .scenario = scenario, .arena = &scenario->arena, .overrides = overrides, .registry = registry, .error = error};
    int failed = define_secrets(&loader) || check_sets(&loader) || build(&loader);
    if (failed) {
        scenario_free(scenario);
        return -1;
    }
    *ret_scenario = scenario;
    return 0;
}
