/* See threshold_watch.h. */
#include "metrics/threshold_watch.h"
#include "base/clock.h"
#include <stdlib.h>

#define AHEAD_S 8u /* seconds that a worker may be ahead of the slowest; one that is silent for so long is lost */

struct second {
    uint64_t number;
    struct threshold_part part;
};

struct watched {
    const struct threshold *threshold;
    struct second *seconds; /* ring; NULL: no window */
    uint32_t capacity;
    uint64_t first;         /* second that a window may begin with */
    bool judged, aborted;
    struct threshold_result worst;
};

struct threshold_watch {
    struct watched *watched;
    uint32_t count, workers;
    uint64_t *reported;  /* a worker's seconds so far; UINT64_MAX: no more comes */
    uint64_t complete;   /* seconds that have been judged */
    uint64_t newest;     /* seconds that someone has reported */
    uint64_t warmup_ns, length_ns;
    struct threshold_part sum; /* scratch */
};

static uint64_t seconds_up(uint64_t ns)
{
    return ns / NS_PER_S + (ns % NS_PER_S != 0);
}

struct threshold_watch *threshold_watch_new(const struct threshold *thresholds, uint32_t count, uint32_t workers,
                                            uint64_t warmup_ns, uint64_t length_ns)
{
    struct threshold_watch *watch = xcalloc(1, sizeof *watch);
    *watch = (struct threshold_watch){.count = count, .workers = workers, .warmup_ns = warmup_ns, .length_ns = length_ns};
    watch->watched = xcalloc(count + 1, sizeof *watch->watched);
    watch->reported = xcalloc(workers + 1, sizeof *watch->reported);
    threshold_part_init(&watch->sum);
    for (uint32_t i = 0; i < count; i++) {
        struct watched *watched = &watch->watched[i];
        watched->threshold = &thresholds[i];
        watched->first = seconds_up(thresholds[i].grace_ns > warmup_ns ? thresholds[i].grace_ns : warmup_ns);
        if (thresholds[i].window_s == 0)
            continue;
        watched->capacity = thresholds[i].window_s + AHEAD_S;
        watched->seconds = xcalloc(watched->capacity, sizeof *watched->seconds);
        for (uint32_t s = 0; s < watched->capacity; s++) {
            threshold_part_init(&watched->seconds[s].part);
            watched->seconds[s].number = UINT64_MAX;
        }
    }
    return watch;
}

void threshold_watch_free(struct threshold_watch *watch)
{
    if (!watch)
        return;
    for (uint32_t i = 0; i < watch->count; i++) {
        for (uint32_t s = 0; s < watch->watched[i].capacity; s++)
            threshold_part_fini(&watch->watched[i].seconds[s].part);
        free(watch->watched[i].seconds);
    }
    threshold_part_fini(&watch->sum);
    free(watch->watched);
    free(watch->reported);
    free(watch);
}

/* ---- windows ---- */

static bool wants_more(const struct threshold *threshold)
{
    bool amount = threshold->unit == UNIT_PER_SECOND || threshold->measure == MEASURE_COUNT;
    return amount && threshold->op != OP_LESS && threshold->op != OP_LESS_EQUAL;
}

/* Whether a tells more of why the threshold should fail than b. */
static bool is_worse(const struct threshold *threshold, const struct threshold_result *a, const struct threshold_result *b)
{
    if (a->pass != b->pass)
        return !a->pass;
    switch (threshold->op) {
    case OP_LESS:
    case OP_LESS_EQUAL:
        return a->actual > b->actual;
    case OP_GREATER:
    case OP_GREATER_EQUAL:
        return a->actual < b->actual;
    default:
        return false;
    }
}

static void judge_window(struct threshold_watch *watch, struct watched *watched, uint64_t from, uint64_t to, uint64_t length_ns)
{
    struct threshold_result result;
    threshold_part_reset(&watch->sum);
    for (uint64_t number = from; number < to; number++) {
        const struct second *second = &watched->seconds[number % watched->capacity];
        if (second->number == number)
            threshold_part_merge(&watch->sum, &second->part);
    }
    threshold_judge_part(watched->threshold, &watch->sum, length_ns, &result);
    if (result.no_data)
        return;
    result.windowed = true;
    result.from_ns = from * NS_PER_S;
    result.to_ns = to * NS_PER_S;
    if (!watched->judged || is_worse(watched->threshold, &result, &watched->worst))
        watched->worst = result;
    watched->judged = true;
}

