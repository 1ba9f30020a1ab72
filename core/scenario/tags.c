/* Tags: names and fixed texts that reports carry beside a step. */
#include "scenario/load.h"
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
