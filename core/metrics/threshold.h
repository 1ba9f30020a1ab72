/*
 * Thresholds: "p99(latency) < 200ms", "rate(failed) < 0.1%", "count(ok) >= 1000", scoped to a step or to a check.
 * Parsed when the scenario is read, judged once over the whole measured block.
 */
#ifndef SQUALL_METRICS_THRESHOLD_H
#define SQUALL_METRICS_THRESHOLD_H
#include "base/arena.h"
#include "base/error.h"
#include "metrics/series.h"
#include <stdbool.h>

enum threshold_measure { MEASURE_QUANTILE, MEASURE_MEAN, MEASURE_MIN, MEASURE_MAX, MEASURE_RATE, MEASURE_COUNT };
enum threshold_unit { UNIT_DURATION, UNIT_RATIO, UNIT_PER_SECOND, UNIT_COUNT };
enum threshold_op { OP_LESS, OP_LESS_EQUAL, OP_GREATER, OP_GREATER_EQUAL, OP_EQUAL, OP_NOT_EQUAL };

struct threshold {
    const char *text;       /* as written, scope included */
    enum threshold_measure measure;
    double quantile;        /* MEASURE_QUANTILE */
    uint32_t metric;        /* row of threshold.c's table of metrics */
    enum threshold_op op;
    enum threshold_unit unit;
    double value;           /* ns, ratio, per second, or a count */
    int32_t series;         /* -1: all steps */
    int32_t check;          /* index, or -1 */
};
struct threshold_result {
    bool pass;
    double actual;      /* in the threshold's unit */
    bool lower_bound;   /* actual is a lower bound: print with >= */
    bool no_data;       /* nothing was measured that it could judge: it fails */
};

/* Parses the expression; scope (step or check) is filled in by the caller. `column` in errors is 1-based within text. */
int threshold_parse(const char *text, struct arena *arena, struct threshold *ret, uint32_t *ret_column, struct error *error);
void threshold_judge(const struct threshold *threshold, const struct store *store, uint64_t measured_ns,
                     struct threshold_result *ret_result);
/* "182ms", "0.02%", "1,204/s", "1200" */
char *threshold_print_actual(const struct threshold *threshold, const struct threshold_result *result, char *buf, size_t size);

#endif
