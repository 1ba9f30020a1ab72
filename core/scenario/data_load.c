/* The `data` part of a scenario: which files, in which order, for whom; and whether there are rows enough. */
#include "scenario/keys.h"
#include "scenario/load.h"
#include <stdlib.h>
#include <string.h>

#define DATA_EXAMPLE "data: { people: people.csv }"

static const char *const orders[] = {"sequential", "shuffle", "random", NULL};
static const char *const scopes[] = {"shared", "per-user", "one-per-user", NULL};
static const char *const ends[] = {"recycle", "stop", NULL};

static int read_word(const struct loader *loader, const struct node *node, const char *what, const char *const *words, uint32_t *ret)
{
    const char *text, *list = "";
    uint32_t count = 0;
    if (read_text(loader, node, &text))
        return -1;
    for (; words[count]; count++) {
        if (strcmp(words[count], text) == 0) {
            *ret = count;
            return 0;
        }
        list = arena_printf(loader->arena, "%s%s%s", list, count ? ", " : "", words[count]);
    }
    const char *near = error_nearest(text, words, count, sizeof *words);
    return fail_at(loader, node, "'%.80s' is no %s; %s%s", shown_value(loader, node), what, near ? "did you mean " : "write one of ",
                   near ? near : list);
}

static int read_columns(const struct loader *loader, const struct node *node, const char ***ret_names)
{
    if (read_list(loader, node, "`columns`", "columns: [name, password]"))
        return -1;
    if (node->count > DATA_COLUMNS_MAX)
        return fail_at(loader, node, "too many columns; at most 1,000");
    *ret_names = arena_alloc(loader->arena, node->count * sizeof **ret_names);
    for (uint32_t i = 0; i < node->count; i++)
        if (read_text(loader, node->items[i], &(*ret_names)[i]))
            return -1;
    return 0;
}

/* csv: FILE and the like; with a scalar in its place the suffix decides. */
static int find_format(const struct loader *loader, const struct node *key, const struct node *node, enum data_format *ret,
                       const struct node **ret_file)
{
    static const char *const suffixes[] = {".csv", ".json", ".jsonl", ".ndjson"};
    const struct node *found = NULL;
    for (uint32_t i = 0; i <= DATA_JSONL && node->kind == NODE_MAP; i++) {
        const struct node *file = node_get(node, keys_of(PART_FEED)[i]);
        if (file && found)
            return fail_at(loader, file, "a feed has one file; keep one of csv, json and jsonl");
        if (file) {
            found = file;
            *ret = (enum data_format)i;
        }
    }
    const char *dot = node->kind == NODE_SCALAR && node->text ? strrchr(node->text, '.') : NULL;
    for (uint32_t i = 0; i < 4 && dot && !found; i++)
        if (strcmp(dot, suffixes[i]) == 0) {
            found = node;
            *ret = i < 3 ? (enum data_format)i : DATA_JSONL;
        }
    if (!found)
        return fail_at(loader, node, "the feed `%.80s` names no file that can be read; write %.80s: people.csv, or csv: FILE, json: FILE, jsonl: FILE",
                       key->text, key->text);
    *ret_file = found;
    return 0;
}

static int read_separator(const struct loader *loader, const struct node *node, struct data_feed *feed)
{
    const char *text;
    if (feed->table.format != DATA_CSV)
        return fail_at(loader, node, "`separator` belongs to csv; leave it out");
    if (read_text(loader, node, &text))
        return -1;
    if (strlen(text) != 1 || strchr("\"\r\n", text[0]) || (text[0] & 0x80))
        return fail_at(loader, node, "a separator is one character, such as \";\" or \"\\t\" in quotes");
    feed->table.separator = text[0];
    return 0;
}

