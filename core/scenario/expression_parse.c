/*
 * Text to expression tree, by precedence climbing. Depth and number of nodes are bounded, since the tree is walked
 * recursively. Types are checked as far as they are known; a constant expression is reduced to its value.
 */
#include "base/secret.h"
#include "scenario/data.h"
#include "scenario/expression_lex.h"
#include "scenario/expression_path.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PARENTHESES_MAX 64u
#define NODES_MAX       512u

struct parser {
    const char *text, *cursor;
    enum expression_place place;
    const struct expression_names *names; /* may be NULL */
    struct arena *arena;
    struct error *error;
    struct token token; /* the one to look at */
    const char *where;  /* of an error */
    uint32_t depth, nodes;
};

static const struct operator_row {
    const char *text;
    uint32_t strength;
} operators[OPERATOR_COUNT] = {
#define OPERATOR_ROW(name, text, strength) {text, strength},
    OPERATORS(OPERATOR_ROW)
#undef OPERATOR_ROW
};

static const char *const type_names[] = {"nothing (null)", "true or false", "a number", "a text", "a value"};

static struct expression *parse_binary(struct parser *parser, uint32_t strength);

static struct expression *fail(struct parser *parser, const char *where)
{
    parser->where = where;
    return NULL;
}

static int advance(struct parser *parser)
{
    return expression_token(&parser->cursor, parser->arena, &parser->token, &parser->where, parser->error);
}

static struct expression *new_node(struct parser *parser, enum expression_kind kind, uint32_t argument_count)
{
    if (++parser->nodes > NODES_MAX) {
        error_set(parser->error, "the expression is too long; use several shorter ones");
        return fail(parser, parser->token.start);
    }
    struct expression *node = arena_alloc(parser->arena, sizeof *node);
    node->kind = kind;
    node->type = TYPE_ANY;
    node->constant = true;
    node->argument_count = argument_count;
    node->arguments = arena_alloc(parser->arena, argument_count * sizeof *node->arguments);
    return node;
}

static void set_argument(struct expression *node, uint32_t i, const struct expression *argument)
{
    node->arguments[i] = argument;
    node->constant = node->constant && argument->constant;
    node->secret = node->secret || argument->secret;
    node->wants |= argument->wants;
}

static struct expression *new_literal(struct parser *parser, struct value value)
{
    struct expression *node = new_node(parser, EXPRESSION_LITERAL, 0);
    if (node) {
        node->literal = value;
        node->type = (enum static_type)value.type;
    }
    return node;
}

static struct expression *parse_environment(struct parser *parser, const char *name, const char *where)
{
    bool secret = strncmp(name, "secret.", 7) == 0;
    const char *variable = strchr(name, '.') + 1;
    const char *text = secret ? NULL : getenv(variable);
    if (secret && secret_get(variable, &text, parser->error))
        return fail(parser, where);
    if (!text) {
        error_set(parser->error, "the environment variable %s is not set; set it, or write ${env.%s:-a default}", variable, variable);
        return fail(parser, where);
    }
    struct value value = {.type = VALUE_STRING,
                          .string = {(const uint8_t *)arena_copy(parser->arena, text, strlen(text)), strlen(text)}};
    struct expression *node = new_literal(parser, value);
    if (node)
        node->secret = secret;
    return node;
}

static struct expression *fail_unknown(struct parser *parser, const char *name, const char *where)
{
    const struct expression_names none = {0}, *more = parser->names ? parser->names : &none;
    uint32_t known = expression_function_count, count = known + more->count + more->feed_count;
    const char **names = arena_alloc(parser->arena, count * sizeof *names);
    for (uint32_t i = 0; i < count; i++)
        names[i] = i < known                 ? expression_functions[i].name
                   : i < known + more->count ? more->list[i - known]
                                             : more->feeds[i - known - more->count].name;
    const char *near = error_nearest(name, names, count, sizeof names[0]), *rest = "";
    if (!near && strchr(name, '.')) { /* a path: the fault may be in what it begins with */
        near = error_nearest(arena_copy(parser->arena, name, strcspn(name, ".")), names, count, sizeof names[0]);
        rest = strchr(name, '.');
    }
    if (near)
        error_set(parser->error, "`%s` is not known; did you mean `%s%s`? Text needs quotes", name, near, rest);
    else
        error_set(parser->error, "`%s` is not known; put quotes around text, or see docs/scenario.md for the names",
                  name);
    return fail(parser, where);
}

