/*
 * See controller.h. One thread, one loop. The counts of a run come from the workers' pages, which outlive a killed
 * worker; the histograms come from their snapshots.
 */
#include "cluster/controller.h"
#include "base/clock.h"
#include "cluster/bus.h"
#include "cluster/message.h"
#include "cluster/spawn.h"
#include "cluster/windows.h"
#include "engine/timers.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_NS (500 * NS_PER_MS)
#define START_AHEAD_NS (20 * NS_PER_MS) /* enough for every worker to hear of the start before it comes */
#define STOP_NOW_WAIT_NS (3 * NS_PER_S)
#define WORKERS_MAX 64

enum phase_of_run {
    RUN_CONNECTING, /* until every worker is ready, or one says that it cannot be */
    RUN_GOING,      /* until every worker has sent its last snapshot or is lost */
    RUN_OVER,
};

struct worker_state {
    struct child child;
    bool ready, last, lost;
    uint64_t sequence; /* of the snapshot that must come next */
    struct generator_facts facts;
    uint64_t cpu_ns_before, cpu_at_ns;
};

struct controller {
    const struct controller_options *options;
    const struct scenario *scenario;
    struct result *result;
    struct loop *loop;
    struct bus *bus;
    struct timers timers;
    struct timer tick, hurry;
    struct worker_state workers[WORKERS_MAX];
    uint32_t worker_count;
    enum phase_of_run phase;
    uint64_t began_ns, start_ns, ended_ns, stop_now_at_ns;
    uint32_t interrupts;
    struct snapshot snapshot; /* scratch for unpacking */
    struct windows windows;
    struct error failure; /* text set: the run cannot go on */
    uint64_t ended_before, shown_ns, ticks, ticked_ns;
    double cpu_share;
};

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
    bus_drop(controller->bus, number);
    char text[120];
    spawn_kill(&worker->child, text, sizeof text);
    verdict_incomplete(&controller->result->verdict, "worker %u %s (%s); what it measured until then is counted, the rest is lost", number,
                       how, text);
    if (controller->phase == RUN_CONNECTING && !controller->failure.text[0])
        error_set_code(&controller->failure, EXIT_CODE_INVALID, "worker %u %s before the start (%s)", number, how, text);
    /* The load is no longer the one that was asked for: the others need not go on. */
    tell(controller, "stop", "now", 0);
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
        uint64_t beat_ns = page_get(&worker->child.page->heartbeat_ns);
        if (!beat_ns)
            beat_ns = controller->began_ns + 5 * NS_PER_S; /* it is still loading */
        if (!worker->lost && !worker->last && now_ns > beat_ns && now_ns - beat_ns > controller->options->stall_limit_ns)
            lose_worker(controller, i, "fell silent");
    }
}

/* ---- progress ---- */

static void sum_pages(const struct controller *controller, struct ledger *ret_ledgers, struct progress *progress)
{
    memset(ret_ledgers, 0, BLOCK_COUNT * sizeof *ret_ledgers);
    for (uint32_t i = 0; i < controller->worker_count; i++) {
        const struct page *page = controller->workers[i].child.page;
        for (uint32_t block = 0; block < BLOCK_COUNT; block++) {
            uint64_t cells[LEDGER_CELLS];
            const uint64_t *from = (const uint64_t *)(const void *)&page->ledgers[block];
            for (size_t cell = 0; cell < LEDGER_CELLS; cell++)
                cells[cell] = page_get(&from[cell]);
            struct ledger ledger;
            memcpy(&ledger, cells, sizeof ledger);
            ledger_add(&ret_ledgers[block], &ledger);
        }
        if (progress) {
            progress->connections += page_get(&page->connections);
            progress->users_busy += page_get(&page->users_busy);
            progress->journeys_done += page_get(&page->journeys_done);
        }
    }
}

