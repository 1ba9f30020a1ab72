/*
 * A user walks: its setup once, then its flow from journey to journey, and its teardown at the end of the run. Only
 * journeys are counted as such; the exchanges of all other walks stand in the warm-up's ledger.
 */
#include "engine/internal.h"

#define OPS_A_TURN 256 /* operations of one user before the others have their turn: a flow may loop without waiting */

static void on_timer(struct timer *timer, uint64_t now_ns)
{
    struct user *user = LIST_ENTRY(timer, struct user, timer);
    (void)now_ns;
    if (user->in_journey)
        engine_user_ready(user->engine, user, user->ready_ns);
    else
        load_pace_over(user);
}

void user_init(struct user *user, struct engine *engine)
{
    user->engine = engine;
    user->timer.fn = on_timer;
    list_init(&user->place);
}

const struct op *user_ops(const struct user *user)
{
    const struct scenario *scenario = user->engine->scenario;
    switch ((enum walk)user->walk) {
    case WALK_SETUP:
        return user->class->setup.ops;
    case WALK_TEARDOWN:
        return user->class->teardown.ops;
    case WALK_RUN_SETUP:
        return scenario->setup.ops;
    case WALK_RUN_TEARDOWN:
        return scenario->teardown.ops;
    default:
        return user->class->flow.ops;
    }
}

static void begin_walk(struct user *user, const struct program *program, enum walk walk, uint64_t due_ns)
{
    struct engine *engine = user->engine;
    user->op = program->ops;
    user->walk = (uint8_t)walk;
    user->due_ns = due_ns;
    user->in_journey = true;
    user->failed = user->waited = false;
    user->span_count = 0;
    engine->users_busy++;
    if (engine->users_busy > engine->facts.users_max)
        engine->facts.users_max = engine->users_busy;
    engine_user_ready(engine, user, due_ns);
}

void user_begin_journey(struct user *user, uint64_t due_ns)
{
    feeds_draw(user, user->class->feeds);
    feeds_hold(user, 0);
    user->journey_block = due_ns < user->engine->warm_until_ns ? BLOCK_WARMUP : BLOCK_MEASURED;
    begin_walk(user, &user->class->flow, WALK_JOURNEY, due_ns);
}

bool user_begin_setup(struct user *user, uint64_t due_ns)
{
    if (user->set_up || !user->class->setup.count)
        return false;
    user->set_up = true;
    feeds_draw(user, user->class->setup_feeds);
    feeds_hold(user, user->class->setup_feeds);
    begin_walk(user, &user->class->setup, WALK_SETUP, due_ns);
    return true;
}

/* It may wait for a journey that will not come. */
static void leave_rest(struct user *user)
{
    timer_clear(&user->engine->timers, &user->timer);
    list_remove(&user->place);
}

bool user_begin_teardown(struct user *user)
{
    bool used = user->set_up || user->iteration > 0;
    if (!used || !user->class->teardown.count)
        return false;
    leave_rest(user);
    begin_walk(user, &user->class->teardown, WALK_TEARDOWN, user->engine->now_ns);
    return true;
}

bool user_begin_run(struct user *user, const struct program *program, bool setup)
{
    if (!program->count)
        return false;
    leave_rest(user);
    begin_walk(user, program, setup ? WALK_RUN_SETUP : WALK_RUN_TEARDOWN, user->engine->now_ns);
    return true;
}

void user_advance(struct user *user)
{
    for (uint32_t i = 0; i < OPS_A_TURN; i++)
        if (!flow_step(user))
            return;
    engine_user_ready(user->engine, user, user->ready_ns);
}

static void count_journey(struct user *user, bool finished)
{
    struct engine *engine = user->engine;
    struct ledger *ledger = &engine->config.page->ledgers[user->journey_block];
    if (!finished)
        page_add(&ledger->journeys_unfinished, 1);
    else if (user->failed)
        page_add(&ledger->failed, 1);
    else
        page_add(&ledger->completed, 1);
    if (finished && user->journey_block == BLOCK_MEASURED)
        histogram_record(&engine->store.journey_ns, user->ready_ns > user->due_ns ? user->ready_ns - user->due_ns : 0);
    page_add(&engine->config.page->journeys_done, 1);
    user->iteration++;
}

void user_end_walk(struct user *user, bool finished)
{
    struct engine *engine = user->engine;
    timer_clear(&engine->timers, &user->timer);
    list_remove(&user->place);
    if (engine->scripts)
        script_drop(user);
    /* A walk that found nothing to do has taken its time all the same: else the next one would begin in the past. */
    if (!user->waited && user->ready_ns < engine->now_ns)
        user->ready_ns = engine->now_ns;
    if (user->walk == WALK_JOURNEY)
        count_journey(user, finished);
    user->in_journey = false;
    user->free_since_ns = finished ? user->ready_ns : engine->now_ns;
    engine->users_busy--;
    if (user->walk == WALK_JOURNEY)
        load_user_idle(user);
    else if (user->walk == WALK_RUN_SETUP)
        prepare_run_set_up(engine, user, finished);
    if (user->walk == WALK_SETUP) {
        load_user_set_up(user);
        prepare_user_set_up(engine);
    }
}
