/*
 * The connections of one target in one worker: opened before the clock starts, a bounded number at a time; handed out
 * in turn; opened again after a loss, at once when they were of use and with a growing pause when they were not.
 */
#include "engine/internal.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#define BACKOFF_FIRST_NS (10 * NS_PER_MS)
#define BACKOFF_MAX_NS NS_PER_S
#define DOUBLINGS_MAX 8 /* of the pause: what is more makes no difference */
#define LATE_TURNS_NS (10 * NS_PER_MS)

static uint32_t aligned(uint32_t size)
{
    return (size + 15u) & ~15u;
}

static void on_pace(struct timer *timer, uint64_t now_ns)
{
    (void)now_ns;
    pool_next_turn(LIST_ENTRY(timer, struct pool, pace));
}

/* ---- addresses ---- */

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)address)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = htons(port);
}

/* The address of a unix socket or of a numeric host; false: it is a name. */
static bool fixed_address(const struct target *target, struct sockaddr_storage *ret_address)
{
    struct sockaddr_un *path = (struct sockaddr_un *)(void *)ret_address;
    memset(ret_address, 0, sizeof *ret_address);
    if (target->connect_path) {
        path->sun_family = AF_UNIX;
        snprintf(path->sun_path, sizeof path->sun_path, "%s", target->connect_path);
        return true;
    }
    if (inet_pton(AF_INET, target->connect_host, &((struct sockaddr_in *)(void *)ret_address)->sin_addr) == 1)
        ret_address->ss_family = AF_INET;
    else if (inet_pton(AF_INET6, target->connect_host, &((struct sockaddr_in6 *)(void *)ret_address)->sin6_addr) == 1)
        ret_address->ss_family = AF_INET6;
    else
        return false;
    set_port(ret_address, target->connect_port);
    return true;
}

static int init_addresses(struct pool *pool, struct error *error)
{
    struct engine *engine = pool->engine;
    const struct target *target = pool->target;
    pool->addresses = arena_alloc(&engine->arena, RESOLVER_ADDRESSES_MAX * sizeof *pool->addresses);
    if (pool->own_transport)
        return 0;
    if (fixed_address(target, pool->addresses)) {
        pool->address_count = 1;
        pool->addresses_until_ns = NEVER;
        return 0;
    }
    pool->resolver = resolver_new(engine->loop, &engine->timers, target->name_servers, target->connect_timeout_ns);
    if (pool->resolver)
        return 0;
    return error_set(error, "target %s: c-ares does not take the name servers %s; write addresses with a port: 127.0.0.1:53",
                     target->name, target->name_servers ? target->name_servers : "of resolv.conf");
}

static void on_looked_up(void *arg, const struct lookup *lookup)
{
    struct pool *pool = arg;
    uint64_t now_ns = engine_stamp(pool->engine);
    pool->looking_up = false;
    pool->name_wrong = lookup->no_such_name;
    if (!lookup->error) {
        pool->address_count = lookup->count;
        pool->address_good = 0;
        for (uint32_t i = 0; i < lookup->count; i++) {
            pool->addresses[i] = lookup->addresses[i];
            set_port(&pool->addresses[i], pool->target->connect_port);
        }
        pool->addresses_until_ns = now_ns + lookup->lives_ns;
    }
    struct link waiting = {&waiting, &waiting};
    while (!list_empty(&pool->resolving)) { /* those that come from now on wait for a look-up of their own */
        struct link *turn = pool->resolving.next;
        list_remove(turn);
        list_append(&waiting, turn);
    }
    while (!list_empty(&waiting)) {
        struct conn *conn = LIST_ENTRY(waiting.next, struct conn, place);
        list_remove(&conn->place);
        conn_resolved(conn, lookup->error);
    }
}

bool pool_find_addresses(struct conn *conn)
{
    struct pool *pool = conn->pool;
    if (pool->engine->now_ns < pool->addresses_until_ns)
        return true;
    list_append(&pool->resolving, &conn->place);
    if (pool->looking_up)
        return false;
    pool->looking_up = true;
    resolver_look_up(pool->resolver, pool->target->connect_host, on_looked_up, pool);
    return false;
}

/* ---- making ---- */

