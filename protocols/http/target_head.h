/* Reads the head of an HTTP/1.1 request (RFC 9112). No I/O, no allocation: what it returns points into the input. */
#ifndef SQUALL_HTTP_TARGET_HEAD_H
#define SQUALL_HTTP_TARGET_HEAD_H
#include <squall/plugin.h>
#include <stdbool.h>
#include <stddef.h>

#define TARGET_HEAD_MAX (16 * 1024) /* bytes, with the empty line */

struct target_head {
    struct squall_bytes label; /* "GET /path?query", as written */
    struct squall_bytes path;  /* without the query */
    struct squall_bytes query; /* without the question mark */
    uint64_t content_length;   /* 0 without a body */
    bool chunked;
    bool is_head; /* the method is HEAD */
    bool version_1_0;
    bool keep_alive;
    bool expects_continue;
};

/* 1: complete, *ret_used bytes long; 0: more bytes are needed; -1: not a request that RFC 9112 allows, or too long:
 * *ret_why names the fault. */
int target_head_parse(const uint8_t *data, size_t len, struct target_head *ret_head, size_t *ret_used,
                      const char **ret_why);

/* Whether a comma-separated field value holds the token; without case (RFC 9110, 5.6.1). */
bool target_head_has_token(struct squall_bytes value, const char *token);

#endif
