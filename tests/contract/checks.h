/*
 * The laws as checks: a conversation with a peer is driven through a plugin again and again, cut, ended, cancelled and
 * starved in every place, and what the plugin does is compared with what it did before.
 */
#ifndef CONTRACT_CHECKS_H
#define CONTRACT_CHECKS_H
#include "fake_host.h"

/* What a peer says. Before each part a request is made if the connection has room for one; so the first part may also
 * be a greeting that the plugin needs before it announces a capacity. */
struct check_subject {
    const struct protocol *protocol;
    const struct fake_option *target_options, *step_options;
    const struct squall_bytes *parts;
    uint32_t part_count;
    uint32_t wants;
    bool ends; /* the peer ends the connection behind the last part */
};

enum check_split { SPLIT_NOT, SPLIT_BYTES, SPLIT_AT, SPLIT_RANDOM };
enum check_stop { STOP_NEVER, STOP_END, STOP_CANCEL, STOP_BREAK };

/* How it is driven. Positions count the bytes of all parts. */
struct check_plan {
    enum check_split split;
    uint64_t split_at, seed;
    enum check_stop stop;
    uint64_t stop_at;
    bool limited; /* the output takes out_room bytes, then is refused until the plugin has returned */
    uint64_t out_room;
    bool variable; /* no option is constant */
};

/* What came of a drive; free it with check_outcome_fini. */
struct check_outcome {
    char *transcript;
    char *output; /* bytes to the peer, escaped */
    uint64_t output_len;
    uint32_t requests, done, unsent, cancelled, disconnected;
    uint32_t violation_count;
    char violation[200]; /* the first */
    char refusal[600];   /* why the drive could not begin; empty otherwise */
};

void check_drive(const struct check_subject *subject, const struct check_plan *plan, struct check_outcome *outcome);
void check_outcome_fini(struct check_outcome *outcome);

/* A check returns 0, or -1 with what broke and how to see it again. */
struct check {
    const char *name; /* "every split in two gives the same calls" */
    int (*run)(const struct check_subject *subject, struct buffer *failure);
};
extern const struct check checks[];
extern const uint32_t check_count;

/* Runs all; 0, or -1 with the first failure. */
int check_all(const struct check_subject *subject, struct buffer *failure);

#endif
