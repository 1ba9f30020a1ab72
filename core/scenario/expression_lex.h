/* The words of the expression language, one at a time, each with its column. */
#ifndef SQUALL_SCENARIO_EXPRESSION_LEX_H
#define SQUALL_SCENARIO_EXPRESSION_LEX_H
#include "scenario/expression_tree.h"

enum token_kind { TOKEN_END, TOKEN_NUMBER, TOKEN_STRING, TOKEN_NAME, TOKEN_OPERATOR, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA };
struct token {
    enum token_kind kind;
    const char *start; /* within the text */
    size_t len;
    double number;
    bool bare; /* TOKEN_NUMBER: other than 0, and without a unit */
    struct squall_bytes string;
    enum operator_kind operator_kind; /* `-` is SUBTRACT, `not` is NOT */
};

/* Reads the token at *cursor and moves the cursor behind it. On failure *ret_where is the place of the fault. */
int expression_token(const char **cursor, struct arena *arena, struct token *ret_token, const char **ret_where,
                     struct error *error);

#endif
