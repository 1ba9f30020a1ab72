/*
 * When open load is due, and how many users closed load has: pure functions of (stages, seed, index). Nothing
 * here reads a clock; times are nanoseconds since the start of the load.
 *
 * The unit-rate process (points 0, 1, 2, ... for constant arrivals; the running sum of exponential gaps for
 * poisson) is mapped through the inverse of the cumulative intensity of the stages, so that ramps and holds
 * follow one another without a seam. See docs/measurement.md, "Arrivals".
 *
 * Constant arrival k is due when the cumulative intensity reaches k = 0, 1, 2, ...: the first at the start, and one at the
 * very end belongs to the stage that follows, so that 10 s of 200/s hold exactly 2000. A rate of zero holds them up
 * until a stage moves on. Where constant and poisson stages meet, a constant stage begins with the next whole number of the
 * cumulative intensity, a poisson stage with a fresh gap (the process has no memory: nothing is lost or doubled).
 */
#ifndef SQUALL_SCHEDULE_SCHEDULE_H
#define SQUALL_SCHEDULE_SCHEDULE_H
#include <stdbool.h>
#include <stdint.h>

enum stage_kind {
    STAGE_RATE,  /* open: journeys started per second */
    STAGE_USERS, /* closed: users that walk their flow again and again */
};
enum arrivals_kind { ARRIVALS_CONSTANT, ARRIVALS_POISSON };

/* A straight line from `from` to `to` over duration_ns; a hold has from == to. */
struct stage {
    enum stage_kind kind;
    enum arrivals_kind arrivals; /* STAGE_RATE only */
    double from, to;             /* per second, or users */
    uint64_t duration_ns;        /* UINT64_MAX: until the iterations are used up (last stage only) */
    uint64_t pace_ns;            /* STAGE_USERS only: time between a user's ticks; 0: none */
};

/* All stages of one load are of one kind. */
struct schedule {
    const struct stage *stages; /* borrowed */
    uint32_t stage_count;
    uint64_t seed;
    uint32_t worker, workers; /* this worker's share: arrivals = worker mod workers */
    uint64_t limit;           /* arrivals of the whole run (-n); UINT64_MAX: none */
};

struct arrival {
    uint64_t index;  /* count * workers + worker: unique in the run; in the order of time for constant arrivals */
    uint64_t due_ns; /* since the start of the load */
};

/* Walks this worker's arrivals in order. */
struct schedule_cursor {
    uint32_t stage;
    uint64_t count;         /* this worker's arrivals so far */
    uint64_t next_index;    /* constant: this worker's next whole number of the cumulative intensity */
    uint64_t draws;         /* poisson: gaps drawn so far */
    bool drawn;             /* poisson: hazard holds the next arrival */
    long double hazard;     /* poisson: the running sum, at this worker's share of the rate */
    long double passed;     /* cumulative intensity before `stage`, for the whole run */
    uint64_t stage_start_ns;
};

void schedule_cursor_init(struct schedule_cursor *cursor, const struct schedule *schedule);
/* The next arrival, or false when there is none left. */
bool schedule_next(struct schedule_cursor *cursor, const struct schedule *schedule, struct arrival *ret_arrival);

/* Total length; UINT64_MAX when the last stage has no end. */
uint64_t schedule_length_ns(const struct schedule *schedule);
/* Users of the whole run at a time (closed), rounded to nearest, 0 past the end; and when that number changes next
 * (may be NULL), UINT64_MAX: never. */
uint32_t schedule_users_at(const struct schedule *schedule, uint64_t at_ns, uint64_t *ret_next_change_ns);
/* The highest rate or number of users of any stage. */
double schedule_peak(const struct schedule *schedule);
/* Arrivals that the whole run will have, limit included (poisson: their mean); closed: the limit. UINT64_MAX:
 * unbounded. */
uint64_t schedule_expected(const struct schedule *schedule);
/* Rate asked (whole run, per second) at a time; 0 past the end. */
double schedule_rate_at(const struct schedule *schedule, uint64_t at_ns);
/* The pace that users keep at a time; 0: none. */
uint64_t schedule_pace_at(const struct schedule *schedule, uint64_t at_ns);
bool schedule_has_pace(const struct schedule *schedule); /* at any time */
/* When a user that was free at ready_ns starts again, whose last tick was tick_ns: the later of ready and the next tick.
 * A tick that passed before is skipped: *ret_skipped is how many were, *ret_tick_ns the last that has come by then. */
uint64_t schedule_paced_ns(uint64_t tick_ns, uint64_t pace_ns, uint64_t ready_ns, uint64_t *ret_tick_ns, uint64_t *ret_skipped);

/* Worker k's part of a whole: equal parts, the remainder to low k. */
uint64_t schedule_share(uint64_t whole, uint32_t worker, uint32_t workers);

#endif
