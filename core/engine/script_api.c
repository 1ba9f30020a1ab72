/*
 * What a script may call. All of it runs within a user's coroutine, under its protection: an error of Lua's ends the
 * journey. A function that has to wait leaves its wish with the user and yields.
 */
#include "engine/script.h"
#include "engine/script_match.h"
#include "base/log.h"
#include "base/units.h"
#include "metrics/series.h"
#include "scenario/expression_tree.h"
#include "scenario/load.h"
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

static struct user *current(lua_State *lua)
{
    struct user *user = script_of(lua)->current;
    if (!user)
        luaL_error(lua, "this works within a user's function only, not while the file is being read");
    return user;
}

/* ---- steps ---- */

/* What a step's function keeps beside it. */
enum { UPVALUE_PROTOCOL = 1, UPVALUE_WORD, UPVALUE_VERB, UPVALUE_NAME, UPVALUE_TARGET, UPVALUES = UPVALUE_TARGET };

/* Upvalue `key`: the option's name, so that it need not be made for each call. */
static const char *option_text(lua_State *lua, int key)
{
    int last = lua_gettop(lua);
    if (last == 0 || !lua_istable(lua, last))
        return NULL;
    lua_pushvalue(lua, lua_upvalueindex(key));
    lua_rawget(lua, last);
    const char *text = lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : NULL;
    lua_pop(lua, 1); /* the table keeps it */
    return text;
}

static const struct target *find_target(lua_State *lua, const struct scenario *scenario, const struct protocol *protocol)
{
    if (scenario->target_count == 1)
        return &scenario->targets[0];
    const char *name = option_text(lua, UPVALUE_TARGET);
    const struct target *found = NULL;
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        const struct target *target = &scenario->targets[i];
        if (target->protocol != protocol || (name && strcmp(name, target->name) != 0))
            continue;
        if (found)
            luaL_error(lua, "several targets speak %s; say which with target = \"NAME\"", protocol->name);
        found = target;
    }
    if (!found)
        luaL_error(lua, "there is no target `%s` that speaks %s", name, protocol->name);
    return found;
}

static bool same_word(const char *known, const char *word, size_t len)
{
    return (!known && !len) || (known && strlen(known) == len && memcmp(known, word, len) == 0);
}

/* The row that a call belongs to: by the name that it gives, else by the words that it begins with, the longest beginning
 * first, else the one for all others. */
static const struct script_call *find_call(const struct script *script, const struct target *target, uint64_t verb, const char *name,
                                           const char *word, const char *text)
{
    const struct script_call *found = NULL, *other = NULL;
    const char *space = !word && text ? strchr(text, ' ') : NULL;
    const char *first = word ? word : text;
    size_t first_len = word ? strlen(word) : space ? (size_t)(space - text) : 0, longest = 0;
    text = space ? space + 1 : text;
    for (uint32_t i = 0; i < script->call_count; i++) {
        const struct script_call *call = &script->calls[i];
        if (call->target != target || call->verb != verb)
            continue;
        if (call->other)
            other = call;
        else if (name ? call->name && strcmp(call->name, name) == 0 : !call->name && text && strcmp(call->text, text) == 0 && !call->continues &&
                                                                          same_word(call->word, first, first_len))
            return call;
        size_t len = call->text && call->continues && !call->name && !name ? strlen(call->text) : 0;
        if (len && text && strncmp(call->text, text, len) == 0 && len > longest && same_word(call->word, first, first_len)) {
            longest = len;
            found = call;
        }
    }
    return found ? found : other;
}

