/*
 * The summary (schema squall.summary/1, docs/cli.md). A key that cannot be filled is absent, never zero; within a
 * schema number keys are only added. Strings are cleaned before jansson sees them, so a call of it fails for want of
 * memory alone, which ends the process as everywhere off the hot path.
 */
#include "report/figures.h"
#include "report/groups.h"
#include "report/replace.h"
#include "report/report.h"
#include "report/text.h"
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void put(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0)
        abort();
}

static void add(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0)
        abort();
}

static json_t *integer(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static void put_integer(json_t *object, const char *key, uint64_t value)
{
    put(object, key, integer(value));
}

/* Peers' and files' words: JSON holds valid UTF-8 only. */
static json_t *string(const char *text)
{
    char *clean = text_clean_copy(text);
    json_t *value = json_string(clean);
    free(clean);
    return value;
}

static void put_rate_as(json_t *object, const char *key, uint64_t count, uint64_t ns)
{
    double rate = figures_rate(count, ns);
    if (rate >= 0)
        put(object, key, json_real(rate));
}

static void put_rate(json_t *object, uint64_t count, uint64_t ns)
{
    put_rate_as(object, "rate_per_s", count, ns);
}

static const struct {
    const char *key;
    double q;
} quantiles[] = {{"p50", 0.5},  {"p75", 0.75},    {"p90", 0.9},      {"p95", 0.95},
                 {"p99", 0.99}, {"p99_9", 0.999}, {"p99_99", 0.9999}};

static void fill_histogram(json_t *object, const struct histogram *histogram)
{
    if (histogram->overflow > 0)
        put_integer(object, "overflow", histogram->overflow);
    if (histogram->count == 0)
        return;
    put_integer(object, "min", histogram->min);
    put_integer(object, "mean", (uint64_t)llround(histogram_mean(histogram)));
    put_integer(object, "stddev", (uint64_t)llround(histogram_stddev(histogram)));
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        put_integer(object, quantiles[i].key, histogram_quantile(histogram, quantiles[i].q));
    put_integer(object, "max", histogram->max);
}

static json_t *distribution(const struct histogram *histogram)
{
    json_t *object = json_object();
    put_integer(object, "count", histogram->count);
    fill_histogram(object, histogram);
    return object;
}

static json_t *latency_object(const struct series *series)
{
    struct figures_latency latency;
    figures_latency_init(&latency);
    figures_latency_add(&latency, series);
    json_t *object = json_object();
    put_integer(object, "count", latency.histogram.count);
    put_integer(object, "lower_bounds", latency.lower_bounds);
    if (latency.lower_bounds > 0)
        put_integer(object, "lower_bound_min", latency.lower_bound_min_ns);
    fill_histogram(object, &latency.histogram);
    figures_latency_fini(&latency);
    return object;
}

static json_t *verdict_object(const struct verdict *verdict)
{
    json_t *object = json_object(), *reasons = json_array();
    put(object, "trusted", json_boolean(verdict->trusted));
    put(object, "complete", json_boolean(verdict->complete));
    for (uint32_t i = 0; i < verdict->reason_count; i++)
        add(reasons, string(verdict->reasons[i]));
    put(object, "reasons", reasons);
    return object;
}

static json_t *journeys_object(const struct ledger *ledger)
{
    json_t *object = json_object();
    put_integer(object, "due", ledger->due);
    put_integer(object, "completed", ledger->completed);
    put_integer(object, "failed", ledger->failed);
    put_integer(object, "dropped", ledger->dropped);
    put_integer(object, "unfinished", ledger->journeys_unfinished);
    return object;
}

static json_t *totals_object(const struct ledger *ledger)
{
    json_t *object = json_object();
    put_integer(object, "begun", ledger->begun);
    for (int i = 0; i < OUTCOME_COUNT; i++)
        put_integer(object, outcome_key((enum outcome)i), ledger->outcomes[i]);
    put_integer(object, "bytes_in", ledger->bytes_in);
    put_integer(object, "bytes_out", ledger->bytes_out);
    return object;
}

/* The warm-up has counts alone: its times are not kept, by its meaning. */
static json_t *warmup_object(const struct ledger *ledger)
{
    json_t *object = json_object();
    put(object, "journeys", journeys_object(ledger));
    put(object, "totals", totals_object(ledger));
    return object;
}

static json_t *codes_object(const struct series *series, const struct protocol *protocol)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < series->code_count; i++) {
        char key[16];
        put_integer(object, figures_code_key(key, sizeof key, protocol, series->codes[i].code), series->codes[i].count);
    }
    return object;
}

