/*
 * Thresholds: "p99(latency) < 200ms", "rate(failed) < 0.1%", "count(ok) >= 1000", of the whole run, of some steps, of a check
 * or of a transaction.
 * Parsed when the scenario is read; judged once over the whole measured block, or, with "over any 10s", over each stretch of
 * so many whole seconds (threshold_watch.h).
 */
#ifndef SQUALL_METRICS_THRESHOLD_H
#define SQUALL_METRICS_THRESHOLD_H
#include "base/arena.h"
#include "base/error.h"
#include "metrics/series.h"
#include <stdbool.h>

enum threshold_measure { MEASURE_QUANTILE, MEASURE_MEAN, MEASURE_MIN, MEASURE_MAX, MEASURE_RATE, MEASURE_COUNT };
#define THRESHOLD_WINDOW_MAX_S 300u

enum threshold_unit { UNIT_DURATION, UNIT_RATIO, UNIT_PER_SECOND, UNIT_COUNT };
enum threshold_op { OP_LESS, OP_LESS_EQUAL, OP_GREATER, OP_GREATER_EQUAL, OP_EQUAL, OP_NOT_EQUAL };

enum threshold_scope { SCOPE_RUN, SCOPE_STEPS, SCOPE_CHECK, SCOPE_TRANSACTION };

struct threshold {
    const char *text;       /* as written, scope included */
    enum threshold_measure measure;
    double quantile;        /* MEASURE_QUANTILE */
    uint32_t metric;        /* row of threshold.c's table of metrics */
    enum threshold_op op;
    enum threshold_unit unit;
    double value;           /* ns, ratio, per second, or a count */
    enum threshold_scope scope;
    const bool *series;     /* SCOPE_STEPS: of each series of the run, whether it is meant */
    uint32_t index;         /* of the check or the transaction */
    uint32_t window_s;      /* 0: the whole run */
    bool when;              /* `when:` says what must not be: op is its opposite, and no data is no failure */
    bool abort;             /* the run ends as soon as it fails */
    uint64_t grace_ns;      /* from the start, in which it is not looked at */
    const char *plugin_metric; /* NULL: `metric` is a row of ours */
    const int32_t *plugin_rows; /* as series: its row in the series' metrics, -1: the step has none; by whoever knows */
};

/* A metric that a plugin declares. */
struct threshold_metric {
    const char *name;
    bool counter; /* else a histogram; of times where the name ends in _ns */
};
struct threshold_result {
    bool pass;
    double actual;      /* in the threshold's unit */
    bool lower_bound;   /* actual is a lower bound: print with >= */
    bool no_data;       /* nothing was measured that it could judge: it fails */
    bool windowed;      /* `actual` is of the worst window: */
    uint64_t from_ns, to_ns; /* since the start of the load */
    bool aborted;       /* it ended the run */
};

/* Parses the expression; its scope is the run until the caller fills it in. `column` in errors is 1-based within text. */
int threshold_parse(const char *text, const struct threshold_metric *metrics, uint32_t metric_count, struct arena *arena, struct threshold *ret, uint32_t *ret_column, struct error *error);
/* Whether what has the threshold's scope has its metric: 0, or -1 with the ones that it has. */
int threshold_scope_check(const struct threshold *threshold, struct error *error);
void threshold_judge(const struct threshold *threshold, const struct store *store, uint64_t measured_ns,
                     struct threshold_result *ret_result);
/* Whether its metric is known only when the run is over. */
bool threshold_of_the_end(const struct threshold *threshold);
/* The threshold holds when the expression does not: for `when`. */
void threshold_negate(struct threshold *threshold);

/* What a threshold looks at, of a stretch of time. Parts of one threshold merge: percentiles are taken from the sum. */
struct threshold_part {
    struct histogram times;
    uint64_t lower_bounds, lower_bound_min_ns;
    uint64_t events, total; /* and what the events are a share of */
};
void threshold_part_init(struct threshold_part *part);
void threshold_part_fini(struct threshold_part *part);
void threshold_part_reset(struct threshold_part *part);
void threshold_part_merge(struct threshold_part *into, const struct threshold_part *from);
/* Adds what a store holds. */
void threshold_gather(const struct threshold *threshold, const struct store *store, struct threshold_part *part);
void threshold_judge_part(const struct threshold *threshold, const struct threshold_part *part, uint64_t measured_ns,
                          struct threshold_result *ret_result);

/* "182ms", "0.02%", "1,204/s", "1200" */
char *threshold_print_actual(const struct threshold *threshold, const struct threshold_result *result, char *buf, size_t size);

#endif
