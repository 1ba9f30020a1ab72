/*
 * An HTTP/1.1 request writer that does no I/O: checks the parts of a request, then writes them into memory of the
 * caller, who asks for the size first. Sections are those of RFC 9112, or of RFC 9110 where named.
 *
 * Whatever the parts hold, what is written is one request and nothing behind it: a part that could end a line early is
 * refused by the checks, and the framing is the writer's alone (Content-Length is computed, Transfer-Encoding refused).
 * The h1_write_* functions take parts that have passed.
 */
#ifndef SQUALL_HTTP_H1_WRITE_H
#define SQUALL_HTTP_H1_WRITE_H
#include <squall/plugin.h>
#include <stdbool.h>
#include <string.h>

/* What one pass over a request's fields has found. */
struct h1_fields {
    const struct squall_pair *host; /* the user's Host, or NULL */
    bool agent, accept;             /* given by the user: the default stays away */
    bool close;                     /* Connection: close: no request may follow on this connection, 9.6 */
    bool length_given;
    uint64_t length; /* the user's Content-Length: compared with the body, never written */
    uint64_t size;   /* of the written block, at most; without defaults */
};

/* Inline, as `text` is a literal mostly: its length is then compared first, and known. */
static inline bool h1_bytes_are(struct squall_bytes bytes, const char *text)
{
    return bytes.len == strlen(text) && memcmp(bytes.data, text, bytes.len) == 0;
}

/* Each returns NULL or a static text that says what is wrong. */
const char *h1_check_method(struct squall_bytes method);
/* Origin form "/path?query" (an empty path and one that begins with '?' are completed, 3.2.1), "*" with OPTIONS,
 * host:port with CONNECT. */
const char *h1_check_target(struct squall_bytes method, struct squall_bytes target);
/* On failure *ret_culprit is the field's index. */
const char *h1_check_fields(const struct squall_map *fields, struct h1_fields *ret_fields, uint64_t *ret_culprit);
const char *h1_check_length(const struct h1_fields *fields, uint64_t body_len);

/* Host: the CONNECT target itself (3.2.3), else the authority of the target's URL. */
struct squall_bytes h1_host_of(struct squall_bytes method, struct squall_bytes target, struct squall_bytes authority);

/* The request line. Writes at most h1_line_size bytes and returns how many. */
uint64_t h1_line_size(struct squall_bytes method, struct squall_bytes target);
uint64_t h1_write_line(uint8_t *out, struct squall_bytes method, struct squall_bytes target);

/* Host first (RFC 9110 7.2), User-Agent and Accept unless the user gives them, then the user's fields in their order.
 */
uint64_t h1_fields_size(const struct h1_fields *fields, struct squall_bytes host, struct squall_bytes agent);
uint64_t h1_write_fields(uint8_t *out, const struct squall_map *map, const struct h1_fields *fields,
                         struct squall_bytes host, struct squall_bytes agent);

/* Whether Content-Length is sent: there is content, or the method gives the lack of it a meaning (RFC 9110 8.6). */
bool h1_length_wanted(struct squall_bytes method, uint64_t body_len);
/* Content-Length, if it is wanted, and the empty line. */
#define H1_HEAD_END_MAX 40
uint64_t h1_write_head_end(uint8_t *out, struct squall_bytes method, uint64_t body_len);

#endif
