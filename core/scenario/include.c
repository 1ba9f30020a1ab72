/*
 * `include`: parts of a scenario that stand in files of their own. Their maps are joined with the scenario's before anything
 * is read, and each node remembers its file, so that all behind this sees one document.
 */
#include "scenario/keys.h"
#include "scenario/load.h"
#include <stdlib.h>
#include <string.h>

#define INCLUDES_MAX 32u
#define PARTS_MAX    8u /* that an included file may add to the root */

struct includer {
    const struct loader *loader;
    struct node *root;                /* what all is joined to */
    const char *paths[INCLUDES_MAX];  /* read already: each file once */
    uint32_t count;
};

static int include_all(struct includer *includer, const struct node *list);

/* A copy of the map with room for more pairs. */
static struct node *longer_map(struct arena *arena, const struct node *map, uint32_t more)
{
    struct node *copy = arena_alloc(arena, sizeof *copy);
    *copy = *map;
    copy->items = arena_alloc(arena, 2 * ((size_t)map->count + more) * sizeof *copy->items);
    if (map->count)
        memcpy(copy->items, map->items, 2 * (size_t)map->count * sizeof *copy->items);
    return copy;
}

static int join_part(struct includer *includer, const struct node *key, const struct node *more)
{
    const struct loader *loader = includer->loader;
    struct node *root = includer->root;
    uint32_t at = 0;
    if (more->kind != NODE_MAP)
        return fail_at(loader, more, "`%s` of an included file must be a map of names and values", key->text);
    while (at < root->count && strcmp(node_key(root, at)->text, key->text) != 0)
        at++;
    if (at == root->count) { /* room for every part was made */
        root->items[2 * at] = (struct node *)(uintptr_t)key;
        root->items[2 * at + 1] = longer_map(loader->arena, more, 0);
        root->count++;
        return 0;
    }
    if (node_value(root, at)->kind != NODE_MAP)
        return fail_at(loader, node_value(root, at), "`%s` must be a map of names and values, since %s has some too", key->text, key->file);
    if (node_value(root, at)->count + more->count > YAML_PAIRS_MAX)
        return fail_at(loader, more, "`%s` has more than 1,000 entries with those of other files; use fewer", key->text);
    struct node *joined = longer_map(loader->arena, node_value(root, at), more->count);
    for (uint32_t i = 0; i < more->count; i++) {
        if (node_get(joined, node_key(more, i)->text))
            return fail_at(loader, node_key(more, i), "`%.80s` stands in `%s` of another file too; give one of them another name",
                           node_key(more, i)->text, key->text);
        joined->items[2 * joined->count] = more->items[2 * i];
        joined->items[2 * joined->count + 1] = more->items[2 * i + 1];
        joined->count++;
    }
    root->items[2 * at + 1] = joined;
    return 0;
}

static int join(struct includer *includer, const struct node *document)
{
    const struct loader *loader = includer->loader;
    const struct node *version = node_get(document, "squall");
    if (document->kind != NODE_MAP)
        return fail_at(loader, document, "an included file is a map of keys and values; begin it with `squall: 1`");
    if (!version || version->kind != NODE_SCALAR || strcmp(version->text, "1") != 0)
        return fail_at(loader, version ? version : document, "an included file begins with the version of the language: `squall: 1`");
    for (uint32_t i = 0; i < document->count; i++) {
        const struct node *key = node_key(document, i);
        uint32_t k = 0;
        while (keys_of(PART_INCLUDED)[k] && strcmp(keys_of(PART_INCLUDED)[k], key->text) != 0)
            k++;
        if (!keys_of(PART_INCLUDED)[k])
            return fail_unknown_key(loader, key, "an included file", keys_of(PART_INCLUDED));
        if (k >= 2 && join_part(includer, key, node_value(document, i)))
            return -1;
    }
    return include_all(includer, node_get(document, "include"));
}

static int include_file(struct includer *includer, const struct node *node)
{
    const struct loader *loader = includer->loader;
    const char *name;
    char *path = NULL, *text = NULL;
    size_t len = 0;
    const struct node *document;
    if (read_text(loader, node, &name))
        return -1;
    if (scenario_file(scenario_folder(loader), name, &path, loader->error))
        return fail_prefix(loader, node, 0);
    const char *kept = arena_copy(loader->arena, path, strlen(path));
    free(path);
    for (uint32_t i = 0; i < includer->count; i++)
        if (strcmp(includer->paths[i], kept) == 0)
            return 0;
    if (includer->count == INCLUDES_MAX)
        return fail_at(loader, node, "too many included files; at most %u", INCLUDES_MAX);
    includer->paths[includer->count++] = kept;
    if (scenario_read(kept, &text, &len, loader->error))
        return fail_prefix(loader, node, 0);
    int status = yaml_parse(text, len, arena_printf(loader->arena, "%s%s", scenario_folder(loader), name), loader->arena, &document, loader->error);
    free(text);
    return status ? -1 : join(includer, document);
}

static int include_all(struct includer *includer, const struct node *list)
{
    if (!list)
        return 0;
    if (list->kind == NODE_SCALAR)
        return include_file(includer, list);
    if (read_list(includer->loader, list, "`include`", "include: [ common.yaml ]"))
        return -1;
    for (uint32_t i = 0; i < list->count; i++)
        if (include_file(includer, list->items[i]))
            return -1;
    return 0;
}

int load_includes(const struct loader *loader, const struct node **root)
{
    struct includer includer = {.loader = loader};
    char *self = NULL;
    if (!node_get(*root, "include"))
        return 0;
    self = realpath(loader->file, NULL); /* NULL: the text did not come from a file */
    if (self)
        includer.paths[includer.count++] = arena_copy(loader->arena, self, strlen(self));
    free(self);
    includer.root = longer_map(loader->arena, *root, PARTS_MAX);
    if (include_all(&includer, node_get(*root, "include")))
        return -1;
    *root = includer.root;
    return 0;
}