static void show_progress(struct controller *controller, uint64_t now_ns)
{
    const struct scenario *scenario = controller->scenario;
    struct progress progress = {.scenario = scenario, .workers = controller->worker_count};
    struct ledger ledgers[BLOCK_COUNT];
    if (!controller->options->progress)
        return;
    sum_pages(controller, ledgers, &progress);
    progress.ended = ledger_ended(&ledgers[0]) + ledger_ended(&ledgers[1]);
    progress.failed = ledger_failed(&ledgers[0]) + ledger_failed(&ledgers[1]);
    progress.in_flight = ledgers[0].begun + ledgers[1].begun - progress.ended;
    progress.connecting = !controller->start_ns;
    if (!progress.connecting) {
        progress.elapsed_ns = now_ns > controller->start_ns ? now_ns - controller->start_ns : 0;
        progress.draining = controller->phase == RUN_GOING && progress.elapsed_ns > scenario_length_ns(scenario);
        windows_show(&controller->windows, &progress);
        if (now_ns > controller->shown_ns)
            progress.rate_per_s = (double)(progress.ended - controller->ended_before) * 1e9 / (double)(now_ns - controller->shown_ns);
        controller->ended_before = progress.ended;
        controller->shown_ns = now_ns;
        progress.rate_asked_per_s = scenario_rate_at(scenario, progress.elapsed_ns);
        progress.late = verdict_late(&controller->result->verdict);
    } else {
        progress.elapsed_ns = now_ns - controller->began_ns;
    }
    for (uint32_t i = 0; i < controller->worker_count; i++)
        progress.workers_lost += controller->workers[i].lost;
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

static void start_if_all_ready(struct controller *controller)
{
    for (uint32_t i = 0; i < controller->worker_count; i++)
        if (!controller->workers[i].ready)
            return;
    controller->phase = RUN_GOING;
    controller->start_ns = controller->shown_ns = clock_now_ns() + START_AHEAD_NS;
    for (uint32_t i = 0; i < controller->worker_count; i++)
        controller->workers[i].cpu_at_ns = controller->start_ns;
    clock_date(controller->result->started_at, sizeof controller->result->started_at);
    tell(controller, "go", "start_ns", controller->start_ns);
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
        controller->workers[from].ready = !text;
    }
    msgpack_zone_destroy(&zone);
    arena_fini(&arena);
    if (controller->failure.text[0])
        finish(controller);
    else if (controller->phase == RUN_CONNECTING && !controller->interrupts)
        start_if_all_ready(controller);
}

static void take_facts(struct controller *controller, struct worker_state *worker, const struct generator_facts *facts)
{
    uint64_t now_ns = clock_now_ns();
    if (worker->cpu_at_ns && now_ns > worker->cpu_at_ns && facts->cpu_ns > worker->cpu_ns_before) {
        double share = (double)(facts->cpu_ns - worker->cpu_ns_before) / (double)(now_ns - worker->cpu_at_ns);
        if (share > controller->cpu_share && now_ns - worker->cpu_at_ns > NS_PER_S / 10)
            controller->cpu_share = share < 1 ? share : 1;
    }
    worker->cpu_ns_before = facts->cpu_ns;
    worker->cpu_at_ns = now_ns;
    worker->facts = *facts;
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
    take_facts(controller, worker, &snapshot->facts);
    store_merge(&controller->result->store, &snapshot->store);
    windows_add(&controller->windows, snapshot, waited, &controller->result->verdict);
    if (snapshot->last) {
        worker->last = true;
        finish_if_all_done(controller);
    }
}

/* ---- interrupts ---- */

