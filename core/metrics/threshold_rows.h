/* The metrics that thresholds know: one row each, from which the parser, its suggestions and the judge are made. */
#ifndef SQUALL_METRICS_THRESHOLD_ROWS_H
#define SQUALL_METRICS_THRESHOLD_ROWS_H
#include "metrics/threshold.h"

/* Where a metric's figures stand. In this order: times, other histograms, numbers of events. */
enum source {
    FROM_LATENCY,   /* latency_ok and latency_failed together */
    FROM_HISTOGRAM, /* of a series, at `place` */
    FROM_JOURNEYS_DURATION,
    FROM_TRANSACTION_TIMES,
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
    FROM_TRANSACTIONS,
    FROM_DELIVERED, /* these two are of a run that is over */
    FROM_UNDELIVERED,
};

/* What a metric may be judged of: bits of enum threshold_scope. */
#define OF(scope) (1u << (scope))

struct metric_row {
    const char *name; /* first: error_nearest walks the table by it */
    enum source source;
    bool share, per_second; /* what rate() of it may mean */
    uint32_t scopes;
    size_t place;
};
extern const struct metric_row threshold_rows[];
extern const uint32_t threshold_row_count;

/* threshold->metric of a plugin's. */
enum { PLUGIN_TIMES, PLUGIN_NUMBERS, PLUGIN_COUNTER };

/* The row of a threshold's metric, a plugin's too. */
const struct metric_row *threshold_row(const struct threshold *threshold);

static inline bool row_is_duration(const struct metric_row *row)
{
    return row->source <= FROM_PLUGIN_TIMES;
}
static inline bool row_is_histogram(const struct metric_row *row)
{
    return row->source <= FROM_PLUGIN_NUMBERS;
}
static inline bool row_is_of_the_end(const struct metric_row *row)
{
    return row->source >= FROM_DELIVERED;
}

#endif