static json_t *phases_object(const struct series *series)
{
    json_t *object = json_object();
    for (int i = 0; i < PHASE_COUNT; i++)
        if (series->phases[i].count > 0)
            put(object, phase_key((enum phase)i), distribution(&series->phases[i]));
    return object;
}

static json_t *messages_object(const struct series *series, uint64_t measured_ns)
{
    json_t *object = json_object();
    put_integer(object, "sent", series->messages_sent);
    put_integer(object, "received", series->messages_received);
    put_integer(object, "answered", series->messages_answered);
    put_integer(object, "unanswered", series->messages_unanswered);
    put_rate_as(object, "sent_per_s", series->messages_sent, measured_ns);
    put_rate_as(object, "received_per_s", series->messages_received, measured_ns);
    put(object, "latency_ns", distribution(&series->message_latency));
    put(object, "service_ns", distribution(&series->message_service));
    put(object, "first_ns", distribution(&series->message_first));
    put(object, "gap_ns", distribution(&series->message_gap));
    return object;
}

static json_t *metrics_object(const struct series *series, const struct protocol *protocol)
{
    json_t *object = json_object();
    const struct squall_table *table = &protocol->abi.metrics;
    for (uint32_t i = 0; i < series->metric_count && i < table->count; i++) {
        const struct squall_metric *metric = protocol_metric(table, i);
        const struct metric_store *store = &series->metrics[i];
        bool counter = metric->kind == SQUALL_COUNTER;
        char name[128];
        put(object, text_clean(name, sizeof name, metric->name),
            counter ? integer(store->counter) : distribution(&store->histogram));
    }
    return object;
}

/* What the receivers of steps (NULL: of all) got of what they were owed; without a number where nobody can say. Nothing
 * where none of the steps receives. */
static void put_deliveries(json_t *object, const struct result *result, const uint32_t *steps, uint32_t step_count)
{
    struct figures_deliveries got;
    if (!figures_deliveries(result, steps, step_count, &got))
        return;
    json_t *deliveries = json_object();
    put_integer(deliveries, "delivered", got.sum.delivered);
    put(deliveries, "expected", got.sum.unknown ? json_null() : integer(got.sum.expected));
    put(deliveries, "undelivered", got.sum.unknown ? json_null() : integer(got.missing));
    put_rate(deliveries, got.sum.delivered, result->measured_ns);
    put(object, "deliveries", deliveries);
}

static json_t *tags_object(const struct tags *tags)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < tags->count; i++) {
        char *name = text_clean_copy(tags->list[i].name);
        put(object, name, string(tags->list[i].value));
        free(name);
    }
    return object;
}

/* What a step and a group of steps have alike. protocol: NULL where a group has several, and so no codes and no metrics. */
static void put_series(json_t *object, const struct result *result, const struct series *series,
                       const struct protocol *protocol, bool has_sent)
{
    put_integer(object, "count", series->count);
    put_integer(object, "ok", series->outcomes[OUTCOME_OK]);
    put_integer(object, "failed", figures_failed(series));
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (i != OUTCOME_OK)
            put_integer(object, outcome_key((enum outcome)i), series->outcomes[i]);
    put_integer(object, "bytes_in", series->bytes_in);
    put_integer(object, "bytes_out", series->bytes_out);
    put_rate(object, figures_ended(series->outcomes), result->measured_ns);
    if (protocol)
        put(object, "codes", codes_object(series, protocol));
    put(object, "latency_ns", latency_object(series));
    put(object, "latency_ok_ns", distribution(&series->latency_ok));
    if (has_sent)
        put(object, "service_ns", distribution(&series->service));
    put(object, "phases_ns", phases_object(series));
    if (series_has_messages(series))
        put(object, "messages", messages_object(series, result->measured_ns));
    if (protocol)
        put(object, "metrics", metrics_object(series, protocol));
}