int pool_init(struct pool *pool, struct engine *engine, const struct target *target, struct error *error)
{
    pool->engine = engine;
    pool->target = target;
    pool->per_user = target_per_user(target);
    pool->fresh = target->connections == CONNECTIONS_NEW && !engine->config.asking;
    pool->lazy = pool->fresh || (target->opens && !engine->config.asking);
    pool->sessions = target->protocol->abi.flags & SQUALL_SESSIONS;
    pool->own_transport = target->protocol->abi.flags & SQUALL_OWN_TRANSPORT;
    pool->tls = target->view.secure && !pool->own_transport;
    pool->pace.fn = on_pace;
    for (uint32_t i = 0; i < POOL_LOADS; i++)
        list_init(&pool->loads[i]);
    list_init(&pool->waiting);
    list_init(&pool->turns);
    list_init(&pool->resolving);
    list_init(&pool->deadlines);
    if (init_addresses(pool, error) < 0)
        return -1;
    if (pool->tls && tls_context(target, &pool->tls_context, error) < 0)
        return -1;
    uint64_t share = schedule_share(target->connections, engine->config.worker, engine->config.workers);
    if (pool->per_user)
        pool->count = engine->user_count;
    else if (engine->user_count)
        pool->count = share && !engine->config.asking ? (uint32_t)share : 1;
    pool->conns = arena_alloc_lines(&engine->arena, pool->count * sizeof *pool->conns);
    uint32_t size = aligned(target->protocol->abi.conn_size);
    char *states = arena_alloc_lines(&engine->arena, (size_t)pool->count * size);
    for (uint32_t i = 0; i < pool->count; i++)
        conn_init(&pool->conns[i], pool, pool->per_user ? &engine->users[i] : NULL, states + (size_t)i * size);
    return 0;
}

void pool_fini(struct pool *pool)
{
    for (uint32_t i = 0; pool->tls && pool->conns && i < pool->count; i++)
        tls_forget(&pool->conns[i]);
    resolver_free(pool->resolver);
    pool->resolver = NULL;
    SSL_CTX_free(pool->tls_context);
    pool->tls_context = NULL;
}

void pool_connect(struct pool *pool)
{
    pool->last_up_ns = engine_stamp(pool->engine);
    if (pool->lazy)
        return; /* none before its exchange */
    const struct user_class *last = NULL;
    bool uses = true;
    for (uint32_t i = 0; i < pool->count; i++) {
        const struct user *owner = pool->conns[i].owner;
        if (owner && owner->class && owner->class != last && !pool->engine->config.asking) {
            last = owner->class;
            uses = scenario_class_uses(pool->engine->scenario, last, pool->target);
        }
        if (!uses)
            continue;
        list_append(&pool->turns, &pool->conns[i].place);
        pool->early++;
    }
    pool->unopened = pool->early;
    pool_next_turn(pool);
}

bool pool_hopeless(const struct pool *pool)
{
    return !pool->ever_up && (pool->name_wrong || pool->untrusted);
}

/* Goes on for as long as connections keep coming up, or connect-rate makes them wait for their turn; after a connect
 * time-out without one it is over, and some must be enough. */
const char *pool_waits_for(const struct pool *pool, char text[CONN_TIME_OUT_TEXT])
{
    for (uint32_t i = 0; i < pool->count; i++)
        if (pool->conns[i].state >= CONN_RESOLVING && pool->conns[i].state <= CONN_OPENING)
            return conn_time_out_text(&pool->conns[i], text);
    return "no answer";
}

bool pool_ready(struct pool *pool, uint64_t *ret_deadline_ns)
{
    if (!pool->early || pool->lazy || pool->up >= pool->early)
        return true;
    uint64_t from_ns = pool->last_up_ns;
    if (pool_hopeless(pool)) {
        *ret_deadline_ns = pool->engine->now_ns;
        return true;
    }
    if (pool->ever_up && pool->unopened && pool->next_open_ns > from_ns)
        from_ns = pool->next_open_ns;
    *ret_deadline_ns = from_ns + pool->target->connect_timeout_ns;
    return pool->engine->now_ns >= *ret_deadline_ns;
}

/* connect-rate: false when the next connection must wait, for the timer then. Turns that came late are made up for a
 * little, so that the rate holds on average. */
