/*
 * The engine's life and its turn: the loop wakes, connections read, touched connections and ready users are worked off,
 * what is due starts, and the loop sleeps until the next thing is due.
 */
#include "engine/internal.h"
#include "base/units.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BEAT_NS (250 * NS_PER_MS)
#define READY_A_TURN 256 /* users advanced before the sockets are looked at again */

static void on_woke(void *arg, uint64_t woke_ns);
static uint64_t on_idle(void *arg);

/* ---- making ---- */

static uint32_t aligned(uint32_t size)
{
    return (size + 15u) & ~15u;
}

static void count_plugins(struct engine *engine)
{
    const struct scenario *scenario = engine->scenario;
    for (uint32_t i = 0; i < scenario->target_count; i++)
        if (scenario->targets[i].protocol->index >= engine->plugin_count)
            engine->plugin_count = scenario->targets[i].protocol->index + 1;
    engine->plugins = arena_alloc(&engine->arena, engine->plugin_count * sizeof *engine->plugins);
}

static int init_plugins(struct engine *engine, struct error *error)
{
    const struct scenario *scenario = engine->scenario;
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        const struct protocol *protocol = scenario->targets[i].protocol;
        struct plugin_worker *worker = &engine->plugins[protocol->index];
        if (worker->protocol)
            continue;
        worker->protocol = protocol;
        worker->engine = engine;
        worker->view.state = arena_alloc(&engine->arena, protocol->abi.worker_size);
        worker->view.host = &engine->host;
        worker->view.run = engine->config.run;
        struct squall_error text = {""};
        if (protocol->abi.worker_init && protocol->abi.worker_init(&worker->view, &text) != 0)
            return error_set_code(error, EXIT_CODE_INTERNAL, "plugin %s could not start: %s", protocol->name, text.text);
        worker->started = true;
    }
    return 0;
}

/* An exchange is of one protocol at a time, and its state is zeroed for each: one block serves all. */
static uint32_t largest_exchange(const struct scenario *scenario)
{
    uint32_t size = 0;
    for (uint32_t i = 0; i < scenario->target_count; i++)
        if (scenario->targets[i].protocol->abi.exchange_size > size)
            size = scenario->targets[i].protocol->abi.exchange_size;
    return aligned(size);
}

static void init_user_views(struct engine *engine, const struct protocol *protocol)
{
    uint32_t size = protocol->abi.user_size <= 8 ? 8 : aligned(protocol->abi.user_size);
    char *states = arena_alloc_lines(&engine->arena, (size_t)engine->user_count * size);
    for (uint32_t i = 0; i < engine->user_count; i++)
        user_views(&engine->users[i])[protocol->index] = (struct squall_user){.state = states + (size_t)i * size, .id = engine->users[i].id};
}

static void most_slots(const struct scenario *scenario, const struct program *program, uint32_t *most)
{
    for (uint32_t i = 0; i < program->count; i++) {
        const struct op *op = &program->ops[i];
        bool uses = op->kind == OP_LOOP || op->kind == OP_SPAN_BEGIN;
        if (uses && op->slot >= *most)
            *most = op->slot + 1;
        if (op->kind == OP_SCRIPT && scenario->scripts[op->count].spans)
            *most = FLOW_SLOTS_MAX;
    }
}

/* As many for each user as the deepest place of any flow needs: most flows have no loop and no transaction. */
static void init_slots(struct engine *engine)
{
    const struct scenario *scenario = engine->scenario;
    uint32_t count = 0;
    most_slots(scenario, &scenario->setup, &count);
    most_slots(scenario, &scenario->teardown, &count);
    for (uint32_t i = 0; i < scenario->class_count; i++) {
        most_slots(scenario, &scenario->classes[i].setup, &count);
        most_slots(scenario, &scenario->classes[i].flow, &count);
        most_slots(scenario, &scenario->classes[i].teardown, &count);
    }
    engine->more.slot_count = count;
    engine->more.slots = arena_alloc(&engine->arena, (size_t)engine->user_count * count * sizeof *engine->more.slots);
}

