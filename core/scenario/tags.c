/* Tags: names and fixed texts that reports carry beside a step, and those of them by which reports add steps up. */
#include "scenario/load.h"
#include <stdio.h>
#include <string.h>

struct tags tags_joined(const struct loader *loader, struct tags below, struct tags above)
{
    if (above.count == 0 || below.count == 0)
        return above.count ? above : below;
    struct tag *list = arena_alloc(loader->arena, (below.count + above.count) * sizeof *list);
    uint32_t count = below.count;
    memcpy(list, below.list, below.count * sizeof *list);
    for (uint32_t i = 0; i < above.count; i++) {
        uint32_t at = 0;
        while (at < count && strcmp(list[at].name, above.list[i].name) != 0)
            at++;
        list[at] = above.list[i];
        count += at == count;
    }
    return (struct tags){list, count};
}

int read_tags(const struct loader *loader, const struct node *node, struct tags *ret_tags)
{
    if (read_map(loader, node, "`tags`", "tags: { tier: gold }"))
        return -1;
    if (node->count > TAGS_MAX)
        return fail_at(loader, node, "too many tags; at most 16");
    struct tag *list = arena_alloc(loader->arena, node->count * sizeof *list);
    for (uint32_t i = 0; i < node->count; i++) {
        list[i].name = node_key(node, i)->text;
        if (read_shown_text(loader, node_value(node, i), &list[i].value))
            return -1;
    }
    *ret_tags = tags_joined(loader, *ret_tags, (struct tags){list, node->count});
    return 0;
}

const char *tags_value(const struct tags *tags, const char *name)
{
    for (uint32_t i = 0; i < tags->count; i++)
        if (strcmp(tags->list[i].name, name) == 0)
            return tags->list[i].value;
    return NULL;
}

/* ---- group-by ---- */

static bool has_name(const char *const *names, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

/* The names of the tags that measured steps have, each once. */
static uint32_t measured_names(const struct loader *loader, const char *const **ret_names)
{
    const struct scenario *scenario = loader->scenario;
    uint32_t count = 0, most = 0;
    for (uint32_t i = 0; i < scenario->series_count; i++)
        most += scenario->series[i].tags.count;
    const char **names = arena_alloc(loader->arena, (most + 1) * sizeof *names);
    for (uint32_t i = 0; i < scenario->series_count; i++) {
        const struct series_info *info = &scenario->series[i];
        for (uint32_t t = 0; info->measured && t < info->tags.count; t++)
            if (!has_name(names, count, info->tags.list[t].name))
                names[count++] = info->tags.list[t].name;
    }
    *ret_names = names;
    return count;
}

static int fail_unknown_tag(const struct loader *loader, const struct node *node, const char *name)
{
    const char *const *names;
    uint32_t count = measured_names(loader, &names);
    const char *nearest = error_nearest(name, names, count, sizeof names[0]);
    if (nearest)
        return fail_at(loader, node, "there is no tag `%.80s`; did you mean `%s`?", name, nearest);
    if (!count)
        return fail_at(loader, node,
                       "there is no tag `%.80s`, since no step of a flow has tags; write for example tags: { %.80s: ... } at a "
                       "target, a class of users or a step",
                       name, name);
    char list[400] = "";
    size_t len = 0;
    for (uint32_t i = 0; i < count && len < sizeof list; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", names[i]);
    return fail_at(loader, node, "there is no tag `%.80s`; there is %s", name, list);
}

static int add_group_tag(const struct loader *loader, const struct node *node)
{
    struct scenario *scenario = loader->scenario;
    const char *name, *const *names;
    if (read_text(loader, node, &name))
        return -1;
    if (has_name(scenario->group_tags, scenario->group_tag_count, name))
        return 0;
    uint32_t count = measured_names(loader, &names);
    if (!has_name(names, count, name))
        return fail_unknown_tag(loader, node, name);
    if (scenario->group_tag_count == GROUP_TAGS_MAX)
        return fail_at(loader, node, "too many tags to group by; at most %u", GROUP_TAGS_MAX);
    scenario->group_tags[scenario->group_tag_count++] = name;
    return 0;
}

int load_group_tags(const struct loader *loader, const struct node *node)
{
    const struct overrides *overrides = loader->overrides;
    bool list = node && node->kind == NODE_LIST;
    loader->scenario->group_tags = arena_alloc(loader->arena, GROUP_TAGS_MAX * sizeof *loader->scenario->group_tags);
    if (list && read_list(loader, node, "`group-by`", "group-by: [ service ]"))
        return -1;
    for (uint32_t i = 0; node && i < (list ? node->count : 1); i++)
        if (add_group_tag(loader, list ? node->items[i] : node))
            return -1;
    for (uint32_t i = 0; i < overrides->group_tag_count; i++)
        if (add_group_tag(loader, node_from_flag(loader->arena, overrides->group_tags[i].flag, overrides->group_tags[i].value)))
            return -1;
    return 0;
}
