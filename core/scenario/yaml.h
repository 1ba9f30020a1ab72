/*
 * A YAML document as a tree that remembers where each node stood, so that every complaint can say file, line and
 * column. Bounded in size, depth and number of nodes, aliases counted as if they were written out.
 */
#ifndef SQUALL_SCENARIO_YAML_H
#define SQUALL_SCENARIO_YAML_H
#include "base/arena.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define YAML_BYTES_MAX (4u << 20)
#define YAML_DEPTH_MAX 64u
#define YAML_NODES_MAX 200000u
#define YAML_PAIRS_MAX 1000u /* of one map: finding a duplicate key looks at all before it */

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    const char *label;     /* a command line flag in place of a file position, or NULL */
    const char *file;      /* as yaml_parse was told; NULL: none */
    uint32_t line, column; /* 1-based */
    bool quoted;           /* a quoted scalar is a text even when it is empty */
    bool exact;            /* text stands in the file as it reads, on one line: text[i] is at column + quoted + i */
    const char *text;      /* scalar: NUL-terminated, holds no other NUL */
    struct node **items;   /* list: count items; map: count pairs, key and value in turn */
    uint32_t count;
    uint32_t size, height; /* of the tree below, aliases written out */
};

/* `file` is for messages, and lives as long as the tree, which is the arena's. */
int yaml_parse(const char *text, size_t len, const char *file, struct arena *arena, const struct node **ret_node,
               struct error *error);

/* The value of a key, or NULL; map may be NULL or another kind of node. */
const struct node *node_get(const struct node *map, const char *key);
static inline const struct node *node_key(const struct node *map, uint32_t i)
{
    return map->items[2 * i];
}
static inline const struct node *node_value(const struct node *map, uint32_t i)
{
    return map->items[2 * i + 1];
}
/* Nothing was written: `key:` alone, or ~, or null. */
bool node_empty(const struct node *node);

#endif
