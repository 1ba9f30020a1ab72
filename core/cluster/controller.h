/*
 * The controller: starts workers, gives them one start, merges what they report once a second, notices the ones that
 * die or fall silent, and judges the run.
 */
#ifndef SQUALL_CLUSTER_CONTROLLER_H
#define SQUALL_CLUSTER_CONTROLLER_H
#include "cluster/plan.h"
#include "metrics/result.h"

struct controller_options {
    const struct scenario *scenario;
    struct plan *plan;    /* workers 0: as many as the load can use */
    enum trust trust;
    uint64_t stall_limit_ns; /* for a worker that shows no life: see life.h */
    /* Once a second and at each change of phase. */
    void (*progress)(void *arg, const struct progress *progress);
    void *arg;
};

/* Runs to the end. 0 with the result filled (store initialised, to be freed by result_fini), or -1 when the
 * run could not be made: error->exit_code says why. A target that was never reached, or a worker lost before
 * the start, is a result: its exit code says so. */
int controller_run(const struct controller_options *options, struct result *ret_result, struct error *error);
void result_fini(struct result *result);

#endif
