/*
 * The event loop: readiness of descriptors, one nanosecond timer, signals, wake-ups from other threads.
 * libev is behind it and named nowhere else, so that it can be replaced. Engine thread only, but for loop_wake.
 *
 * The timer is a timerfd: libev's own timers go through epoll's milliseconds, and a schedule must not. Arming it
 * again drops an expiry that was not yet seen, so the descriptor is never read.
 */
#ifndef SQUALL_ENGINE_LOOP_H
#define SQUALL_ENGINE_LOOP_H
#include <stdbool.h>
#include <stdint.h>

enum loop_events { LOOP_READ = 1, LOOP_WRITE = 2 };

struct loop;
struct loop_io;
typedef void loop_io_fn(struct loop_io *io, uint32_t events);

/* Caller's memory, any number of them; libev's watcher stands inside impl. */
struct loop_io {
    loop_io_fn *fn;
    void *arg;
    _Alignas(8) unsigned char impl[48];
};

struct loop_hooks {
    /* After the kernel has woken us, before any io callback: woke_ns is the time of that. */
    void (*woke)(void *arg, uint64_t woke_ns);
    /* Before sleeping. Returns the time at which to be woken at the latest: UINT64_MAX never, 0 do not sleep. */
    uint64_t (*idle)(void *arg);
    void *arg;
};

struct loop *loop_new(const struct loop_hooks *hooks); /* hooks copied; functions may be NULL; NULL with errno on failure */
void loop_free(struct loop *loop);
void loop_run(struct loop *loop);  /* until loop_stop */
void loop_stop(struct loop *loop);

/* Starts watching fd. */
void loop_io_start(struct loop *loop, struct loop_io *io, int fd, uint32_t events, loop_io_fn *fn, void *arg);
/* Changes what is watched; no system call when nothing changes. */
void loop_io_events(struct loop *loop, struct loop_io *io, uint32_t events);
/* Takes an io that was never started (zeroed) or is stopped already. */
void loop_io_stop(struct loop *loop, struct loop_io *io);

/* fn(arg, signal) on the loop's thread. At most one handler a signal. */
void loop_signal(struct loop *loop, int signal, void (*fn)(void *arg, int signal), void *arg);
/* Any thread: fn of loop_on_wake runs soon on the loop's thread. */
void loop_on_wake(struct loop *loop, void (*fn)(void *arg), void *arg);
void loop_wake(struct loop *loop);

#endif