static int step(lua_State *lua)
{
    const struct protocol *protocol = lua_touserdata(lua, lua_upvalueindex(UPVALUE_PROTOCOL));
    const char *word = lua_tostring(lua, lua_upvalueindex(UPVALUE_WORD));
    uint64_t verb = (uint64_t)lua_tointeger(lua, lua_upvalueindex(UPVALUE_VERB));
    struct user *user = current(lua);
    const struct script_engine *scripts = script_of(lua);
    const struct scenario *scenario = user->engine->scenario;
    const struct target *target = find_target(lua, scenario, protocol);
    const char *text = lua_type(lua, 1) == LUA_TSTRING ? lua_tostring(lua, 1) : NULL;
    const struct script_call *call = find_call(scripts->script, target, verb, option_text(lua, UPVALUE_NAME), word, text);
    if (!call)
        return luaL_error(lua, "the script nowhere names %s in plain words, so it has no row in the tables", protocol->name);
    user_script(user)->step = &scenario->steps[call->step];
    script_fill_options(lua, user, user_script(user)->step, word, 1);
    user_script(user)->wish = WISH_STEP;
    return lua_yield(lua, 0);
}

/* A first word of the headline that nearly is one of its usual values: misspelt, most likely. As a text it is taken as it is. */
static void check_word(lua_State *lua, const struct protocol *protocol, const char *word, struct arena *scratch)
{
    const char *headline = protocol_headline(&protocol->abi, 0), *written = script_word(protocol, word, scratch);
    int32_t row = option_find(&protocol->abi.step_options, arena_copy(scratch, headline, strcspn(headline, " ")));
    const char *const *usual = row < 0 ? NULL : protocol_option(&protocol->abi.step_options, (uint32_t)row)->choices;
    unsigned count = 0;
    for (; usual && usual[count]; count++)
        if (strcmp(usual[count], written) == 0)
            return;
    const char *near = usual ? error_nearest(written, usual, count, sizeof *usual) : NULL;
    if (near)
        luaL_error(lua, "%s has no `%s`; did you mean `%s`? If not, write %s(\"%s ...\")", protocol->name, word, near, protocol->name, written);
}

/* PROTOCOL.word: a function, made when it is first asked for. */
static int find_word(lua_State *lua)
{
    const struct protocol *protocol = lua_touserdata(lua, lua_upvalueindex(1));
    const struct squall_table *verbs = &protocol->abi.verbs;
    const char *word = luaL_checkstring(lua, 2);
    struct arena *scratch = &script_of(lua)->engine->scratch;
    uint32_t verb = 0;
    arena_reset(scratch);
    if (verbs->count) {
        while (verb < verbs->count && strcmp(protocol_verb(verbs, verb)->name, word) != 0)
            verb++;
        if (verb == verbs->count) {
            const char *near = error_nearest(word, verbs->rows, verbs->count, verbs->stride);
            return near ? luaL_error(lua, "%s cannot `%s`; did you mean `%s`?", protocol->name, word, near)
                        : luaL_error(lua, "%s cannot `%s`; see squall plugin show %s", protocol->name, word, protocol->name);
        }
    } else {
        check_word(lua, protocol, word, scratch);
    }
    lua_pushvalue(lua, 2);
    lua_pushlightuserdata(lua, (void *)(uintptr_t)protocol);
    if (verbs->count)
        lua_pushnil(lua);
    else
        lua_pushstring(lua, script_word(protocol, word, scratch));
    lua_pushinteger(lua, (lua_Integer)verb);
    lua_pushliteral(lua, "name");
    lua_pushliteral(lua, "target");
    lua_pushcclosure(lua, step, UPVALUES);
    lua_pushvalue(lua, -1);
    lua_insert(lua, -3);
    lua_rawset(lua, 1);
    return 1;
}

/* PROTOCOL(...): the table itself is not an argument. */
static int call_protocol(lua_State *lua)
{
    lua_remove(lua, 1);
    return step(lua);
}

