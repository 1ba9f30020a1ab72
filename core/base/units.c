/* Numbers with units: parsing with exact decimals, printing with 3 significant digits. See units.h. */
#include "base/units.h"
#include "base/clock.h"
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first: the parts of a duration ("1m30s") must come in this order. */
static const struct unit duration_units[] = {
    {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S}, {"s", NS_PER_S}, {"ms", NS_PER_MS}, {"us", NS_PER_US}, {"ns", 1},
};
static const struct unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"k", 1000},
    {"kB", 1000},
    {"KB", 1000},
    {"M", 1000000},
    {"MB", 1000000},
    {"G", 1000000000},
    {"GB", 1000000000},
    {"T", UINT64_C(1000000000000)},
    {"TB", UINT64_C(1000000000000)},
    {"KiB", UINT64_C(1) << 10},
    {"MiB", UINT64_C(1) << 20},
    {"GiB", UINT64_C(1) << 30},
    {"TiB", UINT64_C(1) << 40},
};
static const struct unit count_units[] = {{"", 1}, {"k", 1000}, {"M", 1000000}, {"G", 1000000000}};
/* How many of a rate's periods an hour holds. */
static const struct unit rate_units[] = {{"", 3600}, {"/s", 3600}, {"/m", 60}, {"/h", 1}};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* mantissa / 10^decimals, exactly as written. */
struct decimal {
    uint64_t mantissa;
    unsigned decimals;
};

/* Reads "12", "1.5" or, where underscores may group digits, "1_000"; returns what follows, or NULL. Eighteen
 * digits fit a long double's mantissa without loss; more is refused. */
static const char *read_decimal(const char *text, bool underscores, struct decimal *ret)
{
    struct decimal number = {0};
    unsigned digits = 0;
    bool fraction = false;
    const char *at = text;
    for (;; at++) {
        bool digit = isdigit((unsigned char)*at);
        bool next_digit = *at && isdigit((unsigned char)at[1]);
        if (digit) {
            if (number.mantissa >= UINT64_C(100000000000000000))
                return NULL;
            number.mantissa = number.mantissa * 10 + (uint64_t)(*at - '0');
            number.decimals += fraction ? 1 : 0;
            digits++;
            if (number.decimals > 18)
                return NULL;
        } else if (*at == '.' && !fraction && digits && next_digit) {
            fraction = true;
        } else if (*at == '_' && underscores && !fraction && digits && next_digit) {
            continue;
        } else {
            break;
        }
    }
    if (!digits)
        return NULL;
    *ret = number;
    return at;
}

static long double scaled(struct decimal number, uint64_t factor)
{
    return (long double)number.mantissa * (long double)factor / powl(10, (long double)number.decimals);
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name, size_t length)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(units[i].name) == length && memcmp(units[i].name, name, length) == 0)
            return &units[i];
    return NULL;
}

/* Nearest integer; refused when too large, or when a value that is not zero would become zero. */
static int to_integer(long double value, uint64_t *ret)
{
    long double rounded = roundl(value);
    if (rounded >= 0x1p63L || (value > 0 && rounded < 1))
        return -1;
    *ret = (uint64_t)rounded;
    return 0;
}

static size_t letters(const char *text)
{
    size_t length = 0;
    while (isalpha((unsigned char)text[length]))
        length++;
    return length;
}

int units_parse_duration(const char *text, uint64_t *ret_ns)
{
    long double sum = 0;
    const struct unit *last = NULL;
    if (strcmp(text, "0") == 0) {
        *ret_ns = 0;
        return 0;
    }
    const char *at = text;
    do {
        struct decimal number;
        at = read_decimal(at, false, &number);
        if (!at)
            return -1;
        size_t length = letters(at);
        const struct unit *unit = find_unit(duration_units, COUNT(duration_units), at, length);
        if (!unit || (last && unit <= last))
            return -1;
        sum += scaled(number, unit->factor);
        last = unit;
        at += length;
    } while (*at);
    return to_integer(sum, ret_ns);
}

int units_parse_size(const char *text, uint64_t *ret_bytes)
{
    struct decimal number;
    const char *name = read_decimal(text, false, &number);
    const struct unit *unit = name ? find_unit(size_units, COUNT(size_units), name, strlen(name)) : NULL;
    return unit ? to_integer(scaled(number, unit->factor), ret_bytes) : -1;
}

