/*
 * The response reader. The head is the hot path of a worker: one pass finds a line's end and forbidden bytes, a second
 * look at the line's first bytes finds its name, and only names of the right length are compared.
 *
 * Every decision is taken on a whole line or on the first forbidden byte, within a budget that is set before the line
 * begins: that is why the split of the input cannot change an outcome. Sections are those of RFC 9112.
 */
#include "h1.h"
#include "h1_fields.h"
#include "h1_scan.h"
#include <stdio.h>
#include <string.h>

#define LIKELY(condition) __builtin_expect(!!(condition), 1)

static enum h1_event malformed(struct h1_reader *reader, const char *reason)
{
    reader->state = H1_BROKEN;
    reader->reason = reason;
    return H1_MALFORMED;
}

static void begin_head(struct h1_reader *reader)
{
    reader->state = H1_STATUS;
    reader->seen = 0;
    reader->fields = 0;
    reader->date_len = 0;
    reader->budget = H1_HEAD_MAX;
}

void h1_expect(struct h1_reader *reader, enum h1_request_kind request, enum h1_fields_wanted wanted)
{
    begin_head(reader);
    reader->request = (uint8_t)request;
    reader->wanted = (uint8_t)wanted;
    reader->started = false;
    reader->status = 0;
    reader->interims = 0;
    reader->continued = false;
    reader->scanned = 0;
    reader->body_bytes = 0;
    reader->wire_bytes = 0;
}

/* ---- lines ------------------------------------------------------------------------------------- */

/* Why there is no line end at `at`, the first byte that is no text. `whole`: the budget ends where the bytes do. */
static __attribute__((noinline)) enum h1_event no_line(struct h1_reader *reader, const uint8_t *line, const uint8_t *at,
                                                       const uint8_t *stop, bool over_budget)
{
    static const char *const too_large[] = {
        [H1_STATUS] = "head larger than 64 KiB",
        [H1_FIELDS] = "head larger than 64 KiB",
        [H1_CHUNK_SIZE] = "chunk size and extensions larger than 4 KiB",
        [H1_TRAILERS] = "trailer section larger than 16 KiB",
    };
    if (at < stop && *at == '\n')
        return malformed(reader, "line ends in a bare LF");
    if (at < stop && *at != '\r')
        return malformed(reader, reader->state == H1_STATUS
                                     ? "not an HTTP/1.x answer: control character in the first line"
                                     : "control character in a line of the head or the framing");
    if (stop - at >= 2)
        return malformed(reader, "bare CR in a line");
    if (over_budget)
        return malformed(reader, too_large[reader->state]);
    reader->scanned = (size_t)(at - line);
    return H1_MORE;
}

/* Where lines are looked for: one section within its budget. */
struct lines {
    const uint8_t *stop;
    bool over_budget; /* there are bytes behind stop */
    struct h1_scan scan;
};

/* The CR that ends the line at p, or NULL with *ret_event set. Lines lie wholly in front of lines->stop. */
static inline const uint8_t *line_end(struct h1_reader *reader, const uint8_t *p, struct lines *lines,
                                      enum h1_event *ret_event)
{
    const uint8_t *at = h1_scan_on(&lines->scan, p + reader->scanned, lines->stop);
    if (LIKELY(lines->stop - at >= 2 && memcmp(at, "\r\n", 2) == 0)) {
        reader->scanned = 0;
        return at;
    }
    *ret_event = no_line(reader, p, at, lines->stop, lines->over_budget);
    return NULL;
}

static inline struct lines lines_within(const uint8_t *begin, const uint8_t *end, size_t budget)
{
    bool over_budget = (size_t)(end - begin) > budget;
    return (struct lines){.stop = over_budget ? begin + budget : end, .over_budget = over_budget};
}

/* ---- the head ---------------------------------------------------------------------------------- */

