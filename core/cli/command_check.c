/* squall check: validates a scenario, and prints the plan. It opens no socket, but for --reflect: then a connection to each
 * target that has to be asked for what the scenario says. */
#include "base/random.h"
#include "cli/cli.h"
#include "cluster/limits.h"
#include "engine/engine.h"
#include "scenario/scenario.h"

/* ---- --reflect ---- */

struct asking {
    struct engine *engine;
    struct error *error;
    bool failed;
};

static void on_ready(void *arg, const char *error)
{
    struct asking *asking = arg;
    if (error) {
        asking->failed = true;
        error_set_code(asking->error, (int)engine_ready_code(asking->engine), "%s", error);
    }
    loop_stop(engine_loop(asking->engine));
}

/* Nobody walks, so nothing is ever over. */
static void on_finished(void *arg)
{
    (void)arg;
}

/* Each target has as long as its connect time-out. */
static int ask_targets(const struct scenario *scenario, struct error *error)
{
    struct page page = {0};
    struct asking asking = {.error = error};
    struct engine_config config = {.scenario = scenario,
                                   .workers = 1,
                                   .run = random_unique(),
                                   .page = &page,
                                   .single_journey = true,
                                   .asking = true,
                                   .arg = &asking,
                                   .ready = on_ready,
                                   .finished = on_finished};
    asking.engine = engine_new(&config, error);
    if (!asking.engine)
        return -1;
    engine_connect(asking.engine);
    loop_run(engine_loop(asking.engine));
    engine_free(asking.engine);
    return asking.failed ? -1 : 0;
}

static uint32_t print_asked(const struct scenario *scenario)
{
    uint32_t asked = 0;
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        const struct target *target = &scenario->targets[i];
        if (!target->view.asks)
            continue;
        printf("%s  %-16s %s  (its steps fit what it serves)\n", asked++ ? "" : "\nasked\n", target->name, target->url);
    }
    return asked;
}

/* ---- the plan ---- */

static int print_plan(struct run_arguments *arguments, struct scenario *scenario, struct error *error)
{
    struct buffer plan = {0};
    char text[300];
    uint32_t workers = arguments->plan.workers ? arguments->plan.workers : 1;
    if (arguments->reflect && ask_targets(scenario, error) < 0)
        return cli_fail(error);
    scenario_print_plan(scenario, &plan);
    fwrite(plan.data, 1, plan.len, stdout);
    buffer_fini(&plan);
    if (arguments->reflect && print_asked(scenario) == 0)
        fprintf(stderr, "squall: --reflect: no target of this scenario has to be asked for anything\n");
    if (limits_users_many(scenario, workers, text, sizeof text))
        fprintf(stderr, "squall: %s\n", text);
    return EXIT_CODE_OK;
}

int command_check(int argc, char **argv)
{
    return with_scenario(argc, argv, print_plan);
}
