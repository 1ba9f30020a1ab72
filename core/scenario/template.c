/*
 * Texts with ${...} in them. A template is a row of parts, each a fixed text or an expression; constant parts are
 * joined when it is compiled, so that one without variables costs nothing to render.
 */
#include "scenario/expression_tree.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 256u

struct part {
    struct squall_bytes fixed; /* when expression is NULL */
    const struct expression *expression;
};

struct template
{
    const char *text;
    struct part *parts;
    uint32_t part_count;
    bool constant, secret; /* constant: one fixed part, NUL behind it */
};

struct compiler {
    const char *text;
    const struct expression_names *names;
    struct arena *arena;
    struct error *error;
    const char *where; /* of an error */
    struct part parts[PARTS_MAX];
    uint32_t count;
    bool constant, secret;
};

static int fail(struct compiler *compiler, const char *where)
{
    compiler->where = where;
    return -1;
}

static int add_part(struct compiler *compiler, struct part part, const char *where)
{
    if (compiler->count == PARTS_MAX) {
        error_set(compiler->error, "too many ${...} in one text; at most 127");
        return fail(compiler, where);
    }
    compiler->parts[compiler->count++] = part;
    return 0;
}

static int add_fixed(struct compiler *compiler, const char *data, size_t len)
{
    struct part part = {.fixed = {(const uint8_t *)arena_copy(compiler->arena, data, len), len}};
    return len ? add_part(compiler, part, data) : 0;
}

/* The '}' that ends an expression: braces within quotes do not count. NULL: there is none. */
static const char *expression_end(const char *text)
{
    char quote = 0;
    for (; *text; text++) {
        if (quote && *text == '\\' && text[1])
            text++;
        else if (quote)
            quote = *text == quote ? 0 : quote;
        else if (*text == '"' || *text == '\'')
            quote = *text;
        else if (*text == '}')
            return text;
    }
    return NULL;
}

/* "env.NAME:-" at the start: the length of NAME, else 0. */
static size_t default_form(const char *text)
{
    size_t len = 0;
    if (strncmp(text, "env.", 4) != 0)
        return 0;
    while (isalnum((unsigned char)text[4 + len]) || text[4 + len] == '_')
        len++;
    return strncmp(text + 4 + len, ":-", 2) == 0 ? len : 0;
}

/* ${env.NAME:-default}: the default is plain text up to the closing brace; braces in it come in pairs. */
static int add_default(struct compiler *compiler, const char *text, size_t name_len, const char **ret_end)
{
    const char *start = text + 4 + name_len + 2, *end = start;
    for (int depth = 0; *end && (depth > 0 || *end != '}'); end++)
        depth += *end == '{' ? 1 : *end == '}' ? -1 : 0;
    if (!*end) {
        error_set(compiler->error, "this ${ has no }; close it");
        return fail(compiler, text - 2);
    }
    const char *value = getenv(arena_copy(compiler->arena, text + 4, name_len));
    *ret_end = end;
    return value && *value ? add_fixed(compiler, value, strlen(value))
                           : add_fixed(compiler, start, (size_t)(end - start));
}

static int add_expression(struct compiler *compiler, const char *text, const char **ret_end)
{
    const char *end = expression_end(text);
    uint32_t column;
    if (!end) {
        error_set(compiler->error, "this ${ has no }; close it, or write $${ for the text ${");
        return fail(compiler, text - 2);
    }
    const struct expression *expression;
    if (expression_compile_named(arena_copy(compiler->arena, text, (size_t)(end - text)), PLACE_TEMPLATE,
                                 compiler->names, compiler->arena, &expression, &column, compiler->error))
        return fail(compiler, text + column - 1);
    *ret_end = end;
    compiler->secret = compiler->secret || expression_secret(expression);
    if (expression_constant(expression)) {
        struct eval eval = {.scratch = compiler->arena};
        struct value value;
        expression_evaluate(expression, &eval, &value);
        struct squall_bytes bytes = value_text(&value, compiler->arena);
        return add_fixed(compiler, (const char *)bytes.data, bytes.len);
    }
    compiler->constant = false;
    return add_part(compiler, (struct part){.expression = expression}, text);
}

