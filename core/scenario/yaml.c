/*
 * YAML text to a tree of nodes, from libyaml's events: its own document tree has no limits to set. What must stay
 * true: any input ends in a tree within the limits of yaml.h or in an error with a position, and the work is linear
 * in the input.
 */
#include "scenario/yaml.h"
#include "base/exit_code.h"
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define ANCHORS_MAX 1000u

struct anchor {
    const char *name;
    struct node *node; /* NULL while the anchored node is still being read */
};

struct reader {
    yaml_parser_t parser;
    const char *file;
    const char *text;
    size_t len;
    struct arena *arena;
    struct error *error;
    struct anchor anchors[ANCHORS_MAX];
    uint32_t anchor_count;
    uint32_t node_count; /* written out: what the limit counts */
};

static struct node *read_node(struct reader *reader, yaml_event_t *event, uint32_t depth);

static int fail(struct reader *reader, yaml_mark_t mark, const char *what)
{
    return error_set(reader->error, "%s:%zu:%zu: %s", reader->file, mark.line + 1, mark.column + 1, what);
}

static struct node *fail_node(struct reader *reader, yaml_mark_t mark, const char *what)
{
    fail(reader, mark, what);
    return NULL;
}

/* libyaml's words, with what to do where the cause is a common one. */
static int fail_syntax(struct reader *reader)
{
    yaml_parser_t *parser = &reader->parser;
    yaml_mark_t mark = parser->problem_mark;
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    if (parser->error == YAML_READER_ERROR) {
        size_t offset = parser->problem_offset < reader->len ? parser->problem_offset : reader->len;
        mark.line = 0;
        mark.column = 0;
        for (size_t i = 0; i < offset; i++) {
            bool newline = reader->text[i] == '\n';
            mark.line += newline;
            mark.column = newline ? 0 : mark.column + 1;
        }
        return error_set(reader->error, "%s:%zu:%zu: %s; save the file as UTF-8 text", reader->file, mark.line + 1,
                         mark.column + 1, problem);
    }
    if (mark.index < reader->len && reader->text[mark.index] == '\t')
        return fail(reader, mark, "a tab; YAML indents with spaces");
    return error_set(reader->error,
                     "%s:%zu:%zu: not YAML: %s%s%s; check the indentation, and put quotes around text that holds any "
                     "of : # { } [ ] ,",
                     reader->file, mark.line + 1, mark.column + 1, problem, parser->context ? " " : "",
                     parser->context ? parser->context : "");
}

static int next_event(struct reader *reader, yaml_event_t *ret_event)
{
    return yaml_parser_parse(&reader->parser, ret_event) ? 0 : fail_syntax(reader);
}

static struct node *new_node(struct reader *reader, enum node_kind kind, yaml_mark_t mark, uint32_t depth)
{
    if (depth > YAML_DEPTH_MAX)
        return fail_node(reader, mark, "nested too deeply; at most 64 levels");
    if (++reader->node_count > YAML_NODES_MAX)
        return fail_node(reader, mark, "the file holds too many values; at most 200,000, aliases written out");
    struct node *node = arena_alloc(reader->arena, sizeof *node);
    node->kind = kind;
    node->file = reader->file;
    node->line = (uint32_t)mark.line + 1;
    node->column = (uint32_t)mark.column + 1;
    node->size = 1;
    return node;
}

static struct anchor *find_anchor(struct reader *reader, const char *name)
{
    for (uint32_t i = reader->anchor_count; i-- > 0;)
        if (strcmp(reader->anchors[i].name, name) == 0)
            return &reader->anchors[i];
    return NULL;
}

