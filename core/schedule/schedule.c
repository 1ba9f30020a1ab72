/*
 * Arrivals and users over time. See schedule.h.
 *
 * Open load has one clock of its own: the cumulative intensity of the whole run's stages. Every arrival is a
 * position on it (integers for constant arrivals, sums of exponential gaps for poisson), and a stage is an interval
 * [passed, end) of it. Positions are long double: with 64 bits of mantissa the billionth arrival is still exact to
 * a nanosecond.
 */
#include "schedule/schedule.h"
#include "base/random.h"
#include <float.h>
#include <math.h>
#include <stddef.h>

#define NS_PER_SECOND 1e9L
#define LATEST_NS (UINT64_C(1) << 62) /* 146 years: beyond it there is no arrival */

/* Rates are decimals that doubles cannot hold (0.1/s): an end that close to a whole number is that number, or 10 s of
 * 0.1/s would hold two arrivals. */
static long double snapped(long double position)
{
    long double whole = roundl(position);
    return fabsl(position - whole) <= whole * (4 * (long double)DBL_EPSILON) ? whole : position;
}

/* The position at which a stage that starts at `passed` ends. */
static long double stage_end(const struct stage *stage, long double passed)
{
    if (stage->duration_ns == UINT64_MAX)
        return stage->from > 0 ? HUGE_VALL : passed;
    long double doubled_rate = (long double)stage->from + (long double)stage->to;
    return snapped(passed + doubled_rate * (long double)stage->duration_ns / (2 * NS_PER_SECOND));
}

/* When a stage has gone through `position` since its start. On a ramp this solves from*t + bend*t^2 = position in the
 * form that divides by a sum of positive terms, so that nothing cancels, for bend = 0 too. */
static uint64_t stage_offset_ns(const struct stage *stage, long double position)
{
    long double from = (long double)stage->from, bend = 0;
    if (stage->duration_ns != UINT64_MAX)
        bend = ((long double)stage->to - from) / (2 * ((long double)stage->duration_ns / NS_PER_SECOND));
    long double discriminant = from * from + 4 * bend * position;
    long double divisor = from + sqrtl(discriminant > 0 ? discriminant : 0);
    if (!(position > 0) || !(divisor > 0))
        return 0;
    long double offset_ns = roundl(2 * position / divisor * NS_PER_SECOND);
    uint64_t latest_ns = stage->duration_ns == UINT64_MAX ? LATEST_NS : stage->duration_ns - 1;
    return offset_ns >= (long double)latest_ns ? latest_ns : (uint64_t)offset_ns;
}

static uint64_t first_index_from(long double passed, uint32_t worker, uint32_t workers)
{
    uint64_t least = passed >= 0x1p63L ? UINT64_C(1) << 63 : (uint64_t)ceill(passed);
    if (least <= worker)
        return worker;
    return worker + (least - worker + workers - 1) / workers * workers;
}

static void draw_gap(struct schedule_cursor *cursor, const struct schedule *schedule)
{
    cursor->hazard -= logl((long double)random_unit_at(schedule->seed, schedule->worker, cursor->draws++));
}

static void enter_stage(struct schedule_cursor *cursor, const struct schedule *schedule)
{
    if (cursor->stage == schedule->stage_count)
        return;
    if (schedule->stages[cursor->stage].arrivals == ARRIVALS_CONSTANT) {
        cursor->next_index = first_index_from(cursor->passed, schedule->worker, schedule->workers);
        cursor->drawn = false;
    } else if (!cursor->drawn) {
        cursor->hazard = cursor->passed / schedule->workers;
        draw_gap(cursor, schedule);
        cursor->drawn = true;
    }
}

void schedule_cursor_init(struct schedule_cursor *cursor, const struct schedule *schedule)
{
    *cursor = (struct schedule_cursor){0};
    enter_stage(cursor, schedule);
}

bool schedule_next(struct schedule_cursor *cursor, const struct schedule *schedule, struct arrival *ret_arrival)
{
    if (schedule->limit != UINT64_MAX &&
        cursor->count >= schedule_share(schedule->limit, schedule->worker, schedule->workers))
        return false;
    while (cursor->stage < schedule->stage_count && schedule->stages[cursor->stage].kind == STAGE_RATE) {
        const struct stage *stage = &schedule->stages[cursor->stage];
        bool constant = stage->arrivals == ARRIVALS_CONSTANT;
        long double end = stage_end(stage, cursor->passed);
        long double position =
            constant ? (long double)cursor->next_index : cursor->hazard * (long double)schedule->workers;
        if (position < end) {
            uint64_t offset_ns = stage_offset_ns(stage, position - cursor->passed);
            if (offset_ns >= LATEST_NS)
                return false;
            ret_arrival->due_ns = cursor->stage_start_ns + offset_ns;
            ret_arrival->index = cursor->count++ * schedule->workers + schedule->worker;
            if (constant)
                cursor->next_index += schedule->workers;
            else
                draw_gap(cursor, schedule);
            return true;
        }
        if (stage->duration_ns == UINT64_MAX)
            return false;
        cursor->passed = end;
        cursor->stage_start_ns += stage->duration_ns;
        cursor->stage++;
        enter_stage(cursor, schedule);
    }
    return false;
}

uint64_t schedule_length_ns(const struct schedule *schedule)
{
    uint64_t length_ns = 0;
    for (uint32_t i = 0; i < schedule->stage_count; i++) {
        if (schedule->stages[i].duration_ns > UINT64_MAX - length_ns)
            return UINT64_MAX;
        length_ns += schedule->stages[i].duration_ns;
    }
    return length_ns;
}

