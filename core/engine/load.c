/*
 * Who starts a journey, and when. Open load: arrivals fall due by the schedule, whatever the service does; each takes the
 * longest-idle user of its class, and waits, still due, when there is none. Closed load: so many users walk their flow
 * again and again. Loads of a scenario run side by side: each has its own schedule and users, and none waits for another.
 */
#include "engine/internal.h"
#include <stdlib.h>
#include <sys/mman.h>

/* The drain is as long as the time-out unless set. What is handed over in the turn that ends the load is a moment younger
 * than the drain, and must still time out rather than be cut off. */
#define DRAIN_GRACE_NS (50 * NS_PER_MS)

static uint64_t load_end_ns(const struct load_run *run)
{
    return run->length_ns == NEVER ? NEVER : run->engine->start_ns + run->length_ns;
}

/* ---- making ---- */

static void init_run(struct engine *engine, struct load_run *run, const struct load *load)
{
    bool single = engine->config.single_journey;
    uint32_t worker = engine->config.worker, workers = load_workers(load, engine->config.workers);
    bool takes_part = worker < workers;
    *run = (struct load_run){.engine = engine, .load = load, .closed = load->closed || single, .users_change_ns = NEVER};
    run->schedule = load_schedule(engine->scenario, load, takes_part ? worker : 0, workers);
    run->length_ns = single ? NEVER : schedule_length_ns(&run->schedule);
    run->quota = load->iterations == NEVER ? NEVER : schedule_share(load->iterations, worker, workers);
    run->user_count = single ? 1 : takes_part ? (uint32_t)schedule_share(load->users, worker, workers) : 0;
    if (run->closed && !single && schedule_has_pace(&run->schedule))
        run->ticks = arena_alloc(&engine->arena, run->user_count * sizeof *run->ticks);
    if (!takes_part)
        run->quota = 0;
    if (single)
        run->quota = 1;
    engine->user_count += run->user_count;
}

