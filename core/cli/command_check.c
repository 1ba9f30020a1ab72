/* squall check: validates a scenario without opening a socket, and prints the plan. */
#include "cli/cli.h"
#include "scenario/scenario.h"

static int print_plan(struct run_arguments *arguments, struct scenario *scenario, struct error *error)
{
    struct buffer plan = {0};
    (void)arguments;
    (void)error;
    scenario_print_plan(scenario, &plan);
    fwrite(plan.data, 1, plan.len, stdout);
    buffer_fini(&plan);
    return EXIT_CODE_OK;
}

int command_check(int argc, char **argv)
{
    return with_scenario(argc, argv, print_plan);
}
