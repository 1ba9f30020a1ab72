/*
 * UTF-8 on a terminal: cleaning, measuring, cutting, wrapping. Independent of the locale, so that a screen looks the
 * same wherever it is printed. All but text_clean take clean text.
 */
#include "report/text.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/units.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define ELLIPSIS    "\xE2\x80\xA6" /* U+2026 */

static const char *const tone_start[TONE_COUNT] = {
    [TONE_PLAIN] = "",        [TONE_BOLD] = "\033[1m", [TONE_DIM] = "\033[2m",
    [TONE_GOOD] = "\033[32m", [TONE_BAD] = "\033[31m", [TONE_WARN] = "\033[33m",
};

/* Length of the well-formed sequence at text (Unicode 15, table 3-7), or 0; ret_point gets its code point. */
static size_t utf8_decode(const unsigned char *text, uint32_t *ret_point)
{
    unsigned char lead = text[0];
    if (lead < 0x80) {
        *ret_point = lead;
        return 1;
    }
    size_t len = lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 : lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
    if (len == 0)
        return 0;
    uint32_t point = lead & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((text[i] & 0xC0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3Fu);
    }
    bool overlong = (len == 3 && point < 0x800) || (len == 4 && point < 0x10000);
    bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    if (overlong || surrogate || point > 0x10FFFF)
        return 0;
    *ret_point = point;
    return len;
}

/* C0, DEL, C1, line and paragraph separators, and the marks that turn the direction of what follows. */
static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7F && point < 0xA0) || point == 0x2028 || point == 0x2029 ||
           (point >= 0x202A && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069);
}

char *text_clean(char *buf, size_t size, const char *text)
{
    const unsigned char *from = (const unsigned char *)text;
    size_t used = 0;
    while (*from) {
        uint32_t point = 0;
        size_t len = utf8_decode(from, &point);
        const char *put = (const char *)from;
        size_t put_len = len;
        if (len == 0) {
            put = REPLACEMENT;
            put_len = strlen(REPLACEMENT);
        } else if (is_control(point)) {
            put = " ";
            put_len = 1;
        }
        if (used + put_len + 1 > size)
            break;
        memcpy(buf + used, put, put_len);
        used += put_len;
        from += len ? len : 1;
    }
    buf[used] = '\0';
    return buf;
}

char *text_clean_copy(const char *text)
{
    size_t size = strlen(text) * strlen(REPLACEMENT) + 1;
    return text_clean(xmalloc(size), size, text);
}

/* Near enough to Unicode's East Asian Width and combining marks for a table to stay straight. */
static uint32_t point_width(uint32_t point)
{
    static const struct {
        uint32_t first, last, width;
    } ranges[] = {
        {0x0300, 0x036F, 0}, {0x200B, 0x200F, 0},   {0x20D0, 0x20FF, 0},   {0xFE00, 0xFE0F, 0},   {0x1100, 0x115F, 2},
        {0x2E80, 0xA4CF, 2}, {0xAC00, 0xD7A3, 2},   {0xF900, 0xFAFF, 2},   {0xFE30, 0xFE6F, 2},   {0xFF00, 0xFF60, 2},
        {0xFFE0, 0xFFE6, 2}, {0x1F300, 0x1F64F, 2}, {0x1F680, 0x1F6FF, 2}, {0x1F900, 0x1F9FF, 2}, {0x20000, 0x3FFFD, 2},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (point >= ranges[i].first && point <= ranges[i].last)
            return ranges[i].width;
    return 1;
}

/* Walks at most `columns` columns; gives the bytes and, in ret_columns, the columns that they take. */
static size_t walk(const char *text, uint32_t columns, uint32_t *ret_columns)
{
    size_t bytes = 0;
    uint32_t taken = 0;
    while (text[bytes]) {
        uint32_t point = 0;
        size_t len = utf8_decode((const unsigned char *)text + bytes, &point);
        uint32_t width = point_width(point);
        if (len == 0 || width > columns - taken)
            break;
        taken += width;
        bytes += len;
    }
    *ret_columns = taken;
    return bytes;
}

uint32_t text_width(const char *text)
{
    uint32_t columns;
    walk(text, UINT32_MAX, &columns);
    return columns;
}

size_t text_fit(const char *text, uint32_t columns)
{
    uint32_t taken;
    return walk(text, columns, &taken);
}

static void put_bytes(struct buffer *out, const char *text, size_t len, enum tone tone, bool colour)
{
    bool toned = colour && tone != TONE_PLAIN && len > 0;
    if (toned)
        buffer_append(out, tone_start[tone], strlen(tone_start[tone]));
    buffer_append(out, text, len);
    if (toned)
        buffer_append(out, "\033[0m", 4);
}

void text_put(struct buffer *out, const char *text, enum tone tone, bool colour)
{
    put_bytes(out, text, strlen(text), tone, colour);
}

uint32_t text_put_cut(struct buffer *out, const char *text, uint32_t columns, enum tone tone, bool colour)
{
    uint32_t width = text_width(text);
    if (width <= columns) {
        text_put(out, text, tone, colour);
        return width;
    }
    if (columns == 0)
        return 0;
    uint32_t taken;
    size_t bytes = walk(text, columns - 1, &taken);
    put_bytes(out, text, bytes, tone, colour);
    put_bytes(out, ELLIPSIS, strlen(ELLIPSIS), tone, colour);
    return taken + 1;
}

void text_spaces(struct buffer *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        buffer_append(out, " ", 1);
}

void text_wrap(struct buffer *out, const char *text, uint32_t at, uint32_t indent, uint32_t width, enum tone tone,
               bool colour)
{
    for (;;) {
        uint32_t room = width > at ? width - at : 1;
        size_t bytes = text_fit(text, room);
        if (text[bytes]) {
            size_t space = bytes;
            while (space > 0 && text[space] != ' ')
                space--;
            if (space > 0)
                bytes = space;
            else if (bytes == 0)
                break; /* not even one character fits */
        }
        put_bytes(out, text, bytes, tone, colour);
        text += bytes;
        while (*text == ' ')
            text++;
        if (*text == '\0')
            break;
        buffer_append(out, "\n", 1);
        text_spaces(out, indent);
        at = indent;
    }
    buffer_append(out, "\n", 1);
}

char *text_clock(char *buf, size_t size, uint64_t ns, bool fine)
{
    uint64_t seconds = ns / NS_PER_S;
    if (fine && seconds < 10 && ns % NS_PER_S != 0)
        snprintf(buf, size, "%" PRIu64 ".%" PRIu64 "s", seconds, ns % NS_PER_S / (100 * NS_PER_MS));
    else if (seconds < 60)
        snprintf(buf, size, "%" PRIu64 "s", seconds);
    else if (seconds < 3600)
        snprintf(buf, size, "%" PRIu64 "m%02" PRIu64 "s", seconds / 60, seconds % 60);
    else
        snprintf(buf, size, "%" PRIu64 "h%02" PRIu64 "m", seconds / 3600, seconds / 60 % 60);
    return buf;
}

char *text_count(char *buf, size_t size, uint64_t count)
{
    if (count < UINT64_C(10000000))
        return units_print_grouped(buf, size, count);
    return units_print_count(buf, size, (double)count);
}
