/* squall check: validates a scenario without opening a socket, and prints the plan. */
#include "cli/cli.h"
#include "scenario/scenario.h"

int command_check(int argc, char **argv)
{
    struct run_arguments arguments;
    struct protocol_registry registry;
    struct scenario *scenario = NULL;
    struct error error = {0};
    struct buffer plan = {0};
    int code = EXIT_CODE_OK;
    protocol_registry_init(&registry);
    if (run_arguments_parse(&arguments, argc, argv, &registry, &error) < 0)
        code = cli_fail(&error);
    else if (!arguments.help && run_arguments_load(&arguments, &registry, &scenario, &error) < 0)
        code = cli_fail(&error);
    if (scenario) {
        scenario_print_plan(scenario, &plan);
        fwrite(plan.data, 1, plan.len, stdout);
    }
    buffer_fini(&plan);
    scenario_free(scenario);
    run_arguments_fini(&arguments);
    protocol_registry_fini(&registry);
    return code;
}
