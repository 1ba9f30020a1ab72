/*
 * Seeded random numbers. Two kinds, both SplitMix64 (Steele, Lea and Flood 2014): a stream for whoever draws in order, and a
 * pure function of (seed, stream, index) for schedules, which must not depend on the order in which they are asked.
 * A stream is eight bytes, since each user has one.
 */
#ifndef SQUALL_BASE_RANDOM_H
#define SQUALL_BASE_RANDOM_H
#include <stdint.h>

struct random_stream {
    uint64_t state;
};

void random_init(struct random_stream *stream, uint64_t seed, uint64_t stream_id);
uint64_t random_next(struct random_stream *stream);
/* Uniform in [0, bound), without modulo bias; bound >= 1. */
uint64_t random_below(struct random_stream *stream, uint64_t bound);
/* Uniform in [0, 1), 53 bits. */
double random_unit(struct random_stream *stream);

uint64_t random_at(uint64_t seed, uint64_t stream_id, uint64_t index);
/* random_at as a double in (0, 1]: safe for log(). */
double random_unit_at(uint64_t seed, uint64_t stream_id, uint64_t index);

/* A number that no other call has had, here or anywhere, as far as chance goes; not 0. Of no use with a seed. */
uint64_t random_unique(void);

#endif
