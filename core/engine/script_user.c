/* Coroutines of users: made when first needed, used again for each journey, given up after an error. */
#include "engine/script.h"
#include "base/log.h"
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

struct script_engine *script_of(lua_State *lua)
{
    return sandbox_of(lua)->arg;
}

/* ---- life ---- */

static int open_one(struct script_engine *scripts, uint32_t i, struct error *error)
{
    const struct script *script = &scripts->engine->scenario->scripts[i];
    lua_State *lua = scripts->sandbox.lua;
    if (sandbox_run(&scripts->sandbox, script->text, script->len, script->file, &scripts->functions[i], error))
        return -1;
    lua_rawgeti(lua, LUA_REGISTRYINDEX, scripts->functions[i]);
    if (lua_istable(lua, -1)) { /* a script that has a shape too */
        lua_pushliteral(lua, "journey");
        lua_rawget(lua, -2);
        lua_pushvalue(lua, -1);
        lua_rawseti(lua, LUA_REGISTRYINDEX, scripts->functions[i]);
    }
    bool callable = lua_isfunction(lua, -1);
    lua_settop(lua, 0);
    return callable ? 0 : error_set(error, "%s: returns no function; end it with: return function(user) ... end", script->file);
}

static int make_api(lua_State *lua)
{
    script_push_api(lua);
    lua_setfield(lua, LUA_REGISTRYINDEX, "squall.api");
    return 0;
}

int script_open(struct engine *engine, struct error *error)
{
    const struct scenario *scenario = engine->scenario;
    if (!scenario->script_count)
        return 0;
    struct script_engine *scripts = arena_alloc(&engine->arena, sizeof *scripts);
    struct script_user *users = arena_alloc(&engine->arena, engine->user_count * sizeof *users);
    if (sandbox_open(&scripts->sandbox, scenario->trusted, error))
        return -1;
    engine->scripts = scripts;
    scripts->sandbox.arg = scripts;
    scripts->engine = engine;
    scripts->functions = arena_alloc(&engine->arena, scenario->script_count * sizeof *scripts->functions);
    for (uint32_t i = 0; i < engine->user_count; i++)
        users[i].thread_place = users[i].object_place = LUA_NOREF;
    engine->more.scripts = users;
    if (lua_cpcall(scripts->sandbox.lua, make_api, NULL))
        return error_set_code(error, EXIT_CODE_INTERNAL, "the functions for scripts could not be made");
    for (uint32_t i = 0; i < scenario->script_count; i++)
        if (open_one(scripts, i, error))
            return -1;
    return 0;
}

void script_close(struct engine *engine)
{
    if (!engine->scripts)
        return;
    for (uint32_t i = 0; i < engine->user_count; i++) {
        struct script_user *own = user_script(&engine->users[i]);
        if (own) {
            script_drop_body(&engine->users[i]);
            buffer_fini(&own->options);
            buffer_fini(&own->fields);
        }
    }
    sandbox_close(&engine->scripts->sandbox);
    engine->scripts = NULL;
}

/* ---- running ---- */

/* What may run out of memory runs under protection. */
static int prepare(lua_State *lua)
{
    struct user *user = lua_touserdata(lua, 1);
    struct script_user *own = user_script(user);
    if (own->object_place == LUA_NOREF) {
        lua_newtable(lua);
        lua_pushnumber(lua, (lua_Number)user->id);
        lua_setfield(lua, -2, "id");
        lua_newtable(lua);
        lua_getfield(lua, LUA_REGISTRYINDEX, "squall.api");
        lua_setfield(lua, -2, "__index");
        lua_setmetatable(lua, -2);
        own->object_place = luaL_ref(lua, LUA_REGISTRYINDEX);
    }
    if (!own->thread) {
        lua_State *thread = lua_newthread(lua);
        own->thread_place = luaL_ref(lua, LUA_REGISTRYINDEX);
        own->thread = thread;
    }
    return 0;
}

static void give_up_thread(struct user *user)
{
    struct script_user *own = user_script(user);
    if (own->thread_place != LUA_NOREF)
        luaL_unref(user->engine->scripts->sandbox.lua, LUA_REGISTRYINDEX, own->thread_place);
    own->thread_place = LUA_NOREF;
    own->thread = NULL;
    own->running = false;
}

void script_drop(struct user *user)
{
    if (user_script(user) && user_script(user)->running)
        give_up_thread(user);
}

