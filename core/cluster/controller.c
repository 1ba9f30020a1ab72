/*
 * See controller.h. One thread, one loop. The counts of a run come from the workers' pages, which outlive a killed
 * worker; the histograms come from their snapshots.
 */
#include "cluster/controller_state.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/units.h"
#include "cluster/bus.h"
#include "cluster/limits.h"
#include "cluster/message.h"
#include "cluster/values.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define TICK_NS (500 * NS_PER_MS)
#define TICK_AFTER_NS (30 * NS_PER_MS)
#define START_AHEAD_NS (20 * NS_PER_MS) /* enough for every worker to hear of the start before it comes */
#define LOST_DRAIN_NS (2 * NS_PER_S)    /* for the others' exchanges under way, once a worker is lost */
#define STOP_NOW_WAIT_NS (3 * NS_PER_S) /* for a worker that was told to stop now */
static uint64_t on_idle(void *arg)
{
    struct controller *controller = arg;
    timers_run(&controller->timers, clock_now_ns());
    return timers_next(&controller->timers);
}

static void finish(struct controller *controller)
{
    if (controller->phase != RUN_OVER)
        controller->ended_ns = clock_now_ns();
    controller->phase = RUN_OVER;
    loop_stop(controller->loop);
}

static void finish_if_all_done(struct controller *controller)
{
    for (uint32_t i = 0; i < controller->worker_count; i++)
        if (!controller->workers[i].last && !controller->workers[i].lost)
            return;
    finish(controller);
}

static void tell(struct controller *controller, const char *topic, const char *key, uint64_t number)
{
    struct buffer out = {0};
    msgpack_packer packer;
    message_packer(&packer, &out);
    msgpack_pack_map(&packer, 2);
    message_pack_number(&packer, "v", MESSAGE_VERSION);
    message_pack_number(&packer, key, number);
    bus_publish(controller->bus, topic, out.data, out.len);
    buffer_fini(&out);
}

/* ---- losing a worker ---- */

static void lose_worker(struct controller *controller, uint32_t number, const char *how)
{
    struct worker_state *worker = &controller->workers[number];
    if (worker->lost || worker->last)
        return;
    worker->lost = true;
    threshold_watch_over(controller->watch, number);
    bus_drop(controller->bus, number);
    char text[120];
    spawn_kill(&worker->child, text, sizeof text);
    if (controller->phase != RUN_CONNECTING && !controller->lost_ns) {
        controller->lost_ns = clock_now_ns();
        controller->lost_number = number;
    }
    verdict_incomplete(&controller->result->verdict, "worker %u %s%s (%s)%s", number, how,
                       controller->phase == RUN_CONNECTING ? " before the start" : "", text,
                       controller->phase == RUN_CONNECTING ? "" : "; what it had counted until then is in the totals");
    if (controller->phase == RUN_CONNECTING && !controller->failure.text[0])
        error_set_code(&controller->failure, EXIT_CODE_INVALID, "worker %u %s before the start (%s)", number, how, text);
    /* The load is no longer the one that was asked for: the others need not go on. */
    tell(controller, "stop", "now", 0);
    if (!controller->hurry.position)
        timer_set(&controller->timers, &controller->hurry, clock_now_ns() + LOST_DRAIN_NS);
    finish_if_all_done(controller);
}

static void on_lost(void *arg, uint32_t number)
{
    lose_worker(arg, number, "died");
}

static void check_heartbeats(struct controller *controller, uint64_t now_ns)
{
    for (uint32_t i = 0; i < controller->worker_count; i++) {
        struct worker_state *worker = &controller->workers[i];
        if (worker->lost || worker->last)
            continue;
        uint64_t beat_ns = page_get(&worker->child.page->heartbeat_ns);
        if (life_silent(&worker->life, now_ns, beat_ns, spawn_cpu_ns(&worker->child), controller->options->stall_limit_ns))
            lose_worker(controller, i, "fell silent");
    }
}

/* ---- progress ---- */

