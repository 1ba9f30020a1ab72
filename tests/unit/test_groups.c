/* Groups of steps: what they hold is exactly what one step would, had it made all of their steps' exchanges. */
#include "base/random.h"
#include "report/figures.h"
#include "report/groups.h"
#include "report_sample.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define STEPS 9

static const struct tag shop[] = {{"service", "shop"}, {"kind", "read"}}, cart[] = {{"service", "cart"}},
                        bare[] = {{"kind", ""}};

/* Steps by turns of shop, cart and none; nothing counted yet. */
static void tag_steps(struct sample *sample)
{
    static const struct tags tags[] = {{bare, 1}, {cart, 1}, {shop, 2}};
    sample_init(sample, STEPS, 0);
    for (uint32_t i = 0; i < STEPS; i++) {
        sample->series[i].tags = tags[i % 3];
        sample->series[i].protocol = &sample->protocols[0]; /* the last has metrics of no other all the same */
    }
    store_reset(&sample->result.store);
}

static const double quantiles[] = {0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};

static void assert_same_histogram(const struct histogram *a, const struct histogram *b)
{
    assert_true(a->count == b->count && a->min == b->min && a->max == b->max);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        assert_true(histogram_quantile(a, quantiles[i]) == histogram_quantile(b, quantiles[i]));
    assert_true(histogram_mean(a) == histogram_mean(b) && histogram_stddev(a) == histogram_stddev(b));
}

static void assert_same_series(const struct series *a, const struct series *b)
{
    assert_true(a->count == b->count && a->bytes_in == b->bytes_in && a->bytes_out == b->bytes_out);
    assert_memory_equal(a->outcomes, b->outcomes, sizeof a->outcomes);
    assert_int_equal(a->code_count, b->code_count);
    for (uint32_t i = 0; i < a->code_count; i++)
        for (uint32_t j = 0; j < b->code_count; j++)
            if (a->codes[i].code == b->codes[j].code)
                assert_true(a->codes[i].count == b->codes[j].count);
    assert_true(a->lower_bounds == b->lower_bounds && a->lower_bound_min_ns == b->lower_bound_min_ns);
    assert_same_histogram(&a->latency_ok, &b->latency_ok);
    assert_same_histogram(&a->latency_failed, &b->latency_failed);
    assert_same_histogram(&a->service, &b->service);
    assert_same_histogram(&a->phases[PHASE_WAIT], &b->phases[PHASE_WAIT]);
}

/* 30,000 exchanges of random times, each counted at its step and, in another result, at the one step of its group. The
 * members' times lie far apart: an average of their percentiles would be far from those of all. */
static void test_as_one_step(void **state)
{
    (void)state;
    struct sample sample, whole;
    struct random_stream random;
    struct groups groups;
    tag_steps(&sample);
    sample_init(&whole, 4, 0);
    store_reset(&whole.result.store);
    random_init(&random, 1, 1);
    for (int i = 0; i < 30000; i++) {
        uint32_t step = (uint32_t)random_below(&random, STEPS);
        uint64_t latency_ns = 1000 + (random_below(&random, 1000000) << (step / 3 * 4)), service_ns = latency_ns / 3;
        enum outcome outcome =
            (enum outcome)(random_below(&random, 4) ? OUTCOME_OK : random_below(&random, OUTCOME_COUNT));
        uint32_t code = outcome == OUTCOME_OK ? 200 : 503;
        sample_exchange(&sample, step, outcome, code, latency_ns, service_ns);
        sample_exchange(&whole, step % 3, outcome, code, latency_ns, service_ns);
    }
    groups_make(&sample.result, "service", &groups);
    /* cart stands before shop in the scenario, and what has no service last */
    static const char *const values[] = {"cart", "shop", NULL};
    static const uint32_t whole_step[] = {1, 2, 0};
    assert_int_equal(groups.count, 3);
    uint64_t count = 0;
    for (uint32_t i = 0; i < 3; i++) {
        const struct group *group = &groups.list[i];
        assert_int_equal(group->value != NULL, values[i] != NULL);
        if (values[i])
            assert_string_equal(group->value, values[i]);
        assert_int_equal(group->step_count, STEPS / 3);
        for (uint32_t s = 0; s < group->step_count; s++)
            assert_int_equal(group->steps[s], whole_step[i] + 3 * s);
        assert_true(group->measured && group->has_sent && group->protocol == &sample.protocols[0]);
        assert_same_series(&group->series, &whole.result.store.series[whole_step[i]]);
        count += group->series.count;
    }
    assert_int_equal(count, 30000);
    groups_free(&groups);
    sample_fini(&sample);
    sample_fini(&whole);
}

/* One tag of which every step has a value or none; an empty value is a value. */
static void test_values(void **state)
{
    (void)state;
    struct sample sample;
    struct groups groups;
    tag_steps(&sample);
    groups_make(&sample.result, "kind", &groups);
    assert_int_equal(groups.count, 3);
    assert_string_equal(groups.list[0].value, "");
    assert_string_equal(groups.list[1].value, "read");
    assert_null(groups.list[2].value);
    groups_free(&groups);
    for (uint32_t i = 0; i < STEPS; i++)
        sample.series[i].tags = (struct tags){cart, 1};
    groups_make(&sample.result, "service", &groups);
    assert_int_equal(groups.count, 1);
    assert_int_equal(groups.list[0].step_count, STEPS);
    groups_free(&groups);
    sample_fini(&sample);
}

/* Codes and metrics of different protocols are not added up; without a time of sending at one step there is none for
 * all. */
static void test_two_protocols(void **state)
{
    (void)state;
    struct sample sample;
    struct groups groups;
    sample_init(&sample, 2, 0);
    sample.result.store.series[0].metrics[1].counter = 7;
    groups_make(&sample.result, "service", &groups);
    assert_int_equal(groups.count, 1);
    assert_null(groups.list[0].protocol);
    assert_false(groups.list[0].has_sent);
    assert_int_equal(groups.list[0].series.code_count, 0);
    assert_int_equal(groups.list[0].series.metric_count, 0);
    assert_int_equal(groups.list[0].series.count, 200);
    groups_free(&groups);
    sample.series[1].tags = (struct tags){cart, 1};
    groups_make(&sample.result, "service", &groups);
    assert_int_equal(groups.count, 2);
    assert_ptr_equal(groups.list[0].protocol, &sample.protocols[1]);
    assert_ptr_equal(groups.list[1].protocol, &sample.protocols[0]);
    assert_int_equal(groups.list[1].series.metrics[1].counter, 7);
    assert_int_equal(groups.list[1].series.codes[0].count, 100);
    groups_free(&groups);
    sample_fini(&sample);
}

/* What only a setup has is shown where it has counted something. */
static void test_measured(void **state)
{
    (void)state;
    struct sample sample;
    struct groups groups;
    tag_steps(&sample);
    for (uint32_t i = 1; i < STEPS; i += 3)
        sample.series[i].measured = false;
    groups_make(&sample.result, "service", &groups);
    assert_false(groups.list[0].measured);
    assert_true(groups.list[1].measured && groups.list[2].measured);
    groups_free(&groups);
    sample_exchange(&sample, 1, OUTCOME_OK, 200, 5, 4);
    groups_make(&sample.result, "service", &groups);
    assert_true(groups.list[0].measured);
    groups_free(&groups);
    sample_fini(&sample);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_one_step),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_two_protocols),
        cmocka_unit_test(test_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