static void on_hurry(struct timer *timer, uint64_t now_ns)
{
    struct controller *controller = (struct controller *)(void *)((char *)timer - offsetof(struct controller, hurry));
    (void)now_ns;
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
    } else {
        tell(controller, "stop", "now", 1);
        if (!controller->hurry.position)
            timer_set(&controller->timers, &controller->hurry, clock_now_ns() + STOP_NOW_WAIT_NS);
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
    else if (plan_is_local(options->plan))
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

static int start_workers(struct controller *controller, struct error *error)
{
    int sockets[WORKERS_MAX];
    controller->worker_count = workers_wanted(controller->options);
    controller->options->plan->workers = controller->worker_count;
    for (uint32_t i = 0; i < controller->worker_count; i++) {
        if (spawn_worker(i, &controller->workers[i].child, &sockets[i], error) < 0) {
            controller->worker_count = i;
            for (uint32_t j = 0; j < i; j++)
                close(sockets[j]);
            return -1;
        }
    }
    controller->bus = bus_connect_local(controller->loop, sockets, controller->worker_count, on_lost, controller);
    bus_subscribe(controller->bus, "ready", on_ready, controller);
    bus_subscribe(controller->bus, "snapshot", on_snapshot, controller);
    struct buffer plan = {0};
    plan_pack(controller->options->plan, &plan);
    bus_publish(controller->bus, "plan", plan.data, plan.len);
    buffer_fini(&plan);
    return 0;
}

static void sum_facts(struct controller *controller, struct generator_facts *ret_facts)
{
    memset(ret_facts, 0, sizeof *ret_facts);
    for (uint32_t i = 0; i < controller->worker_count; i++) {
        const struct generator_facts *facts = &controller->workers[i].facts;
        const uint64_t *from = (const uint64_t *)(const void *)facts;
        uint64_t *to = (uint64_t *)(void *)ret_facts;
        uint64_t stall_ns = ret_facts->longest_stall_ns > facts->longest_stall_ns ? ret_facts->longest_stall_ns : facts->longest_stall_ns;
        for (size_t cell = 0; cell < sizeof *facts / sizeof(uint64_t); cell++)
            to[cell] += from[cell];
        ret_facts->longest_stall_ns = stall_ns;
    }
}

/* What a lost worker had begun and not ended is unfinished: the identities hold for its ledgers too. */
static void close_ledger(struct ledger *ledger)
{
    ledger->outcomes[OUTCOME_UNFINISHED] += ledger->begun - ledger_ended(ledger);
    ledger->journeys_unfinished += ledger->due - ledger->completed - ledger->failed - ledger->dropped - ledger->journeys_unfinished;
}

/* The measured part of the load's time: its length less the warm-up; less than that when it ended early. */
static uint64_t measured_ns(const struct controller *controller, uint64_t duration_ns)
{
    uint64_t length_ns = scenario_length_ns(controller->scenario);
    uint64_t end_ns = duration_ns < length_ns || scenario_counts_journeys(controller->scenario) ? duration_ns : length_ns;
    return end_ns > controller->scenario->warmup_ns ? end_ns - controller->scenario->warmup_ns : 0;
}

static void judge(struct controller *controller)
{
    struct result *result = controller->result;
    const struct scenario *scenario = controller->scenario;
    const struct ledger *measured = &result->store.ledgers[BLOCK_MEASURED];
    double seconds = (double)result->measured_ns / 1e9;
    bool pool_set = false, open_load = !scenario_closed(scenario);
    for (uint32_t i = 0; i < scenario->load_count; i++)
        pool_set |= !scenario->loads[i].closed && scenario->loads[i].users_set;
    for (uint32_t i = 0; i < scenario->target_count; i++)
        pool_set |= scenario->targets[i].connections_set;
    struct verdict_end end = {.open_load = open_load,
                              .users_were_idle = !result->facts.waited_user,
                              .connections_were_idle = !result->facts.waited_connection,
                              .pool_set_by_operator = pool_set,
                              .facts = &result->facts,
                              .cpu_share = controller->cpu_share,
                              .total = &result->store};
    windows_finish(&controller->windows, &result->verdict);
    /* What fell due is what was asked: the schedule counts every arrival, however late the loop gets to it. */
    if (open_load && !result->interrupted && seconds > 0) {
        end.rate_asked = (double)measured->due / seconds;
        end.rate_reached = (double)(measured->completed + measured->failed) / seconds;
    }
    verdict_finish(&result->verdict, &end);
    for (uint32_t i = 0; i < scenario->threshold_count; i++)
        threshold_judge(&scenario->thresholds[i], &result->store, result->measured_ns, &result->thresholds[i]);
}

static void choose_exit_code(struct controller *controller)
{
    struct result *result = controller->result;
    enum exit_code code = EXIT_CODE_OK;
    for (uint32_t i = 0; i < controller->scenario->threshold_count; i++)
        if (!result->thresholds[i].pass)
            code = exit_code_worst(code, EXIT_CODE_THRESHOLD);
    if (!result->verdict.trusted && controller->options->trust == TRUST_STRICT)
        code = exit_code_worst(code, EXIT_CODE_UNTRUSTED);
    if (result->interrupted)
        code = exit_code_worst(code, EXIT_CODE_INTERRUPTED);
    if (!result->verdict.complete)
        code = exit_code_worst(code, EXIT_CODE_INVALID);
    result->exit_code = code;
}

static void fill_result(struct controller *controller)
{
    struct result *result = controller->result;
    result->workers = controller->worker_count;
    for (uint32_t i = 0; i < controller->worker_count; i++)
        result->workers_lost += controller->workers[i].lost;
    result->duration_ns = controller->start_ns && controller->ended_ns > controller->start_ns ? controller->ended_ns - controller->start_ns : 0;
    result->measured_ns = measured_ns(controller, result->duration_ns);
    sum_pages(controller, result->store.ledgers, NULL);
    for (uint32_t block = 0; block < BLOCK_COUNT && result->workers_lost; block++)
        close_ledger(&result->store.ledgers[block]);
    sum_facts(controller, &result->facts);
    result->cpu_ns = result->facts.cpu_ns;
    judge(controller);
    for (uint32_t block = 0; block < BLOCK_COUNT; block++) {
        char text[160];
        if (ledger_verify(&result->store.ledgers[block], text, sizeof text) < 0)
            verdict_incomplete(&result->verdict, "the counts do not add up: %s", text);
    }
    choose_exit_code(controller);
}

static int run_loop(struct controller *controller, struct error *error)
{
    if (start_workers(controller, error) < 0)
        return -1;
    controller->tick.fn = on_tick;
    controller->hurry.fn = on_hurry;
    controller->began_ns = controller->ticked_ns = clock_now_ns();
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

/* Nothing was measured, and that is a result too: reports say why. */
static void fill_unreachable(struct controller *controller, const struct error *error)
{
    struct result *result = controller->result;
    result->unreachable = true;
    result->exit_code = EXIT_CODE_UNREACHABLE;
    result->workers = controller->worker_count;
    snprintf(result->unreachable_text, sizeof result->unreachable_text, "%s", error->text);
    for (uint32_t i = 0; i < controller->scenario->threshold_count; i++)
        threshold_judge(&controller->scenario->thresholds[i], &result->store, 0, &result->thresholds[i]);
}

int controller_run(const struct controller_options *options, struct result *ret_result, struct error *error)
{
    struct controller *controller = xcalloc(1, sizeof *controller);
    struct result result = {.scenario = options->scenario};
    struct loop_hooks hooks = {.idle = on_idle, .arg = controller};
    controller->options = options;
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
        fill_result(controller);
    else if (error->exit_code == EXIT_CODE_UNREACHABLE)
        fill_unreachable(controller, error);
    bool measured = status == 0 || result.unreachable;
    bus_close(controller->bus, 0);
    for (uint32_t i = 0; i < controller->worker_count; i++)
        spawn_reap(&controller->workers[i].child, status == 0);
    windows_fini(&controller->windows);
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

void result_fini(struct result *result)
{
    store_fini(&result->store);
    free(result->thresholds);
    result->thresholds = NULL;
}
