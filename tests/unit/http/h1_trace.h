/*
 * Runs the response reader over bytes that come in pieces and writes down what it says, as one line of text: the same
 * bytes must give the same line however they are cut.
 *
 *   "head 200 keep length; body \"ab\"; end"    bytes outside 0x20..0x7e are shown as \xx
 *
 * The bytes between the reader's cursor and the end of what has come are copied into a block of exactly their size, so
 * that the address sanitizer sees any look beyond them.
 */
#ifndef SQUALL_TEST_H1_TRACE_H
#define SQUALL_TEST_H1_TRACE_H
#include "h1.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct trace {
    char text[16384];
    size_t len;
    bool in_body;
    enum h1_request_kind kind;
    bool want_fields;
    uint64_t wire_bytes; /* of the last answer */
    struct h1_known *known;
};

static inline void trace_put(struct trace *trace, const char *text)
{
    size_t len = strlen(text);
    if (len >= sizeof trace->text - trace->len)
        len = sizeof trace->text - trace->len - 1;
    memcpy(trace->text + trace->len, text, len);
    trace->len += len;
    trace->text[trace->len] = '\0';
}

static inline void trace_bytes(struct trace *trace, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char shown[4] = {(char)data[i], 0, 0, 0};
        if (data[i] < 0x20 || data[i] > 0x7e)
            snprintf(shown, sizeof shown, "\\%02x", data[i]);
        trace_put(trace, shown);
    }
}

/* Begins another event's text; pieces of one body are one event. */
static inline void trace_event(struct trace *trace, enum h1_event event)
{
    if (event == H1_BODY && trace->in_body)
        return;
    if (trace->in_body)
        trace_put(trace, "\"");
    if (trace->len > 0)
        trace_put(trace, "; ");
    trace->in_body = event == H1_BODY;
    if (event == H1_BODY)
        trace_put(trace, "body \"");
}

static inline void trace_say(struct trace *trace, const struct h1_reader *reader, enum h1_event event,
                             const struct h1_piece *piece)
{
    static const char *const framings[] = {"none", "length", "chunked", "close"};
    char line[160];
    trace_event(trace, event);
    switch (event) {
    case H1_FIELD:
        trace_bytes(trace, piece->name, piece->name_len);
        trace_put(trace, "=");
        trace_bytes(trace, piece->data, piece->data_len);
        break;
    case H1_HEAD:
        snprintf(line, sizeof line, "head %d %s %s", reader->status, reader->keep_alive ? "keep" : "last",
                 framings[reader->framing]);
        trace_put(trace, line);
        break;
    case H1_BODY:
        trace_bytes(trace, piece->data, piece->data_len);
        break;
    case H1_END:
        trace_put(trace, "end");
        trace->wire_bytes = reader->wire_bytes;
        break;
    default:
        snprintf(line, sizeof line, "malformed %s @%llu", reader->reason, (unsigned long long)reader->wire_bytes);
        trace_put(trace, line);
        break;
    }
}

/* One delivery. False: nothing more can come. */
static inline bool trace_feed(struct trace *trace, struct h1_reader *reader, const uint8_t *input, size_t *taken,
                              size_t come)
{
    size_t len = come - *taken;
    uint8_t *block = malloc(len > 0 ? len : 1);
    if (block == NULL)
        abort();
    memcpy(block, input + *taken, len);
    const uint8_t *cursor = block;
    bool more = true;
    for (;;) {
        struct h1_piece piece = {0};
        enum h1_event event = h1_read(reader, &cursor, block + len, &piece);
        if (event == H1_MORE)
            break;
        trace_say(trace, reader, event, &piece);
        if (event == H1_END) {
            more = reader->keep_alive;
            if (more)
                h1_expect(reader, trace->kind, trace->want_fields ? H1_FIELDS_ALL : H1_FIELDS_NONE);
        }
        if (event == H1_MALFORMED)
            more = false;
        if (!more)
            break;
    }
    *taken += (size_t)(cursor - block);
    free(block);
    return more;
}

/* Pieces end at `cut` when it is not 0, else after each `step` bytes. With `ends` the stream ends behind the last byte.
 */
static inline void trace_run(struct trace *trace, const uint8_t *input, size_t len, size_t cut, size_t step, bool ends)
{
    struct h1_reader reader = {.known = trace->known};
    size_t taken = 0, come = 0;
    trace->len = 0;
    trace->text[0] = '\0';
    trace->in_body = false;
    h1_expect(&reader, trace->kind, trace->want_fields ? H1_FIELDS_ALL : H1_FIELDS_NONE);
    bool more = true;
    while (more && come < len) {
        size_t next = cut != 0 ? (come < cut ? cut : len) : come + step;
        come = next < len ? next : len;
        more = trace_feed(trace, &reader, input, &taken, come);
    }
    if (more && ends) {
        char reason[H1_REASON_MAX];
        bool answered = h1_read_end(&reader, reason) == H1_END;
        trace_event(trace, H1_END);
        trace_put(trace, answered ? "end" : reason);
    }
    if (trace->in_body)
        trace_put(trace, "\"");
}

#endif
