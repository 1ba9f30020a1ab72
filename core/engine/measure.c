/* What is counted of an exchange that has ended: the one place where samples enter histograms. */
#include "base/secret.h"
#include "engine/internal.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static uint64_t since(uint64_t later_ns, uint64_t earlier_ns)
{
    return later_ns > earlier_ns ? later_ns - earlier_ns : 0;
}

#define SERIES_TEXT (UINT32_MAX - 1) /* in place of a series: the text says all, of a script or of a failed check */

static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(1469598103934665603); /* FNV-1a */
    while (text && *text)
        hash = (hash ^ (unsigned char)*text++) * UINT64_C(1099511628211);
    return hash;
}

static void format_error(struct engine *engine, char *text, size_t size, uint32_t series, uint32_t outcome,
                         uint32_t code, const char *reason)
{
    if (series == SERIES_TEXT) {
        snprintf(text, size, "%s", reason);
        return;
    }
    if (series == UINT32_MAX) { /* a connection of target `code` */
        snprintf(text, size, "%s %s: %s", outcome == OUTCOME_DISCONNECTED ? "connection lost to" : "connecting to",
                 engine->scenario->targets[code].url, reason);
        return;
    }
    const struct series_info *info = &engine->scenario->series[series];
    const char *name = info->protocol->abi.code_name && code ? info->protocol->abi.code_name(code) : NULL;
    if (reason)
        snprintf(text, size, "%s: %s: %s", info->name, outcome_word((enum outcome)outcome), reason);
    else
        snprintf(text, size, "%s: %s: %lld%s%s", info->name, outcome_word((enum outcome)outcome),
                 (long long)code - protocol_code_base(info->protocol), name ? " " : "", name ? name : "");
}

void measure_error(struct engine *engine, uint32_t series, uint32_t outcome, uint32_t code, const char *reason)
{
    struct store *store = &engine->store;
    uint64_t at_ns = engine->started ? since(engine->now_ns, engine->start_ns) : 0;
    uint64_t hash = hash_text(reason);
    for (uint32_t i = 0; i < store->error_count; i++) {
        const struct error_key *key = &engine->error_keys[i];
        if (key->series == series && key->outcome == outcome && key->code == code && key->reason_hash == hash) {
            store->errors[i].count++;
            store->errors[i].last_at_ns = at_ns;
            return;
        }
    }
    if (store->error_count == ERRORS_MAX) {
        store->errors_more++;
        return;
    }
    engine->error_keys[store->error_count] = (struct error_key){series, outcome, code, hash};
    struct error_entry *entry = &store->errors[store->error_count++];
    char text[1600]; /* secrets go before the text is cut, so that no part of one stays at the end */
    format_error(engine, text, sizeof text, series, outcome, code, reason);
    snprintf(entry->text, sizeof entry->text, "%.*s", (int)sizeof entry->text - 1, secret_hide_text(text));
    entry->count = 1;
    entry->first_at_ns = entry->last_at_ns = at_ns;
}

void measure_script_error(struct engine *engine, const char *text, bool warmup)
{
    if (!warmup)
        measure_error(engine, SERIES_TEXT, 0, 0, text);
}

/* ---- record(): what only the protocol knows ---- */

void measure_field(struct squall_recorder *recorder, struct squall_bytes name, struct squall_bytes value)
{
    struct engine *engine = LIST_ENTRY(recorder, struct engine, recorder);
    if (engine->field_count == FIELDS_MAX)
        return;
    struct squall_pair *pair = &engine->fields[engine->field_count++];
    pair->name.data = (const uint8_t *)arena_copy(&engine->scratch, name.data, name.len);
    pair->name.len = name.len;
    pair->value.data = (const uint8_t *)arena_copy(&engine->scratch, value.data, value.len);
    pair->value.len = value.len;
}

void measure_sample(struct squall_recorder *recorder, uint32_t metric, uint64_t value)
{
    struct engine *engine = LIST_ENTRY(recorder, struct engine, recorder);
    struct series *series = engine->recording;
    if (!series || metric >= series->metric_count)
        return;
    if (engine->recording_metrics[metric] == SQUALL_COUNTER)
        series->metrics[metric].counter += value;
    else
        histogram_record(&series->metrics[metric].histogram, value);
}

