/* Driving conversations and judging them. See checks.h. */
#include "checks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_MAX   1500 /* cut, ended or cancelled at; longer conversations are tried at evenly spread places */
#define RANDOM_TRIES 40
#define PIECE_MAX    40 /* bytes of a random piece */

/* splitmix64: the tests must not depend on what they test. */
static uint64_t mix(uint64_t *state)
{
    uint64_t mixed = *state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

static uint64_t total_len(const struct check_subject *subject)
{
    uint64_t len = 0;
    for (uint32_t i = 0; i < subject->part_count; i++)
        len += subject->parts[i].len;
    return len;
}

/* ---- one drive ---- */

/* How many of the `left` bytes at `at` come in one read. */
static uint64_t piece_len(const struct check_plan *plan, uint64_t *random, uint64_t at, uint64_t left)
{
    uint64_t len = left;
    if (plan->split == SPLIT_BYTES)
        len = 1;
    else if (plan->split == SPLIT_AT && plan->split_at > at)
        len = plan->split_at - at;
    else if (plan->split == SPLIT_RANDOM)
        len = 1 + mix(random) % PIECE_MAX;
    if (plan->stop != STOP_NEVER && plan->stop_at > at && plan->stop_at - at < len)
        len = plan->stop_at - at;
    return len < left ? len : left;
}

static void stop(struct fake_conn *conn, enum check_stop how)
{
    if (how == STOP_END)
        fake_conn_end_of_input(conn);
    else if (how == STOP_BREAK)
        fake_conn_drop(conn);
    else
        fake_conn_cancel_all(conn);
}

static void feed_part(struct fake_conn *conn, const struct check_plan *plan, struct squall_bytes part, uint64_t *at,
                      uint64_t *random)
{
    uint64_t used = 0;
    while (used < part.len) {
        if (plan->stop != STOP_NEVER && plan->stop_at == *at)
            stop(conn, plan->stop);
        uint64_t len = piece_len(plan, random, *at, part.len - used);
        fake_conn_feed(conn, part.data + used, len);
        used += len;
        *at += len;
    }
}

static void converse(struct fake_conn *conn, const struct fake_step *step, const struct check_subject *subject,
                     const struct check_plan *plan)
{
    uint64_t at = 0, random = plan->seed;
    for (uint32_t i = 0; i < subject->part_count && conn->connected; i++) {
        if (fake_conn_free_for_request(conn)) {
            if (plan->limited)
                conn->out_room = plan->out_room;
            fake_conn_request(conn, step, subject->wants);
            fake_conn_make_room(conn, UINT64_MAX);
            fake_host_run_posts(conn->host);
        }
        feed_part(conn, plan, subject->parts[i], &at, &random);
    }
    if (plan->stop != STOP_NEVER && plan->stop_at >= at)
        stop(conn, plan->stop);
    if (subject->ends)
        fake_conn_end_of_input(conn);
}

static void count_ends(const struct fake_conn *conn, struct check_outcome *outcome)
{
    for (const struct fake_exchange *exchange = conn->exchanges; exchange; exchange = exchange->next) {
        outcome->requests++;
        outcome->done += exchange->end == FAKE_DONE;
        outcome->unsent += exchange->end == FAKE_DONE && exchange->result.outcome == SQUALL_UNSENT;
        outcome->cancelled += exchange->end == FAKE_CANCELLED;
        outcome->disconnected += exchange->end == FAKE_DISCONNECTED;
    }
}

static char *copy_bytes(const struct buffer *buffer)
{
    char *copy = xcalloc(1, buffer->len + 1);
    if (buffer->len)
        memcpy(copy, buffer->data, buffer->len);
    return copy;
}

void check_drive(const struct check_subject *subject, const struct check_plan *plan, struct check_outcome *outcome)
{
    struct error error = {0};
    memset(outcome, 0, sizeof *outcome);
    struct fake_host *host = fake_host_new(subject->protocol, subject->target_options, &error);
    struct fake_step *step = host ? fake_host_step(host, subject->step_options, plan->variable, &error) : NULL;
    if (!step) {
        snprintf(outcome->refusal, sizeof outcome->refusal, "%.*s", (int)sizeof outcome->refusal - 1, error.text);
        outcome->transcript = xcalloc(1, 1);
        outcome->output = xcalloc(1, 1);
    } else {
        struct fake_conn *conn = fake_conn_new(host, true);
        converse(conn, step, subject, plan);
        outcome->transcript = strcpy(xmalloc(strlen(fake_conn_transcript(conn)) + 1), fake_conn_transcript(conn));
        outcome->output = copy_bytes(&conn->out);
        outcome->output_len = conn->out.len;
        fake_conn_cancel_all(conn);
        fake_conn_drop(conn);
        count_ends(conn, outcome);
    }
    if (!host)
        return;
    fake_host_stop(host);
    outcome->violation_count = host->violation_count;
    snprintf(outcome->violation, sizeof outcome->violation, "%s", host->violations[0]);
    fake_host_free(host);
}

void check_outcome_fini(struct check_outcome *outcome)
{
    free(outcome->transcript);
    free(outcome->output);
}

/* ---- judging ---- */

/* The line in which two transcripts part. */
static void print_difference(struct buffer *failure, const char *expected, const char *found)
{
    while (*expected && *found) {
        size_t a = strcspn(expected, "\n"), b = strcspn(found, "\n");
        if (a != b || memcmp(expected, found, a) != 0)
            break;
        expected += a + (expected[a] != '\0');
        found += b + (found[b] != '\0');
    }
    buffer_printf(failure, "    expected: %.*s\n    found:    %.*s\n", (int)strcspn(expected, "\n"), expected,
                  (int)strcspn(found, "\n"), found);
}

static void print_plan(struct buffer *failure, const struct check_plan *plan)
{
    static const char *const splits[] = {"in one piece", "byte by byte", "in two pieces", "in random pieces"};
    static const char *const stops[] = {"", "peer's end", "cancel", "connection broken"};
    buffer_printf(failure, "  input %s", splits[plan->split]);
    if (plan->split == SPLIT_AT)
        buffer_printf(failure, ", cut at byte %llu", (unsigned long long)plan->split_at);
    if (plan->split == SPLIT_RANDOM)
        buffer_printf(failure, ", seed %llu", (unsigned long long)plan->seed);
    if (plan->stop)
        buffer_printf(failure, ", %s at byte %llu", stops[plan->stop], (unsigned long long)plan->stop_at);
    if (plan->limited)
        buffer_printf(failure, ", output refused after %llu bytes", (unsigned long long)plan->out_room);
    if (plan->variable)
        buffer_printf(failure, ", options variable");
    buffer_printf(failure, "\n");
}

/* Drives and applies what holds for every drive. -1 with the failure; the outcome is to be freed either way. */
static int drive(const struct check_subject *subject, const struct check_plan *plan, struct check_outcome *outcome,
                 struct buffer *failure)
{
    check_drive(subject, plan, outcome);
    if (outcome->refusal[0])
        buffer_printf(failure, "  the plugin refused to start: %s\n", outcome->refusal);
    else if (outcome->violation_count)
        buffer_printf(failure, "  %s (%u in all)\n", outcome->violation, outcome->violation_count);
    else if (outcome->done + outcome->cancelled + outcome->disconnected != outcome->requests)
        buffer_printf(failure, "  law 7: %u requests ended %u times\n", outcome->requests,
                      outcome->done + outcome->cancelled + outcome->disconnected);
    else
        return 0;
    print_plan(failure, plan);
    return -1;
}

/* The drive must have the given transcript. */
static int drive_same(const struct check_subject *subject, const struct check_plan *plan, const char *expected,
                      const char *law, struct buffer *failure)
{
    struct check_outcome outcome;
    int status = drive(subject, plan, &outcome, failure);
    if (status == 0 && strcmp(outcome.transcript, expected) != 0) {
        buffer_printf(failure, "  %s\n", law);
        print_plan(failure, plan);
        print_difference(failure, expected, outcome.transcript);
        status = -1;
    }
    check_outcome_fini(&outcome);
    return status;
}

static uint64_t step_over(uint64_t len)
{
    return len / PLACES_MAX + 1;
}

/* ---- the checks ---- */

static const char law_6[] = "law 6: another split of the same bytes led to other calls";

static int check_splits(const struct check_subject *subject, struct buffer *failure)
{
    struct check_outcome whole;
    struct check_plan plan = {.split = SPLIT_NOT};
    int status = drive(subject, &plan, &whole, failure);
    uint64_t len = total_len(subject);
    plan.split = SPLIT_BYTES;
    if (status == 0)
        status = drive_same(subject, &plan, whole.transcript, law_6, failure);
    plan.split = SPLIT_AT;
    for (plan.split_at = 1; status == 0 && plan.split_at < len; plan.split_at += step_over(len))
        status = drive_same(subject, &plan, whole.transcript, law_6, failure);
    plan.split = SPLIT_RANDOM;
    for (plan.seed = 1; status == 0 && plan.seed <= RANDOM_TRIES; plan.seed++)
        status = drive_same(subject, &plan, whole.transcript, law_6, failure);
    check_outcome_fini(&whole);
    return status;
}

static bool refused(const struct check_subject *subject, const struct check_plan *plan)
{
    struct check_outcome outcome;
    check_drive(subject, plan, &outcome);
    bool refusal = outcome.refusal[0] != '\0';
    check_outcome_fini(&outcome);
    return refusal;
}

static int check_repeat(const struct check_subject *subject, struct buffer *failure)
{
    struct check_outcome first;
    const struct check_plan plan = {.split = SPLIT_NOT};
    const struct check_plan variable = {.split = SPLIT_NOT, .variable = true};
    int status = drive(subject, &plan, &first, failure);
    if (status == 0)
        status = drive_same(subject, &plan, first.transcript,
                            "the same input led to other calls the second time; is there a static variable?", failure);
    /* A plugin may want some options constant; it then says so in step_init. */
    if (status == 0 && !refused(subject, &variable))
        status = drive_same(subject, &variable, first.transcript,
                            "options that vary led to other calls than the same ones as constants", failure);
    check_outcome_fini(&first);
    return status;
}

/* A stop at every byte, with the input byte by byte and in large pieces. */
static int stop_everywhere(const struct check_subject *subject, enum check_stop stop, struct buffer *failure)
{
    uint64_t len = total_len(subject);
    struct check_plan plan = {.stop = stop};
    int status = 0;
    for (plan.stop_at = 0; status == 0 && plan.stop_at <= len; plan.stop_at += step_over(len)) {
        struct check_outcome whole;
        plan.split = SPLIT_NOT;
        status = drive(subject, &plan, &whole, failure);
        plan.split = SPLIT_RANDOM;
        plan.seed = plan.stop_at;
        if (status == 0)
            status = drive_same(subject, &plan, whole.transcript, law_6, failure);
        check_outcome_fini(&whole);
    }
    return status;
}

static int check_end(const struct check_subject *subject, struct buffer *failure)
{
    return stop_everywhere(subject, STOP_END, failure);
}

static int check_cancel(const struct check_subject *subject, struct buffer *failure)
{
    return stop_everywhere(subject, STOP_CANCEL, failure);
}

static int check_break(const struct check_subject *subject, struct buffer *failure)
{
    return stop_everywhere(subject, STOP_BREAK, failure);
}

/* Refused room must end in UNSENT, or in the whole request once there is room: never in a part of it. */
static int check_output(const struct check_subject *subject, struct buffer *failure)
{
    struct check_subject first = *subject;
    struct check_outcome free_run;
    struct check_plan plan = {.split = SPLIT_NOT};
    int status = drive(&first, &plan, &free_run, failure);
    plan.limited = true;
    for (plan.out_room = 0; status == 0 && plan.out_room < free_run.output_len;
         plan.out_room += step_over(free_run.output_len)) {
        struct check_outcome limited;
        status = drive(&first, &plan, &limited, failure);
        bool same = limited.output_len == free_run.output_len &&
                    memcmp(limited.output, free_run.output, free_run.output_len) == 0;
        if (status == 0 && !same && !limited.unsent && !limited.disconnected) {
            buffer_printf(failure, "  a request was cut short when the output had no room: end it as SQUALL_UNSENT, or "
                                   "send the rest in writable()\n");
            print_plan(failure, &plan);
            status = -1;
        }
        check_outcome_fini(&limited);
    }
    check_outcome_fini(&free_run);
    return status;
}

/* Two connections whose bytes come in turn behave as each does alone. */
static int check_two(const struct check_subject *subject, struct buffer *failure)
{
    const struct check_plan bytes = {.split = SPLIT_BYTES};
    struct check_outcome alone;
    struct error error = {0};
    int status = drive(subject, &bytes, &alone, failure);
    struct fake_host *host = status == 0 ? fake_host_new(subject->protocol, subject->target_options, &error) : NULL;
    struct fake_step *step = host ? fake_host_step(host, subject->step_options, false, &error) : NULL;
    struct fake_conn *pair[2] = {NULL, NULL};
    for (int k = 0; step && k < 2; k++)
        pair[k] = fake_conn_new(host, true);
    for (uint32_t i = 0; step && i < subject->part_count; i++) {
        for (int k = 0; k < 2; k++)
            if (fake_conn_free_for_request(pair[k]))
                fake_conn_request(pair[k], step, subject->wants);
        for (uint64_t at = 0; at < subject->parts[i].len; at++)
            for (int k = 0; k < 2; k++)
                fake_conn_feed(pair[k], subject->parts[i].data + at, 1);
    }
    for (int k = 0; step && k < 2 && status == 0; k++) {
        fake_host_run_posts(host);
        if (subject->ends)
            fake_conn_end_of_input(pair[k]);
        if (strcmp(fake_conn_transcript(pair[k]), alone.transcript) != 0) {
            buffer_printf(failure,
                          "  two connections at once led to other calls than one alone; is there a static variable?\n");
            print_difference(failure, alone.transcript, fake_conn_transcript(pair[k]));
            status = -1;
        }
    }
    if (host) {
        fake_host_stop(host);
        if (status == 0 && host->violation_count) {
            buffer_printf(failure, "  %s, with two connections at once\n", host->violations[0]);
            status = -1;
        }
        fake_host_free(host);
    }
    check_outcome_fini(&alone);
    return status;
}

const struct check checks[] = {
    {"the same input gives the same calls, with options constant or not", check_repeat},
    {"any split of the input gives the same calls", check_splits},
    {"the peer may end at any byte", check_end},
    {"a cancel may come at any byte", check_cancel},
    {"the connection may break at any byte", check_break},
    {"output without room cuts no request short", check_output},
    {"two connections do not meet", check_two},
};
const uint32_t check_count = sizeof checks / sizeof checks[0];

int check_all(const struct check_subject *subject, struct buffer *failure)
{
    for (uint32_t i = 0; i < check_count; i++) {
        if (checks[i].run(subject, failure) == 0)
            continue;
        struct buffer text = {0};
        buffer_printf(&text, "%s: broken\n%.*s", checks[i].name, (int)failure->len, (const char *)failure->data);
        buffer_fini(failure);
        *failure = text;
        return -1;
    }
    return 0;
}
