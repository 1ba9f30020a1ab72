/*
 * From what the workers left to the result: their pages give the counts, which outlive a killed worker, their snapshots
 * gave the histograms; then the verdict, the thresholds and the exit code.
 */
#include "base/clock.h"
#include "base/units.h"
#include "cluster/controller_state.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void controller_sum_pages(const struct controller *controller, struct ledger *ret_ledgers, struct progress *progress)
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

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Counts add up over workers; times are the latest worker's. */
static void sum_facts(struct controller *controller, struct generator_facts *ret_facts)
{
    memset(ret_facts, 0, sizeof *ret_facts);
    for (uint32_t i = 0; i < controller->worker_count; i++) {
        const struct generator_facts *facts = &controller->workers[i].facts;
        const uint64_t *from = (const uint64_t *)(const void *)facts;
        uint64_t *to = (uint64_t *)(void *)ret_facts;
        struct generator_facts before = *ret_facts;
        for (size_t cell = 0; cell < sizeof *facts / sizeof(uint64_t); cell++)
            to[cell] += from[cell];
        ret_facts->longest_stall_ns = larger(before.longest_stall_ns, facts->longest_stall_ns);
        ret_facts->ended_at_ns = larger(before.ended_at_ns, facts->ended_at_ns);
        ret_facts->started_until_ns = larger(before.started_until_ns, facts->started_until_ns);
    }
}

/* What a lost worker had begun and not ended is unfinished: the identities hold for its ledgers too. */
static void close_ledger(struct ledger *ledger)
{
    ledger->outcomes[OUTCOME_UNFINISHED] += ledger->begun - ledger_ended(ledger);
    ledger->journeys_unfinished +=
        ledger->due - ledger->completed - ledger->failed - ledger->dropped - ledger->journeys_unfinished;
}

/* What rates divide by: from the end of the warm-up to the end of the load, or to the end of its last exchange where
 * that is later. A service that needs the drain to keep up has not kept up. */
static uint64_t measured_ns(const struct controller *controller)
{
    uint64_t end_ns = controller->result->facts.ended_at_ns;
    return end_ns > controller->scenario->warmup_ns ? end_ns - controller->scenario->warmup_ns : 0;
}

/* What a metric with the role NOTED has counted at a target's steps. */
static void note_metric(struct result *result, const struct target *target, uint32_t metric)
{
    const struct scenario *scenario = result->scenario;
    char counted[32], of[32];
    uint64_t noted = 0, all = 0;
    for (uint32_t i = 0; i < scenario->series_count; i++) {
        const struct series *series = &result->store.series[i];
        if (scenario->series[i].target != target)
            continue;
        all += series->count;
        noted += series->metrics[metric].counter;
    }
    if (noted)
        verdict_note(&result->verdict, "target %.40s: %s of %s %s", target->name,
                     units_print_grouped(counted, sizeof counted, noted), units_print_grouped(of, sizeof of, all),
                     protocol_metric(&target->protocol->abi.metrics, metric)->help);
}

static void note_metrics(struct result *result)
{
    for (uint32_t i = 0; i < result->scenario->target_count; i++) {
        const struct target *target = &result->scenario->targets[i];
        const struct squall_table *rows = &target->protocol->abi.metrics;
        for (uint32_t k = 0; k < rows->count; k++)
            if (protocol_metric(rows, k)->role == SQUALL_METRIC_NOTED)
                note_metric(result, target, k);
    }
}

#define FAILED_NOTED 10 /* of how many exchanges one that failed is worth a word */

/* Said where nothing else would: with a threshold the exit code tells. */
static void note_failed(struct result *result)
{
    char number[32], part[32];
    uint64_t ended = 0, ok = 0;
    const struct ledger *measured = &result->store.ledgers[BLOCK_MEASURED];
    for (int i = 0; i < OUTCOME_COUNT; i++)
        ended += measured->outcomes[i];
    ok = measured->outcomes[OUTCOME_OK];
    if (ended == 0 || (ended - ok) * FAILED_NOTED < ended || result->scenario->threshold_count > 0)
        return;
    if (ok > 0) {
        verdict_note(&result->verdict, "%s of %s exchanges failed, and no threshold judges this run: --threshold 'rate(failed) < 1%%' makes that a failure",
                     units_print_grouped(part, sizeof part, ended - ok), units_print_grouped(number, sizeof number, ended));
        return;
    }
    snprintf(result->all_failed_text, sizeof result->all_failed_text,
             "none of %s exchanges was ok, and no threshold judges this run: --threshold 'rate(failed) < 1%%' makes "
             "that a failure",
             units_print_grouped(number, sizeof number, ended));
    verdict_note(&result->verdict, "%s", result->all_failed_text);
}

