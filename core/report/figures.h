/*
 * What the screen and the summary both say, worked out once: so that no two reports of a run can disagree.
 * Borrowed from the result; only a figures_latency owns memory.
 */
#ifndef SQUALL_REPORT_FIGURES_H
#define SQUALL_REPORT_FIGURES_H
#include "metrics/result.h"

/* Exchanges that came to an end within the run: all but the unfinished. What rates count. */
uint64_t figures_ended(const uint64_t outcomes[OUTCOME_COUNT]);
uint64_t figures_failed(const struct series *series);
/* Per second; negative where no time was measured and there is no rate. */
double figures_rate(uint64_t count, uint64_t ns);
/* False where the plugin moves its own bytes: there is no `sent`, so neither service time nor transport phases. */
bool figures_has_sent(const struct protocol *protocol);

/* Latency of one step, or of all. */
struct figures_latency {
    struct histogram histogram;
    uint64_t lower_bounds, lower_bound_min_ns;
};
void figures_latency_init(struct figures_latency *latency);
void figures_latency_fini(struct figures_latency *latency);
void figures_latency_add(struct figures_latency *latency, const struct series *series);
/* Whether a value taken from the histogram may be too low: it reaches up to the first lower bound. */
bool figures_is_lower_bound(const struct figures_latency *latency, uint64_t value_ns);

/* The sum over some steps, NULL: over all of them; `missing` of each is added, since one's surplus is not the other's. False
 * where none of them receives. */
struct figures_deliveries {
    struct deliveries sum;
    uint64_t missing;
};
bool figures_deliveries(const struct result *result, const uint32_t *steps, uint32_t step_count, struct figures_deliveries *ret);

/* "404", or "other" for what the series had no room to tell apart. Returns buf. */
char *figures_code_key(char *buf, size_t size, const struct protocol *protocol, uint32_t code);

#endif
