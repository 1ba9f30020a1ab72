/*
 * One exchange from the moment it is due to its one outcome. exchange_end is the only way out, whoever ends it; after it
 * the exchange's memory is anybody's next one.
 */
#include "engine/internal.h"
#include <stdio.h>
#include <string.h>

static void drop_body(struct exchange *exchange)
{
    if (exchange->body)
        buffer_give(exchange->user->engine, &exchange->body);
}

/* ---- memory: an exchange with the plugin's state behind it, handed round as spare.c does ---- */

static struct exchange *make(struct engine *engine)
{
    const size_t size = (sizeof(struct exchange) + ARENA_ALIGNMENT - 1) & ~(ARENA_ALIGNMENT - 1);
    struct exchange *exchange = arena_alloc(&engine->arena, size + engine->exchange_size);
    exchange->view.state = (char *)exchange + size;
    list_init(&exchange->place);
    list_init(&exchange->unsent);
    list_init(&exchange->deadline);
    return exchange;
}

static struct exchange *take(struct user *user)
{
    struct engine *engine = user->engine;
    struct exchange *exchange = engine->spares.exchanges;
    if (exchange)
        engine->spares.exchanges = exchange->next;
    else
        exchange = make(engine);
    exchange->user = user;
    exchange->next = user->exchanges;
    user->exchanges = exchange;
    return exchange;
}

static void give(struct exchange *exchange, struct user *user)
{
    struct exchange **link = &user->exchanges;
    while (*link != exchange)
        link = &(*link)->next;
    *link = exchange->next;
    drop_body(exchange);
    exchange->next = user->engine->spares.exchanges;
    user->engine->spares.exchanges = exchange;
}

void exchanges_fini(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->user_count; i++)
        while (engine->users[i].exchanges)
            give(engine->users[i].exchanges, &engine->users[i]);
    for (struct exchange *exchange = engine->spares.exchanges; exchange; exchange = exchange->next)
        messages_fini(exchange);
}

/* ---- its way ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The first time, or once more: follow(). */
static void begin(struct exchange *exchange, const struct step *step, uint64_t intended_ns)
{
    struct user *user = exchange->user;
    struct engine *engine = user->engine;
    struct pool *pool = &engine->pools[step->target - engine->scenario->targets];
    exchange->view.step = &step->view;
    exchange->view.user = &user_views(user)[step->protocol->index];
    exchange->view.wants = (uint32_t)step->wants | (engine->config.trace ? SQUALL_WANT_BODY | SQUALL_WANT_FIELDS : 0);
    exchange->view.id = engine->next_exchange_id++;
    exchange->view.intended_ns = intended_ns;
    if (!exchange->followed && step->protocol->abi.exchange_size)
        memset(exchange->view.state, 0, step->protocol->abi.exchange_size);
    exchange->view.hop = exchange->followed ? exchange->view.hop + 1 : 0;
    exchange->given_back = 0;
    exchange->possible_ns = later(intended_ns, user->free_since_ns);
    exchange->handed_ns = exchange->sent_ns = exchange->first_byte_ns = NO_TIME;
    exchange->attempted = exchange->followed = exchange->waited = exchange->request_ended = false;
    exchange->cancelled = exchange->ended = exchange->answerless = false;
    exchange->block = intended_ns < engine->warm_until_ns || user->walk != WALK_JOURNEY ? BLOCK_WARMUP : BLOCK_MEASURED;
    exchange->conn = NULL;
    drop_body(exchange); /* of the hop before */
    page_add(&engine->config.page->ledgers[exchange->block].begun, 1);

    /* Waiting from here on: a user's own connection that fails at once ends the exchange inside pool_pick. */
    exchange->state = EXCHANGE_WAITING;
    struct conn *conn = pool_pick(pool, exchange);
    if (conn) {
        exchange_hand_over(exchange, conn);
        return;
    }
    exchange->waited = true;
    if (pool->per_user)
        return; /* its own connection, being opened again: no pool ran out */
    engine->facts.waited_connection++;
    list_append(&pool->waiting, &exchange->place);
}

void exchange_begin(struct user *user, const struct step *step, uint64_t intended_ns)
{
    begin(take(user), step, intended_ns);
}

