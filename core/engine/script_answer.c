/*
 * What a step gives: one piece of Lua's memory that holds the answer's bytes, out of which values are made when they are
 * asked for. Most answers are asked for their status and nothing else.
 */
#include "engine/script.h"
#include "metrics/series.h"
#include "scenario/expression_path.h"
#include <lauxlib.h>
#include <lua.h>
#include <string.h>
#include <strings.h>

struct script_answer {
    uint32_t outcome, code;
    const char *code_name;
    bool answered;
    uint64_t latency_ns, service_ns, body_len, fields_len;
    uint8_t bytes[]; /* body, then fields */
};

static struct script_answer *answer_at(lua_State *lua, int place)
{
    return luaL_checkudata(lua, place, "squall.answer");
}

static struct squall_bytes body_of(const struct script_answer *answer)
{
    return (struct squall_bytes){answer->bytes, answer->body_len};
}

/* answer:json() is the whole body, answer:json("items[0].id") a value in it. */
static int answer_json(lua_State *lua)
{
    const struct script_answer *answer = answer_at(lua, 1);
    struct squall_bytes raw;
    if (lua_isnoneornil(lua, 2)) {
        script_push_json(lua, body_of(answer));
        return 1;
    }
    struct arena *scratch = &script_of(lua)->engine->scratch;
    struct json_step path[JSON_PATH_MAX];
    struct error error;
    uint32_t count = 0;
    const char *written = luaL_checkstring(lua, 2), *where = NULL;
    arena_reset(scratch);
    const char *at = written[0] == '[' || written[0] == '.' ? written : arena_printf(scratch, ".%s", written);
    if (expression_path(&at, scratch, path, &count, &where, &error) || *at)
        return luaL_error(lua, "'%s' is no path; write for example items[0].id", written);
    lua_pushnil(lua);
    if (!json_find(body_of(answer), path, count, &raw))
        return 1;
    script_push_json(lua, raw);
    if (lua_islightuserdata(lua, -1))
        lua_pushnil(lua);
    return 1;
}

/* The first of its name, case aside. */
static int answer_header(lua_State *lua)
{
    size_t name_len, at = 0;
    const struct script_answer *answer = answer_at(lua, 1);
    const char *name = luaL_checklstring(lua, 2, &name_len), *fields = (const char *)answer->bytes + answer->body_len;
    uint64_t lengths[2];
    while (at < answer->fields_len) {
        memcpy(lengths, fields + at, sizeof lengths);
        at += sizeof lengths;
        if (lengths[0] == name_len && strncasecmp(fields + at, name, name_len) == 0) {
            lua_pushlstring(lua, fields + at + lengths[0], lengths[1]);
            return 1;
        }
        at += lengths[0] + lengths[1];
    }
    lua_pushnil(lua);
    return 1;
}

static int push_part(lua_State *lua, const struct script_answer *answer, const char *name)
{
    if (strcmp(name, "status") == 0 && answer->code)
        lua_pushinteger(lua, (lua_Integer)answer->code);
    else if (strcmp(name, "ok") == 0)
        lua_pushboolean(lua, answer->outcome == OUTCOME_OK);
    else if (strcmp(name, "outcome") == 0)
        lua_pushstring(lua, outcome_key((enum outcome)answer->outcome));
    else if (strcmp(name, "status_name") == 0 && answer->code_name)
        lua_pushstring(lua, answer->code_name);
    else if (strcmp(name, "latency") == 0 && answer->answered)
        lua_pushnumber(lua, (double)answer->latency_ns / 1e9);
    else if (strcmp(name, "service") == 0 && answer->answered)
        lua_pushnumber(lua, (double)answer->service_ns / 1e9);
    else if (strcmp(name, "body") == 0 && answer->answered)
        lua_pushlstring(lua, (const char *)answer->bytes, answer->body_len);
    else
        return 0;
    return 1;
}

/* Upvalue: the methods. */
static int answer_index(lua_State *lua)
{
    const struct script_answer *answer = lua_touserdata(lua, 1); /* only ever called by its own kind's metatable */
    if (!answer || lua_type(lua, 2) != LUA_TSTRING)
        return luaL_error(lua, "an answer has status, ok, outcome, latency, service, body, json() and header()");
    if (push_part(lua, answer, lua_tostring(lua, 2)))
        return 1;
    lua_rawget(lua, lua_upvalueindex(1));
    return 1;
}

int script_push_answer(lua_State *lua)
{
    struct user *user = lua_touserdata(lua, 1);
    const struct script_user *own = user_script(user);
    const struct buffer *body = own->body, *fields = &own->fields;
    size_t body_len = own->answered && body ? body->len : 0, fields_len = own->answered ? fields->len : 0;
    struct script_answer *answer = lua_newuserdata(lua, sizeof *answer + body_len + fields_len);
    *answer = (struct script_answer){.outcome = own->outcome,
                                     .code = own->code,
                                     .code_name = own->code_name,
                                     .answered = own->answered,
                                     .latency_ns = own->latency_ns,
                                     .service_ns = own->service_ns,
                                     .body_len = body_len,
                                     .fields_len = fields_len};
    if (body_len)
        memcpy(answer->bytes, body->data, body_len);
    script_drop_body(user);
    if (fields_len)
        memcpy(answer->bytes + body_len, fields->data, fields_len);
    lua_rawgeti(lua, LUA_REGISTRYINDEX, script_of(lua)->answer_place);
    lua_setmetatable(lua, -2);
    lua_xmove(lua, own->thread, 1);
    return 0;
}

void script_push_answer_type(lua_State *lua)
{
    struct script_engine *scripts = script_of(lua);
    luaL_newmetatable(lua, "squall.answer");
    lua_newtable(lua);
    lua_pushcfunction(lua, answer_json);
    lua_setfield(lua, -2, "json");
    lua_pushcfunction(lua, answer_header);
    lua_setfield(lua, -2, "header");
    lua_pushcclosure(lua, answer_index, 1);
    lua_setfield(lua, -2, "__index");
    lua_pushliteral(lua, "answer"); /* what getmetatable gives in its place */
    lua_setfield(lua, -2, "__metatable");
    scripts->answer_place = luaL_ref(lua, LUA_REGISTRYINDEX);
    lua_pushcfunction(lua, script_push_answer);
    scripts->push_answer_place = luaL_ref(lua, LUA_REGISTRYINDEX);
}
