/*
 * See json_path.h. One pass over the bytes: values that are not asked for are skipped by counting brackets outside of
 * strings (json_skip.c). Numbers and words are checked only when they are asked for.
 */
#include "scenario/json_path.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY_DECODED_MAX 256u /* a name with escapes that is longer matches nothing */
#define NUMBER_LEN_MAX  64u

struct scan {
    const uint8_t *at, *end;
};

static void skip_space(struct scan *scan)
{
    const uint8_t *at = scan->at;
    while (at < scan->end && *at <= ' ' && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    scan->at = at;
}

/* Bytes that end a number or a word. */
static const bool ends_word[256] = {
    [' '] = true, ['\n'] = true, ['\r'] = true, ['\t'] = true, [','] = true, [':'] = true,
    ['"'] = true, ['{'] = true,  ['}'] = true,  ['['] = true,  [']'] = true,
};

static bool move_to(struct scan *scan, const uint8_t *at)
{
    if (at)
        scan->at = at;
    return at != NULL;
}

static bool skip_value(struct scan *scan)
{
    skip_space(scan);
    if (scan->at == scan->end)
        return false;
    if (*scan->at == '"')
        return move_to(scan, json_skip_string(scan->at, scan->end));
    if (*scan->at == '{' || *scan->at == '[')
        return move_to(scan, json_skip_nested(scan->at, scan->end));
    const uint8_t *start = scan->at, *at = start;
    while (at < scan->end && !ends_word[*at])
        at++;
    scan->at = at;
    return at > start;
}

/* Behind a value: true when another one follows. The closing bracket stays. */
static bool next_item(struct scan *scan)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != ',')
        return false;
    scan->at++;
    return true;
}

/* At the opening bracket: moves behind it; false when nothing is in there. */
static bool enter(struct scan *scan, uint8_t open, uint8_t close)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != open)
        return false;
    scan->at++;
    skip_space(scan);
    return scan->at < scan->end && *scan->at != close;
}

/* ---- Texts ---- */