void exchange_follow(struct engine *engine)
{
    struct exchange *exchange = LIST_ENTRY(engine->following.next, struct exchange, place);
    list_remove(&exchange->place);
    begin(exchange, step_of(exchange), exchange->view.intended_ns);
}

/* From a connection to the list of those that wait for one; the connection, once it is settled, serves that list. */
int exchange_give_back(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    const struct engine *engine = conn->pool->engine;
    if (exchange->given_back >= SQUALL_AGAIN_MAX)
        return -1;
    exchange->given_back++;
    if (exchange->messages)
        messages_end(exchange, NO_TIME);
    list_remove(&exchange->place);
    list_remove(&exchange->unsent);
    list_remove(&exchange->deadline);
    conn->in_flight--;
    conn->pool->in_flight--;
    conn_touch(conn);
    exchange->state = EXCHANGE_WAITING;
    exchange->conn = NULL;
    drop_body(exchange);
    exchange->attempted = exchange->request_ended = exchange->ended = exchange->answerless = false;
    exchange->waited = true;
    exchange->possible_ns = engine->now_ns; /* what went before was the peer's */
    exchange->handed_ns = exchange->sent_ns = exchange->first_byte_ns = NO_TIME;
    if (conn->pool->per_user)
        pool_await(conn, exchange);
    else
        list_append(&conn->pool->waiting, &exchange->place);
    return 0;
}

/* Gives the exchange its rendered options; on failure the exchange has ended. */
static int render(struct exchange *exchange)
{
    struct engine *engine = exchange->user->engine;
    const struct step *step = step_of(exchange);
    exchange->view.options = step->constant_block;
    if (step->all_constant)
        return 0;
    if (step->scripted) {
        exchange->view.options = script_options(exchange->user).data;
        return 0;
    }
    struct eval eval = variables_eval(exchange->user, NULL);
    struct error error; /* large: filled on failure only */
    arena_reset(&engine->scratch);
    if (step_render(step, &eval, &exchange->view.options, &error) == 0)
        return 0;
    exchange_end(exchange, OUTCOME_UNSENT, NULL, error.text);
    return -1;
}

static enum crowd_met crowd_of(const struct exchange *exchange, const struct conn *conn)
{
    const struct pool *pool = conn->pool;
    if (exchange->waited)
        return CROWD_FULL;
    return 4 * (uint64_t)pool->in_flight <= (uint64_t)pool->count * conn->capacity ? CROWD_FEW : CROWD_SOME;
}

void exchange_hand_over(struct exchange *exchange, struct conn *conn)
{
    const struct user *user = exchange->user;
    struct engine *engine = user->engine;
    const struct squall_protocol *abi = conn_abi(conn);
    list_remove(&exchange->place);
    exchange->state = EXCHANGE_IN_FLIGHT;
    exchange->conn = conn;
    exchange->handed_ns = engine->now_ns;
    if (exchange->waited)
        exchange->possible_ns = later(exchange->possible_ns, conn->free_since_ns);
    exchange->crowd = (uint8_t)crowd_of(exchange, conn);
    conn->in_flight++;
    conn->pool->in_flight++;
    list_append(&conn->exchanges, &exchange->place);
    list_append(&conn->pool->deadlines, &exchange->deadline);
    pool_handed(conn);
    if (render(exchange) < 0)
        return;
    abi->request(&conn->view, &exchange->view);
    conn_flush_soon(conn, !conn->pool->per_user || conn->in_flight < user->in_flight);
    /* From here on it waits for its peer: a full socket or a closed window is no lateness of ours. A request that is whole
     * and stands in an output that goes out later is attempted then. */
    bool later_on = !list_empty(&exchange->unsent) && !list_empty(&conn->output->flush);
    if (exchange->state == EXCHANGE_IN_FLIGHT && !later_on)
        exchange_attempted(exchange, engine->now_ns);
}

void exchange_attempted(struct exchange *exchange, uint64_t now_ns)
{
    if (exchange->attempted)
        return;
    exchange->attempted = true;
    exchange->send_lag_ns = now_ns > exchange->possible_ns ? now_ns - exchange->possible_ns : 0;
}

void exchange_sent(struct exchange *exchange, uint64_t now_ns)
{
    exchange->sent_ns = now_ns;
    exchange_attempted(exchange, now_ns);
}

