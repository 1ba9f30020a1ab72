/* Dates of cookies, RFC 6265 5.1.1: tokens in any order, which takes every shape that servers have ever sent. */
#include "cookies.h"
#include <strings.h>

struct date {
    int32_t hour, minute, second, day, month, year; /* -1: not found yet */
};

static bool is_delimiter(uint8_t byte)
{
    return byte == 0x09 || (byte >= 0x20 && byte <= 0x2f) || (byte >= 0x3b && byte <= 0x40) ||
           (byte >= 0x5b && byte <= 0x60) || (byte >= 0x7b && byte <= 0x7e);
}

/* Up to `most` digits at *at, and no further one behind them; -1: none. */
static int32_t digits(const uint8_t **at, const uint8_t *end, unsigned most)
{
    int32_t number = 0;
    unsigned count = 0;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        if (++count > most)
            return -1;
        number = number * 10 + (**at - '0');
    }
    return count ? number : -1;
}

static bool read_time(struct date *date, const uint8_t *at, const uint8_t *end)
{
    int32_t parts[3];
    for (int i = 0; i < 3; i++) {
        parts[i] = digits(&at, end, 2);
        if (parts[i] < 0 || (i < 2 && (at == end || *at++ != ':')))
            return false;
    }
    date->hour = parts[0];
    date->minute = parts[1];
    date->second = parts[2];
    return true;
}

static bool read_month(struct date *date, const uint8_t *at, const uint8_t *end)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    for (int32_t i = 0; end - at >= 3 && i < 12; i++)
        if (strncasecmp((const char *)at, names + 3 * i, 3) == 0) {
            date->month = i + 1;
            return true;
        }
    return false;
}

static void read_token(struct date *date, const uint8_t *at, const uint8_t *end)
{
    const uint8_t *number_end = at;
    if (date->hour < 0 && read_time(date, at, end))
        return;
    int32_t number = digits(&number_end, end, 4);
    int64_t count = number_end - at;
    if (date->day < 0 && number >= 0 && count <= 2)
        date->day = number;
    else if (date->month < 0 && read_month(date, at, end))
        return;
    else if (date->year < 0 && number >= 0 && (count == 2 || count == 4))
        date->year = number;
}

/* Days since 1970 in the proleptic Gregorian calendar: years begin with March, so that a leap day is a year's last. */
static int64_t days_since_1970(int32_t year, int32_t month, int32_t day)
{
    int64_t y = year - (month <= 2), m = (month + 9) % 12;
    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

int64_t cookie_date(struct squall_bytes text)
{
    struct date date = {-1, -1, -1, -1, -1, -1};
    const uint8_t *at = text.data, *end = text.data + text.len;
    while (at < end) {
        while (at < end && is_delimiter(*at))
            at++;
        const uint8_t *token = at;
        while (at < end && !is_delimiter(*at))
            at++;
        if (at > token)
            read_token(&date, token, at);
    }
    if (date.year >= 70 && date.year <= 99)
        date.year += 1900;
    else if (date.year >= 0 && date.year <= 69)
        date.year += 2000;
    if (date.hour < 0 || date.hour > 23 || date.minute > 59 || date.second > 59 || date.day < 1 || date.day > 31 ||
        date.month < 0 || date.year < 1601)
        return -1;
    int64_t seconds =
        days_since_1970(date.year, date.month, date.day) * 86400 + date.hour * 3600 + date.minute * 60 + date.second;
    return seconds < 0 ? 0 : seconds; /* before 1970 is as good as then: it has passed */
}