static json_t *step_object(const struct result *result, uint32_t index)
{
    const struct series_info *info = &result->scenario->series[index];
    json_t *object = json_object();
    put(object, "name", string(info->name));
    put(object, "protocol", string(info->protocol->name));
    put(object, "target", string(info->target->name));
    put(object, "tags", tags_object(&info->tags));
    put_series(object, result, &result->store.series[index], info->protocol, figures_has_sent(info->protocol));
    put_deliveries(object, result, &index, 1);
    return object;
}

static json_t *steps_array(const struct result *result)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < result->store.series_count; i++)
        add(array, step_object(result, i));
    return array;
}

static json_t *group_object(const struct result *result, const char *tag, const struct group *group)
{
    json_t *object = json_object(), *steps = json_array();
    put(object, "tag", string(tag));
    if (group->value)
        put(object, "value", string(group->value));
    if (group->protocol)
        put(object, "protocol", string(group->protocol->name));
    for (uint32_t i = 0; i < group->step_count; i++)
        add(steps, string(result->scenario->series[group->steps[i]].name));
    put(object, "steps", steps);
    put_series(object, result, &group->series, group->protocol, group->has_sent);
    put_deliveries(object, result, group->steps, group->step_count);
    return object;
}

static json_t *groups_array(const struct result *result)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < result->scenario->group_tag_count; i++) {
        struct groups groups;
        groups_make(result, result->scenario->group_tags[i], &groups);
        for (uint32_t g = 0; g < groups.count; g++)
            add(array, group_object(result, result->scenario->group_tags[i], &groups.list[g]));
        groups_free(&groups);
    }
    return array;
}

static json_t *checks_array(const struct result *result)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < result->store.check_count; i++) {
        json_t *object = json_object();
        put(object, "name", string(result->scenario->check_names[i]));
        put_integer(object, "passed", result->store.checks[i].passed);
        put_integer(object, "failed", result->store.checks[i].failed);
        add(array, object);
    }
    return array;
}

static json_t *transactions_array(const struct result *result)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < result->store.transaction_count; i++) {
        const struct transaction_count *transaction = &result->store.transactions[i];
        json_t *object = json_object();
        put(object, "name", string(result->scenario->transactions[i]));
        put_integer(object, "count", transaction->count);
        put_integer(object, "failed", transaction->failed);
        put_rate(object, transaction->count, result->measured_ns);
        put(object, "duration_ns", distribution(&transaction->duration_ns));
        add(array, object);
    }
    return array;
}

static json_t *thresholds_array(const struct result *result)
{
    static const char *const units[] = {
        [UNIT_DURATION] = "ns", [UNIT_RATIO] = "ratio", [UNIT_PER_SECOND] = "per_s", [UNIT_COUNT] = "count"};
    json_t *array = json_array();
    for (uint32_t i = 0; i < result->scenario->threshold_count; i++) {
        const struct threshold *threshold = &result->scenario->thresholds[i];
        const struct threshold_result *judged = &result->thresholds[i];
        json_t *object = json_object();
        put(object, "expression", string(threshold->text));
        put(object, "pass", json_boolean(judged->pass));
        bool whole = threshold->unit == UNIT_DURATION || threshold->unit == UNIT_COUNT;
        if (!judged->no_data && isfinite(judged->actual))
            put(object, "actual", whole ? json_integer(llround(judged->actual)) : json_real(judged->actual));
        put(object, "unit", string(units[threshold->unit]));
        if (judged->lower_bound)
            put(object, "lower_bound", json_true());
        if (threshold->window_s)
            put_integer(object, "window_ns", (uint64_t)threshold->window_s * 1000000000);
        if (judged->windowed && !judged->no_data) {
            put_integer(object, "window_start_ns", judged->from_ns);
            put_integer(object, "window_end_ns", judged->to_ns);
        }
        if (threshold->abort)
            put(object, "aborted", json_boolean(judged->aborted));
        add(array, object);
    }
    return array;
}

