/*
 * Variables of a scenario: their names are collected from the whole file before anything is compiled, so that a step may
 * read what a later one saves; then each `vars`, `save` and `set` becomes a list of assignments.
 */
#include "scenario/load.h"
#include <ctype.h>
#include <string.h>

struct expression_names loader_names(const struct loader *loader)
{
    const struct scenario *scenario = loader->scenario;
    return (struct expression_names){.list = scenario->variables,
                                     .count = scenario->variable_count,
                                     .feeds = scenario->feeds,
                                     .feed_count = scenario->feed_count,
                                     .feed_use = loader->feed_use,
                                     .feeds_read = loader->feeds_read};
}

static int find_variable(const struct scenario *scenario, const char *name)
{
    for (uint32_t i = 0; i < scenario->variable_count; i++)
        if (strcmp(scenario->variables[i], name) == 0)
            return (int)i;
    return -1;
}

static bool is_name(const char *text)
{
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || text[len] == '_')
        len++;
    return len > 0 && len <= 64 && text[len] == '\0' && !isdigit((unsigned char)text[0]);
}

int check_name(const struct loader *loader, const struct node *key, const char *what)
{
    if (!is_name(key->text))
        return fail_at(loader, key, "'%.80s' is no name for a %s; write letters, digits and _", key->text, what);
    if (expression_name_taken(key->text))
        return fail_at(loader, key, "`%s` is a word of the language; give the %s another name", key->text, what);
    return 0;
}

static int add_names(const struct loader *loader, const struct node *map)
{
    struct scenario *scenario = loader->scenario;
    for (uint32_t i = 0; map && map->kind == NODE_MAP && i < map->count; i++) {
        const struct node *key = node_key(map, i);
        if (find_variable(scenario, key->text) >= 0)
            continue;
        struct expression_names names = loader_names(loader);
        if (check_name(loader, key, "variable"))
            return -1;
        if (feed_find(&names, key->text) >= 0)
            return fail_at(loader, key, "`%s` is a feed already; give the variable another name", key->text);
        if (scenario->variable_count == VARIABLES_MAX)
            return fail_at(loader, key, "too many variables; at most 256");
        scenario->variables[scenario->variable_count++] = key->text;
    }
    return 0;
}

/* Entries of flows at any depth. Bounded as the document is. */
static int collect(const struct loader *loader, const struct node *node)
{
    static const char *const flows[] = {"flow", "else", "choose", "parallel", "setup", "teardown"};
    if (!node || node->kind == NODE_SCALAR)
        return 0;
    for (uint32_t i = 0; node->kind == NODE_LIST && i < node->count; i++)
        if (collect(loader, node->items[i]))
            return -1;
    if (node->kind == NODE_LIST)
        return 0;
    for (size_t i = 0; i < sizeof flows / sizeof flows[0]; i++)
        if (collect(loader, node_get(node, flows[i])))
            return -1;
    if (node_get(node, "call") && add_names(loader, node_get(node, "with")))
        return -1;
    return add_names(loader, node_get(node, "vars")) || add_names(loader, node_get(node, "save")) ||
                   add_names(loader, node_get(node, "set"))
               ? -1
               : 0;
}

int load_variables(const struct loader *loader, const struct node *root)
{
    const struct node *users = node_get(root, "users"), *flows = node_get(root, "flows");
    loader->scenario->variables = arena_alloc(loader->arena, VARIABLES_MAX * sizeof *loader->scenario->variables);
    if (collect(loader, root))
        return -1;
    for (uint32_t i = 0; flows && flows->kind == NODE_MAP && i < flows->count; i++)
        if (collect(loader, node_value(flows, i)))
            return -1;
    for (uint32_t i = 0; users && users->kind == NODE_MAP && i < users->count; i++)
        if (collect(loader, node_value(users, i)))
            return -1;
    return 0;
}

int read_expression(const struct loader *loader, const struct node *node, enum expression_place place,
                    const struct expression **ret_expression)
{
    struct expression_names names = loader_names(loader);
    uint32_t column = 1;
    if (node->kind != NODE_SCALAR || node_empty(node))
        return fail_at(loader, node, "an expression is missing here; write for example token != null");
    if (!expression_compile_named(node->text, place, &names, loader->arena, ret_expression, &column, loader->error))
        return 0;
    /* the usual reason why an expression in { } ends too early */
    if (strchr(node->text, '(') && !strchr(node->text, ')') && !node->quoted)
        error_set(loader->error,
                  "the expression '%.80s' has no ')'; within { } a comma ends a value: put quotes around the whole "
                  "expression",
                  node->text);
    return fail_prefix(loader, node, column);
}