static void push_protocol(lua_State *lua, const struct protocol *protocol)
{
    lua_newtable(lua);
    lua_newtable(lua);
    lua_pushlightuserdata(lua, (void *)(uintptr_t)protocol);
    lua_pushcclosure(lua, find_word, 1);
    lua_setfield(lua, -2, "__index");
    lua_pushlightuserdata(lua, (void *)(uintptr_t)protocol);
    lua_pushnil(lua);
    lua_pushinteger(lua, 0);
    lua_pushliteral(lua, "name");
    lua_pushliteral(lua, "target");
    lua_pushcclosure(lua, call_protocol, UPVALUES);
    if (protocol->abi.verbs.count)
        lua_pop(lua, 1);
    else
        lua_setfield(lua, -2, "__call");
    lua_setmetatable(lua, -2);
}

/* ---- pauses, checks, chance ---- */

static uint64_t time_at(lua_State *lua, int place)
{
    uint64_t ns = 0;
    if (lua_type(lua, place) == LUA_TNUMBER && lua_tonumber(lua, place) >= 0 && lua_tonumber(lua, place) < 3.2e7)
        return (uint64_t)(lua_tonumber(lua, place) * 1e9);
    if (lua_type(lua, place) != LUA_TSTRING || units_parse_duration(lua_tostring(lua, place), &ns) || ns > UINT64_C(31622400000000000))
        luaL_error(lua, "this is no time to think; write \"250ms\", \"2s\" or a number of seconds");
    return ns;
}

static int think(lua_State *lua)
{
    struct user *user = current(lua);
    uint64_t min_ns = time_at(lua, 1), max_ns = lua_isnoneornil(lua, 2) ? min_ns : time_at(lua, 2);
    if (max_ns < min_ns)
        return luaL_error(lua, "the shorter time comes first");
    user_script(user)->pause_ns = min_ns + random_below(&user->random, max_ns - min_ns + 1);
    user_script(user)->wish = WISH_PAUSE;
    return lua_yield(lua, 0);
}

/* Upvalue: the run's checks by name. */
static int check(lua_State *lua)
{
    struct user *user = current(lua);
    bool passed = lua_toboolean(lua, 2);
    luaL_checkstring(lua, 1);
    lua_pushvalue(lua, 1);
    lua_rawget(lua, lua_upvalueindex(1));
    if (!lua_isnumber(lua, -1))
        return luaL_error(lua, "the check '%s' stands nowhere in the script as a plain text: check(\"name\", ...)", lua_tostring(lua, 1));
    struct check_count *count = &user->engine->store.checks[lua_tointeger(lua, -1)];
    if (user->walk == WALK_JOURNEY && user->ready_ns >= user->engine->warm_until_ns)
        *(passed ? &count->passed : &count->failed) += 1;
    if (user->engine->config.checked)
        user->engine->config.checked(user->engine->config.arg, lua_tostring(lua, 1), passed);
    lua_pushboolean(lua, passed);
    return 1;
}

static void push_check(lua_State *lua, const struct scenario *scenario)
{
    lua_newtable(lua);
    for (uint32_t i = 0; i < scenario->check_count; i++) {
        lua_pushstring(lua, scenario->check_names[i]);
        lua_pushinteger(lua, (lua_Integer)i);
        lua_rawset(lua, -3);
    }
    lua_pushcclosure(lua, check, 1);
}

/* Without arguments from 0 up to 1, else a whole number between two, or from 1 on. */
static int draw(lua_State *lua)
{
    struct user *user = current(lua);
    if (lua_isnoneornil(lua, 1)) {
        lua_pushnumber(lua, random_unit(&user->random));
        return 1;
    }
    bool one = lua_isnoneornil(lua, 2);
    lua_Number low = one ? 1 : luaL_checknumber(lua, 1), high = luaL_checknumber(lua, one ? 1 : 2);
    if (!(low <= high) || low < -9e15 || high > 9e15)
        return luaL_error(lua, "the smaller number comes first, and neither may be beyond 9e15");
    lua_pushnumber(lua, low + (lua_Number)random_below(&user->random, (uint64_t)(high - low) + 1));
    return 1;
}

static int iteration(lua_State *lua)
{
    lua_pushnumber(lua, (lua_Number)current(lua)->iteration);
    return 1;
}

/* ---- the language's functions: base64(text) and the like ---- */

