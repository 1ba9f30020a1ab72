/*
 * One engine in this process, run from its making to its last snapshot, with every hook caught. Nothing sleeps: a test
 * that hangs is ended by an alarm.
 */
#ifndef SQUALL_TESTS_ENGINE_FIXTURE_H
#define SQUALL_TESTS_ENGINE_FIXTURE_H
#include "base/clock.h"
#include "engine/engine.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct run {
    struct scenario *scenario;
    struct engine *engine;
    struct page page;
    struct store total; /* of all snapshots */
    struct generator_facts facts;
    uint32_t snapshots, worker, workers;
    uint64_t last_window;
    bool is_ready, finished, single;
    char error[600];
    void *arg;
    void (*ended)(struct run *run, const struct step *step, const struct answer *answer);
};

struct settings {
    const char *yaml;           /* NULL: the URL form */
    struct overrides overrides;
    struct protocol *protocols[2];
    uint32_t worker, workers;   /* workers 0: 1 */
};

/* Loads the scenario and makes the engine. run->ended may be set afterwards. */
void run_begin(struct run *run, const struct settings *settings);
/* Connects; returns when the engine is ready or says that it cannot be. */
void run_connect(struct run *run);
/* From the start to the end; the load's time 0 is ago_ns in the past. */
void run_load(struct run *run, uint64_t ago_ns);
/* All of it. */
void run_whole(struct run *run);
/* Adds what was measured since the last call to run->total. */
void run_snapshot(struct run *run);
/* The identities of both blocks, and the series against the ledgers. */
void run_verify(const struct run *run);
void run_end(struct run *run);

uint64_t run_outcomes(const struct run *run, enum outcome outcome); /* of both blocks */
uint64_t run_begun(const struct run *run);
/* True when some line of the run's error list holds the text. */
bool run_has_error(const struct run *run, const char *text);

#endif