void measure_metric(struct engine *engine, const struct squall_step *view, uint32_t metric, uint64_t value,
                    uint64_t at_ns)
{
    const struct step *step = (const struct step *)(const void *)view;
    struct series *series = &engine->store.series[step->series];
    if (!engine->started || at_ns < engine->warm_until_ns || metric >= series->metric_count)
        return;
    const struct squall_metric *row = protocol_metric(&step->protocol->abi.metrics, metric);
    if (row->kind == SQUALL_COUNTER)
        series->metrics[metric].counter += value;
    else
        histogram_record(&series->metrics[metric].histogram, value);
    if (row->role == SQUALL_METRIC_DELIVERED)
        engine->last_delivery_ns = engine->now_ns;
}

static void call_record(struct exchange *exchange)
{
    struct engine *engine = exchange->user->engine;
    const struct squall_protocol *abi = &step_of(exchange)->protocol->abi;
    engine->field_count = 0;
    arena_reset(&engine->scratch);
    if (!abi->record || (!exchange->view.wants && !abi->metrics.count && !engine->config.ended))
        return;
    engine->recording = exchange->block == BLOCK_MEASURED ? &engine->store.series[step_of(exchange)->series] : NULL;
    if (engine->recorded != step_of(exchange)->protocol) {
        engine->recorded = step_of(exchange)->protocol;
        for (uint32_t i = 0; i < abi->metrics.count; i++)
            engine->recording_metrics[i] = (uint8_t)protocol_metric(&abi->metrics, i)->kind;
    }
    abi->record(&exchange->view, &engine->recorder);
}

/* ---- checks ---- */

#define SAMPLE_BODY 100 /* bytes of an answer's body that are shown */

/* What one answer that failed a check looked like. */
static const char *sample_answer(struct engine *engine, const struct check *check, const struct answer *answer)
{
    char body[SAMPLE_BODY + 1];
    size_t len = answer->body.len < SAMPLE_BODY ? answer->body.len : SAMPLE_BODY;
    for (size_t i = 0; i < len; i++)
        body[i] = answer->body.data[i] < ' ' ? ' ' : (char)answer->body.data[i];
    body[len] = '\0';
    return arena_printf(&engine->arena, "check \"%.60s\" failed; one such answer: %u%s%.40s%s%s%s", check->name,
                        answer->code - answer->code_base, answer->code_name ? " " : "", answer->code_name ? answer->code_name : "",
                        len ? ", " : "", body, answer->body.len > len ? "..." : "");
}

/* Listed once a check, with the first offending answer as its sample: whoever reads the list sees what came. */
static void measure_failed_check(struct engine *engine, const struct check *check, const struct answer *answer)
{
    const char **sample = &engine->check_samples[check->index];
    if (!*sample)
        *sample = sample_answer(engine, check, answer);
    measure_error(engine, SERIES_TEXT, 0, check->index, *sample);
}

static void run_checks(struct exchange *exchange, const struct answer *answer, bool *ret_passed)
{
    struct engine *engine = exchange->user->engine;
    const struct step *step = step_of(exchange);
    struct eval eval = variables_eval(exchange->user, answer);
    /* Saved first, so that a check may speak of what was saved. */
    variables_assign(exchange->user, step->saves, step->save_count, &eval);
    for (uint32_t i = 0; i < step->check_count; i++) {
        struct value value;
        expression_evaluate(step->checks[i].expression, &eval, &value);
        bool passed = value.type == VALUE_BOOL && value.boolean;
        if (ret_passed)
            ret_passed[i] = passed;
        struct check_count *count = &engine->store.checks[step->checks[i].index];
        if (exchange->block != BLOCK_MEASURED)
            continue;
        *(passed ? &count->passed : &count->failed) += 1;
        if (!passed)
            measure_failed_check(engine, &step->checks[i], answer);
    }
}

static struct squall_bytes body_of(const struct exchange *exchange)
{
    const struct buffer *body = exchange->body;
    return body ? (struct squall_bytes){body->data, body->len} : (struct squall_bytes){NULL, 0};
}

