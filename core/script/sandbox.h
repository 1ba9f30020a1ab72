/*
 * Lua (LuaJIT) for scenarios, within limits. Without trust a script has neither files, processes, the debug interface, C
 * data nor bytecode; the compiler is off, so that the number of instructions it executes in one go can be limited; and all
 * scripts of a process share an amount of memory. With trust (--trust-scenario) it has all of Lua at full speed, and only
 * the memory is limited.
 *
 * One thread. Nothing here calls the engine.
 */
#ifndef SQUALL_SCRIPT_SANDBOX_H
#define SQUALL_SCRIPT_SANDBOX_H
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_MEMORY_MAX       (UINT64_C(256) << 20)
#define SCRIPT_INSTRUCTIONS_MAX 1000000 /* from one step, check or pause to the next: some milliseconds */

struct lua_State;
struct sandbox {
    struct lua_State *lua;
    uint64_t memory, memory_max;
    bool trusted;
    int pause; /* of the garbage collector */
    void *arg; /* the caller's; see sandbox_of */
};

/* False when this squall was built without LuaJIT. */
bool sandbox_available(void);
int sandbox_open(struct sandbox *sandbox, bool trusted, struct error *error);
void sandbox_close(struct sandbox *sandbox);
/* The sandbox that a state, or one of its coroutines, belongs to. */
struct sandbox *sandbox_of(struct lua_State *lua);
/* From here on the instructions are counted anew. */
void sandbox_restart_count(struct sandbox *sandbox);

/* Whether the text is Lua; runs nothing. `name` stands in messages: "name:line: what". */
int sandbox_check(const char *text, size_t len, const char *name, struct error *error);
/* Runs the file's text in an environment of its own; what it returns stands in the registry, at *ret_place. */
int sandbox_run(struct sandbox *sandbox, const char *text, size_t len, const char *name, int *ret_place, struct error *error);
/* What the file's `shape` gives for the times 0, step_s, 2 x step_s ...: always without trust. */
int sandbox_shape(const char *text, size_t len, const char *name, double step_s, double *ret_levels, uint32_t count, struct error *error);

#endif