static void judge(struct controller *controller)
{
    struct result *result = controller->result;
    const struct scenario *scenario = controller->scenario;
    const struct ledger *measured = &result->store.ledgers[BLOCK_MEASURED];
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
    for (uint32_t i = 0; i < controller->worker_count; i++)
        end.cpu_full_seconds = larger(end.cpu_full_seconds, controller->workers[i].cpu_full_seconds);
    windows_finish(&controller->windows, &result->verdict);
    /* What fell due is what was asked; how long the workers took to start it is the rate that they reached. */
    uint64_t length_ns = scenario_length_ns(scenario);
    if (open_load && length_ns != UINT64_MAX && !result->interrupted && !result->aborted_text[0] &&
        result->verdict.complete) {
        uint64_t due = measured->due + result->store.ledgers[BLOCK_WARMUP].due;
        end.rate_asked = (double)due * 1e9 / (double)length_ns;
        end.rate_reached = (double)due * 1e9 / (double)larger(length_ns, result->facts.started_until_ns);
    }
    verdict_finish(&result->verdict, &end);
    note_metrics(result);
    note_failed(result);
    threshold_watch_finish(controller->watch, &result->store, result->measured_ns, result->thresholds);
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

/* A killed worker's counts stand in its page; what it had not reported yet is in no histogram. */
static void tell_what_tables_lack(struct controller *controller)
{
    struct result *result = controller->result;
    uint64_t counted = ledger_ended(&result->store.ledgers[BLOCK_MEASURED]);
    uint64_t in_tables = 0;
    for (uint32_t i = 0; i < result->store.series_count; i++)
        in_tables += result->store.series[i].count;
    counted -= result->store.ledgers[BLOCK_MEASURED].outcomes[OUTCOME_UNFINISHED];
    for (uint32_t i = 0; i < result->store.series_count; i++)
        in_tables -= result->store.series[i].outcomes[OUTCOME_UNFINISHED];
    if (result->workers_lost && counted > in_tables)
        verdict_incomplete(&result->verdict,
                           "%llu exchanges are in the totals and not in the tables: a lost worker had counted them "
                           "since its last report",
                           (unsigned long long)(counted - in_tables));
}

/* Over all loads; UINT64_MAX: some load has no number of them. */
static uint64_t journeys_wanted(const struct scenario *scenario)
{
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < scenario->load_count; i++) {
        struct schedule schedule = load_schedule(scenario, &scenario->loads[i], 0, 1);
        uint64_t expected = schedule_expected(&schedule);
        if (expected == UINT64_MAX)
            return UINT64_MAX;
        wanted += expected;
    }
    return wanted;
}

/* With a worker its part of the load was gone, and the others were stopped: what was asked for and did not come to be.
 */
static void tell_what_was_cut_off(struct controller *controller)
{
    struct result *result = controller->result;
    uint64_t length_ns = scenario_length_ns(controller->scenario), wanted = journeys_wanted(controller->scenario);
    uint64_t at_ns = controller->lost_ns > controller->start_ns ? controller->lost_ns - controller->start_ns : 0;
    uint64_t due = result->store.ledgers[BLOCK_MEASURED].due + result->store.ledgers[BLOCK_WARMUP].due;
    char at[32], length[32], begun[32], all[32], times[96] = "", counts[96] = "";
    bool all_due = wanted != UINT64_MAX && due >= wanted;
    if (!controller->lost_ns || at_ns >= length_ns || (length_ns == UINT64_MAX && all_due))
        return; /* the load was over by then */
    if (result->interrupted || result->aborted_text[0])
        return; /* it was being ended for another reason */
    units_print_duration(at, sizeof at, at_ns / NS_PER_MS * NS_PER_MS);
    if (length_ns != UINT64_MAX)
        snprintf(times, sizeof times, " of a load of %s", units_print_duration(length, sizeof length, length_ns));
    if (wanted != UINT64_MAX && !all_due)
        snprintf(counts, sizeof counts, ", and %s of its %s journeys", units_print_grouped(begun, sizeof begun, due),
                 units_print_grouped(all, sizeof all, wanted));
    verdict_incomplete(&result->verdict,
                       "the load ended early, since worker %u (of %u) was gone%s: what was measured covers %s%s%s",
                       controller->lost_number, controller->worker_count,
                       controller->worker_count > 1 ? " and the others were told to stop" : "", at, times, counts);
}