#define CHECKS_SHOWN 64
static void answer_looked_at(struct exchange *exchange, enum outcome outcome, uint32_t code, uint64_t done_ns,
                             const char *reason)
{
    struct engine *engine = exchange->user->engine;
    const struct step *step = step_of(exchange);
    if (!step->check_count && !step->save_count && !engine->config.ended && !step->scripted)
        return;
    const struct squall_protocol *abi = &step->protocol->abi;
    struct answer answer = {.outcome = outcome,
                            .code = code,
                            .code_base = protocol_code_base(step->protocol),
                            .code_name = abi->code_name ? abi->code_name(code) : NULL,
                            .latency_ns = since(done_ns, exchange->view.intended_ns),
                            .service_ns = exchange->sent_ns == NO_TIME ? 0 : since(done_ns, exchange->sent_ns),
                            .body = body_of(exchange),
                            .fields = engine->fields,
                            .field_count = engine->field_count};
    bool passed[CHECKS_SHOWN] = {false};
    if (!exchange->followed) /* of a chain the last answer is looked at */
        run_checks(exchange, &answer, engine->config.ended && step->check_count <= CHECKS_SHOWN ? passed : NULL);
    if (step->scripted && !exchange->followed)
        script_answered(exchange, &answer);
    if (engine->config.ended)
        engine->config.ended(engine->config.arg, step, &answer, reason, passed, user_variables(exchange->user));
}

/* ---- times ---- */

static void record_self_delay(struct exchange *exchange, enum outcome outcome, uint64_t done_ns)
{
    struct engine *engine = exchange->user->engine;
    uint64_t send_lag_ns = 0, receive_lag_ns = 0;
    if (exchange->attempted)
        send_lag_ns = exchange->send_lag_ns;
    else if (exchange->handed_ns != NO_TIME)
        send_lag_ns = since(exchange->handed_ns, exchange->possible_ns);
    /* What was handed over before the loop woke and ended after it waited for its turn since then. */
    if (outcome <= OUTCOME_MALFORMED && exchange->handed_ns < engine->woke_ns)
        receive_lag_ns = since(done_ns, engine->woke_ns);
    if (exchange->ended)
        receive_lag_ns = 0; /* the wait for what it means is nobody's delay */
    else if (engine->posted_ns)
        receive_lag_ns = since(engine->now_ns, done_ns);
    histogram_record(&engine->store.send_lag, send_lag_ns);
    histogram_record(&engine->store.receive_lag, receive_lag_ns);
    histogram_record(&engine->store.self_delay, send_lag_ns + receive_lag_ns);
}

/* A connection's phases stand at the step that used it first, so that each connection is counted once. */
static void record_phases(struct exchange *exchange, struct series *series)
{
    struct conn *conn = exchange->conn;
    uint64_t ready_ns =
        exchange->view.intended_ns > exchange->user->free_since_ns ? exchange->view.intended_ns : exchange->user->free_since_ns;
    if (exchange->handed_ns != NO_TIME && !conn->pool->own_transport) {
        histogram_record(&series->phases[PHASE_WAIT], exchange->waited ? since(exchange->handed_ns, ready_ns) : 0);
        if (exchange->first_byte_ns != NO_TIME && exchange->sent_ns != NO_TIME)
            histogram_record(&series->phases[PHASE_FIRST_BYTE], since(exchange->first_byte_ns, exchange->sent_ns));
    }
    if (!conn || conn->phases_told)
        return;
    conn->phases_told = true;
    if (conn->dns_ns != NO_TIME)
        histogram_record(&series->phases[PHASE_DNS], conn->dns_ns);
    if (conn->connect_ns != NO_TIME)
        histogram_record(&series->phases[PHASE_CONNECT], conn->connect_ns);
    if (conn->tls_ns != NO_TIME)
        histogram_record(&series->phases[PHASE_TLS], conn->tls_ns);
}

