/* The JSON scanner. See json.h. */
#include "json.h"
#include <string.h>

char pb_json_peek(struct pb_json *json)
{
    while (json->at < json->len && memchr(" \t\r\n", json->text[json->at], 4) != NULL)
        json->at++;
    return json->at < json->len ? json->text[json->at] : '\0';
}

bool pb_json_take(struct pb_json *json, char wanted)
{
    if (pb_json_peek(json) != wanted || json->at == json->len)
        return false;
    json->at++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static size_t digits(const char *text, size_t len, size_t at)
{
    while (at < len && is_digit(text[at]))
        at++;
    return at;
}

bool pb_json_is_number(const char *text, size_t len)
{
    size_t at = len > 0 && text[0] == '-' ? 1 : 0, before = at;
    at = digits(text, len, at);
    if (at == before || (at - before > 1 && text[before] == '0'))
        return false;
    if (at < len && text[at] == '.') {
        before = at + 1;
        at = digits(text, len, before);
        if (at == before)
            return false;
    }
    if (at < len && (text[at] | 0x20) == 'e') {
        at += at + 1 < len && (text[at + 1] == '+' || text[at + 1] == '-') ? 2 : 1;
        before = at;
        at = digits(text, len, before);
        if (at == before)
            return false;
    }
    return at == len;
}

/* The end of a string that opens at `at`, behind its closing quote; 0 when it has none. */
static size_t string_end(const struct pb_json *json, size_t at)
{
    for (at++; at < json->len; at++) {
        if (json->text[at] == '"')
            return at + 1;
        if (json->text[at] == '\\')
            at++;
    }
    return 0;
}

const char *pb_json_scalar(struct pb_json *json, size_t *ret_at, size_t *ret_len)
{
    char first = pb_json_peek(json);
    size_t begin = json->at, end = begin;
    if (first == '"') {
        end = string_end(json, begin);
        if (end == 0)
            return "a string has no end";
        if (pb_json_unescape(json->text + begin + 1, end - begin - 2, NULL) < 0)
            return "a string holds what JSON does not allow (escapes, control characters, UTF-8)";
    } else {
        while (end < json->len && strchr(",:[]{}\" \t\r\n", json->text[end]) == NULL)
            end++;
        const char *word = json->text + begin;
        size_t len = end - begin;
        if (!pb_json_is_number(word, len) && !(len == 4 && memcmp(word, "true", 4) == 0) &&
            !(len == 5 && memcmp(word, "false", 5) == 0) && !(len == 4 && memcmp(word, "null", 4) == 0))
            return "this is no JSON value";
    }
    json->at = end;
    *ret_at = begin;
    *ret_len = end - begin;
    return NULL;
}

/* One value or, of a container, what comes until the next value; the depth is a number, not a call. */
const char *pb_json_skip(struct pb_json *json)
{
    char open[PB_JSON_DEPTH_MAX];
    size_t depth = 0, at, len;
    const char *reason;
    for (;;) {
        char next = pb_json_peek(json);
        if (next == '{' || next == '[') {
            if (depth == PB_JSON_DEPTH_MAX)
                return "it is nested too deep";
            open[depth++] = next;
            json->at++;
            if (pb_json_peek(json) != (next == '{' ? '}' : ']')) {
                if (next == '[')
                    continue;
                goto name;
            }
        } else if ((reason = pb_json_scalar(json, &at, &len)) != NULL) {
            return reason;
        }
        while (depth > 0 && pb_json_take(json, open[depth - 1] == '{' ? '}' : ']'))
            depth--;
        if (depth == 0)
            return NULL;
        if (!pb_json_take(json, ','))
            return "a comma is missing";
        if (open[depth - 1] == '[')
            continue;
    name:
        if (pb_json_peek(json) != '"')
            return "a name in quotes is missing";
        if ((reason = pb_json_scalar(json, &at, &len)) != NULL)
            return reason;
        if (!pb_json_take(json, ':'))
            return "a colon is missing";
    }
}

/* Length of the UTF-8 sequence at p, or 0: overlong, surrogate, too large, cut (RFC 3629). */
static size_t utf8_len(const uint8_t *p, size_t len)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    size_t need = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (len < need)
        return 0;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return need;
}

static size_t utf8_write(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

static int32_t hex4(const char *p, size_t len)
{
    int32_t value = 0;
    if (len < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        char c = p[i], lower = (char)(c | 0x20);
        int32_t digit = is_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* The escape behind a backslash at p: how many bytes it takes, 0 when it is none. */
static size_t escape(const char *p, size_t len, uint32_t *ret_code)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (len < 2)
        return 0;
    const char *simple = p[1] == '\0' ? NULL : strchr(from, p[1]);
    if (simple != NULL) {
        *ret_code = (uint8_t)to[simple - from];
        return 2;
    }
    int32_t first = p[1] == 'u' ? hex4(p + 2, len - 2) : -1;
    if (first < 0 || (first >= 0xdc00 && first <= 0xdfff))
        return 0;
    *ret_code = (uint32_t)first;
    if (first < 0xd800 || first > 0xdbff)
        return 6;
    int32_t second = len >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8, len - 8) : -1;
    if (second < 0xdc00 || second > 0xdfff)
        return 0;
    *ret_code = 0x10000 + ((uint32_t)(first - 0xd800) << 10) + (uint32_t)(second - 0xdc00);
    return 12;
}

int64_t pb_json_unescape(const char *inside, size_t len, char *out)
{
    size_t at = 0, written = 0;
    while (at < len) {
        char bytes[4];
        const char *from = inside + at;
        size_t take, give;
        if (*from == '\\') {
            uint32_t code = 0;
            take = escape(from, len - at, &code);
            give = utf8_write(code, bytes);
            from = bytes;
        } else {
            take = (uint8_t)*from < 0x20 || *from == '"' ? 0 : utf8_len((const uint8_t *)from, len - at);
            give = take;
        }
        if (take == 0)
            return -1;
        if (out != NULL)
            memcpy(out + written, from, give);
        at += take;
        written += give;
    }
    return (int64_t)written;
}
