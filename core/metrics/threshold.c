/* What thresholds look at, and whether they hold. See threshold.h; the grammar is threshold_parse.c's. */
#include "base/units.h"
#include "metrics/threshold_rows.h"
#include <stdio.h>
#include <string.h>

void threshold_negate(struct threshold *threshold)
{
    static const enum threshold_op opposites[] = {
        [OP_LESS] = OP_GREATER_EQUAL, [OP_LESS_EQUAL] = OP_GREATER, [OP_GREATER] = OP_LESS_EQUAL,
        [OP_GREATER_EQUAL] = OP_LESS, [OP_EQUAL] = OP_NOT_EQUAL,    [OP_NOT_EQUAL] = OP_EQUAL};
    threshold->op = opposites[threshold->op];
    threshold->when = !threshold->when;
}

static void gather_plugin(const struct threshold *threshold, const struct series *series, uint32_t index,
                          struct threshold_part *part)
{
    int32_t row = threshold->plugin_rows[index];
    if (row < 0 || (uint32_t)row >= series->metric_count)
        return;
    part->total += series->count;
    part->events += series->metrics[row].counter;
    histogram_merge(&part->times, &series->metrics[row].histogram);
}

static void gather_series(const struct metric_row *row, const struct series *series, struct threshold_part *gathered)
{
    gathered->total += series->count;
    switch (row->source) {
    case FROM_LATENCY:
        series_latency(series, &gathered->times);
        gathered->lower_bounds += series->lower_bounds;
        if (series->lower_bounds && series->lower_bound_min_ns < gathered->lower_bound_min_ns)
            gathered->lower_bound_min_ns = series->lower_bound_min_ns;
        break;
    case FROM_HISTOGRAM:
        histogram_merge(&gathered->times, (const struct histogram *)(const void *)((const char *)series + row->place));
        break;
    case FROM_EXCHANGES:
        gathered->events += series->count;
        break;
    case FROM_FAILED:
        gathered->events += series->count - series->outcomes[OUTCOME_OK];
        break;
    case FROM_OUTCOME:
        gathered->events += series->outcomes[row->place];
        break;
    default:
        break;
    }
}

static void gather_checks(const struct threshold *threshold, const struct store *store, struct threshold_part *gathered)
{
    const struct metric_row *row = threshold_row(threshold);
    for (uint32_t i = 0; i < store->check_count; i++) {
        const struct check_count *check = &store->checks[i];
        if (threshold->scope == SCOPE_CHECK && threshold->index != i)
            continue;
        gathered->total += check->passed + check->failed;
        gathered->events += row->source == FROM_FAILED ? check->failed : check->passed;
    }
    if (row->source == FROM_CHECKS && threshold->measure == MEASURE_COUNT)
        gathered->events = gathered->total;
}

static void gather_transaction(const struct metric_row *row, const struct transaction_count *transaction,
                               struct threshold_part *gathered)
{
    if (row->source == FROM_TRANSACTION_TIMES)
        histogram_merge(&gathered->times, &transaction->duration_ns);
    gathered->total += transaction->count;
    gathered->events += row->source == FROM_FAILED ? transaction->failed : transaction->count;
}

/* Where nobody can say what one of the steps is owed there is no share and no number. */
static void gather_deliveries(const struct threshold *threshold, const struct store *store, struct threshold_part *gathered)
{
    bool missing = threshold_row(threshold)->source == FROM_UNDELIVERED;
    for (uint32_t i = 0; store->deliveries && i < store->series_count; i++) {
        const struct deliveries *deliveries = &store->deliveries[i];
        if (!deliveries->wanted || (threshold->scope == SCOPE_STEPS && !threshold->series[i]))
            continue;
        if (deliveries->unknown) {
            gathered->total = 0;
            return;
        }
        gathered->total += deliveries->expected;
        gathered->events += missing ? undelivered(deliveries) : deliveries->delivered;
    }
}

static void gather_steps(const struct threshold *threshold, const struct store *store, struct threshold_part *gathered)
{
    for (uint32_t i = 0; i < store->series_count; i++) {
        if (threshold->scope == SCOPE_STEPS && !threshold->series[i])
            continue;
        if (threshold->plugin_metric)
            gather_plugin(threshold, &store->series[i], i, gathered);
        else
            gather_series(threshold_row(threshold), &store->series[i], gathered);
    }
}

static void gather_generator(const struct metric_row *row, const struct store *store, struct threshold_part *part)
{
    const struct ledger *ledger = &store->ledgers[BLOCK_MEASURED];
    if (row->source == FROM_GENERATOR) {
        histogram_merge(&part->times, (const struct histogram *)(const void *)((const char *)store + row->place));
    } else if (row->source == FROM_DROPPED) {
        part->events += ledger->dropped;
        part->total += ledger->due;
    } else {
        part->events += store->skipped_ticks;
        part->total++; /* that there were none is known too */
    }
}