#define FUNCTION_ARGUMENTS 16
static int call_function(lua_State *lua)
{
    const struct function *function = lua_touserdata(lua, lua_upvalueindex(1));
    struct value arguments[FUNCTION_ARGUMENTS], result = {.type = VALUE_NULL};
    uint32_t count = (uint32_t)lua_gettop(lua);
    struct user *user = current(lua);
    struct eval eval = variables_eval(user, NULL);
    if (count < function->argument_min || count > function->argument_max || count > FUNCTION_ARGUMENTS)
        return luaL_error(lua, "write %s", function->usage);
    for (uint32_t i = 0; i < count; i++)
        if (!script_get_value(lua, (int)i + 1, &arguments[i]))
            return luaL_error(lua, "a %s is no argument of %s", luaL_typename(lua, (int)i + 1), function->usage);
    arena_reset(&user->engine->scratch);
    function->evaluate(&eval, arguments, count, &result);
    script_push_value(lua, &result);
    return 1;
}

/* Those that neither look at an answer nor are prepared when they are compiled; a point in a name becomes _. */
static void add_functions(lua_State *lua)
{
    for (uint32_t i = 0; i < expression_function_count; i++) {
        const struct function *function = &expression_functions[i];
        char name[64];
        if (!function->evaluate || function->prepare || !function->arguments || !(function->places & 1u << PLACE_TEMPLATE) || strlen(function->name) >= sizeof name)
            continue;
        strcpy(name, function->name);
        for (char *at = name; *at; at++)
            *at = *at == '.' ? '_' : *at;
        lua_pushlightuserdata(lua, (void *)(uintptr_t)function);
        lua_pushcclosure(lua, call_function, 1);
        lua_setfield(lua, -2, name);
    }
}

/* ---- variables and data ---- */

/* Upvalue: places by name. */
static uint32_t variable_place(lua_State *lua)
{
    luaL_checkstring(lua, 2);
    lua_pushvalue(lua, 2);
    lua_rawget(lua, lua_upvalueindex(1));
    if (!lua_isnumber(lua, -1))
        luaL_error(lua, "the scenario has no variable `%s`; name it under vars", lua_tostring(lua, 2));
    uint32_t place = (uint32_t)lua_tointeger(lua, -1);
    lua_pop(lua, 1);
    return place;
}

static int get_variable(lua_State *lua)
{
    const struct value *value = &user_variables(current(lua))[variable_place(lua)];
    script_push_value(lua, value);
    return 1;
}

static int set_variable(lua_State *lua)
{
    struct value value;
    uint32_t place = variable_place(lua);
    if (!script_get_value(lua, 3, &value))
        return luaL_error(lua, "a %s is no value of a variable; make a text of it", luaL_typename(lua, 3));
    variables_set(current(lua), place, &value);
    return 0;
}

static void push_variables(lua_State *lua, const struct scenario *scenario)
{
    lua_newtable(lua);
    lua_newtable(lua);
    lua_newtable(lua);
    for (uint32_t i = 0; i < scenario->variable_count; i++) {
        lua_pushstring(lua, scenario->variables[i]);
        lua_pushinteger(lua, (lua_Integer)i);
        lua_rawset(lua, -3);
    }
    lua_pushvalue(lua, -1);
    lua_pushcclosure(lua, get_variable, 1);
    lua_setfield(lua, -3, "__index");
    lua_pushcclosure(lua, set_variable, 1);
    lua_setfield(lua, -2, "__newindex");
    lua_setmetatable(lua, -2);
}

