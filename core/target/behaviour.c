/* Distributions and stalls: see behaviour.h for the grammar. */
#include "target/behaviour.h"
#include "base/units.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX   128
#define PARAMS_MAX 3

/* One letter a parameter: v, a duration or size; p, a probability; n, a positive number without unit. */
struct distribution_row {
    const char *name;
    const char *params;
    const char *form;
};

static const struct distribution_row rows[] = {
    [DISTRIBUTION_CONSTANT] = {"constant", "v", "constant(X)"},
    [DISTRIBUTION_UNIFORM] = {"uniform", "vv", "uniform(MIN,MAX)"},
    [DISTRIBUTION_EXPONENTIAL] = {"exponential", "v", "exponential(MEAN)"},
    [DISTRIBUTION_NORMAL] = {"normal", "vv", "normal(MEAN,STDDEV)"},
    [DISTRIBUTION_LOGNORMAL] = {"lognormal", "vn", "lognormal(MEDIAN,SIGMA)"},
    [DISTRIBUTION_BIMODAL] = {"bimodal", "vvp", "bimodal(X,Y,PROBABILITY)"},
    [DISTRIBUTION_PARETO] = {"pareto", "vn", "pareto(MIN,ALPHA)"},
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

static double cap_of(uint32_t type)
{
    return (double)(type == SQUALL_DURATION ? BEHAVIOUR_DELAY_MAX_NS : BEHAVIOUR_SIZE_MAX);
}

static int parse_value(const char *text, uint32_t type, double *ret_value, struct error *error)
{
    uint64_t value;
    int failed = type == SQUALL_DURATION ? units_parse_duration(text, &value) : units_parse_size(text, &value);
    if (failed)
        return error_set(error,
                         type == SQUALL_DURATION ? "\"%s\" is not a duration: write 5ms, 200us, 1.5s"
                                                 : "\"%s\" is not a size: write 128, 4k, 64KiB",
                         text);
    if ((double)value > cap_of(type))
        return error_set(error, "\"%s\" is too much: the most is %s", text, type == SQUALL_DURATION ? "60s" : "1GiB");
    *ret_value = (double)value;
    return 0;
}

static int parse_number(const char *text, double min, double max, double *ret_value, struct error *error)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= min && value <= max))
        return error_set(error, "\"%s\" is not a number from %g to %g", text, min, max);
    *ret_value = value;
    return 0;
}

static int parse_param(const char *text, char kind, uint32_t type, double *ret_value, struct error *error)
{
    if (kind == 'v')
        return parse_value(text, type, ret_value, error);
    if (kind == 'p')
        return parse_number(text, 0, 1, ret_value, error);
    return parse_number(text, 0.01, 100, ret_value, error);
}

static char *trim(char *text)
{
    while (*text == ' ')
        text++;
    size_t len = strlen(text);
    while (len && text[len - 1] == ' ')
        text[--len] = '\0';
    return text;
}

/* Cuts "a,b,c" into its parts; returns how many there are, which may be more than were kept. */
static uint32_t split(char *list, char *parts[PARAMS_MAX])
{
    uint32_t count = 0;
    for (char *part = list; part; count++) {
        char *comma = strchr(part, ',');
        if (comma)
            *comma = '\0';
        if (count < PARAMS_MAX)
            parts[count] = trim(part);
        part = comma ? comma + 1 : NULL;
    }
    return count;
}

static int unknown_name(const char *name, struct error *error)
{
    const char *nearest = error_nearest(name, &rows[0].name, ROW_COUNT, sizeof rows[0]);
    if (nearest)
        return error_set(error, "\"%s\" is not a distribution: did you mean \"%s\"?", name, nearest);
    return error_set(error,
                     "\"%s\" is not a distribution: write constant, uniform, exponential, normal, lognormal, "
                     "bimodal or pareto",
                     name);
}

int distribution_parse(const char *text, uint32_t type, struct squall_distribution *ret_distribution,
                       struct error *error)
{
    char copy[TEXT_MAX];
    if (strlen(text) >= sizeof copy)
        return error_set(error, "a distribution has at most %d characters", TEXT_MAX - 1);
    memcpy(copy, text, strlen(text) + 1);
    struct squall_distribution distribution = {.kind = DISTRIBUTION_CONSTANT, .type = type};
    double *values[PARAMS_MAX] = {&distribution.a, &distribution.b, &distribution.c};
    char *name = trim(copy);
    char *open = strchr(name, '(');
    if (!open) {
        if (parse_value(name, type, &distribution.a, error))
            return -1;
        *ret_distribution = distribution;
        return 0;
    }
    *open++ = '\0';
    size_t len = strlen(open);
    if (!len || open[len - 1] != ')')
        return error_set(error, "\"%s\": the closing ) is missing", text);
    open[len - 1] = '\0';
    name = trim(name);
    uint32_t row = 0;
    while (row < ROW_COUNT && strcmp(rows[row].name, name) != 0)
        row++;
    if (row == ROW_COUNT)
        return unknown_name(name, error);
    char *parts[PARAMS_MAX];
    if (split(open, parts) != strlen(rows[row].params))
        return error_set(error, "\"%s\": write %s", text, rows[row].form);
    for (uint32_t i = 0; rows[row].params[i]; i++)
        if (parse_param(parts[i], rows[row].params[i], type, values[i], error))
            return -1;
    if (row == DISTRIBUTION_UNIFORM && distribution.a > distribution.b)
        return error_set(error, "\"%s\": the first bound is above the second", text);
    distribution.kind = row;
    *ret_distribution = distribution;
    return 0;
}