static bool turn_is_due(struct pool *pool)
{
    struct engine *engine = pool->engine;
    if (pool->target->connect_rate <= 0)
        return true;
    if (engine->now_ns < pool->next_open_ns) {
        timer_set(&engine->timers, &pool->pace, pool->next_open_ns);
        return false;
    }
    uint64_t between_ns = (uint64_t)((double)NS_PER_S * engine->config.workers / pool->target->connect_rate);
    uint64_t earliest_ns = engine->now_ns - LATE_TURNS_NS;
    pool->next_open_ns = (pool->next_open_ns > earliest_ns ? pool->next_open_ns : engine->now_ns) + between_ns;
    return true;
}

/* A new connection for each exchange is load, and load is not held back; anything else comes in bounded bursts. */
static bool may_connect(const struct pool *pool)
{
    return pool->fresh || pool->connecting < CONNECTING_MAX;
}

/* An attempt that fails at once comes back here: it must not nest, or a large pool would use up the stack. */
void pool_next_turn(struct pool *pool)
{
    if (pool->turning)
        return;
    pool->turning = true;
    while (may_connect(pool) && !list_empty(&pool->turns) && !pool->engine->finished && turn_is_due(pool)) {
        struct conn *conn = LIST_ENTRY(pool->turns.next, struct conn, place);
        list_remove(&conn->place);
        pool->unopened -= pool->unopened > 0;
        conn_open(conn);
    }
    pool->turning = false;
}

/* ---- handing out: to the connection with the fewest exchanges in flight, in turn among equals ---- */

static bool can_take(const struct conn *conn)
{
    return conn->state == CONN_UP && !conn->retired && !conn->close_wanted && conn->in_flight < conn->capacity;
}

static uint8_t load_of(const struct conn *conn)
{
    return (uint8_t)(conn->in_flight < POOL_LOADS ? conn->in_flight : POOL_LOADS - 1);
}

/* Behind its equals. */
static void enlist(struct conn *conn)
{
    conn->load = load_of(conn);
    list_append(&conn->pool->loads[conn->load], &conn->place);
    conn->pool->loads_used |= UINT64_C(1) << conn->load;
}

/* What a plugin said since the list was made (a lower capacity, retire, fail) counts at once, not when it is settled. */
static struct conn *least_loaded(struct pool *pool)
{
    while (pool->loads_used) {
        uint32_t load = (uint32_t)__builtin_ctzll(pool->loads_used);
        while (!list_empty(&pool->loads[load])) {
            struct conn *conn = LIST_ENTRY(pool->loads[load].next, struct conn, place);
            if (can_take(conn))
                return conn;
            list_remove(&conn->place);
        }
        pool->loads_used &= ~(UINT64_C(1) << load);
    }
    return NULL;
}

void pool_await(struct conn *conn, struct exchange *exchange)
{
    conn->awaited = true;
    list_append(&conn->waiters, &exchange->place);
}

struct conn *pool_pick(struct pool *pool, struct exchange *exchange)
{
    if (!pool->per_user)
        return least_loaded(pool);
    struct conn *conn = &pool->conns[exchange->user - pool->engine->users];
    if (can_take(conn))
        return conn;
    pool_await(conn, exchange);
    if (conn->state == CONN_IDLE && list_empty(&conn->place)) {
        list_append(&pool->turns, &conn->place);
        pool_next_turn(pool);
    }
    return NULL;
}

void pool_handed(struct conn *conn)
{
    if (conn->pool->per_user)
        return;
    list_remove(&conn->place);
    if (can_take(conn))
        enlist(conn);
}

static void serve_owner(struct conn *conn)
{
    conn->free_since_ns = conn->pool->engine->now_ns;
    if (!conn->awaited)
        return;
    while (!list_empty(&conn->waiters) && can_take(conn))
        exchange_hand_over(LIST_ENTRY(conn->waiters.next, struct exchange, place), conn);
    conn->awaited = !list_empty(&conn->waiters);
}

void pool_available(struct conn *conn)
{
    struct pool *pool = conn->pool;
    if (pool->per_user) {
        if (can_take(conn))
            serve_owner(conn);
        return;
    }
    bool listed = !list_empty(&conn->place);
    if (!can_take(conn)) {
        list_remove(&conn->place);
    } else {
        if (!listed)
            conn->free_since_ns = pool->engine->now_ns;
        if (!listed || conn->load != load_of(conn)) {
            list_remove(&conn->place);
            enlist(conn);
        }
    }
    /* Those that this connection gave back may go to another. */
    while (!list_empty(&pool->waiting) && (conn = least_loaded(pool)))
        exchange_hand_over(LIST_ENTRY(pool->waiting.next, struct exchange, place), conn);
}

