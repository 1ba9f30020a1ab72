/* Whether the tool trusts its own numbers (docs/measurement.md, "The verdict"). Pure: fed once a second, asked at the end. */
#ifndef SQUALL_METRICS_VERDICT_H
#define SQUALL_METRICS_VERDICT_H
#include "metrics/series.h"
#include "metrics/snapshot.h"
#include <stdbool.h>

enum trust { TRUST_STRICT, TRUST_WARN, TRUST_OFF };

#define VERDICT_TEXTS 16
#define VERDICT_CPU_FULL 0.9 /* of a core */
struct verdict {
    bool trusted, complete;
    uint32_t reason_count, note_count;
    char reasons[VERDICT_TEXTS][200]; /* why not trusted, or not complete */
    char notes[VERDICT_TEXTS][200];   /* what limited the run; what to know about the generator */
    /* state between windows */
    uint64_t windows, windows_late, exchanges, exchanges_late;
    uint64_t windows_loaded, windows_short; /* in which exchanges began; in which the pool was too full for 1 % of them */
};

void verdict_init(struct verdict *verdict);
/* One window of a second, all workers merged: measured block. begun: exchanges that began in it; waited: of those, the ones
 * that found no free connection. */
void verdict_window(struct verdict *verdict, const struct histogram *self_delay, const struct histogram *latency, uint64_t begun,
                    uint64_t waited);
/* As verdict_window would say of the windows so far: for the live console. */
bool verdict_late(const struct verdict *verdict);

struct verdict_end {
    bool open_load;             /* some stage has a rate */
    double rate_asked, rate_reached; /* journeys a second over the load's length; asked 0: closed */
    bool users_were_idle, connections_were_idle; /* throughout: nobody waited for one */
    bool pool_set_by_operator;
    const struct generator_facts *facts; /* summed over workers */
    double cpu_share;           /* of the busiest worker, 0..1, in its busiest second */
    uint64_t cpu_full_seconds;  /* of the worker that had most of them: in which it used more than 90 % of a core */
    const struct store *total;
};
void verdict_finish(struct verdict *verdict, const struct verdict_end *end);
/* Adds a reason and clears `complete` (lost worker, lost snapshot) or adds a note. */
void verdict_incomplete(struct verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));
void verdict_distrust(struct verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));
void verdict_note(struct verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