static void init_users(struct engine *engine)
{
    const struct scenario *scenario = engine->scenario;
    engine->exchange_size = largest_exchange(scenario);
    engine->users = arena_alloc_lines(&engine->arena, engine->user_count * sizeof *engine->users);
    engine->more.views = arena_alloc(&engine->arena, (size_t)engine->user_count * engine->plugin_count * sizeof *engine->more.views);
    for (uint32_t i = 0; i < engine->user_count; i++)
        user_init(&engine->users[i], engine);
    load_init_users(engine);
    for (uint32_t i = 0; i < scenario->target_count; i++)
        if (!engine->user_count || !user_views(&engine->users[0])[scenario->targets[i].protocol->index].id)
            init_user_views(engine, scenario->targets[i].protocol);
    init_slots(engine);
    variables_init(engine);
    feeds_init(engine);
}

static int init_pools(struct engine *engine, struct error *error)
{
    const struct scenario *scenario = engine->scenario;
    engine->pools = arena_alloc(&engine->arena, scenario->target_count * sizeof *engine->pools);
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        bool used = false;
        for (uint32_t j = 0; j < scenario->step_count; j++)
            used |= scenario->steps[j].target == &scenario->targets[i];
        used = used && (!engine->config.asking || scenario->targets[i].view.asks);
        list_init(&engine->pools[i].deadlines);
        if (used && pool_init(&engine->pools[i], engine, &scenario->targets[i], error) < 0)
            return -1;
    }
    return 0;
}

static void init_store(struct engine *engine)
{
    const struct scenario *scenario = engine->scenario;
    uint32_t *metrics = xcalloc(scenario->series_count + 1, sizeof *metrics);
    for (uint32_t i = 0; i < scenario->series_count; i++)
        metrics[i] = scenario->series[i].protocol->abi.metrics.count;
    store_init(&engine->store, scenario->series_count, metrics, scenario->check_count);
    engine->check_samples = arena_alloc(&engine->arena, scenario->check_count * sizeof *engine->check_samples);
    store_init_transactions(&engine->store, scenario->transaction_count);
    free(metrics);
}

static int init_spool(struct engine *engine, struct error *error)
{
    if (!engine->config.raw_path)
        return 0;
    const struct scenario *scenario = engine->scenario;
    const char **steps = arena_alloc(&engine->arena, (scenario->series_count + 1) * sizeof *steps);
    size_t longest = 0;
    for (uint32_t i = 0; i < scenario->series_count; i++) {
        char *text = raw_step(scenario->series[i].name, &scenario->series[i].tags);
        size_t len = strlen(text);
        steps[i] = arena_copy(&engine->arena, text, len);
        longest = len > longest ? len : longest;
        free(text);
    }
    engine->raw_names = (struct raw_names){.steps = steps, .worker = engine->config.worker};
    engine->spool =
        spool_open(engine->config.raw_path, sizeof(struct raw_record), RAW_LINE_MAX + longest, raw_format, &engine->raw_names);
    if (!engine->spool)
        return error_set_code(error, EXIT_CODE_INTERNAL, "cannot write %s: %s", engine->config.raw_path, strerror(errno));
    return 0;
}

/* Keeps the heartbeat going when nothing else is due. */
static void on_beat(struct timer *timer, uint64_t now_ns)
{
    struct engine *engine = LIST_ENTRY(timer, struct engine, beat);
    timer_set(&engine->timers, timer, now_ns + BEAT_NS);
}

static void on_second(struct timer *timer, uint64_t now_ns)
{
    struct engine *engine = LIST_ENTRY(timer, struct engine, second);
    uint64_t seconds = (now_ns - engine->start_ns) / NS_PER_S;
    timer_set(&engine->timers, timer, engine->start_ns + (seconds + 1) * NS_PER_S);
    if (!engine->finished)
        engine->config.second(engine->config.arg, seconds - 1);
}

/* Where nobody walks, none of the scenario's code is run. */
static int open_scripts(struct engine *engine, struct error *error)
{
    return engine->config.asking ? 0 : script_open(engine, error);
}

