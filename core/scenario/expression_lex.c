/*
 * Words of the expression language. A number takes its unit with it: "200ms", "64KiB", "10k", "1%"; so a remainder
 * needs a space before its sign: "7 % 3".
 */
#include "scenario/expression_lex.h"
#include "base/units.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX 40u

static int lex_number(const char *text, struct token *token, struct error *error)
{
    char copy[NUMBER_MAX + 1], *end;
    uint64_t whole;
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || text[len] == '_' ||
           (text[len] == '.' && isdigit((unsigned char)text[len + 1])))
        len++;
    bool percent = text[len] == '%';
    if (len > NUMBER_MAX)
        return error_set(error, "the number '%.20s...' is too long; write at most 40 characters", text);
    memcpy(copy, text, len);
    copy[len] = '\0';
    token->kind = TOKEN_NUMBER;
    token->bare = false;
    token->len = len + percent;
    /* strtod would take hexadecimal and exponents too. */
    bool plain = copy[strspn(copy, "0123456789.")] == '\0';
    token->number = strtod(copy, &end);
    if (plain && *end == '\0') {
        token->number /= percent ? 100 : 1;
        token->bare = !percent && token->number != 0;
        return 0;
    }
    if (!percent && (units_parse_count(copy, &whole) == 0 || units_parse_duration(copy, &whole) == 0 ||
                     units_parse_size(copy, &whole) == 0)) {
        token->number = (double)whole;
        return 0;
    }
    return error_set(error, "'%s%s' is not a number; write for example 200, 1.5, 250ms, 64KiB, 10k or 1%%", copy,
                     percent ? "%" : "");
}

static int escape(char c)
{
    static const char from[] = "ntr\\\"'", to[] = "\n\t\r\\\"'";
    const char *at = c ? strchr(from, c) : NULL;
    return at ? to[at - from] : -1;
}

static int lex_string(const char *text, struct arena *arena, struct token *token, const char **ret_where,
                      struct error *error)
{
    char quote = *text;
    size_t end = 1, len = 0;
    while (text[end] != quote) {
        if (text[end] == '\\' && text[end + 1] != '\0')
            end++;
        if (text[end] == '\0')
            return error_set(error, "the text that begins with %c has no end; close it with %c", quote, quote);
        end++;
    }
    char *copy = arena_alloc(arena, end);
    for (size_t i = 1; i < end; i++) {
        int c = (unsigned char)text[i];
        if (c == '\\') {
            c = escape(text[++i]);
            if (c < 0) {
                *ret_where = text + i - 1;
                return error_set(
                    error, "'\\%c' means nothing; write \\\\ for a backslash, or one of \\n \\t \\r \\\" \\'", text[i]);
            }
        }
        copy[len++] = (char)c;
    }
    token->kind = TOKEN_STRING;
    token->len = end + 1;
    token->string = (struct squall_bytes){(const uint8_t *)copy, len};
    return 0;
}

/* Words with dots in them: `random.int`, `env.HOME`. */
static void lex_name(const char *text, struct token *token)
{
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || text[len] == '_' ||
           (text[len] == '.' && (isalnum((unsigned char)text[len + 1]) || text[len + 1] == '_')))
        len++;
    token->kind = TOKEN_NAME;
    token->len = len;
    static const struct {
        const char *text;
        enum operator_kind kind;
    } words[] = {{"and", OPERATOR_AND}, {"or", OPERATOR_OR}, {"not", OPERATOR_NOT}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strlen(words[i].text) == len && memcmp(words[i].text, text, len) == 0) {
            token->kind = TOKEN_OPERATOR;
            token->operator_kind = words[i].kind;
        }
    }
}

static int lex_sign(const char *text, struct token *token, struct error *error)
{
    static const struct {
        const char *text;
        const char *instead; /* NULL: this is the sign itself */
        enum operator_kind kind;
    } signs[] = {
        {"&&", "and", OPERATOR_AND},
        {"||", "or", OPERATOR_OR},
        {"=~", "contains(text, \"part\")", OPERATOR_EQUAL},
        {"==", NULL, OPERATOR_EQUAL},
        {"!=", NULL, OPERATOR_NOT_EQUAL},
        {"<=", NULL, OPERATOR_LESS_EQUAL},
        {">=", NULL, OPERATOR_GREATER_EQUAL},
        {"<", NULL, OPERATOR_LESS},
        {">", NULL, OPERATOR_GREATER},
        {"+", NULL, OPERATOR_ADD},
        {"-", NULL, OPERATOR_SUBTRACT},
        {"*", NULL, OPERATOR_MULTIPLY},
        {"/", NULL, OPERATOR_DIVIDE},
        {"%", NULL, OPERATOR_MODULO},
        {"=", "==", OPERATOR_EQUAL},
        {"!", "not", OPERATOR_NOT},
    };
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (strncmp(text, signs[i].text, strlen(signs[i].text)) != 0)
            continue;
        if (signs[i].instead)
            return error_set(error, "'%s' is not part of the language; write %s", signs[i].text, signs[i].instead);
        token->kind = TOKEN_OPERATOR;
        token->len = strlen(signs[i].text);
        token->operator_kind = signs[i].kind;
        return 0;
    }
    static const char brackets[] = "(),";
    static const enum token_kind kinds[] = {TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA};
    const char *bracket = strchr(brackets, *text);
    if (bracket) {
        token->kind = kinds[bracket - brackets];
        token->len = 1;
        return 0;
    }
    size_t len = 1; /* a whole UTF-8 character */
    while (((unsigned char)text[len] & 0xc0) == 0x80 && len < 4)
        len++;
    return error_set(error, "'%.*s' means nothing here; put quotes around text", (int)len, text);
}

int expression_token(const char **cursor, struct arena *arena, struct token *ret_token, const char **ret_where,
                     struct error *error)
{
    const char *text = *cursor + strspn(*cursor, " \t\r\n");
    struct token token = {.start = text};
    int result = 0;
    *ret_where = text;
    if (*text == '\0')
        token.kind = TOKEN_END;
    else if (isdigit((unsigned char)*text))
        result = lex_number(text, &token, error);
    else if (*text == '"' || *text == '\'')
        result = lex_string(text, arena, &token, ret_where, error);
    else if (isalpha((unsigned char)*text) || *text == '_')
        lex_name(text, &token);
    else
        result = lex_sign(text, &token, error);
    if (result)
        return -1;
    *cursor = text + token.len;
    *ret_token = token;
    return 0;
}
