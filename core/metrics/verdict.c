/*
 * The verdict: rules over facts, no clock and no I/O. See verdict.h and docs/measurement.md. Each rule is one function
 * that adds at most one reason or one note; a text says what happened, with figures, and what to do.
 */
#include "metrics/verdict.h"
#include "base/clock.h"
#include "base/units.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SELF_DELAY_MIN_NS NS_PER_MS /* below this a delay of ours is nobody's concern */
#define WINDOWS_MIN       2u
#define LATE_MIN          10u  /* fewer are one hiccup of the machine, whatever share of a short run they are */
#define SLOWED            1.25 /* an answer takes so many times as long with the pool full */
#define REOPENED_SHARE 0.8 /* of the exchanges: the first ones on each connection need no other */
#define REOPENED_MIN 20u
#define STALL_NOTED_NS    (100 * NS_PER_MS)

typedef char figure[32];

void verdict_init(struct verdict *verdict)
{
    *verdict = (struct verdict){.trusted = true, .complete = true};
}

static void add_text(char (*texts)[200], uint32_t *count, const char *format, va_list args)
{
    if (*count == VERDICT_TEXTS) {
        snprintf(texts[VERDICT_TEXTS - 1], sizeof(texts[0]), "and more of the kind: only the first %d are listed",
                 VERDICT_TEXTS - 1);
        return;
    }
    vsnprintf(texts[(*count)++], sizeof(texts[0]), format, args);
}

void verdict_incomplete(struct verdict *verdict, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_text(verdict->reasons, &verdict->reason_count, format, args);
    va_end(args);
    verdict->complete = false;
}

void verdict_distrust(struct verdict *verdict, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_text(verdict->reasons, &verdict->reason_count, format, args);
    va_end(args);
    verdict->trusted = false;
}

void verdict_note(struct verdict *verdict, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_text(verdict->notes, &verdict->note_count, format, args);
    va_end(args);
}

void verdict_window(struct verdict *verdict, const struct histogram *self_delay, const struct histogram *latency,
                    uint64_t begun, uint64_t waited)
{
    verdict->windows_loaded += begun > 0;
    verdict->windows_short += begun > 0 && waited > 0 && waited >= (begun + 99) / 100;
    if (self_delay->count == 0)
        return;
    uint64_t limit_ns = histogram_quantile(latency, 0.99) / 4;
    if (limit_ns < SELF_DELAY_MIN_NS)
        limit_ns = SELF_DELAY_MIN_NS;
    uint64_t delay_ns = histogram_quantile(self_delay, 0.99);
    /* What was held up for n seconds was due in each of them, though it all ended in this one. */
    uint64_t seconds = delay_ns > limit_ns ? 1 + delay_ns / NS_PER_S : 1;
    verdict->windows += seconds;
    verdict->windows_late += delay_ns > limit_ns ? seconds : 0;
    verdict->exchanges += self_delay->count;
    verdict->exchanges_late += histogram_count_above(self_delay, limit_ns);
}

bool verdict_late(const struct verdict *verdict)
{
    return verdict->windows_late >= WINDOWS_MIN && verdict->exchanges_late >= LATE_MIN &&
           verdict->exchanges_late >= (verdict->exchanges + 99) / 100;
}

static bool cpu_full(const struct verdict_end *end)
{
    return end->cpu_share > VERDICT_CPU_FULL;
}

static void judge_self_delay(struct verdict *verdict, const struct verdict_end *end)
{
    figure p99;
    if (end->open_load && verdict_late(verdict))
        verdict_distrust(
            verdict,
            "self-delay p99 %s, above 1 ms and 25 %% of latency in %llu of %llu seconds (%.3g %% of exchanges): "
            "use more workers, a lower rate or a less busy machine",
            units_print_duration(p99, sizeof(p99), histogram_quantile(&end->total->self_delay, 0.99)),
            (unsigned long long)verdict->windows_late, (unsigned long long)verdict->windows,
            100 * (double)verdict->exchanges_late / (double)verdict->exchanges);
}

static void judge_rate(struct verdict *verdict, const struct verdict_end *end)
{
    figure asked, reached;
    if (!end->open_load || !(end->rate_reached < end->rate_asked * 0.99))
        return;
    if (!end->users_were_idle || !end->connections_were_idle)
        return;
    verdict_distrust(verdict,
                     "%s/s of the %s/s asked for were started while users and connections were idle: "
                     "use more workers or a lower rate",
                     units_print_count(reached, sizeof(reached), end->rate_reached),
                     units_print_count(asked, sizeof(asked), end->rate_asked));
}

/* Whose fault a full pool is. A service with room to spare takes as long for an answer when the pool is full as when it
 * is nearly empty: then more connections would have given more. One at its limit takes longer the more it has in hand,
 * and what waits for a connection waits for it. Step by step, since what is in flight may be another mixture. */
enum pool_limit { LIMIT_UNKNOWN, LIMIT_POOL, LIMIT_TARGET };

