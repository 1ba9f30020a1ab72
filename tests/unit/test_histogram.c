/* The histogram against its stated error bound on every slot, and against sorted arrays of samples. */
#include "metrics/histogram.h"
#include "base/random.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void test_layout(void **state)
{
    (void)state;
    assert_int_equal(HISTOGRAM_SLOTS, histogram_index(HISTOGRAM_MAX_VALUE) + 1);
    assert_int_equal(histogram_slot_low(0), 0);
    for (uint32_t i = 0; i < HISTOGRAM_SLOTS; i++) {
        uint64_t low = histogram_slot_low(i), high = histogram_slot_high(i);
        assert_int_equal(histogram_index(low), i);
        assert_int_equal(histogram_index(high), i);
        assert_true(high >= low);
        assert_int_equal(histogram_slot_low(i + 1), high + 1); /* no gap, no overlap */
        if (high < 2048)
            assert_int_equal(low, high);
        else
            assert_true((high - low) * 1024 < low); /* the error bound */
    }
}

static void test_every_edge_reports_within_bound(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram);
    for (uint32_t i = 0; i < HISTOGRAM_SLOTS - 1; i++) {
        uint64_t edges[] = {histogram_slot_low(i), histogram_slot_high(i)};
        for (int e = 0; e < 2; e++) {
            histogram_reset(&histogram);
            histogram_record(&histogram, edges[e]);
            histogram_record(&histogram, HISTOGRAM_MAX_VALUE); /* so that max does not hide the slot's width */
            uint64_t reported = histogram_quantile(&histogram, 0.5);
            assert_true(reported >= edges[e]);
            assert_true((reported - edges[e]) * 1024 <= edges[e]);
        }
    }
    histogram_fini(&histogram);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

typedef uint64_t draw_fn(struct random_stream *stream);
static uint64_t draw_small(struct random_stream *stream)
{
    return random_below(stream, 3000);
}
static uint64_t draw_uniform(struct random_stream *stream)
{
    return random_below(stream, 5000000000);
}
static uint64_t draw_exponential(struct random_stream *stream)
{
    return (uint64_t)(-log(1 - random_unit(stream)) * 2e6);
}
static uint64_t draw_bimodal(struct random_stream *stream)
{
    return random_below(stream, 10) ? 100000 + random_below(stream, 5000) : 200000000 + random_below(stream, 1000);
}
static uint64_t draw_heavy(struct random_stream *stream)
{
    double value = 1e5 * pow(1 - random_unit(stream), -1.5);
    return value > 3.5e12 ? UINT64_C(3500000000000) : (uint64_t)value;
}
static uint64_t draw_equal(struct random_stream *stream)
{
    (void)stream;
    return 777777;
}

static const struct distribution {
    const char *name;
    draw_fn *draw;
} distributions[] = {{"small", draw_small},     {"uniform", draw_uniform}, {"exponential", draw_exponential},
                     {"bimodal", draw_bimodal}, {"heavy", draw_heavy},     {"equal", draw_equal}};
static const double quantiles[] = {0, 0.001, 0.07, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};

#define SAMPLES 10000

static void check_against_sorted(const char *name, const struct histogram *histogram, uint64_t *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i];
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += ((double)values[i] - mean) * ((double)values[i] - mean);
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        /* quantiles in ten thousandths, so that the oracle's rank is integer arithmetic */
        uint64_t parts = (uint64_t)llround(quantiles[i] * 10000);
        size_t rank = (size_t)((parts * count + 9999) / 10000);
        uint64_t exact = values[rank ? rank - 1 : 0], reported = histogram_quantile(histogram, quantiles[i]);
        if (reported < exact || (reported - exact) * 1024 > exact)
            fail_msg("%s: quantile %g is %llu, the sample is %llu", name, quantiles[i], (unsigned long long)reported,
                     (unsigned long long)exact);
    }
    assert_int_equal(histogram->min, values[0]);
    assert_int_equal(histogram->max, values[count - 1]);
    assert_int_equal(histogram->count, count);
    assert_true(fabs(histogram_mean(histogram) - mean) <= mean * 1e-12);
    double stddev = sqrt(squares / (double)count);
    /* each midpoint is off by at most half a slot, 1/2048 of the value; root mean square of that over the samples */
    assert_true(fabs(histogram_stddev(histogram) - stddev) <= sqrt(stddev * stddev + mean * mean) / 2048 + 1e-6);
}

