/*
 * Reads MessagePack (the specification of 2013-08, https://github.com/msgpack/msgpack/blob/master/spec.md) from memory
 * without building a tree: no allocation, no recursion, and no length is believed that the message cannot hold. The
 * first failure sticks: all later reads give zero, so that callers check once.
 */
#ifndef SQUALL_METRICS_READER_H
#define SQUALL_METRICS_READER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *start, *at, *end; /* borrowed */
    const char *why;                 /* of the first failure; NULL: none so far */
};

void reader_init(struct reader *reader, const uint8_t *data, size_t len);
/* why: a string that lives on. */
void reader_fail(struct reader *reader, const char *why);
/* A whole number from zero to `most`. */
uint64_t reader_any_uint(struct reader *reader, uint64_t most);
static inline uint64_t reader_uint(struct reader *reader, uint64_t most)
{
    /* Nearly all: a histogram's slots are pairs of small ones. */
    if (!reader->why && reader->at < reader->end && *reader->at < 0x80 && *reader->at <= most)
        return *reader->at++;
    return reader_any_uint(reader, most);
}
/* A double or a whole number. */
double reader_double(struct reader *reader);
/* Points into the message; not NUL-terminated. */
const char *reader_text(struct reader *reader, size_t *ret_len);
/* How many values, or pairs, follow. */
uint32_t reader_array(struct reader *reader);
uint32_t reader_map(struct reader *reader);
/* True, and past it, when the next value is nil. */
bool reader_nil(struct reader *reader);
/* Past one value of any kind, with all that it holds. */
void reader_skip(struct reader *reader);

#endif
