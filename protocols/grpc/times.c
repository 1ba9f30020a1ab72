/* Dates by the proleptic Gregorian calendar, in days counted from the first of March of year 0, so that a leap day is
 * the last of its year. */
#include "times.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FIRST_SECOND (INT64_C(-62135596800))
#define LAST_SECOND  INT64_C(253402300799)
#define DURATION_MAX INT64_C(315576000000)

struct cursor {
    const char *at, *end;
};

static bool take(struct cursor *cursor, char wanted)
{
    if (cursor->at == cursor->end || *cursor->at != wanted)
        return false;
    cursor->at++;
    return true;
}

static int digits(struct cursor *cursor, int count, int *ret_value)
{
    int value = 0;
    for (; count > 0; count--, cursor->at++) {
        if (cursor->at == cursor->end || *cursor->at < '0' || *cursor->at > '9')
            return -1;
        value = value * 10 + (*cursor->at - '0');
    }
    *ret_value = value;
    return 0;
}

/* ".25" as nanoseconds; nothing is 0. */
static int fraction(struct cursor *cursor, int32_t *ret_nanos)
{
    int32_t nanos = 0, unit = 100000000;
    if (take(cursor, '.')) {
        int digit;
        if (digits(cursor, 1, &digit) < 0)
            return -1;
        do {
            nanos += digit * unit;
            if (unit == 0)
                return -1;
            unit /= 10;
        } while (digits(cursor, 1, &digit) == 0);
    }
    *ret_nanos = nanos;
    return 0;
}

static int64_t days_of(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1, m = (month + 9) % 12;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

static int zone(struct cursor *cursor, int64_t *ret_offset_s)
{
    int hours, minutes;
    *ret_offset_s = 0;
    if (take(cursor, 'Z') || take(cursor, 'z'))
        return 0;
    bool west = take(cursor, '-');
    if ((!west && !take(cursor, '+')) || digits(cursor, 2, &hours) < 0 || !take(cursor, ':') ||
        digits(cursor, 2, &minutes) < 0 || hours > 23 || minutes > 59)
        return -1;
    *ret_offset_s = (west ? -1 : 1) * (hours * INT64_C(3600) + minutes * INT64_C(60));
    return 0;
}

int pb_timestamp_parse(const char *text, size_t len, int64_t *ret_seconds, int32_t *ret_nanos)
{
    struct cursor cursor = {text, text + len};
    int year, month, day, hour, minute, second;
    int32_t nanos;
    int64_t offset_s;
    if (digits(&cursor, 4, &year) < 0 || !take(&cursor, '-') || digits(&cursor, 2, &month) < 0 || !take(&cursor, '-') ||
        digits(&cursor, 2, &day) < 0 || (!take(&cursor, 'T') && !take(&cursor, 't')) || digits(&cursor, 2, &hour) < 0 ||
        !take(&cursor, ':') || digits(&cursor, 2, &minute) < 0 || !take(&cursor, ':') ||
        digits(&cursor, 2, &second) < 0 || fraction(&cursor, &nanos) < 0 || zone(&cursor, &offset_s) < 0 ||
        cursor.at != cursor.end)
        return -1;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 ||
        second > 59)
        return -1;
    int64_t seconds = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset_s;
    if (seconds < FIRST_SECOND || seconds > LAST_SECOND)
        return -1;
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return 0;
}

int pb_duration_parse(const char *text, size_t len, int64_t *ret_seconds, int32_t *ret_nanos)
{
    struct cursor cursor = {text, text + len};
    bool negative = take(&cursor, '-');
    int64_t seconds = 0;
    int32_t nanos;
    int digit;
    if (digits(&cursor, 1, &digit) < 0)
        return -1;
    do {
        seconds = seconds * 10 + digit;
        if (seconds > DURATION_MAX)
            return -1;
    } while (digits(&cursor, 1, &digit) == 0);
    if (fraction(&cursor, &nanos) < 0 || !take(&cursor, 's') || cursor.at != cursor.end)
        return -1;
    *ret_seconds = negative ? -seconds : seconds;
    *ret_nanos = negative ? -nanos : nanos;
    return 0;
}

/* Behind the seconds: nothing, or 3, 6 or 9 digits. */
static int format_fraction(int32_t nanos, char *text, size_t size)
{
    if (nanos == 0)
        return 0;
    if (nanos % 1000000 == 0)
        return snprintf(text, size, ".%03" PRId32, nanos / 1000000);
    if (nanos % 1000 == 0)
        return snprintf(text, size, ".%06" PRId32, nanos / 1000);
    return snprintf(text, size, ".%09" PRId32, nanos);
}

int pb_timestamp_format(int64_t seconds, int32_t nanos, char text[PB_TIME_TEXT_MAX])
{
    if (seconds < FIRST_SECOND || seconds > LAST_SECOND || nanos < 0 || nanos > 999999999)
        return -1;
    int64_t day_s = seconds % 86400 < 0 ? seconds % 86400 + 86400 : seconds % 86400;
    int64_t z = (seconds - day_s) / 86400 + 719468; /* days since the first of March of year 0; never below 306 */
    int64_t era = z / 146097, of_era = z % 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;
    int day = (int)(of_year - (153 * m + 2) / 5 + 1), month = (int)(m < 10 ? m + 3 : m - 9);
    int year = (int)(y + era * 400 + (month <= 2 ? 1 : 0));
    int len = snprintf(text, PB_TIME_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, (int)(day_s / 3600),
                       (int)(day_s / 60 % 60), (int)(day_s % 60));
    len += format_fraction(nanos, text + len, PB_TIME_TEXT_MAX - (size_t)len);
    memcpy(text + len, "Z", 2);
    return len + 1;
}

int pb_duration_format(int64_t seconds, int32_t nanos, char text[PB_TIME_TEXT_MAX])
{
    if (seconds < -DURATION_MAX || seconds > DURATION_MAX || nanos < -999999999 || nanos > 999999999 ||
        (seconds < 0 && nanos > 0) || (seconds > 0 && nanos < 0))
        return -1;
    bool negative = seconds < 0 || nanos < 0;
    int len = snprintf(text, PB_TIME_TEXT_MAX, "%s%" PRId64, negative ? "-" : "", negative ? -seconds : seconds);
    len += format_fraction(negative ? -nanos : nanos, text + len, PB_TIME_TEXT_MAX - (size_t)len);
    memcpy(text + len, "s", 2);
    return len + 1;
}