/* Registers the name before its node is read, so that an alias inside of it is seen to be circular. */
static int open_anchor(struct reader *reader, const yaml_char_t *name, yaml_mark_t mark, struct anchor **ret_anchor)
{
    *ret_anchor = NULL;
    if (!name)
        return 0;
    if (reader->anchor_count == ANCHORS_MAX)
        return fail(reader, mark, "too many anchors; at most 1,000");
    struct anchor *anchor = &reader->anchors[reader->anchor_count++];
    anchor->name = arena_copy(reader->arena, name, strlen((const char *)name));
    anchor->node = NULL;
    *ret_anchor = anchor;
    return 0;
}

static struct node *read_alias(struct reader *reader, const yaml_event_t *event, uint32_t depth)
{
    const struct anchor *anchor = find_anchor(reader, (const char *)event->data.alias.anchor);
    if (!anchor)
        return fail_node(reader, event->start_mark,
                         "an alias (*name) without an anchor (&name) before it; define the anchor first, or put quotes "
                         "around the text");
    if (!anchor->node)
        return fail_node(reader, event->start_mark, "an alias inside of its own anchor; write the value out");
    if (depth + anchor->node->height > YAML_DEPTH_MAX)
        return fail_node(reader, event->start_mark, "nested too deeply; at most 64 levels");
    if (anchor->node->size > YAML_NODES_MAX - reader->node_count)
        return fail_node(reader, event->start_mark,
                         "the file holds too many values; at most 200,000, aliases written out");
    reader->node_count += anchor->node->size;
    return anchor->node;
}

static struct node *read_scalar(struct reader *reader, const yaml_event_t *event, uint32_t depth)
{
    const yaml_mark_t start = event->start_mark, end = event->end_mark;
    size_t len = event->data.scalar.length;
    yaml_scalar_style_t style = event->data.scalar.style;
    struct node *node = new_node(reader, NODE_SCALAR, start, depth);
    if (!node)
        return NULL;
    if (memchr(event->data.scalar.value, '\0', len))
        return fail_node(reader, start, "the text holds a NUL character; leave it out");
    node->text = arena_copy(reader->arena, event->data.scalar.value, len);
    node->quoted = style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    bool block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
    size_t quotes = node->quoted ? 2 : 0;
    node->exact = !block && start.line == end.line && end.index - start.index == len + quotes;
    return node;
}

struct item {
    struct node *node;
    struct item *next;
};

static void close_container(struct node *node, struct arena *arena, const struct item *first, uint32_t count)
{
    node->items = arena_alloc(arena, count * sizeof *node->items);
    for (uint32_t i = 0; i < count; i++, first = first->next) {
        node->items[i] = first->node;
        node->size += first->node->size;
        if (first->node->height >= node->height)
            node->height = first->node->height + 1;
    }
}

static int check_key(struct reader *reader, const struct node *key, const struct item *first, uint32_t count)
{
    yaml_mark_t mark = {.line = key->line - 1, .column = key->column - 1};
    if (key->kind != NODE_SCALAR)
        return fail(reader, mark, "a key must be a word; put quotes around text that begins with { or [");
    if (strcmp(key->text, "<<") == 0 && !key->quoted)
        return fail(reader, mark, "merge keys (<<) are not part of the language; write the keys out");
    if (count / 2 >= YAML_PAIRS_MAX)
        return fail(reader, mark, "too many keys in one map; at most 1,000");
    for (uint32_t i = 0; i < count; i += 2, first = first->next->next)
        if (strcmp(first->node->text, key->text) == 0)
            return error_set(reader->error, "%s:%u:%u: `%s` stands twice, first on line %u; keep one of them",
                             reader->file, key->line, key->column, key->text, first->node->line);
    return 0;
}

