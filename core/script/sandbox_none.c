/* In place of sandbox.c where LuaJIT was missing when squall was built: scenarios with scripts are refused. */
#include "script/sandbox.h"

static int refuse(const char *name, struct error *error)
{
    return error_set(error, "%s: this squall was built without LuaJIT; install libluajit-5.1-dev and build it again", name);
}

bool sandbox_available(void)
{
    return false;
}

int sandbox_check(const char *text, size_t len, const char *name, struct error *error)
{
    (void)text;
    (void)len;
    return refuse(name, error);
}

int sandbox_shape(const char *text, size_t len, const char *name, double step_s, double *ret_levels, uint32_t count, struct error *error)
{
    (void)text;
    (void)len;
    (void)step_s;
    (void)ret_levels;
    (void)count;
    return refuse(name, error);
}