/* Upvalue: the feed. */
static int get_column(lua_State *lua)
{
    struct user *user = current(lua);
    const struct scenario *scenario = user->engine->scenario;
    uint32_t feed = (uint32_t)lua_tointeger(lua, lua_upvalueindex(1));
    const struct data_table *table = &scenario->feeds[feed].table;
    size_t len;
    const char *name = luaL_checklstring(lua, 2, &len);
    for (uint32_t i = 0; i < table->column_count; i++) {
        struct value value;
        if (table->columns[i].name.len != len || memcmp(table->columns[i].name.data, name, len) != 0)
            continue;
        arena_reset(&user->engine->scratch);
        data_cell(table, user_feeds(user)->rows[feed], i, &user->engine->scratch, &value);
        if (value.json)
            script_push_json(lua, value.string);
        else
            script_push_value(lua, &value);
        return 1;
    }
    return luaL_error(lua, "%s has no column '%s'", scenario->feeds[feed].file, name);
}

static void push_data(lua_State *lua, const struct scenario *scenario)
{
    lua_newtable(lua);
    for (uint32_t i = 0; i < scenario->feed_count; i++) {
        lua_newtable(lua);
        lua_newtable(lua);
        lua_pushinteger(lua, (lua_Integer)i);
        lua_pushcclosure(lua, get_column, 1);
        lua_setfield(lua, -2, "__index");
        lua_setmetatable(lua, -2);
        lua_setfield(lua, -2, scenario->feeds[i].name);
    }
}

/* ---- globals ---- */

static int print(lua_State *lua)
{
    luaL_Buffer text;
    int count = lua_gettop(lua);
    luaL_buffinit(lua, &text);
    for (int i = 1; i <= count; i++) {
        if (i > 1)
            luaL_addchar(&text, ' ');
        if (lua_isstring(lua, i))
            lua_pushvalue(lua, i);
        else
            lua_pushstring(lua, lua_isboolean(lua, i) ? lua_toboolean(lua, i) ? "true" : "false" : luaL_typename(lua, i));
        luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
    log_line(LOG_INFO, "%s: %s", script_of(lua)->script ? script_of(lua)->script->file : "script", lua_tostring(lua, -1));
    return 0;
}

static int json_encode(lua_State *lua)
{
    struct buffer *json = &script_of(lua)->engine->script_json;
    luaL_checkany(lua, 1);
    json->len = 0;
    script_put_json(lua, 1, json, 0);
    lua_pushlstring(lua, (const char *)json->data, json->len);
    return 1;
}

static int json_decode(lua_State *lua)
{
    size_t len;
    const char *text = luaL_checklstring(lua, 1, &len);
    script_push_json(lua, (struct squall_bytes){(const uint8_t *)text, len});
    return 1;
}

static void set_globals(lua_State *lua)
{
    lua_pushcfunction(lua, print);
    lua_setglobal(lua, "print");
    lua_pushlightuserdata(lua, NULL);
    lua_setglobal(lua, "null");
    lua_newtable(lua);
    lua_pushcfunction(lua, json_encode);
    lua_setfield(lua, -2, "encode");
    lua_pushcfunction(lua, json_decode);
    lua_setfield(lua, -2, "decode");
    lua_setglobal(lua, "json");
}

static const luaL_Reg functions[] = {{"think", think}, {"random", draw}, {"iteration", iteration}, {NULL, NULL}};

void script_push_api(lua_State *lua)
{
    const struct scenario *scenario = script_of(lua)->engine->scenario;
    set_globals(lua);
    script_push_answer_type(lua);
    lua_newtable(lua);
    add_functions(lua);
    for (const luaL_Reg *row = functions; row->name; row++) {
        lua_pushcfunction(lua, row->func);
        lua_setfield(lua, -2, row->name);
    }
    push_check(lua, scenario);
    lua_setfield(lua, -2, "check");
    script_push_match(lua);
    lua_setfield(lua, -2, "match");
    script_push_transaction(lua);
    lua_setfield(lua, -2, "transaction");
    push_variables(lua, scenario);
    lua_setfield(lua, -2, "vars");
    push_data(lua, scenario);
    lua_setfield(lua, -2, "data");
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        push_protocol(lua, scenario->targets[i].protocol);
        lua_setfield(lua, -2, scenario->targets[i].protocol->name);
    }
}