struct slowdown {
    enum pool_limit limit;
    double few_ns, full_ns; /* means; few: as if the full ones' steps had been so mixed */
};

static struct slowdown find_slowdown(const struct store *total)
{
    double expected_ns = 0, full_ns = 0, count = 0;
    for (uint32_t i = 0; i < total->series_count; i++) {
        const struct crowd *few = &total->series[i].few, *full = &total->series[i].full;
        if (few->count == 0 || full->count == 0)
            continue;
        expected_ns += (double)few->ns / (double)few->count * (double)full->count;
        full_ns += (double)full->ns;
        count += (double)full->count;
    }
    if (!(count > 0))
        return (struct slowdown){.limit = LIMIT_UNKNOWN};
    bool slower = full_ns > SLOWED * expected_ns;
    return (struct slowdown){slower ? LIMIT_TARGET : LIMIT_POOL, expected_ns / count, full_ns / count};
}

static void note_target_limit(struct verdict *verdict, const struct verdict_end *end, const struct slowdown *slowdown)
{
    figure few, full, waited;
    units_print_grouped(waited, sizeof(waited), end->facts->waited_connection);
    if (slowdown->limit == LIMIT_UNKNOWN)
        verdict_note(
            verdict,
            "the target did not keep up: %s exchanges waited for a connection behind others that got no answer",
            waited);
    else
        verdict_note(verdict,
                     "the target did not keep up: an answer took %s with few exchanges in flight and %s with the pool "
                     "full; %s waited for a connection",
                     units_print_duration(few, sizeof(few), (uint64_t)slowdown->few_ns),
                     units_print_duration(full, sizeof(full), (uint64_t)slowdown->full_ns), waited);
}

/* A pool of ours that is too small makes the load another one than was asked for. One that a target at its limit fills
 * up does not: a client waits there as it would anywhere. */
static void distrust_pool(struct verdict *verdict, const struct verdict_end *end, bool no_user)
{
    figure users, connections;
    struct slowdown slowdown = find_slowdown(end->total);
    units_print_grouped(users, sizeof(users), end->facts->waited_user);
    units_print_grouped(connections, sizeof(connections), end->facts->waited_connection);
    if (end->facts->waited_connection > 0 && slowdown.limit != LIMIT_POOL && verdict_late(verdict))
        return; /* a generator that is late itself cannot say what made answers late */
    else if (end->facts->waited_connection > 0 && slowdown.limit != LIMIT_POOL)
        note_target_limit(verdict, end, &slowdown);
    else if (no_user)
        verdict_distrust(
            verdict, "%s arrivals found no idle user in a pool that squall chose: set the number of users (-u)", users);
    else
        verdict_distrust(
            verdict,
            "%s exchanges found no free connection in a pool that squall chose: set the number of connections (-c)",
            connections);
}

/* A user is always there for 10 s of arrivals by default, so one that is missing counts. Connections are few: clumps of
 * arrivals, or a service that stalls, make some wait for one at times, and that wait is in the latency. Only where 1 %
 * of the exchanges waited in most of the seconds in which any began is it the pool that limits the load. */
static void judge_pools(struct verdict *verdict, const struct verdict_end *end)
{
    figure users, connections;
    bool no_user = end->facts->waited_user > 0;
    bool no_connection = verdict->windows_short * 2 > verdict->windows_loaded;
    if (!end->open_load || (!no_user && end->facts->waited_connection == 0))
        return;
    units_print_grouped(users, sizeof(users), end->facts->waited_user);
    units_print_grouped(connections, sizeof(connections), end->facts->waited_connection);
    bool busy = end->cpu_full_seconds * 2 > verdict->windows_loaded; /* then who waited, waited for us */
    if (busy && (no_user || no_connection))
        verdict_distrust(verdict,
                         "%s arrivals waited for a user and %s exchanges for a connection while a worker used all of a "
                         "core: use more workers or a lower rate",
                         users, connections);
    else if (end->pool_set_by_operator && (no_user || verdict->windows_short))
        verdict_note(verdict,
                     "a limit that you set was reached: %s arrivals waited for a user, %s exchanges for a connection",
                     users, connections);
    else if (!end->pool_set_by_operator && (no_user || no_connection))
        distrust_pool(verdict, end, no_user);
    else if (verdict->windows_short)
        verdict_note(
            verdict, "%s exchanges waited for a connection, in %llu of %llu seconds; their latency includes it",
            connections, (unsigned long long)verdict->windows_short, (unsigned long long)verdict->windows_loaded);
}

static void judge_resources(struct verdict *verdict, const struct verdict_end *end)
{
    figure count;
    if (end->facts->ports_exhausted)
        verdict_distrust(verdict,
                         "%s connections failed because this machine ran out of local ports: keep connections open "
                         "longer or widen ip_local_port_range",
                         units_print_grouped(count, sizeof(count), end->facts->ports_exhausted));
    if (end->facts->descriptors_exhausted)
        verdict_distrust(verdict,
                         "%s connections failed because squall ran out of file descriptors: raise the limit (ulimit "
                         "-n) or use fewer connections",
                         units_print_grouped(count, sizeof(count), end->facts->descriptors_exhausted));
}

