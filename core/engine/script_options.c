/*
 * Options of a step as a script gives them, made into the block that the plugin's table describes. The block and all that it
 * points to lie in one buffer of the user's, so that nothing of Lua's is kept while the exchange waits for a connection. What
 * does not fit is counted, and everything is done once more in a buffer that is large enough: nothing moves once it is there.
 */
#include "engine/script.h"
#include "scenario/load.h"
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#define PAIRS_MAX     256u
#define OPTIONS_FIRST 256u /* bytes behind the block, at first */
#define OPTIONS_MAX   ((size_t)16 << 20)

struct filler {
    lua_State *lua;
    const struct step *step;
    const struct squall_table *table;
    uint64_t given;      /* rows */
    uint8_t *block;
    size_t used, size;   /* of the block and what follows it; used > size: it did not fit */
};

/* Room behind the block; NULL when there is too little: then it is only counted, and all is done again. */
static void *room(struct filler *filler, size_t len)
{
    size_t at = (filler->used + 15) & ~(size_t)15;
    filler->used = at + len;
    return filler->used <= filler->size ? filler->block + at : NULL;
}

static struct squall_bytes copy_text(struct filler *filler, const char *text, size_t len)
{
    uint8_t *copy = room(filler, len + 1);
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return (struct squall_bytes){copy, len};
}

/* A number or a text as text. Never changes what is on the stack, so that a table may be walked. */
static struct squall_bytes text_at(struct filler *filler, int place, const struct squall_option *row)
{
    char number[40];
    size_t len;
    if (lua_type(filler->lua, place) == LUA_TSTRING) {
        const char *text = lua_tolstring(filler->lua, place, &len);
        return copy_text(filler, text, len);
    }
    if (lua_type(filler->lua, place) == LUA_TBOOLEAN)
        return lua_toboolean(filler->lua, place) ? copy_text(filler, "true", 4) : copy_text(filler, "false", 5);
    if (lua_type(filler->lua, place) != LUA_TNUMBER)
        luaL_error(filler->lua, "`%s` takes a text or a number, not a %s", row->name, luaL_typename(filler->lua, place));
    struct value value = {.type = VALUE_NUMBER, .number = lua_tonumber(filler->lua, place)};
    bool whole = value.number == (double)(int64_t)value.number && value.number < 1e15 && value.number > -1e15;
    len = (size_t)snprintf(number, sizeof number, whole ? "%.0f" : "%.14g", value.number);
    if (row->type == SQUALL_DURATION) /* as all times of a script: seconds */
        len += (size_t)snprintf(number + len, sizeof number - len, "s");
    return copy_text(filler, number, len);
}

static void put_map(struct filler *filler, int place, const struct squall_option *row)
{
    lua_State *lua = filler->lua;
    uint64_t count = 0;
    if (!lua_istable(lua, place))
        luaL_error(lua, "`%s` takes a table: { [\"name\"] = \"value\" }", row->name);
    for (lua_pushnil(lua); lua_next(lua, place); lua_pop(lua, 1))
        count++;
    if (count > PAIRS_MAX)
        luaL_error(lua, "`%s` has more than %d entries", row->name, (int)PAIRS_MAX);
    struct squall_pair *pairs = room(filler, count * sizeof *pairs);
    uint64_t i = 0;
    for (lua_pushnil(lua); lua_next(lua, place); lua_pop(lua, 1), i++) {
        size_t len;
        if (lua_type(lua, -2) != LUA_TSTRING)
            luaL_error(lua, "a name in `%s` must be a text", row->name);
        const char *name = lua_tolstring(lua, -2, &len);
        struct squall_pair pair = {.name = copy_text(filler, name, len), .value = text_at(filler, lua_gettop(lua), row)};
        if (pairs)
            pairs[i] = pair;
    }
    struct squall_map map = {pairs, count};
    memcpy(filler->block + row->offset, &map, sizeof map);
}

/* A table, or a text that is JSON already. */
static void put_tree(struct filler *filler, int place, const struct squall_option *row)
{
    struct squall_tree tree = {.text = {NULL, 0}};
    struct buffer *json = &script_of(filler->lua)->engine->script_json;
    if (lua_type(filler->lua, place) == LUA_TSTRING) {
        tree.text = text_at(filler, place, row);
    } else {
        json->len = 0;
        script_put_json(filler->lua, place, json, 0);
        tree.text = copy_text(filler, (const char *)json->data, json->len);
    }
    memcpy(filler->block + row->offset, &tree, sizeof tree);
}

static bool same_value(const struct squall_option *row, const void *a, const void *b)
{
    struct squall_bytes texts[2];
    if (row->type != SQUALL_STRING)
        return memcmp((const char *)a + row->offset, (const char *)b + row->offset, sizeof(uint64_t)) == 0;
    memcpy(&texts[0], (const char *)a + row->offset, sizeof *texts);
    memcpy(&texts[1], (const char *)b + row->offset, sizeof *texts);
    return texts[0].len == texts[1].len && (texts[0].len == 0 || memcmp(texts[0].data, texts[1].data, texts[0].len) == 0);
}

