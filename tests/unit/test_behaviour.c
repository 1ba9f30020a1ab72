/* The target's behaviour: what the grammar takes and refuses, distributions against their analytic quantiles, stalls.
 */
#include "target/behaviour.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Last: it needs the headers above. */
#include <cmocka.h>

#define DRAWS 100000
#define MS    1e6

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

struct shape {
    const char *text;
    double (*quantile)(double q);
};

static double uniform(double q)
{
    return MS + 19 * MS * q;
}

static double exponential(double q)
{
    return -10 * MS * log(1 - q);
}

static double pareto(double q)
{
    return MS * pow(1 - q, -1 / 1.5);
}

/* The standard normal's quantile, by bisection on erfc. */
static double standard_normal(double q)
{
    double low = -9, high = 9;
    for (int i = 0; i < 100; i++) {
        double middle = (low + high) / 2;
        if (0.5 * erfc(-middle / sqrt(2)) < q)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static double normal(double q)
{
    return 100 * MS + 10 * MS * standard_normal(q);
}

static double lognormal(double q)
{
    return 10 * MS * exp(0.5 * standard_normal(q));
}

static const struct shape shapes[] = {
    {"uniform(1ms,20ms)", uniform},     {"exponential(10ms)", exponential}, {"normal(100ms,10ms)", normal},
    {"lognormal(10ms,0.5)", lognormal}, {"pareto(1ms,1.5)", pareto},
};

/* The share of draws below a quantile q is binomial: its deviation is sqrt(q(1-q)/n). So the sample's quantile lies
 * between the analytic ones at q minus and q plus five deviations, but for less than one time in a million. Half a
 * nanosecond of rounding is added on both sides. */
static void test_quantiles(void **state)
{
    (void)state;
    static const double quantiles[] = {0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999};
    static uint64_t draws[DRAWS];
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        struct squall_distribution distribution;
        struct random_stream stream;
        struct error error;
        assert_int_equal(distribution_parse(shapes[s].text, SQUALL_DURATION, &distribution, &error), 0);
        random_init(&stream, 7, s);
        for (size_t i = 0; i < DRAWS; i++)
            draws[i] = distribution_draw(&distribution, &stream);
        qsort(draws, DRAWS, sizeof draws[0], compare);
        for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
            double q = quantiles[i], slack = 5 * sqrt(q * (1 - q) / DRAWS);
            double seen = (double)draws[(size_t)(q * DRAWS)];
            double low = shapes[s].quantile(fmax(q - slack, 1e-9)),
                   high = shapes[s].quantile(fmin(q + slack, 1 - 1e-9));
            if (seen < low - 1 || seen > high + 1)
                fail_msg("%s: quantile %g is %g, not within %g and %g", shapes[s].text, q, seen, low, high);
        }
    }
}

static void test_discrete(void **state)
{
    (void)state;
    struct squall_distribution distribution;
    struct random_stream stream;
    struct error error;
    random_init(&stream, 1, 1);
    assert_int_equal(distribution_parse("bimodal(2ms,50ms,0.9)", SQUALL_DURATION, &distribution, &error), 0);
    unsigned first = 0;
    for (unsigned i = 0; i < DRAWS; i++) {
        uint64_t draw = distribution_draw(&distribution, &stream);
        assert_true(draw == 2000000 || draw == 50000000);
        first += draw == 2000000;
    }
    assert_true(fabs(first - 0.9 * DRAWS) < 5 * sqrt(DRAWS * 0.9 * 0.1));
    /* Both bounds of a small range come up. */
    assert_int_equal(distribution_parse("uniform(3,5)", SQUALL_SIZE, &distribution, &error), 0);
    unsigned seen[3] = {0};
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t draw = distribution_draw(&distribution, &stream);
        assert_in_range(draw, 3, 5);
        seen[draw - 3]++;
    }
    for (unsigned i = 0; i < 3; i++)
        assert_true(fabs(seen[i] - 1000.0) < 5 * sqrt(3000 * (1 / 3.0) * (2 / 3.0)));
}

