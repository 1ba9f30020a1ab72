/*
 * How the target treats requests, whatever their protocol: delays, stalls, resets. Pure but for the random
 * stream that is handed in.
 *
 * Distributions, each number a duration or a size:
 *   X or constant(X)        always X
 *   uniform(MIN,MAX)        flat between both, inclusive
 *   exponential(MEAN)
 *   normal(MEAN,STDDEV)     values below 0 count as 0
 *   lognormal(MEDIAN,SIGMA) SIGMA without unit: the standard deviation of the value's logarithm
 *   bimodal(X,Y,P)          X with probability P, else Y
 *   pareto(MIN,ALPHA)       a heavy tail: P(value > x) = (MIN/x)^ALPHA
 * No value passes BEHAVIOUR_DELAY_MAX_NS, or BEHAVIOUR_SIZE_MAX for sizes: what a draw has above it is cut.
 */
#ifndef SQUALL_TARGET_BEHAVIOUR_H
#define SQUALL_TARGET_BEHAVIOUR_H
#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "target/server.h"

#define BEHAVIOUR_DELAY_MAX_NS (60 * NS_PER_S)
#define BEHAVIOUR_SIZE_MAX     (UINT64_C(1) << 30)
#define BEHAVIOUR_STALLS_MAX   64

enum distribution_kind {
    DISTRIBUTION_CONSTANT,
    DISTRIBUTION_UNIFORM,
    DISTRIBUTION_EXPONENTIAL,
    DISTRIBUTION_NORMAL,
    DISTRIBUTION_LOGNORMAL,
    DISTRIBUTION_BIMODAL,
    DISTRIBUTION_PARETO,
};

/* type: SQUALL_DURATION or SQUALL_SIZE. 0, or -1 with the error filled. */
int distribution_parse(const char *text, uint32_t type, struct squall_distribution *ret_distribution,
                       struct error *error);
/* In ns or bytes; whole, never above the type's cap. */
uint64_t distribution_draw(const struct squall_distribution *distribution, struct random_stream *stream);

/* A time during which the target says nothing; in ns since its start. */
struct stall {
    uint64_t start_ns, end_ns;
};

struct stalls {
    struct stall list[BEHAVIOUR_STALLS_MAX]; /* in order of start; they may overlap */
    uint32_t count;
};

/* Adds "3s@5s" (3 s long, from 5 s on), or several with commas between. */
int stalls_add(struct stalls *stalls, const char *text, struct error *error);
/* Adds one; past BEHAVIOUR_STALLS_MAX the one that ended first gives way. */
void stalls_insert(struct stalls *stalls, uint64_t start_ns, uint64_t end_ns);
/* When the stall that covers now_ns ends, with all that overlap it; 0: none does. */
uint64_t stalls_end(const struct stalls *stalls, uint64_t now_ns);
/* The start of the first stall after now_ns; UINT64_MAX: none. */
uint64_t stalls_next(const struct stalls *stalls, uint64_t now_ns);

/* A service that works on so many requests at a time: each takes the place that is free first, and keeps it for its
 * delay. */
#define BEHAVIOUR_PLACES_MAX 4096
struct places {
    uint64_t free_ns[BEHAVIOUR_PLACES_MAX]; /* a heap: the earliest first */
    uint32_t count;                         /* 0: no limit */
};

void places_init(struct places *places, uint32_t count);
/* When what arrives now is done. */
uint64_t places_take(struct places *places, uint64_t now_ns, uint64_t length_ns);

#endif
