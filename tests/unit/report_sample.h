/* A result to report on, for the tests of core/report: small, with every kind of entry, and changed by each test. */
#ifndef SQUALL_TESTS_REPORT_SAMPLE_H
#define SQUALL_TESTS_REPORT_SAMPLE_H
#include "base/clock.h"
#include "metrics/result.h"
#include <stdio.h>
#include <string.h>

#define SAMPLE_STEPS_MAX 64

struct sample {
    struct result result;
    struct scenario scenario;
    struct protocol protocols[2]; /* "plain", and "own" with its own transport */
    struct target target;
    struct squall_metric metrics[2];
    struct series_info series[SAMPLE_STEPS_MAX];
    char names[SAMPLE_STEPS_MAX][80];
    struct stage stages[16];
    struct load loads[4];
    struct threshold thresholds[4];
    struct threshold_result judged[4];
    const char *check_names[4];
};

static inline const char *sample_code_name(uint32_t code)
{
    return code == 200 ? "Fine" : code == 503 ? "Too Busy" : NULL;
}

static inline void sample_protocols(struct sample *sample)
{
    sample->metrics[0] = (struct squall_metric){.name = "gap_ns", .help = "", .kind = SQUALL_HISTOGRAM};
    sample->metrics[1] = (struct squall_metric){.name = "hops", .help = "", .kind = SQUALL_COUNTER};
    struct squall_table metrics = {.rows = sample->metrics, .count = 2, .stride = sizeof sample->metrics[0]};
    sample->protocols[0] =
        (struct protocol){.name = "plain", .abi = {.code_name = sample_code_name, .metrics = metrics}};
    sample->protocols[1] = (struct protocol){.name = "own", .abi = {.flags = SQUALL_OWN_TRANSPORT}};
}

/* One ended exchange of a step, measured. */
static inline void sample_exchange(struct sample *sample, uint32_t step, enum outcome outcome, uint32_t code,
                                   uint64_t latency_ns, uint64_t service_ns)
{
    struct store *store = &sample->result.store;
    struct series *series = &store->series[step];
    struct ledger *ledger = &store->ledgers[BLOCK_MEASURED];
    series->count++;
    series->outcomes[outcome]++;
    series->bytes_in += 100;
    ledger->begun++;
    ledger->outcomes[outcome]++;
    ledger->due++;
    ledger->bytes_in += 100;
    ledger->bytes_out += 50;
    *(outcome == OUTCOME_OK ? &ledger->completed : &ledger->failed) += 1;
    histogram_record(outcome == OUTCOME_OK ? &series->latency_ok : &series->latency_failed, latency_ns);
    if (outcome == OUTCOME_TIMED_OUT || outcome == OUTCOME_UNFINISHED) {
        if (series->lower_bounds++ == 0 || latency_ns < series->lower_bound_min_ns)
            series->lower_bound_min_ns = latency_ns;
    } else {
        series_code(series, code, 1);
        if (!(sample->series[step].protocol->abi.flags & SQUALL_OWN_TRANSPORT)) {
            histogram_record(&series->service, service_ns);
            histogram_record(&series->phases[PHASE_WAIT], latency_ns - service_ns);
        }
    }
    histogram_record(&store->journey_ns, latency_ns);
    histogram_record(&store->self_delay, 20 * NS_PER_US);
}

static inline void sample_shape(struct sample *sample, uint32_t steps, uint32_t checks)
{
    uint32_t metric_counts[SAMPLE_STEPS_MAX];
    for (uint32_t i = 0; i < steps; i++) {
        snprintf(sample->names[i], sizeof sample->names[i], "step %u", i + 1);
        const struct protocol *protocol = &sample->protocols[steps > 1 && i == steps - 1];
        sample->series[i] =
            (struct series_info){.name = sample->names[i], .protocol = protocol, .target = &sample->target, .measured = true};
        metric_counts[i] = protocol->abi.metrics.count;
    }
    store_init(&sample->result.store, steps, metric_counts, checks);
    sample->scenario.series_count = steps;
    sample->scenario.check_count = checks;
}

/* A healthy run of 30 s at 200/s: `steps` steps of 100 exchanges each, the last step's protocol with its own transport
 * when there is more than one. No thresholds, checks or errors yet. */
static inline void sample_init(struct sample *sample, uint32_t steps, uint32_t checks)
{
    memset(sample, 0, sizeof *sample);
    sample_protocols(sample);
    sample->target.name = "shop";
    sample_shape(sample, steps, checks);
    sample->stages[0] = (struct stage){.kind = STAGE_RATE, .from = 0, .to = 200, .duration_ns = 10 * NS_PER_S};
    sample->stages[1] = (struct stage){.kind = STAGE_RATE, .from = 200, .to = 200, .duration_ns = 20 * NS_PER_S};
    struct scenario *scenario = &sample->scenario;
    scenario->name = "checkout";
    scenario->seed = 7;
    scenario->series = sample->series;
    scenario->thresholds = sample->thresholds;
    scenario->check_names = sample->check_names;
    sample->loads[0] = (struct load){
        .stages = sample->stages, .stage_count = 2, .iterations = UINT64_MAX, .user_iterations = UINT64_MAX, .users = 20};
    scenario->loads = sample->loads;
    scenario->load_count = 1;
    scenario->warmup_ns = 5 * NS_PER_S;
    scenario->drain_ns = 30 * NS_PER_S;
    struct result *result = &sample->result;
    result->scenario = scenario;
    strcpy(result->started_at, "2026-01-02T03:04:05Z");
    result->duration_ns = 31 * NS_PER_S;
    result->measured_ns = 25 * NS_PER_S;
    result->thresholds = sample->judged;
    result->workers = 1;
    result->cpu_ns = 3 * NS_PER_S;
    result->facts = (struct generator_facts){.rss_bytes = 9 << 20, .users_max = 20, .connections_max = 64};
    result->verdict.trusted = result->verdict.complete = true;
    result->store.ledgers[BLOCK_WARMUP] =
        (struct ledger){.due = 10, .completed = 10, .begun = 10, .outcomes = {[OUTCOME_OK] = 10}};
    for (uint32_t step = 0; step < steps; step++)
        for (uint64_t i = 1; i <= 100; i++)
            sample_exchange(sample, step, OUTCOME_OK, 200, i * NS_PER_MS, i * NS_PER_MS - 100 * NS_PER_US);
}

static inline void sample_threshold(struct sample *sample, const char *text, enum threshold_unit unit,
                                    struct threshold_result judged)
{
    uint32_t at = sample->scenario.threshold_count++;
    sample->thresholds[at] = (struct threshold){.text = text, .unit = unit};
    sample->judged[at] = judged;
}

static inline void sample_fini(struct sample *sample)
{
    store_fini(&sample->result.store);
}

#endif
