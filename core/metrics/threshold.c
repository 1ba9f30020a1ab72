/*
 * Thresholds: FUNCTION(METRIC) OPERATOR VALUE. See threshold.h. Functions, metrics and operators are rows of tables, from
 * which the parser, its suggestions and the judge are made.
 */
#include "metrics/threshold.h"
#include "base/units.h"
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) ((unsigned)(sizeof(table) / sizeof((table)[0])))

enum source {
    FROM_LATENCY,   /* latency_ok and latency_failed together */
    FROM_HISTOGRAM, /* of a series, at `place` */
    FROM_JOURNEYS_DURATION,
    FROM_GENERATOR, /* a histogram of the store, at `place` */
    FROM_PLUGIN_TIMES,
    FROM_PLUGIN_NUMBERS, /* a histogram of something else than times */
    FROM_PLUGIN_COUNTER,
    FROM_EXCHANGES,
    FROM_FAILED,
    FROM_OUTCOME, /* number `place` */
    FROM_JOURNEYS,
    FROM_DROPPED,
    FROM_SKIPPED_TICKS,
    FROM_CHECKS,
    FROM_PASSED,
};

struct metric_row {
    const char *name; /* first: error_nearest walks the table by it */
    enum source source;
    bool share, per_second; /* what rate() of it may mean */
    size_t place;
};

#define PHASE_ROW(name, index) {name, FROM_HISTOGRAM, false, false, offsetof(struct series, phases) + (index) * sizeof(struct histogram)}
#define OUTCOME_METRIC(name, key, word) {key, FROM_OUTCOME, true, true, OUTCOME_##name},
static const struct metric_row metric_rows[] = {
    {"latency", FROM_LATENCY, false, false, 0},
    {"latency_ok", FROM_HISTOGRAM, false, false, offsetof(struct series, latency_ok)},
    {"service", FROM_HISTOGRAM, false, false, offsetof(struct series, service)},
    {"journey", FROM_JOURNEYS_DURATION, false, false, 0},
    PHASE_ROW("dns", PHASE_DNS),
    PHASE_ROW("connect", PHASE_CONNECT),
    PHASE_ROW("tls", PHASE_TLS),
    PHASE_ROW("wait", PHASE_WAIT),
    PHASE_ROW("first_byte", PHASE_FIRST_BYTE),
    {"exchanges", FROM_EXCHANGES, false, true, 0},
    {"failed", FROM_FAILED, true, true, 0},
    {"journeys", FROM_JOURNEYS, false, true, 0},
    {"dropped", FROM_DROPPED, true, true, 0},
    {"skipped_ticks", FROM_SKIPPED_TICKS, false, true, 0},
    {"self_delay", FROM_GENERATOR, false, false, offsetof(struct store, self_delay)},
    {"send_lag", FROM_GENERATOR, false, false, offsetof(struct store, send_lag)},
    {"receive_lag", FROM_GENERATOR, false, false, offsetof(struct store, receive_lag)},
    {"checks", FROM_CHECKS, true, false, 0},
    {"passed", FROM_PASSED, true, false, 0},
    OUTCOMES(OUTCOME_METRIC)};

/* For what plugins declare. */
static const struct metric_row plugin_times = {"", FROM_PLUGIN_TIMES, false, false, 0},
                               plugin_numbers = {"", FROM_PLUGIN_NUMBERS, false, false, 0},
                               plugin_counter = {"", FROM_PLUGIN_COUNTER, false, true, 0};

/* threshold->metric of a plugin's: counters from PLUGIN_COUNTER on. */
enum { PLUGIN_TIMES, PLUGIN_NUMBERS, PLUGIN_COUNTER };

static const struct metric_row *row_of(const struct threshold *threshold)
{
    static const struct metric_row *const plugins[] = {&plugin_times, &plugin_numbers, &plugin_counter};
    return threshold->plugin_metric ? plugins[threshold->metric] : &metric_rows[threshold->metric];
}

