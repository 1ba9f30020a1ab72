/*
 * Walks a compiled expression. What must stay true: it never fails. A value of the wrong type, a division by zero or a
 * missing part of an answer gives null; a null on either side of a comparison makes it false, unless the other side is
 * the word `null` itself; `and` and `or` take all but true for false.
 */
#include "scenario/data.h"
#include "scenario/expression_functions.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_true(const struct value *value)
{
    return value->type == VALUE_BOOL && value->boolean;
}

static int compare_strings(const struct squall_bytes *a, const struct squall_bytes *b)
{
    uint64_t len = a->len < b->len ? a->len : b->len;
    int order = len ? memcmp(a->data, b->data, len) : 0;
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static bool ordered(enum operator_kind kind, int order)
{
    switch (kind) {
    case OPERATOR_EQUAL:
        return order == 0;
    case OPERATOR_NOT_EQUAL:
        return order != 0;
    case OPERATOR_LESS:
        return order < 0;
    case OPERATOR_LESS_EQUAL:
        return order <= 0;
    case OPERATOR_GREATER:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool null_literal(const struct expression *expression)
{
    return expression->kind == EXPRESSION_LITERAL && expression->literal.type == VALUE_NULL;
}

/* `status` beside a string means the code's name. */
static void status_as_name(const struct expression *side, const struct value *other, const struct eval *eval,
                           struct value *value)
{
    if (other->type != VALUE_STRING || side->kind != EXPRESSION_FUNCTION || side->function != expression_status ||
        !eval->answer)
        return;
    const char *name = eval->answer->code_name;
    *value = (struct value){.type = name ? VALUE_STRING : VALUE_NULL};
    if (name)
        value->string = (struct squall_bytes){(const uint8_t *)name, strlen(name)};
}

static void compare(const struct expression *expression, const struct eval *eval, struct value *ret)
{
    const struct expression *left = expression->arguments[0], *right = expression->arguments[1];
    enum operator_kind kind = expression->operator_kind;
    struct value a, b;
    expression_evaluate(left, eval, &a);
    expression_evaluate(right, eval, &b);
    status_as_name(left, &b, eval, &a);
    status_as_name(right, &a, eval, &b);
    if (null_literal(left) || null_literal(right))
        set_bool(ret, (kind == OPERATOR_EQUAL && a.type == b.type) || (kind == OPERATOR_NOT_EQUAL && a.type != b.type));
    else if (a.type != b.type || a.type == VALUE_NULL)
        set_bool(ret, false);
    else if (a.type == VALUE_NUMBER)
        set_bool(ret, ordered(kind, (a.number > b.number) - (a.number < b.number)));
    else if (a.type == VALUE_STRING)
        set_bool(ret, ordered(kind, compare_strings(&a.string, &b.string)));
    else if (kind == OPERATOR_EQUAL || kind == OPERATOR_NOT_EQUAL)
        set_bool(ret, (a.boolean == b.boolean) == (kind == OPERATOR_EQUAL));
    else
        set_bool(ret, false);
}

static void join(const struct value *a, const struct value *b, const struct eval *eval, struct value *ret)
{
    uint64_t len = a->string.len + b->string.len;
    *ret = (struct value){.type = VALUE_NULL};
    if (len > TEXT_MAX)
        return;
    uint8_t *data = arena_take(eval->scratch, len + 1);
    if (a->string.len)
        memcpy(data, a->string.data, a->string.len);
    if (b->string.len)
        memcpy(data + a->string.len, b->string.data, b->string.len);
    data[len] = '\0';
    *ret = (struct value){.type = VALUE_STRING, .string = {data, len}};
}

static double calculate(enum operator_kind kind, double a, double b)
{
    switch (kind) {
    case OPERATOR_ADD:
        return a + b;
    case OPERATOR_SUBTRACT:
        return a - b;
    case OPERATOR_MULTIPLY:
        return a * b;
    case OPERATOR_DIVIDE:
        return a / b;
    default:
        return fmod(a, b);
    }
}

static void arithmetic(const struct expression *expression, const struct eval *eval, struct value *ret)
{
    struct value a, b;
    expression_evaluate(expression->arguments[0], eval, &a);
    expression_evaluate(expression->arguments[1], eval, &b);
    if (expression->operator_kind == OPERATOR_ADD && a.type == VALUE_STRING && b.type == VALUE_STRING) {
        join(&a, &b, eval, ret);
        return;
    }
    *ret = (struct value){.type = VALUE_NULL};
    if (a.type != VALUE_NUMBER || b.type != VALUE_NUMBER)
        return;
    double number =
        b.number == 0 && (expression->operator_kind == OPERATOR_DIVIDE || expression->operator_kind == OPERATOR_MODULO)
            ? NAN
            : calculate(expression->operator_kind, a.number, b.number);
    if (isfinite(number))
        *ret = (struct value){.type = VALUE_NUMBER, .number = number};
}

static void binary(const struct expression *expression, const struct eval *eval, struct value *ret)
{
    enum operator_kind kind = expression->operator_kind;
    if (kind == OPERATOR_AND || kind == OPERATOR_OR) {
        struct value value;
        expression_evaluate(expression->arguments[0], eval, &value);
        if (is_true(&value) == (kind == OPERATOR_AND))
            expression_evaluate(expression->arguments[1], eval, &value);
        set_bool(ret, is_true(&value));
    } else if (kind >= OPERATOR_ADD) {
        arithmetic(expression, eval, ret);
    } else {
        compare(expression, eval, ret);
    }
}

static void unary(const struct expression *expression, const struct eval *eval, struct value *ret)
{
    struct value value;
    expression_evaluate(expression->arguments[0], eval, &value);
    *ret = (struct value){.type = VALUE_NULL};
    if (expression->operator_kind == OPERATOR_NOT && value.type == VALUE_BOOL)
        set_bool(ret, !value.boolean);
    else if (expression->operator_kind == OPERATOR_NEGATE && value.type == VALUE_NUMBER)
        *ret = (struct value){.type = VALUE_NUMBER, .number = -value.number};
}

static void call(const struct expression *expression, const struct eval *eval, struct value *ret)
{
    struct value arguments[ARGUMENTS_MAX];
    for (uint32_t i = 0; i < expression->argument_count; i++)
        expression_evaluate(expression->arguments[i], eval, &arguments[i]);
    *ret = (struct value){.type = VALUE_NULL};
    if (expression->prepared)
        expression->function->evaluate_prepared(expression->prepared, arguments, ret);
    else
        expression->function->evaluate(eval, arguments, expression->argument_count, ret);
}

static void follow(const struct expression *expression, const struct eval *eval, struct value *ret)
{
    struct value value;
    struct squall_bytes raw;
    expression_evaluate(expression->arguments[0], eval, &value);
    *ret = (struct value){.type = VALUE_NULL};
    if (value.type == VALUE_STRING && json_find(value.string, expression->path, expression->path_length, &raw))
        json_value(raw, eval->scratch, ret);
}

void expression_evaluate(const struct expression *expression, const struct eval *eval, struct value *ret)
{
    switch (expression->kind) {
    case EXPRESSION_LITERAL:
        *ret = expression->literal;
        break;
    case EXPRESSION_VARIABLE:
        *ret = eval->variables ? eval->variables[expression->variable] : (struct value){.type = VALUE_NULL};
        break;
    case EXPRESSION_COLUMN:
        *ret = (struct value){.type = VALUE_NULL};
        if (eval->rows)
            data_cell(&expression->feed->table, eval->rows[expression->variable], expression->column, eval->scratch, ret);
        break;
    case EXPRESSION_FUNCTION:
        if (expression->argument_count > 0) {
            call(expression, eval, ret);
        } else { /* a name, such as `status`: most of what checks and templates ask for */
            *ret = (struct value){.type = VALUE_NULL};
            expression->function->evaluate(eval, NULL, 0, ret);
        }
        break;
    case EXPRESSION_PATH:
        follow(expression, eval, ret);
        break;
    case EXPRESSION_UNARY:
        unary(expression, eval, ret);
        break;
    case EXPRESSION_BINARY:
        binary(expression, eval, ret);
        break;
    }
}

/* Whole numbers up to 2^53 are exact in a double and are written without an exponent; printf would take ten times as long. */
static struct squall_bytes whole_text(double number, struct arena *scratch)
{
    const size_t room = 24; /* for 20 digits and a sign */
    char *end = arena_take(scratch, room), *at = end += room - 1;
    *end = '\0';
    uint64_t left = (uint64_t)fabs(number);
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (number < 0)
        *--at = '-';
    return (struct squall_bytes){(const uint8_t *)at, (uint64_t)(end - at)};
}

struct squall_bytes value_text(const struct value *value, struct arena *scratch)
{
    char number[64];
    const char *text = "";
    switch (value->type) {
    case VALUE_STRING:
        return value->string;
    case VALUE_BOOL:
        text = value->boolean ? "true" : "false";
        break;
    case VALUE_NUMBER:
        if (fabs(value->number) <= 9007199254740992.0 && value->number == trunc(value->number))
            return whole_text(value->number, scratch);
        snprintf(number, sizeof number, "%.15g", value->number);
        text = arena_copy(scratch, number, strlen(number));
        break;
    case VALUE_NULL:
        break;
    }
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

bool expression_constant(const struct expression *expression)
{
    return expression->constant;
}

uint64_t expression_wants(const struct expression *expression)
{
    return expression->wants;
}

bool expression_secret(const struct expression *expression)
{
    return expression->secret;
}
