/* Scenarios of the fixture's protocols that load, in tests of cmocka. */
#ifndef SQUALL_TESTS_SCENARIO_LOADED_H
#define SQUALL_TESTS_SCENARIO_LOADED_H
#include "scenario_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h> /* after the headers that it needs */

#define SECOND UINT64_C(1000000000)

static inline struct scenario *load_with(const char *text, const struct overrides *overrides)
{
    struct protocol_registry registry;
    struct scenario *scenario = NULL;
    struct error error = {0};
    fixture_registry(&registry);
    if (scenario_load(text, strlen(text), "dir/s.yaml", overrides, &registry, &scenario, &error))
        fail_msg("%s", error.text);
    return scenario;
}

#endif
