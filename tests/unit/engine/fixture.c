/* See fixture.h. */
#include "fixture.h"
#include <unistd.h>

#define HANGS_AFTER_S 60

static void on_ready(void *arg, const char *error)
{
    struct run *run = arg;
    assert_false(run->is_ready || run->finished);
    run->is_ready = true;
    snprintf(run->error, sizeof run->error, "%s", error ? error : "");
    loop_stop(engine_loop(run->engine));
}

static void on_finished(void *arg)
{
    struct run *run = arg;
    assert_false(run->finished); /* said once */
    run->finished = true;
    loop_stop(engine_loop(run->engine));
}

static void on_second(void *arg, uint64_t window)
{
    struct run *run = arg;
    run->last_window = window;
    run_snapshot(run);
}

static void on_ended(void *arg, const struct step *step, const struct answer *answer, const char *reason, const bool *passed,
                     const struct value *variables)
{
    struct run *run = arg;
    (void)reason;
    (void)passed;
    (void)variables;
    if (run->ended)
        run->ended(run, step, answer);
}

void run_begin(struct run *run, const struct settings *settings)
{
    struct error error = {0};
    struct protocol_registry registry = {.count = settings->protocols[1] ? 2 : 1};
    memset(run, 0, sizeof *run);
    alarm(HANGS_AFTER_S);
    for (uint32_t i = 0; i < registry.count; i++) {
        registry.protocols[i] = settings->protocols[i];
        settings->protocols[i]->index = i;
    }
    int status = settings->yaml ? scenario_load(settings->yaml, strlen(settings->yaml), "s.yaml", &settings->overrides, &registry,
                                                &run->scenario, &error)
                                : scenario_from_url(&settings->overrides, &registry, &run->scenario, &error);
    if (status < 0)
        fail_msg("%s", error.text);
    run->worker = settings->worker;
    run->workers = settings->workers ? settings->workers : 1;
    struct engine_config config = {.scenario = run->scenario,
                                   .worker = run->worker,
                                   .workers = run->workers,
                                   .page = &run->page,
                                   .arg = run,
                                   .ready = on_ready,
                                   .finished = on_finished,
                                   .second = on_second,
                                   .ended = on_ended};
    uint32_t metrics[64] = {0};
    for (uint32_t i = 0; i < run->scenario->series_count; i++)
        metrics[i] = run->scenario->series[i].protocol->abi.metrics.count;
    store_init(&run->total, run->scenario->series_count, metrics, run->scenario->check_count);
    run->engine = engine_new(&config, &error);
    if (!run->engine)
        fail_msg("%s", error.text);
}

void run_connect(struct run *run)
{
    engine_connect(run->engine);
    if (!run->is_ready)
        loop_run(engine_loop(run->engine));
    assert_true(run->is_ready || run->finished); /* finished: stopped meanwhile */
}

void run_snapshot(struct run *run)
{
    struct snapshot snapshot = {.sequence = run->snapshots};
    engine_snapshot(run->engine, &snapshot);
    assert_int_equal(snapshot.worker, run->worker);
    store_merge(&run->total, &snapshot.store);
    memcpy(run->total.ledgers, snapshot.store.ledgers, sizeof run->total.ledgers);
    run->facts = snapshot.facts;
    run->snapshots++;
    engine_snapshot_taken(run->engine);
}

void run_load(struct run *run, uint64_t ago_ns)
{
    engine_start(run->engine, clock_now_ns() - ago_ns);
    if (!run->finished)
        loop_run(engine_loop(run->engine));
    assert_true(run->finished);
    run_snapshot(run);
}

void run_whole(struct run *run)
{
    run_connect(run);
    assert_string_equal(run->error, "");
    run_load(run, 0);
    run_verify(run);
}

void run_verify(const struct run *run)
{
    char text[200] = "";
    for (int block = 0; block < BLOCK_COUNT; block++)
        if (ledger_verify(&run->page.ledgers[block], text, sizeof text) < 0)
            fail_msg("%s", text);
    const struct ledger *measured = &run->page.ledgers[BLOCK_MEASURED];
    uint64_t count = 0, outcomes[OUTCOME_COUNT] = {0}, bytes_in = 0, bytes_out = 0;
    for (uint32_t i = 0; i < run->total.series_count; i++) {
        const struct series *series = &run->total.series[i];
        count += series->count;
        bytes_in += series->bytes_in;
        bytes_out += series->bytes_out;
        for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++)
            outcomes[outcome] += series->outcomes[outcome];
        assert_int_equal(series->latency_ok.count, series->outcomes[OUTCOME_OK]);
        assert_int_equal(series->latency_ok.count + series->latency_failed.count, series->count);
        assert_int_equal(series->lower_bounds, series->outcomes[OUTCOME_TIMED_OUT] + series->outcomes[OUTCOME_UNFINISHED]);
    }
    assert_int_equal(count, measured->begun);
    assert_memory_equal(outcomes, measured->outcomes, sizeof outcomes);
    assert_int_equal(bytes_in, measured->bytes_in);
    assert_int_equal(bytes_out, measured->bytes_out);
    assert_int_equal(run->total.journey_ns.count, measured->completed + measured->failed);
}

void run_end(struct run *run)
{
    engine_free(run->engine);
    store_fini(&run->total);
    scenario_free(run->scenario);
    alarm(0);
}

uint64_t run_outcomes(const struct run *run, enum outcome outcome)
{
    return run->page.ledgers[0].outcomes[outcome] + run->page.ledgers[1].outcomes[outcome];
}

uint64_t run_begun(const struct run *run)
{
    return run->page.ledgers[0].begun + run->page.ledgers[1].begun;
}

bool run_has_error(const struct run *run, const char *text)
{
    for (uint32_t i = 0; i < run->total.error_count; i++)
        if (strstr(run->total.errors[i].text, text))
            return true;
    return false;
}
