/*
 * A store as a message: MessagePack, keyed by name, versioned; histograms as runs of (slots skipped, count).
 * Readers ignore keys that they do not know and refuse what does not fit (wrong shape, slot out of range, lengths
 * past the message): a peer on the bus is not trusted.
 */
#ifndef SQUALL_METRICS_SNAPSHOT_H
#define SQUALL_METRICS_SNAPSHOT_H
#include "base/buffer.h"
#include "base/error.h"
#include "metrics/series.h"

struct generator_facts {
    uint64_t cpu_ns, rss_bytes;      /* of the worker so far */
    uint64_t users, connections;     /* now */
    uint64_t users_max, connections_max;
    uint64_t longest_stall_ns;       /* longest time between two turns of the loop beyond what it asked for */
    uint64_t spool_lost;             /* raw records that found no room */
    uint64_t waited_user;            /* arrivals that found no idle user */
    uint64_t waited_connection;      /* exchanges that found no free connection */
    uint64_t ended_at_ns;            /* since the start: the later of the load's end and the last exchange's; now, before */
    uint64_t started_until_ns;       /* since the start: when the last arrival was dealt with */
    uint64_t ports_exhausted, descriptors_exhausted; /* connection attempts that failed with EADDRNOTAVAIL, EMFILE */
    uint64_t reopened;               /* connections that were up again after they had been lost; not those of `new` */
    uint64_t never_up;               /* connections that were tried and not once up; not those of `new` */
    uint64_t syn_retransmits;        /* connection requests that the kernel had to send again */
    uint64_t retransmits;            /* segments that it had to send again on connections that were up */
};

struct snapshot {
    uint32_t worker;
    uint64_t sequence;  /* 0, 1, 2, ... without a gap */
    uint64_t window;    /* seconds since the start of the run that this snapshot covers */
    uint32_t last;      /* 1: the worker has nothing more to say */
    struct generator_facts facts;
    struct store store; /* what happened since the snapshot before, but for the ledgers: those are totals */
};

/* Appends to out. */
int snapshot_pack(const struct snapshot *snapshot, struct buffer *out);
/* ret_snapshot->store must be initialised with the run's shape and is reset first. */
int snapshot_unpack(const uint8_t *data, size_t len, struct snapshot *ret_snapshot, struct error *error);

#endif
