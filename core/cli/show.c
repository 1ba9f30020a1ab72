/* Laying out what went over the wire. See show.h. */
#include "cli/show.h"
#include "scenario/json_skip.h"
#include <stdio.h>
#include <string.h>

#define INDENT_MAX 24 /* columns: a deeper value moves no further to the right */
#define HEX_ROW    16

static void add(struct show_text *text, const void *bytes, uint64_t len)
{
    size_t room = sizeof text->bytes - text->len, part = len < room ? (size_t)len : room;
    if (part)
        memcpy(text->bytes + text->len, bytes, part);
    text->len += part;
    text->more += (size_t)len - part;
}

static void add_bytes(struct show_text *text, const struct squall_bytes *bytes)
{
    add(text, bytes->data, bytes->len);
}

/* ---- characters ---- */

/* Length of the character of UTF-8 that begins here, 0: there is none, and a terminal is spared the byte. */
static size_t character_len(const uint8_t *text, size_t len)
{
    size_t whole = *text < 0x80                    ? 1
                   : *text >= 0xc2 && *text < 0xe0 ? 2
                   : (*text & 0xf0) == 0xe0        ? 3
                   : *text >= 0xf0 && *text < 0xf5 ? 4
                                                   : 0;
    if (whole > len || (*text == 0xc2 && whole == 2 && text[1] < 0xa0)) /* U+0080 to U+009F control terminals */
        return 0;
    for (size_t i = 1; i < whole; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return whole;
}

static void put(struct show *show, uint8_t byte, bool escape)
{
    if (show->gap)
        printf("\n");
    show->gap = false;
    if (!show->line_open)
        printf("%c ", show->mark);
    show->line_open = byte != '\n';
    if (byte == '\n')
        printf("\n");
    else if (!escape && (byte == '\t' || (byte >= 0x20 && byte != 0x7f)))
        putchar(byte);
    else if (byte != '\r')
        printf("\\x%02x", byte);
}

static void put_text(struct show *show, const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t character = character_len(text + i, len - i), end = i + (character ? character : 1);
        while (i < end)
            put(show, text[i++], character == 0);
    }
}

static void end_line(struct show *show)
{
    if (show->line_open)
        put(show, '\n', false);
}

static void put_more(struct show *show, size_t more)
{
    char line[60];
    end_line(show);
    if (!more)
        return;
    snprintf(line, sizeof line, "... %zu more bytes\n", more);
    put_text(show, (const uint8_t *)line, strlen(line));
}

/* ---- a content ---- */