static inline bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* status-line = HTTP-version SP status-code SP [ reason-phrase ] (4) */
static const char *status_line(struct h1_reader *reader, const uint8_t *line, const uint8_t *end)
{
    size_t len = (size_t)(end - line);
    if (len < 8 || memcmp(line, "HTTP/", 5) != 0 || !is_digit(line[5]) || line[6] != '.' || !is_digit(line[7]))
        return "not an HTTP/1.x answer: no status line";
    if (line[5] != '1')
        return "HTTP version of the answer is not 1.x";
    if (len < 12 || line[8] != ' ' || !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) ||
        (len > 12 && line[12] != ' '))
        return "status code is not three digits between single spaces";
    if (len == 12)
        return "no space after the status code";
    if (line[9] == '0')
        return "status code below 100";
    reader->version_1_0 = line[7] == '0';
    reader->status = (uint16_t)((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
    return NULL;
}

static __attribute__((noinline)) const char *not_a_name(const uint8_t *line, const uint8_t *at, const uint8_t *end)
{
    if (at == line && (*at == ' ' || *at == '\t'))
        return "folded header line (obs-fold)";
    if (at == line && *at == ':')
        return "header line with an empty name";
    if (at == end)
        return "header line without a colon";
    if (*at == ' ' || *at == '\t')
        return "white space in or behind a header name";
    return "forbidden character in a header name";
}

/* The lengths of the names that matter here. Most fields are told apart by that alone. */
#define LENGTHS (UINT32_C(1) << 10 | UINT32_C(1) << 14 | UINT32_C(1) << 17)

static inline bool may_matter(size_t name_len)
{
    return name_len < 32 && (LENGTHS >> name_len & 1);
}

/* A name of one of these lengths is compared in overlapping words of eight bytes. */
static const char *take_field(struct h1_reader *reader, const uint8_t *name, size_t name_len, const uint8_t *value,
                              const uint8_t *end)
{
    if (name_len == 10) {
        if (H1_IS_8(name, "connecti") && H1_IS_8(name + 2, "nnection"))
            h1_connection(reader, value, end);
    } else if (name_len == 14) {
        if (H1_IS_8(name, "content-") && H1_IS_8(name + 6, "t-length"))
            return h1_content_length(reader, value, end);
    } else if (H1_IS_8(name, "transfer") && H1_IS_8(name + 8, "-encodin") && (name[16] | 0x20) == 'g') {
        return h1_transfer_encoding(reader, value, end);
    }
    return NULL;
}

/* A head that holds one of these is not read in one piece, and so not remembered. */
static bool client_acts_on(const uint8_t *name, size_t name_len)
{
    switch (name_len) {
    case sizeof "Location" - 1:
        return h1_token_is(name, name_len, "location", name_len);
    case sizeof "Set-Cookie" - 1:
        return h1_token_is(name, name_len, "set-cookie", name_len);
    case sizeof "Content-Encoding" - 1:
        return h1_token_is(name, name_len, "content-encoding", name_len);
    default:
        return false;
    }
}

/* Where the body ends (6.3), and whether the connection outlives it (9.3). */
static enum h1_event head_complete(struct h1_reader *reader)
{
    unsigned seen = reader->seen;
    if (seen & H1_SEEN_CODING) {
        if (seen & H1_SEEN_LENGTH)
            return malformed(reader, "Transfer-Encoding and Content-Length in one answer");
        if (reader->version_1_0)
            return malformed(reader, "Transfer-Encoding in an HTTP/1.0 answer");
    }
    reader->keep_alive = !(seen & H1_SEEN_CLOSE) && (!reader->version_1_0 || (seen & H1_SEEN_KEEP_ALIVE));
    if (reader->request == H1_REQUEST_CONNECT && reader->status < 300) {
        reader->framing = H1_NO_BODY;
        reader->keep_alive = false; /* a tunnel now, 9.3.6 of RFC 9110 */
    } else if (reader->request == H1_REQUEST_HEAD || reader->status == 204 || reader->status == 304) {
        reader->framing = H1_NO_BODY;
    } else if (seen & H1_SEEN_CHUNKED_LAST) {
        reader->framing = H1_CHUNKED;
    } else if (seen & H1_SEEN_LENGTH) {
        reader->framing = H1_LENGTH;
        reader->left = reader->content_length;
    } else {
        reader->framing = H1_TO_CLOSE;
        reader->keep_alive = false;
    }
    static const uint8_t next[] = {
        [H1_NO_BODY] = H1_ENDED,
        [H1_LENGTH] = H1_LENGTH_BODY,
        [H1_CHUNKED] = H1_CHUNK_SIZE,
        [H1_TO_CLOSE] = H1_CLOSE_BODY,
    };
    reader->state = next[reader->framing];
    if (reader->framing == H1_LENGTH && reader->left == 0)
        reader->state = H1_ENDED;
    return H1_HEAD;
}

/* The empty line behind the fields of any head. */
static enum h1_event fields_complete(struct h1_reader *reader)
{
    if (LIKELY(reader->status >= 200))
        return head_complete(reader);
    if (reader->status == 101)
        return malformed(reader, "101 Switching Protocols, which was not asked for");
    reader->continued = reader->continued || reader->status == 100;
    if (++reader->interims > H1_INTERIM_MAX)
        return malformed(reader, "more than 32 interim answers (1xx)");
    begin_head(reader);
    return H1_MORE;
}

static void set_field(struct h1_piece *piece, const uint8_t *name, size_t name_len, const uint8_t *value,
                      const uint8_t *end)
{
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *piece = (struct h1_piece){.name = name, .name_len = name_len, .data = value, .data_len = (size_t)(end - value)};
}

/* Not told by itself: a Date is in every head, and changes with every second. */
static void keep_date(struct h1_reader *reader, const uint8_t *name, const uint8_t *value, const uint8_t *end)
{
    struct h1_piece piece;
    set_field(&piece, name, sizeof "Date" - 1, value, end);
    if (!h1_token_is(name, piece.name_len, "date", piece.name_len) || piece.data_len > H1_DATE_MAX)
        return;
    memcpy(reader->date, piece.data, piece.data_len);
    reader->date_len = (uint8_t)piece.data_len;
}

/* Header fields up to the head's end, the end of input, or a field that is wanted. Trailer fields pass the same checks.
 */
static enum h1_event read_fields(struct h1_reader *reader, const uint8_t **cursor, struct lines *lines,
                                 struct h1_piece *piece)
{
    const bool trailers = reader->state == H1_TRAILERS;
    const uint8_t wanted = trailers || reader->status < 200 ? H1_FIELDS_NONE : reader->wanted;
    const uint8_t *p = *cursor, *end;
    enum h1_event event = H1_MORE;
    while ((end = line_end(reader, p, lines, &event)) != NULL) {
        if (end == p) {
            *cursor = p + 2;
            if (!trailers)
                return fields_complete(reader);
            reader->state = H1_ENDED;
            return H1_MORE;
        }
        const uint8_t *colon = h1_scan_token(p, lines->stop); /* stops at the CR, if nowhere before */
        size_t name_len = (size_t)(colon - p);
        const char *reason = NULL;
        if (*colon != ':' || name_len == 0)
            reason = not_a_name(p, colon, end);
        else if (++reader->fields > H1_FIELDS_MAX)
            reason = "more than 256 header fields";
        else if (may_matter(name_len) && !trailers)
            reason = take_field(reader, p, name_len, colon + 1, end);
        if (reason != NULL) {
            event = malformed(reader, reason);
            break;
        }
        const uint8_t *name = p;
        p = end + 2;
        if (name_len == sizeof "Date" - 1 && wanted == H1_FIELDS_CLIENT)
            keep_date(reader, name, colon + 1, end);
        if (wanted == H1_FIELDS_ALL || (wanted == H1_FIELDS_CLIENT && client_acts_on(name, name_len))) {
            set_field(piece, name, name_len, colon + 1, end);
            event = H1_FIELD;
            break;
        }
    }
    *cursor = p; /* what was right is taken even before an error, so that wire_bytes does not depend on the split */
    return event;
}

/* At a head's first byte: takes the one that is known, if it is there. Such a head fits every budget. */
static inline bool take_known(struct h1_reader *reader, const uint8_t **cursor, const uint8_t *end)
{
    const struct h1_known *known = reader->known;
    if (known == NULL || known->len == 0 || reader->wanted == H1_FIELDS_ALL || (size_t)(end - *cursor) < known->len ||
        memcmp(*cursor, known->bytes, known->len) != 0)
        return false;
    *cursor += known->len;
    reader->scanned = 0;
    reader->status = known->status;
    reader->seen = known->seen;
    reader->version_1_0 = known->version_1_0;
    reader->content_length = known->content_length;
    return true;
}

static void remember(const struct h1_reader *reader, const uint8_t *begin, const uint8_t *end)
{
    struct h1_known *known = reader->known;
    size_t len = (size_t)(end - begin);
    if (known == NULL || reader->wanted == H1_FIELDS_ALL || len > H1_KNOWN_MAX)
        return;
    known->len = (uint16_t)len;
    known->status = reader->status;
    known->seen = reader->seen;
    known->version_1_0 = reader->version_1_0;
    known->content_length = reader->content_length;
    memcpy(known->bytes, begin, len);
}

/* A status line and what follows it, or trailers: all that shares one budget. */
static enum h1_event read_section(struct h1_reader *reader, const uint8_t **cursor, const uint8_t *end,
                                  struct h1_piece *piece)
{
    if (reader->state == H1_STATUS && take_known(reader, cursor, end))
        return head_complete(reader);
    const uint8_t *begin = *cursor, *head = NULL;
    struct lines lines = lines_within(begin, end, reader->budget);
    if (reader->state == H1_STATUS) {
        head = begin;
        enum h1_event event = H1_MORE;
        const uint8_t *at = line_end(reader, begin, &lines, &event);
        if (at == NULL)
            return event;
        const char *reason = status_line(reader, begin, at);
        if (reason != NULL)
            return malformed(reader, reason);
        reader->state = H1_FIELDS;
        *cursor = at + 2;
        reader->budget -= (uint32_t)(*cursor - begin);
        begin = *cursor;
    }
    const uint8_t state = reader->state;
    enum h1_event event = read_fields(reader, cursor, &lines, piece);
    if (event == H1_HEAD && head != NULL)
        remember(reader, head, *cursor);
    if (reader->state == state)
        reader->budget -= (uint32_t)(*cursor - begin);
    return event;
}

/* ---- the body ---------------------------------------------------------------------------------- */

/* chunk-size [ chunk-ext ] (7.1, 7.1.1): at `end` stands its CR. */
static const char *chunk_size(struct h1_reader *reader, const uint8_t *p, const uint8_t *end)
{
    uint64_t size = 0;
    const uint8_t *digits = p;
    for (; p < end; p++) {
        uint8_t letter = *p | 0x20;
        unsigned digit;
        if (is_digit(*p))
            digit = *p - (unsigned)'0';
        else if (letter >= 'a' && letter <= 'f')
            digit = letter - (unsigned)'a' + 10;
        else
            break;
        if (size > (uint64_t)INT64_MAX >> 4)
            return "chunk size too large";
        size = size << 4 | digit;
    }
    if (p == digits)
        return "chunk size is no hexadecimal number";
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    if (p < end ? *p != ';' : p[-1] == ' ' || p[-1] == '\t')
        return "something other than an extension behind the chunk size";
    reader->left = size;
    return NULL;
}

static enum h1_event read_chunk_size(struct h1_reader *reader, const uint8_t **cursor, const uint8_t *end)
{
    const uint8_t *line = *cursor;
    struct lines lines = lines_within(line, end, H1_CHUNK_LINE_MAX);
    enum h1_event event = H1_MORE;
    const uint8_t *at = line_end(reader, line, &lines, &event);
    if (at == NULL)
        return event;
    const char *reason = chunk_size(reader, line, at);
    if (reason != NULL)
        return malformed(reader, reason);
    *cursor = at + 2;
    if (reader->left > 0) {
        reader->state = H1_CHUNK_DATA;
    } else {
        reader->state = H1_TRAILERS;
        reader->budget = H1_TRAILER_MAX;
        reader->fields = 0;
    }
    return H1_MORE;
}

static enum h1_event read_chunk_end(struct h1_reader *reader, const uint8_t **cursor, const uint8_t *end)
{
    const uint8_t *p = *cursor;
    if (p[0] != '\r' || (end - p >= 2 && p[1] != '\n'))
        return malformed(reader, "chunk data longer than the chunk's size");
    if (end - p >= 2) {
        *cursor = p + 2;
        reader->state = H1_CHUNK_SIZE;
    }
    return H1_MORE;
}

/* Body bytes of a length that is known, for the answer or for the chunk. */
static enum h1_event read_counted(struct h1_reader *reader, const uint8_t **cursor, const uint8_t *end,
                                  struct h1_piece *piece)
{
    size_t len = (size_t)(end - *cursor);
    if (len > reader->left)
        len = (size_t)reader->left;
    piece->data = *cursor;
    piece->data_len = len;
    *cursor += len;
    reader->body_bytes += len;
    reader->left -= len;
    if (reader->left == 0)
        reader->state = reader->state == H1_CHUNK_DATA ? H1_CHUNK_END : H1_ENDED;
    return H1_BODY;
}

/* ---- events ------------------------------------------------------------------------------------ */

/* One turn of the state machine; H1_MORE: no event, though the state or the cursor may have moved. */
static enum h1_event turn(struct h1_reader *reader, const uint8_t **cursor, const uint8_t *end, struct h1_piece *piece)
{
    switch ((enum h1_state)reader->state) {
    case H1_STATUS:
    case H1_FIELDS:
    case H1_TRAILERS:
        return read_section(reader, cursor, end, piece);
    case H1_LENGTH_BODY:
    case H1_CHUNK_DATA:
        return read_counted(reader, cursor, end, piece);
    case H1_CLOSE_BODY:
        piece->data = *cursor;
        piece->data_len = (size_t)(end - *cursor);
        *cursor = end;
        reader->body_bytes += piece->data_len;
        return H1_BODY;
    case H1_CHUNK_SIZE:
        return read_chunk_size(reader, cursor, end);
    case H1_CHUNK_END:
        return read_chunk_end(reader, cursor, end);
    case H1_IDLE:
        return malformed(reader, "bytes that answer no request");
    case H1_ENDED:
    case H1_BROKEN:
        break;
    }
    return H1_MALFORMED;
}

enum h1_event h1_read(struct h1_reader *reader, const uint8_t **cursor, const uint8_t *end, struct h1_piece *piece)
{
    const uint8_t *begin = *cursor;
    enum h1_event event = H1_MORE;
    while (event == H1_MORE) {
        if (reader->state == H1_ENDED) {
            reader->state = H1_IDLE;
            event = H1_END;
            break;
        }
        const uint8_t *before = *cursor;
        if (before == end && reader->state != H1_BROKEN)
            break;
        reader->started = true;
        event = turn(reader, cursor, end, piece);
        if (*cursor == before) /* an incomplete line; or an error, which takes nothing */
            break;
    }
    reader->wire_bytes += (uint64_t)(*cursor - begin);
    return event;
}

enum h1_event h1_read_end(struct h1_reader *reader, char *ret_reason)
{
    unsigned long long got = reader->body_bytes;
    switch ((enum h1_state)reader->state) {
    case H1_CLOSE_BODY:
        reader->state = H1_IDLE;
        return H1_END;
    case H1_STATUS:
    case H1_FIELDS:
        if (reader->started)
            snprintf(ret_reason, H1_REASON_MAX, "connection closed inside the head of the answer");
        else
            snprintf(ret_reason, H1_REASON_MAX, "connection closed before an answer");
        break;
    case H1_LENGTH_BODY:
        snprintf(ret_reason, H1_REASON_MAX, "connection closed after %llu of %llu body bytes", got,
                 (unsigned long long)reader->content_length);
        break;
    default:
        snprintf(ret_reason, H1_REASON_MAX, "connection closed inside a chunked body, after %llu bytes", got);
        break;
    }
    reader->state = H1_BROKEN;
    reader->reason = "connection closed";
    return H1_MALFORMED;
}
