/* The head of a request. Strict where a lenient reader could be made to see another message than its peer did
 * (RFC 9112, 11.2): bare CR or LF, folded lines, space before a colon, doubled or mixed lengths. */
#include "target_head.h"
#include <string.h>
#include <strings.h>

/* Which bytes may stand where: RFC 9110, 5.6.2 (token) and 5.5 (field value). */
enum byte_class { BYTE_TOKEN = 1, BYTE_VALUE = 2, BYTE_TARGET = 4 };
#define T (BYTE_TOKEN | BYTE_VALUE | BYTE_TARGET)
#define V (BYTE_VALUE | BYTE_TARGET)
static const uint8_t classes[256] = {
    ['\t'] = BYTE_VALUE, [' '] = BYTE_VALUE, ['!'] = T, ['"'] = V, ['#'] = BYTE_VALUE, ['$'] = T,  ['%'] = T, ['&'] = T,
    ['\''] = T,          ['('] = V,          [')'] = V, ['*'] = T, ['+'] = T,          [','] = V,  ['-'] = T, ['.'] = T,
    ['/'] = V,           ['0'] = T,          ['1'] = T, ['2'] = T, ['3'] = T,          ['4'] = T,  ['5'] = T, ['6'] = T,
    ['7'] = T,           ['8'] = T,          ['9'] = T, [':'] = V, [';'] = V,          ['<'] = V,  ['='] = V, ['>'] = V,
    ['?'] = V,           ['@'] = V,          ['A'] = T, ['B'] = T, ['C'] = T,          ['D'] = T,  ['E'] = T, ['F'] = T,
    ['G'] = T,           ['H'] = T,          ['I'] = T, ['J'] = T, ['K'] = T,          ['L'] = T,  ['M'] = T, ['N'] = T,
    ['O'] = T,           ['P'] = T,          ['Q'] = T, ['R'] = T, ['S'] = T,          ['T'] = T,  ['U'] = T, ['V'] = T,
    ['W'] = T,           ['X'] = T,          ['Y'] = T, ['Z'] = T, ['['] = V,          ['\\'] = V, [']'] = V, ['^'] = T,
    ['_'] = T,           ['`'] = T,          ['a'] = T, ['b'] = T, ['c'] = T,          ['d'] = T,  ['e'] = T, ['f'] = T,
    ['g'] = T,           ['h'] = T,          ['i'] = T, ['j'] = T, ['k'] = T,          ['l'] = T,  ['m'] = T, ['n'] = T,
    ['o'] = T,           ['p'] = T,          ['q'] = T, ['r'] = T, ['s'] = T,          ['t'] = T,  ['u'] = T, ['v'] = T,
    ['w'] = T,           ['x'] = T,          ['y'] = T, ['z'] = T, ['{'] = V,          ['|'] = T,  ['}'] = V, ['~'] = T,
};
#undef T
#undef V

static bool is_value(uint8_t byte)
{
    return byte >= 0x80 || classes[byte] & BYTE_VALUE;
}

struct reader {
    const uint8_t *at, *end; /* end: of the empty line */
    const char *why;
};

static int malformed(struct reader *reader, const char *why)
{
    reader->why = why;
    return -1;
}

static struct squall_bytes bytes_between(const uint8_t *start, const uint8_t *end)
{
    return (struct squall_bytes){start, (uint64_t)(end - start)};
}

static bool bytes_equal_nocase(struct squall_bytes bytes, const char *text, size_t len)
{
    return bytes.len == len && strncasecmp((const char *)bytes.data, text, len) == 0;
}

