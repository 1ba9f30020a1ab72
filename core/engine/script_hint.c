/*
 * A misspelt name is nil in Lua, and only told when it is called or looked into: "attempt to call field 'chek' (a nil
 * value)". The nearest of all names that a script may know is put behind that.
 */
#include "engine/script.h"
#include "scenario/expression_tree.h"
#include <string.h>

#define NAMES_MAX 400u
#define WORD_ROOM 64u

static const char *const own[] = {
    "think",  "random", "iteration", "check",  "match",  "transaction",  "vars",     "data",     "id",
    "json",   "encode", "decode",    "header", "print",  "null",         "status",   "assert",   "error",
    "ipairs", "next",   "pairs",     "pcall",  "select", "setmetatable", "tonumber", "tostring", "type",
    "unpack", "string", "table",     "math",   "bit",    "byte",         "char",     "find",     "format",
    "lower",  "rep",    "reverse",   "sub",    "upper",  "insert",       "remove",   "concat",   "sort",
    "abs",    "ceil",   "floor",     "max",    "min",    "sqrt"};

static uint32_t collect(const struct script_engine *scripts, const char **names)
{
    const struct scenario *scenario = scripts->engine->scenario;
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        names[count++] = own[i];
    for (uint32_t i = 0; i < scenario->target_count && count < NAMES_MAX; i++)
        names[count++] = scenario->targets[i].protocol->name;
    for (uint32_t i = 0; i < scenario->feed_count && count < NAMES_MAX; i++)
        names[count++] = scenario->feeds[i].name;
    for (uint32_t i = 0; i < expression_function_count && count < NAMES_MAX; i++) {
        char *name =
            arena_copy(&scripts->engine->scratch, expression_functions[i].name, strlen(expression_functions[i].name));
        for (char *at = name; *at; at++)
            *at = *at == '.' ? '_' : *at;
        names[count++] = name;
    }
    return count;
}

const char *script_hint(const struct script_engine *scripts, const char *text)
{
    static const char *const kinds[] = {" field '", " method '", " global '"};
    const char *names[NAMES_MAX], *start = NULL, *end = strstr(text, "' (a nil value)");
    char word[WORD_ROOM];
    for (size_t i = 0; end && !start && i < sizeof kinds / sizeof *kinds; i++) {
        start = strstr(text, kinds[i]);
        start = start ? start + strlen(kinds[i]) : NULL;
    }
    if (!start || end <= start || (size_t)(end - start) >= sizeof word)
        return NULL;
    memcpy(word, start, (size_t)(end - start));
    word[end - start] = '\0';
    arena_reset(&scripts->engine->scratch);
    const char *near = error_nearest(word, names, collect(scripts, names), sizeof *names);
    return near && strcmp(near, word) != 0 ? arena_printf(&scripts->engine->scratch, "; did you mean `%s`?", near)
                                           : NULL;
}