struct function_row {
    const char *name;
    enum threshold_measure measure;
};
static const struct function_row function_rows[] = {{"mean", MEASURE_MEAN}, {"min", MEASURE_MIN},     {"max", MEASURE_MAX},
                                                    {"rate", MEASURE_RATE}, {"count", MEASURE_COUNT}, {"p50", MEASURE_QUANTILE},
                                                    {"p99", MEASURE_QUANTILE}};

/* Two letters first: "<=" must not be read as "<". */
static const struct {
    const char *text;
    enum threshold_op op;
} operators[] = {{"<=", OP_LESS_EQUAL}, {">=", OP_GREATER_EQUAL}, {"==", OP_EQUAL},
                 {"!=", OP_NOT_EQUAL},  {"<", OP_LESS},           {">", OP_GREATER}};

/* Words of other tools, and ours for the same thing. */
static const struct {
    const char *theirs, *ours;
} synonyms[] = {{"requests", "exchanges"}, {"reqs", "exchanges"},  {"iterations", "journeys"}, {"errors", "failed"},
                {"failures", "failed"},    {"avg", "mean"},        {"average", "mean"},        {"med", "p50"},
                {"median", "p50"},         {"duration", "latency"}, {"response_time", "latency"}, {"success", "ok"}};

/* ---- Parsing ----------------------------------------------------------------------------------- */

#define WORD_MAX 40u

struct parser {
    const char *text, *at;
    const struct threshold_metric *metrics; /* plugins' */
    uint32_t metric_count;
    struct arena *arena;
    const char *mistake; /* where the present word starts: what an error points at */
    struct error *error;
};

static void skip_space(struct parser *parser)
{
    while (isspace((unsigned char)*parser->at))
        parser->at++;
    parser->mistake = parser->at;
}

static void read_word(struct parser *parser, char word[WORD_MAX + 1])
{
    size_t length = 0;
    skip_space(parser);
    while (isalnum((unsigned char)*parser->at) || *parser->at == '_' || *parser->at == '.' || *parser->at == '-') {
        if (length < WORD_MAX)
            word[length++] = *parser->at;
        parser->at++;
    }
    word[length] = '\0';
}

static const char *suggestion(const char *word, const char *const *names, unsigned count, size_t stride)
{
    for (unsigned i = 0; i < COUNT(synonyms); i++)
        if (strcmp(word, synonyms[i].theirs) == 0)
            for (unsigned j = 0; j < count; j++)
                if (strcmp(*(const char *const *)(const void *)((const char *)names + j * stride), synonyms[i].ours) == 0)
                    return synonyms[i].ours;
    return error_nearest(word, names, count, stride);
}

static int expect(struct parser *parser, char letter)
{
    skip_space(parser);
    if (*parser->at != letter)
        return error_set(parser->error, "'%c' is missing; write it like p99(latency) < 200ms", letter);
    parser->at++;
    return 0;
}

/* "p99", "p99.9" or "p99_9" as a quantile. */
static int parse_quantile(const char *word, double *ret)
{
    double value = 0, place = 1;
    const char *at = word + 1;
    if (word[0] != 'p' || !isdigit((unsigned char)*at))
        return -1;
    for (; isdigit((unsigned char)*at); at++)
        value = value * 10 + (*at - '0');
    if ((*at == '.' || *at == '_') && isdigit((unsigned char)at[1])) {
        for (at++; isdigit((unsigned char)*at); at++) {
            place *= 10;
            value = value * 10 + (*at - '0');
        }
    }
    if (*at || value > 100 * place)
        return -1;
    *ret = value / (100 * place);
    return 0;
}