static int read_feed_keys(const struct loader *loader, const struct node *node, struct data_feed *feed, const char ***ret_names)
{
    for (uint32_t i = 0; i < node->count; i++) {
        const struct node *key = node_key(node, i), *value = node_value(node, i);
        uint32_t k = 0, word = 0;
        while (keys_of(PART_FEED)[k] && strcmp(keys_of(PART_FEED)[k], key->text) != 0)
            k++;
        if (!keys_of(PART_FEED)[k])
            return fail_unknown_key(loader, key, "a feed", keys_of(PART_FEED));
        if (strcmp(key->text, "order") == 0) {
            if (read_word(loader, value, "order of rows", orders, &word))
                return -1;
            feed->order = (enum data_order)word;
        } else if (strcmp(key->text, "scope") == 0) {
            if (read_word(loader, value, "scope of a feed", scopes, &word))
                return -1;
            feed->scope = (enum data_scope)word;
        } else if (strcmp(key->text, "at-end") == 0) {
            if (read_word(loader, value, "end of a feed", ends, &word))
                return -1;
            feed->stop = word == 1;
        } else if (strcmp(key->text, "separator") == 0 && read_separator(loader, value, feed)) {
            return -1;
        } else if (strcmp(key->text, "columns") == 0) {
            if (feed->table.format != DATA_CSV)
                return fail_at(loader, key, "`columns` names those of a csv file without a header; leave it out");
            if (read_columns(loader, value, ret_names))
                return -1;
        }
    }
    if (feed->stop && feed->order == ORDER_RANDOM)
        return fail_at(loader, node_get(node, "at-end"), "rows drawn at random have no end to stop at; write order: shuffle, or leave at-end out");
    return 0;
}

static int load_feed(const struct loader *loader, const struct node *key, const struct node *node, struct data_feed *feed)
{
    const struct node *file = NULL;
    const char **names = NULL;
    char *path = NULL;
    *feed = (struct data_feed){.name = key->text, .table = {.separator = ','}};
    if (find_format(loader, key, node, &feed->table.format, &file) ||
        (node->kind == NODE_MAP && read_feed_keys(loader, node, feed, &names)) || read_text(loader, file, &feed->file))
        return -1;
    if (scenario_file(scenario_folder(loader), feed->file, &path, loader->error))
        return fail_prefix(loader, file, 0);
    feed->file = without_secrets(loader, feed->file);
    const struct node *columns = node_get(node, "columns");
    int status = data_open(&feed->table, path, feed->file, names, names ? columns->count : 0, loader->arena, loader->error);
    free(path);
    return status ? fail_prefix(loader, file, 0) : 0;
}

int load_feeds(const struct loader *loader, const struct node *node)
{
    struct scenario *scenario = loader->scenario;
    if (read_map(loader, node, "`data`", DATA_EXAMPLE))
        return -1;
    if (node->count > FEEDS_MAX)
        return fail_at(loader, node, "too many feeds; at most %u", FEEDS_MAX);
    scenario->feeds = arena_alloc(loader->arena, node->count * sizeof *scenario->feeds);
    for (uint32_t i = 0; i < node->count; i++) {
        const struct node *key = node_key(node, i);
        if (check_name(loader, key, "feed"))
            return -1;
        scenario->feed_count = i + 1; /* before it is whole: scenario_free closes it */
        if (load_feed(loader, key, node_value(node, i), &scenario->feeds[i]))
            return -1;
    }
    return 0;
}

/* Who reads a feed must find what it promises. */
static int check_stop(const struct loader *loader, const struct node *at, uint32_t i)
{
    struct scenario *scenario = loader->scenario;
    const struct data_feed *feed = &scenario->feeds[i];
    uint64_t users = scenario_users(scenario);
    if (feed->scope == SCOPE_ONE_PER_USER && users > feed->table.rows)
        return fail_at(loader, at, "%.200s has %llu rows for %llu users, and each keeps one; add rows, or write at-end: recycle", feed->file,
                       (unsigned long long)feed->table.rows, (unsigned long long)users);
    for (uint32_t l = 0; l < scenario->load_count && feed->scope == SCOPE_PER_USER; l++)
        if (!scenario->loads[l].closed && load_reads(scenario, &scenario->loads[l], i))
            return fail_at(loader, at, "a load of a rate does not choose its users, so none of them can come to an end of its own rows; write at-end: "
                                       "recycle, or scope: shared");
    return 0;
}

int check_feeds(const struct loader *loader, const struct node *node)
{
    for (uint32_t i = 0; i < loader->scenario->feed_count; i++)
        if (loader->scenario->feeds[i].stop && check_stop(loader, node_get(node_value(node, i), "at-end"), i))
            return -1;
    return 0;
}