static void test_caps(void **state)
{
    (void)state;
    struct squall_distribution distribution;
    struct random_stream stream;
    struct error error;
    random_init(&stream, 3, 1);
    uint64_t most = 0, least = UINT64_MAX;
    assert_int_equal(distribution_parse("pareto(1s,0.1)", SQUALL_DURATION, &distribution, &error), 0);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t draw = distribution_draw(&distribution, &stream);
        most = draw > most ? draw : most;
    }
    assert_int_equal(most, BEHAVIOUR_DELAY_MAX_NS);
    assert_int_equal(distribution_parse("normal(1ms,10ms)", SQUALL_DURATION, &distribution, &error), 0);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t draw = distribution_draw(&distribution, &stream);
        least = draw < least ? draw : least;
    }
    assert_int_equal(least, 0);
}

static void test_same_seed_same_draws(void **state)
{
    (void)state;
    struct squall_distribution distribution;
    struct random_stream a, b;
    struct error error;
    assert_int_equal(distribution_parse("normal(10ms,2ms)", SQUALL_DURATION, &distribution, &error), 0);
    random_init(&a, 9, 0);
    random_init(&b, 9, 0);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(distribution_draw(&distribution, &a), distribution_draw(&distribution, &b));
}

static void test_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t type;
        uint64_t value;
    } constants[] = {
        {"5ms", SQUALL_DURATION, 5000000},
        {"constant(5ms)", SQUALL_DURATION, 5000000},
        {"0", SQUALL_DURATION, 0},
        {" constant( 1s ) ", SQUALL_DURATION, 1000000000},
        {"60s", SQUALL_DURATION, BEHAVIOUR_DELAY_MAX_NS},
        {"128", SQUALL_SIZE, 128},
        {"4k", SQUALL_SIZE, 4000},
        {"constant(4KiB)", SQUALL_SIZE, 4096},
        {"uniform(7ms,7ms)", SQUALL_DURATION, 7000000},
        {"bimodal(1ms,2ms,1)", SQUALL_DURATION, 1000000},
    };
    static const struct {
        const char *text, *hint;
    } refused[] = {
        {"", "duration"},
        {"soon", "duration"},
        {"5", "duration"},
        {"-5ms", "duration"},
        {"61s", "60s"},
        {"constant(5ms", ")"},
        {"constant()", "duration"},
        {"constant(5ms,5ms)", "constant(X)"},
        {"uniform(5ms)", "uniform(MIN,MAX)"},
        {"uniform(2ms,1ms)", "above"},
        {"unifrm(1ms,2ms)", "uniform"},
        {"zzzzzzzz(1ms)", "pareto"},
        {"bimodal(1ms,2ms,1.5)", "from 0 to 1"},
        {"bimodal(1ms,2ms,nan)", "from 0 to 1"},
        {"pareto(1ms,0)", "from 0.01"},
        {"pareto(1ms,inf)", "from 0.01"},
        {"pareto(1ms,1,1,1,1)", "pareto(MIN,ALPHA)"},
        {"exponential(2h)", "60s"},
        {"(1ms)", "distribution"},
        {"uniform(1ms,2ms))", "duration"},
    };
    struct squall_distribution distribution;
    struct random_stream stream;
    struct error error;
    random_init(&stream, 1, 0);
    for (size_t i = 0; i < sizeof constants / sizeof constants[0]; i++) {
        if (distribution_parse(constants[i].text, constants[i].type, &distribution, &error))
            fail_msg("\"%s\": %s", constants[i].text, error.text);
        assert_int_equal(distribution_draw(&distribution, &stream), constants[i].value);
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        memset(&distribution, 0x55, sizeof distribution);
        struct squall_distribution before = distribution;
        if (!distribution_parse(refused[i].text, SQUALL_DURATION, &distribution, &error))
            fail_msg("\"%s\" was taken", refused[i].text);
        if (!strstr(error.text, refused[i].hint))
            fail_msg("\"%s\": \"%s\" does not say \"%s\"", refused[i].text, error.text, refused[i].hint);
        assert_memory_equal(&before, &distribution, sizeof before);
    }
    char longest[300];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(distribution_parse(longest, SQUALL_DURATION, &distribution, &error), -1);
}