void load_init(struct engine *engine)
{
    const struct scenario *scenario = engine->scenario;
    engine->load_count = engine->config.single_journey ? 1 : scenario->load_count;
    engine->loads = arena_alloc(&engine->arena, engine->load_count * sizeof *engine->loads);
    for (uint32_t i = 0; i < engine->load_count; i++)
        init_run(engine, &engine->loads[i], &scenario->loads[i]);
    if (scenario_closed(scenario))
        return;
    /* Mapped, not touched: it costs address space until arrivals really wait. */
    engine->waiting = mmap(NULL, WAITING_ARRIVALS_MAX * sizeof *engine->waiting, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (engine->waiting == MAP_FAILED)
        out_of_memory(WAITING_ARRIVALS_MAX * sizeof *engine->waiting);
}

void load_fini(struct engine *engine)
{
    if (engine->waiting)
        munmap(engine->waiting, WAITING_ARRIVALS_MAX * sizeof *engine->waiting);
}

static void join_class(struct user *user, uint32_t place)
{
    const struct load *load = user_load(user)->load;
    user->class_place = place;
    user->class = &user->engine->scenario->classes[load->classes[place]];
}

static void init_open(struct engine *engine, struct load_run *run)
{
    const struct load *load = run->load;
    uint32_t *counts = arena_alloc(&engine->arena, load->class_count * sizeof *counts), user = 0;
    run->queues = arena_alloc(&engine->arena, load->class_count * sizeof *run->queues);
    if (run->user_count)
        scenario_class_users(engine->scenario, load, run->user_count, counts);
    for (uint32_t c = 0; c < load->class_count; c++) {
        list_init(&run->queues[c].idle);
        for (; counts[c] > 0; counts[c]--)
            join_class(&run->users[user++], c);
    }
}

/* Users are numbered from 1 through all loads, without a gap over all workers. */
void load_init_users(struct engine *engine)
{
    struct user *users = engine->users;
    uint64_t before = 1;
    for (uint32_t i = 0; i < engine->load_count; i++) {
        struct load_run *run = &engine->loads[i];
        run->users = users;
        for (uint32_t j = 0; j < run->user_count; j++, users++) {
            uint64_t number = (uint64_t)j * run->schedule.workers + run->schedule.worker;
            users->load = i;
            users->id = before + number;
            random_init(&users->random, engine->scenario->seed, users->id);
            if (run->closed)
                join_class(users, scenario_class_of(engine->scenario, run->load, number));
        }
        if (!run->closed)
            init_open(engine, run);
        before += run->load->users;
    }
}

static struct ledger *ledger_of(struct engine *engine, uint64_t due_ns)
{
    return &engine->config.page->ledgers[due_ns < engine->warm_until_ns ? BLOCK_WARMUP : BLOCK_MEASURED];
}

/* The worker's load is over with the last of its loads. */
static void load_over(struct load_run *run, uint64_t at_ns)
{
    struct engine *engine = run->engine;
    if (run->over)
        return;
    run->over = true;
    if (at_ns > engine->over_ns)
        engine->over_ns = at_ns;
    for (uint32_t i = 0; i < engine->load_count; i++)
        if (!engine->loads[i].over)
            return;
    engine->over = true;
    /* Not from when the load was due to end: what a stall of ours handed over late has its whole time-out still before it. */
    uint64_t from_ns = engine->over_ns > engine->now_ns ? engine->over_ns : engine->now_ns;
    engine->drain_until_ns = from_ns + engine->scenario->drain_ns;
    if (engine->scenario->drain_ns)
        engine->drain_until_ns += DRAIN_GRACE_NS;
}

/* ---- open ---- */

static void next_arrival(struct load_run *run)
{
    run->arrivals_left = schedule_next(&run->cursor, &run->schedule, &run->next_arrival);
}

static void wait_for_user(struct load_run *run, struct class_queue *queue, uint64_t due_ns)
{
    struct engine *engine = run->engine;
    engine->facts.waited_user++;
    uint32_t place = engine->waiting_free;
    if (place)
        engine->waiting_free = engine->waiting[place - 1].next;
    else if (engine->waiting && engine->waiting_used < WAITING_ARRIVALS_MAX)
        place = ++engine->waiting_used;
    if (!place) {
        page_add(&ledger_of(engine, due_ns)->dropped, 1);
        return;
    }
    engine->waiting[place - 1] = (struct waiting_arrival){.due_ns = due_ns};
    if (queue->waiting_last)
        engine->waiting[queue->waiting_last - 1].next = place;
    else
        queue->waiting_first = place;
    queue->waiting_last = place;
    engine->waiting_count++;
}

/* The one that waits longest; false: none does. */
static bool take_waiting(struct engine *engine, struct class_queue *queue, uint64_t *ret_due_ns)
{
    uint32_t place = queue->waiting_first;
    if (!place)
        return false;
    struct waiting_arrival *arrival = &engine->waiting[place - 1];
    *ret_due_ns = arrival->due_ns;
    queue->waiting_first = arrival->next;
    if (!queue->waiting_first)
        queue->waiting_last = 0;
    arrival->next = engine->waiting_free;
    engine->waiting_free = place;
    engine->waiting_count--;
    return true;
}

static void start_arrivals(struct load_run *run, uint64_t now_ns)
{
    struct engine *engine = run->engine;
    while (run->arrivals_left && engine->start_ns + run->next_arrival.due_ns <= now_ns) {
        uint64_t due_ns = engine->start_ns + run->next_arrival.due_ns;
        uint32_t place = scenario_class_of(engine->scenario, run->load, run->next_arrival.index);
        struct class_queue *queue = &run->queues[place];
        if (!feeds_claim(engine, &engine->scenario->classes[run->load->classes[place]])) {
            load_over(run, due_ns);
            return;
        }
        page_add(&ledger_of(engine, due_ns)->due, 1);
        engine->facts.started_until_ns = now_ns - engine->start_ns;
        if (list_empty(&queue->idle)) {
            wait_for_user(run, queue, due_ns);
        } else {
            struct user *user = LIST_ENTRY(queue->idle.next, struct user, place);
            list_remove(&user->place);
            user_begin_journey(user, due_ns);
        }
        next_arrival(run);
    }
    uint64_t end_ns = load_end_ns(run);
    if (!run->arrivals_left && (end_ns == NEVER || now_ns >= end_ns || run->cursor.count >= run->quota))
        load_over(run, now_ns < end_ns ? now_ns : end_ns);
}

/* ---- closed ---- */

static bool may_start(const struct load_run *run, const struct user *user, uint64_t due_ns)
{
    return user->active && !user->spent && run->quota && due_ns < load_end_ns(run) && !run->over;
}

static void start_closed(struct user *user, uint64_t due_ns)
{
    struct load_run *run = user_load(user);
    if (!feeds_claim(run->engine, user->class)) {
        load_over(run, run->engine->now_ns);
        return;
    }
    if (run->quota != NEVER)
        run->quota--;
    page_add(&ledger_of(run->engine, due_ns)->due, 1);
    user_begin_journey(user, due_ns);
    if (run->quota == 0)
        load_over(run, run->engine->now_ns);
}

/* With its last journey done by every user that there will be, nothing is left to start. */
static void check_spent(struct load_run *run)
{
    if (run->spent_users && run->users_change_ns >= load_end_ns(run) && run->spent_users == run->active_users)
        load_over(run, run->engine->now_ns);
}

static void set_tick(struct load_run *run, const struct user *user, uint64_t tick_ns)
{
    if (run->ticks)
        run->ticks[user - run->users] = tick_ns;
}

/* Brings the number of walking users to what the stages say for due_ns. */
static void adjust_users(struct load_run *run, uint64_t due_ns)
{
    struct engine *engine = run->engine;
    uint32_t whole = schedule_users_at(&run->schedule, due_ns - engine->start_ns, &run->users_change_ns);
    uint32_t want = (uint32_t)schedule_share(whole, run->schedule.worker, run->schedule.workers);
    if (want > run->user_count)
        want = run->user_count;
    if (run->users_change_ns != NEVER)
        run->users_change_ns += engine->start_ns;
    for (; run->active_users > want; run->active_users--) {
        struct user *user = &run->users[run->active_users - 1];
        user->active = false;
        run->spent_users -= user->spent;
    }
    for (; run->active_users < want; run->active_users++) {
        struct user *user = &run->users[run->active_users];
        user->active = true;
        run->spent_users += user->spent;
        if (!user->in_journey && may_start(run, user, due_ns)) {
            timer_clear(&engine->timers, &user->timer);
            set_tick(run, user, due_ns);
            if (!user_begin_setup(user, due_ns))
                start_closed(user, due_ns);
        }
    }
    check_spent(run);
}

static void run_closed(struct load_run *run, uint64_t now_ns)
{
    uint64_t end_ns = load_end_ns(run);
    while (run->users_change_ns <= now_ns && run->users_change_ns < end_ns)
        adjust_users(run, run->users_change_ns);
    if (now_ns >= end_ns)
        load_over(run, end_ns);
}

/* A load that has ended, or has fewer users by now, leaves it idle. */
void load_pace_over(struct user *user)
{
    if (may_start(user_load(user), user, user->ready_ns) && !user->engine->stopping)
        start_closed(user, user->ready_ns);
}

static void closed_user_idle(struct user *user)
{
    struct load_run *run = user_load(user);
    struct engine *engine = run->engine;
    uint64_t skipped;
    if ((user->iteration >= run->load->user_iterations || feeds_spent(user)) && !user->spent) {
        user->spent = true;
        run->spent_users += user->active;
        check_spent(run);
    }
    if (engine->stopping || !may_start(run, user, user->ready_ns))
        return;
    uint64_t pace_ns = schedule_pace_at(&run->schedule, user->ready_ns - engine->start_ns);
    uint64_t tick_ns = run->ticks ? run->ticks[user - run->users] : 0;
    uint64_t next_ns = schedule_paced_ns(tick_ns, pace_ns, user->ready_ns, &tick_ns, &skipped);
    set_tick(run, user, tick_ns);
    engine->store.skipped_ticks += skipped;
    user->ready_ns = next_ns;
    if (next_ns > engine->now_ns)
        timer_set(&engine->timers, &user->timer, next_ns);
    else if (may_start(run, user, next_ns))
        start_closed(user, next_ns);
}

/* ---- both ---- */

static void start_single(struct load_run *run)
{
    run->active_users = 1;
    run->users[0].active = true;
    run->users[0].class = &run->engine->scenario->classes[run->engine->config.single_class];
    if (!user_begin_setup(&run->users[0], run->engine->start_ns))
        start_closed(&run->users[0], run->engine->start_ns);
}

uint32_t load_begin_setups(struct engine *engine)
{
    uint32_t begun = 0;
    for (uint32_t i = 0; i < engine->user_count; i++)
        begun += user_begin_setup(&engine->users[i], engine->now_ns);
    return begun;
}

void load_start(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->load_count; i++) {
        struct load_run *run = &engine->loads[i];
        if (engine->config.single_journey) {
            start_single(run);
        } else if (run->quota == 0 || run->user_count == 0) {
            load_over(run, engine->start_ns);
        } else if (run->closed) {
            run->users_change_ns = engine->start_ns;
        } else {
            for (uint32_t j = 0; j < run->user_count; j++)
                if (!run->users[j].set_up && !user_begin_setup(&run->users[j], engine->start_ns))
                    list_append(&run->queues[run->users[j].class_place].idle, &run->users[j].place);
            schedule_cursor_init(&run->cursor, &run->schedule);
            next_arrival(run);
        }
    }
}

