/*
 * The connections of one target in one worker: opened before the clock starts, a bounded number at a time; handed out
 * in turn; opened again after a loss, at once when they were of use and with a growing pause when they were not.
 */
#include "engine/internal.h"
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#define BACKOFF_FIRST_NS (10 * NS_PER_MS)
#define BACKOFF_MAX_NS NS_PER_S

static uint32_t aligned(uint32_t size)
{
    return (size + 15u) & ~15u;
}

int pool_init(struct pool *pool, struct engine *engine, const struct target *target, const struct addresses *addresses, struct error *error)
{
    pool->engine = engine;
    pool->target = target;
    pool->addresses = addresses;
    pool->per_user = target->connections == CONNECTIONS_PER_USER;
    pool->own_transport = target->protocol->abi.flags & SQUALL_OWN_TRANSPORT;
    pool->tls = target->view.secure && !pool->own_transport;
    list_init(&pool->available);
    list_init(&pool->waiting);
    list_init(&pool->turns);
    list_init(&pool->deadlines);
    if (pool->tls && stream_tls_context(target, &pool->tls_context, error) < 0)
        return -1;
    uint64_t share = schedule_share(target->connections, engine->config.worker, engine->config.workers);
    if (pool->per_user)
        pool->count = engine->user_count;
    else if (engine->user_count)
        pool->count = share ? (uint32_t)share : 1;
    pool->conns = arena_alloc(&engine->arena, pool->count * sizeof *pool->conns);
    uint32_t size = aligned(target->protocol->abi.conn_size);
    char *states = arena_alloc(&engine->arena, (size_t)pool->count * size);
    for (uint32_t i = 0; i < pool->count; i++)
        conn_init(&pool->conns[i], pool, pool->per_user ? &engine->users[i] : NULL, states + (size_t)i * size);
    return 0;
}

void pool_fini(struct pool *pool)
{
    SSL_CTX_free(pool->tls_context);
    pool->tls_context = NULL;
}

void pool_connect(struct pool *pool)
{
    for (uint32_t i = 0; i < pool->count; i++)
        list_append(&pool->turns, &pool->conns[i].turn);
    pool->last_up_ns = engine_stamp(pool->engine);
    pool_next_turn(pool);
}

/* An attempt that fails at once comes back here: it must not nest, or a large pool would use up the stack. */
void pool_next_turn(struct pool *pool)
{
    if (pool->turning)
        return;
    pool->turning = true;
    while (pool->connecting < CONNECTING_MAX && !list_empty(&pool->turns) && !pool->engine->finished) {
        struct conn *conn = LIST_ENTRY(pool->turns.next, struct conn, turn);
        list_remove(&conn->turn);
        conn_open(conn);
    }
    pool->turning = false;
}

/* ---- handing out ---- */

static bool can_take(const struct conn *conn)
{
    return conn->state == CONN_UP && !conn->retired && !conn->close_wanted && conn->in_flight < conn->capacity;
}

/* What a plugin said since the list was made (a lower capacity, retire, fail) counts at once, not when it is settled. */
static struct conn *first_available(struct pool *pool)
{
    while (!list_empty(&pool->available)) {
        struct conn *conn = LIST_ENTRY(pool->available.next, struct conn, available);
        if (can_take(conn))
            return conn;
        list_remove(&conn->available);
    }
    return NULL;
}

struct conn *pool_pick(struct pool *pool, struct exchange *exchange)
{
    if (!pool->per_user)
        return first_available(pool);
    struct conn *conn = &pool->conns[exchange->user - pool->engine->users];
    if (can_take(conn))
        return conn;
    list_append(&conn->waiters, &exchange->wait);
    if (conn->state == CONN_IDLE && list_empty(&conn->turn)) {
        list_append(&pool->turns, &conn->turn);
        pool_next_turn(pool);
    }
    return NULL;
}

