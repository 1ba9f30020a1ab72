/* Lines of the raw log. See raw.h. Runs on the spool's thread: it reads nothing but the record and the names. */
#include "metrics/raw.h"
#include "base/buffer.h"
#include "metrics/series.h"
#include "scenario/scenario.h"
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ,"key":number, or nothing where there is no time: an absent key, never a zero. */
static int append_time(char *out, size_t room, const char *key, uint64_t ns)
{
    return ns == RAW_NO_TIME ? 0 : snprintf(out, room, ",\"%s\":%" PRIu64, key, ns);
}

size_t raw_format(const void *record_bytes, char *out, size_t room, void *arg)
{
    const struct raw_record *record = record_bytes;
    const struct raw_names *names = arg;
    size_t length = (size_t)snprintf(out, room,
                                     "{\"id\":%" PRIu64 ",\"worker\":%" PRIu32 ",\"user\":%" PRIu64
                                     ",%s,\"block\":\"%s\",\"outcome\":\"%s\",\"code\":%" PRId64
                                     ",\"intended_ns\":%" PRIu64,
                                     record->id, names->worker, record->user, names->steps[record->series],
                                     record->block == BLOCK_WARMUP ? "warmup" : "measured",
                                     outcome_key((enum outcome)record->outcome), record->code, record->intended_ns);
    length += (size_t)append_time(out + length, room - length, "sent_ns", record->sent_ns);
    length += (size_t)append_time(out + length, room - length, "done_ns", record->done_ns);
    length += (size_t)snprintf(out + length, room - length, ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64 "}\n",
                               record->bytes_in, record->bytes_out);
    return length;
}

/* The length of the well-formed UTF-8 character (RFC 3629) at text, or 0. */
static size_t character_length(const unsigned char *text)
{
    size_t length = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
    bool outside = (text[0] == 0xed && text[1] > 0x9f) || (text[0] == 0xf4 && text[1] > 0x8f);
    return overlong || outside ? 0 : length;
}

/* One character's JSON form (RFC 8259, section 7), at most 6 bytes and a NUL; returns how many bytes of text it took. */
static size_t escape_character(const unsigned char *text, char out[7])
{
    size_t length = character_length(text);
    if (length == 0) {
        snprintf(out, 7, "\\ufffd");
        return 1;
    }
    if (text[0] == '"' || text[0] == '\\')
        snprintf(out, 7, "\\%c", text[0]);
    else if (text[0] < ' ' || text[0] == 0x7f)
        snprintf(out, 7, "\\u%04x", text[0]);
    else {
        memcpy(out, text, length);
        out[length] = '\0';
    }
    return length;
}

char *raw_escape(const char *name)
{
    char *escaped = xmalloc(RAW_NAME_MAX + 1), character[7];
    const unsigned char *at = (const unsigned char *)name;
    size_t length = 0;
    escaped[length++] = '"';
    while (*at) {
        at += escape_character(at, character);
        size_t more = strlen(character);
        if (length + more + 1 > RAW_NAME_MAX)
            break;
        memcpy(escaped + length, character, more);
        length += more;
    }
    escaped[length++] = '"';
    escaped[length] = '\0';
    return escaped;
}

/* "key":"value" */
static void append_pair(struct buffer *out, const char *key, const char *value)
{
    char *escaped_key = raw_escape(key), *escaped_value = raw_escape(value);
    buffer_printf(out, "%s:%s", escaped_key, escaped_value);
    free(escaped_key);
    free(escaped_value);
}

char *raw_step(const char *name, const struct tags *tags)
{
    struct buffer out = {0};
    append_pair(&out, "step", name);
    for (uint32_t i = 0; i < tags->count; i++) {
        buffer_printf(&out, "%s", i ? "," : ",\"tags\":{");
        append_pair(&out, tags->list[i].name, tags->list[i].value);
    }
    if (tags->count)
        buffer_printf(&out, "}");
    return (char *)out.data; /* buffer_printf leaves a NUL behind it */
}
