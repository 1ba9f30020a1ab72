/* Regular expressions for scripts. */
#ifndef SQUALL_ENGINE_SCRIPT_MATCH_H
#define SQUALL_ENGINE_SCRIPT_MATCH_H

struct lua_State;
/* Leaves the function match(text, pattern) on the stack. */
void script_push_match(struct lua_State *lua);

#endif
