/* See secret.h. Matching looks at each place of the text for each secret; outputs that may hold one are short and rare. */
#include "base/secret.h"
#include "base/arena.h"
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENTS 3

struct core { /* of its base64: the letters that do not depend on what stands around it */
    char *letters;
    size_t len;
};
struct secret {
    char *value;
    size_t len;
    struct core cores[ALIGNMENTS];
};

static struct secret secrets[SECRETS_MAX];
static size_t secret_count;
static const char *defined; /* lines of the file; NULL: none */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- keeping ---- */

/* Letter i of the base64 of `shift` unknown bytes and then the value. */
static char letter_at(const char *value, size_t len, size_t shift, size_t i)
{
    unsigned bits = 0;
    for (size_t bit = 6 * i; bit < 6 * i + 6; bit++) {
        size_t byte = bit / 8;
        unsigned one = byte >= shift && byte < shift + len ? ((unsigned char)value[byte - shift] >> (7 - bit % 8)) & 1u : 0u;
        bits = bits << 1 | one;
    }
    return alphabet[bits];
}

static void make_cores(struct secret *secret)
{
    for (size_t shift = 0; shift < ALIGNMENTS; shift++) {
        size_t first = (shift * 8 + 5) / 6, end = (shift + secret->len) * 8 / 6;
        struct core *core = &secret->cores[shift];
        core->len = end - first;
        core->letters = xmalloc(core->len + 1);
        for (size_t i = 0; i < core->len; i++)
            core->letters[i] = letter_at(secret->value, secret->len, shift, first + i);
    }
}

static void keep(const char *value, size_t len)
{
    for (size_t i = 0; i < secret_count; i++)
        if (secrets[i].len == len && memcmp(secrets[i].value, value, len) == 0)
            return;
    struct secret *secret = &secrets[secret_count++];
    *secret = (struct secret){.value = xmalloc(len + 1), .len = len};
    memcpy(secret->value, value, len);
    secret->value[len] = '\0';
    make_cores(secret);
}

/* ---- finding ---- */

static bool name_ends(const char *line, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    return len > name_len && memcmp(line, name, name_len) == 0 && line[name_len] == '=';
}

static size_t line_length(const char *line)
{
    return strcspn(line, "\n");
}

static const char *find_line(const char *name, size_t *ret_len)
{
    for (const char *line = defined; line && *line;) {
        size_t len = line_length(line);
        if (line[0] != '#' && name_ends(line, len, name)) {
            const char *value = line + strlen(name) + 1;
            size_t value_len = len - strlen(name) - 1;
            value_len -= value_len && value[value_len - 1] == '\r';
            *ret_len = value_len;
            return value;
        }
        line += len + (line[len] == '\n');
    }
    return NULL;
}

int secrets_define(const char *text, const char *file, struct error *error)
{
    unsigned number = 1;
    for (const char *line = text; *line; number++) {
        size_t len = line_length(line), name_len = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
        bool empty = line[strspn(line, " \t\r")] == '\n' || line[strspn(line, " \t\r")] == '\0';
        if (!empty && line[0] != '#' && (name_len == 0 || line[name_len] != '='))
            return error_set(error, "%s:%u: this is no secret; write NAME=VALUE, a line each", file, number);
        line += len + (line[len] == '\n');
    }
    defined = text;
    return 0;
}

int secret_get(const char *name, const char **ret_value, struct error *error)
{
    size_t len = 0;
    const char *value = find_line(name, &len);
    if (!value) {
        value = getenv(name);
        len = value ? strlen(value) : 0;
    }
    if (!value)
        return error_set(error, "the secret %s is not in the environment; set it, for example `%s=... squall ...`, or give a file: --secrets FILE", name,
                         name);
    if (len < SECRET_LEN_MIN || len > SECRET_LEN_MAX)
        return error_set(error, "the secret %s has %zu bytes, and only 4 to 4,096 can be kept out of every output; use another value, or env.%s", name,
                         len, name);
    if (secret_count == SECRETS_MAX)
        return error_set(error, "more than %u different secrets", SECRETS_MAX);
    keep(value, len);
    for (size_t i = 0; i < secret_count; i++)
        if (secrets[i].len == len && memcmp(secrets[i].value, value, len) == 0)
            *ret_value = secrets[i].value;
    return 0;
}

