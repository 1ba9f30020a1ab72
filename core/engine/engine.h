/*
 * The engine of one worker: users walk their flows, exchanges find connections, bytes move, results are counted.
 * One thread; everything below runs on it. It knows neither the bus nor the console: who runs it gives it hooks.
 *
 * Life: engine_new -> engine_connect (hook ready) -> [engine_take_value] -> [engine_set_up_users (hook ready)] ->
 * engine_start -> hook finished -> engine_free.
 */
#ifndef SQUALL_ENGINE_ENGINE_H
#define SQUALL_ENGINE_ENGINE_H
#include "engine/loop.h"
#include "metrics/raw.h"
#include "metrics/snapshot.h"
#include "scenario/scenario.h"
#include <string.h>

struct engine;
struct exchange;
struct crossings;
struct tracks;

#define PAGE_TROUBLE_MAX 160
/* One page that the worker writes and the controller reads: what survives a kill -9. */
struct page {
    struct ledger ledgers[BLOCK_COUNT];
    uint64_t heartbeat_ns; /* last turn of the loop; 0: not yet running */
    uint64_t connections, users_busy, journeys_done;
    uint64_t trouble_len; /* of: */
    char trouble[PAGE_TROUBLE_MAX]; /* why the first attempt to connect failed that did; written once, before its length */
};
/* Cells of a page are written by one thread and read by another process. */
static inline void page_set(uint64_t *cell, uint64_t value)
{
    __atomic_store_n(cell, value, __ATOMIC_RELAXED);
}
static inline void page_add(uint64_t *cell, uint64_t more)
{
    page_set(cell, *cell + more);
}
static inline uint64_t page_get(const uint64_t *cell)
{
    return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

static inline void page_tell(struct page *page, const char *text)
{
    size_t len = strnlen(text, PAGE_TROUBLE_MAX);
    if (page->trouble_len || !len)
        return;
    memcpy(page->trouble, text, len);
    __atomic_store_n(&page->trouble_len, len, __ATOMIC_RELEASE);
}
/* What it was told; "" before. */
static inline void page_told(const struct page *page, char text[PAGE_TROUBLE_MAX + 1])
{
    uint64_t len = __atomic_load_n(&page->trouble_len, __ATOMIC_ACQUIRE);
    len = len < PAGE_TROUBLE_MAX ? len : PAGE_TROUBLE_MAX;
    memcpy(text, page->trouble, len);
    text[len] = '\0';
}

struct engine_config {
    const struct scenario *scenario;
    uint32_t worker, workers;
    uint64_t run;                      /* the run's id, of all its workers; not 0 */
    struct page *page;                 /* zeroed */
    const char *raw_path;              /* NULL: no raw log */
    uint32_t single_class;             /* of which class, with single_journey */
    bool single_journey;               /* squall try: one user, one journey, whatever the load says */
    bool asking;                       /* squall check --reflect, with single_journey: one connection to each target that
                                          is to be asked (squall_target.asks), and nobody walks */
    void *arg;                         /* of the hooks */
    /* Connections are up and the run's setup has ended (asking: all targets have answered), and again once the users' setups have; or (error) why not. */
    void (*ready)(void *arg, const char *error);
    /* Load and drain are over; nothing is in flight. */
    void (*finished)(void *arg);
    /* Optional: a second of the run has passed; window: its number, from 0. */
    void (*second)(void *arg, uint64_t window);
    /* Optional, for squall try: bytes as they went over the wire, and each exchange that ended. */
    void (*tap)(void *arg, bool out, const uint8_t *data, size_t len);
    /* With it, plugins tell in words what they send and receive, and the bytes of such connections are not tapped. All of
     * an answer is asked for then, whatever the scenario looks at. conn: tells one connection from another, no more. */
    void (*trace)(void *arg, const void *conn, uint32_t what, const struct squall_bytes *name, const struct squall_bytes *value);
    /* variables: the user's, with what the step has saved. */
    void (*ended)(void *arg, const struct step *step, const struct answer *answer, const char *reason, const bool *passed,
                  const struct value *variables);
    /* A check of a script's own; and why a script's journey ended before its end. */
    void (*checked)(void *arg, const char *name, bool passed);
    void (*script_failed)(void *arg, const char *reason);
};

struct engine *engine_new(const struct engine_config *config, struct error *error);
void engine_free(struct engine *engine);
struct loop *engine_loop(struct engine *engine);

void engine_connect(struct engine *engine);
/* What the error that `ready` was given means for the exit code: a target that was not reached, or a setup that failed. */
enum exit_code engine_ready_code(const struct engine *engine);
/* What the run's setup has set, for users of other workers: calls `fn` for each variable. The value is borrowed. */
void engine_give_values(const struct engine *engine, void (*fn)(void *arg, uint32_t variable, const struct value *value), void *arg);
/* Between `ready` and engine_start: all users of this worker take a copy. A text is at most VARIABLE_TEXT_MAX long. */
void engine_take_value(struct engine *engine, uint32_t variable, const struct value *value);
/* All users walk their setups before the clock starts. The second `ready` says that all have ended, or, within_ns from now,
 * which have not. */
void engine_set_up_users(struct engine *engine, uint64_t within_ns);
/* start_ns: when the load's time 0 is, a little ahead of now. */
void engine_start(struct engine *engine, uint64_t start_ns);
/* No journey starts any more. now false: what is in flight may end within the drain; true: it ends as unfinished. */
void engine_stop(struct engine *engine, bool now);

/* Fills what was measured since the last call and starts a new interval. `snapshot->store` shares its memory with the
 * engine until snapshot_taken. */
void engine_snapshot(struct engine *engine, struct snapshot *ret_snapshot);
void engine_snapshot_taken(struct engine *engine);
/* What was sent to where and who wants what, so far. */
const struct tracks *engine_tracks(const struct engine *engine);
/* Times that began here, or that arrived here and began elsewhere, so far. */
const struct crossings *engine_crossings(const struct engine *engine);

#endif
