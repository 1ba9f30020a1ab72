/*
 * The result of a run: what the controller hands to every report. Plain data; the store is merged over all workers
 * and windows.
 */
#ifndef SQUALL_METRICS_RESULT_H
#define SQUALL_METRICS_RESULT_H
#include "base/exit_code.h"
#include "metrics/tracks.h"
#include "metrics/verdict.h"
#include "scenario/scenario.h"

struct result {
    const struct scenario *scenario;
    char started_at[32];
    uint64_t duration_ns;      /* from the start of the load to the end of the drain */
    uint64_t measured_ns;      /* the measured part of the load's time: what rates divide by */
    struct store store;
    struct verdict verdict;
    struct threshold_result *thresholds; /* as scenario->thresholds */
    uint32_t workers, workers_lost;
    struct generator_facts facts;        /* counts summed, maxima added up over workers */
    uint64_t cpu_ns;
    bool interrupted;
    char aborted_text[300];              /* the threshold that ended the run, "" where none did */
    char all_failed_text[200];           /* nothing was ok, and no threshold was there to say so; "" otherwise */
    bool unreachable;                    /* exit 3 */
    char unreachable_text[1200]; /* as long as an error text */
    enum exit_code exit_code;
};

/* The state of a run once a second, for whoever shows it live. */
struct progress {
    const struct scenario *scenario;
    uint64_t elapsed_ns;       /* since the start of the load; may pass its length while draining */
    bool connecting;           /* before the start */
    char trouble[161];         /* connecting: why the first attempt failed that did; "": none has */
    bool setting_up;           /* and connected: users walk their setups, `users_busy` of them still */
    bool draining;
    bool stopping;             /* interrupted once: what is under way may end */
    uint64_t connections, users_busy, in_flight;
    double rate_per_s, rate_asked_per_s; /* exchanges ended in the last second; journeys asked, 0 closed */
    uint64_t ended, failed;    /* so far, measured and warm-up */
    uint64_t journeys_done;
    uint64_t p50_ns, p99_ns;   /* of the last second */
    uint64_t window_count;     /* exchanges of the last second */
    bool late;                 /* the verdict's state */
    uint32_t workers, workers_lost;
};

#endif
