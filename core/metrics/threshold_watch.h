/*
 * Thresholds while a run goes on: windows of whole seconds ("over any 10s"), and those that end the run (`abort`).
 *
 * Each windowed threshold keeps a part of each second of its window and a few more, for workers that are a little ahead of
 * others: memory is bounded by the windows' lengths. Each window's figures are taken from its merged parts. Pure: fed with
 * what workers report, no clock.
 */
#ifndef SQUALL_METRICS_THRESHOLD_WATCH_H
#define SQUALL_METRICS_THRESHOLD_WATCH_H
#include "metrics/threshold.h"

struct threshold_watch;

/* thresholds: borrowed. warmup_ns: windows begin behind it. length_ns: of the load; where more is wanted, a window that goes
 * on behind it says nothing. */
struct threshold_watch *threshold_watch_new(const struct threshold *thresholds, uint32_t count, uint32_t workers,
                                            uint64_t warmup_ns, uint64_t length_ns);
void threshold_watch_free(struct threshold_watch *watch); /* takes NULL */
/* What a worker measured in a second of the run, from 0. */
void threshold_watch_add(struct threshold_watch *watch, uint32_t worker, uint64_t second, const struct store *interval);
/* No more comes from a worker. */
void threshold_watch_over(struct threshold_watch *watch, uint32_t worker);
/* Judges the seconds that every worker has reported. `total`: all of the run so far. The index of a threshold that says that
 * the run must end, with its result; -1: none. */
int32_t threshold_watch_judge(struct threshold_watch *watch, const struct store *total, struct threshold_result *ret_result);
/* At the end: every threshold's result. */
void threshold_watch_finish(struct threshold_watch *watch, const struct store *total, uint64_t measured_ns,
                            struct threshold_result *ret_results);

#endif
