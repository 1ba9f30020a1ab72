/* See threshold_rows.h. */
#include "metrics/threshold_rows.h"
#include <stddef.h>
#include <stdio.h>

#define OF_STEPS (OF(SCOPE_RUN) | OF(SCOPE_STEPS))
#define OF_RUN   OF(SCOPE_RUN)
#define OF_ALL   (OF_STEPS | OF(SCOPE_CHECK) | OF(SCOPE_TRANSACTION))
#define PHASE_ROW(name, index)                                                                                         \
    {                                                                                                                  \
        name, FROM_HISTOGRAM, false, false, OF_STEPS,                                                                  \
            offsetof(struct series, phases) + (index) * sizeof(struct histogram)                                       \
    }
#define OUTCOME_METRIC(name, key, word) {key, FROM_OUTCOME, true, true, OF_STEPS, OUTCOME_##name},

const struct metric_row threshold_rows[] = {
    {"latency", FROM_LATENCY, false, false, OF_STEPS, 0},
    {"latency_ok", FROM_HISTOGRAM, false, false, OF_STEPS, offsetof(struct series, latency_ok)},
    {"service", FROM_HISTOGRAM, false, false, OF_STEPS, offsetof(struct series, service)},
    {"journey", FROM_JOURNEYS_DURATION, false, false, OF_RUN, 0},
    {"duration", FROM_TRANSACTION_TIMES, false, false, OF(SCOPE_TRANSACTION), 0},
    PHASE_ROW("dns", PHASE_DNS),
    PHASE_ROW("connect", PHASE_CONNECT),
    PHASE_ROW("tls", PHASE_TLS),
    PHASE_ROW("wait", PHASE_WAIT),
    PHASE_ROW("first_byte", PHASE_FIRST_BYTE),
    {"exchanges", FROM_EXCHANGES, false, true, OF_STEPS, 0},
    {"failed", FROM_FAILED, true, true, OF_ALL, 0},
    {"journeys", FROM_JOURNEYS, false, true, OF_RUN, 0},
    {"dropped", FROM_DROPPED, true, true, OF_RUN, 0},
    {"skipped_ticks", FROM_SKIPPED_TICKS, false, true, OF_RUN, 0},
    {"self_delay", FROM_GENERATOR, false, false, OF_RUN, offsetof(struct store, self_delay)},
    {"send_lag", FROM_GENERATOR, false, false, OF_RUN, offsetof(struct store, send_lag)},
    {"receive_lag", FROM_GENERATOR, false, false, OF_RUN, offsetof(struct store, receive_lag)},
    {"checks", FROM_CHECKS, true, false, OF_RUN | OF(SCOPE_CHECK), 0},
    {"passed", FROM_PASSED, true, false, OF_RUN | OF(SCOPE_CHECK), 0},
    {"transactions", FROM_TRANSACTIONS, false, true, OF(SCOPE_TRANSACTION), 0},
    {"delivered", FROM_DELIVERED, true, true, OF_STEPS, 0},
    {"undelivered", FROM_UNDELIVERED, true, true, OF_STEPS, 0},
    OUTCOMES(OUTCOME_METRIC)};
const uint32_t threshold_row_count = sizeof threshold_rows / sizeof threshold_rows[0];

const struct metric_row *threshold_row(const struct threshold *threshold)
{
    static const struct metric_row plugins[] = {[PLUGIN_TIMES] = {"", FROM_PLUGIN_TIMES, false, false, OF_STEPS, 0},
                                                [PLUGIN_NUMBERS] = {"", FROM_PLUGIN_NUMBERS, false, false, OF_STEPS, 0},
                                                [PLUGIN_COUNTER] = {"", FROM_PLUGIN_COUNTER, false, true, OF_STEPS, 0}};
    return threshold->plugin_metric ? &plugins[threshold->metric] : &threshold_rows[threshold->metric];
}

bool threshold_of_the_end(const struct threshold *threshold)
{
    return row_is_of_the_end(threshold_row(threshold));
}

int threshold_scope_check(const struct threshold *threshold, struct error *error)
{
    static const char *const words[] = {[SCOPE_RUN] = "the whole run",
                                        [SCOPE_STEPS] = "a step",
                                        [SCOPE_CHECK] = "a check",
                                        [SCOPE_TRANSACTION] = "a transaction"};
    const struct metric_row *row = threshold_row(threshold);
    char names[300] = "";
    size_t used = 0;
    if (row->scopes & OF(threshold->scope))
        return 0;
    if (threshold->scope == SCOPE_RUN)
        return error_set(error,
                         "`%s` is of a transaction: write transaction(NAME): ...; the time of exchanges is `latency`",
                         row->name);
    for (uint32_t i = 0; i < threshold_row_count && used < sizeof names; i++)
        if (threshold_rows[i].scopes & OF(threshold->scope))
            used +=
                (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", threshold_rows[i].name);
    return error_set(error, "%s has no `%s`; judge %s", words[threshold->scope],
                     threshold->plugin_metric ? threshold->plugin_metric : row->name, names);
}