static void test_quantiles(void **state)
{
    (void)state;
    static uint64_t values[SAMPLES];
    for (size_t d = 0; d < sizeof(distributions) / sizeof(distributions[0]); d++) {
        struct random_stream stream;
        random_init(&stream, 42, d);
        /* split over three, then merged: the same must come out */
        struct histogram parts[3], whole;
        histogram_init(&whole);
        for (int i = 0; i < 3; i++)
            histogram_init(&parts[i]);
        for (size_t i = 0; i < SAMPLES; i++) {
            values[i] = distributions[d].draw(&stream);
            histogram_record(&parts[i % 3], values[i]);
        }
        for (int i = 0; i < 3; i++) {
            histogram_merge(&whole, &parts[i]);
            histogram_fini(&parts[i]);
        }
        check_against_sorted(distributions[d].name, &whole, values, SAMPLES);
        for (size_t i = 0; i < SAMPLES; i += 997) {
            size_t above = 0;
            for (size_t j = 0; j < SAMPLES; j++)
                above += histogram_index(values[j]) > histogram_index(values[i]);
            assert_int_equal(histogram_count_above(&whole, values[i]), above);
        }
        histogram_fini(&whole);
    }
}

/* Decimals that a double cannot hold must not shift the rank: 0.07 * 100 is 7.000000000000001. */
static void test_rank(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram);
    for (uint64_t value = 1; value <= 1000; value++)
        histogram_record(&histogram, value);
    for (unsigned q = 1; q <= 1000; q++)
        assert_int_equal(histogram_quantile(&histogram, q / 1000.0), q);
    assert_int_equal(histogram_quantile(&histogram, 0.0015), 2);
    assert_int_equal(histogram_quantile(&histogram, 0), 1);
    histogram_fini(&histogram);
}

static void test_above_the_range(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram);
    assert_int_equal(histogram_quantile(&histogram, 0.5), 0);
    histogram_reset(&histogram);
    histogram_record(&histogram, 5);
    histogram_record(&histogram, HISTOGRAM_MAX_VALUE + 12345);
    histogram_record(&histogram, UINT64_MAX);
    assert_int_equal(histogram.count, 3);
    assert_int_equal(histogram.overflow, 2);
    assert_int_equal(histogram.max, UINT64_MAX);
    assert_int_equal(histogram_quantile(&histogram, 1), UINT64_MAX);
    assert_int_equal(histogram_count_above(&histogram, HISTOGRAM_MAX_VALUE), 2);
    assert_int_equal(histogram_count_above(&histogram, 5), 2);
    assert_int_equal(histogram_count_above(&histogram, 4), 3);
    histogram_fini(&histogram);
}

static void test_reset_forgets_all(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram);
    for (uint64_t value = 1; value < HISTOGRAM_MAX_VALUE; value *= 3)
        histogram_record(&histogram, value);
    histogram_reset(&histogram);
    for (uint32_t i = 0; i < HISTOGRAM_SLOTS; i++)
        assert_int_equal(histogram.slots[i], 0);
    histogram_record(&histogram, 10);
    assert_int_equal(histogram.count, 1);
    assert_int_equal(histogram.min, 10);
    assert_int_equal(histogram_quantile(&histogram, 1), 10);
    histogram_fini(&histogram);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),        cmocka_unit_test(test_every_edge_reports_within_bound),
        cmocka_unit_test(test_quantiles),     cmocka_unit_test(test_rank),
        cmocka_unit_test(test_above_the_range), cmocka_unit_test(test_reset_forgets_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
