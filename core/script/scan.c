/* See scan.h. Any bytes end in some list of tokens: what is no Lua is refused by who compiles it. */
#include "script/scan.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum token_kind { TOKEN_NAME, TOKEN_TEXT, TOKEN_NUMBER, TOKEN_JOIN, TOKEN_SIGN };
struct token {
    enum token_kind kind;
    char sign;        /* TOKEN_SIGN */
    const char *text; /* NAME, TEXT, NUMBER; NULL: a text with a NUL in it */
    uint32_t line;
};

struct lexer {
    const char *at, *end;
    struct arena *arena;
    uint32_t line;
    struct token *tokens;
    uint32_t count, room;
};

static void add(struct lexer *lexer, struct token token)
{
    if (lexer->count == lexer->room) {
        uint32_t room = lexer->room ? 2 * lexer->room : 256;
        lexer->tokens = xrealloc(lexer->tokens, room * sizeof *lexer->tokens);
        lexer->room = room;
    }
    token.line = lexer->line;
    lexer->tokens[lexer->count++] = token;
}

static char peek(const struct lexer *lexer, size_t ahead)
{
    return (size_t)(lexer->end - lexer->at) > ahead ? lexer->at[ahead] : '\0';
}

static void skip(struct lexer *lexer, size_t count)
{
    for (; count && lexer->at < lexer->end; count--, lexer->at++)
        lexer->line += *lexer->at == '\n';
}

/* At "[": the number of = in "[==[", or -1. */
static int long_level(const struct lexer *lexer)
{
    int level = 0;
    while (peek(lexer, 1 + (size_t)level) == '=')
        level++;
    return peek(lexer, 1 + (size_t)level) == '[' ? level : -1;
}

/* Behind its opening brackets: the text to the closing ones. */
static struct token long_text(struct lexer *lexer, int level)
{
    skip(lexer, (size_t)level + 2);
    const char *start = lexer->at;
    for (; lexer->at < lexer->end; skip(lexer, 1)) {
        int closing = 0;
        if (*lexer->at != ']')
            continue;
        while (peek(lexer, 1 + (size_t)closing) == '=')
            closing++;
        if (closing == level && peek(lexer, 1 + (size_t)closing) == ']')
            break;
    }
    size_t len = (size_t)(lexer->at - start);
    bool plain = !memchr(start, '\0', len);
    struct token token = {.kind = TOKEN_TEXT, .text = plain ? arena_copy(lexer->arena, start, len) : NULL};
    skip(lexer, (size_t)level + 2);
    return token;
}

static struct token quoted(struct lexer *lexer)
{
    static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
    char quote = *lexer->at;
    size_t len = 0, room = 1;
    bool plain = true;
    skip(lexer, 1);
    while (peek(lexer, room - 1) && peek(lexer, room - 1) != '\n' && (peek(lexer, room - 1) != quote || (room > 1 && peek(lexer, room - 2) == '\\')))
        room++;
    char *text = arena_alloc(lexer->arena, room + 1);
    while (lexer->at < lexer->end && *lexer->at != quote && *lexer->at != '\n') {
        char c = *lexer->at;
        if (c == '\\') {
            skip(lexer, 1);
            const char *known = lexer->at < lexer->end && *lexer->at ? strchr(from, *lexer->at) : NULL;
            plain = plain && lexer->at < lexer->end && (known || ispunct((unsigned char)*lexer->at)); /* \065 and the like are not looked into */
            c = known ? to[known - from] : peek(lexer, 0);
        }
        plain = plain && c && len < room;
        if (plain)
            text[len++] = c;
        skip(lexer, 1);
    }
    skip(lexer, 1);
    text[len] = '\0';
    return (struct token){.kind = TOKEN_TEXT, .text = plain ? text : NULL};
}

static void comment(struct lexer *lexer)
{
    skip(lexer, 2);
    int level = peek(lexer, 0) == '[' ? long_level(lexer) : -1;
    if (level >= 0) {
        long_text(lexer, level);
        return;
    }
    while (lexer->at < lexer->end && *lexer->at != '\n')
        skip(lexer, 1);
}

