/*
 * Users who walk a script: the engine's side of it. script_user.c lets them run, script_api.c is what a script may call,
 * script_options.c makes options of what it gives, script_value.c values of what it gets; script_none.c stands in for all
 * where LuaJIT was missing.
 *
 * script_transaction.c has transactions and script_hint.c what a misspelt name may have meant.
 *
 * A user is a coroutine. It runs until it asks for a step or a pause, which the engine then carries out as it does for a
 * flow; when that has ended, it runs on. Errors of a script, its limits included, fail that user's journey and nothing else.
 */
#ifndef SQUALL_ENGINE_SCRIPT_H
#define SQUALL_ENGINE_SCRIPT_H
#include "engine/internal.h"
#include "script/sandbox.h"

enum script_wish { WISH_NONE, WISH_STEP, WISH_PAUSE };

struct script_user {
    struct lua_State *thread; /* NULL: not made yet, or ended by an error */
    int thread_place, object_place; /* in the registry */
    bool running;          /* in the middle of a journey */
    uint8_t spans_before;  /* transactions that were open when it began */
    enum script_wish wish;
    const struct step *step;
    uint64_t pause_ns;
    struct buffer options; /* of the step: the block that the plugin's table describes, with all that it points to */
    struct buffer *body;   /* of the answer, until Lua has its copy; NULL: there is none */
    struct buffer fields;  /* of the answer: lengths and bytes of name and value, in turn */
    bool answered;
    uint32_t outcome, code;
    const char *code_name;
    uint64_t latency_ns, service_ns;
};

struct script_engine {
    struct sandbox sandbox; /* its arg leads here */
    struct engine *engine;
    struct user *current;   /* whose coroutine runs */
    const struct script *script; /* that this is of */
    int *functions;         /* as scenario->scripts: places in the registry */
    int answer_place, push_answer_place; /* there too */
};

/* NULL: the scenario has no script. */
static inline struct script_user *user_script(const struct user *user)
{
    return user->engine->more.scripts ? &user->engine->more.scripts[user_index(user)] : NULL;
}

/* ---- between the files of it ---- */

/* What an error of Lua's may have meant: "did you mean `check`?", or NULL. In the engine's scratch. */
const char *script_hint(const struct script_engine *scripts, const char *text);
/* Ends transactions of the user's, as failed, until so many are open. */
void script_end_spans(struct user *user, uint32_t count);

struct lua_State;
struct script_engine *script_of(struct lua_State *lua);
void script_drop_body(struct user *user); /* of its last answer */
/* Those are C functions of Lua, or raise its errors: they are called under protection only. */
/* Makes the table of functions that users see, and leaves it on the stack. */
void script_push_api(struct lua_State *lua);
/* A C function of Lua with the user as its argument: moves the step's answer onto the user's coroutine. */
int script_push_answer(struct lua_State *lua);
/* Leaves the function `transaction` on the stack. */
void script_push_transaction(struct lua_State *lua);
void script_push_answer_type(struct lua_State *lua); /* leaves nothing on the stack */
/* Fills the user's options for a call of `step` from the words and the table of options on the stack, from place
 * `first` on; raises an error of Lua that says what is wrong. */
void script_fill_options(struct lua_State *lua, struct user *user, const struct step *step, const char *word, int first);
/* Of a value on the stack; texts stay Lua's. False: it has no place in a scenario. */
bool script_get_value(struct lua_State *lua, int place, struct value *ret);
void script_push_value(struct lua_State *lua, const struct value *value);
/* A JSON text as Lua values; null is the value `null`. */
void script_push_json(struct lua_State *lua, struct squall_bytes text);
/* A Lua value as JSON, behind what the buffer holds; raises an error when it cannot be. */
void script_put_json(struct lua_State *lua, int place, struct buffer *out, int depth);

#endif