void load_run_due(struct engine *engine, uint64_t now_ns)
{
    if (!engine->started || engine->over || now_ns < engine->start_ns)
        return;
    for (uint32_t i = 0; i < engine->load_count; i++) {
        struct load_run *run = &engine->loads[i];
        if (!run->over && run->closed)
            run_closed(run, now_ns);
        else if (!run->over)
            start_arrivals(run, now_ns);
    }
    engine->next_due_ns = load_next(engine);
    engine_settle(engine);
}

static uint64_t run_next(const struct load_run *run)
{
    uint64_t end_ns = load_end_ns(run), next_ns = NEVER;
    if (run->closed)
        next_ns = run->users_change_ns;
    else if (run->arrivals_left)
        next_ns = run->engine->start_ns + run->next_arrival.due_ns;
    return next_ns < end_ns ? next_ns : end_ns;
}

uint64_t load_next(const struct engine *engine)
{
    uint64_t next_ns = NEVER;
    if (!engine->started)
        return NEVER;
    if (engine->over)
        return engine->drain_until_ns;
    for (uint32_t i = 0; i < engine->load_count; i++) {
        uint64_t at_ns = engine->loads[i].over ? NEVER : run_next(&engine->loads[i]);
        next_ns = at_ns < next_ns ? at_ns : next_ns;
    }
    return next_ns;
}