static void show_progress(struct controller *controller, uint64_t now_ns)
{
    const struct scenario *scenario = controller->scenario;
    struct progress progress = {.scenario = scenario, .workers = controller->worker_count};
    struct ledger ledgers[BLOCK_COUNT];
    if (!controller->options->progress)
        return;
    controller_sum_pages(controller, ledgers, &progress);
    progress.ended = ledger_ended(&ledgers[0]) + ledger_ended(&ledgers[1]);
    progress.failed = ledger_failed(&ledgers[0]) + ledger_failed(&ledgers[1]);
    progress.in_flight = ledgers[0].begun + ledgers[1].begun - progress.ended;
    progress.connecting = !controller->start_ns;
    progress.setting_up = progress.connecting && controller->barrier == BARRIER_SET_UP;
    progress.stopping = controller->interrupts && controller->phase == RUN_GOING;
    if (!progress.connecting) {
        progress.elapsed_ns = now_ns > controller->start_ns ? now_ns - controller->start_ns : 0;
        progress.draining = controller->phase == RUN_GOING && progress.elapsed_ns > scenario_length_ns(scenario);
        windows_show(&controller->windows, &progress);
        if (now_ns > controller->shown_ns + TICK_NS) { /* a rate over less than that says nothing */
            controller->rate_per_s = (double)(progress.ended - controller->ended_before) * 1e9 / (double)(now_ns - controller->shown_ns);
            controller->ended_before = progress.ended;
            controller->shown_ns = now_ns;
        }
        progress.rate_per_s = controller->rate_per_s;
        progress.rate_asked_per_s = scenario_rate_at(scenario, progress.elapsed_ns);
        progress.late = verdict_late(&controller->result->verdict);
    } else {
        progress.elapsed_ns = now_ns - controller->began_ns;
    }
    for (uint32_t i = 0; i < controller->worker_count; i++) {
        progress.workers_lost += controller->workers[i].lost;
        if (progress.connecting && !progress.trouble[0])
            page_told(controller->workers[i].child.page, progress.trouble);
    }
    controller->options->progress(controller->options->arg, &progress);
}

static void on_tick(struct timer *timer, uint64_t now_ns)
{
    struct controller *controller = (struct controller *)(void *)((char *)timer - offsetof(struct controller, tick));
    bool slept = now_ns - controller->ticked_ns > 2 * TICK_NS;
    controller->ticked_ns = now_ns;
    timer_set(&controller->timers, timer, now_ns + TICK_NS);
    /* After a Ctrl-Z and fg the workers slept too: they get until the next tick to show that they live. */
    if (!slept)
        check_heartbeats(controller, now_ns);
    if (controller->ticks++ % 2 == 0)
        show_progress(controller, now_ns);
}

/* ---- what workers say ---- */

static void go(struct controller *controller)
{
    controller->phase = RUN_GOING;
    controller->start_ns = controller->shown_ns = clock_now_ns() + START_AHEAD_NS;
    for (uint32_t i = 0; i < controller->worker_count; i++)
        controller->workers[i].cpu_at_ns = controller->start_ns;
    clock_date(controller->result->started_at, sizeof controller->result->started_at);
    /* Live lines come just after each second's snapshots. */
    controller->ticks = 1;
    timer_set(&controller->timers, &controller->tick, controller->start_ns + TICK_NS + TICK_AFTER_NS);
    tell(controller, "go", "start_ns", controller->start_ns);
}

/* All workers pass a barrier together: connected, then, where the scenario wants it, with their users set up. */
static void go_on_if_all_ready(struct controller *controller)
{
    for (uint32_t i = 0; i < controller->worker_count; i++)
        if (controller->workers[i].ready != controller->barrier)
            return;
    if (controller->barrier == BARRIER_CONNECTED && controller->scenario->ready_within_ns) {
        controller->barrier = BARRIER_SET_UP;
        tell(controller, "set_up", "within_ns", controller->scenario->ready_within_ns);
    } else {
        go(controller);
    }
}

static void on_ready(void *arg, uint32_t from, const uint8_t *data, size_t len)
{
    struct controller *controller = arg;
    msgpack_zone zone;
    msgpack_object map;
    struct arena arena;
    arena_init(&arena);
    if (message_read(data, len, &zone, &map)) {
        const char *text = message_text(&map, "error", &arena);
        if (text && !controller->failure.text[0])
            error_set_code(&controller->failure, (int)message_number(&map, "exit_code", EXIT_CODE_INTERNAL), "%s", text);
        if (!text)
            controller->workers[from].ready = controller->barrier;
    }
    msgpack_zone_destroy(&zone);
    arena_fini(&arena);
    if (controller->failure.text[0])
        finish(controller);
    else if (controller->phase == RUN_CONNECTING && !controller->interrupts)
        go_on_if_all_ready(controller);
}