static void read_token(struct lexer *lexer)
{
    char c = *lexer->at;
    if (c == '-' && peek(lexer, 1) == '-') {
        comment(lexer);
    } else if (isalpha((unsigned char)c) || c == '_') {
        const char *start = lexer->at;
        while (isalnum((unsigned char)peek(lexer, 0)) || peek(lexer, 0) == '_')
            skip(lexer, 1);
        add(lexer, (struct token){.kind = TOKEN_NAME, .text = arena_copy(lexer->arena, start, (size_t)(lexer->at - start))});
    } else if (isdigit((unsigned char)c)) {
        const char *start = lexer->at;
        while (isalnum((unsigned char)peek(lexer, 0)) || (peek(lexer, 0) == '.' && peek(lexer, 1) != '.'))
            skip(lexer, 1);
        add(lexer, (struct token){.kind = TOKEN_NUMBER, .text = arena_copy(lexer->arena, start, (size_t)(lexer->at - start))});
    } else if (c == '"' || c == '\'') {
        struct token token = quoted(lexer);
        add(lexer, token);
    } else if (c == '[' && long_level(lexer) >= 0) {
        struct token token = long_text(lexer, long_level(lexer));
        add(lexer, token);
    } else if (c == '.' && peek(lexer, 1) == '.') {
        add(lexer, (struct token){.kind = TOKEN_JOIN});
        skip(lexer, 2);
    } else {
        if (!isspace((unsigned char)c))
            add(lexer, (struct token){.kind = TOKEN_SIGN, .sign = c});
        skip(lexer, 1);
    }
}

/* ---- steps ---- */

static bool is_sign(const struct lexer *lexer, uint32_t i, const char *signs)
{
    return i < lexer->count && lexer->tokens[i].kind == TOKEN_SIGN && strchr(signs, lexer->tokens[i].sign) && lexer->tokens[i].sign;
}

static bool is_text(const struct lexer *lexer, uint32_t i)
{
    return i < lexer->count && lexer->tokens[i].kind == TOKEN_TEXT && lexer->tokens[i].text;
}

static bool is_name(const struct lexer *lexer, uint32_t i)
{
    return i < lexer->count && lexer->tokens[i].kind == TOKEN_NAME;
}

/* At an option's name, `name` or ["name"], with *i; moves it to the =. */
static const char *option_name(const struct lexer *lexer, uint32_t *i)
{
    uint32_t at = *i;
    bool bracket = is_sign(lexer, at, "[") && is_text(lexer, at + 1) && is_sign(lexer, at + 2, "]");
    if (!bracket && !is_name(lexer, at))
        return NULL;
    *i = at + (bracket ? 3 : 1);
    if (is_sign(lexer, *i, "=") && !is_sign(lexer, *i + 1, "="))
        return lexer->tokens[bracket ? at + 1 : at].text;
    *i = at;
    return NULL;
}

/* At the =. */
static void add_option(const struct lexer *lexer, uint32_t i, const char *name, struct scan_call *call)
{
    const struct token *value = i + 1 < lexer->count ? &lexer->tokens[i + 1] : NULL;
    bool truth = is_name(lexer, i + 1) && (strcmp(value->text, "true") == 0 || strcmp(value->text, "false") == 0);
    bool plain = is_sign(lexer, i + 2, ",;}") && (truth || (value && (value->kind == TOKEN_TEXT || value->kind == TOKEN_NUMBER)));
    if (call->option_count == SCAN_OPTIONS_MAX) {
        call->more_options = true;
        return;
    }
    call->options[call->option_count++] = (struct scan_option){.name = name, .value = plain ? value->text : NULL,
                                                               .number = plain && value->kind == TOKEN_NUMBER};
    if (plain && value->kind == TOKEN_TEXT && strcmp(name, "name") == 0)
        call->name = value->text;
    if (plain && value->kind == TOKEN_TEXT && strcmp(name, "target") == 0)
        call->target = value->text;
}

/* At the call's bracket: looks at the options in the table that is an argument. */
static void read_options(const struct lexer *lexer, uint32_t i, struct scan_call *call)
{
    uint32_t depth = 0, table_depth = is_sign(lexer, i, "{") ? 1 : 2;
    call->options = arena_alloc(lexer->arena, SCAN_OPTIONS_MAX * sizeof *call->options);
    for (; i < lexer->count; i++) {
        bool begins = depth == table_depth && (is_sign(lexer, i - 1, "{,;"));
        const char *name = begins ? option_name(lexer, &i) : NULL;
        if (name)
            add_option(lexer, i, name, call);
        else if (is_sign(lexer, i, "([{"))
            depth++;
        else if (is_sign(lexer, i, ")]}") && --depth == 0)
            return;
        else if (depth == 1 && table_depth == 2 && is_sign(lexer, i, ",") && is_name(lexer, i + 1))
            call->more_options = true;
    }
}

