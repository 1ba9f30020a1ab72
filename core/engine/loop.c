/* The event loop over libev: the only file that includes it. See loop.h for what must stay true. */
#include "engine/loop.h"
#include "base/arena.h"
#include "base/clock.h"
/* libev's header casts away type rules that ours are built with. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-aliasing"
#include <ev.h>
#pragma GCC diagnostic pop
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LOOP_SIGNALS 8
#define NEVER UINT64_MAX

_Static_assert(sizeof(struct ev_io) <= sizeof(((struct loop_io *)0)->impl), "loop_io.impl holds a libev watcher");

struct loop_signal_entry {
    ev_signal watcher;
    struct loop *loop;
    void (*fn)(void *arg, int signal);
    void *arg;
};

struct loop {
    struct ev_loop *ev;
    struct loop_hooks hooks;
    int timer_fd;
    struct loop_io timer_io;
    uint64_t armed_ns;   /* what the timerfd is set to; NEVER: disarmed */
    bool expired;        /* the timerfd is readable and must be set anew before sleeping */
    bool stopped;
    struct loop_signal_entry signals[LOOP_SIGNALS];
    uint32_t signal_count;
    ev_async wake;
    void (*wake_fn)(void *arg);
    void *wake_arg;
};

static struct ev_io *io_watcher(struct loop_io *io)
{
    return (struct ev_io *)(void *)io->impl;
}

static void invoke_pending(struct ev_loop *ev)
{
    struct loop *loop = ev_userdata(ev);
    if (loop->hooks.woke)
        loop->hooks.woke(loop->hooks.arg, clock_now_ns());
    ev_invoke_pending(ev);
}

static void on_io(struct ev_loop *ev, struct ev_io *watcher, int revents)
{
    (void)ev;
    struct loop_io *io = watcher->data;
    uint32_t events = 0;
    if (revents & EV_READ)
        events |= LOOP_READ;
    if (revents & EV_WRITE)
        events |= LOOP_WRITE;
    io->fn(io, events);
}

static void on_timer(struct loop_io *io, uint32_t events)
{
    (void)events;
    struct loop *loop = io->arg;
    loop->expired = true;
}

static void on_async(struct ev_loop *ev, ev_async *watcher, int revents)
{
    (void)watcher;
    (void)revents;
    struct loop *loop = ev_userdata(ev);
    if (loop->wake_fn)
        loop->wake_fn(loop->wake_arg);
}

static void on_signal(struct ev_loop *ev, ev_signal *watcher, int revents)
{
    (void)ev;
    (void)revents;
    struct loop_signal_entry *entry = watcher->data;
    entry->fn(entry->arg, watcher->signum);
}

struct loop *loop_new(const struct loop_hooks *hooks)
{
    struct loop *loop = xcalloc(1, sizeof *loop);
    loop->armed_ns = NEVER;
    if (hooks)
        loop->hooks = *hooks;
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (loop->timer_fd < 0)
        goto timer_failed;
    loop->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (!loop->ev)
        goto ev_failed;
    ev_set_userdata(loop->ev, loop);
    ev_set_invoke_pending_cb(loop->ev, invoke_pending);
    loop_io_start(loop, &loop->timer_io, loop->timer_fd, LOOP_READ, on_timer, loop);
    ev_async_init(&loop->wake, on_async);
    ev_async_start(loop->ev, &loop->wake);
    return loop;
ev_failed:
    close(loop->timer_fd);
timer_failed:
    free(loop);
    return NULL;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    for (uint32_t i = 0; i < loop->signal_count; i++)
        ev_signal_stop(loop->ev, &loop->signals[i].watcher);
    ev_loop_destroy(loop->ev);
    close(loop->timer_fd);
    free(loop);
}

/* Sets the timerfd only when it would fire too late, or has fired: a wake-up that comes too early is cheaper than a
 * system call a request. */
static void arm(struct loop *loop, uint64_t at_ns)
{
    if (!loop->expired && at_ns >= loop->armed_ns)
        return;
    struct itimerspec spec = {0};
    if (at_ns != NEVER) {
        spec.it_value.tv_sec = (time_t)(at_ns / NS_PER_S);
        spec.it_value.tv_nsec = (long)(at_ns % NS_PER_S);
    }
    timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    loop->armed_ns = at_ns;
    loop->expired = false;
}

void loop_run(struct loop *loop)
{
    loop->stopped = false;
    while (!loop->stopped) {
        uint64_t at_ns = loop->hooks.idle ? loop->hooks.idle(loop->hooks.arg) : NEVER;
        if (loop->stopped)
            break;
        if (at_ns)
            arm(loop, at_ns);
        ev_run(loop->ev, at_ns ? EVRUN_ONCE : EVRUN_NOWAIT);
    }
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

static int ev_events(uint32_t events)
{
    return (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);
}

void loop_io_start(struct loop *loop, struct loop_io *io, int fd, uint32_t events, loop_io_fn *fn, void *arg)
{
    struct ev_io *watcher = io_watcher(io);
    memset(io->impl, 0, sizeof io->impl);
    io->fn = fn;
    io->arg = arg;
    ev_io_init(watcher, on_io, fd, ev_events(events));
    watcher->data = io;
    ev_io_start(loop->ev, watcher);
}

void loop_io_events(struct loop *loop, struct loop_io *io, uint32_t events)
{
    struct ev_io *watcher = io_watcher(io);
    if ((watcher->events & (EV_READ | EV_WRITE)) == ev_events(events))
        return;
    ev_io_stop(loop->ev, watcher);
    ev_io_set(watcher, watcher->fd, ev_events(events));
    ev_io_start(loop->ev, watcher);
}

void loop_io_stop(struct loop *loop, struct loop_io *io)
{
    ev_io_stop(loop->ev, io_watcher(io));
}

void loop_signal(struct loop *loop, int signal, void (*fn)(void *arg, int signal), void *arg)
{
    struct loop_signal_entry *entry = &loop->signals[loop->signal_count++];
    entry->loop = loop;
    entry->fn = fn;
    entry->arg = arg;
    ev_signal_init(&entry->watcher, on_signal, signal);
    entry->watcher.data = entry;
    ev_signal_start(loop->ev, &entry->watcher);
}

void loop_on_wake(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    loop->wake_fn = fn;
    loop->wake_arg = arg;
}

void loop_wake(struct loop *loop)
{
    ev_async_send(loop->ev, &loop->wake);
}