struct engine *engine_new(const struct engine_config *config, struct error *error)
{
    struct engine *engine = xcalloc(1, sizeof *engine);
    engine->config = *config;
    engine->scenario = config->scenario;
    arena_init(&engine->arena);
    arena_init(&engine->scratch);
    list_init(&engine->ready);
    list_init(&engine->flushes);
    list_init(&engine->following);
    random_init(&engine->random, config->scenario->seed, UINT64_MAX - config->worker);
    engine->next_exchange_id = (uint64_t)config->worker << 48 | 1;
    engine->next_due_ns = NEVER;
    engine->input = arena_alloc(&engine->arena, INPUT_SIZE);
    struct loop_hooks hooks = {.woke = on_woke, .idle = on_idle, .arg = engine};
    engine->loop = loop_new(&hooks);
    if (!engine->loop) {
        error_set_code(error, EXIT_CODE_INTERNAL, "no event loop: %s", strerror(errno));
        arena_fini(&engine->arena);
        free(engine);
        return NULL;
    }
    engine_stamp(engine);
    engine->beat.fn = on_beat;
    engine->second.fn = on_second;
    engine->prepare_limit.fn = prepare_late;
    host_init(engine);
    load_init(engine);
    count_plugins(engine);
    init_users(engine);
    init_store(engine);
    if (init_plugins(engine, error) < 0 || init_pools(engine, error) < 0 || open_scripts(engine, error) < 0 || init_spool(engine, error) < 0) {
        engine_free(engine);
        return NULL;
    }
    return engine;
}

static void free_users(struct engine *engine)
{
    const struct scenario *scenario = engine->scenario;
    for (uint32_t i = 0; i < engine->user_count; i++) {
        for (uint32_t j = 0; j < engine->plugin_count; j++)
            if (engine->plugins[j].started && engine->plugins[j].protocol->abi.user_fini)
                engine->plugins[j].protocol->abi.user_fini(&user_views(&engine->users[i])[j]);
    }
    exchanges_fini(engine);
    script_close(engine);
    buffer_fini(&engine->script_json);
    variables_fini(engine);
    for (uint32_t i = 0; engine->pools && i < scenario->target_count; i++)
        pool_fini(&engine->pools[i]);
    for (uint32_t i = 0; i < engine->plugin_count; i++)
        if (engine->plugins[i].started && engine->plugins[i].protocol->abi.worker_fini)
            engine->plugins[i].protocol->abi.worker_fini(&engine->plugins[i].view);
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    engine->finished = true;
    for (uint32_t i = 0; engine->pools && i < engine->scenario->target_count; i++)
        for (uint32_t j = 0; j < engine->pools[i].count; j++)
            conn_close(&engine->pools[i].conns[j], "the run has ended", false);
    free_users(engine);
    uint64_t lost = 0;
    spool_close(engine->spool, &lost);
    load_fini(engine);
    tracks_fini(&engine->tracks);
    crossings_fini(&engine->crossings);
    store_fini(&engine->store);
    timers_fini(&engine->timers);
    spares_fini(engine);
    host_fini(engine);
    loop_free(engine->loop);
    arena_fini(&engine->scratch);
    arena_fini(&engine->conn_scratch);
    arena_fini(&engine->tls_scratch);
    arena_fini(&engine->arena);
    free(engine);
}

struct loop *engine_loop(struct engine *engine)
{
    return engine->loop;
}

/* ---- connecting, before the clock starts ---- */

void engine_connect(struct engine *engine)
{
    engine->connecting = true;
    timer_set(&engine->timers, &engine->beat, engine_stamp(engine));
    for (uint32_t i = 0; i < engine->scenario->target_count; i++)
        if (engine->pools[i].count)
            pool_connect(&engine->pools[i]);
    engine_settle(engine);
}

static void check_connected(struct engine *engine)
{
    char text[600];
    engine->connect_deadline_ns = NEVER;
    bool all = true;
    if (engine->refused) {
        engine->connecting = false;
        engine->config.ready(engine->config.arg, engine->refusal);
        return;
    }
    for (uint32_t i = 0; i < engine->scenario->target_count; i++) {
        struct pool *pool = &engine->pools[i];
        uint64_t deadline_ns = 0;
        if (!pool_ready(pool, &deadline_ns)) {
            all = false;
            if (deadline_ns < engine->connect_deadline_ns)
                engine->connect_deadline_ns = deadline_ns;
        } else if (deadline_ns && !pool->ever_up) {
            char limit[32], waits[CONN_TIME_OUT_TEXT];
            units_print_duration(limit, sizeof limit, pool->target->connect_timeout_ns);
            snprintf(text, sizeof text, "no connection to target %s (%s)%s%s: %s", pool->target->name, pool->target->url,
                     pool_hopeless(pool) ? "" : " within its connect time-out of ", pool_hopeless(pool) ? "" : limit,
                     pool->last_error[0] ? pool->last_error : pool_waits_for(pool, waits));
            engine->connecting = false;
            engine->config.ready(engine->config.arg, text);
            return;
        }
    }
    if (!all)
        return;
    engine->connecting = false;
    prepare_run(engine);
}

/* ---- start and stop ---- */

