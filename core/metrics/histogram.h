/*
 * A log-linear histogram with the bucket layout of HdrHistogram (Tene): lowest discernible value 1 ns,
 * 3 significant digits, highest trackable value 1 h.
 *
 * Layout: with SUB = 2048 slots a bucket, values below 2048 have a slot each; above, every further power of two is
 * cut into SUB/2 = 1024 slots. Error bound: a slot that holds value v >= 2048 is 2^k wide with 2^k * 1024 <= v, so
 * any value reported from a slot is off by less than v / 1024 (< 0.1 %), and by nothing below 2048 ns. tests/unit
 * checks this bound on every slot's edges.
 *
 * Quantiles: with n samples, the q-quantile is the smallest value v such that at least ceil(q * n) samples are <= v;
 * q = 0 is the minimum. (q * n within four rounding errors of a double above a whole number is that number.) What is
 * reported is the highest value of v's slot: never below v, and above it by less than the error bound.
 *
 * Values above the range count in the last slot and in `overflow`; min, max, count and sum are exact. Histograms
 * are merged by adding counts. A percentile is taken once, from the merged counts; no two are ever averaged.
 *
 * Slots are mapped on first use and cost memory only where they are touched (a page for 512 slots).
 */
#ifndef SQUALL_METRICS_HISTOGRAM_H
#define SQUALL_METRICS_HISTOGRAM_H
#include <stdbool.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 11
#define HISTOGRAM_MAX_VALUE UINT64_C(3600000000000) /* 1 h in ns */
/* index of HISTOGRAM_MAX_VALUE, plus one; asserted by a test */
#define HISTOGRAM_SLOTS 33421

struct histogram {
    uint64_t *slots; /* NULL until the first record */
    uint64_t count, overflow;
    uint64_t min, max; /* meaningful when count > 0; min starts at UINT64_MAX */
    double sum;
    uint32_t low, high; /* the range of slots touched; low > high when none */
};

void histogram_init(struct histogram *histogram);
void histogram_fini(struct histogram *histogram);
/* Forgets all samples, visiting only the touched range. */
void histogram_reset(struct histogram *histogram);

static inline uint32_t histogram_index(uint64_t value)
{
    /* The bucket is the number of powers of two above the linear range; `| (SUB - 1)` makes it 0 below. */
    uint32_t bucket = 63u - (uint32_t)__builtin_clzll(value | ((UINT64_C(1) << HISTOGRAM_SUB_BITS) - 1)) - (HISTOGRAM_SUB_BITS - 1);
    return (bucket << (HISTOGRAM_SUB_BITS - 1)) + (uint32_t)(value >> bucket);
}
/* Smallest and largest value of a slot. */
uint64_t histogram_slot_low(uint32_t index);
uint64_t histogram_slot_high(uint32_t index);

/* Maps the slots; called by histogram_record on first use. */
void histogram_map(struct histogram *histogram);

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    uint64_t held = value;
    if (__builtin_expect(value > HISTOGRAM_MAX_VALUE, 0)) {
        held = HISTOGRAM_MAX_VALUE;
        histogram->overflow++;
    }
    if (__builtin_expect(!histogram->slots, 0))
        histogram_map(histogram);
    uint32_t index = histogram_index(held);
    histogram->slots[index]++;
    histogram->count++;
    histogram->sum += (double)value;
    if (value < histogram->min)
        histogram->min = value;
    if (value > histogram->max)
        histogram->max = value;
    if (index < histogram->low)
        histogram->low = index;
    if (index > histogram->high)
        histogram->high = index;
}

/* Adds n samples of a slot: for reading a snapshot. Leaves count, sum, min and max alone. */
static inline void histogram_add_slot(struct histogram *histogram, uint32_t index, uint64_t n)
{
    if (!histogram->slots)
        histogram_map(histogram);
    if (index < histogram->low)
        histogram->low = index;
    if (index > histogram->high)
        histogram->high = index;
    histogram->slots[index] += n;
}
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The q-quantile as defined above (0 <= q <= 1), never above max nor below min. 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double q);
double histogram_mean(const struct histogram *histogram);
/* From slot midpoints: within the error bound above. */
double histogram_stddev(const struct histogram *histogram);
/* Samples above a value; samples of the value's own slot count as not above. */
uint64_t histogram_count_above(const struct histogram *histogram, uint64_t value);

#endif