static int parse_function(struct parser *parser, struct threshold *threshold)
{
    char word[WORD_MAX + 1];
    read_word(parser, word);
    if (parse_quantile(word, &threshold->quantile) == 0) {
        threshold->measure = MEASURE_QUANTILE;
        return 0;
    }
    for (unsigned i = 0; i < COUNT(function_rows); i++) {
        if (function_rows[i].measure != MEASURE_QUANTILE && strcmp(word, function_rows[i].name) == 0) {
            threshold->measure = function_rows[i].measure;
            return 0;
        }
    }
    const char *nearest = suggestion(word, &function_rows[0].name, COUNT(function_rows), sizeof(function_rows[0]));
    return error_set(parser->error, "\"%s\" is no function%s%s%s; there are p50, p99.9 and the like (up to p100), mean, min, max, rate, count",
                     word, nearest ? ": did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "");
}

static int unknown_metric(struct parser *parser, const char *word)
{
    char all[600] = "";
    size_t used = 0;
    const char *nearest = suggestion(word, &metric_rows[0].name, COUNT(metric_rows), sizeof(metric_rows[0]));
    if (!nearest && parser->metric_count)
        nearest = suggestion(word, &parser->metrics[0].name, parser->metric_count, sizeof(parser->metrics[0]));
    for (unsigned i = 0; i < COUNT(metric_rows) + parser->metric_count && used < sizeof(all); i++) {
        const char *name = i < COUNT(metric_rows) ? metric_rows[i].name : parser->metrics[i - COUNT(metric_rows)].name;
        used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", name);
    }
    return error_set(parser->error, "\"%s\" is no metric%s%s%s; there are %s", word, nearest ? ": did you mean \"" : "",
                     nearest ? nearest : "", nearest ? "\"?" : "", all);
}

static bool is_duration(const struct metric_row *row)
{
    return row->source <= FROM_PLUGIN_TIMES;
}

static bool is_histogram(const struct metric_row *row)
{
    return row->source <= FROM_PLUGIN_NUMBERS;
}

static bool ends_in(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static bool find_metric(const struct parser *parser, const char *word, struct threshold *threshold)
{
    for (unsigned i = 0; i < COUNT(metric_rows); i++) {
        if (strcmp(word, metric_rows[i].name) == 0) {
            threshold->metric = i;
            return true;
        }
    }
    for (uint32_t i = 0; i < parser->metric_count; i++) {
        const struct threshold_metric *metric = &parser->metrics[i];
        if (strcmp(word, metric->name) != 0)
            continue;
        threshold->plugin_metric = arena_copy(parser->arena, word, strlen(word));
        threshold->metric = metric->counter ? PLUGIN_COUNTER : ends_in(word, "_ns") ? PLUGIN_TIMES : PLUGIN_NUMBERS;
        return true;
    }
    return false;
}

static int parse_metric(struct parser *parser, struct threshold *threshold)
{
    char word[WORD_MAX + 1];
    bool counts = threshold->measure == MEASURE_RATE || threshold->measure == MEASURE_COUNT;
    read_word(parser, word);
    if (!find_metric(parser, word, threshold))
        return unknown_metric(parser, word);
    const struct metric_row *row = row_of(threshold);
    if (counts && is_histogram(row))
        return error_set(parser->error, "\"%s\" is a %s: judge it with a percentile such as p99, or with mean, min or max", word,
                         is_duration(row) ? "time" : "number of each exchange");
    if (!counts && !is_histogram(row))
        return error_set(parser->error, "\"%s\" is a number of events: judge it with rate or count", word);
    return 0;
}

static int parse_operator(struct parser *parser, struct threshold *threshold)
{
    skip_space(parser);
    for (unsigned i = 0; i < COUNT(operators); i++) {
        size_t length = strlen(operators[i].text);
        if (strncmp(parser->at, operators[i].text, length) == 0) {
            parser->at += length;
            threshold->op = operators[i].op;
            return 0;
        }
    }
    return error_set(parser->error, "an operator is missing: one of <, <=, >, >=, ==, !=");
}

static int parse_duration_value(struct parser *parser, const char *word, struct threshold *threshold)
{
    uint64_t ns = 0;
    threshold->unit = UNIT_DURATION;
    if (units_parse_duration(word, &ns) == 0) {
        threshold->value = (double)ns;
        return 0;
    }
    if (isdigit((unsigned char)word[0]) && word[strspn(word, "0123456789.")] == '\0')
        return error_set(parser->error, "\"%s\" has no unit: write %sms, %ss or %sus", word, word, word, word);
    return error_set(parser->error, "\"%s\" is no duration: write it like 200ms, 1.5s or 1m30s", word);
}

static int parse_rate_value(struct parser *parser, const char *word, struct threshold *threshold)
{
    const struct metric_row *row = row_of(threshold);
    const char *name = threshold->plugin_metric ? threshold->plugin_metric : row->name;
    if (strchr(word, '/')) {
        threshold->unit = UNIT_PER_SECOND;
        if (!row->per_second)
            return error_set(parser->error, "rate(%s) is a share: write it like 99%%", name);
        if (units_parse_rate(word, &threshold->value) < 0)
            return error_set(parser->error, "\"%s\" is no rate: write it like 500/s", word);
        return 0;
    }
    threshold->unit = UNIT_RATIO;
    if (!row->share)
        return error_set(parser->error, "rate(%s) is a number per second: write it like 500/s", name);
    if (units_parse_ratio(word, &threshold->value) < 0)
        return error_set(parser->error, "\"%s\" is no share: write it like 0.1%% or 0.001, at most 100%%%s", word,
                         row->per_second ? "; or a number per second like 5/s" : "");
    return 0;
}

static int parse_value(struct parser *parser, struct threshold *threshold)
{
    char word[WORD_MAX + 1];
    size_t length = 0;
    uint64_t count = 0;
    skip_space(parser);
    for (; *parser->at && !isspace((unsigned char)*parser->at); parser->at++)
        if (length < WORD_MAX)
            word[length++] = *parser->at;
    word[length] = '\0';
    if (length == 0)
        return error_set(parser->error, "a value is missing behind the operator");
    if (threshold->measure == MEASURE_RATE)
        return parse_rate_value(parser, word, threshold);
    if (threshold->measure != MEASURE_COUNT && is_duration(row_of(threshold)))
        return parse_duration_value(parser, word, threshold);
    threshold->unit = UNIT_COUNT;
    if (units_parse_count(word, &count) < 0)
        return error_set(parser->error, "\"%s\" is no count: write it like 1000 or 10k", word);
    threshold->value = (double)count;
    return 0;
}

/* Whether the next word is this one; then it is passed. */
static bool take_word(struct parser *parser, const char *word)
{
    size_t len = strlen(word);
    skip_space(parser);
    if (strncmp(parser->at, word, len) != 0 || (parser->at[len] && !isspace((unsigned char)parser->at[len])))
        return false;
    parser->at += len;
    return true;
}

static int parse_window(struct parser *parser, struct threshold *threshold)
{
    char word[WORD_MAX + 1];
    uint64_t ns = 0;
    if (!take_word(parser, "over"))
        return 0;
    if (!take_word(parser, "any"))
        return error_set(parser->error, "\"any\" is missing: write it like p95(latency) < 100ms over any 10s");
    enum source source = row_of(threshold)->source;
    if (source == FROM_JOURNEYS || source == FROM_DROPPED)
        return error_set(parser->error, "journeys are counted over the whole run: judge exchanges instead, or leave the window out");
    read_word(parser, word);
    if (units_parse_duration(word, &ns) < 0 || ns == 0 || ns % 1000000000 != 0)
        return error_set(parser->error, "\"%s\" is no window; write whole seconds, like 10s", word);
    if (ns / 1000000000 > THRESHOLD_WINDOW_MAX_S)
        return error_set(parser->error, "a window has at most %us", THRESHOLD_WINDOW_MAX_S);
    threshold->window_s = (uint32_t)(ns / 1000000000);
    return 0;
}

static int parse_end(struct parser *parser)
{
    skip_space(parser);
    if (!*parser->at)
        return 0;
    return error_set(parser->error, "nothing but \"over any 10s\" may follow the value, but there is \"%.40s\"; a unit stands right behind its number", parser->at);
}

int threshold_parse(const char *text, const struct threshold_metric *metrics, uint32_t metric_count, struct arena *arena, struct threshold *ret, uint32_t *ret_column, struct error *error)
{
    struct parser parser = {.text = text, .at = text, .mistake = text, .metrics = metrics, .metric_count = metric_count, .arena = arena, .error = error};
    struct threshold threshold = {.series = -1, .check = -1};
    if (parse_function(&parser, &threshold) < 0 || expect(&parser, '(') < 0 || parse_metric(&parser, &threshold) < 0 ||
        expect(&parser, ')') < 0 || parse_operator(&parser, &threshold) < 0 || parse_value(&parser, &threshold) < 0 ||
        parse_window(&parser, &threshold) < 0 || parse_end(&parser) < 0) {
        *ret_column = (uint32_t)(parser.mistake - text) + 1;
        return -1;
    }
    threshold.text = arena_copy(arena, text, strlen(text));
    *ret = threshold;
    return 0;
}

void threshold_negate(struct threshold *threshold)
{
    static const enum threshold_op opposites[] = {[OP_LESS] = OP_GREATER_EQUAL,  [OP_LESS_EQUAL] = OP_GREATER,
                                                  [OP_GREATER] = OP_LESS_EQUAL,  [OP_GREATER_EQUAL] = OP_LESS,
                                                  [OP_EQUAL] = OP_NOT_EQUAL,     [OP_NOT_EQUAL] = OP_EQUAL};
    threshold->op = opposites[threshold->op];
    threshold->when = !threshold->when;
}

/* ---- Judging ----------------------------------------------------------------------------------- */

static void gather_plugin(const struct threshold *threshold, const struct series *series, uint32_t index, struct threshold_part *part)
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
    const struct metric_row *row = row_of(threshold);
    for (uint32_t i = 0; i < store->check_count; i++) {
        const struct check_count *check = &store->checks[i];
        if (threshold->check >= 0 && (uint32_t)threshold->check != i)
            continue;
        gathered->total += check->passed + check->failed;
        gathered->events += row->source == FROM_FAILED ? check->failed : check->passed;
    }
    if (row->source == FROM_CHECKS && threshold->measure == MEASURE_COUNT)
        gathered->events = gathered->total;
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
    const struct metric_row *row = row_of(threshold);
    bool of_checks = row->source == FROM_CHECKS || row->source == FROM_PASSED;
    if (of_checks || (threshold->check >= 0 && row->source == FROM_FAILED)) {
        gather_checks(threshold, store, gathered);
    } else if (threshold->check >= 0) {
        return; /* a check has no such metric: no data */
    } else if (row->source == FROM_JOURNEYS_DURATION || row->source == FROM_JOURNEYS) {
        const struct ledger *ledger = &store->ledgers[BLOCK_MEASURED];
        if (threshold->series >= 0)
            return; /* nor has a step */
        histogram_merge(&gathered->times, &store->journey_ns);
        gathered->events += ledger->completed;
        gathered->total += ledger->due;
    } else if (row->source == FROM_GENERATOR || row->source == FROM_DROPPED || row->source == FROM_SKIPPED_TICKS) {
        gather_generator(row, store, gathered);
    } else {
        for (uint32_t i = 0; i < store->series_count; i++) {
            if (threshold->series >= 0 && (uint32_t)threshold->series != i)
                continue;
            if (threshold->plugin_metric)
                gather_plugin(threshold, &store->series[i], i, gathered);
            else
                gather_series(row, &store->series[i], gathered);
        }
    }
}

static void measure(const struct threshold *threshold, const struct threshold_part *gathered, uint64_t measured_ns,
                    struct threshold_result *result)
{
    const struct histogram *times = &gathered->times;
    bool of_times = is_histogram(row_of(threshold));
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
        result->lower_bound = threshold->measure == MEASURE_MEAN || result->actual >= (double)gathered->lower_bound_min_ns;
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

char *threshold_print_actual(const struct threshold *threshold, const struct threshold_result *result, char *buf, size_t size)
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