/* What went to one endpoint concerns those who listen there. */
static bool same_endpoint(const struct series_info *one, const struct series_info *other)
{
    return one->protocol == other->protocol && strcmp(one->target->url, other->target->url) == 0;
}

static bool matches(const void *arg, const struct track *address, const struct track *pattern, bool *ret_shared)
{
    const struct scenario *scenario = arg;
    const struct series_info *sender = &scenario->series[address->series],
                             *receiver = &scenario->series[pattern->series];
    const struct squall_protocol *abi = &receiver->protocol->abi;
    if (!abi->matches || !same_endpoint(sender, receiver))
        return false;
    int32_t matched = abi->matches((struct squall_bytes){(const uint8_t *)pattern->text, pattern->len},
                                   (struct squall_bytes){(const uint8_t *)address->text, address->len});
    *ret_shared = matched == 2;
    return matched != 0;
}


static void take_crossing(void *arg, uint32_t series, uint32_t metric, uint64_t ns)
{
    struct controller *controller = arg;
    struct series *into = &controller->result->store.series[series];
    const struct squall_table *rows = &controller->scenario->series[series].protocol->abi.metrics;
    if (metric < into->metric_count && protocol_metric(rows, metric)->kind == SQUALL_HISTOGRAM)
        histogram_record(&into->metrics[metric].histogram, ns);
}

/* Times whose beginning one worker saw and whose end another did. */
static void join_crossings(struct controller *controller)
{
    crossings_join(&controller->crossings, take_crossing, controller);
    if (controller->crossings.refused)
        store_error(&controller->result->store,
                    "times from one worker to another: more than the controller keeps, and these are missing",
                    controller->crossings.refused, controller->result->duration_ns, controller->result->duration_ns);
}

static uint64_t delivered(const struct series *series, const struct squall_table *rows)
{
    for (uint32_t i = 0; i < series->metric_count && i < rows->count; i++)
        if (protocol_metric(rows, i)->role == SQUALL_METRIC_DELIVERED)
            return series->metrics[i].histogram.count;
    return 0;
}

/* A worker that was lost has not said what it had sent. */
static void join_deliveries(struct controller *controller)
{
    struct store *store = &controller->result->store;
    store->deliveries = xcalloc(store->series_count + 1, sizeof *store->deliveries);
    tracks_join(&controller->tracks, matches, controller->scenario, store->deliveries);
    for (uint32_t i = 0; i < store->series_count; i++) {
        store->deliveries[i].delivered = delivered(&store->series[i], &controller->scenario->series[i].protocol->abi.metrics);
        store->deliveries[i].unknown |= controller->result->workers_lost > 0;
    }
}

void controller_fill_result(struct controller *controller)
{
    struct result *result = controller->result;
    result->workers = controller->worker_count;
    for (uint32_t i = 0; i < controller->worker_count; i++)
        result->workers_lost += controller->workers[i].lost;
    result->duration_ns = controller->start_ns && controller->ended_ns > controller->start_ns
                              ? controller->ended_ns - controller->start_ns
                              : 0;
    controller_sum_pages(controller, result->store.ledgers, NULL);
    for (uint32_t block = 0; block < BLOCK_COUNT && result->workers_lost; block++)
        close_ledger(&result->store.ledgers[block]);
    sum_facts(controller, &result->facts);
    result->cpu_ns = result->facts.cpu_ns;
    result->measured_ns = measured_ns(controller);
    join_crossings(controller);
    join_deliveries(controller);
    tell_what_was_cut_off(controller);
    tell_what_tables_lack(controller);
    judge(controller);
    for (uint32_t block = 0; block < BLOCK_COUNT; block++) {
        char text[160];
        if (ledger_verify(&result->store.ledgers[block], text, sizeof text) < 0)
            verdict_incomplete(&result->verdict, "the counts do not add up: %s", text);
    }
    choose_exit_code(controller);
}

void controller_fill_not_started(struct controller *controller, const struct error *error)
{
    struct result *result = controller->result;
    result->unreachable = error->exit_code == EXIT_CODE_UNREACHABLE;
    result->exit_code = (enum exit_code)error->exit_code;
    for (uint32_t i = 0; i < controller->worker_count; i++)
        result->workers_lost += controller->workers[i].lost;
    result->workers = controller->worker_count;
    snprintf(result->unreachable_text, sizeof result->unreachable_text, "%s", error->text);
    for (uint32_t i = 0; i < controller->scenario->threshold_count; i++)
        threshold_judge(&controller->scenario->thresholds[i], &result->store, 0, &result->thresholds[i]);
}

void result_fini(struct result *result)
{
    store_fini(&result->store);
    free(result->thresholds);
    result->thresholds = NULL;
}
