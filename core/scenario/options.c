/*
 * Plugin options: from the rows of a plugin's table to a block of values. The same code takes them from a file, from
 * flags and, at run time, from rendered templates. A value that is the same in every exchange is parsed once, here.
 */
#include "base/units.h"
#include "scenario/load.h"
#include "scenario/tree.h"
#include <stdio.h>
#include <string.h>

static void put_uint(const struct squall_option *row, uint64_t value, void *block)
{
    memcpy((char *)block + row->offset, &value, sizeof value);
}

/* "from 1 to 10", "of at least 1", "of at most 10", in the row's unit; empty without limits. */
static const char *range_text(const struct squall_option *row, char *text, size_t size)
{
    char min[32], max[32];
    if (row->type == SQUALL_DURATION) {
        units_print_duration(min, sizeof min, row->min);
        units_print_duration(max, sizeof max, row->max);
    } else {
        snprintf(min, sizeof min, "%llu", (unsigned long long)row->min);
        snprintf(max, sizeof max, "%llu", (unsigned long long)row->max);
    }
    if (row->max)
        snprintf(text, size, "from %s to %s", min, max);
    else
        snprintf(text, size, "of at least %s", min);
    return text;
}

static int parse_uint(const struct squall_option *row, const char *text, void *block, struct error *error)
{
    static const struct {
        int (*parse)(const char *, uint64_t *);
        const char *what, *example;
    } kinds[] = {
        [SQUALL_UINT] = {units_parse_count, "a whole number", "10 or 5k"},
        [SQUALL_DURATION] = {units_parse_duration, "a duration", "250ms, 30s or 2m"},
        [SQUALL_SIZE] = {units_parse_size, "a size", "512, 64KiB or 1MB"},
    };
    char range[100];
    uint64_t value;
    if (kinds[row->type].parse(text, &value))
        return error_set(error, "`%s`: '%.80s' is not %s; write for example %s", row->name, text, kinds[row->type].what,
                         kinds[row->type].example);
    if (value < row->min || (row->max && value > row->max))
        return error_set(error, "`%s`: '%.80s' is out of range; write %s %s", row->name, text, kinds[row->type].what,
                         range_text(row, range, sizeof range));
    put_uint(row, value, block);
    return 0;
}

static int parse_choice(const struct squall_option *row, const char *text, void *block, struct error *error)
{
    char list[400] = "";
    size_t len = 0;
    uint32_t count = 0;
    for (; row->choices[count]; count++) {
        if (strcmp(row->choices[count], text) == 0) {
            put_uint(row, count, block);
            return 0;
        }
        if (len < sizeof list)
            len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", count ? ", " : "", row->choices[count]);
    }
    const char *near = error_nearest(text, row->choices, count, sizeof row->choices[0]);
    if (near)
        return error_set(error, "`%s`: '%.80s' is not one of %s; did you mean %s?", row->name, text, list, near);
    return error_set(error, "`%s`: '%.80s' is not one of %s; write one of them", row->name, text, list);
}

int option_parse(const struct squall_option *row, struct squall_bytes text, void *block, struct error *error)
{
    const char *string = (const char *)text.data;
    switch (row->type) {
    case SQUALL_STRING:
        memcpy((char *)block + row->offset, &text, sizeof text);
        return 0;
    case SQUALL_BOOL:
        if (strcmp(string, "true") != 0 && strcmp(string, "false") != 0)
            return error_set(error, "`%s`: '%.80s' is neither true nor false; write one of them", row->name, string);
        put_uint(row, string[0] == 't', block);
        return 0;
    case SQUALL_CHOICE:
        return parse_choice(row, string, block, error);
    default:
        return parse_uint(row, string, block, error);
    }
}

int32_t option_find(const struct squall_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (strcmp(protocol_option(table, i)->name, name) == 0)
            return (int32_t)i;
    return -1;
}

const char *const *option_names(struct arena *arena, const struct squall_table *table, const char *const *more)
{
    uint32_t count = 0, more_count = 0;
    while (more[more_count])
        more_count++;
    const char **names = arena_alloc(arena, (table->count + more_count + 1) * sizeof *names);
    for (; count < table->count; count++)
        names[count] = protocol_option(table, count)->name;
    memcpy(names + count, more, more_count * sizeof *names);
    return names;
}

static void add_variable(struct option_set *set, struct step_variable variable)
{
    set->variables[set->variable_count++] = variable;
}

/* Files are read before the load: a read in its midst would hold up everybody. */
static int fail_variable_file(const struct loader *loader, const struct node *node, const char *name)
{
    return fail_at(loader, node, "the file of `%s` must be the same in every exchange; use one step a file, and `choose`", name);
}

static int build_file(const struct loader *loader, struct option_set *set, uint32_t i, const struct template *template)
{
    const struct squall_option *row = protocol_option(set->table, i);
    const struct option_value *value = &set->values[i];
    struct squall_bytes bytes;
    struct eval eval = {0};
    if (!template_constant(template))
        return fail_variable_file(loader, value->node, row->name);
    if (scenario_content(loader, (const char *)template_render(template, &eval).data, &bytes)) {
        error_prefix(loader->error, "`%s`", row->name);
        return fail_prefix(loader, value->node, value->column);
    }
    memcpy((char *)set->block + row->offset, &bytes, sizeof bytes);
    set->constant |= UINT64_C(1) << i;
    return 0;
}