static struct node *read_container(struct reader *reader, const yaml_event_t *event, uint32_t depth)
{
    bool map = event->type == YAML_MAPPING_START_EVENT;
    yaml_event_type_t end = map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    struct node *node = new_node(reader, map ? NODE_MAP : NODE_LIST, event->start_mark, depth);
    struct item *first = NULL, **last = &first;
    uint32_t count = 0;
    if (!node)
        return NULL;
    for (;;) {
        yaml_event_t child;
        if (next_event(reader, &child))
            return NULL;
        if (child.type == end) {
            yaml_event_delete(&child);
            break;
        }
        struct item *item = arena_alloc(reader->arena, sizeof *item);
        item->node = read_node(reader, &child, depth + 1);
        yaml_event_delete(&child);
        if (!item->node || (map && count % 2 == 0 && check_key(reader, item->node, first, count)))
            return NULL;
        *last = item;
        last = &item->next;
        count++;
    }
    close_container(node, reader->arena, first, count);
    node->count = map ? count / 2 : count;
    return node;
}

static struct node *read_node(struct reader *reader, yaml_event_t *event, uint32_t depth)
{
    const yaml_char_t *tag = NULL, *name = NULL;
    struct anchor *anchor;
    struct node *node;
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(reader, event, depth);
    if (event->type == YAML_SCALAR_EVENT) {
        tag = event->data.scalar.tag;
        name = event->data.scalar.anchor;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        tag = event->data.mapping_start.tag;
        name = event->data.mapping_start.anchor;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        tag = event->data.sequence_start.tag;
        name = event->data.sequence_start.anchor;
    }
    if (tag)
        return fail_node(reader, event->start_mark,
                         "tags (!name) are not part of the language; leave it out, or put quotes around the text");
    if (open_anchor(reader, name, event->start_mark, &anchor))
        return NULL;
    node = event->type == YAML_SCALAR_EVENT ? read_scalar(reader, event, depth) : read_container(reader, event, depth);
    if (anchor)
        anchor->node = node;
    return node;
}

static int read_document(struct reader *reader, const struct node **ret_node)
{
    static const yaml_event_type_t before[] = {YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT};
    yaml_event_t event;
    struct node *node;
    for (size_t i = 0; i < 2; i++) {
        if (next_event(reader, &event))
            return -1;
        yaml_event_type_t type = event.type;
        yaml_event_delete(&event);
        if (type != before[i])
            return error_set(reader->error, "%s:1:1: the file is empty; begin it with `squall: 1`", reader->file);
    }
    if (next_event(reader, &event))
        return -1;
    node = read_node(reader, &event, 0);
    yaml_event_delete(&event);
    if (!node || next_event(reader, &event)) /* the document's end */
        return -1;
    yaml_event_delete(&event);
    if (next_event(reader, &event))
        return -1;
    yaml_event_type_t type = event.type;
    yaml_mark_t mark = event.start_mark;
    yaml_event_delete(&event);
    if (type != YAML_STREAM_END_EVENT)
        return fail(reader, mark, "a second document (---) in one file; give each scenario a file of its own");
    *ret_node = node;
    return 0;
}

int yaml_parse(const char *text, size_t len, const char *file, struct arena *arena, const struct node **ret_node,
               struct error *error)
{
    if (len > YAML_BYTES_MAX)
        return error_set(error, "%s:1:1: the file is larger than 4 MiB; a scenario is text that someone reads", file);
    struct reader *reader = xcalloc(1, sizeof *reader);
    *reader = (struct reader){.file = file, .text = text, .len = len, .arena = arena, .error = error};
    if (!yaml_parser_initialize(&reader->parser)) {
        free(reader);
        return error_set_code(error, EXIT_CODE_INTERNAL, "%s: out of memory", file);
    }
    yaml_parser_set_encoding(&reader->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)text, len);
    int result = read_document(reader, ret_node);
    yaml_parser_delete(&reader->parser);
    free(reader);
    return result;
}

const struct node *node_get(const struct node *map, const char *key)
{
    if (!map || map->kind != NODE_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->count; i++)
        if (strcmp(node_key(map, i)->text, key) == 0)
            return node_value(map, i);
    return NULL;
}

bool node_empty(const struct node *node)
{
    if (node->kind != NODE_SCALAR)
        return node->count == 0;
    return !node->quoted && (node->text[0] == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}
