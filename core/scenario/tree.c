/* Trees of values as JSON text. See tree.h. What must stay true: parts alternate, text and hole in turn, text first. */
#include "scenario/tree.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One scalar that varies. */
struct hole {
    const struct expression *expression; /* or NULL: */
    const struct template *template;
};

struct tree {
    struct squall_bytes *texts; /* hole_count + 1 */
    struct hole *holes;
    uint32_t hole_count;
    uint64_t text_len; /* of all texts */
    bool secret;
};

struct compiler {
    const struct loader *loader;
    struct expression_names names;
    struct buffer text; /* since the last hole */
    struct squall_bytes texts[TREE_HOLES_MAX + 1];
    struct hole holes[TREE_HOLES_MAX];
    uint32_t hole_count;
    bool secret;
};

/* ---- JSON text ---- */

static const char *short_escape(uint8_t byte)
{
    switch (byte) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

static uint64_t string_size(struct squall_bytes bytes)
{
    uint64_t size = 2;
    for (uint64_t i = 0; i < bytes.len; i++)
        size += short_escape(bytes.data[i]) ? 2 : bytes.data[i] < ' ' ? 6 : 1;
    return size;
}

static uint8_t *write_string(uint8_t *out, struct squall_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    *out++ = '"';
    for (uint64_t i = 0; i < bytes.len; i++) {
        const char *escape = short_escape(bytes.data[i]);
        if (escape) {
            *out++ = (uint8_t)escape[0];
            *out++ = (uint8_t)escape[1];
        } else if (bytes.data[i] < ' ') {
            memcpy(out, "\\u00", 4);
            out[4] = (uint8_t)digits[bytes.data[i] >> 4];
            out[5] = (uint8_t)digits[bytes.data[i] & 15];
            out += 6;
        } else {
            *out++ = bytes.data[i];
        }
    }
    *out++ = '"';
    return out;
}

static void append_string(struct buffer *out, struct squall_bytes bytes)
{
    uint8_t *room = buffer_reserve(out, string_size(bytes));
    out->len += (size_t)(write_string(room, bytes) - room);
}

static struct squall_bytes bytes_of(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

/* A number by the grammar of RFC 8259 6, which YAML's plain scalars are held to as well: 007 and 0x10 are texts. */
static bool is_number(const char *text)
{
    text += *text == '-';
    if (!isdigit((unsigned char)*text) || (*text == '0' && isdigit((unsigned char)text[1])))
        return false;
    while (isdigit((unsigned char)*text))
        text++;
    if (*text == '.') {
        if (!isdigit((unsigned char)*++text))
            return false;
        while (isdigit((unsigned char)*text))
            text++;
    }
    if (*text == 'e' || *text == 'E') {
        text += 1 + (text[1] == '+' || text[1] == '-');
        if (!isdigit((unsigned char)*text))
            return false;
        while (isdigit((unsigned char)*text))
            text++;
    }
    return *text == '\0';
}

/* ---- compiling ---- */

static int add_hole(struct compiler *compiler, const struct node *node, struct hole hole)
{
    struct arena *arena = compiler->loader->arena;
    if (compiler->hole_count == TREE_HOLES_MAX)
        return fail_at(compiler->loader, node, "too many values with ${...} in one tree; at most %u", TREE_HOLES_MAX);
    compiler->texts[compiler->hole_count] = (struct squall_bytes){
        (const uint8_t *)arena_copy(arena, (const char *)compiler->text.data, compiler->text.len), compiler->text.len};
    compiler->holes[compiler->hole_count++] = hole;
    compiler->text.len = 0;
    return 0;
}

static int add_template(struct compiler *compiler, const struct node *node)
{
    const struct loader *loader = compiler->loader;
    const struct expression *expression = NULL;
    const struct template *template = NULL;
    uint32_t column = 1;
    if (template_expression(node->text, &compiler->names, loader->arena, &expression, &column, loader->error))
        return fail_prefix(loader, node, column);
    if (expression) {
        compiler->secret = compiler->secret || expression_secret(expression);
        return add_hole(compiler, node, (struct hole){.expression = expression});
    }
    if (template_compile_named(node->text, &compiler->names, loader->arena, &template, &column, loader->error))
        return fail_prefix(loader, node, column);
    compiler->secret = compiler->secret || template_secret(template);
    if (!template_constant(template))
        return add_hole(compiler, node, (struct hole){.template = template});
    struct eval eval = {0};
    append_string(&compiler->text, template_render(template, &eval));
    return 0;
}

static int add_scalar(struct compiler *compiler, const struct node *node)
{
    if (strstr(node->text, "${"))
        return add_template(compiler, node);
    if (node_empty(node))
        buffer_append(&compiler->text, "null", 4);
    else if (!node->quoted &&
             (strcmp(node->text, "true") == 0 || strcmp(node->text, "false") == 0 || is_number(node->text)))
        buffer_append(&compiler->text, node->text, strlen(node->text));
    else
        append_string(&compiler->text, bytes_of(node->text));
    return 0;
}

/* {a:1} is YAML for a key "a:1" that has no value, and never meant. */
static bool lacks_space(const struct node *key, const struct node *value)
{
    const char *colon = key->quoted ? NULL : strchr(key->text, ':');
    return colon && colon > key->text && colon[1] && value->kind == NODE_SCALAR && !value->quoted && !value->text[0];
}

static int fail_no_space(const struct loader *loader, const struct node *key)
{
    int len = (int)strcspn(key->text, ":");
    return fail_at(loader, key, "`%.80s` has no value: behind a colon YAML wants a space, as in %.*s: %.40s", key->text,
                   len < 40 ? len : 40, key->text, key->text + len + 1);
}

/* yaml.h bounds the depth. */
static int add_node(struct compiler *compiler, const struct node *node)
{
    struct buffer *text = &compiler->text;
    if (node->kind == NODE_SCALAR)
        return add_scalar(compiler, node);
    bool map = node->kind == NODE_MAP;
    buffer_append(text, map ? "{" : "[", 1);
    for (uint32_t i = 0; i < node->count; i++) {
        if (i > 0)
            buffer_append(text, ",", 1);
        if (map && strstr(node_key(node, i)->text, "${"))
            return fail_at(compiler->loader, node_key(node, i),
                           "names are the same in every exchange; use ${...} in values only");
        if (map && lacks_space(node_key(node, i), node_value(node, i)))
            return fail_no_space(compiler->loader, node_key(node, i));
        if (map) {
            append_string(text, bytes_of(node_key(node, i)->text));
            buffer_append(text, ":", 1);
        }
        if (add_node(compiler, map ? node_value(node, i) : node->items[i]))
            return -1;
    }
    buffer_append(text, map ? "}" : "]", 1);
    return 0;
}

static struct tree *tree_of(struct compiler *compiler)
{
    struct arena *arena = compiler->loader->arena;
    uint32_t count = compiler->hole_count;
    struct tree *tree = arena_alloc(arena, sizeof *tree);
    compiler->texts[count] = (struct squall_bytes){
        (const uint8_t *)arena_copy(arena, (const char *)compiler->text.data, compiler->text.len), compiler->text.len};
    tree->texts = arena_alloc(arena, (count + 1) * sizeof *tree->texts);
    memcpy(tree->texts, compiler->texts, (count + 1) * sizeof *tree->texts);
    tree->holes = arena_alloc(arena, (count + 1) * sizeof *tree->holes);
    memcpy(tree->holes, compiler->holes, count * sizeof *tree->holes);
    tree->hole_count = count;
    tree->secret = compiler->secret;
    for (uint32_t i = 0; i <= count; i++)
        tree->text_len += tree->texts[i].len;
    return tree;
}

int tree_compile(const struct loader *loader, const struct node *node, const struct tree **ret_tree)
{
    struct compiler *compiler = xcalloc(1, sizeof *compiler);
    compiler->loader = loader;
    compiler->names = loader_names(loader);
    int result = add_node(compiler, node);
    if (result == 0)
        *ret_tree = tree_of(compiler);
    buffer_fini(&compiler->text);
    free(compiler);
    return result;
}

bool tree_constant(const struct tree *tree)
{
    return tree->hole_count == 0;
}

bool tree_secret(const struct tree *tree)
{
    return tree->secret;
}

/* ---- writing ---- */

/* What stands in a hole: a text to be quoted, or JSON as it is. */
struct filling {
    struct squall_bytes bytes;
    bool quoted;
};

static struct filling fill(const struct hole *hole, const struct eval *eval)
{
    struct value value;
    if (!hole->expression)
        return (struct filling){template_render(hole->template, eval), true};
    expression_evaluate(hole->expression, eval, &value);
    if (value.type == VALUE_NULL || (value.type == VALUE_NUMBER && !isfinite(value.number)))
        return (struct filling){bytes_of("null"), false};
    return (struct filling){value_text(&value, eval->scratch), value.type == VALUE_STRING && !value.json};
}

static struct squall_tree write_tree(const struct tree *tree, const struct filling *fillings, struct arena *arena)
{
    uint64_t size = tree->text_len;
    for (uint32_t i = 0; i < tree->hole_count; i++)
        size += fillings[i].quoted ? string_size(fillings[i].bytes) : fillings[i].bytes.len;
    uint8_t *data = arena_alloc(arena, size + 1), *at = data;
    struct squall_hole *holes = arena_alloc(arena, (tree->hole_count + 1) * sizeof *holes);
    for (uint32_t i = 0; i <= tree->hole_count; i++) {
        memcpy(at, tree->texts[i].data, tree->texts[i].len);
        at += tree->texts[i].len;
        if (i == tree->hole_count)
            break;
        holes[i].at = (uint64_t)(at - data);
        if (fillings[i].quoted) {
            at = write_string(at, fillings[i].bytes);
        } else {
            memcpy(at, fillings[i].bytes.data, fillings[i].bytes.len);
            at += fillings[i].bytes.len;
        }
        holes[i].len = (uint64_t)(at - data) - holes[i].at;
    }
    *at = '\0';
    return (struct squall_tree){{data, (uint64_t)(at - data)}, holes, tree->hole_count};
}

struct squall_tree tree_blank(const struct tree *tree, struct arena *arena)
{
    struct filling fillings[TREE_HOLES_MAX];
    for (uint32_t i = 0; i < tree->hole_count; i++)
        fillings[i] = (struct filling){bytes_of("null"), false};
    return write_tree(tree, fillings, arena);
}

struct squall_tree tree_render(const struct tree *tree, const struct eval *eval)
{
    struct filling fillings[TREE_HOLES_MAX];
    for (uint32_t i = 0; i < tree->hole_count; i++)
        fillings[i] = fill(&tree->holes[i], eval);
    return write_tree(tree, fillings, eval->scratch);
}