static void record_series(struct exchange *exchange, struct series *series, enum outcome outcome,
                          const struct squall_result *result, uint64_t done_ns)
{
    uint64_t latency_ns = since(done_ns, exchange->view.intended_ns);
    series->count++;
    series->outcomes[outcome]++;
    if (result) {
        series->bytes_in += result->bytes_in;
        series->bytes_out += result->bytes_out;
        if (result->code)
            series_code(series, result->code, 1);
    }
    histogram_record(outcome == OUTCOME_OK ? &series->latency_ok : &series->latency_failed, latency_ns);
    if (outcome == OUTCOME_TIMED_OUT || outcome == OUTCOME_UNFINISHED) {
        series->lower_bounds++;
        if (latency_ns < series->lower_bound_min_ns)
            series->lower_bound_min_ns = latency_ns;
    } else if (exchange->sent_ns != NO_TIME) {
        histogram_record(&series->service, since(done_ns, exchange->sent_ns));
    }
    record_phases(exchange, series);
    record_self_delay(exchange, outcome, done_ns);
}

/* What the service did with more in flight tells it from a pool that is too small. A time-out says that it took so long
 * at least; with few in flight only answers count. */
static void record_crowd(const struct exchange *exchange, struct series *series, enum outcome outcome, uint64_t done_ns)
{
    uint64_t woke_ns = exchange->user->engine->woke_ns;
    bool answered = outcome <= OUTCOME_MALFORMED, full = exchange->crowd == CROWD_FULL;
    if (exchange->handed_ns == NO_TIME || exchange->conn->pool->per_user || exchange->crowd == CROWD_SOME)
        return;
    if (!answered && !(full && outcome == OUTCOME_TIMED_OUT))
        return;
    struct crowd *crowd = full ? &series->full : &series->few;
    uint64_t seen_ns =
        exchange->handed_ns < woke_ns && woke_ns < done_ns ? woke_ns : done_ns; /* the rest was our delay */
    crowd->count++;
    crowd->ns += since(seen_ns, exchange->handed_ns);
}

static void record_raw(struct exchange *exchange, enum outcome outcome, const struct squall_result *result,
                       uint64_t done_ns)
{
    struct engine *engine = exchange->user->engine;
    struct raw_record *record = engine->started ? spool_record(engine->spool) : NULL;
    if (!record)
        return; /* the spool counts what it refuses */
    *record = (struct raw_record){
        .id = exchange->view.id,
        .user = exchange->user->id,
        .intended_ns = since(exchange->view.intended_ns, engine->start_ns),
        .sent_ns = exchange->sent_ns == NO_TIME ? RAW_NO_TIME : since(exchange->sent_ns, engine->start_ns),
        .done_ns = since(done_ns, engine->start_ns),
        .bytes_in = result ? result->bytes_in : 0,
        .bytes_out = result ? result->bytes_out : 0,
        .series = step_of(exchange)->series,
        .code = (int64_t)(result ? result->code : 0) - protocol_code_base(step_of(exchange)->protocol),
        .outcome = (uint8_t)outcome,
        .block = exchange->block};
}

void measure_exchange(struct exchange *exchange, enum outcome outcome, const struct squall_result *result,
                      const char *reason, uint64_t done_ns)
{
    struct engine *engine = exchange->user->engine;
    struct ledger *ledger = &engine->config.page->ledgers[exchange->block];
    page_add(&ledger->outcomes[outcome], 1);
    if (result) {
        page_add(&ledger->bytes_in, result->bytes_in);
        page_add(&ledger->bytes_out, result->bytes_out);
    }
    uint32_t code = result ? result->code : 0;
    /* Of the warm-up nothing is listed; what fails in a setup or a teardown has no other place to be told. */
    if (outcome != OUTCOME_OK && (exchange->block == BLOCK_MEASURED || exchange->user->walk != WALK_JOURNEY))
        measure_error(engine, step_of(exchange)->series, outcome, code, reason);
    if (result && outcome <= OUTCOME_MALFORMED)
        call_record(exchange);
    record_crowd(exchange, &engine->store.series[step_of(exchange)->series], outcome, done_ns);
    if (exchange->block == BLOCK_MEASURED)
        record_series(exchange, &engine->store.series[step_of(exchange)->series], outcome, result, done_ns);
    if (engine->spool)
        record_raw(exchange, outcome, result, done_ns);
    if (outcome <= OUTCOME_MALFORMED)
        answer_looked_at(exchange, outcome, code, done_ns, reason);
    else if (step_of(exchange)->scripted)
        script_unanswered(exchange, outcome);
    if (outcome > OUTCOME_MALFORMED && engine->config.ended)
        engine->config.ended(engine->config.arg, step_of(exchange), NULL, reason, NULL, NULL);
}
