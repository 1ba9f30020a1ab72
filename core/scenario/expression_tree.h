/*
 * Inside of the expression language: the tree that expression_parse.c builds and expression_eval.c walks, and the table
 * of names and functions between them.
 */
#ifndef SQUALL_SCENARIO_EXPRESSION_TREE_H
#define SQUALL_SCENARIO_EXPRESSION_TREE_H
#include "scenario/expression.h"
#include "scenario/json_path.h"

/* What a node gives, as far as it is known when it is compiled. The first four are enum value_type. */
enum static_type {
    TYPE_NULL = VALUE_NULL,
    TYPE_BOOL = VALUE_BOOL,
    TYPE_NUMBER = VALUE_NUMBER,
    TYPE_STRING = VALUE_STRING,
    TYPE_ANY,
};

enum place_bits {
    IN_TEMPLATE = 1 << PLACE_TEMPLATE | 1 << PLACE_SAVE | 1 << PLACE_CONDITION,
    IN_CHECK = 1 << PLACE_CHECK | 1 << PLACE_SAVE,
    ANYWHERE = IN_TEMPLATE | IN_CHECK
};

#define ARGUMENTS_MAX 32u

struct expression;
/* One row of the language: a name (no parentheses) or a function. */
struct function {
    const char *name;      /* first: error_nearest strides over the table */
    const char *usage;     /* as one would write it */
    const char *arguments; /* a letter each: s string, n number, a any; NULL: a name. The last may repeat. */
    uint32_t argument_min, argument_max;
    uint32_t places;       /* enum place_bits */
    bool path;             /* a path may follow its parentheses */
    bool constant;         /* given constant arguments */
    enum static_type type;
    uint64_t wants;        /* enum squall_want */
    void (*evaluate)(const struct eval *eval, const struct value *arguments, uint32_t count, struct value *ret);
    /* Arguments that are all known when the call is compiled: 0, or -1 for such as can give nothing but null. */
    int (*check)(const struct value *arguments, struct error *error);
    /* In place of evaluate, for what can be made ready once: prepare runs when the call is compiled. */
    int (*prepare)(const struct expression *call, struct arena *arena, void **ret, struct error *error);
    void (*evaluate_prepared)(void *prepared, const struct value *arguments, struct value *ret);
};
extern const struct function expression_functions[];
extern const uint32_t expression_function_count;
/* The row of `status`: the one name that compares with numbers and with strings. */
extern const struct function *const expression_status;

/* One row each: enum name, as written, binding strength (0: unary). */
#define OPERATORS(row)                                                                                                 \
    row(OR, "or", 1) row(AND, "and", 2) row(EQUAL, "==", 3) row(NOT_EQUAL, "!=", 3) row(LESS_EQUAL, "<=", 3)           \
    row(GREATER_EQUAL, ">=", 3) row(LESS, "<", 3) row(GREATER, ">", 3) row(ADD, "+", 4) row(SUBTRACT, "-", 4)          \
    row(MULTIPLY, "*", 5) row(DIVIDE, "/", 5) row(MODULO, "%", 5) row(NOT, "not", 0) row(NEGATE, "-", 0)

enum operator_kind {
#define OPERATOR_ROW(name, text, strength) OPERATOR_##name,
    OPERATORS(OPERATOR_ROW)
#undef OPERATOR_ROW
        OPERATOR_COUNT
};

enum expression_kind {
    EXPRESSION_LITERAL,
    EXPRESSION_VARIABLE,
    EXPRESSION_COLUMN,
    EXPRESSION_FUNCTION,
    EXPRESSION_PATH,
    EXPRESSION_UNARY,
    EXPRESSION_BINARY
};
struct expression {
    enum expression_kind kind;
    enum static_type type;
    bool constant, secret;
    bool bare; /* a number other than 0 that was written without a unit */
    enum operator_kind operator_kind;
    uint32_t argument_count;
    uint64_t wants;
    struct value literal;
    const struct function *function;
    uint32_t variable;            /* index into eval->variables; of a column into eval->rows */
    const struct data_feed *feed; /* of a column */
    uint32_t column;
    const struct json_step *path; /* into arguments[0] */
    uint32_t path_length;
    void *prepared;               /* what the function's `prepare` made of its constant arguments */
    const struct expression **arguments; /* of a function; [0] of a unary, [0] and [1] of a binary operator */
};

/* Holds a secret somewhere: its value is never shown. */
bool expression_secret(const struct expression *expression);
bool template_secret(const struct template *template);

/* The bytes that a value has within a text; numbers are written into scratch. */
struct squall_bytes value_text(const struct value *value, struct arena *scratch);

#endif
