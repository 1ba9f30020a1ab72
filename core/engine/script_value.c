/* Values of a scenario and JSON texts as Lua values, and back. */
#include "engine/script.h"
#include "scenario/json_path.h"
#include <jansson.h>
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <string.h>

#define JSON_DEPTH  64
#define JSON_LEN_MAX (UINT64_C(16) << 20)

bool script_get_value(lua_State *lua, int place, struct value *ret)
{
    size_t len;
    *ret = (struct value){.type = VALUE_NULL};
    switch (lua_type(lua, place)) {
    case LUA_TNUMBER:
        *ret = (struct value){.type = VALUE_NUMBER, .number = lua_tonumber(lua, place)};
        return isfinite(ret->number);
    case LUA_TBOOLEAN:
        *ret = (struct value){.type = VALUE_BOOL, .boolean = lua_toboolean(lua, place)};
        return true;
    case LUA_TSTRING:
        ret->type = VALUE_STRING;
        ret->string.data = (const uint8_t *)lua_tolstring(lua, place, &len);
        ret->string.len = len;
        return true;
    default:
        return lua_isnoneornil(lua, place) || lua_islightuserdata(lua, place);
    }
}

void script_push_value(lua_State *lua, const struct value *value)
{
    switch (value->type) {
    case VALUE_NULL:
        lua_pushnil(lua);
        break;
    case VALUE_BOOL:
        lua_pushboolean(lua, value->boolean);
        break;
    case VALUE_NUMBER:
        lua_pushnumber(lua, value->number);
        break;
    case VALUE_STRING:
        lua_pushlstring(lua, value->string.len ? (const char *)value->string.data : "", value->string.len);
        break;
    }
}

/* ---- JSON to Lua ---- */

/* A tree of jansson is a box of Lua's, so that an error on the way does not lose it. */
struct json_box {
    json_t *root;
};

static int free_box(lua_State *lua)
{
    struct json_box *box = lua_touserdata(lua, 1);
    json_decref(box->root);
    box->root = NULL;
    return 0;
}

static void push_node(lua_State *lua, json_t *node, int depth)
{
    const char *key;
    json_t *member;
    size_t i;
    luaL_checkstack(lua, 4, "JSON that is nested too deeply");
    if (depth > JSON_DEPTH)
        luaL_error(lua, "JSON is nested more than %d deep", JSON_DEPTH);
    switch (json_typeof(node)) {
    case JSON_OBJECT:
        lua_createtable(lua, 0, (int)json_object_size(node));
        json_object_foreach(node, key, member) {
            push_node(lua, member, depth + 1);
            lua_setfield(lua, -2, key);
        }
        break;
    case JSON_ARRAY:
        lua_createtable(lua, (int)json_array_size(node), 0);
        json_array_foreach(node, i, member) {
            push_node(lua, member, depth + 1);
            lua_rawseti(lua, -2, (int)i + 1);
        }
        break;
    case JSON_STRING:
        lua_pushlstring(lua, json_string_value(node), json_string_length(node));
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        lua_pushnumber(lua, json_number_value(node));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(lua, json_is_true(node));
        break;
    case JSON_NULL:
        lua_pushlightuserdata(lua, NULL);
        break;
    }
}

void script_push_json(lua_State *lua, struct squall_bytes text)
{
    json_error_t error;
    struct json_box *box = lua_newuserdata(lua, sizeof *box);
    box->root = NULL;
    if (luaL_newmetatable(lua, "squall.json")) {
        lua_pushcfunction(lua, free_box);
        lua_setfield(lua, -2, "__gc");
    }
    lua_setmetatable(lua, -2);
    box->root = json_loadb(text.len ? (const char *)text.data : "", text.len, JSON_DECODE_ANY, &error);
    if (!box->root)
        luaL_error(lua, "this is no JSON: line %d, column %d: %s", error.line, error.column, error.text);
    push_node(lua, box->root, 0);
    json_decref(box->root);
    box->root = NULL;
    lua_remove(lua, -2);
}

/* ---- Lua to JSON ---- */

static void put(lua_State *lua, struct buffer *out, const void *data, size_t len)
{
    out->limit = JSON_LEN_MAX;
    if (buffer_append(out, data, len) < 0)
        luaL_error(lua, "JSON of more than 16 MiB");
}

static void put_text(lua_State *lua, struct buffer *out, const char *text, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    put(lua, out, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        char escaped[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
        if (c == '"' || c == '\\')
            put(lua, out, c == '"' ? "\\\"" : "\\\\", 2);
        else if (c < 0x20)
            put(lua, out, escaped, sizeof escaped);
        else
            put(lua, out, text + i, 1);
    }
    put(lua, out, "\"", 1);
}

static void put_list(lua_State *lua, int place, size_t count, struct buffer *out, int depth)
{
    for (size_t i = 0; i < count; i++) {
        put(lua, out, i ? "," : "[", 1);
        lua_rawgeti(lua, place, (int)i + 1);
        script_put_json(lua, lua_gettop(lua), out, depth);
        lua_pop(lua, 1);
    }
    put(lua, out, "]", 1);
}

/* Without an order that Lua would keep. */
static void put_map(lua_State *lua, int place, struct buffer *out, int depth)
{
    bool first = true;
    size_t len;
    put(lua, out, "{", 1);
    for (lua_pushnil(lua); lua_next(lua, place); first = false) {
        if (lua_type(lua, -2) != LUA_TSTRING)
            luaL_error(lua, "a key of JSON must be a text, not a %s", luaL_typename(lua, -2));
        if (!first)
            put(lua, out, ",", 1);
        const char *key = lua_tolstring(lua, -2, &len);
        put_text(lua, out, key, len);
        put(lua, out, ":", 1);
        script_put_json(lua, lua_gettop(lua), out, depth);
        lua_pop(lua, 1);
    }
    put(lua, out, "}", 1);
}

void script_put_json(lua_State *lua, int place, struct buffer *out, int depth)
{
    struct value value;
    char number[40];
    luaL_checkstack(lua, 4, "JSON that is nested too deeply");
    if (depth > JSON_DEPTH)
        luaL_error(lua, "JSON is nested more than %d deep", JSON_DEPTH);
    if (lua_istable(lua, place)) {
        size_t count = lua_objlen(lua, place);
        if (count)
            put_list(lua, place, count, out, depth + 1);
        else
            put_map(lua, place, out, depth + 1);
        return;
    }
    if (!script_get_value(lua, place, &value))
        luaL_error(lua, "a %s has no place in JSON", luaL_typename(lua, place));
    if (value.type == VALUE_STRING) {
        put_text(lua, out, (const char *)value.string.data, value.string.len);
    } else if (value.type == VALUE_NUMBER) {
        bool whole = value.number == floor(value.number) && fabs(value.number) < 1e15;
        put(lua, out, number, (size_t)snprintf(number, sizeof number, whole ? "%.0f" : "%.17g", value.number));
    } else {
        const char *word = value.type == VALUE_NULL ? "null" : value.boolean ? "true" : "false";
        put(lua, out, word, strlen(word));
    }
}
