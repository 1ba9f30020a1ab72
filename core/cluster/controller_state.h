/*
 * What a controller holds, for controller.c, which drives the run, and judge.c, which makes the result of it.
 */
#ifndef SQUALL_CLUSTER_CONTROLLER_STATE_H
#define SQUALL_CLUSTER_CONTROLLER_STATE_H
#include "cluster/controller.h"
#include "cluster/life.h"
#include "cluster/spawn.h"
#include "cluster/windows.h"
#include "engine/timers.h"
#include "metrics/threshold_watch.h"
#include "metrics/crossings.h"
#include "metrics/tracks.h"

#define WORKERS_MAX 64

enum phase_of_run {
    RUN_CONNECTING, /* until every worker has passed every barrier, or one says that it cannot */
    RUN_GOING,      /* until every worker has sent its last snapshot or is lost */
    RUN_OVER,
};

/* What all workers must have said "ready" to before any may go on. */
enum barrier {
    BARRIER_NONE,
    BARRIER_CONNECTED, /* connections are up, the run's setup has been walked */
    BARRIER_SET_UP,    /* every user's setup has ended (ready-before-load) */
};

struct worker_state {
    struct child child;
    struct life life;
    enum barrier ready; /* the last that it has said ready to */
    bool last, lost;
    uint64_t sequence; /* of the snapshot that must come next */
    struct generator_facts facts;
    uint64_t cpu_ns_before, cpu_at_ns, cpu_full_seconds;
    uint64_t begun; /* measured exchanges so far */
};

struct controller {
    const struct controller_options *options;
    const struct scenario *scenario;
    struct result *result;
    struct loop *loop;
    struct bus *bus;
    struct timers timers;
    struct timer tick, hurry;
    struct worker_state workers[WORKERS_MAX];
    uint32_t worker_count;
    enum phase_of_run phase;
    enum barrier barrier; /* that is waited at */
    bool values_put;      /* by the run's setup */
    uint64_t began_ns, start_ns, ended_ns;
    uint32_t interrupts;
    uint64_t lost_ns;      /* when the first worker was lost after the start; 0: none was */
    uint32_t lost_number;  /* which it was */
    bool told_now; /* workers have been told to stop at once */
    struct snapshot snapshot; /* scratch for unpacking */
    struct windows windows;
    struct threshold_watch *watch;
    struct tracks tracks;       /* of all workers that have ended */
    struct crossings crossings; /* and theirs */
    struct error failure; /* text set: the run cannot go on */
    uint64_t ended_before, shown_ns, ticks, ticked_ns;
    double cpu_share, rate_per_s;
};

/* judge.c */

/* The workers' counts, lost workers' too; progress may be NULL. */
void controller_sum_pages(const struct controller *controller, struct ledger *ret_ledgers, struct progress *progress);
/* Once the run is over: counts, facts, verdict, thresholds, exit code. */
void controller_fill_result(struct controller *controller);
/* Nothing was measured, and that is a result too: reports say why. */
void controller_fill_not_started(struct controller *controller, const struct error *error);

#endif
