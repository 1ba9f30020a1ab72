/* See worker.h. Everything that goes wrong is told to the controller, which is the one that speaks to the user. */
#include "cluster/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "cluster/bus.h"
#include "cluster/message.h"
#include "cluster/plan.h"
#include "cluster/values.h"
#include "engine/tls_memory.h"
#include "metrics/crossings.h"
#include "metrics/tracks.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define CLOSE_WAIT_MS 5000

struct worker {
    struct bus *bus;
    struct engine *engine;
    const struct scenario *scenario;
    uint32_t number, workers;
    bool values_told;
    struct buffer out;
    uint64_t sequence, window;
    bool orphaned;
};

static void publish(struct worker *worker, const char *topic)
{
    bus_publish(worker->bus, topic, worker->out.data, worker->out.len);
    worker->out.len = 0;
}

static void tell_ready(struct worker *worker, const char *error, int exit_code)
{
    msgpack_packer packer;
    struct error shown = {.text = ""};
    if (error)
        error_set(&shown, "%s", error);
    message_packer(&packer, &worker->out);
    msgpack_pack_map(&packer, 3);
    message_pack_number(&packer, "v", MESSAGE_VERSION);
    message_pack_number(&packer, "exit_code", (uint64_t)exit_code);
    message_pack_key(&packer, "error");
    message_pack_text(&packer, error ? secret_hide_text(shown.text) : NULL);
    publish(worker, "ready");
}

/* The first worker has walked the run's setup: what it has set goes out once, before the word that it is ready. */
static void on_ready(void *arg, const char *error)
{
    struct worker *worker = arg;
    if (!error && worker->number == 0 && !worker->values_told && values_pack(worker->engine, &worker->out))
        publish(worker, "values");
    worker->values_told = true;
    tell_ready(arg, error, error ? (int)engine_ready_code(worker->engine) : EXIT_CODE_OK);
}

static void send_snapshot(struct worker *worker, uint64_t window, bool last)
{
    struct snapshot snapshot = {.sequence = worker->sequence++, .window = window, .last = last};
    engine_snapshot(worker->engine, &snapshot);
    snapshot_pack(&snapshot, &worker->out);
    publish(worker, "snapshot");
    engine_snapshot_taken(worker->engine);
    worker->window = window + 1;
}

static void on_second(void *arg, uint64_t window)
{
    send_snapshot(arg, window, false);
}

static void on_finished(void *arg)
{
    struct worker *worker = arg;
    const struct tracks *tracks = engine_tracks(worker->engine);
    if (tracks->count && tracks_pack(tracks, &worker->out) == 0)
        publish(worker, "tracks");
    const struct crossings *crossings = engine_crossings(worker->engine);
    if (worker->workers > 1 && crossings->start_count + crossings->end_count > 0 && crossings_pack(crossings, &worker->out) == 0)
        publish(worker, "crossings");
    send_snapshot(worker, worker->window, true);
    loop_stop(engine_loop(worker->engine));
}

static void take_value(void *arg, uint32_t variable, const struct value *value)
{
    const struct worker *worker = arg;
    engine_take_value(worker->engine, variable, value);
}

static void on_values(void *arg, uint32_t from, const uint8_t *data, size_t len)
{
    struct worker *worker = arg;
    (void)from;
    if (values_unpack(data, len, worker->scenario->variable_count, take_value, worker) < 0)
        tell_ready(worker, "what the run's setup has set cannot be read: controller and worker are of different versions", EXIT_CODE_INTERNAL);
}

static void on_set_up(void *arg, uint32_t from, const uint8_t *data, size_t len)
{
    struct worker *worker = arg;
    (void)from;
    msgpack_zone zone;
    msgpack_object map;
    if (message_read(data, len, &zone, &map))
        engine_set_up_users(worker->engine, message_number(&map, "within_ns", worker->scenario->ready_within_ns));
    msgpack_zone_destroy(&zone);
}

static void on_go(void *arg, uint32_t from, const uint8_t *data, size_t len)
{
    struct worker *worker = arg;
    (void)from;
    msgpack_zone zone;
    msgpack_object map;
    if (message_read(data, len, &zone, &map))
        engine_start(worker->engine, message_number(&map, "start_ns", clock_now_ns()));
    msgpack_zone_destroy(&zone);
}

