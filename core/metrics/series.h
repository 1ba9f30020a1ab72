/*
 * What is counted: one series a step, one ledger a block. A worker fills an interval store and empties it into
 * a snapshot each second; the controller merges snapshots into a store of its own that is never emptied.
 */
#ifndef SQUALL_METRICS_SERIES_H
#define SQUALL_METRICS_SERIES_H
#include "metrics/histogram.h"
#include <stdbool.h>
#include <stddef.h>

/* How exchanges end. One row each: enum name, JSON key, console word. The first four have the values of squall_outcome. */
#define OUTCOMES(row)                                    \
    row(OK, "ok", "ok")                                  \
    row(REJECTED, "rejected", "rejected")                \
    row(MALFORMED, "malformed", "malformed")             \
    row(UNSENT, "unsent", "unsent")                      \
    row(TIMED_OUT, "timed_out", "timed out")             \
    row(UNREACHABLE, "unreachable", "unreachable")       \
    row(DISCONNECTED, "disconnected", "disconnected")    \
    row(UNFINISHED, "unfinished", "unfinished")

enum outcome {
#define OUTCOME_ROW(name, key, word) OUTCOME_##name,
    OUTCOMES(OUTCOME_ROW)
#undef OUTCOME_ROW
        OUTCOME_COUNT
};
const char *outcome_key(enum outcome outcome);
const char *outcome_word(enum outcome outcome);

/* Each exchange and each journey belongs to the block of its intended time. */
enum block { BLOCK_WARMUP, BLOCK_MEASURED, BLOCK_COUNT };

/*
 * Counts of one block. Identities, asserted at the end of every run:
 *   begun = the sum of outcomes;   due = completed + failed + dropped + unfinished.
 * A ledger of two blocks is also what a worker's page shows: 64-bit cells that one thread writes and another
 * process reads.
 */
struct ledger {
    uint64_t due, completed, failed, dropped, journeys_unfinished;
    uint64_t begun, outcomes[OUTCOME_COUNT];
    uint64_t bytes_in, bytes_out;
};

#define LEDGER_CELLS (sizeof(struct ledger) / sizeof(uint64_t))

enum phase { PHASE_DNS, PHASE_CONNECT, PHASE_TLS, PHASE_WAIT, PHASE_FIRST_BYTE, PHASE_COUNT };
const char *phase_key(enum phase phase); /* "dns", "connect", ... */

struct code_count {
    uint32_t code;
    uint64_t count;
};
#define SERIES_CODES_MAX 64 /* distinct codes a step; further ones count under code UINT32_MAX */

/* One of a plugin's metrics at one step; counters use `counter`, histograms `histogram`. */
struct metric_store {
    uint64_t counter;
    struct histogram histogram;
};

/* Whether a step has exchanged messages of streams. */
struct series;
bool series_has_messages(const struct series *series);

/* Exchanges that met their pool in some state, warm-up too, and how long the service had them: from the hand-over to the end,
 * without the delay of ours behind it. */
struct crowd {
    uint64_t count, ns;
};

/* One step, measured block only (warm-up is counted in its ledger). Latency of ok and of failed exchanges is
 * kept apart; `latency` in every output is their sum. */
struct series {
    uint64_t count, outcomes[OUTCOME_COUNT], bytes_in, bytes_out;
    struct code_count codes[SERIES_CODES_MAX];
    uint32_t code_count;
    struct histogram latency_ok, latency_failed; /* both with an end, and lower bounds below */
    uint64_t lower_bounds, lower_bound_min_ns;   /* timed out and unfinished; they stand in latency_failed too;
                                                  UINT64_MAX: none */
    struct histogram service;                    /* done - sent, where both are known */
    struct histogram phases[PHASE_COUNT];
    struct crowd few, full; /* pooled connections: at most a quarter of the pool's places were taken; all were, and it waited */
    /* Messages of streams. Unanswered ones, of streams that ended first, stand in message_latency with the time that
     * they had waited: lower bounds. */
    uint64_t messages_sent, messages_received, messages_answered, messages_unanswered;
    struct histogram message_latency, message_service; /* from due, and from sent, to answered */
    struct histogram message_first; /* from an exchange's intended time to its answer's first message */
    struct histogram message_gap;   /* between messages of one answer */
    struct metric_store *metrics; /* metric_count of them, as the step's plugin declares */
    uint32_t metric_count;
};

struct check_count {
    uint64_t passed, failed;
};

/* A transaction: a span over several steps of a journey, measured block only. */
struct transaction_count {
    uint64_t count, failed; /* failed: with an exchange in it that was not ok */
    struct histogram duration_ns;
};

/* A text of the run's error list. */
#define ERRORS_MAX 64
struct error_entry {
    char text[200];
    uint64_t count, first_at_ns, last_at_ns; /* since the start of the run */
};

/* What the receivers of a series got of what they were owed. */
struct deliveries {
    uint64_t delivered, expected;
    bool wanted;  /* the series has receivers */
    bool unknown; /* and nobody can say how many messages they should have */
};
/* What was sent and not acknowledged is not expected, and may have come all the same. */
static inline uint64_t undelivered(const struct deliveries *deliveries)
{
    return deliveries->expected > deliveries->delivered ? deliveries->expected - deliveries->delivered : 0;
}

/* All that is measured. The shape (counts of series and checks) is fixed when the store is made. */
struct store {
    struct ledger ledgers[BLOCK_COUNT];
    struct series *series;
    uint32_t series_count;
    struct check_count *checks;
    uint32_t check_count;
    struct transaction_count *transactions;
    uint32_t transaction_count;
    struct histogram journey_ns;
    struct histogram self_delay, send_lag, receive_lag;
    struct error_entry errors[ERRORS_MAX];
    uint32_t error_count;
    uint64_t errors_more; /* that found no room in errors */
    uint64_t skipped_ticks;
    struct deliveries *deliveries; /* as series, allocated; NULL until the run is over, as they take all workers to tell */
};

/* metric_counts[i]: how many metrics series i has. */
void store_init(struct store *store, uint32_t series_count, const uint32_t *metric_counts, uint32_t check_count);
/* Right after store_init, for a scenario that has transactions. */
void store_init_transactions(struct store *store, uint32_t transaction_count);
void store_fini(struct store *store);
/* Neither touches the ledgers: they are totals of a worker, so they neither start anew each second nor add up over
 * its snapshots. Whoever joins workers uses ledger_add on the last ledgers of each. */
void store_reset(struct store *store);
void store_merge(struct store *into, const struct store *from);
void store_error(struct store *store, const char *text, uint64_t count, uint64_t first_at_ns, uint64_t last_at_ns);
void series_code(struct series *series, uint32_t code, uint64_t n);
/* latency_ok + latency_failed into an initialised, empty histogram. */
void series_latency(const struct series *series, struct histogram *ret_latency);

/* One series by itself, as whoever adds up several needs it: empty, and to be freed by series_fini. */
void series_init(struct series *series, uint32_t metric_count);
void series_fini(struct series *series);
/* Adds counts and histograms; of metrics as many as both have. */
void series_merge(struct series *into, const struct series *from);

void ledger_add(struct ledger *into, const struct ledger *from);
uint64_t ledger_ended(const struct ledger *ledger);          /* sum of outcomes */
uint64_t ledger_failed(const struct ledger *ledger);         /* all but ok */
/* 0, or -1 with the identity that does not hold named in text. */
int ledger_verify(const struct ledger *ledger, char *text, size_t size);

#endif
