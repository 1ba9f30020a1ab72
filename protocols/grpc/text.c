/* JSON text. See text.h. */
#include "text.h"
#include "base64.h"
#include "json.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pb_text_fini(struct pb_text *text)
{
    free(text->data);
    *text = (struct pb_text){.limit = text->limit};
}

void pb_text_reset(struct pb_text *text)
{
    text->len = 0;
    text->failed = false;
}

/* Room for `more` bytes and the NUL behind them, or NULL. */
static char *reserve(struct pb_text *text, size_t more)
{
    if (text->failed || more > text->limit - text->len) {
        text->failed = true;
        return NULL;
    }
    if (text->len + more + 1 > text->size) {
        size_t size = (text->len + more + 1) * 2 + 64;
        char *data = realloc(text->data, size);
        if (data == NULL) {
            text->failed = true;
            return NULL;
        }
        text->data = data;
        text->size = size;
    }
    return text->data + text->len;
}

void pb_text_add(struct pb_text *text, const void *bytes, size_t len)
{
    char *to = reserve(text, len);
    if (to == NULL)
        return;
    if (len > 0)
        memcpy(to, bytes, len);
    to[len] = '\0';
    text->len += len;
}

void pb_text_adds(struct pb_text *text, const char *string)
{
    pb_text_add(text, string, strlen(string));
}

void pb_text_addf(struct pb_text *text, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof line)
        text->failed = true;
    else
        pb_text_add(text, line, (size_t)len);
}

static void add_escape(struct pb_text *text, uint8_t byte)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *simple = byte == 0 ? NULL : strchr(from, byte);
    if (simple != NULL)
        pb_text_addf(text, "\\%c", to[simple - from]);
    else
        pb_text_addf(text, "\\u%04x", byte);
}

void pb_text_quote(struct pb_text *text, const uint8_t *bytes, size_t len)
{
    pb_text_adds(text, "\"");
    for (size_t at = 0; at < len;) {
        size_t plain = at, next;
        while (plain < len && bytes[plain] >= 0x20 && bytes[plain] < 0x80 && bytes[plain] != '"' &&
               bytes[plain] != '\\')
            plain++;
        pb_text_add(text, bytes + at, plain - at);
        at = plain;
        if (at == len)
            break;
        if (bytes[at] < 0x80) {
            add_escape(text, bytes[at++]);
            continue;
        }
        for (next = 2; next <= 4; next++) /* a whole sequence is what the JSON scanner takes */
            if (next <= len - at && pb_json_unescape((const char *)bytes + at, next, NULL) == (int64_t)next)
                break;
        if (next <= 4)
            pb_text_add(text, bytes + at, next);
        else
            pb_text_adds(text, "\xef\xbf\xbd");
        at += next <= 4 ? next : 1;
    }
    pb_text_adds(text, "\"");
}

void pb_text_base64(struct pb_text *text, const uint8_t *bytes, size_t len)
{
    pb_text_adds(text, "\"");
    char *to = reserve(text, RPC_BASE64_SIZE(len));
    if (to != NULL)
        text->len += rpc_base64_encode(bytes, len, 1, to);
    pb_text_adds(text, "\"");
}

static bool add_special(struct pb_text *text, double value)
{
    if (isfinite(value))
        return false;
    pb_text_adds(text, isnan(value) ? "\"NaN\"" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    return true;
}

void pb_text_double(struct pb_text *text, double value)
{
    char number[40];
    if (add_special(text, value))
        return;
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(number, sizeof number, "%.*g", digits, value);
        if (strtod(number, NULL) == value)
            break;
    }
    pb_text_adds(text, number);
}

void pb_text_float(struct pb_text *text, float value)
{
    char number[40];
    if (add_special(text, (double)value))
        return;
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(number, sizeof number, "%.*g", digits, (double)value);
        if (strtof(number, NULL) == value)
            break;
    }
    pb_text_adds(text, number);
}
