/* A user walks its flow: one operation after the other, from journey to journey. */
#include "engine/internal.h"

void user_begin_journey(struct user *user, uint64_t due_ns)
{
    struct engine *engine = user->engine;
    user->op = user->class->ops;
    user->due_ns = due_ns;
    user->journey_block = due_ns < engine->warm_until_ns ? BLOCK_WARMUP : BLOCK_MEASURED;
    user->in_journey = true;
    user->failed = false;
    engine->users_busy++;
    if (engine->users_busy > engine->facts.users_max)
        engine->facts.users_max = engine->users_busy;
    engine_user_ready(engine, user, due_ns);
}

void user_think_over(struct timer *timer, uint64_t now_ns)
{
    struct user *user = LIST_ENTRY(timer, struct user, think);
    (void)now_ns;
    engine_user_ready(user->engine, user, user->ready_ns);
}

void user_advance(struct user *user)
{
    struct engine *engine = user->engine;
    const struct op *op = user->op;
    /* Ctrl-C lets exchanges end, not flows. */
    if (engine->stopping && op->kind != OP_END) {
        user_end_journey(user, false);
        return;
    }
    switch (op->kind) {
    case OP_STEP:
        user->op++;
        exchange_begin(&user->exchange, &engine->scenario->steps[op->step], user->ready_ns);
        return;
    case OP_THINK:
        user->op++;
        user->ready_ns += op->think_min_ns + random_below(&user->random, op->think_max_ns - op->think_min_ns + 1);
        timer_set(&engine->timers, &user->think, user->ready_ns);
        return;
    case OP_END:
        user_end_journey(user, true);
        return;
    }
}

void user_end_journey(struct user *user, bool finished)
{
    struct engine *engine = user->engine;
    struct ledger *ledger = &engine->config.page->ledgers[user->journey_block];
    timer_clear(&engine->timers, &user->think);
    list_remove(&user->ready);
    if (!finished)
        page_add(&ledger->journeys_unfinished, 1);
    else if (user->failed)
        page_add(&ledger->failed, 1);
    else
        page_add(&ledger->completed, 1);
    if (finished && user->journey_block == BLOCK_MEASURED)
        histogram_record(&engine->store.journey_ns, user->ready_ns > user->due_ns ? user->ready_ns - user->due_ns : 0);
    page_add(&engine->config.page->journeys_done, 1);
    user->in_journey = false;
    user->iteration++;
    user->free_since_ns = finished ? user->ready_ns : engine->now_ns;
    engine->users_busy--;
    load_user_idle(user);
}