static json_t *errors_array(const struct store *store)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < store->error_count; i++) {
        const struct error_entry *entry = &store->errors[i];
        json_t *object = json_object();
        put(object, "text", string(entry->text));
        put_integer(object, "count", entry->count);
        put_integer(object, "first_at_ns", entry->first_at_ns);
        put_integer(object, "last_at_ns", entry->last_at_ns);
        add(array, object);
    }
    return array;
}

static json_t *generator_object(const struct result *result)
{
    const struct generator_facts *facts = &result->facts;
    json_t *object = json_object(), *notes = json_array();
    put_integer(object, "workers", result->workers);
    put_integer(object, "workers_lost", result->workers_lost);
    put_integer(object, "cpu_ns", result->cpu_ns);
    put_integer(object, "rss_bytes_max", facts->rss_bytes);
    put(object, "self_delay_ns", distribution(&result->store.self_delay));
    put(object, "send_lag_ns", distribution(&result->store.send_lag));
    put(object, "receive_lag_ns", distribution(&result->store.receive_lag));
    put_integer(object, "users_max", facts->users_max);
    put_integer(object, "connections_max", facts->connections_max);
    put_integer(object, "waited_user", facts->waited_user);
    put_integer(object, "waited_connection", facts->waited_connection);
    put_integer(object, "skipped_ticks", result->store.skipped_ticks);
    put_integer(object, "longest_stall_ns", facts->longest_stall_ns);
    put_integer(object, "raw_records_lost", facts->spool_lost);
    put_integer(object, "ports_exhausted", facts->ports_exhausted);
    put_integer(object, "descriptors_exhausted", facts->descriptors_exhausted);
    put_integer(object, "connections_reopened", facts->reopened);
    put_integer(object, "connections_never_up", facts->never_up);
    put_integer(object, "syn_retransmits", facts->syn_retransmits);
    put_integer(object, "retransmits", facts->retransmits);
    for (uint32_t i = 0; i < result->verdict.note_count; i++)
        add(notes, string(result->verdict.notes[i]));
    put(object, "notes", notes);
    return object;
}

static json_t *summary_object(const struct result *result)
{
    const struct store *store = &result->store;
    const struct ledger *measured = &store->ledgers[BLOCK_MEASURED];
    json_t *object = json_object();
    put(object, "schema", json_string("squall.summary/1"));
    put(object, "squall_version", json_string(SQUALL_VERSION));
    put(object, "scenario", string(result->scenario->name));
    put_integer(object, "seed", result->scenario->seed);
    put(object, "started_at", string(result->started_at));
    put_integer(object, "duration_ns", result->duration_ns);
    put_integer(object, "measured_ns", result->measured_ns);
    put_integer(object, "exit_code", (uint64_t)result->exit_code);
    put(object, "interrupted", json_boolean(result->interrupted));
    if (result->aborted_text[0])
        put(object, "aborted", string(result->aborted_text));
    if (result->unreachable)
        put(object, "unreachable", string(result->unreachable_text));
    put(object, "verdict", verdict_object(&result->verdict));

    json_t *journeys = journeys_object(measured);
    put_rate(journeys, measured->completed + measured->failed, result->measured_ns);
    put(journeys, "duration_ns", distribution(&store->journey_ns));
    put(object, "journeys", journeys);
    json_t *totals = totals_object(measured);
    put_rate(totals, figures_ended(measured->outcomes), result->measured_ns);
    put_deliveries(totals, result, NULL, 0);
    put(object, "totals", totals);
    put(object, "warmup", warmup_object(&store->ledgers[BLOCK_WARMUP]));

    put(object, "steps", steps_array(result));
    put(object, "groups", groups_array(result));
    put(object, "transactions", transactions_array(result));
    put(object, "checks", checks_array(result));
    put(object, "thresholds", thresholds_array(result));
    put(object, "errors", errors_array(store));
    put_integer(object, "errors_more", store->errors_more);
    put(object, "generator", generator_object(result));
    return object;
}

int summary_write(const struct result *result, const char *path, struct error *error)
{
    json_t *object = summary_object(result);
    char *text = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    json_decref(object);
    if (!text)
        abort();
    struct buffer document = {0};
    buffer_append(&document, text, strlen(text));
    buffer_append(&document, "\n", 1);
    free(text);
    int outcome = replace_file(path, document.data, document.len, error);
    buffer_fini(&document);
    return outcome;
}