/* cut: its last character may not be whole. */
static bool is_text(const uint8_t *data, size_t len, bool cut)
{
    for (size_t i = 0; i < len;) {
        size_t character = character_len(data + i, len - i);
        bool control = data[i] < 0x20 && data[i] != '\n' && data[i] != '\r' && data[i] != '\t';
        if (control || data[i] == 0x7f || (character == 0 && !(cut && len - i < 4)))
            return false;
        i += character ? character : 1;
    }
    return true;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* A list or an object, and nothing behind it. */
static bool is_json(const uint8_t *data, size_t len)
{
    const uint8_t *end = data + len;
    while (data < end && is_space(*data))
        data++;
    if (data == end || (*data != '{' && *data != '['))
        return false;
    data = json_skip_nested(data, end);
    while (data && data < end && is_space(*data))
        data++;
    return data == end;
}

static void new_line(struct show *show, unsigned depth)
{
    put(show, '\n', false);
    for (unsigned i = 0; i < 2 * depth && i < INDENT_MAX; i++)
        put(show, ' ', false);
}

/* A value on each line. What is no JSON after all keeps its characters, and only its spaces change. */
static void put_json(struct show *show, const uint8_t *at, const uint8_t *end)
{
    unsigned depth = 0;
    for (; at < end; at++) {
        if (is_space(*at))
            continue;
        if (*at == '"') {
            const uint8_t *behind = json_skip_string(at, end);
            behind = behind ? behind : end;
            put_text(show, at, (size_t)(behind - at));
            at = behind - 1;
            continue;
        }
        bool opens = *at == '{' || *at == '[', closes = *at == '}' || *at == ']';
        bool empty = opens && at + 1 < end && (at[1] == '}' || at[1] == ']');
        if (closes && depth)
            new_line(show, --depth);
        put_text(show, at, 1);
        if (empty)
            put_text(show, ++at, 1);
        else if (opens)
            new_line(show, ++depth);
        else if (*at == ',')
            new_line(show, depth);
        else if (*at == ':')
            put(show, ' ', false);
    }
    end_line(show);
}

static void put_hex(struct show *show, const uint8_t *data, size_t len)
{
    char line[100];
    for (size_t row = 0; row < len; row += HEX_ROW) {
        size_t used = (size_t)snprintf(line, sizeof line, "%04zx ", row);
        for (size_t i = row; i < row + HEX_ROW; i++)
            used += (size_t)snprintf(line + used, sizeof line - used, i < len ? " %02x" : "   ", i < len ? data[i] : 0);
        used += (size_t)snprintf(line + used, sizeof line - used, "  ");
        for (size_t i = row; i < row + HEX_ROW && i < len; i++)
            line[used++] = data[i] >= 0x20 && data[i] < 0x7f ? (char)data[i] : '.';
        line[used++] = '\n';
        put_text(show, (const uint8_t *)line, used);
    }
}

static void put_content(struct show *show, struct show_text *content)
{
    size_t len = secret_hide(content->bytes, content->len);
    size_t shown = len < SHOW_TEXT_MAX ? len : SHOW_TEXT_MAX;
    const uint8_t *data = (const uint8_t *)content->bytes;
    bool cut = shown < len || content->more;
    if (!is_text(data, shown, cut)) {
        shown = shown < SHOW_HEX_MAX ? shown : SHOW_HEX_MAX;
        put_hex(show, data, shown);
    } else if (!cut && is_json(data, shown)) {
        put_json(show, data, data + shown);
    } else {
        put_text(show, data, shown);
    }
    put_more(show, len - shown + content->more);
    content->len = content->more = 0;
}

/* ---- blocks ---- */

void show_end(struct show *show)
{
    struct show_text *head = &show->head;
    if (head->len) {
        size_t len = secret_hide(head->bytes, head->len);
        size_t shown = len < SHOW_TEXT_MAX ? len : SHOW_TEXT_MAX;
        put_text(show, (const uint8_t *)head->bytes, shown);
        put_more(show, len - shown + head->more);
        head->len = head->more = 0;
    }
    if (show->content.len) {
        put(show, '\n', false);
        put_content(show, &show->content);
    }
    show->gap |= show->words;
    show->words = false;
}

void show_note(struct show *show)
{
    if (!show->note.len)
        return;
    show->mark = '=';
    put_text(show, (const uint8_t *)show->note_name, strlen(show->note_name));
    put(show, '\n', false);
    put_content(show, &show->note);
}

void show_bytes(struct show *show, bool out, const uint8_t *data, size_t len)
{
    char mark = out ? '>' : '<';
    if (mark != show->mark || show->words)
        show_end(show);
    show->mark = mark;
    add(&show->head, data, len);
}

static void begin(struct show *show, const void *conn, char mark)
{
    show_end(show);
    show->mark = mark;
    show->words = true;
    show->conn = conn;
}

static void take_note(struct show *show, const struct squall_bytes *name, const struct squall_bytes *value)
{
    if (!show->note.len)
        snprintf(show->note_name, sizeof show->note_name, "%.*s", (int)(name->len < 79 ? name->len : 79),
                 (const char *)name->data);
    add_bytes(&show->note, value);
}

void show_trace(struct show *show, const void *conn, uint32_t what, const struct squall_bytes *name,
                const struct squall_bytes *value)
{
    if (what == SQUALL_TRACE_NOTE) {
        take_note(show, name, value);
        return;
    }
    if (what == SQUALL_TRACE_SENT || what == SQUALL_TRACE_RECEIVED)
        begin(show, conn, what == SQUALL_TRACE_SENT ? '>' : '<');
    else if (!show->words || show->conn != conn) /* another's block has come between */
        begin(show, conn, '<');
    if (what == SQUALL_TRACE_CONTENT) {
        add_bytes(&show->content, value);
        return;
    }
    add_bytes(&show->head, name);
    if (value->len || what == SQUALL_TRACE_FIELD)
        add(&show->head, what == SQUALL_TRACE_FIELD ? ": " : " ", what == SQUALL_TRACE_FIELD ? 2 : 1);
    add_bytes(&show->head, value);
    add(&show->head, "\n", 1);
}