/* At the token behind the protocol's name. */
static bool read_call(const struct lexer *lexer, uint32_t i, struct scan_call *call)
{
    if (is_sign(lexer, i, ".") && is_name(lexer, i + 1)) {
        call->word = lexer->tokens[i + 1].text;
        i += 2;
    }
    if (is_text(lexer, i)) {
        call->text = lexer->tokens[i].text;
        return true;
    }
    if (!is_sign(lexer, i, "({"))
        return false;
    if (is_sign(lexer, i, "(") && is_text(lexer, i + 1)) {
        bool joined = i + 2 < lexer->count && lexer->tokens[i + 2].kind == TOKEN_JOIN;
        if (joined || is_sign(lexer, i + 2, ",)")) {
            call->text = lexer->tokens[i + 1].text;
            call->continues = joined;
        }
    }
    call->computed = is_sign(lexer, i, "(") && !call->text && !is_sign(lexer, i + 1, "{)");
    read_options(lexer, i, call);
    return true;
}

static void find_calls(const struct lexer *lexer, const char *const *protocols, uint32_t count, struct scan *scan)
{
    scan->calls = arena_alloc(lexer->arena, SCAN_CALLS_MAX * sizeof *scan->calls);
    for (uint32_t i = 0; i < lexer->count; i++)
        for (uint32_t p = 0; p < count && is_name(lexer, i); p++) {
            struct scan_call call = {.protocol = protocols[p], .line = lexer->tokens[i].line};
            if (strcmp(lexer->tokens[i].text, protocols[p]) != 0 || !read_call(lexer, i + 1, &call))
                continue;
            scan->calls_left_out = scan->call_count == SCAN_CALLS_MAX;
            if (scan->calls_left_out)
                return;
            scan->calls[scan->call_count++] = call;
        }
}

/* ---- words ---- */

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void sort_once(const char **list, uint32_t *count)
{
    uint32_t kept = 0;
    if (*count)
        qsort(list, *count, sizeof *list, compare);
    for (uint32_t i = 0; i < *count; i++)
        if (kept == 0 || strcmp(list[kept - 1], list[i]) != 0)
            list[kept++] = list[i];
    *count = kept;
}

static void find_words(const struct lexer *lexer, struct scan *scan)
{
    scan->words = arena_alloc(lexer->arena, (lexer->count + 1) * sizeof *scan->words);
    scan->checks = arena_alloc(lexer->arena, (lexer->count + 1) * sizeof *scan->checks);
    scan->transactions = arena_alloc(lexer->arena, (lexer->count + 1) * sizeof *scan->transactions);
    for (uint32_t i = 0; i < lexer->count; i++) {
        if (is_name(lexer, i) || is_text(lexer, i))
            scan->words[scan->word_count++] = lexer->tokens[i].text;
        if (!is_name(lexer, i) || !is_sign(lexer, i + 1, "(") || !is_text(lexer, i + 2))
            continue;
        if (strcmp(lexer->tokens[i].text, "check") == 0)
            scan->checks[scan->check_count++] = lexer->tokens[i + 2].text;
        if (strcmp(lexer->tokens[i].text, "transaction") == 0)
            scan->transactions[scan->transaction_count++] = lexer->tokens[i + 2].text;
    }
    sort_once(scan->words, &scan->word_count);
    sort_once(scan->checks, &scan->check_count);
    sort_once(scan->transactions, &scan->transaction_count);
}

bool scan_has(const struct scan *scan, const char *word)
{
    return scan->word_count && bsearch(&word, scan->words, scan->word_count, sizeof *scan->words, compare) != NULL;
}

void scan_script(const char *text, size_t len, const char *const *protocols, uint32_t protocol_count, struct arena *arena, struct scan *ret_scan)
{
    struct lexer lexer = {.at = text, .end = text + len, .arena = arena, .line = 1};
    *ret_scan = (struct scan){.calls = NULL};
    while (lexer.at < lexer.end)
        read_token(&lexer);
    find_calls(&lexer, protocols, protocol_count, ret_scan);
    find_words(&lexer, ret_scan);
    free(lexer.tokens);
}