/* The stage's rate or number of users at an offset into it; grows or falls steadily from one offset to the next. */
static double stage_level(const struct stage *stage, uint64_t offset_ns)
{
    if (stage->duration_ns == UINT64_MAX)
        return stage->from;
    return stage->from + (stage->to - stage->from) * ((double)offset_ns / (double)stage->duration_ns);
}

static uint32_t stage_users(const struct stage *stage, uint64_t offset_ns)
{
    double users = floor(stage_level(stage, offset_ns) + 0.5);
    return users >= (double)UINT32_MAX ? UINT32_MAX : users > 0 ? (uint32_t)users : 0;
}

/* The stage of a time and its start; NULL past the end. */
static const struct stage *stage_at(const struct schedule *schedule, uint64_t at_ns, uint64_t *ret_start_ns)
{
    uint64_t start_ns = 0;
    for (uint32_t i = 0; i < schedule->stage_count; i++) {
        const struct stage *stage = &schedule->stages[i];
        if (stage->duration_ns == UINT64_MAX || at_ns - start_ns < stage->duration_ns) {
            *ret_start_ns = start_ns;
            return stage;
        }
        start_ns += stage->duration_ns;
    }
    return NULL;
}

/* The first offset above `offset_ns` with another number of users, or the stage's length. The number moves one way
 * within a stage, so halving finds the exact nanosecond, whatever the rounding does. */
static uint64_t stage_change_ns(const struct stage *stage, uint64_t offset_ns)
{
    uint32_t users = stage_users(stage, offset_ns);
    uint64_t same_ns = offset_ns, other_ns = stage->duration_ns;
    if (stage_users(stage, stage->duration_ns - 1) == users)
        return stage->duration_ns;
    while (other_ns - same_ns > 1) {
        uint64_t middle_ns = same_ns + (other_ns - same_ns) / 2;
        if (stage_users(stage, middle_ns) == users)
            same_ns = middle_ns;
        else
            other_ns = middle_ns;
    }
    return other_ns;
}

uint32_t schedule_users_at(const struct schedule *schedule, uint64_t at_ns, uint64_t *ret_next_change_ns)
{
    uint64_t start_ns = 0;
    const struct stage *stage = stage_at(schedule, at_ns, &start_ns);
    uint32_t users = stage ? stage_users(stage, at_ns - start_ns) : 0;
    if (!ret_next_change_ns)
        return users;
    *ret_next_change_ns = UINT64_MAX;
    while (stage && stage->duration_ns != UINT64_MAX) {
        uint64_t from_ns = at_ns > start_ns ? at_ns : start_ns;
        if (stage_users(stage, from_ns - start_ns) != users) {
            *ret_next_change_ns = from_ns;
            return users;
        }
        uint64_t change_ns = start_ns + stage_change_ns(stage, from_ns - start_ns);
        if (change_ns < start_ns + stage->duration_ns) {
            *ret_next_change_ns = change_ns;
            return users;
        }
        stage = stage_at(schedule, change_ns, &start_ns);
        uint32_t next_users = stage ? stage_users(stage, 0) : 0;
        if (next_users != users) {
            *ret_next_change_ns = change_ns;
            return users;
        }
    }
    return users;
}

double schedule_peak(const struct schedule *schedule)
{
    double peak = 0;
    for (uint32_t i = 0; i < schedule->stage_count; i++)
        peak = fmax(peak, fmax(schedule->stages[i].from, schedule->stages[i].to));
    return peak;
}

uint64_t schedule_expected(const struct schedule *schedule)
{
    long double passed = 0, arrivals = 0;
    for (uint32_t i = 0; i < schedule->stage_count; i++) {
        const struct stage *stage = &schedule->stages[i];
        if (stage->kind == STAGE_USERS)
            return schedule->limit;
        long double end = stage_end(stage, passed);
        if (end >= 0x1p63L)
            return schedule->limit;
        arrivals += stage->arrivals == ARRIVALS_CONSTANT ? ceill(end) - ceill(passed) : end - passed;
        passed = end;
    }
    uint64_t expected = (uint64_t)roundl(arrivals);
    return expected < schedule->limit ? expected : schedule->limit;
}

double schedule_rate_at(const struct schedule *schedule, uint64_t at_ns)
{
    uint64_t start_ns = 0;
    const struct stage *stage = stage_at(schedule, at_ns, &start_ns);
    return stage && stage->kind == STAGE_RATE ? stage_level(stage, at_ns - start_ns) : 0;
}

uint64_t schedule_pace_at(const struct schedule *schedule, uint64_t at_ns)
{
    uint64_t start_ns = 0;
    const struct stage *stage = stage_at(schedule, at_ns, &start_ns);
    return stage ? stage->pace_ns : 0;
}

bool schedule_has_pace(const struct schedule *schedule)
{
    for (uint32_t i = 0; i < schedule->stage_count; i++)
        if (schedule->stages[i].pace_ns)
            return true;
    return false;
}

uint64_t schedule_paced_ns(uint64_t tick_ns, uint64_t pace_ns, uint64_t ready_ns, uint64_t *ret_tick_ns, uint64_t *ret_skipped)
{
    *ret_skipped = 0;
    if (pace_ns == 0) {
        *ret_tick_ns = ready_ns;
        return ready_ns;
    }
    *ret_tick_ns = tick_ns + pace_ns;
    if (ready_ns <= *ret_tick_ns)
        return *ret_tick_ns;
    *ret_skipped = (ready_ns - tick_ns) / pace_ns;
    *ret_tick_ns = tick_ns + *ret_skipped * pace_ns;
    return ready_ns;
}

uint64_t schedule_share(uint64_t whole, uint32_t worker, uint32_t workers)
{
    return whole / workers + (worker < whole % workers ? 1 : 0);
}
