/*
 * user.transaction("name", function() ... end): what the function does is one transaction, as in a flow. The names
 * stand in the script as plain texts, so that their rows are known before the run.
 *
 * The function is called from Lua, since a C function's callee could not wait for a step. An error passes through as it
 * is: what it leaves open is ended, as failed, with the transaction around it or with the journey.
 */
#include "engine/script.h"
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

static const char wrapper[] = "local begin, finish = ...\n"
                              "return function(name, body, ...)\n"
                              "  local open = begin(name, body)\n"
                              "  return finish(open, body(...))\n"
                              "end\n";

void script_end_spans(struct user *user, uint32_t count)
{
    while (user->span_count > count) {
        user_slots(user)[user->span_count - 1].failed = true;
        span_end(user);
    }
}

/* Of the script that called the wrapper. */
static int fail(lua_State *lua, const char *text)
{
    luaL_where(lua, 2);
    lua_pushstring(lua, text);
    lua_concat(lua, 2);
    return lua_error(lua);
}

/* Upvalue: places by name. Gives how many were open before. */
static int begin(lua_State *lua)
{
    struct user *user = script_of(lua)->current;
    if (!user)
        return fail(lua, "this works within a user's function only, not while the file is being read");
    if (lua_type(lua, 1) != LUA_TSTRING || !lua_isfunction(lua, 2))
        return fail(lua, "write transaction(\"name\", function() ... end)");
    lua_pushvalue(lua, 1);
    lua_rawget(lua, lua_upvalueindex(1));
    if (!lua_isnumber(lua, -1))
        return fail(lua,
                    "this transaction's name stands nowhere in the script as a plain text: transaction(\"name\", ...)");
    if (user->span_count == FLOW_SLOTS_MAX)
        return fail(lua, "transactions are nested too deeply");
    uint32_t before = user->span_count;
    span_begin(user, (uint32_t)lua_tointeger(lua, -1));
    lua_pushinteger(lua, (lua_Integer)before);
    return 1;
}

/* Gives on what the function gave. */
static int finish(lua_State *lua)
{
    struct user *user = script_of(lua)->current;
    uint32_t before = (uint32_t)lua_tointeger(lua, 1);
    script_end_spans(user, before + 1);
    if (user->span_count > before)
        span_end(user);
    return lua_gettop(lua) - 1;
}

void script_push_transaction(lua_State *lua)
{
    const struct scenario *scenario = script_of(lua)->engine->scenario;
    if (luaL_loadbuffer(lua, wrapper, sizeof wrapper - 1, "=transaction"))
        lua_error(lua);
    lua_newtable(lua);
    for (uint32_t i = 0; i < scenario->transaction_count; i++) {
        lua_pushstring(lua, scenario->transactions[i]);
        lua_pushinteger(lua, (lua_Integer)i);
        lua_rawset(lua, -3);
    }
    lua_pushcclosure(lua, begin, 1);
    lua_pushcfunction(lua, finish);
    lua_call(lua, 2, 1);
}
