/*
 * Who starts a journey, and when. Open load: arrivals fall due by the schedule, whatever the service does; each takes the
 * longest-idle user, and waits, still due, when there is none. Closed load: so many users walk their flow again and again.
 */
#include "base/log.h"
#include "engine/internal.h"
#include <stdlib.h>
#include <sys/mman.h>

/* The drain is as long as the time-out unless set. What is handed over in the turn that ends the load is a moment younger
 * than the drain, and must still time out rather than be cut off. */
#define DRAIN_GRACE_NS (50 * NS_PER_MS)

static uint64_t load_end_ns(const struct engine *engine)
{
    uint64_t length_ns = schedule_length_ns(&engine->schedule);
    return length_ns == NEVER ? NEVER : engine->start_ns + length_ns;
}

void load_init(struct engine *engine)
{
    const struct load *load = &engine->scenario->load;
    engine->schedule = (struct schedule){.stages = load->stages,
                                         .stage_count = load->stage_count,
                                         .seed = engine->scenario->seed,
                                         .worker = engine->config.worker,
                                         .workers = engine->config.workers,
                                         .limit = load->iterations};
    engine->quota = load->iterations == NEVER ? NEVER
                                               : schedule_share(load->iterations, engine->config.worker, engine->config.workers);
    engine->user_count = (uint32_t)schedule_share(load->users, engine->config.worker, engine->config.workers);
    if (engine->config.single_journey)
        engine->user_count = 1;
    if (load->closed)
        return;
    /* Mapped, not touched: it costs address space until arrivals really wait. */
    engine->waiting = mmap(NULL, WAITING_ARRIVALS_MAX * sizeof *engine->waiting, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (engine->waiting == MAP_FAILED) {
        log_line(LOG_ERROR, "out of memory for arrivals that wait");
        abort(); /* at start-up, as xmalloc */
    }
}

static struct ledger *ledger_of(struct engine *engine, uint64_t due_ns)
{
    return &engine->config.page->ledgers[due_ns < engine->warm_until_ns ? BLOCK_WARMUP : BLOCK_MEASURED];
}

static void load_over(struct engine *engine, uint64_t at_ns)
{
    if (engine->over)
        return;
    engine->over = true;
    engine->over_ns = at_ns;
    engine->drain_until_ns = at_ns + engine->scenario->drain_ns;
    if (engine->scenario->drain_ns)
        engine->drain_until_ns += DRAIN_GRACE_NS;
}

/* ---- open ---- */

static void next_arrival(struct engine *engine)
{
    engine->arrivals_left = schedule_next(&engine->cursor, &engine->schedule, &engine->next_arrival);
}

static void wait_for_user(struct engine *engine, uint64_t index, uint64_t due_ns)
{
    engine->facts.waited_user++;
    if (engine->waiting_count == WAITING_ARRIVALS_MAX) {
        page_add(&ledger_of(engine, due_ns)->dropped, 1);
        return;
    }
    uint64_t place = (engine->waiting_first + engine->waiting_count++) % WAITING_ARRIVALS_MAX;
    engine->waiting[place] = (struct waiting_arrival){index, due_ns};
}

static void start_arrivals(struct engine *engine, uint64_t now_ns)
{
    while (engine->arrivals_left && engine->start_ns + engine->next_arrival.due_ns <= now_ns) {
        uint64_t due_ns = engine->start_ns + engine->next_arrival.due_ns;
        page_add(&ledger_of(engine, due_ns)->due, 1);
        engine->facts.started_until_ns = now_ns - engine->start_ns;
        if (list_empty(&engine->idle_users)) {
            wait_for_user(engine, engine->next_arrival.index, due_ns);
        } else {
            struct user *user = LIST_ENTRY(engine->idle_users.next, struct user, idle);
            list_remove(&user->idle);
            user_begin_journey(user, due_ns, engine->next_arrival.index);
        }
        next_arrival(engine);
    }
    uint64_t end_ns = load_end_ns(engine);
    if (!engine->arrivals_left && (end_ns == NEVER || now_ns >= end_ns || engine->cursor.count >= engine->quota))
        load_over(engine, now_ns < end_ns ? now_ns : end_ns);
}

/* ---- closed ---- */

static bool may_start(struct engine *engine, const struct user *user, uint64_t due_ns)
{
    return user->active && engine->quota && due_ns < load_end_ns(engine) && !engine->over;
}

static void start_closed(struct engine *engine, struct user *user, uint64_t due_ns)
{
    if (engine->quota != NEVER)
        engine->quota--;
    page_add(&ledger_of(engine, due_ns)->due, 1);
    user_begin_journey(user, due_ns, user->id - 1);
    if (engine->quota == 0)
        load_over(engine, engine->now_ns);
}

/* Brings the number of walking users to what the stages say for due_ns. */
static void adjust_users(struct engine *engine, uint64_t due_ns)
{
    uint32_t whole = schedule_users_at(&engine->schedule, due_ns - engine->start_ns, &engine->users_change_ns);
    uint32_t want = (uint32_t)schedule_share(whole, engine->config.worker, engine->config.workers);
    if (want > engine->user_count)
        want = engine->user_count;
    if (engine->users_change_ns != NEVER)
        engine->users_change_ns += engine->start_ns;
    for (; engine->active_users > want; engine->active_users--)
        engine->users[engine->active_users - 1].active = false;
    for (; engine->active_users < want; engine->active_users++) {
        struct user *user = &engine->users[engine->active_users];
        user->active = true;
        if (!user->in_journey && may_start(engine, user, due_ns)) {
            list_remove(&user->idle);
            start_closed(engine, user, due_ns);
        }
    }
}

static void run_closed(struct engine *engine, uint64_t now_ns)
{
    while (engine->users_change_ns <= now_ns && engine->users_change_ns < load_end_ns(engine))
        adjust_users(engine, engine->users_change_ns);
    if (now_ns >= load_end_ns(engine))
        load_over(engine, load_end_ns(engine));
}

/* ---- both ---- */

void load_start(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->user_count; i++)
        list_append(&engine->idle_users, &engine->users[i].idle);
    if (engine->config.single_journey) {
        engine->quota = 1;
        engine->users[0].active = true;
        list_remove(&engine->users[0].idle);
        engine->users_change_ns = NEVER;
        start_closed(engine, &engine->users[0], engine->start_ns);
        return;
    }
    if (engine->scenario->load.closed) {
        engine->users_change_ns = engine->start_ns;
        if (engine->quota == 0)
            load_over(engine, engine->start_ns);
        return;
    }
    schedule_cursor_init(&engine->cursor, &engine->schedule);
    next_arrival(engine);
}

