/* Seeded random numbers. See random.h for the two kinds and their sources. */
#include "base/random.h"
#include "base/clock.h"
#include <sys/random.h>

#define GOLDEN_GAMMA UINT64_C(0x9e3779b97f4a7c15)

/* SplitMix64's output function (Stafford's variant 13): a bijection that leaves no pattern of its input. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t random_at(uint64_t seed, uint64_t stream_id, uint64_t index)
{
    /* Each mix separates what is added next: neighbouring seeds, streams and indexes share nothing. */
    uint64_t stream_start = mix(mix(seed + GOLDEN_GAMMA) + (stream_id + 1) * GOLDEN_GAMMA);
    return mix(stream_start + (index + 1) * GOLDEN_GAMMA);
}

double random_unit_at(uint64_t seed, uint64_t stream_id, uint64_t index)
{
    return (double)((random_at(seed, stream_id, index) >> 11) + 1) * 0x1p-53;
}

void random_init(struct random_stream *stream, uint64_t seed, uint64_t stream_id)
{
    stream->state = random_at(seed, stream_id, 0);
}

uint64_t random_next(struct random_stream *stream)
{
    return mix(stream->state += GOLDEN_GAMMA);
}

uint64_t random_below(struct random_stream *stream, uint64_t bound)
{
    /* 2^64 mod bound values are drawn again, so that the rest divides evenly. */
    uint64_t unfair = (UINT64_C(0) - bound) % bound;
    uint64_t drawn;
    do
        drawn = random_next(stream);
    while (drawn < unfair);
    return drawn % bound;
}

double random_unit(struct random_stream *stream)
{
    return (double)(random_next(stream) >> 11) * 0x1p-53;
}

uint64_t random_unique(void)
{
    uint64_t number = 0;
    /* Eight bytes are never cut short; without the call (a kernel before 3.17) the clock is what differs. */
    while (number == 0)
        if (getrandom(&number, sizeof number, 0) != sizeof number)
            number = mix(clock_now_ns());
    return number;
}
