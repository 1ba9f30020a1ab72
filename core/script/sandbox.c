/* See sandbox.h. */
#include "script/sandbox.h"
#include "base/log.h"
#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What a script without trust may call; all else of the libraries is taken away, whatever a later version brings. */
static const char *const globals_kept[] = {"assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "rawset", "select",
                                           "setmetatable", "tonumber", "tostring", "type", "unpack", "xpcall", "_VERSION", "_G", "string", "table",
                                           "math", "bit", NULL};
static const char *const string_kept[] = {"byte", "char", "find", "format", "len", "lower", "rep", "reverse", "sub", "upper", NULL};
static const char *const math_kept[] = {"abs",  "acos", "asin", "atan", "atan2", "ceil", "cos", "cosh", "deg", "exp", "floor", "fmod", "frexp", "huge",
                                        "ldexp", "log", "log10", "max", "min", "modf", "pi", "pow", "rad", "sin", "sinh", "sqrt", "tan", "tanh", NULL};

bool sandbox_available(void)
{
    return true;
}

/* ---- limits ---- */

static void *allocate(void *arg, void *data, size_t old_size, size_t new_size)
{
    struct sandbox *sandbox = arg;
    old_size = data ? old_size : 0;
    if (new_size > old_size && sandbox->memory + (new_size - old_size) > sandbox->memory_max)
        return NULL;
    if (new_size == 0) {
        free(data);
        sandbox->memory -= old_size;
        return NULL;
    }
    void *grown = realloc(data, new_size);
    if (!grown && new_size > old_size)
        return NULL;
    sandbox->memory = sandbox->memory - old_size + new_size;
    return grown ? grown : data; /* one that shrinks never fails */
}

/* Once it has fired it fires at every instruction: a script that catches the error gets the next one at once. */
static void on_count(lua_State *lua, lua_Debug *activation)
{
    (void)activation;
    lua_sethook(lua, on_count, LUA_MASKCOUNT, 1);
    luaL_where(lua, 0); /* of the function that was interrupted */
    lua_pushfstring(lua, "more than %d instructions without a step or a pause; --trust-scenario lifts the limit", SCRIPT_INSTRUCTIONS_MAX);
    lua_concat(lua, 2);
    lua_error(lua);
}

/* How far memory may grow before garbage is looked for, in percent of what was live: seldom where there is little of it, and
 * soon where the limit is near, since Lua does not collect when an allocation is refused. */
static void set_pause(struct sandbox *sandbox)
{
    int pause = sandbox->memory < SCRIPT_MEMORY_MAX / 16 ? 1000 : sandbox->memory < SCRIPT_MEMORY_MAX / 4 ? 250 : 120;
    if (pause != sandbox->pause)
        lua_gc(sandbox->lua, LUA_GCSETPAUSE, sandbox->pause = pause);
}

void sandbox_restart_count(struct sandbox *sandbox)
{
    set_pause(sandbox);
    if (!sandbox->trusted)
        lua_sethook(sandbox->lua, on_count, LUA_MASKCOUNT, SCRIPT_INSTRUCTIONS_MAX);
}

struct sandbox *sandbox_of(lua_State *lua)
{
    void *arg;
    lua_getallocf(lua, &arg);
    return arg;
}

/* ---- libraries ---- */

/* Lua's patterns can take exponential time within one instruction, so that no count of them helps. */
static int find_plain(lua_State *lua)
{
    size_t len, part_len;
    const char *text = luaL_checklstring(lua, 1, &len), *part = luaL_checklstring(lua, 2, &part_len);
    lua_Integer from = luaL_optinteger(lua, 3, 1);
    from = from < 0 ? from + (lua_Integer)len + 1 : from;
    from = from < 1 ? 1 : from;
    if (!lua_toboolean(lua, 4) && part[strcspn(part, "^$*+?.([%-")])
        return luaL_error(lua, "string.find takes plain texts here: string.find(text, part, 1, true); for patterns there is user.match");
    const char *found = (size_t)from > len + 1 ? NULL : part_len == 0 ? text + from - 1 : memmem(text + from - 1, len - (size_t)from + 1, part, part_len);
    if (!found) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushinteger(lua, found - text + 1);
    lua_pushinteger(lua, found - text + (lua_Integer)part_len);
    return 2;
}

/* Keeps of the table at the top what the list names. */
static void keep(lua_State *lua, const char *const *names)
{
    lua_newtable(lua);
    for (uint32_t i = 0; names[i]; i++) {
        lua_getfield(lua, -2, names[i]);
        lua_setfield(lua, -2, names[i]);
    }
    for (lua_pushnil(lua); lua_next(lua, -3);) { /* assigning nil while walking is allowed */
        lua_pop(lua, 1);
        lua_pushvalue(lua, -1);
        lua_pushnil(lua);
        lua_rawset(lua, -5);
    }
    for (uint32_t i = 0; names[i]; i++) {
        lua_getfield(lua, -1, names[i]);
        lua_setfield(lua, -3, names[i]);
    }
    lua_pop(lua, 1);
}