bool target_head_has_token(struct squall_bytes value, const char *token)
{
    const uint8_t *at = value.data, *end = value.data + value.len;
    while (at < end) {
        const uint8_t *comma = memchr(at, ',', (size_t)(end - at));
        const uint8_t *stop = comma ? comma : end, *next = comma ? comma + 1 : end;
        while (at < stop && (*at == ' ' || *at == '\t'))
            at++;
        while (stop > at && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        if (bytes_equal_nocase(bytes_between(at, stop), token, strlen(token)))
            return true;
        at = next;
    }
    return false;
}

static void split_target(struct squall_bytes target, struct target_head *head)
{
    const uint8_t *end = target.data + target.len;
    const uint8_t *mark = memchr(target.data, '?', target.len);
    head->path = bytes_between(target.data, mark ? mark : end);
    head->query = mark ? bytes_between(mark + 1, end) : bytes_between(end, end);
}

/* METHOD SP TARGET SP HTTP/1.x CRLF (RFC 9112, 3) */
static int read_request_line(struct reader *reader, struct target_head *head)
{
    const uint8_t *start = reader->at, *at = start;
    while (classes[*at] & BYTE_TOKEN)
        at++;
    if (at == start || *at != ' ')
        return malformed(reader, "the method is not a token");
    head->is_head = at - start == 4 && memcmp(start, "HEAD", 4) == 0;
    const uint8_t *target = ++at;
    while (classes[*at] & BYTE_TARGET)
        at++;
    if (at == target || *at != ' ')
        return malformed(reader, "the request target is not one");
    head->label = bytes_between(start, at);
    split_target(bytes_between(target, at), head);
    if (reader->end - at < 11 || memcmp(at, " HTTP/1.", 8) != 0 || (at[8] != '1' && at[8] != '0') || at[9] != '\r' ||
        at[10] != '\n')
        return malformed(reader, "the version is not HTTP/1.1 or HTTP/1.0");
    head->version_1_0 = at[8] == '0';
    head->keep_alive = !head->version_1_0;
    reader->at = at + 11;
    return 0;
}

struct lengths {
    bool has_host, has_length, has_encoding;
};

static int read_content_length(struct reader *reader, struct squall_bytes value, struct target_head *head,
                               struct lengths *seen)
{
    uint64_t length = 0;
    if (seen->has_length)
        return malformed(reader, "more than one Content-Length");
    if (!value.len || value.len > 18)
        return malformed(reader, "Content-Length is not a number");
    for (uint64_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return malformed(reader, "Content-Length is not a number");
        length = length * 10 + (uint64_t)(value.data[i] - '0');
    }
    seen->has_length = true;
    head->content_length = length;
    return 0;
}

/* The fields that say how the message is framed and how the connection goes on; all others are skipped. */
static int read_known_field(struct reader *reader, struct squall_bytes name, struct squall_bytes value,
                            struct target_head *head, struct lengths *seen)
{
    switch (name.len) {
    case 4:
        if (bytes_equal_nocase(name, "host", 4)) {
            if (seen->has_host)
                return malformed(reader, "more than one Host");
            seen->has_host = true;
        }
        return 0;
    case 6:
        if (bytes_equal_nocase(name, "expect", 6))
            head->expects_continue = target_head_has_token(value, "100-continue");
        return 0;
    case 10:
        if (bytes_equal_nocase(name, "connection", 10)) {
            if (target_head_has_token(value, "close"))
                head->keep_alive = false;
            else if (head->version_1_0 && target_head_has_token(value, "keep-alive"))
                head->keep_alive = true;
        }
        return 0;
    case 14:
        return bytes_equal_nocase(name, "content-length", 14) ? read_content_length(reader, value, head, seen) : 0;
    case 17:
        if (!bytes_equal_nocase(name, "transfer-encoding", 17))
            return 0;
        if (seen->has_encoding || !bytes_equal_nocase(value, "chunked", 7))
            return malformed(reader, "Transfer-Encoding is not chunked");
        seen->has_encoding = true;
        return 0;
    default:
        return 0;
    }
}

/* NAME ":" OWS VALUE OWS CRLF (RFC 9112, 5) */
static int read_field(struct reader *reader, struct target_head *head, struct lengths *seen)
{
    const uint8_t *start = reader->at, *at = start;
    while (classes[*at] & BYTE_TOKEN)
        at++;
    if (at == start || *at != ':')
        return malformed(reader, "a field's name is not a token with a colon behind it");
    struct squall_bytes name = bytes_between(start, at++);
    while (*at == ' ' || *at == '\t')
        at++;
    const uint8_t *value = at;
    while (is_value(*at))
        at++;
    if (at[0] != '\r' || at[1] != '\n')
        return malformed(reader, "a field's value holds a byte that is not allowed");
    reader->at = at + 2;
    while (at > value && (at[-1] == ' ' || at[-1] == '\t'))
        at--;
    return read_known_field(reader, name, bytes_between(value, at), head, seen);
}

/* Every scan above stops at CR at the latest, and the head is known to end in CRLF CRLF: none runs past the end. */
static int read_head(struct reader *reader, struct target_head *head)
{
    struct lengths seen = {0};
    if (read_request_line(reader, head))
        return -1;
    while (reader->end - reader->at > 2)
        if (read_field(reader, head, &seen))
            return -1;
    if (!seen.has_host && !head->version_1_0)
        return malformed(reader, "Host is missing");
    if (seen.has_encoding && (seen.has_length || head->version_1_0))
        return malformed(reader, "Transfer-Encoding beside Content-Length, or in HTTP/1.0");
    head->chunked = seen.has_encoding;
    head->expects_continue = head->expects_continue && !head->version_1_0;
    return 0;
}

int target_head_parse(const uint8_t *data, size_t len, struct target_head *ret_head, size_t *ret_used,
                      const char **ret_why)
{
    /* An empty line before a request is skipped (RFC 9112, 2.2). */
    size_t skipped = len >= 2 && data[0] == '\r' && data[1] == '\n' ? 2 : 0;
    const uint8_t *start = data + skipped;
    size_t room = len - skipped < TARGET_HEAD_MAX ? len - skipped : TARGET_HEAD_MAX;
    const uint8_t *mark = memmem(start, room, "\r\n\r\n", 4);
    if (!mark) {
        *ret_why = "the head is longer than 16 KiB";
        if (room == TARGET_HEAD_MAX)
            return -1;
        /* Line ends that are not CRLF would have us wait for ever. */
        const uint8_t *line_end = memchr(start, '\n', room);
        *ret_why = "a line does not end in CRLF";
        return line_end && (line_end == start || line_end[-1] != '\r') ? -1 : 0;
    }
    struct reader reader = {.at = start, .end = mark + 4};
    struct target_head head = {.content_length = 0};
    if (read_head(&reader, &head)) {
        *ret_why = reader.why;
        return -1;
    }
    *ret_head = head;
    *ret_used = (size_t)(reader.end - data);
    return 1;
}
