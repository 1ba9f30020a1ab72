/* Reads the JSON text that `filters` is handed over as. The engine wrote it, so it is JSON; what it holds is the
 * scenario's. Texts are unescaped in a copy, where they only get shorter. */
#include "filters.h"
#include "wire.h"
#include <stdlib.h>
#include <string.h>

struct text {
    uint8_t *at, *end;
    const char *why;
};

static void refuse(struct text *text, const char *why)
{
    if (text->why == NULL)
        text->why = why;
    text->at = text->end;
}

/* The next byte that is no white space; 0 at the end. */
static uint8_t peek(struct text *text)
{
    while (text->at < text->end && memchr(" \t\r\n", *text->at, 4) != NULL)
        text->at++;
    return text->at < text->end ? *text->at : 0;
}

static bool take(struct text *text, uint8_t byte)
{
    bool there = peek(text) == byte;
    text->at += there;
    return there;
}

static uint32_t take_hex(struct text *text)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4 && text->at < text->end; i++) {
        uint8_t byte = *text->at++;
        value = value << 4 | (byte <= '9' ? byte - 0x30u : (byte | 0x20u) - 0x57u);
    }
    return value;
}

static uint8_t *put_utf8(uint8_t *at, uint32_t point)
{
    if (point < 0x80) {
        *at++ = (uint8_t)point;
        return at;
    }
    unsigned more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t marks[] = {0, 0xc0, 0xe0, 0xf0};
    *at++ = (uint8_t)(marks[more] | point >> (6 * more));
    while (more-- > 0)
        *at++ = (uint8_t)(0x80 | (point >> (6 * more) & 0x3f));
    return at;
}

/* Behind a backslash; a surrogate pair is one character. */
static uint8_t *take_escape(struct text *text, uint8_t *to)
{
    static const char from[] = "bfnrt", into[] = "\b\f\n\r\t";
    uint8_t byte = text->at < text->end ? *text->at++ : 0;
    const char *known = byte != 0 ? strchr(from, byte) : NULL;
    if (byte != 'u') {
        *to++ = known != NULL ? (uint8_t)into[known - from] : byte;
        return to;
    }
    uint32_t point = take_hex(text);
    if (point >= 0xd800 && point < 0xdc00 && text->end - text->at >= 6 && memcmp(text->at, "\\u", 2) == 0) {
        text->at += 2;
        point = 0x10000 + ((point - 0xd800) << 10) + (take_hex(text) - 0xdc00);
    }
    return put_utf8(to, point);
}

static struct squall_bytes take_string(struct text *text)
{
    if (!take(text, '"')) {
        refuse(text, "filters: a list of filters, each a text or a map with a topic");
        return (struct squall_bytes){0};
    }
    uint8_t *begin = text->at, *to = begin;
    while (text->at < text->end && *text->at != '"') {
        uint8_t byte = *text->at++;
        if (byte == '\\')
            to = take_escape(text, to);
        else
            *to++ = byte;
    }
    if (text->at < text->end)
        text->at++;
    return (struct squall_bytes){.data = begin, .len = (uint64_t)(to - begin)};
}

/* A number, a truth value, or either as a text: 0 to 9. */
static uint8_t take_digit(struct text *text)
{
    bool quoted = take(text, '"');
    uint8_t byte = peek(text);
    uint8_t value = byte == 't' ? 1 : byte >= '0' && byte <= '9' ? (uint8_t)(byte - '0') : 0;
    while (text->at < text->end && memchr(",}]\"", *text->at, 4) == NULL)
        text->at++;
    if (quoted)
        (void)take(text, '"');
    return value;
}

static bool named(struct squall_bytes key, const char *name)
{
    return key.len == strlen(name) && memcmp(key.data, name, key.len) == 0;
}

static void take_member(struct text *text, struct mqtt_filter *row)
{
    struct squall_bytes key = take_string(text);
    (void)take(text, ':');
    if (named(key, "topic")) {
        row->topic = take_string(text);
    } else if (named(key, "qos")) {
        uint8_t qos = take_digit(text);
        if (qos > 2)
            refuse(text, "filters: qos is 0, 1 or 2");
        row->options = (uint8_t)((row->options & ~3u) | (qos & 3u));
    } else if (named(key, "no-local")) {
        row->options = (uint8_t)((row->options & ~MQTT_NO_LOCAL) | (take_digit(text) ? MQTT_NO_LOCAL : 0));
    } else if (named(key, "retain-as-published")) {
        row->options =
            (uint8_t)((row->options & ~MQTT_RETAIN_AS_PUBLISHED) | (take_digit(text) ? MQTT_RETAIN_AS_PUBLISHED : 0));
    } else if (named(key, "retain-handling")) {
        uint8_t handling = take_digit(text);
        if (handling > 2)
            refuse(text, "filters: retain-handling is 0, 1 or 2");
        row->options = (uint8_t)((row->options & 0x0fu) | (unsigned)handling << MQTT_RETAIN_HANDLING_SHIFT);
    } else {
        refuse(text, "filters: keys of a filter are topic, qos, no-local, retain-as-published, retain-handling");
    }
}

static void take_filter(struct text *text, struct mqtt_filter *row)
{
    if (!take(text, '{')) {
        row->topic = take_string(text);
        return;
    }
    do
        take_member(text, row);
    while (take(text, ','));
    if (!take(text, '}') || row->topic.len == 0)
        refuse(text, "filters: a filter without a topic");
}

static uint8_t subscription_options(const struct mqtt_step_options *options)
{
    return (uint8_t)(options->qos | (options->no_local ? MQTT_NO_LOCAL : 0u) |
                     (options->retain_as_published ? MQTT_RETAIN_AS_PUBLISHED : 0u) |
                     options->retain_handling << MQTT_RETAIN_HANDLING_SHIFT);
}

static const char *take_list(struct mqtt_filter_list *list, struct squall_bytes json, uint8_t options)
{
    list->text = malloc(json.len);
    if (list->text == NULL)
        return "no memory for the filters";
    memcpy(list->text, json.data, json.len);
    struct text text = {.at = list->text, .end = list->text + json.len};
    if (!take(&text, '['))
        return "filters: a list of filters, each a text or a map with a topic";
    while (peek(&text) != ']' && text.why == NULL) {
        if (list->count == MQTT_FILTERS_MAX)
            return "more than 64 filters in one packet";
        struct mqtt_filter *row = &list->rows[list->count++];
        *row = (struct mqtt_filter){.options = options};
        take_filter(&text, row);
        if (!take(&text, ',') && peek(&text) != ']')
            refuse(&text, "filters: a list of filters, each a text or a map with a topic");
    }
    return text.why;
}

int mqtt_filter_list_init(struct mqtt_filter_list *list, const struct mqtt_step_options *options, const char **ret_why)
{
    uint8_t shared = subscription_options(options);
    list->count = 0;
    list->text = NULL;
    if (options->topic.len > 0)
        list->rows[list->count++] = (struct mqtt_filter){options->topic, shared};
    *ret_why = options->filters.text.len > 0 ? take_list(list, options->filters.text, shared) : NULL;
    if (*ret_why == NULL)
        return 0;
    mqtt_filter_list_fini(list);
    return -1;
}

void mqtt_filter_list_fini(struct mqtt_filter_list *list)
{
    free(list->text);
    list->text = NULL;
}
