/*
 * user.match(text, pattern): regular expressions by PCRE2 with limits, in place of Lua's own patterns, which have none.
 * Compiled patterns are kept by their text, so many of them and no more.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/script_match.h"
#include <lauxlib.h>
#include <lua.h>
#include <pcre2.h>

#define MATCH_STEPS_MAX 100000u
#define MATCH_HEAP_KIB  256u
#define PATTERNS_MAX    200

struct pattern {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
};

static int free_pattern(lua_State *lua)
{
    struct pattern *pattern = lua_touserdata(lua, 1);
    pcre2_match_context_free(pattern->context);
    pcre2_match_data_free(pattern->data);
    pcre2_code_free(pattern->code);
    *pattern = (struct pattern){NULL, NULL, NULL};
    return 0;
}

static struct pattern *compile(lua_State *lua, const char *text, size_t len)
{
    struct pattern *pattern = lua_newuserdata(lua, sizeof *pattern);
    int code = 0;
    PCRE2_SIZE offset = 0;
    *pattern = (struct pattern){NULL, NULL, NULL};
    if (luaL_newmetatable(lua, "squall.pattern")) {
        lua_pushcfunction(lua, free_pattern);
        lua_setfield(lua, -2, "__gc");
    }
    lua_setmetatable(lua, -2);
    if (len > 4096)
        luaL_error(lua, "a pattern of more than 4,096 bytes");
    pattern->code = pcre2_compile((PCRE2_SPTR)text, len, PCRE2_NEVER_BACKSLASH_C, &code, &offset, NULL);
    if (!pattern->code) {
        PCRE2_UCHAR why[160];
        pcre2_get_error_message(code, why, sizeof why);
        luaL_error(lua, "this is no regular expression: %s, at its character %d", (const char *)why, (int)offset + 1);
    }
    pattern->data = pcre2_match_data_create_from_pattern(pattern->code, NULL);
    pattern->context = pcre2_match_context_create(NULL);
    if (!pattern->data || !pattern->context)
        luaL_error(lua, "out of memory for a pattern");
    pcre2_set_match_limit(pattern->context, MATCH_STEPS_MAX);
    pcre2_set_heap_limit(pattern->context, MATCH_HEAP_KIB);
    return pattern;
}

/* upvalue 1: patterns by their text; upvalue 2: how many. Leaves the pattern on the stack, so that it stays. */
static struct pattern *find(lua_State *lua, int place)
{
    size_t len;
    const char *text = luaL_checklstring(lua, place, &len);
    lua_pushvalue(lua, place);
    lua_rawget(lua, lua_upvalueindex(1));
    if (lua_isuserdata(lua, -1))
        return lua_touserdata(lua, -1);
    lua_pop(lua, 1);
    lua_Integer count = lua_tointeger(lua, lua_upvalueindex(2));
    if (count >= PATTERNS_MAX) { /* patterns that are computed: begin anew */
        lua_newtable(lua);
        lua_replace(lua, lua_upvalueindex(1));
        count = 0;
    }
    struct pattern *pattern = compile(lua, text, len);
    lua_pushvalue(lua, place);
    lua_pushvalue(lua, -2);
    lua_rawset(lua, lua_upvalueindex(1));
    lua_pushinteger(lua, count + 1);
    lua_replace(lua, lua_upvalueindex(2));
    return pattern;
}

/* The captures, or all that fits where there are none; nil when nothing does or a match takes too long. */
static int match(lua_State *lua)
{
    size_t len;
    const char *text = luaL_checklstring(lua, 1, &len);
    struct pattern *pattern = find(lua, 2);
    int found = pcre2_match(pattern->code, (PCRE2_SPTR)text, len, 0, 0, pattern->data, pattern->context);
    if (found <= 0) {
        lua_pushnil(lua);
        return 1;
    }
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(pattern->data);
    int first = found > 1 ? 1 : 0;
    luaL_checkstack(lua, found, "too many captures");
    for (int i = first; i < found; i++) {
        if (at[2 * i] == PCRE2_UNSET || at[2 * i] > at[2 * i + 1])
            lua_pushnil(lua);
        else
            lua_pushlstring(lua, text + at[2 * i], at[2 * i + 1] - at[2 * i]);
    }
    return found - first;
}

void script_push_match(lua_State *lua)
{
    lua_newtable(lua);
    lua_pushinteger(lua, 0);
    lua_pushcclosure(lua, match, 2);
}