static int build_scalar(const struct loader *loader, struct option_set *set, uint32_t i)
{
    const struct squall_option *row = protocol_option(set->table, i);
    const struct option_value *value = &set->values[i];
    const struct template *template = NULL;
    struct eval eval = {0};
    uint32_t column = 1;
    if (value->node->kind != NODE_SCALAR)
        return fail_at(loader, value->node,
                       "`%s` takes a single value, not a %s; text that begins with { or [ needs quotes", row->name,
                       value->node->kind == NODE_MAP ? "map" : "list");
    if (node_empty(value->node))
        return fail_at(loader, value->node, "`%s` has no value; write it behind the ':', or \"\" for an empty text",
                       row->name);
    struct expression_names names = loader_names(loader);
    if (template_compile_named(value->text, &names, loader->arena, &template, &column, loader->error))
        return fail_prefix(loader, value->node, value->column + column - 1);
    if (row->role & SQUALL_ROLE_FILE)
        return build_file(loader, set, i, template);
    if (!template_constant(template)) {
        add_variable(set, (struct step_variable){.row = i, .value = template});
        return 0;
    }
    if (option_parse(row, template_render(template, &eval), set->block, loader->error)) {
        if (template_secret(template))
            error_set(loader->error, "`%s`: the value of this secret does not fit; set another", row->name);
        return fail_prefix(loader, value->node, value->column);
    }
    set->constant |= UINT64_C(1) << i;
    return 0;
}

/* "@folder/name;more": the file's content, and "name;more" as what it is called. "@@..." is a text. */
static int pair_file(const struct loader *loader, const char *name, const struct node *node, const struct template **template,
                     struct squall_pair *pair)
{
    const char *text = node->text;
    struct eval eval = {0};
    if (text[0] != '@')
        return 0;
    if (text[1] == '@') {
        struct expression_names names = loader_names(loader);
        uint32_t column;
        return template_compile_named(text + 1, &names, loader->arena, template, &column, loader->error);
    }
    if (!template_constant(*template))
        return fail_variable_file(loader, node, name);
    text = (const char *)template_render(*template, &eval).data + 1;
    size_t len = strcspn(text, ";");
    const char *path = arena_copy(loader->arena, text, len), *slash = strrchr(path, '/');
    if (scenario_content(loader, path, &pair->value)) {
        error_prefix(loader->error, "`%s`", name);
        return fail_prefix(loader, node, 2);
    }
    const char *called = slash ? text + (slash - path) + 1 : text;
    pair->file = (struct squall_bytes){(const uint8_t *)called, strlen(called)};
    *template = NULL;
    return 0;
}

static int build_map(const struct loader *loader, struct option_set *set, uint32_t i)
{
    const struct squall_option *row = protocol_option(set->table, i);
    const struct node *node = set->values[i].node;
    struct eval eval = {0};
    struct expression_names names = loader_names(loader);
    bool constant = true;
    if (node->kind != NODE_MAP)
        return fail_at(loader, node, "`%s` takes a map; write %s: { \"name\": \"value\" }", row->name, row->name);
    struct squall_pair *pairs = arena_alloc(loader->arena, node->count * sizeof *pairs);
    const struct template **templates = arena_alloc(loader->arena, node->count * sizeof *templates);
    for (uint32_t k = 0; k < node->count; k++) {
        const struct node *key = node_key(node, k), *value = node_value(node, k);
        uint32_t column = 1;
        if (strstr(key->text, "${"))
            return fail_at(loader, key, "names in `%s` are the same in every exchange; use ${...} in values only",
                           row->name);
        if (value->kind != NODE_SCALAR || node_empty(value))
            return fail_at(loader, value, "`%s` in `%s` needs a single value; write \"\" for an empty text", key->text,
                           row->name);
        if (template_compile_named(value->text, &names, loader->arena, &templates[k], &column, loader->error))
            return fail_prefix(loader, value, column);
        pairs[k].name = (struct squall_bytes){(const uint8_t *)key->text, strlen(key->text)};
        if ((row->role & SQUALL_ROLE_FILE) && pair_file(loader, row->name, value, &templates[k], &pairs[k]))
            return -1;
        constant = constant && (!templates[k] || template_constant(templates[k]));
    }
    for (uint32_t k = 0; constant && k < node->count; k++)
        if (templates[k])
            pairs[k].value = template_render(templates[k], &eval);
    struct squall_map map = {pairs, node->count};
    memcpy((char *)set->block + row->offset, &map, sizeof map);
    if (constant)
        set->constant |= UINT64_C(1) << i;
    else
        add_variable(set, (struct step_variable){.row = i, .pairs = templates, .pair_count = node->count});
    return 0;
}