static const struct function *find_function(const char *name)
{
    for (uint32_t i = 0; i < expression_function_count; i++)
        if (strcmp(expression_functions[i].name, name) == 0)
            return &expression_functions[i];
    return NULL;
}

static int check_argument(struct parser *parser, const struct function *function, uint32_t i,
                          const struct expression *argument, const char *where)
{
    size_t letters = strlen(function->arguments);
    char letter = function->arguments[i < letters ? i : letters - 1];
    enum static_type wanted = letter == 's' ? TYPE_STRING : letter == 'n' ? TYPE_NUMBER : TYPE_ANY;
    if (wanted == TYPE_ANY || argument->type == TYPE_ANY || argument->type == wanted)
        return 0;
    parser->where = where;
    return error_set(parser->error, "`%s` takes %s here, not %s; write %s", function->name, type_names[wanted],
                     type_names[argument->type], function->usage);
}

static struct expression *set_function(struct expression *node, const struct function *function)
{
    node->function = function;
    node->type = function->type;
    node->wants |= function->wants;
    return node;
}

/* The value with the steps behind it; the value itself when there are none. */
static struct expression *new_path(struct parser *parser, struct expression *value, const struct json_step *steps, uint32_t count)
{
    if (!value || count == 0)
        return value;
    struct expression *node = new_node(parser, EXPRESSION_PATH, 1);
    if (!node)
        return NULL;
    set_argument(node, 0, value);
    struct json_step *path = arena_alloc(parser->arena, count * sizeof *path);
    memcpy(path, steps, count * sizeof *path);
    node->path = path;
    node->path_length = count;
    return node;
}

static struct expression *parse_path(struct parser *parser, struct expression *value)
{
    struct json_step steps[JSON_PATH_MAX];
    uint32_t count = 0;
    if (value && expression_path(&parser->cursor, parser->arena, steps, &count, &parser->where, parser->error))
        return NULL;
    return new_path(parser, value, steps, count);
}

/* A feed's name, with its column and a path into that behind it. */
static struct expression *parse_column(struct parser *parser, uint32_t feed, const char *where, size_t len)
{
    struct json_step steps[JSON_PATH_MAX];
    uint32_t count = 0, column = 0;
    parser->cursor = where + len;
    parser->where = where;
    if (expression_path(&parser->cursor, parser->arena, steps, &count, &parser->where, parser->error))
        return NULL;
    if (feed_column(parser->names, feed, count ? &steps[0] : NULL, parser->arena, &column, parser->error)) {
        parser->where = where;
        return NULL;
    }
    struct expression *node = new_node(parser, EXPRESSION_COLUMN, 0);
    if (!node)
        return NULL;
    node->constant = false;
    node->type = TYPE_ANY;
    node->feed = &parser->names->feeds[feed];
    node->variable = feed;
    node->column = column;
    node = new_path(parser, node, steps + 1, count - 1);
    return !node || advance(parser) ? NULL : node;
}

/* What can be known to be wrong is said now, and not by a null in every exchange. */
static int check_constants(struct parser *parser, const struct expression *call)
{
    struct value values[ARGUMENTS_MAX];
    struct eval eval = {.scratch = parser->arena};
    for (uint32_t i = 0; i < call->argument_count; i++) {
        if (!call->arguments[i]->constant)
            return 0;
        expression_evaluate(call->arguments[i], &eval, &values[i]);
    }
    return call->function->check(values, parser->error);
}

/* Behind the name's "(": up to its ")". */
static struct expression *parse_call(struct parser *parser, const struct function *function, const char *where)
{
    const struct expression *arguments[ARGUMENTS_MAX];
    uint32_t count = 0;
    if (advance(parser))
        return NULL;
    for (bool more = parser->token.kind != TOKEN_CLOSE; more && count < function->argument_max;) {
        const char *start = parser->token.start;
        arguments[count] = parse_binary(parser, 1);
        if (!arguments[count] || check_argument(parser, function, count, arguments[count], start))
            return NULL;
        count++;
        more = parser->token.kind == TOKEN_COMMA;
        if (more && advance(parser))
            return NULL;
    }
    if (parser->token.kind != TOKEN_CLOSE || count < function->argument_min) {
        error_set(parser->error, "`%s` is not called rightly; write %s", function->name, function->usage);
        return fail(parser, where);
    }
    struct expression *node = new_node(parser, EXPRESSION_FUNCTION, count);
    if (!node)
        return NULL;
    node->constant = function->constant;
    for (uint32_t i = 0; i < count; i++)
        set_argument(node, i, arguments[i]);
    set_function(node, function);
    if (function->prepare && function->prepare(node, parser->arena, &node->prepared, parser->error))
        return fail(parser, where);
    if (function->check && check_constants(parser, node))
        return fail(parser, where);
    if (function->path)
        node = parse_path(parser, node);
    return !node || advance(parser) ? NULL : node;
}

