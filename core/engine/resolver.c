/*
 * c-ares on our loop. Its sockets become watchers, its next time-out one timer of the engine's; every entry into it is
 * followed by arm(), since any of them may change both.
 */
#include "engine/resolver.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/list.h"
#include <ares.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define SOCKETS_MAX 16 /* at once; c-ares keeps one or two a name server */
#define TRIES 3        /* each waits twice as long as the one before: 1 + 2 + 4 parts of the patience */
#define LIFE_MIN_NS NS_PER_S

struct watched {
    struct loop_io io;
    struct resolver *resolver;
    ares_socket_t fd; /* ARES_SOCKET_BAD: not used */
};

struct resolver {
    struct loop *loop;
    struct timers *timers;
    struct timer timer;
    ares_channel channel;
    struct watched sockets[SOCKETS_MAX];
    bool closing;
};

struct question {
    struct resolver *resolver;
    const char *name;
    void (*fn)(void *arg, const struct lookup *lookup);
    void *arg;
};

static void arm(struct resolver *resolver)
{
    struct timeval wait;
    if (resolver->closing)
        return;
    if (ares_timeout(resolver->channel, NULL, &wait))
        timer_set(resolver->timers, &resolver->timer,
                  clock_now_ns() + (uint64_t)wait.tv_sec * NS_PER_S + (uint64_t)wait.tv_usec * NS_PER_US + NS_PER_US);
    else
        timer_clear(resolver->timers, &resolver->timer);
}

static void on_timer(struct timer *timer, uint64_t now_ns)
{
    struct resolver *resolver = LIST_ENTRY(timer, struct resolver, timer);
    (void)now_ns;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm(resolver);
}

static void on_io(struct loop_io *io, uint32_t events)
{
    struct watched *watched = io->arg;
    struct resolver *resolver = watched->resolver;
    ares_socket_t fd = watched->fd;
    ares_process_fd(resolver->channel, events & LOOP_READ ? fd : ARES_SOCKET_BAD, events & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
    arm(resolver);
}

/* What c-ares wants to know of a socket of its own; nothing any more: it is about to be closed. */
static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = arg;
    struct watched *watched = NULL;
    uint32_t events = (readable ? LOOP_READ : 0u) | (writable ? LOOP_WRITE : 0u);
    for (uint32_t i = 0; i < SOCKETS_MAX; i++) {
        struct watched *one = &resolver->sockets[i];
        if (one->fd == fd) {
            watched = one;
            break;
        }
        if (!watched && one->fd == ARES_SOCKET_BAD)
            watched = one;
    }
    if (!watched || (!events && watched->fd != fd))
        return; /* without a watcher its look-up ends in the time-out */
    if (!events) {
        loop_io_stop(resolver->loop, &watched->io);
        watched->fd = ARES_SOCKET_BAD;
    } else if (watched->fd == fd) {
        loop_io_events(resolver->loop, &watched->io, events);
    } else {
        watched->fd = fd;
        loop_io_start(resolver->loop, &watched->io, fd, events, on_io, watched);
    }
}

struct resolver *resolver_new(struct loop *loop, struct timers *timers, const char *name_servers, uint64_t patience_ns)
{
    struct resolver *resolver = xcalloc(1, sizeof *resolver);
    uint64_t first_ms = patience_ns / NS_PER_MS / ((1 << TRIES) - 1);
    struct ares_options options = {.tries = TRIES,
                                   .timeout = first_ms < 10 ? 10 : first_ms > 60000 ? 60000 : (int)first_ms,
                                   .sock_state_cb = on_socket,
                                   .sock_state_cb_data = resolver,
                                   .lookups = (char[]){"fb"}};
    resolver->loop = loop;
    resolver->timers = timers;
    resolver->timer.fn = on_timer;
    for (uint32_t i = 0; i < SOCKETS_MAX; i++) {
        resolver->sockets[i].fd = ARES_SOCKET_BAD;
        resolver->sockets[i].resolver = resolver;
    }
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        goto library_failed;
    if (ares_init_options(&resolver->channel, &options, ARES_OPT_TRIES | ARES_OPT_TIMEOUTMS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_LOOKUPS) !=
        ARES_SUCCESS)
        goto channel_failed;
    if (name_servers && ares_set_servers_ports_csv(resolver->channel, name_servers) != ARES_SUCCESS)
        goto servers_failed;
    return resolver;
servers_failed:
    ares_destroy(resolver->channel);
channel_failed:
    ares_library_cleanup();
library_failed:
    free(resolver);
    return NULL;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    resolver->closing = true;
    timer_clear(resolver->timers, &resolver->timer);
    ares_destroy(resolver->channel);
    ares_library_cleanup();
    free(resolver);
}

static uint64_t life_ns(const struct ares_addrinfo *found)
{
    int ttl = INT32_MAX;
    for (const struct ares_addrinfo_node *node = found->nodes; node; node = node->ai_next)
        ttl = node->ai_ttl < ttl ? node->ai_ttl : ttl;
    for (const struct ares_addrinfo_cname *alias = found->cnames; alias; alias = alias->next)
        ttl = alias->ttl < ttl ? alias->ttl : ttl;
    uint64_t life = ttl > 0 ? (uint64_t)ttl * NS_PER_S : 0;
    return life < LIFE_MIN_NS ? LIFE_MIN_NS : life;
}

static void tell_found(const struct question *question, const struct ares_addrinfo *found)
{
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX];
    struct lookup lookup = {.addresses = addresses, .lives_ns = life_ns(found)};
    memset(addresses, 0, sizeof addresses);
    for (const struct ares_addrinfo_node *node = found->nodes; node && lookup.count < RESOLVER_ADDRESSES_MAX; node = node->ai_next)
        if (node->ai_family == AF_INET || node->ai_family == AF_INET6)
            memcpy(&addresses[lookup.count++], node->ai_addr, node->ai_addrlen);
    if (lookup.count == 0)
        lookup.error = "the name has no address";
    question->fn(question->arg, &lookup);
}

static void tell_failed(const struct question *question, int status)
{
    char text[160];
    struct lookup lookup = {.error = text};
    lookup.no_such_name = status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME;
    if (lookup.no_such_name)
        snprintf(text, sizeof text, "the name %.70s leads nowhere (no such name, or no address): check the URL", question->name);
    else if (status == ARES_ETIMEOUT)
        snprintf(text, sizeof text, "no name server answered for %.60s: are they right (/etc/resolv.conf, name-servers)?", question->name);
    else
        snprintf(text, sizeof text, "looking up %.60s failed: %.60s", question->name, ares_strerror(status));
    question->fn(question->arg, &lookup);
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    struct question *question = arg;
    (void)timeouts;
    if (question->resolver->closing)
        ; /* nobody is there to be told */
    else if (status == ARES_SUCCESS && found)
        tell_found(question, found);
    else
        tell_failed(question, status);
    ares_freeaddrinfo(found);
    free(question);
}

void resolver_look_up(struct resolver *resolver, const char *name, void (*fn)(void *arg, const struct lookup *lookup), void *arg)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct question *question = xcalloc(1, sizeof *question);
    *question = (struct question){resolver, name, fn, arg};
    ares_getaddrinfo(resolver->channel, name, NULL, &hints, on_answer, question);
    arm(resolver);
}