static void test_stalls(void **state)
{
    (void)state;
    struct stalls stalls = {.count = 0};
    struct error error;
    assert_int_equal(stalls_add(&stalls, "3s@5s", &error), 0);
    assert_int_equal(stalls_add(&stalls, "1s@1s, 2s@7s", &error), 0);
    static const struct {
        double now_s, end_s, next_s; /* end 0: no stall holds; next 0: none is to come */
    } rows[] = {
        {0, 0, 1}, {0.999, 0, 1}, {1, 2, 5},     {1.999, 2, 5}, {2, 0, 5},   {5, 9, 7},
        {6, 9, 7}, {7, 9, 0},     {8.999, 9, 0}, {9, 0, 0},     {100, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t now_ns = (uint64_t)(rows[i].now_s * 1e9), next_ns = stalls_next(&stalls, now_ns);
        assert_int_equal(stalls_end(&stalls, now_ns), (uint64_t)(rows[i].end_s * 1e9));
        assert_int_equal(next_ns == UINT64_MAX ? 0 : next_ns, (uint64_t)(rows[i].next_s * 1e9));
    }
    static const char *const refused[] = {"", "3s", "@5s", "3s@", "0@5s", "3s@5s,", "x@y", "3s@5s@6s"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct stalls none = {.count = 0};
        if (!stalls_add(&none, refused[i], &error))
            fail_msg("\"%s\" was taken", refused[i]);
    }
}

/* Stalls that requests ask for never run out of room: the one that is over first gives way. */
static void test_stalls_give_way(void **state)
{
    (void)state;
    struct stalls stalls = {.count = 0};
    for (uint64_t i = 0; i < 10 * BEHAVIOUR_STALLS_MAX; i++) {
        stalls_insert(&stalls, i * 100, i * 100 + 50);
        assert_int_equal(stalls_end(&stalls, i * 100), i * 100 + 50);
    }
    assert_int_equal(stalls.count, BEHAVIOUR_STALLS_MAX);
    struct error error;
    assert_int_equal(stalls_add(&stalls, "1s@1s", &error), -1);
}

/* A queue with so many servers: against the plain way, which looks at every place. */
static void test_places(void **state)
{
    (void)state;
    static struct places places;
    static const uint32_t counts[] = {1, 2, 3, 4, 7, 64, BEHAVIOUR_PLACES_MAX};
    struct random_stream random;
    random_init(&random, 5, 0);
    places_init(&places, 0);
    assert_int_equal(places_take(&places, 5, 10), 15);
    assert_int_equal(places_take(&places, 5, 10), 15);
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        static uint64_t plain[BEHAVIOUR_PLACES_MAX];
        uint64_t now_ns = 1000;
        memset(plain, 0, sizeof plain);
        places_init(&places, counts[c]);
        for (int i = 0; i < 3000; i++) {
            uint32_t first = 0;
            uint64_t length_ns = random_below(&random, 1000);
            now_ns += random_below(&random, 2000 / counts[c] + 1);
            for (uint32_t p = 1; p < counts[c]; p++)
                if (plain[p] < plain[first])
                    first = p;
            plain[first] = (plain[first] > now_ns ? plain[first] : now_ns) + length_ns;
            assert_int_equal(places_take(&places, now_ns, length_ns), plain[first]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_discrete),
        cmocka_unit_test(test_caps),
        cmocka_unit_test(test_same_seed_same_draws),
        cmocka_unit_test(test_grammar),
        cmocka_unit_test(test_stalls),
        cmocka_unit_test(test_stalls_give_way),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
