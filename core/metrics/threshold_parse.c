/*
 * The grammar of thresholds: FUNCTION(METRIC) OPERATOR VALUE [over any TIME]. See threshold.h. Functions, metrics and
 * operators are rows of tables, and so are the words of other tools for them.
 */
#include "base/units.h"
#include "metrics/threshold_rows.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(table) ((unsigned)(sizeof(table) / sizeof((table)[0])))

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
                {"median", "p50"},         {"response_time", "latency"}, {"success", "ok"}};

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
    for (unsigned i = 0; i < threshold_row_count; i++)
        if (strcmp(word, threshold_rows[i].name) == 0)
            return error_set(parser->error, "\"%s\" is a metric, and a threshold begins with what is made of it; write for example rate(failed) < 1%%, p99(latency) < 200ms", word);
    const char *nearest = suggestion(word, &function_rows[0].name, COUNT(function_rows), sizeof(function_rows[0]));
    return error_set(parser->error, "\"%s\" is no function%s%s%s p50, p99.9 and the like (up to p100), mean, min, max, rate, count",
                     word, nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"? There are" : "; there are");
}

static int unknown_metric(struct parser *parser, const char *word)
{
    char all[600] = "";
    size_t used = 0;
    const char *nearest = suggestion(word, &threshold_rows[0].name, threshold_row_count, sizeof(threshold_rows[0]));
    if (!nearest && parser->metric_count)
        nearest = suggestion(word, &parser->metrics[0].name, parser->metric_count, sizeof(parser->metrics[0]));
    for (unsigned i = 0; i < threshold_row_count + parser->metric_count && used < sizeof(all); i++) {
        const char *name = i < threshold_row_count ? threshold_rows[i].name : parser->metrics[i - threshold_row_count].name;
        used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", name);
    }
    return error_set(parser->error, "\"%s\" is no metric%s%s%s %s", word, nearest ? "; did you mean \"" : "",
                     nearest ? nearest : "", nearest ? "\"? There are" : "; there are", all);
}

static bool ends_in(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

/* A time may be named without its unit, as those of ours are. */
static bool is_named(const struct threshold_metric *metric, const char *word)
{
    size_t len = strlen(word);
    return strncmp(metric->name, word, len) == 0 && (!metric->name[len] || strcmp(metric->name + len, "_ns") == 0);
}

static bool find_metric(const struct parser *parser, const char *word, struct threshold *threshold)
{
    for (unsigned i = 0; i < threshold_row_count; i++) {
        if (strcmp(word, threshold_rows[i].name) == 0) {
            threshold->metric = i;
            return true;
        }
    }
    for (uint32_t i = 0; i < parser->metric_count; i++) {
        const struct threshold_metric *metric = &parser->metrics[i];
        if (!is_named(metric, word))
            continue;
        threshold->plugin_metric = arena_copy(parser->arena, metric->name, strlen(metric->name));
        threshold->metric = metric->counter ? PLUGIN_COUNTER : ends_in(metric->name, "_ns") ? PLUGIN_TIMES : PLUGIN_NUMBERS;
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
    const struct metric_row *row = threshold_row(threshold);
    if (counts && row_is_histogram(row))
        return error_set(parser->error, "\"%s\" is a %s: judge it with a percentile such as p99, or with mean, min or max", word,
                         row_is_duration(row) ? "time" : "number of each exchange");
    if (!counts && !row_is_histogram(row))
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
    const struct metric_row *row = threshold_row(threshold);
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
    bool below = threshold->op == OP_LESS || threshold->op == OP_LESS_EQUAL;
    if (below && threshold->value >= 1 && !strchr(word, '%')) /* as good as always true: 1% was meant */
        return error_set(parser->error, "\"%s\" is a share, and all of it: write 1%% for one in a hundred, or 100%% if it is meant", word);
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
    if (threshold->measure != MEASURE_COUNT && row_is_duration(threshold_row(threshold)))
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
    enum source source = threshold_row(threshold)->source;
    if (row_is_of_the_end(threshold_row(threshold)))
        return error_set(parser->error, "what was delivered is known when the run is over: leave the window out, or judge the times of deliveries");
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
    struct threshold threshold = {.scope = SCOPE_RUN};
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