void threshold_gather(const struct threshold *threshold, const struct store *store, struct threshold_part *gathered)
{
    const struct metric_row *row = threshold_row(threshold);
    const struct ledger *ledger = &store->ledgers[BLOCK_MEASURED];
    if (threshold->scope == SCOPE_TRANSACTION) {
        gather_transaction(row, &store->transactions[threshold->index], gathered);
    } else if (threshold->scope == SCOPE_CHECK || row->source == FROM_CHECKS || row->source == FROM_PASSED) {
        gather_checks(threshold, store, gathered);
    } else if (row->source == FROM_JOURNEYS_DURATION || row->source == FROM_JOURNEYS) {
        histogram_merge(&gathered->times, &store->journey_ns);
        gathered->events += ledger->completed;
        gathered->total += ledger->due;
    } else if (row->source == FROM_GENERATOR || row->source == FROM_DROPPED || row->source == FROM_SKIPPED_TICKS) {
        gather_generator(row, store, gathered);
    } else if (row_is_of_the_end(row)) {
        gather_deliveries(threshold, store, gathered);
    } else {
        gather_steps(threshold, store, gathered);
    }
}

static void measure(const struct threshold *threshold, const struct threshold_part *gathered, uint64_t measured_ns,
                    struct threshold_result *result)
{
    const struct histogram *times = &gathered->times;
    bool of_times = row_is_histogram(threshold_row(threshold));
    result->no_data = of_times ? times->count == 0 : gathered->total == 0;
    if (threshold->unit == UNIT_PER_SECOND && measured_ns == 0)
        result->no_data = true;
    if (result->no_data)
        return;
    switch (threshold->measure) {
    case MEASURE_QUANTILE:
        result->actual = (double)histogram_quantile(times, threshold->quantile);
        break;
    case MEASURE_MEAN:
        result->actual = histogram_mean(times);
        break;
    case MEASURE_MIN:
        result->actual = (double)times->min;
        break;
    case MEASURE_MAX:
        result->actual = (double)times->max;
        break;
    case MEASURE_RATE:
        result->actual = threshold->unit == UNIT_RATIO ? (double)gathered->events / (double)gathered->total
                                                       : (double)gathered->events * 1e9 / (double)measured_ns;
        break;
    case MEASURE_COUNT:
        result->actual = (double)gathered->events;
        break;
    }
    /* A mean is moved by every lower bound, the others only from the first on. */
    if (of_times && gathered->lower_bounds)
        result->lower_bound =
            threshold->measure == MEASURE_MEAN || result->actual >= (double)gathered->lower_bound_min_ns;
}

static bool holds(double actual, enum threshold_op op, double value)
{
    switch (op) {
    case OP_LESS:
        return actual < value;
    case OP_LESS_EQUAL:
        return actual <= value;
    case OP_GREATER:
        return actual > value;
    case OP_GREATER_EQUAL:
        return actual >= value;
    case OP_EQUAL:
        return !(actual < value) && !(actual > value);
    case OP_NOT_EQUAL:
        return actual < value || actual > value;
    }
    return false;
}

void threshold_judge_part(const struct threshold *threshold, const struct threshold_part *part, uint64_t measured_ns,
                          struct threshold_result *ret_result)
{
    struct threshold_result result = {0};
    measure(threshold, part, measured_ns, &result);
    bool wants_more = threshold->op == OP_GREATER || threshold->op == OP_GREATER_EQUAL || threshold->op == OP_NOT_EQUAL;
    /* The true value may be anything above a lower bound: it cannot show that a limit was kept. */
    bool unknown = result.lower_bound && threshold->measure != MEASURE_MEAN && !wants_more;
    result.pass = result.no_data ? threshold->when : !unknown && holds(result.actual, threshold->op, threshold->value);
    *ret_result = result;
}

void threshold_judge(const struct threshold *threshold, const struct store *store, uint64_t measured_ns,
                     struct threshold_result *ret_result)
{
    struct threshold_part part;
    threshold_part_init(&part);
    threshold_gather(threshold, store, &part);
    threshold_judge_part(threshold, &part, measured_ns, ret_result);
    threshold_part_fini(&part);
}

char *threshold_print_actual(const struct threshold *threshold, const struct threshold_result *result, char *buf,
                             size_t size)
{
    char figure[48] = "no data";
    if (!result->no_data) {
        switch (threshold->unit) {
        case UNIT_DURATION:
            units_print_duration(figure, sizeof(figure), (uint64_t)(result->actual + 0.5));
            break;
        case UNIT_RATIO:
            snprintf(figure, sizeof(figure), "%.3g%%", 100 * result->actual);
            break;
        case UNIT_PER_SECOND:
            if (result->actual < 999.5)
                snprintf(figure, sizeof(figure), "%.3g", result->actual);
            else
                units_print_grouped(figure, sizeof(figure) - 2, (uint64_t)(result->actual + 0.5));
            strcat(figure, "/s");
            break;
        case UNIT_COUNT:
            snprintf(figure, sizeof(figure), "%.0f", result->actual);
            break;
        }
    }
    snprintf(buf, size, "%s%s", result->lower_bound ? "≥" : "", figure);
    return buf;
}
