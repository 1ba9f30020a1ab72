/* Which exit code wins when several hold. See exit_code.h. */
#include "base/exit_code.h"
#include <stddef.h>

enum exit_code exit_code_worst(enum exit_code a, enum exit_code b)
{
    static const enum exit_code order[] = {
        EXIT_CODE_INTERNAL,    EXIT_CODE_USAGE,     EXIT_CODE_UNREACHABLE, EXIT_CODE_INVALID,
        EXIT_CODE_INTERRUPTED, EXIT_CODE_UNTRUSTED, EXIT_CODE_THRESHOLD,
    };
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (a == order[i] || b == order[i])
            return order[i];
    return EXIT_CODE_OK;
}