static bool check_place(struct parser *parser, const struct function *function, const char *name, const char *where)
{
    if (function->places & (1u << parser->place))
        return true;
    error_set(parser->error,
              parser->place == PLACE_CHECK
                  ? "`%s` has no place in a check; compare parts of the answer, such as status or latency"
                  : "`%s` is known only when an answer is there: in a check or in save; save what is needed of it into a variable",
              name);
    parser->where = where;
    return false;
}

static struct expression *parse_function(struct parser *parser, const char *name, const char *where)
{
    const struct function *function = find_function(name);
    struct expression *node;
    if (!function)
        return fail_unknown(parser, name, where);
    if (!check_place(parser, function, name, where))
        return NULL;
    bool open = parser->token.kind == TOKEN_OPEN;
    if (open != (function->arguments != NULL)) {
        error_set(parser->error, open ? "`%s` takes no parentheses; write %s" : "`%s` needs parentheses; write %s",
                  function->name, function->usage);
        return fail(parser, where);
    }
    if (open)
        return parse_call(parser, function, where);
    node = new_node(parser, EXPRESSION_FUNCTION, 0);
    if (!node)
        return NULL;
    node->constant = function->constant;
    return set_function(node, function);
}

/* A variable, a feed or `body`, with the path behind it. *ret_known: false when the name is none of them. */
static struct expression *parse_value_with_path(struct parser *parser, bool *ret_known)
{
    const char *where = parser->token.start;
    size_t len = 0;
    while (len < parser->token.len && where[len] != '.')
        len++;
    const char *name = arena_copy(parser->arena, where, len);
    uint32_t variable = 0, count = parser->names ? parser->names->count : 0;
    while (variable < count && strcmp(parser->names->list[variable], name) != 0)
        variable++;
    if (where[len] == '(') /* a function may have a variable's name */
        variable = count;
    int feed = where[len] == '(' ? -1 : feed_find(parser->names, name);
    if (feed >= 0) {
        *ret_known = true;
        return parse_column(parser, (uint32_t)feed, where, len);
    }
    bool body = strcmp(name, "body") == 0 && (where[len] == '.' || where[len] == '[');
    *ret_known = variable < count || body;
    if (!*ret_known)
        return NULL;
    const struct function *function = body ? find_function("body") : NULL;
    if (function && !check_place(parser, function, name, where))
        return NULL;
    struct expression *node = new_node(parser, body ? EXPRESSION_FUNCTION : EXPRESSION_VARIABLE, 0);
    if (!node)
        return NULL;
    node->constant = false;
    node->variable = variable;
    if (function)
        set_function(node, function);
    parser->cursor = where + len;
    node = parse_path(parser, node);
    return !node || advance(parser) ? NULL : node;
}

static struct expression *parse_name(struct parser *parser)
{
    const char *where = parser->token.start;
    const char *name = arena_copy(parser->arena, where, parser->token.len);
    bool known;
    struct expression *node = parse_value_with_path(parser, &known);
    if (known)
        return node;
    if (advance(parser))
        return NULL;
    if (strcmp(name, "true") == 0 || strcmp(name, "false") == 0)
        return new_literal(parser, (struct value){.type = VALUE_BOOL, .boolean = name[0] == 't'});
    if (strcmp(name, "null") == 0)
        return new_literal(parser, (struct value){.type = VALUE_NULL});
    if (strncmp(name, "env.", 4) == 0 || strncmp(name, "secret.", 7) == 0)
        return parse_environment(parser, name, where);
    return parse_function(parser, name, where);
}

static struct expression *parse_parentheses(struct parser *parser)
{
    const char *where = parser->token.start;
    if (advance(parser))
        return NULL;
    struct expression *node = parse_binary(parser, 1);
    if (!node)
        return NULL;
    if (parser->token.kind != TOKEN_CLOSE) {
        error_set(parser->error, "this ( has no ); close it");
        return fail(parser, where);
    }
    return advance(parser) ? NULL : node;
}