/* ---- hiding ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static int hex(const char *text, size_t len, size_t digits)
{
    int number = 0;
    if (len < digits)
        return -1;
    for (size_t i = 0; i < digits; i++) {
        if (digit(text[i]) < 0)
            return -1;
        number = number * 16 + digit(text[i]);
    }
    return number;
}

static size_t utf8(int code, char *out)
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
    out[0] = (char)(0xe0 | code >> 12);
    out[1] = (char)(0x80 | (code >> 6 & 0x3f));
    out[2] = (char)(0x80 | (code & 0x3f));
    return 3;
}

/* One escape at the start: what it stands for, and how long it is; 0: there is none. */
static size_t escape(const char *text, size_t len, char *out, size_t *ret_out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    int code = -1;
    *ret_out = 1;
    if (len >= 3 && text[0] == '%' && (code = hex(text + 1, len - 1, 2)) >= 0) {
        out[0] = (char)code;
        return 3;
    }
    if (text[0] == '+') {
        out[0] = ' ';
        return 1;
    }
    if (len < 2 || text[0] != '\\')
        return 0;
    const char *known = text[1] ? strchr(from, text[1]) : NULL;
    if (known) {
        out[0] = to[known - from];
        return 2;
    }
    if (text[1] == 'x' && (code = hex(text + 2, len - 2, 2)) >= 0) {
        out[0] = (char)code;
        return 4;
    }
    if (text[1] == 'u' && (code = hex(text + 2, len - 2, 4)) >= 0) {
        *ret_out = utf8(code, out);
        return 6;
    }
    return 0;
}

static bool same(char a, char b, bool base64)
{
    return a == b || (base64 && ((a == '-' && b == '+') || (a == '_' && b == '/')));
}

/* How much of the text's start stands for the wanted bytes; 0: it does not. What begins an escape may also stand for
 * itself: both ways are gone, which takes no longer, since one of them ends at the next byte or two. */
static size_t match(const char *text, size_t len, const char *wanted, size_t wanted_len, bool base64)
{
    size_t at = 0, have = 0;
    while (have < wanted_len) {
        char out[4];
        size_t count = 1, used = 1;
        if (at == len)
            return 0;
        bool special = text[at] == '%' || text[at] == '\\';
        if (!same(text[at], wanted[have], base64) || special) {
            used = escape(text + at, len - at, out, &count);
            bool fits = used && count <= wanted_len - have && memcmp(out, wanted + have, count) == 0;
            if (fits && text[at] == wanted[have]) {
                size_t rest = match(text + at + 1, len - at - 1, wanted + have + 1, wanted_len - have - 1, base64);
                if (rest)
                    return at + 1 + rest;
            }
            if (!fits && text[at] != wanted[have])
                return 0;
            used = fits ? used : 1;
            count = fits ? count : 1;
        }
        at += used;
        have += count;
    }
    return at;
}

static size_t match_hex(const char *text, size_t len, const struct secret *secret)
{
    if (len < 2 * secret->len)
        return 0;
    for (size_t i = 0; i < secret->len; i++)
        if (hex(text + 2 * i, 2, 2) != (unsigned char)secret->value[i])
            return 0;
    return 2 * secret->len;
}

static bool in_base64(char c)
{
    return isalnum((unsigned char)c) || c == '+' || c == '/' || c == '-' || c == '_' || c == '=';
}

/* The length that is secret at `at`. A base64 letter on either side holds some of its bits: *ret_before is 1 when the one
 * before goes too. */
static size_t find(const char *text, size_t len, size_t at, const struct secret *secret, size_t *ret_before)
{
    size_t found = match(text + at, len - at, secret->value, secret->len, false);
    *ret_before = 0;
    if (!found)
        found = match_hex(text + at, len - at, secret);
    for (size_t shift = 0; shift < ALIGNMENTS && !found; shift++) {
        const struct core *core = &secret->cores[shift];
        found = match(text + at, len - at, core->letters, core->len, true);
        if (!found)
            continue;
        *ret_before = shift && at > 0 && in_base64(text[at - 1]);
        for (int more = 0; more < 3 && at + found < len && in_base64(text[at + found]) && (more == 0 || text[at + found] == '='); more++)
            found++;
    }
    return found;
}

size_t secret_hide(char *text, size_t len)
{
    size_t kept = 0, at = 0;
    while (at < len) {
        size_t longest = 0, before = 0;
        for (size_t i = 0; i < secret_count; i++) {
            size_t one_before, found = find(text, len, at, &secrets[i], &one_before);
            if (found > longest) {
                longest = found;
                before = one_before;
            }
        }
        if (!longest) {
            text[kept++] = text[at++];
            continue;
        }
        kept -= before && kept ? 1 : 0;
        memcpy(text + kept, "***", 3);
        kept += 3;
        at += longest;
    }
    return kept;
}

char *secret_hide_text(char *text)
{
    text[secret_hide(text, strlen(text))] = '\0';
    return text;
}
