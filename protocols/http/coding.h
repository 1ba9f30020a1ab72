/*
 * Undoing content codings, gzip and deflate (RFC 9110 8.4.1), for bodies that a scenario looks at. By zlib; the state
 * is some 40 KiB and lives on a list of those that are free, so that an answer allocates nothing once there is one for
 * each answer that is under way at once.
 */
#ifndef SQUALL_HTTP_CODING_H
#define SQUALL_HTTP_CODING_H
#include <squall/plugin.h>
#include <stdbool.h>
#include <zlib.h>

/* What is given out at most of one answer: a coding can blow a small answer up a thousandfold. */
#define CODING_OUTPUT_MAX (UINT64_C(8) << 20)

enum coding { CODING_NONE, CODING_GZIP, CODING_DEFLATE, CODING_OTHER };

/* Of a Content-Encoding field's value. OTHER: one that is not undone, or several. */
enum coding coding_of(struct squall_bytes value);

struct decoder {
    z_stream stream;
    struct decoder *next; /* in the list of free ones */
    enum coding coding;
    bool begun, ended;
    uint64_t output;
};

/* All zero: empty. */
struct decoders {
    struct decoder *free;
};

/* GZIP or DEFLATE. NULL: no memory. */
struct decoder *decoder_take(struct decoders *decoders, enum coding coding);
void decoder_give(struct decoders *decoders, struct decoder *decoder); /* NULL: nothing */
void decoders_fini(struct decoders *decoders);
/* Calls `out` with pieces of what the bytes stand for. NULL, or a static text that says why the coding is broken. What
 * comes behind the coding's end, or would go beyond CODING_OUTPUT_MAX, is dropped. */
const char *decoder_feed(struct decoder *decoder, struct squall_bytes bytes,
                         void (*out)(void *arg, struct squall_bytes), void *arg);
/* At the answer's end: NULL, or that the coding has no end. */
const char *decoder_end(const struct decoder *decoder);

#endif
