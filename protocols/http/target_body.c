/* Bodies of requests: a state machine whose states the header explains. Lines must end in CRLF. */
#include "target_body.h"
#include <string.h>

void target_body_begin(struct target_body *body, bool chunked, uint64_t length)
{
    *body = (struct target_body){.state = chunked ? TARGET_BODY_SIZE : TARGET_BODY_LENGTH, .left = length};
}

static enum target_body_result malformed(const char **ret_why, const char *why)
{
    *ret_why = why;
    return TARGET_BODY_MALFORMED;
}

/* The length of the first line without its CRLF; MORE when it is not there yet. */
static enum target_body_result find_line(const uint8_t *data, size_t len, size_t *ret_line, const char **ret_why)
{
    const uint8_t *end = memchr(data, '\n', len < TARGET_LINE_MAX ? len : TARGET_LINE_MAX);
    if (!end)
        return len >= TARGET_LINE_MAX ? malformed(ret_why, "a chunk's line is longer than 1 KiB") : TARGET_BODY_MORE;
    if (end == data || end[-1] != '\r')
        return malformed(ret_why, "a chunk's line does not end in CRLF");
    *ret_line = (size_t)(end - data) - 1;
    return TARGET_BODY_PIECE;
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* SIZE [; extensions]. 15 digits are far above any body and cannot overflow. */
static enum target_body_result read_size(struct target_body *body, const uint8_t *data, size_t len, size_t *ret_used,
                                         const char **ret_why)
{
    size_t line, digits = 0;
    enum target_body_result result = find_line(data, len, &line, ret_why);
    if (result != TARGET_BODY_PIECE)
        return result;
    uint64_t size = 0;
    for (; digits < line && hex_digit(data[digits]) >= 0; digits++)
        size = size << 4 | (uint64_t)hex_digit(data[digits]);
    bool ended = digits == line || data[digits] == ';' || data[digits] == ' ' || data[digits] == '\t';
    if (!digits || digits > 15 || !ended)
        return malformed(ret_why, "a chunk's size is not a number");
    body->left = size;
    body->state = size ? TARGET_BODY_CHUNK : TARGET_BODY_TRAILER;
    *ret_used = line + 2;
    return TARGET_BODY_PIECE;
}

static enum target_body_result read_data(struct target_body *body, const uint8_t *data, size_t len,
                                         struct squall_bytes *ret_piece, size_t *ret_used)
{
    if (!body->left) {
        *ret_used = 0;
        if (body->state == TARGET_BODY_LENGTH) {
            body->state = TARGET_BODY_NONE;
            return TARGET_BODY_END;
        }
        body->state = TARGET_BODY_CHUNK_END;
        return TARGET_BODY_PIECE;
    }
    if (!len)
        return TARGET_BODY_MORE;
    size_t count = len < body->left ? len : (size_t)body->left;
    body->left -= count;
    *ret_piece = (struct squall_bytes){data, count};
    *ret_used = count;
    return TARGET_BODY_PIECE;
}

static enum target_body_result read_chunk_end(struct target_body *body, const uint8_t *data, size_t len,
                                              size_t *ret_used, const char **ret_why)
{
    if (len < 2)
        return TARGET_BODY_MORE;
    if (data[0] != '\r' || data[1] != '\n')
        return malformed(ret_why, "a chunk is longer than its size says");
    body->state = TARGET_BODY_SIZE;
    *ret_used = 2;
    return TARGET_BODY_PIECE;
}

static enum target_body_result read_trailer(struct target_body *body, const uint8_t *data, size_t len, size_t *ret_used,
                                            const char **ret_why)
{
    size_t line;
    enum target_body_result result = find_line(data, len, &line, ret_why);
    if (result != TARGET_BODY_PIECE)
        return result;
    *ret_used = line + 2;
    if (line == 0) {
        body->state = TARGET_BODY_NONE;
        return TARGET_BODY_END;
    }
    if (++body->trailers > TARGET_TRAILERS_MAX)
        return malformed(ret_why, "more than 64 trailers");
    return TARGET_BODY_PIECE;
}

enum target_body_result target_body_read(struct target_body *body, const uint8_t *data, size_t len,
                                         struct squall_bytes *ret_piece, size_t *ret_used, const char **ret_why)
{
    *ret_piece = (struct squall_bytes){data, 0};
    switch (body->state) {
    case TARGET_BODY_LENGTH:
    case TARGET_BODY_CHUNK:
        return read_data(body, data, len, ret_piece, ret_used);
    case TARGET_BODY_SIZE:
        return read_size(body, data, len, ret_used, ret_why);
    case TARGET_BODY_CHUNK_END:
        return read_chunk_end(body, data, len, ret_used, ret_why);
    case TARGET_BODY_TRAILER:
        return read_trailer(body, data, len, ret_used, ret_why);
    case TARGET_BODY_NONE:
        break;
    }
    *ret_used = 0;
    return TARGET_BODY_END;
}