void load_run_due(struct engine *engine, uint64_t now_ns)
{
    if (!engine->started || engine->over || now_ns < engine->start_ns)
        return;
    if (engine->scenario->load.closed || engine->config.single_journey)
        run_closed(engine, now_ns);
    else
        start_arrivals(engine, now_ns);
    engine->next_due_ns = load_next(engine);
    engine_settle(engine);
}

uint64_t load_next(const struct engine *engine)
{
    if (!engine->started)
        return NEVER;
    if (engine->over)
        return engine->drain_until_ns;
    uint64_t end_ns = load_end_ns(engine);
    uint64_t next_ns = NEVER;
    if (engine->scenario->load.closed || engine->config.single_journey)
        next_ns = engine->users_change_ns;
    else if (engine->arrivals_left)
        next_ns = engine->start_ns + engine->next_arrival.due_ns;
    return next_ns < end_ns ? next_ns : end_ns;
}

void load_user_idle(struct engine *engine, struct user *user)
{
    if (engine->scenario->load.closed || engine->config.single_journey) {
        if (may_start(engine, user, user->ready_ns) && !engine->stopping)
            start_closed(engine, user, user->ready_ns);
        else
            list_append(&engine->idle_users, &user->idle);
        return;
    }
    if (engine->waiting_count) {
        struct waiting_arrival arrival = engine->waiting[engine->waiting_first];
        engine->waiting_first = (engine->waiting_first + 1) % WAITING_ARRIVALS_MAX;
        engine->waiting_count--;
        user_begin_journey(user, arrival.due_ns, arrival.index);
        return;
    }
    list_append(&engine->idle_users, &user->idle);
}

void load_stop(struct engine *engine)
{
    uint64_t end_ns = load_end_ns(engine);
    load_over(engine, engine->now_ns < end_ns ? engine->now_ns : end_ns);
    for (; engine->waiting_count; engine->waiting_count--) {
        page_add(&ledger_of(engine, engine->waiting[engine->waiting_first].due_ns)->journeys_unfinished, 1);
        engine->waiting_first = (engine->waiting_first + 1) % WAITING_ARRIVALS_MAX;
    }
}