void pool_available(struct conn *conn)
{
    bool listed = !list_empty(&conn->available);
    if (!can_take(conn)) {
        if (listed)
            list_remove(&conn->available);
        return;
    }
    if (!listed) {
        conn->free_since_ns = conn->pool->engine->now_ns;
        list_append(&conn->pool->available, &conn->available);
    }
    pool_serve(conn->pool);
}

static void serve_owner(struct pool *pool)
{
    while (!list_empty(&pool->available)) {
        struct conn *conn = LIST_ENTRY(pool->available.next, struct conn, available);
        list_remove(&conn->available);
        if (!list_empty(&conn->waiters) && can_take(conn))
            exchange_hand_over(LIST_ENTRY(conn->waiters.next, struct exchange, wait), conn);
    }
}

void pool_serve(struct pool *pool)
{
    if (pool->per_user) {
        serve_owner(pool);
        return;
    }
    struct conn *conn;
    while (!list_empty(&pool->waiting) && (conn = first_available(pool)))
        exchange_hand_over(LIST_ENTRY(pool->waiting.next, struct exchange, wait), conn);
}

/* ---- up and down ---- */

void pool_conn_up(struct conn *conn)
{
    struct pool *pool = conn->pool;
    struct engine *engine = pool->engine;
    conn->counted = true;
    pool->connecting--;
    pool->up++;
    pool->ever_up = true;
    pool->last_up_ns = engine->now_ns;
    engine->connections_up++;
    if (engine->connections_up > engine->facts.connections_max)
        engine->facts.connections_max = engine->connections_up;
    pool_next_turn(pool);
}

static void fail_waiting(struct pool *pool, struct conn *conn, const char *why)
{
    if (pool->per_user) {
        while (!list_empty(&conn->waiters))
            exchange_end(LIST_ENTRY(conn->waiters.next, struct exchange, wait), OUTCOME_UNREACHABLE, NULL, why);
        return;
    }
    /* While some connection stands, the others' failures only mean a longer wait. */
    while (pool->up == 0 && !list_empty(&pool->waiting))
        exchange_end(LIST_ENTRY(pool->waiting.next, struct exchange, wait), OUTCOME_UNREACHABLE, NULL, why);
}

static uint64_t pause_before_retry(struct conn *conn)
{
    uint32_t doublings = conn->failures < 8 ? conn->failures : 8;
    uint64_t pause_ns = BACKOFF_FIRST_NS << (doublings ? doublings - 1 : 0);
    if (pause_ns > BACKOFF_MAX_NS)
        pause_ns = BACKOFF_MAX_NS;
    /* Spread by a quarter, so that a pool does not come back in one burst. */
    return pause_ns - pause_ns / 4 + random_below(&conn->pool->engine->random, pause_ns / 2);
}

void pool_conn_down(struct conn *conn, const char *why, bool attempt_failed)
{
    struct pool *pool = conn->pool;
    struct engine *engine = pool->engine;
    list_remove(&conn->available);
    list_remove(&conn->turn);
    if (attempt_failed) {
        snprintf(pool->last_error, sizeof pool->last_error, "%s", why ? why : "the connection was refused");
        conn->failures++;
        if (!engine->finished)
            measure_error(engine, UINT32_MAX, OUTCOME_UNREACHABLE, (uint32_t)(pool - engine->pools), pool->last_error);
        fail_waiting(pool, conn, pool->last_error);
    } else {
        pool->up--;
        engine->connections_up--;
        conn->failures = conn->served ? 0 : conn->failures + 1;
    }
    if (engine->finished)
        return;
    if (!conn->failures && conn->owner && list_empty(&conn->waiters))
        return; /* a user's own connection comes back when the user wants it */
    conn->state = CONN_BACKOFF;
    timer_set(&engine->timers, &conn->timer, engine->now_ns + (conn->failures ? pause_before_retry(conn) : 0));
    pool_next_turn(pool);
}