static int compile_parts(struct compiler *compiler)
{
    const char *text = compiler->text;
    while (*text) {
        const char *at = strstr(text, "${");
        if (!at)
            return add_fixed(compiler, text, strlen(text));
        if (at > text && at[-1] == '$') { /* $${ stands for ${ */
            if (add_fixed(compiler, text, (size_t)(at - text - 1)) || add_fixed(compiler, "${", 2))
                return -1;
            text = at + 2;
            continue;
        }
        if (add_fixed(compiler, text, (size_t)(at - text)))
            return -1;
        text = at + 2;
        size_t name_len = default_form(text);
        if (name_len ? add_default(compiler, text, name_len, &text) : add_expression(compiler, text, &text))
            return -1;
        text++;
    }
    return 0;
}

static struct squall_bytes join_parts(const struct part *parts, uint32_t count, struct arena *arena)
{
    uint64_t len = 0;
    for (uint32_t i = 0; i < count; i++)
        len += parts[i].fixed.len;
    uint8_t *data = arena_take(arena, len + 1), *end = data;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].fixed.len)
            memcpy(end, parts[i].fixed.data, parts[i].fixed.len);
        end += parts[i].fixed.len;
    }
    *end = '\0';
    return (struct squall_bytes){data, len};
}

int template_compile(const char *text, struct arena *arena, const struct template **ret, uint32_t *ret_column,
                     struct error *error)
{
    return template_compile_named(text, NULL, arena, ret, ret_column, error);
}

int template_compile_named(const char *text, const struct expression_names *names, struct arena *arena,
                           const struct template **ret, uint32_t *ret_column, struct error *error)
{
    struct compiler compiler = {
        .text = text, .names = names, .arena = arena, .error = error, .where = text, .constant = true};
    if (compile_parts(&compiler)) {
        /* add_fixed may name a place outside of the text, when a value from elsewhere found no room */
        bool inside = compiler.where >= text && compiler.where <= text + strlen(text);
        *ret_column = inside ? (uint32_t)(compiler.where - text) + 1 : 1;
        return -1;
    }
    struct template *template = arena_alloc(arena, sizeof *template);
    *template = (struct template){
        .text = arena_copy(arena, text, strlen(text)), .constant = compiler.constant, .secret = compiler.secret};
    template->part_count = compiler.constant ? 1 : compiler.count;
    template->parts = arena_alloc(arena, template->part_count * sizeof *template->parts);
    if (compiler.constant)
        template->parts[0].fixed = join_parts(compiler.parts, compiler.count, arena);
    else
        memcpy(template->parts, compiler.parts, compiler.count * sizeof *template->parts);
    *ret = template;
    return 0;
}

int template_expression(const char *text, const struct expression_names *names, struct arena *arena,
                        const struct expression **ret, uint32_t *ret_column, struct error *error)
{
    if (strncmp(text, "${", 2) != 0 || default_form(text + 2))
        return 0;
    const char *end = expression_end(text + 2);
    if (!end || end[1])
        return 0;
    int result = expression_compile_named(arena_copy(arena, text + 2, (size_t)(end - text - 2)), PLACE_TEMPLATE, names,
                                          arena, ret, ret_column, error);
    *ret_column += 2;
    return result;
}

struct squall_bytes template_render(const struct template *template, const struct eval *eval)
{
    if (template->constant)
        return template->parts[0].fixed;
    struct part rendered[PARTS_MAX];
    for (uint32_t i = 0; i < template->part_count; i++) {
        const struct part *part = &template->parts[i];
        if (part->expression) {
            struct value value;
            expression_evaluate(part->expression, eval, &value);
            rendered[i].fixed = value_text(&value, eval->scratch);
        } else {
            rendered[i].fixed = part->fixed;
        }
    }
    return join_parts(rendered, template->part_count, eval->scratch);
}

bool template_constant(const struct template *template)
{
    return template->constant;
}

bool template_secret(const struct template *template)
{
    return template->secret;
}

const char *template_text(const struct template *template)
{
    return template->text;
}
