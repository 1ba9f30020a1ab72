/*
 * The host of `squall target` without sockets, for fuzzing a room: it keeps the laws of squall/server.h, aborts where
 * the room breaks one, and its clock goes on by a step with each turn.
 */
#ifndef FUZZ_FAKE_TARGET_H
#define FUZZ_FAKE_TARGET_H
#include <squall/server.h>
#include <stddef.h>

struct fake_target {
    const struct squall_server *server;
    /* A flag's value instead of its fallback; NULL: none has another. */
    const char *(*option)(const struct squall_option *row, uint8_t choices);
    uint8_t choices; /* bit 1: a small output that is never quite empty; bit 2: every other answer waits a turn */
    uint8_t step;    /* of the pieces in which the bytes come: 16 times so many, 0: one by one */
};

/* A connection from its beginning to its end, on which the client sends the bytes. */
void fake_target_run(const struct fake_target *target, const uint8_t *data, size_t size);

#endif