/* The windows that end with the second `last`. */
static void judge_second(struct threshold_watch *watch, uint64_t last)
{
    for (uint32_t i = 0; i < watch->count; i++) {
        struct watched *watched = &watch->watched[i];
        uint64_t to = last + 1, length_s = watched->threshold->window_s;
        bool behind = watch->length_ns != UINT64_MAX && to > watch->length_ns / NS_PER_S;
        if (!length_s || to < watched->first + length_s || (behind && wants_more(watched->threshold)))
            continue;
        judge_window(watch, watched, to - length_s, to, length_s * NS_PER_S);
    }
}

static void judge_until(struct threshold_watch *watch, uint64_t complete)
{
    while (watch->complete < complete)
        judge_second(watch, watch->complete++);
}

void threshold_watch_add(struct threshold_watch *watch, uint32_t worker, uint64_t second, const struct store *interval)
{
    /* What comes too late for its second counts in the next that is not judged yet: nothing is left out. */
    if (second < watch->complete)
        second = watch->complete;
    if (second >= watch->complete + AHEAD_S)
        judge_until(watch, second - AHEAD_S + 1);
    for (uint32_t i = 0; i < watch->count; i++) {
        struct watched *watched = &watch->watched[i];
        if (!watched->seconds)
            continue;
        struct second *place = &watched->seconds[second % watched->capacity];
        if (place->number != second)
            threshold_part_reset(&place->part);
        place->number = second;
        threshold_gather(watched->threshold, interval, &place->part);
    }
    if (watch->reported[worker] < second + 1)
        watch->reported[worker] = second + 1;
    if (watch->newest < second + 1)
        watch->newest = second + 1;
}

void threshold_watch_over(struct threshold_watch *watch, uint32_t worker)
{
    watch->reported[worker] = UINT64_MAX;
}

/* ---- while it runs, and at the end ---- */

static bool must_abort(const struct threshold_watch *watch, struct watched *watched, const struct store *total)
{
    const struct threshold *threshold = watched->threshold;
    if (!threshold->abort)
        return false;
    if (threshold->window_s == 0) {
        uint64_t passed_ns = watch->complete * NS_PER_S;
        if (passed_ns <= threshold->grace_ns || passed_ns <= watch->warmup_ns)
            return false;
        threshold_judge(threshold, total, passed_ns - watch->warmup_ns, &watched->worst);
        watched->judged = !watched->worst.no_data;
    }
    return watched->judged && !watched->worst.pass;
}

int32_t threshold_watch_judge(struct threshold_watch *watch, const struct store *total, struct threshold_result *ret_result)
{
    uint64_t complete = UINT64_MAX;
    for (uint32_t i = 0; i < watch->workers; i++)
        complete = watch->reported[i] < complete ? watch->reported[i] : complete;
    complete = complete < watch->newest ? complete : watch->newest;
    if (complete <= watch->complete)
        return -1;
    judge_until(watch, complete);
    for (uint32_t i = 0; i < watch->count; i++) {
        struct watched *watched = &watch->watched[i];
        if (watched->aborted || !must_abort(watch, watched, total))
            continue;
        watched->aborted = true;
        watched->worst.aborted = true;
        *ret_result = watched->worst;
        return (int32_t)i;
    }
    return -1;
}

static void finish_windowed(struct threshold_watch *watch, struct watched *watched, uint64_t measured_ns)
{
    /* Shorter than a window: then what there is is the window. */
    if (!watched->judged && watch->newest > watched->first && watch->newest - watched->first < watched->threshold->window_s)
        judge_window(watch, watched, watched->first, watch->newest, measured_ns);
    if (!watched->judged)
        watched->worst = (struct threshold_result){.no_data = true, .pass = watched->threshold->when};
}

void threshold_watch_finish(struct threshold_watch *watch, const struct store *total, uint64_t measured_ns,
                            struct threshold_result *ret_results)
{
    judge_until(watch, watch->newest);
    for (uint32_t i = 0; i < watch->count; i++) {
        struct watched *watched = &watch->watched[i];
        if (watched->threshold->window_s)
            finish_windowed(watch, watched, measured_ns);
        else if (!watched->aborted)
            threshold_judge(watched->threshold, total, measured_ns, &watched->worst);
        watched->worst.aborted = watched->aborted;
        ret_results[i] = watched->worst;
    }
}
