/*
 * The histogram's cold half: mapping, merging and reading. See histogram.h for the layout and its error bound.
 * Every walk over slots stays within [low, high]: untouched pages are never read, so they are never made.
 */
#include "metrics/histogram.h"
#include "base/arena.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SUB_HALF (UINT32_C(1) << (HISTOGRAM_SUB_BITS - 1))
#define MAPPED_BYTES (HISTOGRAM_SLOTS * sizeof(uint64_t))

static void forget(struct histogram *histogram)
{
    histogram->count = histogram->overflow = histogram->max = 0;
    histogram->min = UINT64_MAX;
    histogram->sum = 0;
    histogram->low = HISTOGRAM_SLOTS;
    histogram->high = 0;
}

void histogram_init(struct histogram *histogram)
{
    histogram->slots = NULL;
    forget(histogram);
}

void histogram_fini(struct histogram *histogram)
{
    if (histogram->slots)
        munmap(histogram->slots, MAPPED_BYTES);
    histogram_init(histogram);
}

void histogram_reset(struct histogram *histogram)
{
    if (histogram->low <= histogram->high)
        memset(histogram->slots + histogram->low, 0,
               (histogram->high - histogram->low + 1) * sizeof(*histogram->slots));
    forget(histogram);
}

/* mmap and not calloc: the allocator may hand out used memory, which it would have to clear page by page. */
void histogram_map(struct histogram *histogram)
{
    void *slots = mmap(NULL, MAPPED_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (slots == MAP_FAILED)
        out_of_memory(MAPPED_BYTES);
    histogram->slots = slots;
}

/* Slots below 2 * SUB_HALF stand for themselves. Above, `index >> 10` counts the powers of two: slot index is
 * (bucket << 10) + (value >> bucket), with value >> bucket in [1024, 2048). */
uint64_t histogram_slot_low(uint32_t index)
{
    uint32_t bucket = index < 2 * SUB_HALF ? 0 : index / SUB_HALF - 1;
    return (uint64_t)(index - bucket * SUB_HALF) << bucket;
}

uint64_t histogram_slot_high(uint32_t index)
{
    return histogram_slot_low(index + 1) - 1;
}

static void touch(struct histogram *histogram, uint32_t low, uint32_t high)
{
    if (!histogram->slots)
        histogram_map(histogram);
    if (low < histogram->low)
        histogram->low = low;
    if (high > histogram->high)
        histogram->high = high;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    if (from->low <= from->high) {
        touch(into, from->low, from->high);
        for (uint32_t i = from->low; i <= from->high; i++)
            into->slots[i] += from->slots[i];
    }
    into->count += from->count;
    into->overflow += from->overflow;
    into->sum += from->sum;
    if (from->min < into->min)
        into->min = from->min;
    if (from->max > into->max)
        into->max = from->max;
}

/* ceil(q * count), at least 1. The product of a decimal such as 0.07 and 100 may lie a hair above the whole number
 * that is meant; within 4 rounding errors it counts as that number. */
static uint64_t rank_of(uint64_t count, double q)
{
    double rank = ceil(q * (double)count * (1 - 4 * DBL_EPSILON));
    if (!(rank >= 1))
        return 1;
    return rank >= (double)count ? count : (uint64_t)rank;
}

uint64_t histogram_quantile(const struct histogram *histogram, double q)
{
    if (histogram->count == 0)
        return 0;
    if (!(q > 0))
        return histogram->min;
    uint64_t rank = rank_of(histogram->count, q), seen = 0;
    for (uint32_t i = histogram->low; i <= histogram->high; i++) {
        seen += histogram->slots[i];
        if (seen < rank)
            continue;
        /* The last slot also holds all that is above the range. */
        uint64_t value = i == HISTOGRAM_SLOTS - 1 ? histogram->max : histogram_slot_high(i);
        if (value > histogram->max)
            return histogram->max;
        return value < histogram->min ? histogram->min : value;
    }
    return histogram->max;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count ? histogram->sum / (double)histogram->count : 0;
}

double histogram_stddev(const struct histogram *histogram)
{
    if (histogram->count == 0)
        return 0;
    double mean = histogram_mean(histogram), squares = 0;
    for (uint32_t i = histogram->low; i <= histogram->high; i++) {
        if (!histogram->slots[i])
            continue;
        double middle = ((double)histogram_slot_low(i) + (double)histogram_slot_high(i)) / 2;
        squares += (double)histogram->slots[i] * (middle - mean) * (middle - mean);
    }
    return sqrt(squares / (double)histogram->count);
}

uint64_t histogram_count_above(const struct histogram *histogram, uint64_t value)
{
    if (value >= HISTOGRAM_MAX_VALUE)
        return value >= histogram->max ? 0 : histogram->overflow;
    uint64_t above = 0;
    uint32_t first = histogram_index(value) + 1;
    for (uint32_t i = first > histogram->low ? first : histogram->low; i <= histogram->high; i++)
        above += histogram->slots[i];
    return above;
}