/* ---- up and down ---- */

void pool_conn_up(struct conn *conn)
{
    struct pool *pool = conn->pool;
    struct engine *engine = pool->engine;
    conn->counted = true;
    conn->standing = pool->sessions;
    pool->connecting--;
    pool->up++;
    pool->ever_up = true;
    engine->connections_up++;
    engine->facts.reopened += conn->was_up && !pool->fresh;
    conn->was_up = true;
    engine->facts.never_up -= conn->missing;
    conn->missing = false;
    /* Only more than ever is progress: a peer that accepts and hangs up would keep the run connecting for good. */
    if (engine->connections_up > engine->facts.connections_max) {
        engine->facts.connections_max = engine->connections_up;
        pool->last_up_ns = engine->now_ns;
    }
    pool_next_turn(pool);
}

static void fail_waiting(struct pool *pool, struct conn *conn, const char *why)
{
    if (pool->per_user) {
        while (!list_empty(&conn->waiters))
            exchange_end(LIST_ENTRY(conn->waiters.next, struct exchange, place), OUTCOME_UNREACHABLE, NULL, why);
        return;
    }
    /* While some connection stands, the others' failures only mean a longer wait. */
    while (pool->up == 0 && !list_empty(&pool->waiting))
        exchange_end(LIST_ENTRY(pool->waiting.next, struct exchange, place), OUTCOME_UNREACHABLE, NULL, why);
}

static void count_failure(struct conn *conn)
{
    conn->failures = (uint8_t)(conn->failures < DOUBLINGS_MAX ? conn->failures + 1 : DOUBLINGS_MAX);
}

static void count_missing(struct conn *conn)
{
    if (conn->was_up || conn->missing || conn->pool->fresh)
        return;
    conn->missing = true;
    conn->pool->engine->facts.never_up++;
}

static uint64_t pause_before_retry(struct conn *conn)
{
    uint64_t pause_ns = BACKOFF_FIRST_NS << (conn->failures ? conn->failures - 1 : 0);
    if (pause_ns > BACKOFF_MAX_NS)
        pause_ns = BACKOFF_MAX_NS;
    /* Spread by a quarter, so that a pool does not come back in one burst. */
    return pause_ns - pause_ns / 4 + random_below(&conn->pool->engine->random, pause_ns / 2);
}

void pool_conn_down(struct conn *conn, const char *why, bool attempt_failed)
{
    struct pool *pool = conn->pool;
    struct engine *engine = pool->engine;
    list_remove(&conn->place);
    if (attempt_failed) {
        snprintf(pool->last_error, sizeof pool->last_error, "%s", why ? why : "the connection was refused");
        count_failure(conn);
        if (!engine->finished) {
            measure_error(engine, UINT32_MAX, OUTCOME_UNREACHABLE, (uint32_t)(pool - engine->pools), pool->last_error);
            count_missing(conn);
            page_tell(engine->config.page, pool->last_error);
        }
        fail_waiting(pool, conn, pool->last_error);
    } else {
        pool->up--;
        engine->connections_up--;
        if (conn->served || pool->fresh)
            conn->failures = 0;
        else
            count_failure(conn);
        /* A session may be lost while no exchange is there to tell it. */
        if (pool->sessions && why && !engine->finished)
            measure_error(engine, UINT32_MAX, OUTCOME_DISCONNECTED, (uint32_t)(pool - engine->pools), why);
    }
    if (engine->finished)
        return;
    conn->standing = conn->standing && why;
    bool wanted_again = conn->failures && !pool->lazy;
    if (conn->owner && list_empty(&conn->waiters) && !conn->standing && !wanted_again)
        return; /* a user's own connection comes back when the user wants it */
    conn->state = CONN_BACKOFF;
    timer_set(&engine->timers, &transit_take(conn)->timer, engine->now_ns + (conn->failures ? pause_before_retry(conn) : 0));
    pool_next_turn(pool);
}