/* A text from a flag, or a quoted one in a file, that begins as JSON does is JSON; YAML reads that as it is. */
static int tree_node(const struct loader *loader, const struct node *node, const struct node **ret_node)
{
    const char *text = node->kind == NODE_SCALAR && node->label ? node->text + strspn(node->text, " \t\r\n") : "";
    *ret_node = node;
    if (*text != '{' && *text != '[')
        return 0;
    return yaml_parse(text, strlen(text), node->label, loader->arena, ret_node, loader->error);
}

static int build_tree(const struct loader *loader, struct option_set *set, uint32_t i)
{
    const struct squall_option *row = protocol_option(set->table, i);
    const struct node *node;
    const struct tree *tree = NULL;
    if (tree_node(loader, set->values[i].node, &node) || tree_compile(loader, node, &tree))
        return -1;
    struct squall_tree blank = tree_blank(tree, loader->arena);
    memcpy((char *)set->block + row->offset, &blank, sizeof blank);
    if (tree_constant(tree))
        set->constant |= UINT64_C(1) << i;
    else
        add_variable(set, (struct step_variable){.row = i, .tree = tree});
    return 0;
}

/* "Name: value" of a map's fallback. */
static const struct node *map_fallback(const struct loader *loader, const char *text)
{
    const char *colon = strchr(text, ':');
    struct node *map = arena_alloc(loader->arena, sizeof *map);
    *map = (struct node){.kind = NODE_MAP, .label = "fallback"};
    if (!colon)
        return map;
    const char *value = colon + 1 + strspn(colon + 1, " ");
    map->items = arena_alloc(loader->arena, 2 * sizeof *map->items);
    for (int i = 0; i < 2; i++) {
        map->items[i] = arena_alloc(loader->arena, sizeof(struct node));
        *map->items[i] = (struct node){.kind = NODE_SCALAR, .label = "fallback", .quoted = true};
    }
    map->items[0]->text = arena_copy(loader->arena, text, (size_t)(colon - text));
    map->items[1]->text = value;
    map->count = 1;
    return map;
}

static int build_absent(const struct loader *loader, struct option_set *set, uint32_t i, const struct node *place)
{
    const struct squall_option *row = protocol_option(set->table, i);
    if ((row->role & SQUALL_ROLE_REQUIRED) && protocol_option_of(row, set->verb))
        return fail_at(loader, place, "`%s` is missing%s%s; write %s %s", row->name, row->help ? ": " : "",
                       row->help ? row->help : "",
                       loader->file || !row->flag ? arena_printf(loader->arena, "%s:", row->name) : row->flag,
                       row->metavar ? row->metavar : "...");
    if (row->type == SQUALL_MAP && row->fallback) {
        set->values[i].node = map_fallback(loader, row->fallback);
        return build_map(loader, set, i);
    }
    set->constant |= UINT64_C(1) << i;
    if (row->type == SQUALL_TREE || (!row->fallback && row->type != SQUALL_STRING))
        return 0;
    const char *fallback = row->fallback ? row->fallback : "";
    struct squall_bytes text = {(const uint8_t *)fallback, strlen(fallback)};
    if (option_parse(row, text, set->block, loader->error)) {
        error_prefix(loader->error, "the plugin's own fallback");
        return fail_prefix(loader, place, 0);
    }
    return 0;
}

/* No template: what a script says. */
static int build_plain(const struct loader *loader, struct option_set *set, uint32_t i, const struct node *place)
{
    const char *text = set->values[i].text;
    set->constant |= UINT64_C(1) << i;
    if (option_parse(protocol_option(set->table, i), (struct squall_bytes){(const uint8_t *)text, strlen(text)}, set->block, loader->error))
        return fail_prefix(loader, place, 0);
    return 0;
}

int option_set_build(const struct loader *loader, struct option_set *set, const struct node *place)
{
    const struct squall_table *table = set->table;
    set->block = arena_alloc(loader->arena, table->size);
    set->variables = arena_alloc(loader->arena, table->count * sizeof *set->variables);
    for (uint32_t i = 0; i < table->count; i++) {
        uint32_t type = protocol_option(table, i)->type;
        if (set->given_later >> i & 1)
            continue;
        int result = !set->values[i].node && set->values[i].text ? build_plain(loader, set, i, place)
                     : !set->values[i].node ? build_absent(loader, set, i, place)
                     : type == SQUALL_MAP  ? build_map(loader, set, i)
                     : type == SQUALL_TREE ? build_tree(loader, set, i)
                                           : build_scalar(loader, set, i);
        if (result)
            return -1;
    }
    set->init_block = set->block;
    if (set->variable_count) {
        set->init_block = arena_alloc(loader->arena, table->size);
        memcpy(set->init_block, set->block, table->size);
        for (uint32_t i = 0; i < set->variable_count; i++) {
            const struct squall_option *row = protocol_option(table, set->variables[i].row);
            if (row->type == SQUALL_MAP)
                memset((char *)set->init_block + row->offset, 0, sizeof(struct squall_map));
        }
    }
    return 0;
}