int units_parse_count(const char *text, uint64_t *ret_count)
{
    struct decimal number;
    const char *name = read_decimal(text, true, &number);
    const struct unit *unit = name ? find_unit(count_units, COUNT(count_units), name, strlen(name)) : NULL;
    if (!unit)
        return -1;
    long double value = scaled(number, unit->factor);
    return value == roundl(value) ? to_integer(value, ret_count) : -1;
}

int units_parse_rate(const char *text, double *ret_per_s)
{
    struct decimal number;
    const char *name = read_decimal(text, true, &number);
    if (!name)
        return -1;
    size_t length = letters(name);
    const struct unit *multiple = find_unit(count_units, COUNT(count_units), name, length);
    const struct unit *period = find_unit(rate_units, COUNT(rate_units), name + length, strlen(name + length));
    if (!multiple || !period)
        return -1;
    *ret_per_s = (double)(scaled(number, multiple->factor) * (long double)period->factor / 3600);
    return 0;
}

int units_parse_ratio(const char *text, double *ret_ratio)
{
    struct decimal number;
    const char *name = read_decimal(text, false, &number);
    if (!name || (*name && strcmp(name, "%") != 0))
        return -1;
    long double ratio = scaled(number, 1) / (*name ? 100 : 1);
    if (ratio > 1)
        return -1;
    *ret_ratio = (double)ratio;
    return 0;
}

/* 3 significant digits without trailing zeros; whole numbers keep all their digits. */
static void print_three(char *buf, size_t size, double value, const char *suffix)
{
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    char digits[32];
    snprintf(digits, sizeof(digits), "%.*f", decimals, value);
    if (decimals) {
        size_t length = strlen(digits);
        while (digits[length - 1] == '0')
            length--;
        if (digits[length - 1] == '.')
            length--;
        digits[length] = '\0';
    }
    snprintf(buf, size, "%s%s", digits, suffix);
}

/* Steps of `base`, moving on where rounding would print a fourth digit. */
static void print_scaled(char *buf, size_t size, double value, double base, const char *const *suffixes, unsigned last)
{
    unsigned step = 0;
    while (step < last && value >= base - 0.5) {
        value /= base;
        step++;
    }
    print_three(buf, size, value, suffixes[step]);
}

char *units_print_duration(char *buf, size_t size, uint64_t ns)
{
    static const char *const suffixes[] = {"ns", "us", "ms", "s"};
    if (ns < UINT64_C(59950000000)) {
        print_scaled(buf, size, (double)ns, 1000, suffixes, 3);
        return buf;
    }
    uint64_t seconds = ns / NS_PER_S + (ns % NS_PER_S >= NS_PER_S / 2);
    uint64_t minutes = seconds / 60;
    if (minutes < 60 && seconds % 60)
        snprintf(buf, size, "%um%02us", (unsigned)minutes, (unsigned)(seconds % 60));
    else if (minutes < 60)
        snprintf(buf, size, "%um", (unsigned)minutes);
    else {
        minutes += seconds % 60 >= 30;
        if (minutes % 60)
            snprintf(buf, size, "%lluh%02um", (unsigned long long)minutes / 60, (unsigned)(minutes % 60));
        else
            snprintf(buf, size, "%lluh", (unsigned long long)minutes / 60);
    }
    return buf;
}

char *units_print_size(char *buf, size_t size, uint64_t bytes)
{
    static const char *const suffixes[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB"};
    print_scaled(buf, size, (double)bytes, 1024, suffixes, 5);
    return buf;
}

char *units_print_count(char *buf, size_t size, double count)
{
    static const char *const suffixes[] = {"", "k", "M", "G", "T"};
    print_scaled(buf, size, count, 1000, suffixes, 4);
    return buf;
}

char *units_print_grouped(char *buf, size_t size, uint64_t count)
{
    char digits[24];
    size_t length = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
    size_t used = 0;
    for (size_t i = 0; i < length && used + 2 < size; i++) {
        if (i && (length - i) % 3 == 0)
            buf[used++] = ',';
        buf[used++] = digits[i];
    }
    if (size)
        buf[used] = '\0';
    return buf;
}