void load_user_idle(struct user *user)
{
    struct load_run *run = user_load(user);
    uint64_t due_ns;
    if (run->closed) {
        closed_user_idle(user);
        return;
    }
    struct class_queue *queue = &run->queues[user->class_place];
    if (take_waiting(run->engine, queue, &due_ns))
        user_begin_journey(user, due_ns);
    else
        list_append(&queue->idle, &user->place);
}

void load_user_set_up(struct user *user)
{
    struct load_run *run = user_load(user);
    if (!run->closed) {
        load_user_idle(user);
    } else if (!user->engine->stopping && may_start(run, user, user->ready_ns)) {
        set_tick(run, user, user->ready_ns);
        start_closed(user, user->ready_ns);
    }
}

void load_stop(struct engine *engine)
{
    uint64_t due_ns;
    for (uint32_t i = 0; i < engine->load_count; i++) {
        struct load_run *run = &engine->loads[i];
        uint64_t end_ns = load_end_ns(run);
        load_over(run, engine->now_ns < end_ns ? engine->now_ns : end_ns);
        for (uint32_t c = 0; run->queues && c < run->load->class_count; c++)
            while (take_waiting(engine, &run->queues[c], &due_ns))
                page_add(&ledger_of(engine, due_ns)->journeys_unfinished, 1);
    }
}