static void journey_failed(struct user *user, const char *text, int status)
{
    struct engine *engine = user->engine;
    const char *file = engine->scripts->script->file;
    char whole[600];
    const char *hint = status == LUA_ERRRUN ? script_hint(engine->scripts, text) : NULL;
    if (status == LUA_ERRMEM)
        snprintf(whole, sizeof whole, "%s: the scripts of this worker hold more than %llu MiB", file, (unsigned long long)(SCRIPT_MEMORY_MAX >> 20));
    else
        snprintf(whole, sizeof whole, "%s%s%s%s", strncmp(text, file, strlen(file)) == 0 ? "" : file, strncmp(text, file, strlen(file)) == 0 ? "" : ": ",
                 text, hint ? hint : "");
    measure_script_error(engine, whole, user->walk == WALK_JOURNEY && user->journey_block == BLOCK_WARMUP);
    if (engine->config.script_failed)
        engine->config.script_failed(engine->config.arg, whole);
    flow_failed(user);
    script_end_spans(user, user_script(user)->spans_before);
    give_up_thread(user);
    lua_gc(engine->scripts->sandbox.lua, status == LUA_ERRMEM ? LUA_GCCOLLECT : LUA_GCSTEP, 0);
}

static int resume(struct user *user)
{
    struct script_engine *scripts = user->engine->scripts;
    struct script_user *own = user_script(user);
    int arguments = 0;
    if (!own->running) {
        int status = own->thread && own->object_place != LUA_NOREF ? 0 : lua_cpcall(scripts->sandbox.lua, prepare, user);
        lua_settop(scripts->sandbox.lua, 0);
        if (status)
            return status;
        lua_rawgeti(own->thread, LUA_REGISTRYINDEX, scripts->functions[scripts->script - user->engine->scenario->scripts]);
        lua_rawgeti(own->thread, LUA_REGISTRYINDEX, own->object_place);
        own->spans_before = user->span_count;
        arguments = 1;
    } else if (own->wish == WISH_STEP) {
        lua_State *lua = scripts->sandbox.lua;
        lua_rawgeti(lua, LUA_REGISTRYINDEX, scripts->push_answer_place);
        lua_pushlightuserdata(lua, user);
        int status = lua_pcall(lua, 1, 0, 0);
        if (status) {
            lua_settop(scripts->sandbox.lua, 0);
            return status;
        }
        arguments = 1;
    }
    scripts->current = user;
    own->wish = WISH_NONE;
    own->running = true;
    sandbox_restart_count(&scripts->sandbox);
    return lua_resume(own->thread, arguments);
}

static void grant(struct user *user)
{
    struct script_user *own = user_script(user);
    user->waited = true;
    if (own->wish == WISH_PAUSE) {
        user->ready_ns += own->pause_ns;
        timer_set(&user->engine->timers, &user->timer, user->ready_ns);
        return;
    }
    own->answered = false;
    script_drop_body(user);
    own->fields.len = 0;
    user->in_flight = 1;
    exchange_begin(user, own->step, user->ready_ns);
}

bool script_step(struct user *user, const struct op *op)
{
    struct engine *engine = user->engine;
    struct script_user *own = user_script(user);
    engine->scripts->script = &engine->scenario->scripts[op->count];
    int status = resume(user);
    if (status == LUA_YIELD && own->wish != WISH_NONE) {
        if (engine->stopping && user->walk < WALK_TEARDOWN) {
            give_up_thread(user);
            user_end_walk(user, false);
            return false;
        }
        user->op = op; /* to be here again when that has ended */
        grant(user);
        return false;
    }
    if (status == 0) {
        lua_settop(own->thread, 0);
        own->running = false;
        script_end_spans(user, own->spans_before); /* one whose error the script has caught */
        return true;
    }
    const char *text = own->thread && lua_type(own->thread, -1) == LUA_TSTRING ? lua_tostring(own->thread, -1) : "an error that is no text";
    journey_failed(user, status == LUA_YIELD ? "waits for something that the engine does not know" : text, status);
    return true;
}

struct squall_bytes script_options(const struct user *user)
{
    return (struct squall_bytes){user_script(user)->options.data, user_script(user)->options.len};
}

void script_drop_body(struct user *user)
{
    if (user_script(user)->body)
        buffer_give(user->engine, &user_script(user)->body);
}

void script_unanswered(struct exchange *exchange, enum outcome outcome)
{
    struct script_user *own = user_script(exchange->user);
    own->answered = false;
    own->outcome = outcome;
    own->code = 0;
    own->code_name = NULL;
}

/* The answer is put aside as bytes: what Lua makes of it is made when the user runs on, under protection. */
void script_answered(struct exchange *exchange, const struct answer *answer)
{
    struct script_user *own = user_script(exchange->user);
    own->answered = true;
    own->outcome = answer->outcome;
    own->code = answer->code;
    own->code_name = answer->code_name;
    own->latency_ns = answer->latency_ns;
    own->service_ns = answer->service_ns;
    own->body = exchange->body;
    exchange->body = NULL;
    own->fields.len = 0;
    for (uint32_t i = 0; i < answer->field_count; i++) {
        const struct squall_pair *field = &answer->fields[i];
        uint64_t lengths[2] = {field->name.len, field->value.len};
        buffer_append(&own->fields, lengths, sizeof lengths);
        buffer_append(&own->fields, field->name.data, field->name.len);
        buffer_append(&own->fields, field->value.data, field->value.len);
    }
}