static int read_text_template(const struct loader *loader, const struct node *node, const struct expression_names *names,
                              const struct template **ret)
{
    uint32_t column = 1;
    if (template_compile_named(node->text, names, loader->arena, ret, &column, loader->error))
        return fail_prefix(loader, node, column);
    return 0;
}

int read_assignments(const struct loader *loader, const struct node *node, enum expression_place place,
                     const struct assignment **ret_assignments, uint32_t *ret_count, uint64_t *ret_wants)
{
    struct expression_names names = loader_names(loader);
    if (read_map(loader, node, place == PLACE_SAVE ? "`save`" : "`set`",
                 place == PLACE_SAVE ? "save: { token: body.token }" : "set: { page: page + 1 }"))
        return -1;
    struct assignment *list = arena_alloc(loader->arena, node->count * sizeof *list);
    for (uint32_t i = 0; i < node->count; i++) {
        const struct node *value = node_value(node, i);
        list[i].variable = (uint32_t)find_variable(loader->scenario, node_key(node, i)->text);
        bool text = place != PLACE_SAVE && value->kind == NODE_SCALAR && value->text && strstr(value->text, "${");
        if (text ? read_text_template(loader, value, &names, &list[i].text)
                 : read_expression(loader, value, place, &list[i].expression))
            return -1;
        if (list[i].expression)
            *ret_wants |= expression_wants(list[i].expression);
    }
    *ret_assignments = list;
    *ret_count = node->count;
    return 0;
}

/* A number or a word of the language stands for itself; all else is a text. */
static bool is_literal(const struct node *node)
{
    const char *text = node->text;
    if (!text[0])
        return false;
    size_t digits = strspn(text + (text[0] == '-'), "0123456789.");
    bool number = digits > 0 && text[(text[0] == '-') + digits] == '\0' && isdigit((unsigned char)text[strlen(text) - 1]);
    return !node->quoted && (number || strcmp(text, "true") == 0 || strcmp(text, "false") == 0);
}

int load_sets(const struct loader *loader, struct user_class *class)
{
    static const struct expression_names none;
    const struct scenario *scenario = loader->scenario;
    const struct overrides *overrides = loader->overrides;
    if (!overrides->set_count)
        return 0;
    struct assignment *list = arena_alloc(loader->arena, (class->variable_count + overrides->set_count) * sizeof *list);
    if (class->variable_count)
        memcpy(list, class->variables, class->variable_count * sizeof *list);
    for (uint32_t i = 0; i < overrides->set_count; i++) {
        const char *name = overrides->sets[i].flag;
        struct node *value = arena_alloc(loader->arena, sizeof *value);
        *value = (struct node){.kind = NODE_SCALAR, .label = arena_printf(loader->arena, "--set %s", name), .text = overrides->sets[i].value};
        struct assignment *one = &list[class->variable_count + i];
        int variable = find_variable(scenario, name);
        const char *near = variable < 0 ? error_nearest(name, scenario->variables, scenario->variable_count, sizeof(char *)) : NULL;
        if (variable < 0)
            return fail_at(loader, value, "the scenario has no variable of that name%s%s%s", near ? "; did you mean " : "; name one under vars",
                           near ? near : "", near ? "?" : "");
        one->variable = (uint32_t)variable;
        if (is_literal(value) ? read_expression(loader, value, PLACE_TEMPLATE, &one->expression)
                              : read_text_template(loader, value, &none, &one->text))
            return -1;
    }
    class->variables = list;
    class->variable_count += overrides->set_count;
    return 0;
}

int read_initial_values(const struct loader *loader, const struct node *node, const struct assignment *before,
                        uint32_t before_count, const struct assignment **ret_assignments, uint32_t *ret_count)
{
    static const struct expression_names none;
    if (read_map(loader, node, "`vars`", "vars: { page: 1 }"))
        return -1;
    struct assignment *list = arena_alloc(loader->arena, (before_count + node->count) * sizeof *list);
    if (before_count)
        memcpy(list, before, before_count * sizeof *list);
    uint32_t count = before_count;
    for (uint32_t i = 0; i < node->count; i++) {
        const struct node *value = node_value(node, i);
        struct assignment *one = &list[count++];
        one->variable = (uint32_t)find_variable(loader->scenario, node_key(node, i)->text);
        if (value->kind != NODE_SCALAR)
            return fail_at(loader, value, "a variable begins as a number or a text; put quotes around JSON");
        if (node_empty(value))
            count--; /* null is what it is without this */
        else if (is_literal(value) ? read_expression(loader, value, PLACE_TEMPLATE, &one->expression)
                                   : read_text_template(loader, value, &none, &one->text))
            return -1;
    }
    *ret_assignments = list;
    *ret_count = count;
    return 0;
}