/* What is fixed was known before the run; it stays the value in run memory that it is in the step's own block. */
static void put_text(struct filler *filler, uint32_t i, struct squall_bytes text)
{
    const struct squall_option *row = protocol_option(filler->table, i);
    const char *fixed = filler->step->fixed >> i & 1 ? filler->step->constant_block : NULL;
    struct error error; /* large: filled on failure only */
    if (!text.data)
        return;
    if (option_parse(row, text, filler->block, &error))
        luaL_error(filler->lua, "%s", error.text);
    if (fixed && !same_value(row, filler->block, fixed))
        luaL_error(filler->lua, "`%s` is the same in all calls of `%s` that are written out; give this one a name of its own", row->name,
                   filler->step->name);
    if (fixed)
        memcpy(filler->block + row->offset, fixed + row->offset, row->type == SQUALL_STRING ? sizeof(struct squall_bytes) : sizeof(uint64_t));
}

static const struct squall_option *begin_option(struct filler *filler, uint32_t i)
{
    const struct squall_option *row = protocol_option(filler->table, i);
    filler->given |= UINT64_C(1) << i;
    if (filler->step->constant >> i & 1 && !(filler->step->fixed >> i & 1))
        luaL_error(filler->lua, "the script nowhere names the option `%s` in plain words, so it cannot give it", row->name);
    if (!protocol_option_of(row, filler->step->view.verb))
        luaL_error(filler->lua, "`%s` means nothing to this kind of step", row->name);
    if (row->role & SQUALL_ROLE_FILE && row->type == SQUALL_STRING)
        luaL_error(filler->lua, "`%s` names a file, which is read before the run; a step of a flow can have it", row->name);
    return row;
}

static void put_option(struct filler *filler, uint32_t i, int place)
{
    const struct squall_option *row = begin_option(filler, i);
    if (row->type == SQUALL_MAP) {
        put_map(filler, place, row);
    } else if (row->type == SQUALL_TREE) {
        put_tree(filler, place, row);
    } else {
        put_text(filler, i, text_at(filler, place, row));
    }
}

static void put_named(struct filler *filler, const char *name, int place)
{
    if (strcmp(name, "name") == 0 || strcmp(name, "target") == 0)
        return;
    int32_t row = option_find(filler->table, name);
    if (row >= 0) {
        put_option(filler, (uint32_t)row, place);
    } else {
        const char *names[64];
        for (uint32_t i = 0; i < filler->table->count; i++)
            names[i] = protocol_option(filler->table, i)->name;
        const char *near = error_nearest(name, names, filler->table->count, sizeof *names);
        luaL_error(filler->lua, near ? "%s has no option `%s`; did you mean `%s`?" : "%s has no option `%s`", filler->step->protocol->name, name, near);
    }
}

static void put_table(struct filler *filler, int place)
{
    lua_State *lua = filler->lua;
    for (lua_pushnil(lua); lua_next(lua, place); lua_pop(lua, 1)) {
        if (lua_type(lua, -2) != LUA_TSTRING)
            luaL_error(lua, "options have names: { name = \"...\" }");
        put_named(filler, lua_tostring(lua, -2), lua_gettop(lua));
    }
}

static uint32_t headline_row(struct filler *filler, uint32_t index)
{
    if (index >= filler->step->headline_count)
        luaL_error(filler->lua, "this step takes fewer words; give the rest as options: { name = value }");
    return filler->step->headline[index];
}

static void put_word(struct filler *filler, uint32_t index, const char *text, size_t len)
{
    uint32_t i = headline_row(filler, index);
    begin_option(filler, i);
    put_text(filler, i, copy_text(filler, text, len));
}

/* "GET /path" given whole: as a scenario has it behind the protocol's name. */
static bool put_words(struct filler *filler, int place)
{
    const char *text = lua_tostring(filler->lua, place), *space = strchr(text, ' ');
    if (filler->step->headline_count < 2)
        return false;
    if (space)
        put_word(filler, 0, text, (size_t)(space - text));
    text = space ? space + 1 : text;
    put_word(filler, 1, text, strlen(text));
    return true;
}

static void put_all(struct filler *filler, const char *word, int first)
{
    lua_State *lua = filler->lua;
    uint32_t index = 0;
    int last = lua_gettop(lua);
    filler->used = filler->table->size;
    filler->given = 0;
    if (word)
        put_word(filler, index++, word, strlen(word));
    for (int place = first; place <= last; place++) {
        if (lua_istable(lua, place))
            put_table(filler, place);
        else if (!word && index == 0 && !filler->step->protocol->abi.verbs.count && lua_type(lua, place) == LUA_TSTRING && put_words(filler, place))
            index = 2;
        else if (!lua_isnil(lua, place))
            put_option(filler, headline_row(filler, index++), place);
    }
}

void script_fill_options(lua_State *lua, struct user *user, const struct step *step, const char *word, int first)
{
    struct filler filler = {.lua = lua, .step = step, .table = &step->protocol->abi.step_options};
    struct buffer *options = &user_script(user)->options;
    options->len = 0;
    do {
        if (filler.used > OPTIONS_MAX)
            luaL_error(lua, "the options of this step hold more than 16 MiB");
        filler.block = buffer_reserve(options, filler.used > OPTIONS_FIRST ? filler.used : OPTIONS_FIRST + filler.table->size);
        filler.size = options->capacity;
        memcpy(filler.block, step->defaults, filler.table->size);
        put_all(&filler, word, first);
    } while (filler.used > filler.size);
    uint64_t missing = step->required & ~filler.given;
    for (uint32_t i = 0; missing; i++, missing >>= 1)
        if (missing & 1)
            luaL_error(lua, "`%s` is missing: { %s = ... }", protocol_option(filler.table, i)->name, protocol_option(filler.table, i)->name);
}
