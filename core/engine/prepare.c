/*
 * What comes before the clock starts: the run's setup, walked once by the first user of the first worker; then, where
 * the scenario wants its users ready before the load (ready-before-load), the setups of all users. Each part ends with
 * the hook `ready`, so that whoever runs the engine can make all workers wait for each other.
 */
#include "base/units.h"
#include "engine/internal.h"
#include <stdio.h>

void prepare_run(struct engine *engine)
{
    if (engine->config.worker == 0 && engine->user_count > 0 && !engine->stopping && !engine->config.asking) {
        engine->preparing = true;
        if (user_begin_run(&engine->users[0], &engine->scenario->setup, true)) {
            engine_settle(engine);
            return;
        }
        engine->preparing = false;
    }
    engine->config.ready(engine->config.arg, NULL);
}

void prepare_run_set_up(struct engine *engine, struct user *user, bool finished)
{
    engine->preparing = false;
    if (!finished)
        return;
    if (user->failed) {
        char text[600];
        const struct store *store = &engine->store;
        engine->setup_failed = true;
        snprintf(text, sizeof text, "the setup of the run failed: %s; nothing was started",
                 store->error_count ? store->errors[store->error_count - 1].text : "an exchange was not ok");
        engine->config.ready(engine->config.arg, text);
        return;
    }
    variables_share(engine, user);
    engine->config.ready(engine->config.arg, NULL);
}

enum exit_code engine_ready_code(const struct engine *engine)
{
    return engine->refused ? EXIT_CODE_USAGE : engine->setup_failed ? EXIT_CODE_INTERNAL : EXIT_CODE_UNREACHABLE;
}

/* ---- users ---- */

void engine_set_up_users(struct engine *engine, uint64_t within_ns)
{
    if (engine->stopping)
        return;
    engine->prepare_began_ns = engine_stamp(engine);
    engine->preparing = true;
    engine->setups_left = load_begin_setups(engine);
    if (engine->setups_left == 0) {
        engine->preparing = false;
        engine->config.ready(engine->config.arg, NULL);
        return;
    }
    timer_set(&engine->timers, &engine->prepare_limit, engine->now_ns + within_ns);
    engine_settle(engine);
}

void prepare_user_set_up(struct engine *engine)
{
    if (!engine->preparing || --engine->setups_left > 0)
        return;
    engine->preparing = false;
    timer_clear(&engine->timers, &engine->prepare_limit);
    if (!engine->stopping)
        engine->config.ready(engine->config.arg, NULL);
}

/* What a user that is not ready is doing. */
static void describe(const struct user *user, char *text, size_t size)
{
    const struct exchange *exchange = user->exchanges;
    if (!exchange)
        snprintf(text, size, "is still walking it");
    else if (exchange->state == EXCHANGE_IN_FLIGHT)
        snprintf(text, size, "waits for the answer to \"%.80s\"", step_of(exchange)->name);
    else
        snprintf(text, size, "waits for a connection to %.80s, for \"%.80s\"", step_of(exchange)->target->name,
                 step_of(exchange)->name);
}

void prepare_late(struct timer *timer, uint64_t now_ns)
{
    struct engine *engine = LIST_ENTRY(timer, struct engine, prepare_limit);
    const struct user *first = NULL;
    char doing[200] = "", text[600], passed[32];
    for (uint32_t i = 0; i < engine->user_count && !first; i++)
        if (engine->users[i].in_journey)
            first = &engine->users[i];
    if (!engine->preparing || !first)
        return;
    describe(first, doing, sizeof doing);
    units_print_duration(passed, sizeof passed, (now_ns - engine->prepare_began_ns) / NS_PER_MS * NS_PER_MS);
    snprintf(text, sizeof text,
             "ready-before-load: after %s %u of the %u users of worker %u had not ended their setup; the first, user "
             "%llu (%.60s), %s; "
             "nothing was started",
             passed, engine->setups_left, engine->user_count, engine->config.worker, (unsigned long long)first->id,
             first->class->name, doing);
    engine->preparing = false;
    engine->setup_failed = true;
    engine->config.ready(engine->config.arg, text);
}
