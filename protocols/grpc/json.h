/*
 * JSON text (RFC 8259), looked at in place. Nothing is allocated, nothing is read behind the text's length, and nesting
 * deeper than PB_JSON_DEPTH_MAX is refused.
 */
#ifndef SQUALL_GRPC_JSON_H
#define SQUALL_GRPC_JSON_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PB_JSON_DEPTH_MAX 128

struct pb_json {
    const char *text;
    size_t len, at;
};

/* Skips blanks; what comes next, or '\0' at the end. */
char pb_json_peek(struct pb_json *json);
/* Skips blanks and takes `wanted` if it comes next. */
bool pb_json_take(struct pb_json *json, char wanted);
/* Takes a string, number, true, false or null: its place in the text, quotes included. NULL, or why not. */
const char *pb_json_scalar(struct pb_json *json, size_t *ret_at, size_t *ret_len);
/* Takes any value. NULL, or why not. */
const char *pb_json_skip(struct pb_json *json);

bool pb_json_is_number(const char *text, size_t len);
/* Decodes the inside of a string, `len` bytes between the quotes; `out` has room for as many bytes, or is NULL to count
 * only. Returns how many come out, or -1: a bad escape, half a surrogate pair, a control character, no UTF-8. */
int64_t pb_json_unescape(const char *inside, size_t len, char *out);

#endif
