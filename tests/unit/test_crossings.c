/* Times that cross workers: beginnings are found, arrivals of other workers' keys are joined by the controller, limits
 * are kept, and what a worker packs is what the controller reads. */
#include "metrics/crossings.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The controller's reading of what a worker packs. */
static void carry(const struct crossings *from, struct crossings *into)
{
    struct buffer packed = {0};
    struct error error = {0};
    assert_int_equal(crossings_pack(from, &packed), 0);
    if (crossings_unpack(packed.data, packed.len, 8, into, &error) < 0)
        fail_msg("%s", error.text);
    buffer_fini(&packed);
}

struct seen {
    uint64_t count, sum_ns, series_3, metric_5;
};

static void take(void *arg, uint32_t series, uint32_t metric, uint64_t ns)
{
    struct seen *seen = arg;
    seen->count++;
    seen->sum_ns += ns;
    seen->series_3 += series == 3;
    seen->metric_5 += metric == 5;
}

static void found(void **state)
{
    struct crossings crossings = {0};
    uint64_t at_ns;
    (void)state;
    assert_false(crossings_find(&crossings, 7, &at_ns));
    /* Keys that are near each other, far apart, and 0. */
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(crossings_start(&crossings, CROSSINGS_MAX, i, 100 + i), 0);
        assert_int_equal(crossings_start(&crossings, CROSSINGS_MAX, ~i << 20, 5000 + i), 0);
    }
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(crossings_find(&crossings, i, &at_ns));
        assert_int_equal(at_ns, 100 + i);
        assert_true(crossings_find(&crossings, ~i << 20, &at_ns));
        assert_int_equal(at_ns, 5000 + i);
    }
    assert_false(crossings_find(&crossings, 1000, &at_ns));
    assert_int_equal(crossings_start(&crossings, CROSSINGS_MAX, 5, 9), 0);
    assert_int_equal(crossings.start_count, 2000);
    assert_true(crossings_find(&crossings, 5, &at_ns));
    assert_int_equal(at_ns, 9);
    crossings_fini(&crossings);
}

static void joined(void **state)
{
    struct crossings one = {0}, other = {0}, all = {0};
    struct seen seen = {0};
    (void)state;
    for (uint64_t i = 1; i <= 300; i++)
        assert_int_equal(crossings_start(&one, CROSSINGS_MAX, i, 1000 * i), 0);
    for (uint64_t i = 1; i <= 300; i++) /* each arrives twice, i after it set out */
        for (int k = 0; k < 2; k++)
            assert_int_equal(crossings_end(&other, CROSSINGS_MAX, &(struct crossing_end){i, 1001 * i, 3, 5}), 0);
    /* What never set out has no time; what arrives ahead of its beginning has taken none. */
    assert_int_equal(crossings_end(&one, CROSSINGS_MAX, &(struct crossing_end){4711, 1, 0, 0}), 0);
    assert_int_equal(crossings_end(&one, CROSSINGS_MAX, &(struct crossing_end){300, 1, 0, 0}), 0);
    carry(&other, &all); /* arrivals first: the order of workers' last words is anyone's */
    carry(&one, &all);
    crossings_join(&all, take, &seen);
    assert_int_equal(seen.count, 601);
    assert_int_equal(seen.sum_ns, 300 * 301);
    assert_int_equal(seen.series_3, 600);
    assert_int_equal(seen.metric_5, 600);
    crossings_fini(&one);
    crossings_fini(&other);
    crossings_fini(&all);
}

static void limits(void **state)
{
    struct crossings crossings = {0};
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        assert_int_equal(crossings_start(&crossings, 100, i, 1), 0);
        assert_int_equal(crossings_end(&crossings, 100, &(struct crossing_end){.key = i}), 0);
    }
    assert_int_equal(crossings_start(&crossings, 100, 100, 1), -1);
    assert_int_equal(crossings_start(&crossings, 100, 99, 2), 0); /* one that is kept already */
    assert_int_equal(crossings_end(&crossings, 100, &(struct crossing_end){.key = 100}), -1);
    assert_int_equal(crossings.start_count, 100);
    assert_int_equal(crossings.end_count, 100);
    crossings_fini(&crossings);
}

/* Messages that are none, from [beginnings, arrivals] on. */
static void refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *why;
    } cases[] = {
        {"", 0, "the message ends inside a value"},
        {"\x91\x90", 2, "no list of beginnings and arrivals"},
        {"\x92\x91\x01\x90", 4, "half a beginning"},
        {"\x92\x92\x01\x00\x90", 5, "a time that is none"},
        {"\x92\x90\x93\x01\x01\x01", 6, "half an arrival"},
        {"\x92\x90\x94\x01\x01\x08\x01", 7, "out of its range"}, /* series 8 of 8 */
        {"\x92\x90\x94\x01\x01\x07\xa0", 7, "a whole number"},
        {"\x92\xdd\x7f\xff\xff\xff", 6, "past the end of the message"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct crossings into = {0};
        struct error error = {0};
        assert_int_equal(crossings_unpack((const uint8_t *)cases[i].bytes, cases[i].len, 8, &into, &error), -1);
        if (!strstr(error.text, cases[i].why))
            fail_msg("case %zu: %s", i, error.text);
        crossings_fini(&into);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found),
        cmocka_unit_test(joined),
        cmocka_unit_test(limits),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