static void on_stop(void *arg, uint32_t from, const uint8_t *data, size_t len)
{
    struct worker *worker = arg;
    (void)from;
    msgpack_zone zone;
    msgpack_object map;
    if (message_read(data, len, &zone, &map))
        engine_stop(worker->engine, message_number(&map, "now", 0) != 0);
    msgpack_zone_destroy(&zone);
}

/* Without a controller nobody would take the numbers. */
static void on_lost(void *arg, uint32_t peer)
{
    struct worker *worker = arg;
    (void)peer;
    worker->orphaned = true;
    loop_stop(engine_loop(worker->engine));
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int read_plan(struct arena *arena, struct plan *ret_plan, struct error *error)
{
    uint8_t *data = NULL;
    size_t len = 0;
    if (bus_receive_first(WORKER_BUS_FD, "plan", &data, &len) < 0)
        return error_set_code(error, EXIT_CODE_INTERNAL, "no plan came: `squall worker` is started by `squall run`, not by hand");
    int status = plan_unpack(data, len, arena, ret_plan, error);
    free(data);
    return status;
}

static int run(struct worker *worker, const struct plan *plan, const struct scenario *scenario, struct page *page, uint32_t number,
               struct error *error)
{
    struct engine_config config = {.scenario = scenario,
                                   .worker = number,
                                   .workers = plan->workers,
                                   .run = plan->run,
                                   .page = page,
                                   .raw_path = plan->raw_path,
                                   .arg = worker,
                                   .ready = on_ready,
                                   .finished = on_finished,
                                   .second = on_second};
    worker->engine = engine_new(&config, error);
    if (!worker->engine)
        return -1;
    int socket = WORKER_BUS_FD;
    worker->scenario = scenario;
    worker->number = number;
    worker->workers = plan->workers;
    worker->bus = bus_connect_local(engine_loop(worker->engine), &socket, 1, on_lost, worker);
    if (number > 0)
        bus_subscribe(worker->bus, "values", on_values, worker);
    bus_subscribe(worker->bus, "set_up", on_set_up, worker);
    bus_subscribe(worker->bus, "go", on_go, worker);
    bus_subscribe(worker->bus, "stop", on_stop, worker);
    engine_connect(worker->engine);
    loop_run(engine_loop(worker->engine));
    bus_close(worker->bus, CLOSE_WAIT_MS);
    engine_free(worker->engine);
    return 0;
}

/* The engine was never made, so neither was its loop: a loop of its own carries the bad news. */
static void tell_failure(struct worker *worker, const struct error *error)
{
    struct loop *loop = loop_new(NULL);
    int socket = WORKER_BUS_FD;
    if (!loop)
        return;
    worker->bus = bus_connect_local(loop, &socket, 1, on_lost, worker);
    tell_ready(worker, error->text, error->exit_code);
    bus_close(worker->bus, CLOSE_WAIT_MS);
    loop_free(loop);
}

int worker_main(int argc, char **argv)
{
    struct worker worker = {0};
    struct plan plan;
    struct error error = {0};
    struct arena arena;
    struct protocol_registry registry;
    struct scenario *scenario = NULL;
    uint32_t number = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
    char role[32];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* the controller says when to stop */
    signal(SIGTERM, SIG_IGN);
    snprintf(role, sizeof role, "worker %u", number);
    log_set_role(role);
    raise_descriptor_limit();
    tls_memory_init();
    arena_init(&arena);
    protocol_registry_init(&registry);
    void *page = mmap(NULL, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, WORKER_PAGE_FD, 0);
    int status = -1;
    if (page == MAP_FAILED)
        error_set_code(&error, EXIT_CODE_INTERNAL, "no counter page: `squall worker` is started by `squall run`, not by hand");
    else if (read_plan(&arena, &plan, &error) == 0 && plan_load(&plan, &registry, &scenario, &error) == 0) {
        log_set_level(plan.log_level);
        status = run(&worker, &plan, scenario, page, number, &error);
    }
    if (status < 0 && page == MAP_FAILED)
        fprintf(stderr, "squall: %s\n", error.text);
    else if (status < 0)
        tell_failure(&worker, &error);
    scenario_free(scenario);
    protocol_registry_fini(&registry);
    buffer_fini(&worker.out);
    arena_fini(&arena);
    return status < 0 || worker.orphaned ? EXIT_CODE_INTERNAL : EXIT_CODE_OK;
}
