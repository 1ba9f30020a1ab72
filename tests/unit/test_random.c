/* Random numbers: the published reference vectors, bounds, and evenness with fixed seeds. */
#include "base/random.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* First outputs of SplitMix64 from the state 1234567, as its published reference code gives them. */
static void test_splitmix(void **state)
{
    (void)state;
    static const uint64_t expected[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973), UINT64_C(9817491932198370423),
                                        UINT64_C(4593380528125082431)};
    struct random_stream stream = {1234567};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_int_equal(random_next(&stream), expected[i]);
}

static void test_streams_differ(void **state)
{
    (void)state;
    uint64_t seen[27];
    size_t count = 0;
    for (uint64_t seed = 0; seed < 3; seed++)
        for (uint64_t stream = 0; stream < 3; stream++)
            for (uint64_t index = 0; index < 3; index++)
                seen[count++] = random_at(seed, stream, index);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(seen[i] != seen[j]);
    assert_int_equal(random_at(1, 2, 3), random_at(1, 2, 3));
    struct random_stream a, b;
    random_init(&a, 5, 1);
    random_init(&b, 5, 2);
    assert_true(random_next(&a) != random_next(&b));
}

/* Chi-square over 10 cells: the 0.1 % point at 9 degrees of freedom is 27.9. */
static void check_even(const unsigned *cells, double each)
{
    double sum = 0;
    for (int i = 0; i < 10; i++)
        sum += (cells[i] - each) * (cells[i] - each) / each;
    assert_true(sum < 27.9);
}

static void test_even(void **state)
{
    (void)state;
    unsigned below[10] = {0}, unit[10] = {0}, at[10] = {0};
    struct random_stream stream;
    random_init(&stream, 1, 1);
    for (uint64_t i = 0; i < 100000; i++) {
        below[random_below(&stream, 10)]++;
        double value = random_unit(&stream), indexed = random_unit_at(1, 0, i);
        assert_true(value >= 0 && value < 1);
        assert_true(indexed > 0 && indexed <= 1);
        unit[(int)(value * 10)]++;
        at[(int)(ceil(indexed * 10) - 1)]++;
    }
    check_even(below, 10000);
    check_even(unit, 10000);
    check_even(at, 10000);
    for (int i = 0; i < 100; i++)
        assert_int_equal(random_below(&stream, 1), 0);
    for (int i = 0; i < 100; i++)
        assert_true(random_below(&stream, UINT64_C(0x8000000000000001)) <= UINT64_C(0x8000000000000000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_splitmix), cmocka_unit_test(test_streams_differ), cmocka_unit_test(test_even)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