static int32_t hex4(const uint8_t *at, const uint8_t *end)
{
    int32_t code = 0;
    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        uint8_t c = at[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

static size_t put_utf8(uint32_t code, uint8_t *out)
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (uint8_t)(0xc0 | code >> 6);
        out[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (uint8_t)(0xe0 | code >> 12);
        out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | code >> 18);
    out[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* Behind "\u": the character, of two halves where it takes two. A half alone is U+FFFD. */
static bool decode_unicode(const uint8_t **at, const uint8_t *end, uint32_t *ret_code)
{
    int32_t high = hex4(*at, end);
    if (high < 0)
        return false;
    *at += 4;
    *ret_code = (uint32_t)high;
    if (high < 0xd800 || high > 0xdfff)
        return true;
    *ret_code = 0xfffd;
    if (high > 0xdbff || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return true;
    int32_t low = hex4(*at + 2, end);
    if (low >= 0xdc00 && low <= 0xdfff) {
        *at += 6;
        *ret_code = 0x10000 + (((uint32_t)high & 0x3ff) << 10 | ((uint32_t)low & 0x3ff));
    }
    return true;
}

/* What stands between the quotes. `out` has room for as many bytes: no escape is shorter than what it stands for. */
static bool decode(const uint8_t *at, const uint8_t *end, uint8_t *out, size_t *ret_len)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    size_t len = 0;
    while (at < end) {
        if (*at != '\\') {
            out[len++] = *at++;
            continue;
        }
        if (++at == end)
            return false;
        uint8_t c = *at++;
        const char *known = c ? strchr(from, c) : NULL;
        uint32_t code = 0;
        if (known)
            out[len++] = (uint8_t)to[known - from];
        else if (c == 'u' && decode_unicode(&at, end, &code))
            len += put_utf8(code, out + len);
        else
            return false;
    }
    *ret_len = len;
    return true;
}

static bool name_is(const uint8_t *at, const uint8_t *end, struct squall_bytes name)
{
    size_t len = (size_t)(end - at);
    if (len == name.len && (len == 0 || memcmp(at, name.data, len) == 0))
        return true;
    if (len <= name.len || len > KEY_DECODED_MAX || !memchr(at, '\\', len))
        return false;
    uint8_t decoded[KEY_DECODED_MAX];
    return decode(at, end, decoded, &len) && len == name.len && (len == 0 || memcmp(decoded, name.data, len) == 0);
}

/* ---- Paths ---- */

static bool find(struct scan *scan, const struct json_step *steps, uint32_t count, struct squall_bytes *ret_raw);

static bool find_member(struct scan *scan, const struct json_step *steps, uint32_t count, struct squall_bytes *ret_raw)
{
    if (!enter(scan, '{', '}'))
        return false;
    do {
        skip_space(scan);
        const uint8_t *name = scan->at + 1;
        if (scan->at == scan->end || *scan->at != '"' || !move_to(scan, json_skip_string(scan->at, scan->end)))
            return false;
        const uint8_t *name_end = scan->at - 1;
        skip_space(scan);
        if (scan->at == scan->end || *scan->at++ != ':')
            return false;
        if (name_is(name, name_end, steps->name))
            return find(scan, steps + 1, count - 1, ret_raw);
        if (!skip_value(scan))
            return false;
    } while (next_item(scan));
    return false;
}

static bool find_element(struct scan *scan, const struct json_step *steps, uint32_t count, struct squall_bytes *ret_raw)
{
    int64_t index = steps->index;
    skip_space(scan);
    if (index < 0) {
        int64_t size = json_size((struct squall_bytes){scan->at, (uint64_t)(scan->end - scan->at)});
        index += size;
        if (size < 0 || index < 0)
            return false;
    }
    if (!enter(scan, '[', ']'))
        return false;
    for (; index > 0; index--)
        if (!skip_value(scan) || !next_item(scan))
            return false;
    return find(scan, steps + 1, count - 1, ret_raw);
}

static bool find_any(struct scan *scan, const struct json_step *steps, uint32_t count, struct squall_bytes *ret_raw)
{
    if (!enter(scan, '[', ']'))
        return false;
    do {
        struct scan inner = *scan;
        if (find(&inner, steps + 1, count - 1, ret_raw))
            return true;
        if (!skip_value(scan))
            return false;
    } while (next_item(scan));
    return false;
}

/* As deep as the path is long. */
static bool find(struct scan *scan, const struct json_step *steps, uint32_t count, struct squall_bytes *ret_raw)
{
    if (count > 0)
        return steps->kind == JSON_MEMBER  ? find_member(scan, steps, count, ret_raw)
               : steps->kind == JSON_INDEX ? find_element(scan, steps, count, ret_raw)
                                           : find_any(scan, steps, count, ret_raw);
    skip_space(scan);
    const uint8_t *start = scan->at;
    if (!skip_value(scan))
        return false;
    *ret_raw = (struct squall_bytes){start, (uint64_t)(scan->at - start)};
    return true;
}

bool json_find(struct squall_bytes text, const struct json_step *steps, uint32_t count, struct squall_bytes *ret_raw)
{
    if (text.len == 0)
        return false;
    struct scan scan = {text.data, text.data + text.len};
    return find(&scan, steps, count, ret_raw);
}

int64_t json_size(struct squall_bytes raw)
{
    if (raw.len == 0)
        return -1;
    struct scan scan = {raw.data, raw.data + raw.len};
    bool object = *scan.at == '{';
    uint8_t close = object ? '}' : ']';
    int64_t size = 0;
    if (!enter(&scan, object ? '{' : '[', close))
        return scan.at > raw.data && scan.at < scan.end ? 0 : -1;
    do {
        if (object) {
            skip_space(&scan);
            if (scan.at == scan.end || *scan.at != '"' || !move_to(&scan, json_skip_string(scan.at, scan.end)))
                return -1;
            skip_space(&scan);
            if (scan.at == scan.end || *scan.at++ != ':')
                return -1;
        }
        if (!skip_value(&scan))
            return -1;
        size++;
    } while (next_item(&scan));
    return scan.at < scan.end && *scan.at == close ? size : -1;
}

/* ---- Values ---- */

static bool digits(const char **at)
{
    const char *start = *at;
    while (**at >= '0' && **at <= '9')
        (*at)++;
    return *at > start;
}

/* RFC 8259, section 6: strtod takes more than that. */
static bool is_number(const char *at)
{
    at += *at == '-';
    bool zero = *at == '0';
    const char *whole = at;
    if (!digits(&at) || (zero && at - whole > 1))
        return false;
    if (*at == '.' && (at++, !digits(&at)))
        return false;
    if ((*at | 32) == 'e') {
        at++;
        at += *at == '+' || *at == '-';
        if (!digits(&at))
            return false;
    }
    return *at == '\0';
}

static bool whole_number(const uint8_t *data, size_t len, double *ret_number)
{
    bool negative = data[0] == '-';
    uint64_t number = 0;
    if (len - negative == 0 || len > 15 || (data[negative] == '0' && len - negative > 1))
        return false;
    for (size_t i = negative; i < len; i++) {
        if (data[i] < '0' || data[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(data[i] - '0');
    }
    *ret_number = negative ? -(double)number : (double)number;
    return true;
}

static void number_value(struct squall_bytes raw, struct value *ret)
{
    char copy[NUMBER_LEN_MAX];
    double number;
    if (!whole_number(raw.data, raw.len, &number)) {
        if (raw.len >= sizeof copy)
            return;
        memcpy(copy, raw.data, raw.len);
        copy[raw.len] = '\0';
        if (!is_number(copy))
            return;
        number = strtod(copy, NULL);
    }
    if (isfinite(number))
        *ret = (struct value){.type = VALUE_NUMBER, .number = number};
}

static void string_value(struct squall_bytes raw, struct arena *scratch, struct value *ret)
{
    if (raw.len < 2 || raw.data[raw.len - 1] != '"')
        return;
    struct squall_bytes text = {raw.data + 1, raw.len - 2};
    if (text.len && memchr(text.data, '\\', text.len)) {
        uint8_t *decoded = arena_take(scratch, text.len + 1);
        size_t len = 0;
        if (!decode(text.data, text.data + text.len, decoded, &len))
            return;
        decoded[len] = '\0';
        text = (struct squall_bytes){decoded, len};
    }
    *ret = (struct value){.type = VALUE_STRING, .string = text};
}

static bool word_is(struct squall_bytes raw, const char *word)
{
    return raw.len == strlen(word) && memcmp(raw.data, word, raw.len) == 0;
}

void json_value(struct squall_bytes raw, struct arena *scratch, struct value *ret)
{
    *ret = (struct value){.type = VALUE_NULL};
    if (raw.len == 0)
        return;
    uint8_t c = raw.data[0];
    if (c == '"')
        string_value(raw, scratch, ret);
    else if (c == '{' || c == '[')
        *ret = (struct value){.type = VALUE_STRING, .json = true, .string = raw};
    else if (c == '-' || (c >= '0' && c <= '9'))
        number_value(raw, ret);
    else if (word_is(raw, "true") || word_is(raw, "false"))
        *ret = (struct value){.type = VALUE_BOOL, .boolean = c == 't'};
}