static void judge_queues(struct verdict *verdict, const struct verdict_end *end)
{
    figure count;
    uint64_t dropped = 0;
    for (int i = 0; i < BLOCK_COUNT; i++)
        dropped += end->total->ledgers[i].dropped;
    if (dropped)
        verdict_distrust(
            verdict,
            "%s arrivals were dropped because the queue of waiting ones was full: use more users or a lower rate",
            units_print_grouped(count, sizeof(count), dropped));
    if (end->facts->spool_lost)
        verdict_distrust(verdict,
                         "%s exchanges are missing in the raw log because the disk was full or did not keep up: write "
                         "it to another disk or lower the rate",
                         units_print_grouped(count, sizeof(count), end->facts->spool_lost));
}

/* Closed load always runs one side into a wall; which one is worth knowing, and nobody's fault. */
static void note_wall(struct verdict *verdict, const struct verdict_end *end)
{
    figure p99;
    if (end->open_load || verdict->exchanges == 0 || end->cpu_share <= 0) /* too short to know the CPU's share */
        return;
    units_print_duration(p99, sizeof(p99), histogram_quantile(&end->total->self_delay, 0.99));
    if (verdict_late(verdict) || cpu_full(end))
        verdict_note(verdict,
                     "throughput limited by the generator (busiest worker %.0f %% CPU, self-delay p99 %s): more "
                     "workers may reach more",
                     100 * end->cpu_share, p99);
    else
        verdict_note(verdict,
                     "throughput limited by the target and by the number of users (busiest worker %.0f %% CPU, "
                     "self-delay p99 %s)",
                     100 * end->cpu_share, p99);
}

static void note_generator(struct verdict *verdict, const struct verdict_end *end)
{
    figure stall;
    if (end->open_load && cpu_full(end))
        verdict_note(verdict,
                     "the busiest worker used %.0f %% of a core: there is little room for more load; use more workers",
                     100 * end->cpu_share);
    if (end->facts->longest_stall_ns > STALL_NOTED_NS)
        verdict_note(verdict, "a worker stood still for %s once: the machine was busy with something else, or swapped",
                     units_print_duration(stall, sizeof(stall), end->facts->longest_stall_ns));
}

/* A session of a device is one of few exchanges: half the fleet may be missing and hardly an exchange have failed. */
static void note_never_up(struct verdict *verdict, const struct verdict_end *end)
{
    figure missing, most;
    if (end->facts->never_up)
        verdict_note(verdict, "connections that never came up: %s; up at once were at most %s; the errors say why",
                     units_print_grouped(missing, sizeof(missing), end->facts->never_up),
                     units_print_grouped(most, sizeof(most), end->facts->connections_max));
}

/* The network's part in the numbers: neither ours nor the service's. */
static void note_network(struct verdict *verdict, const struct verdict_end *end)
{
    figure count;
    if (end->facts->syn_retransmits)
        verdict_note(verdict,
                     "%s connection requests were sent again, 1 s later or more: the server's backlog was full, or "
                     "packets were lost",
                     units_print_grouped(count, sizeof(count), end->facts->syn_retransmits));
    if (end->facts->retransmits)
        verdict_note(verdict,
                     "segments sent again: %s; packets were lost on the way, and latency includes the wait",
                     units_print_grouped(count, sizeof(count), end->facts->retransmits));
}

/* A new connection for each answer is another load than a kept one; here it is the server that wants it so. Where the
 * answer timed out or was malformed, it may have been us who closed. */
static void note_reopened(struct verdict *verdict, const struct verdict_end *end)
{
    figure reopened, exchanges;
    uint64_t ended = 0, ours = 0;
    for (int i = 0; i < BLOCK_COUNT; i++) {
        const struct ledger *ledger = &end->total->ledgers[i];
        ended += ledger_ended(ledger);
        ours += ledger->outcomes[OUTCOME_TIMED_OUT] + ledger->outcomes[OUTCOME_MALFORMED];
    }
    uint64_t theirs = end->facts->reopened > ours ? end->facts->reopened - ours : 0;
    if (ended < REOPENED_MIN || (double)theirs < REOPENED_SHARE * (double)ended)
        return;
    verdict_note(verdict, "connections were opened again %s times in %s exchanges: the server closes them after nearly every one (no keep-alive), and the time that takes is in the numbers",
                 units_print_grouped(reopened, sizeof(reopened), theirs),
                 units_print_grouped(exchanges, sizeof(exchanges), ended));
}

void verdict_finish(struct verdict *verdict, const struct verdict_end *end)
{
    judge_self_delay(verdict, end);
    judge_rate(verdict, end);
    judge_pools(verdict, end);
    judge_resources(verdict, end);
    judge_queues(verdict, end);
    note_wall(verdict, end);
    note_generator(verdict, end);
    note_never_up(verdict, end);
    note_network(verdict, end);
    note_reopened(verdict, end);
}