static void count_value(void *arg, uint32_t variable, const struct value *value)
{
    (void)variable;
    (void)value;
    *(uint32_t *)arg += 1;
}

/* Put once, by the worker that walks the run's setup, and passed on as it came: it stands before every later word. */
static void on_values(void *arg, uint32_t from, const uint8_t *data, size_t len)
{
    struct controller *controller = arg;
    uint32_t count = 0;
    bool expected = from == 0 && !controller->values_put && controller->phase == RUN_CONNECTING && controller->barrier == BARRIER_CONNECTED &&
                    !controller->workers[from].ready;
    if (!expected || values_unpack(data, len, controller->scenario->variable_count, count_value, &count) < 0) {
        lose_worker(controller, from, "sent values that cannot be read");
        return;
    }
    controller->values_put = true;
    bus_publish(controller->bus, "values", data, len);
}

static void take_facts(struct controller *controller, struct worker_state *worker, const struct generator_facts *facts)
{
    uint64_t now_ns = clock_now_ns();
    if (worker->cpu_at_ns && now_ns > worker->cpu_at_ns && facts->cpu_ns > worker->cpu_ns_before) {
        double share = (double)(facts->cpu_ns - worker->cpu_ns_before) / (double)(now_ns - worker->cpu_at_ns);
        bool whole = now_ns - worker->cpu_at_ns > NS_PER_S / 10; /* a last word soon after another says little */
        worker->cpu_full_seconds += whole && share > VERDICT_CPU_FULL;
        if (share > controller->cpu_share && whole)
            controller->cpu_share = share < 1 ? share : 1;
    }
    worker->cpu_ns_before = facts->cpu_ns;
    worker->cpu_at_ns = now_ns;
    worker->facts = *facts;
}

/* A threshold with `abort` that has failed ends the run as one Ctrl-C would. */
static void watch_thresholds(struct controller *controller)
{
    struct result *result = controller->result;
    struct threshold_result judged;
    char actual[64], at[32];
    controller_sum_pages(controller, result->store.ledgers, NULL);
    int32_t index = threshold_watch_judge(controller->watch, &result->store, &judged);
    if (index < 0 || result->aborted_text[0] || controller->phase != RUN_GOING)
        return;
    const struct threshold *threshold = &controller->scenario->thresholds[index];
    uint64_t now_ns = clock_now_ns();
    snprintf(result->aborted_text, sizeof result->aborted_text, "%.180s: it was %s, so the run was ended after %s", threshold->text,
             threshold_print_actual(threshold, &judged, actual, sizeof actual),
             units_print_duration(at, sizeof at, (now_ns - controller->start_ns) / NS_PER_MS * NS_PER_MS));
    tell(controller, "stop", "now", 0);
}

static void on_snapshot(void *arg, uint32_t from, const uint8_t *data, size_t len)
{
    struct controller *controller = arg;
    struct worker_state *worker = &controller->workers[from];
    struct snapshot *snapshot = &controller->snapshot;
    struct error error = {0};
    if (snapshot_unpack(data, len, snapshot, &error) < 0 || snapshot->worker != from || snapshot->sequence != worker->sequence) {
        lose_worker(controller, from, error.text[0] ? "sent a snapshot that cannot be read" : "left out a snapshot");
        return;
    }
    worker->sequence++;
    uint64_t waited = snapshot->facts.waited_connection - worker->facts.waited_connection;
    uint64_t begun = snapshot->store.ledgers[BLOCK_MEASURED].begun - worker->begun;
    worker->begun += begun;
    take_facts(controller, worker, &snapshot->facts);
    store_merge(&controller->result->store, &snapshot->store);
    windows_add(&controller->windows, snapshot, begun, waited, &controller->result->verdict);
    threshold_watch_add(controller->watch, from, snapshot->window, &snapshot->store);
    if (snapshot->last)
        threshold_watch_over(controller->watch, from);
    watch_thresholds(controller);
    if (snapshot->last) {
        worker->last = true;
        finish_if_all_done(controller);
    }
}

