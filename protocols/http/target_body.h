/* Finds the end of a request's body, by length or chunked (RFC 9112, 6 and 7.1). Nothing is stored. */
#ifndef SQUALL_HTTP_TARGET_BODY_H
#define SQUALL_HTTP_TARGET_BODY_H
#include <squall/plugin.h>
#include <stdbool.h>
#include <stddef.h>

#define TARGET_LINE_MAX     1024 /* of a chunk's size line or a trailer */
#define TARGET_TRAILERS_MAX 64

enum target_body_state {
    TARGET_BODY_NONE,      /* no body is being read */
    TARGET_BODY_LENGTH,    /* `left` bytes follow, and the body ends */
    TARGET_BODY_SIZE,      /* a chunk's size line follows: to CHUNK or TRAILER */
    TARGET_BODY_CHUNK,     /* `left` bytes of the chunk follow: to CHUNK_END */
    TARGET_BODY_CHUNK_END, /* CRLF behind a chunk follows: to SIZE */
    TARGET_BODY_TRAILER,   /* a trailer or the empty line follows: again TRAILER, or the body ends */
};

struct target_body {
    enum target_body_state state;
    uint32_t trailers;
    uint64_t left;
};

enum target_body_result {
    TARGET_BODY_MORE,      /* needs more input */
    TARGET_BODY_PIECE,     /* *ret_piece is body, maybe empty; go on behind *ret_used */
    TARGET_BODY_END,       /* the body ends behind *ret_used */
    TARGET_BODY_MALFORMED, /* *ret_why names the fault */
};

/* A body of known length, which may be 0, or a chunked one. */
void target_body_begin(struct target_body *body, bool chunked, uint64_t length);
enum target_body_result target_body_read(struct target_body *body, const uint8_t *data, size_t len,
                                         struct squall_bytes *ret_piece, size_t *ret_used, const char **ret_why);

#endif