/* What another thread posted ended when it was posted: the hop to this thread is ours, not the service's. */
static uint64_t end_now_ns(const struct exchange *exchange)
{
    struct engine *engine = exchange->user->engine;
    uint64_t now_ns = engine_stamp(engine);
    bool posted = engine->posted_ns && exchange->state == EXCHANGE_IN_FLIGHT;
    return posted ? later(engine->posted_ns, exchange->handed_ns) : now_ns;
}

void exchange_ended(struct exchange *exchange)
{
    list_remove(&exchange->unsent); /* end_offset is no place in the output any more */
    exchange->ended_ns = end_now_ns(exchange);
    exchange->ended = true;
}

void exchange_end(struct exchange *exchange, enum outcome outcome, const struct squall_result *result, const char *reason)
{
    struct user *user = exchange->user;
    struct engine *engine = user->engine;
    struct conn *conn = exchange->conn;
    uint64_t done_ns = exchange->ended ? exchange->ended_ns : end_now_ns(exchange);
    /* An answer may overtake its request's last byte; done >= sent holds all the same. */
    if (exchange->state == EXCHANGE_IN_FLIGHT && exchange->request_ended && exchange->sent_ns == NO_TIME && outcome <= OUTCOME_MALFORMED)
        exchange_sent(exchange, done_ns);
    if (exchange->block == BLOCK_MEASURED)
        engine->last_done_ns = done_ns; /* setups and teardowns are no part of the measured time */
    list_remove(&exchange->place);
    list_remove(&exchange->unsent);
    list_remove(&exchange->deadline);
    if (exchange->messages)
        messages_end(exchange, done_ns);
    if (outcome > OUTCOME_REJECTED)
        exchange->followed = false; /* what has failed leads nowhere */
    if (exchange->answerless)
        exchange->first_byte_ns = NO_TIME;
    measure_exchange(exchange, outcome, result, reason, done_ns);
    if (exchange->ended)
        done_ns = engine_stamp(engine); /* what comes next begins now: the wait for the meaning was the plugin's */
    exchange->state = EXCHANGE_NONE;
    if (conn) {
        conn->in_flight--;
        conn->pool->in_flight--;
        if (outcome <= OUTCOME_REJECTED)
            conn->served = true;
        if (conn->pool->fresh)
            conn->retired = true;
        conn_touch(conn);
    }
    if (exchange->followed) {
        exchange->view.intended_ns = done_ns;
        list_append(&engine->following, &exchange->place);
        return;
    }
    give(exchange, user);
    if (outcome != OUTCOME_OK)
        flow_failed(user);
    if (--user->in_flight == 0)
        engine_user_ready(engine, user, done_ns);
}

void exchange_end_sent(struct exchange *exchange)
{
    const struct squall_result result = {.outcome = SQUALL_OK, .bytes_out = exchange->bytes_out};
    exchange_end(exchange, OUTCOME_OK, &result, NULL);
}

/* Tells the plugin that the engine gives up. */
static void cancel(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    exchange->cancelled = true;
    conn_abi(conn)->cancel(&conn->view, &exchange->view);
    conn_touch(conn);
}

void exchange_expire(struct engine *engine, uint64_t now_ns)
{
    for (uint32_t i = 0; i < engine->scenario->target_count; i++) {
        struct pool *pool = &engine->pools[i];
        while (pool->count && !list_empty(&pool->deadlines)) {
            struct exchange *exchange = LIST_ENTRY(pool->deadlines.next, struct exchange, deadline);
            if (now_ns < exchange->handed_ns + pool->target->timeout_ns)
                break;
            cancel(exchange);
            exchange_end(exchange, OUTCOME_TIMED_OUT, NULL, "no complete answer within the time-out");
        }
    }
}

void exchange_abandon(struct exchange *exchange)
{
    if (exchange->state == EXCHANGE_NONE) { /* its next hop was to begin */
        list_remove(&exchange->place);
        exchange->followed = false;
        exchange->user->in_flight--;
        give(exchange, exchange->user);
        return;
    }
    if (exchange->state == EXCHANGE_IN_FLIGHT)
        cancel(exchange);
    exchange_end(exchange, OUTCOME_UNFINISHED, NULL, "the run ended first");
}
