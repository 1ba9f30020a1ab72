/*
 * What a step's options come to as the fields and the body of a request, in whatever version of HTTP: `json`, `form`,
 * `multipart` and `file` are bodies with a type of their own, `basic`, `bearer` and `compressed` are fields. A field
 * that the user gives stays as it is.
 */
#ifndef SQUALL_HTTP_CONTENT_H
#define SQUALL_HTTP_CONTENT_H
#include <squall/plugin.h>
#include <stdbool.h>

struct http_options;

struct http_content {
    struct squall_map headers;         /* the user's, and those that follow from other options */
    struct squall_bytes body;          /* its length always; its bytes unless it is in pieces */
    const struct squall_bytes *pieces; /* NULL, or what the body is made of */
    uint32_t piece_count;
};

/* NULL, or why options do not go together; only what is given, and what it is, is looked at. */
const char *http_content_check(const struct http_options *options);

/* The type of the body that the options give, NULL: none of its own. `constant`: the mask of the values that are there;
 * where it is not to be told from them, *ret_known is false. */
const char *http_content_type(const struct http_options *options, uint64_t constant, bool *ret_known);

/* Bytes of memory that http_content_fields and http_content_body take at most, for values as they are now. */
uint64_t http_content_fields_room(const struct http_options *options);
uint64_t http_content_body_room(const struct http_options *options);
/* Each writes into `memory`, which what is returned lives in, beside the options themselves. */
void http_content_fields(const struct http_options *options, const char *type, uint8_t *memory,
                         struct http_content *content);
/* Returns NULL, or a static reason why there is no such body. */
const char *http_content_body(const struct http_options *options, uint8_t *memory, struct http_content *content);

#endif