void engine_start(struct engine *engine, uint64_t start_ns)
{
    engine->preparing = false;
    engine->start_ns = start_ns;
    engine->warm_until_ns = start_ns + engine->scenario->warmup_ns;
    engine->started = true;
    if (engine->config.second)
        timer_set(&engine->timers, &engine->second, start_ns + NS_PER_S);
    load_start(engine);
    engine->next_due_ns = load_next(engine);
}

static void end_journeys(struct engine *engine, bool thinking_only)
{
    for (uint32_t i = 0; i < engine->user_count; i++) {
        struct user *user = &engine->users[i];
        if (!user->in_journey || (thinking_only && !user->timer.position))
            continue;
        while (user->exchanges)
            exchange_abandon(user->exchanges);
        user_end_walk(user, false);
    }
}

void engine_stop(struct engine *engine, bool now)
{
    engine_stamp(engine);
    engine->stopping = true;
    engine->hurried = engine->hurried || now;
    if (!engine->started) {
        end_journeys(engine, false);
        engine->over = true;
        engine->connecting = engine->preparing = false;
        engine_check_finished(engine);
        return;
    }
    load_stop(engine);
    end_journeys(engine, !now);
    engine_settle(engine);
    engine_check_finished(engine);
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Users first, each for itself, then the run. What the drain leaves no time for is left out. */
static bool tear_down(struct engine *engine)
{
    bool late = !engine->started || engine->hurried || engine->now_ns >= engine->drain_until_ns;
    if (!engine->users_torn_down) {
        engine->users_torn_down = true;
        for (uint32_t i = 0; i < engine->user_count && !late; i++)
            user_begin_teardown(&engine->users[i]);
        if (engine->users_busy)
            return true;
    }
    if (engine->run_torn_down)
        return false;
    engine->run_torn_down = true;
    return !late && engine->config.worker == 0 && engine->user_count > 0 &&
           user_begin_run(&engine->users[0], &engine->scenario->teardown, false);
}

static void linger_over(struct timer *timer, uint64_t now_ns)
{
    (void)timer; /* the end of the turn looks again */
    (void)now_ns;
}

/* Deliveries may still be under way, also of what other workers have sent. */
static bool lingers(struct engine *engine)
{
    uint64_t until_ns = later(engine->last_delivery_ns, engine->over_ns) + LINGER_NS;
    if (!engine->tracks.patterns || engine->hurried || engine->users_torn_down || engine->now_ns >= engine->drain_until_ns ||
        engine->now_ns >= until_ns)
        return false;
    engine->linger.fn = linger_over;
    timer_set(&engine->timers, &engine->linger, until_ns < engine->drain_until_ns ? until_ns : engine->drain_until_ns);
    return true;
}

void engine_check_finished(struct engine *engine)
{
    if (!engine->over || engine->finished || engine->users_busy || engine->waiting_count || lingers(engine) || tear_down(engine))
        return;
    engine->finished = true;
    if (!engine->config.single_journey || engine->started)
        engine->config.finished(engine->config.arg);
}

/* ---- the turn ---- */

void engine_user_ready(struct engine *engine, struct user *user, uint64_t ready_ns)
{
    user->ready_ns = ready_ns;
    if (list_empty(&user->place))
        list_append(&engine->ready, &user->place);
}

void engine_settle(struct engine *engine)
{
    uint32_t advanced = 0;
    for (;;) {
        if (engine->touched) {
            struct conn *conn = engine->touched;
            engine->touched = conn->next_touched;
            conn->touched = false;
            conn_settle(conn);
        } else if (!list_empty(&engine->following)) {
            exchange_follow(engine);
        } else if (!list_empty(&engine->ready) && (engine->started || engine->preparing) && advanced < READY_A_TURN) {
            struct user *user = LIST_ENTRY(engine->ready.next, struct user, place);
            list_remove(&user->place);
            advanced++;
            user_advance(user);
        } else if (!list_empty(&engine->flushes)) {
            struct output *output = LIST_ENTRY(engine->flushes.next, struct output, flush);
            struct conn *conn = output->conn;
            list_remove(&output->flush);
            if (output->count && !conn->write_blocked && conn->fd >= 0)
                conn_flush(conn);
        } else {
            return;
        }
    }
}

/* Between when the loop meant to go on and when it did. */
static void note_stall(struct engine *engine, uint64_t meant_ns, uint64_t now_ns)
{
    if (engine->started && meant_ns && now_ns > meant_ns && now_ns - meant_ns > engine->facts.longest_stall_ns)
        engine->facts.longest_stall_ns = now_ns - meant_ns;
}

static void on_woke(void *arg, uint64_t woke_ns)
{
    struct engine *engine = arg;
    engine->now_ns = engine->woke_ns = woke_ns;
    note_stall(engine, engine->asked_ns, woke_ns);
    page_set(&engine->config.page->heartbeat_ns, woke_ns);
    /* Arrivals first: they were due while we slept, the answers only now came to be read. */
    if (woke_ns >= engine->next_due_ns)
        load_run_due(engine, woke_ns);
}

static uint64_t next_deadline(const struct engine *engine)
{
    uint64_t next_ns = NEVER;
    for (uint32_t i = 0; i < engine->scenario->target_count; i++) {
        const struct pool *pool = &engine->pools[i];
        if (!pool->count || list_empty(&pool->deadlines))
            continue;
        uint64_t at_ns = LIST_ENTRY(pool->deadlines.next, struct exchange, deadline)->handed_ns + pool->target->timeout_ns;
        if (at_ns < next_ns)
            next_ns = at_ns;
    }
    return next_ns;
}

static void update_page(struct engine *engine)
{
    page_set(&engine->config.page->connections, engine->connections_up);
    page_set(&engine->config.page->users_busy, engine->users_busy);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t on_idle(void *arg)
{
    struct engine *engine = arg;
    uint64_t now_ns = engine_stamp(engine);
    note_stall(engine, engine->woke_ns, now_ns);
    timers_run(&engine->timers, now_ns);
    exchange_expire(engine, now_ns);
    load_run_due(engine, now_ns);
    if (engine->over && !engine->finished && now_ns >= engine->drain_until_ns) {
        engine->stopping = true;
        load_stop(engine);
        end_journeys(engine, false);
    }
    engine_settle(engine);
    if (engine->connecting)
        check_connected(engine);
    engine_check_finished(engine);
    update_page(engine);
    engine->asked_ns = 0;
    if (!list_empty(&engine->ready) && (engine->started || engine->preparing))
        return 0;
    uint64_t next_ns = earlier(timers_next(&engine->timers), next_deadline(engine));
    next_ns = earlier(next_ns, engine->finished ? NEVER : load_next(engine));
    if (engine->connecting)
        next_ns = earlier(next_ns, engine->connect_deadline_ns);
    if (next_ns != NEVER)
        engine->asked_ns = next_ns > now_ns ? next_ns : now_ns;
    return next_ns ? next_ns : 1;
}

/* ---- snapshots ---- */

/* Of connections that are open to the end; those that closed have added theirs. */
static uint64_t open_retransmits(const struct engine *engine)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < engine->scenario->target_count; i++)
        for (uint32_t j = 0; j < engine->pools[i].count; j++)
            sum += conn_retransmits(&engine->pools[i].conns[j]);
    return sum;
}

