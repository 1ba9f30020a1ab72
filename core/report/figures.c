/* The numbers that reports share. Pure: nothing here changes a result. */
#include "report/figures.h"
#include "base/clock.h"
#include "engine/protocol.h"
#include <inttypes.h>
#include <stdio.h>

uint64_t figures_ended(const uint64_t outcomes[OUTCOME_COUNT])
{
    uint64_t ended = 0;
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (i != OUTCOME_UNFINISHED)
            ended += outcomes[i];
    return ended;
}

uint64_t figures_failed(const struct series *series)
{
    return series->count - series->outcomes[OUTCOME_OK];
}

double figures_rate(uint64_t count, uint64_t ns)
{
    return ns ? (double)count * (double)NS_PER_S / (double)ns : -1;
}

bool figures_has_sent(const struct protocol *protocol)
{
    return !(protocol->abi.flags & SQUALL_OWN_TRANSPORT);
}

void figures_latency_init(struct figures_latency *latency)
{
    histogram_init(&latency->histogram);
    latency->lower_bounds = 0;
    latency->lower_bound_min_ns = UINT64_MAX;
}

void figures_latency_fini(struct figures_latency *latency)
{
    histogram_fini(&latency->histogram);
}

void figures_latency_add(struct figures_latency *latency, const struct series *series)
{
    histogram_merge(&latency->histogram, &series->latency_ok);
    histogram_merge(&latency->histogram, &series->latency_failed);
    latency->lower_bounds += series->lower_bounds;
    if (series->lower_bounds > 0 && series->lower_bound_min_ns < latency->lower_bound_min_ns)
        latency->lower_bound_min_ns = series->lower_bound_min_ns;
}

bool figures_is_lower_bound(const struct figures_latency *latency, uint64_t value_ns)
{
    return latency->lower_bounds > 0 && value_ns >= latency->lower_bound_min_ns;
}

bool figures_deliveries(const struct result *result, const uint32_t *steps, uint32_t step_count, struct figures_deliveries *ret)
{
    *ret = (struct figures_deliveries){0};
    for (uint32_t i = 0; result->store.deliveries && i < (steps ? step_count : result->store.series_count); i++) {
        const struct deliveries *one = &result->store.deliveries[steps ? steps[i] : i];
        if (!one->wanted)
            continue;
        ret->sum.wanted = true;
        ret->sum.unknown |= one->unknown;
        ret->sum.delivered += one->delivered;
        ret->sum.expected += one->expected;
        ret->missing += undelivered(one);
    }
    return ret->sum.wanted;
}

char *figures_code_key(char *buf, size_t size, const struct protocol *protocol, uint32_t code)
{
    if (code == UINT32_MAX)
        snprintf(buf, size, "other");
    else
        snprintf(buf, size, "%" PRIu32, code - protocol_code_base(protocol));
    return buf;
}