/* Comes ahead of a worker's last snapshot. */
static void on_tracks(void *arg, uint32_t from, const uint8_t *data, size_t len)
{
    struct controller *controller = arg;
    struct error error = {0};
    if (tracks_unpack(data, len, controller->scenario->series_count, &controller->tracks, &error) < 0)
        lose_worker(controller, from, error.text);
}

/* As on_tracks. */
static void on_crossings(void *arg, uint32_t from, const uint8_t *data, size_t len)
{
    struct controller *controller = arg;
    struct error error = {0};
    if (crossings_unpack(data, len, controller->scenario->series_count, &controller->crossings, &error) < 0)
        lose_worker(controller, from, error.text);
}

/* ---- interrupts ---- */

static void stop_now(struct controller *controller)
{
    controller->told_now = true;
    tell(controller, "stop", "now", 1);
    timer_set(&controller->timers, &controller->hurry, clock_now_ns() + STOP_NOW_WAIT_NS);
}

static void on_hurry(struct timer *timer, uint64_t now_ns)
{
    struct controller *controller = (struct controller *)(void *)((char *)timer - offsetof(struct controller, hurry));
    (void)now_ns;
    if (!controller->told_now) {
        stop_now(controller);
        return;
    }
    for (uint32_t i = 0; i < controller->worker_count; i++)
        lose_worker(controller, i, "did not stop when told to");
    finish(controller);
}

static void on_interrupt(void *arg, int signal_number)
{
    struct controller *controller = arg;
    (void)signal_number;
    controller->interrupts++;
    controller->result->interrupted = true;
    if (controller->interrupts == 1) {
        tell(controller, "stop", "now", 0);
        show_progress(controller, clock_now_ns());
    } else {
        if (!controller->told_now)
            stop_now(controller);
    }
}

/* ---- the run ---- */

static uint32_t workers_wanted(const struct controller_options *options)
{
    const struct scenario *scenario = options->scenario;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t count = cores > 0 ? (uint32_t)cores : 1;
    uint32_t connections = 0;
    if (options->plan->workers)
        count = options->plan->workers;
    else if (plan_is_local(scenario))
        count = 1; /* a second worker would only take the server's core */
    for (uint32_t i = 0; i < scenario->target_count; i++)
        if (scenario->targets[i].connections > connections)
            connections = scenario->targets[i].connections;
    uint32_t useful = 0; /* workers that have a part in some load */
    for (uint32_t i = 0; i < scenario->load_count; i++) {
        uint32_t part = load_workers(&scenario->loads[i], count);
        useful = part > useful ? part : useful;
    }
    count = useful;
    if (count > connections)
        count = connections;
    if (count > WORKERS_MAX)
        count = WORKERS_MAX;
    return count ? count : 1;
}

static void init_store(const struct scenario *scenario, struct store *store)
{
    uint32_t *metrics = xcalloc(scenario->series_count + 1, sizeof *metrics);
    for (uint32_t i = 0; i < scenario->series_count; i++)
        metrics[i] = scenario->series[i].protocol->abi.metrics.count;
    store_init(store, scenario->series_count, metrics, scenario->check_count);
    store_init_transactions(store, scenario->transaction_count);
    free(metrics);
}

/* What can be known to fail is told now, and not by a thousand failed connections. */
static int check_limits(struct controller *controller, uint32_t workers, struct error *error)
{
    struct rlimit limit;
    char text[300];
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_max != RLIM_INFINITY &&
        limits_descriptors(controller->scenario, workers, limit.rlim_max, error) < 0)
        return -1;
    if (limits_ports_short(controller->scenario, limits_ports(), text, sizeof text)) {
        log_line(LOG_WARNING, "%s", text);
        verdict_note(&controller->result->verdict, "%s", text);
    }
    if (limits_users_many(controller->scenario, workers, text, sizeof text)) {
        log_line(LOG_WARNING, "%s", text);
        verdict_note(&controller->result->verdict, "%s", text);
    }
    return 0;
}