static struct expression *parse_unary(struct parser *parser, enum operator_kind kind, uint32_t strength,
                                      enum static_type type)
{
    const char *where = parser->token.start;
    if (advance(parser))
        return NULL;
    struct expression *operand = parse_binary(parser, strength);
    struct expression *node = operand ? new_node(parser, EXPRESSION_UNARY, 1) : NULL;
    if (!node)
        return NULL;
    if (operand->type != TYPE_ANY && operand->type != type) {
        error_set(parser->error, "`%s` needs %s, not %s", operators[kind].text, type_names[type],
                  type_names[operand->type]);
        return fail(parser, where);
    }
    node->operator_kind = kind;
    node->type = type;
    set_argument(node, 0, operand);
    return node;
}

static struct expression *parse_operand(struct parser *parser)
{
    struct token token = parser->token;
    if (token.kind == TOKEN_NUMBER || token.kind == TOKEN_STRING) {
        struct value value = {.type = token.kind == TOKEN_NUMBER ? VALUE_NUMBER : VALUE_STRING,
                              .number = token.number,
                              .string = token.string};
        struct expression *literal = advance(parser) ? NULL : new_literal(parser, value);
        if (literal)
            literal->bare = token.kind == TOKEN_NUMBER && token.bare;
        return literal;
    }
    if (token.kind == TOKEN_NAME)
        return parse_name(parser);
    if (token.kind == TOKEN_OPEN)
        return parse_parentheses(parser);
    if (token.kind == TOKEN_OPERATOR && token.operator_kind == OPERATOR_SUBTRACT)
        return parse_unary(parser, OPERATOR_NEGATE, 6, TYPE_NUMBER);
    if (token.kind == TOKEN_OPERATOR && token.operator_kind == OPERATOR_NOT)
        return parse_unary(parser, OPERATOR_NOT, 3, TYPE_BOOL);
    if (token.kind == TOKEN_END)
        error_set(parser->error, "the expression ends too early; write a value here");
    else
        error_set(parser->error, "'%.*s' stands where a value should", (int)token.len, token.start);
    return fail(parser, token.start);
}

static bool is_status(const struct expression *node)
{
    return node->kind == EXPRESSION_FUNCTION && node->function == expression_status;
}

static bool is_duration(const struct expression *node)
{
    return node->kind == EXPRESSION_FUNCTION && (strcmp(node->function->name, "latency") == 0 || strcmp(node->function->name, "service") == 0);
}

static bool is_digits(const struct expression *node)
{
    const struct squall_bytes *text = &node->literal.string;
    if (node->kind != EXPRESSION_LITERAL || node->type != TYPE_STRING || !text->len)
        return false;
    for (uint64_t i = 0; i < text->len; i++)
        if (text->data[i] < '0' || text->data[i] > '9')
            return false;
    return true;
}

/* Comparisons that are well typed and never what was meant. */
static bool check_meant(struct parser *parser, const struct expression *a, const struct expression *b, const char *where)
{
    if (is_duration(a) && b->bare)
        error_set(parser->error, "%s is a duration, and %.15g has no unit; write %.15gms, %.15gs or %.15gus", a->function->name,
                  b->literal.number, b->literal.number, b->literal.number, b->literal.number);
    else if (is_status(a) && is_digits(b))
        error_set(parser->error, "a status of digits is a number; write %.*s without quotes", (int)b->literal.string.len, b->literal.string.data);
    else
        return true;
    parser->where = where;
    return false;
}

/* Sets the type that the operator gives; false with the error set when it does not fit its operands. */
static bool check_types(struct parser *parser, struct expression *node, const char *where)
{
    const struct expression *a = node->arguments[0], *b = node->arguments[1];
    enum operator_kind kind = node->operator_kind;
    bool known = a->type != TYPE_ANY && b->type != TYPE_ANY;
    bool fits = true;
    if (kind == OPERATOR_AND || kind == OPERATOR_OR) {
        node->type = TYPE_BOOL;
        fits = (a->type == TYPE_ANY || a->type == TYPE_BOOL) && (b->type == TYPE_ANY || b->type == TYPE_BOOL);
    } else if (kind < OPERATOR_ADD) {
        node->type = TYPE_BOOL;
        bool equality = kind == OPERATOR_EQUAL || kind == OPERATOR_NOT_EQUAL;
        bool by_name = (is_status(a) && b->type == TYPE_STRING) || (is_status(b) && a->type == TYPE_STRING);
        bool null = a->type == TYPE_NULL || b->type == TYPE_NULL;
        if (!check_meant(parser, a, b, where) || !check_meant(parser, b, a, where))
            return false;
        fits = !known || by_name || (null && equality) || (a->type == b->type && (equality || a->type != TYPE_BOOL));
    } else if (kind == OPERATOR_ADD) {
        node->type = a->type != TYPE_ANY ? a->type : b->type;
        fits = (!known || a->type == b->type) && node->type != TYPE_BOOL && node->type != TYPE_NULL;
    } else {
        node->type = TYPE_NUMBER;
        fits = (a->type == TYPE_ANY || a->type == TYPE_NUMBER) && (b->type == TYPE_ANY || b->type == TYPE_NUMBER);
    }
    if (!fits) {
        error_set(parser->error, "`%s` cannot join %s and %s; %s", operators[kind].text, type_names[a->type],
                  type_names[b->type],
                  kind < OPERATOR_EQUAL ? "write a comparison on both sides, such as status == 200"
                                        : "both sides must be of one kind");
        parser->where = where;
    }
    return fits;
}

