/* Feeds and their columns as expressions name them. */
#include "scenario/data.h"
#include <string.h>

int feed_find(const struct expression_names *names, const char *name)
{
    for (uint32_t i = 0; names && i < names->feed_count; i++)
        if (strcmp(names->feeds[i].name, name) == 0)
            return (int)i;
    return -1;
}

static int check_use(const struct expression_names *names, const struct data_feed *feed, struct error *error)
{
    if (names->feed_use == FEEDS_NOWHERE)
        return error_set(error, "`%s` has no row here, since rows belong to journeys and users; read it in the flow or the setup of a class",
                         feed->name);
    if (names->feed_use == FEEDS_IN_SETUP && feed->scope == SCOPE_SHARED && feed->stop)
        return error_set(error, "`%s` gives each row to one journey, and this is none; write scope: one-per-user there, or read it in the flow",
                         feed->name);
    return 0;
}

static int fail_column(const struct data_feed *feed, const char *name, struct arena *arena, struct error *error)
{
    const struct data_table *table = &feed->table;
    const char **names = arena_alloc(arena, (table->column_count + 1) * sizeof *names), *list = "";
    for (uint32_t i = 0; i < table->column_count; i++) {
        names[i] = arena_copy(arena, table->columns[i].name.data, table->columns[i].name.len);
        if (i < 10)
            list = arena_printf(arena, "%s%s%.60s", list, i ? ", " : "", names[i]);
    }
    const char *near = error_nearest(name, names, table->column_count, sizeof *names);
    if (near)
        return error_set(error, "%.200s has no column '%.80s'; did you mean `%s.%.80s`?", feed->file, name, feed->name, near);
    return error_set(error, "%.200s has no column '%.80s'; it has %s%s", feed->file, name, list, table->column_count > 10 ? ", ..." : "");
}

int feed_column(const struct expression_names *names, uint32_t feed_index, const struct json_step *step, struct arena *arena, uint32_t *ret_column,
                struct error *error)
{
    const struct data_feed *feed = &names->feeds[feed_index];
    if (!step || step->kind != JSON_MEMBER)
        return error_set(error, "`%s` is a feed; write the column behind it, %s.NAME or %s[\"any name\"]", feed->name, feed->name, feed->name);
    if (check_use(names, feed, error))
        return -1;
    for (uint32_t i = 0; i < feed->table.column_count; i++) {
        const struct squall_bytes *name = &feed->table.columns[i].name;
        if (name->len && name->len == step->name.len && memcmp(name->data, step->name.data, name->len) == 0) {
            *ret_column = i;
            if (names->feeds_read)
                *names->feeds_read |= UINT64_C(1) << feed_index;
            return 0;
        }
    }
    return fail_column(feed, arena_copy(arena, step->name.data, step->name.len), arena, error);
}
