/*
 * One operation of a flow after the other. What takes no time is done at once; a step, a pause or the end makes the walk
 * wait for its event. Ctrl-C lets exchanges end, not flows: then nothing that waits is begun.
 */
#include "engine/internal.h"

static bool holds(struct user *user, const struct expression *condition)
{
    struct eval eval = variables_eval(user, NULL);
    struct value value;
    arena_reset(&user->engine->scratch);
    expression_evaluate(condition, &eval, &value);
    return value.type == VALUE_BOOL && value.boolean;
}

static void assign(struct user *user, const struct op *op)
{
    struct eval eval = variables_eval(user, NULL);
    arena_reset(&user->engine->scratch);
    variables_assign(user, op->assignments, op->count, &eval);
}

static const struct op *choose(struct user *user, const struct op *op)
{
    double drawn = random_unit(&user->random);
    uint32_t arm = 0;
    while (arm + 1 < op->count && drawn >= op->arms[arm].weight)
        arm++;
    return &user_ops(user)[op->arms[arm].target];
}

void span_begin(struct user *user, uint32_t transaction)
{
    struct slot *span = &user_slots(user)[user->span_count++];
    span->began_ns = user->ready_ns;
    span->failed = false;
    span->transaction = (uint16_t)transaction;
}

/* A transaction counts with its end; one that the run cuts off has no duration. */
void span_end(struct user *user)
{
    struct engine *engine = user->engine;
    const struct slot *span = &user_slots(user)[--user->span_count];
    if (user->walk != WALK_JOURNEY || span->began_ns < engine->warm_until_ns)
        return;
    struct transaction_count *count = &engine->store.transactions[span->transaction];
    count->count++;
    count->failed += span->failed;
    histogram_record(&count->duration_ns, user->ready_ns > span->began_ns ? user->ready_ns - span->began_ns : 0);
}

void flow_failed(struct user *user)
{
    user->failed = true;
    for (uint32_t i = 0; i < user->span_count; i++)
        user_slots(user)[i].failed = true;
}

static void begin_steps(struct user *user, const struct op *op, uint32_t count)
{
    uint64_t due_ns = user->ready_ns;
    user->waited = true;
    user->in_flight = count; /* before the first begins: it may end at once */
    for (uint32_t i = 0; i < count; i++)
        exchange_begin(user, &user->engine->scenario->steps[op->step + i], due_ns);
}

static void think(struct user *user, const struct op *op)
{
    user->waited = true;
    user->ready_ns += op->think_min_ns + random_below(&user->random, op->think_max_ns - op->think_min_ns + 1);
    timer_set(&user->engine->timers, &user->timer, user->ready_ns);
}

bool flow_step(struct user *user)
{
    struct engine *engine = user->engine;
    const struct op *op = user->op;
    bool waits = op->kind == OP_STEP || op->kind == OP_THINK || op->kind == OP_PARALLEL;
    if (waits && engine->stopping && user->walk < WALK_TEARDOWN) {
        user_end_walk(user, false);
        return false;
    }
    user->op = op + 1;
    switch (op->kind) {
    case OP_STEP:
        begin_steps(user, op, 1);
        return false;
    case OP_PARALLEL:
        begin_steps(user, op, op->count);
        return false;
    case OP_THINK:
        think(user, op);
        return false;
    case OP_END:
        user_end_walk(user, true);
        return false;
    case OP_JUMP:
        user->op = &user_ops(user)[op->target];
        break;
    case OP_IF:
        if (!holds(user, op->condition))
            user->op = &user_ops(user)[op->target];
        break;
    case OP_CHOOSE:
        user->op = choose(user, op);
        break;
    case OP_LOOP:
        user_slots(user)[op->slot].left = op->count;
        break;
    case OP_REPEAT:
        if (--user_slots(user)[op->slot].left > 0)
            user->op = &user_ops(user)[op->target];
        break;
    case OP_WHILE:
        if (user_slots(user)[op->slot].left == 0 || !holds(user, op->condition))
            user->op = &user_ops(user)[op->target];
        else
            user_slots(user)[op->slot].left--;
        break;
    case OP_SET:
        assign(user, op);
        break;
    case OP_SCRIPT:
        return script_step(user, op);
    case OP_SPAN_BEGIN:
        span_begin(user, op->count);
        break;
    case OP_SPAN_END:
        span_end(user);
        break;
    }
    return true;
}