static void fill_facts(struct engine *engine, struct generator_facts *facts)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    *facts = engine->facts;
    facts->cpu_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
                    (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * NS_PER_US;
    facts->rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
    uint64_t ended_ns = engine->over ? later(engine->over_ns, engine->last_done_ns) : engine->now_ns;
    facts->ended_at_ns = engine->started && ended_ns > engine->start_ns ? ended_ns - engine->start_ns : 0;
    facts->users = engine->users_busy;
    facts->connections = engine->connections_up;
    if (engine->finished)
        facts->retransmits += open_retransmits(engine);
}

void engine_snapshot(struct engine *engine, struct snapshot *ret_snapshot)
{
    for (uint32_t i = 0; i < BLOCK_COUNT; i++)
        engine->store.ledgers[i] = engine->config.page->ledgers[i];
    fill_facts(engine, &ret_snapshot->facts);
    ret_snapshot->worker = engine->config.worker;
    ret_snapshot->store = engine->store;
    if (!engine->spool)
        return;
    if (!engine->finished) {
        spool_flush(engine->spool);
        return;
    }
    spool_close(engine->spool, &ret_snapshot->facts.spool_lost);
    engine->spool = NULL;
}

void engine_snapshot_taken(struct engine *engine)
{
    store_reset(&engine->store);
}

const struct tracks *engine_tracks(const struct engine *engine)
{
    return &engine->tracks;
}

const struct crossings *engine_crossings(const struct engine *engine)
{
    return &engine->crossings;
}
