/* Numbers with units: what is read, what is refused, how it is printed. */
#include "base/units.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BAD UINT64_MAX

struct whole {
    const char *text;
    uint64_t value; /* BAD: refused */
};

static const struct whole durations[] = {
    {"0", 0},          {"0s", 0},         {"250ms", 250000000},       {"1.5s", 1500000000}, {"2m", 120000000000},
    {"1h", 3600000000000}, {"10us", 10000}, {"5ns", 5},               {"1m30s", 90000000000}, {"1h2m3s4ms5us6ns", 3723004005006},
    {"0.1s", 100000000}, {"0.000000001s", 1}, {"1.5ns", 2},           {"", BAD},            {"5", BAD},
    {"s", BAD},        {"-1s", BAD},      {"1 s", BAD},               {"1s ", BAD},         {"30s1m", BAD},
    {"1s1s", BAD},     {"1x", BAD},       {"1.s", BAD},               {".5s", BAD},         {"1.2.3s", BAD},
    {"0.1ns", BAD},    {"1e3s", BAD},     {"99999999999h", BAD},      {"999999999999999999999s", BAD}, {"1_000s", BAD},
    {"1S", BAD},       {"1sm", BAD},
};
static const struct whole sizes[] = {
    {"512", 512}, {"64KiB", 65536}, {"10k", 10000},  {"1MB", 1000000},     {"2GiB", 2147483648}, {"16B", 16},   {"1.5KiB", 1536}, {"0", 0},
    {"1TiB", UINT64_C(1) << 40}, {"", BAD}, {"KiB", BAD}, {"-1", BAD},     {"1KIB", BAD},        {"1 KiB", BAD}, {"99999999TiB", BAD},
};
static const struct whole counts[] = {
    {"100", 100}, {"10k", 10000}, {"2M", 2000000}, {"1_000_000", 1000000}, {"1.5k", 1500}, {"0", 0}, {"1G", 1000000000},
    {"1.5", BAD}, {"", BAD},      {"_1", BAD},     {"1_", BAD},            {"1__0", BAD},  {"k", BAD}, {"10K", BAD}, {"-5", BAD}, {"5 ", BAD},
    {"99999999999999999999", BAD},
};

static void check_whole(const struct whole *rows, size_t count, int (*parse)(const char *, uint64_t *))
{
    for (size_t i = 0; i < count; i++) {
        uint64_t value = 4711;
        int result = parse(rows[i].text, &value);
        if (result != (rows[i].value == BAD ? -1 : 0) || value != (rows[i].value == BAD ? 4711 : rows[i].value))
            fail_msg("\"%s\": %d, %llu", rows[i].text, result, (unsigned long long)value);
    }
}

static void test_whole(void **state)
{
    (void)state;
    check_whole(durations, COUNT(durations), units_parse_duration);
    check_whole(sizes, COUNT(sizes), units_parse_size);
    check_whole(counts, COUNT(counts), units_parse_count);
}

static const struct real {
    const char *text;
    double value; /* negative: refused */
} rates[] = {{"200", 200}, {"200/s", 200}, {"10k/s", 10000}, {"30/m", 0.5}, {"5/h", 5.0 / 3600}, {"0.5/s", 0.5}, {"0", 0}, {"1_000/s", 1000},
             {"", -1},     {"/s", -1},     {"5/d", -1},      {"5s", -1},    {"-5/s", -1},        {"5/", -1},     {"5 /s", -1}},
  ratios[] = {{"0.1%", 0.001}, {"0.001", 0.001}, {"100%", 1}, {"1", 1}, {"0", 0}, {"101%", -1}, {"1.1", -1}, {"%", -1}, {"", -1}, {"5 %", -1}, {"5%%", -1}};

static void check_real(const struct real *rows, size_t count, int (*parse)(const char *, double *))
{
    for (size_t i = 0; i < count; i++) {
        double value = -1;
        int result = parse(rows[i].text, &value);
        if (result != (rows[i].value < 0 ? -1 : 0) || fabs(value - rows[i].value) > 1e-15 * fabs(rows[i].value))
            fail_msg("\"%s\": %d, %.17g", rows[i].text, result, value);
    }
}

static void test_real(void **state)
{
    (void)state;
    check_real(rates, COUNT(rates), units_parse_rate);
    check_real(ratios, COUNT(ratios), units_parse_ratio);
}

static void test_print(void **state)
{
    (void)state;
    static const struct {
        uint64_t ns;
        const char *text;
    } printed_durations[] = {
        {0, "0ns"}, {999, "999ns"}, {1000, "1us"}, {1234, "1.23us"}, {12345, "12.3us"}, {123456, "123us"}, {999499, "999us"}, {999500, "1ms"},
        {1500000, "1.5ms"}, {9996000, "10ms"}, {30000000000, "30s"}, {59949000000, "59.9s"}, {59960000000, "1m"}, {90000000000, "1m30s"},
        {61000000000, "1m01s"}, {3599600000000, "1h"}, {3900000000000, "1h05m"}, {UINT64_MAX, "5124095h35m"},
    };
    char text[32];
    for (size_t i = 0; i < COUNT(printed_durations); i++)
        assert_string_equal(units_print_duration(text, sizeof(text), printed_durations[i].ns), printed_durations[i].text);
    assert_string_equal(units_print_size(text, sizeof(text), 512), "512 B");
    assert_string_equal(units_print_size(text, sizeof(text), 12902400), "12.3 MiB");
    assert_string_equal(units_print_size(text, sizeof(text), 65536), "64 KiB");
    assert_string_equal(units_print_size(text, sizeof(text), UINT64_MAX), "16384 PiB");
    assert_string_equal(units_print_count(text, sizeof(text), 4500), "4.5k");
    assert_string_equal(units_print_count(text, sizeof(text), 999.6), "1k");
    assert_string_equal(units_print_count(text, sizeof(text), 0.5), "0.5");
    assert_string_equal(units_print_count(text, sizeof(text), 1.2e6), "1.2M");
    assert_string_equal(units_print_grouped(text, sizeof(text), 0), "0");
    assert_string_equal(units_print_grouped(text, sizeof(text), 1234567), "1,234,567");
    assert_string_equal(units_print_grouped(text, sizeof(text), 100), "100");
    assert_string_equal(units_print_grouped(text, sizeof(text), UINT64_MAX), "18,446,744,073,709,551,615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_real), cmocka_unit_test(test_print)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
