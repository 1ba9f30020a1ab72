/*
 * The three header fields that decide where an answer ends and whether the connection goes on. For h1.c.
 */
#ifndef SQUALL_HTTP_H1_FIELDS_H
#define SQUALL_HTTP_H1_FIELDS_H
#include "h1.h"

/* Bits of h1_reader.seen. */
enum h1_seen {
    H1_SEEN_LENGTH = 1,
    H1_SEEN_CODING = 2,       /* Transfer-Encoding */
    H1_SEEN_CHUNKED = 4,      /* among the codings */
    H1_SEEN_CHUNKED_LAST = 8, /* the last coding so far is chunked */
    H1_SEEN_CLOSE = 16,       /* Connection: close */
    H1_SEEN_KEEP_ALIVE = 32,  /* Connection: keep-alive */
};

/* Each takes a field's value, adds to reader->seen and returns NULL or a static reason. */
const char *h1_content_length(struct h1_reader *reader, const uint8_t *value, const uint8_t *end);
const char *h1_transfer_encoding(struct h1_reader *reader, const uint8_t *value, const uint8_t *end);
void h1_connection(struct h1_reader *reader, const uint8_t *value, const uint8_t *end);

/* The options "close" and "keep-alive" in a Connection field's value, as bits of enum h1_seen. */
unsigned h1_connection_options(const uint8_t *value, const uint8_t *end);

#endif