static int open_libraries(lua_State *lua)
{
    const struct sandbox *sandbox = sandbox_of(lua);
    luaL_openlibs(lua);
    if (sandbox->trusted)
        return 0;
    luaJIT_setmode(lua, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_getglobal(lua, "string");
    keep(lua, string_kept);
    lua_pushcfunction(lua, find_plain);
    lua_setfield(lua, -2, "find");
    lua_getglobal(lua, "math");
    keep(lua, math_kept);
    lua_pushvalue(lua, LUA_GLOBALSINDEX);
    keep(lua, globals_kept);
    lua_pushnil(lua); /* what was loaded is found there too */
    lua_setfield(lua, LUA_REGISTRYINDEX, "_LOADED");
    lua_pushnil(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, "_PRELOAD");
    return 0;
}

int sandbox_open(struct sandbox *sandbox, bool trusted, struct error *error)
{
    *sandbox = (struct sandbox){.memory_max = SCRIPT_MEMORY_MAX, .trusted = trusted};
    sandbox->lua = lua_newstate(allocate, sandbox);
    if (!sandbox->lua)
        return error_set_code(error, EXIT_CODE_INTERNAL, "LuaJIT could not start; its build takes no memory limit (LUAJIT_ENABLE_GC64)");
    if (lua_cpcall(sandbox->lua, open_libraries, NULL) == 0)
        return 0;
    sandbox_close(sandbox);
    return error_set_code(error, EXIT_CODE_INTERNAL, "LuaJIT could not load its libraries");
}

void sandbox_close(struct sandbox *sandbox)
{
    if (sandbox->lua)
        lua_close(sandbox->lua);
    sandbox->lua = NULL;
}

/* ---- running ---- */

static int fail(lua_State *lua, const char *name, struct error *error)
{
    const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : "an error that is no text";
    bool placed = strncmp(text, name, strlen(name)) == 0;
    error_set(error, "%s%s%s", placed ? "" : name, placed ? "" : ": ", text);
    lua_settop(lua, 0);
    return -1;
}

struct chunk {
    const char *text, *name;
    size_t len;
    bool trusted;
    int result; /* of sandbox_run: place in the registry */
};

/* Text only, unless trusted; with globals of its own in front of those that all have. Pushes the function. */
static void push_chunk(lua_State *lua, const struct chunk *chunk)
{
    lua_pushfstring(lua, "@%s", chunk->name);
    if (luaL_loadbufferx(lua, chunk->text, chunk->len, lua_tostring(lua, -1), chunk->trusted ? "bt" : "t") != 0)
        lua_error(lua);
    lua_newtable(lua);
    lua_pushvalue(lua, -1);
    lua_setfield(lua, -2, "_G");
    lua_newtable(lua);
    lua_pushvalue(lua, LUA_GLOBALSINDEX);
    lua_setfield(lua, -2, "__index");
    lua_setmetatable(lua, -2);
    lua_setfenv(lua, -2);
}

static int load_chunk(lua_State *lua)
{
    push_chunk(lua, lua_touserdata(lua, 1));
    return 0;
}

static int run_chunk(lua_State *lua)
{
    struct chunk *chunk = lua_touserdata(lua, 1);
    push_chunk(lua, chunk);
    lua_call(lua, 0, 1);
    chunk->result = luaL_ref(lua, LUA_REGISTRYINDEX);
    return 0;
}

static int protect(struct sandbox *sandbox, lua_CFunction function, void *arg, const char *name, struct error *error)
{
    sandbox_restart_count(sandbox);
    return lua_cpcall(sandbox->lua, function, arg) == 0 ? 0 : fail(sandbox->lua, name, error);
}

int sandbox_run(struct sandbox *sandbox, const char *text, size_t len, const char *name, int *ret_place, struct error *error)
{
    struct chunk chunk = {text, name, len, sandbox->trusted, LUA_NOREF};
    if (protect(sandbox, run_chunk, &chunk, name, error))
        return -1;
    *ret_place = chunk.result;
    return 0;
}

int sandbox_check(const char *text, size_t len, const char *name, struct error *error)
{
    struct sandbox sandbox;
    struct chunk chunk = {text, name, len, false, LUA_NOREF};
    if (sandbox_open(&sandbox, false, error))
        return -1;
    int status = protect(&sandbox, load_chunk, &chunk, name, error);
    sandbox_close(&sandbox);
    return status;
}

/* ---- shapes of load ---- */

struct shape {
    struct chunk chunk;
    double step_s, *levels;
    uint32_t count;
};

static int run_shape(lua_State *lua)
{
    const struct shape *shape = lua_touserdata(lua, 1);
    push_chunk(lua, &shape->chunk);
    lua_call(lua, 0, 1);
    if (lua_istable(lua, -1))
        lua_getfield(lua, -1, "shape");
    if (!lua_isfunction(lua, -1))
        return luaL_error(lua, "there is no shape; end the file with: return { shape = function(t) return 10 * t end }");
    for (uint32_t i = 0; i < shape->count; i++) {
        lua_pushvalue(lua, -1);
        lua_pushnumber(lua, i * shape->step_s);
        lua_call(lua, 1, 1);
        sandbox_restart_count(sandbox_of(lua));
        double level = lua_type(lua, -1) == LUA_TNUMBER ? lua_tonumber(lua, -1) : NAN;
        if (!(level >= 0) || level > 1e7)
            return luaL_error(lua, "shape(%f) gave %s; it must give a number from 0 to 10,000,000", i * shape->step_s,
                              lua_type(lua, -1) == LUA_TNUMBER ? lua_tostring(lua, -1) : luaL_typename(lua, -1));
        shape->levels[i] = level;
        lua_pop(lua, 1);
    }
    return 0;
}

int sandbox_shape(const char *text, size_t len, const char *name, double step_s, double *ret_levels, uint32_t count, struct error *error)
{
    struct sandbox sandbox;
    struct shape shape = {{text, name, len, false, LUA_NOREF}, step_s, ret_levels, count};
    if (sandbox_open(&sandbox, false, error))
        return -1;
    int status = protect(&sandbox, run_shape, &shape, name, error);
    sandbox_close(&sandbox);
    return status;
}