static struct expression *parse_binary(struct parser *parser, uint32_t strength)
{
    if (++parser->depth > PARENTHESES_MAX * 2) {
        error_set(parser->error, "nested too deeply; use several shorter expressions");
        return fail(parser, parser->token.start);
    }
    struct expression *left = parse_operand(parser);
    while (left && parser->token.kind == TOKEN_OPERATOR) {
        enum operator_kind kind = parser->token.operator_kind;
        const char *where = parser->token.start;
        if (operators[kind].strength == 0 || operators[kind].strength < strength)
            break;
        if (advance(parser))
            return NULL;
        struct expression *right = parse_binary(parser, operators[kind].strength + 1);
        struct expression *node = right ? new_node(parser, EXPRESSION_BINARY, 2) : NULL;
        if (!node)
            return NULL;
        node->operator_kind = kind;
        set_argument(node, 0, left);
        set_argument(node, 1, right);
        if (!check_types(parser, node, where))
            return NULL;
        left = node;
    }
    parser->depth--;
    return left;
}

static struct expression *parse_whole(struct parser *parser)
{
    if (advance(parser))
        return NULL;
    struct expression *node = parse_binary(parser, 1);
    if (!node)
        return NULL;
    if (parser->token.kind != TOKEN_END) {
        error_set(parser->error, "'%.*s' stands where the expression should end or go on with a sign such as == or and",
                  (int)parser->token.len, parser->token.start);
        return fail(parser, parser->token.start);
    }
    bool truth = parser->place == PLACE_CHECK || parser->place == PLACE_CONDITION;
    if (truth && node->type != TYPE_BOOL && node->type != TYPE_ANY) {
        error_set(parser->error, "a %s must be true or false, and this is %s; compare it with something, such as %s",
                  parser->place == PLACE_CHECK ? "check" : "condition", type_names[node->type],
                  parser->place == PLACE_CHECK ? "status == 200" : "iteration == 0");
        return fail(parser, parser->text);
    }
    return node;
}

int expression_compile(const char *text, enum expression_place place, struct arena *arena,
                       const struct expression **ret, uint32_t *ret_column, struct error *error)
{
    return expression_compile_named(text, place, NULL, arena, ret, ret_column, error);
}

bool expression_name_taken(const char *name)
{
    static const char *const words[] = {"true", "false", "null", "and", "or", "not", "env", "secret"};
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i], name) == 0)
            return true;
    for (uint32_t i = 0; i < expression_function_count; i++) {
        const char *taken = expression_functions[i].name;
        if (strncmp(taken, name, len) != 0)
            continue;
        if (taken[len] == '.' || (taken[len] == '\0' && !expression_functions[i].arguments))
            return true;
    }
    return false;
}

int expression_compile_named(const char *text, enum expression_place place, const struct expression_names *names,
                             struct arena *arena, const struct expression **ret, uint32_t *ret_column,
                             struct error *error)
{
    struct parser parser = {.text = text,
                            .cursor = text,
                            .place = place,
                            .names = names,
                            .arena = arena,
                            .error = error,
                            .where = text};
    struct expression *node = parse_whole(&parser);
    if (!node) {
        *ret_column = (uint32_t)(parser.where - text) + 1;
        return -1;
    }
    if (node->constant && node->kind != EXPRESSION_LITERAL) {
        struct eval eval = {.scratch = arena};
        expression_evaluate(node, &eval, &node->literal);
        node->kind = EXPRESSION_LITERAL;
    }
    *ret = node;
    return 0;
}
