/* Without LuaJIT no scenario with a script is ever loaded, so that none of this is reached with something to do. */
#include "engine/internal.h"

int script_open(struct engine *engine, struct error *error)
{
    (void)engine;
    (void)error;
    return 0;
}

void script_close(struct engine *engine)
{
    (void)engine;
}

bool script_step(struct user *user, const struct op *op)
{
    (void)user;
    (void)op;
    return true;
}

void script_drop(struct user *user)
{
    (void)user;
}

void script_answered(struct exchange *exchange, const struct answer *answer)
{
    (void)exchange;
    (void)answer;
}

void script_unanswered(struct exchange *exchange, enum outcome outcome)
{
    (void)exchange;
    (void)outcome;
}

struct squall_bytes script_options(const struct user *user)
{
    (void)user;
    return (struct squall_bytes){NULL, 0};
}
