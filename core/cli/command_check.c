/* squall check: validates a scenario without opening a socket, and prints the plan. */
#include "cli/cli.h"
#include "cluster/limits.h"
#include "scenario/scenario.h"

static int print_plan(struct run_arguments *arguments, struct scenario *scenario, struct error *error)
{
    struct buffer plan = {0};
    char text[300];
    uint32_t workers = arguments->plan.workers ? arguments->plan.workers : 1;
    (void)error;
    scenario_print_plan(scenario, &plan);
    fwrite(plan.data, 1, plan.len, stdout);
    buffer_fini(&plan);
    if (limits_users_many(scenario, workers, text, sizeof text))
        fprintf(stderr, "squall: %s\n", text);
    return EXIT_CODE_OK;
}

int command_check(int argc, char **argv)
{
    return with_scenario(argc, argv, print_plan);
}
