/*
 * A protocol of lines over the engine's own transport, and the peer that it talks to: a thread with blocking sockets
 * that does as the test says, one connection after the other. A request is any bytes that end in a newline; an answer
 * is a line.
 */
#ifndef SQUALL_TESTS_ENGINE_LINE_H
#define SQUALL_TESTS_ENGINE_LINE_H
#include "fixture.h"
#include <pthread.h>
#include <stdatomic.h>

/* ---- the peer ---- */

struct peer {
    int listener;
    uint16_t port;
    pthread_t thread;
    void (*serve)(struct peer *peer, int socket, int number); /* closes nothing: the socket is closed after it */
    atomic_int accepted;
    atomic_bool over;
};
extern struct peer peer;

/* A socket bound to 127.0.0.1 and this port (0: any); it listens unless backlog is negative. */
int listen_on(uint16_t port, int backlog, uint16_t *ret_port);
void peer_start(void (*serve)(struct peer *peer, int socket, int number));
/* Listens on its old port again, after the listener was closed and its thread ended. */
void peer_restart(void (*serve)(struct peer *peer, int socket, int number));

/* For `serve`: reads up to and including a newline; how many bytes came, 0 at the end. */
size_t read_line(int socket);
void write_text(int socket, const char *text);
void reset_at_close(int socket);
/* A `serve` that answers each line. */
void serve_lines(struct peer *own, int socket, int number);

/* ---- the protocol ---- */

struct line_conn {
    struct squall_exchange *asked[64];
    uint32_t count;
    uint64_t ticks, turns, biggest_input;
};
struct line {
    /* What the test wants; zeroed by line_finish. */
    size_t request_size;
    uint32_t capacity;
    bool holds_input; /* uses nothing of what comes */
    bool done_in_request, borrows, fills, retires, closes, closes_in_connect, no_capacity;
    void (*on_tick)(void); /* called once, 20 ms into a request */
    /* What was seen. */
    uint64_t connects, disconnects, writables, reads, ends, ticks, biggest_input;
    int inside;
};
extern struct line line;
extern struct run run;

/* One step, closed load, a connect time-out of 300 ms; the numbers as a scenario has them. */
void line_begin(const char *users, const char *iterations, const char *connections, uint16_t port);
/* Ends the run and the peer; as many connections were ended as begun. */
void line_finish(void);

#endif