static int start_workers(struct controller *controller, struct error *error)
{
    int sockets[WORKERS_MAX];
    uint32_t wanted = workers_wanted(controller->options);
    if (check_limits(controller, wanted, error) < 0)
        return -1;
    controller->worker_count = wanted;
    controller->options->plan->workers = controller->worker_count;
    controller->options->plan->run = random_unique();
    const struct scenario *scenario = controller->scenario;
    controller->watch = threshold_watch_new(scenario->thresholds, scenario->threshold_count, controller->worker_count, scenario->warmup_ns,
                                            scenario_length_ns(scenario));
    for (uint32_t i = 0; i < controller->worker_count; i++) {
        if (spawn_worker(i, &controller->workers[i].child, &sockets[i], error) < 0) {
            controller->worker_count = i;
            for (uint32_t j = 0; j < i; j++)
                close(sockets[j]);
            return -1;
        }
    }
    controller->bus = bus_connect_local(controller->loop, sockets, controller->worker_count, on_lost, controller);
    bus_subscribe(controller->bus, "values", on_values, controller);
    bus_subscribe(controller->bus, "ready", on_ready, controller);
    bus_subscribe(controller->bus, "snapshot", on_snapshot, controller);
    bus_subscribe(controller->bus, "tracks", on_tracks, controller);
    bus_subscribe(controller->bus, "crossings", on_crossings, controller);
    struct buffer plan = {0};
    plan_pack(controller->options->plan, &plan);
    bus_publish(controller->bus, "plan", plan.data, plan.len);
    buffer_fini(&plan);
    return 0;
}

static int run_loop(struct controller *controller, struct error *error)
{
    if (start_workers(controller, error) < 0)
        return -1;
    controller->tick.fn = on_tick;
    controller->hurry.fn = on_hurry;
    controller->began_ns = controller->ticked_ns = clock_now_ns();
    for (uint32_t i = 0; i < controller->worker_count; i++)
        life_begin(&controller->workers[i].life, controller->began_ns);
    clock_date(controller->result->started_at, sizeof controller->result->started_at);
    timer_set(&controller->timers, &controller->tick, controller->began_ns);
    loop_signal(controller->loop, SIGINT, on_interrupt, controller);
    loop_signal(controller->loop, SIGTERM, on_interrupt, controller);
    loop_run(controller->loop);
    show_progress(controller, clock_now_ns());
    if (!controller->failure.text[0])
        return 0;
    *error = controller->failure;
    return -1;
}

int controller_run(const struct controller_options *options, struct result *ret_result, struct error *error)
{
    struct controller *controller = xcalloc(1, sizeof *controller);
    struct result result = {.scenario = options->scenario};
    struct loop_hooks hooks = {.idle = on_idle, .arg = controller};
    controller->options = options;
    controller->barrier = BARRIER_CONNECTED;
    controller->scenario = options->scenario;
    controller->result = &result;
    init_store(options->scenario, &result.store);
    init_store(options->scenario, &controller->snapshot.store);
    result.thresholds = xcalloc(options->scenario->threshold_count + 1, sizeof *result.thresholds);
    verdict_init(&result.verdict);
    windows_init(&controller->windows);
    controller->loop = loop_new(&hooks);
    int status = controller->loop ? run_loop(controller, error) : error_set_code(error, EXIT_CODE_INTERNAL, "no event loop: out of descriptors?");
    if (status == 0)
        controller_fill_result(controller);
    bool not_started = status < 0 && (error->exit_code == EXIT_CODE_UNREACHABLE || error->exit_code == EXIT_CODE_INVALID);
    if (not_started)
        controller_fill_not_started(controller, error);
    bool measured = status == 0 || not_started;
    bus_close(controller->bus, 0);
    for (uint32_t i = 0; i < controller->worker_count; i++)
        spawn_reap(&controller->workers[i].child, status == 0);
    windows_fini(&controller->windows);
    threshold_watch_free(controller->watch);
    tracks_fini(&controller->tracks);
    crossings_fini(&controller->crossings);
    store_fini(&controller->snapshot.store);
    timers_fini(&controller->timers);
    loop_free(controller->loop);
    free(controller);
    if (!measured) {
        result_fini(&result);
        return -1;
    }
    *ret_result = result;
    return 0;
}