/* In (0, 1], so that its logarithm is finite. */
static double unit_above_zero(struct random_stream *stream)
{
    return 1.0 - random_unit(stream);
}

/* Box and Muller 1958; the second value is thrown away so that a draw has no memory. */
static double standard_normal(struct random_stream *stream)
{
    double radius = sqrt(-2.0 * log(unit_above_zero(stream)));
    return radius * cos(2.0 * 3.14159265358979323846 * random_unit(stream));
}

static double draw(const struct squall_distribution *d, struct random_stream *stream)
{
    switch ((enum distribution_kind)d->kind) {
    case DISTRIBUTION_CONSTANT:
        return d->a;
    case DISTRIBUTION_UNIFORM:
        return d->a + floor(random_unit(stream) * (d->b - d->a + 1.0));
    case DISTRIBUTION_EXPONENTIAL:
        return -log(unit_above_zero(stream)) * d->a;
    case DISTRIBUTION_NORMAL:
        return d->a + d->b * standard_normal(stream);
    case DISTRIBUTION_LOGNORMAL:
        return d->a * exp(d->b * standard_normal(stream));
    case DISTRIBUTION_BIMODAL:
        return random_unit(stream) < d->c ? d->a : d->b;
    case DISTRIBUTION_PARETO:
        return d->a * pow(unit_above_zero(stream), -1.0 / d->b);
    }
    return 0;
}

uint64_t distribution_draw(const struct squall_distribution *distribution, struct random_stream *stream)
{
    double value = draw(distribution, stream), cap = cap_of(distribution->type);
    if (!(value > 0))
        return 0;
    return (uint64_t)((value < cap ? value : cap) + 0.5);
}

void stalls_insert(struct stalls *stalls, uint64_t start_ns, uint64_t end_ns)
{
    if (stalls->count == BEHAVIOUR_STALLS_MAX) {
        uint32_t first = 0;
        for (uint32_t i = 1; i < stalls->count; i++)
            if (stalls->list[i].end_ns < stalls->list[first].end_ns)
                first = i;
        stalls->count--;
        memmove(&stalls->list[first], &stalls->list[first + 1], (stalls->count - first) * sizeof stalls->list[0]);
    }
    uint32_t place = stalls->count++;
    for (; place && stalls->list[place - 1].start_ns > start_ns; place--)
        stalls->list[place] = stalls->list[place - 1];
    stalls->list[place] = (struct stall){start_ns, end_ns};
}

static int add_one(struct stalls *stalls, char *text, struct error *error)
{
    char *at = strchr(text, '@');
    uint64_t length_ns, start_ns;
    if (at)
        *at = '\0';
    if (!at || units_parse_duration(trim(text), &length_ns) || units_parse_duration(trim(at + 1), &start_ns) ||
        !length_ns)
        return error_set(error,
                         "\"%s%s%s\" is not a stall: write 3s@5s for three seconds of silence from second five on",
                         text, at ? "@" : "", at ? at + 1 : "");
    if (stalls->count == BEHAVIOUR_STALLS_MAX)
        return error_set(error, "at most %d stalls", BEHAVIOUR_STALLS_MAX);
    if (length_ns > UINT64_MAX - start_ns)
        return error_set(error, "a stall must end some day");
    stalls_insert(stalls, start_ns, start_ns + length_ns);
    return 0;
}

int stalls_add(struct stalls *stalls, const char *text, struct error *error)
{
    char copy[TEXT_MAX];
    do {
        size_t len = strcspn(text, ",");
        if (len >= sizeof copy)
            return error_set(error, "\"%.40s...\" is not a stall: write 3s@5s", text);
        memcpy(copy, text, len);
        copy[len] = '\0';
        if (add_one(stalls, copy, error))
            return -1;
        text += len;
    } while (*text++ == ',');
    return 0;
}

uint64_t stalls_end(const struct stalls *stalls, uint64_t now_ns)
{
    uint64_t end_ns = now_ns;
    for (uint32_t i = 0; i < stalls->count; i++)
        if (stalls->list[i].start_ns <= end_ns && stalls->list[i].end_ns > end_ns)
            end_ns = stalls->list[i].end_ns;
    return end_ns == now_ns ? 0 : end_ns;
}

uint64_t stalls_next(const struct stalls *stalls, uint64_t now_ns)
{
    for (uint32_t i = 0; i < stalls->count; i++)
        if (stalls->list[i].start_ns > now_ns)
            return stalls->list[i].start_ns;
    return UINT64_MAX;
}

void places_init(struct places *places, uint32_t count)
{
    memset(places, 0, sizeof *places);
    places->count = count;
}

uint64_t places_take(struct places *places, uint64_t now_ns, uint64_t length_ns)
{
    if (!places->count)
        return now_ns + length_ns;
    uint64_t *heap = places->free_ns, done_ns = (heap[0] > now_ns ? heap[0] : now_ns) + length_ns;
    uint32_t place = 0;
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child + 1 < places->count && heap[child + 1] < heap[child])
            child++;
        if (child >= places->count || heap[child] >= done_ns)
            break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = done_ns;
    return done_ns;
}
