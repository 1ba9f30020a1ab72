/*
 * matches(text, "pattern"): regular expressions by PCRE2, compiled with the expression. All memory is the expression's
 * arena's; what a match may cost is limited, since the text comes from a peer: a match that gives up is null.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "scenario/expression_functions.h"
#include <pcre2.h>

#define MATCH_STEPS_MAX 100000u
#define MATCH_HEAP_KIB  256u

struct pattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

static void *take(size_t size, void *arena)
{
    return arena_alloc(arena, size);
}

/* The arena gives its memory back as a whole. */
static void give_back(void *data, void *arena)
{
    (void)data;
    (void)arena;
}

int pattern_prepare(const struct expression *call, struct arena *arena, void **ret, struct error *error)
{
    const struct expression *text = call->arguments[1];
    if (text->kind != EXPRESSION_LITERAL)
        return error_set(error, "the pattern of `matches` is compiled before the run; write a fixed text");
    pcre2_general_context *memory = pcre2_general_context_create(take, give_back, arena);
    pcre2_compile_context *compiling = pcre2_compile_context_create(memory);
    struct pattern *pattern = arena_alloc(arena, sizeof *pattern);
    int code = 0;
    PCRE2_SIZE offset = 0;
    pcre2_set_max_pattern_length(compiling, 4096);
    pattern->code = pcre2_compile(text->literal.string.data, text->literal.string.len, PCRE2_NEVER_BACKSLASH_C, &code,
                                  &offset, compiling);
    if (!pattern->code) {
        PCRE2_UCHAR why[160];
        pcre2_get_error_message(code, why, sizeof why);
        return error_set(error, "this is no regular expression: %s, at its character %zu; write another", (const char *)why,
                         (size_t)offset + 1);
    }
    pattern->data = pcre2_match_data_create(1, memory);
    pattern->context = pcre2_match_context_create(memory);
    pcre2_set_match_limit(pattern->context, MATCH_STEPS_MAX);
    pcre2_set_heap_limit(pattern->context, MATCH_HEAP_KIB);
    *ret = pattern;
    return 0;
}

void pattern_matches(void *prepared, const struct value *arguments, struct value *ret)
{
    static const uint8_t nothing[1];
    struct pattern *pattern = prepared;
    if (arguments[0].type != VALUE_STRING)
        return;
    const uint8_t *text = arguments[0].string.len ? arguments[0].string.data : nothing;
    int found = pcre2_match(pattern->code, text, arguments[0].string.len, 0, 0, pattern->data, pattern->context);
    if (found >= 0 || found == PCRE2_ERROR_NOMATCH)
        set_bool(ret, found >= 0);
}
