/*
 * Names to addresses, without ever blocking the loop: c-ares is behind it and named nowhere else. /etc/hosts first, then
 * name servers. Engine thread only.
 */
#ifndef SQUALL_ENGINE_RESOLVER_H
#define SQUALL_ENGINE_RESOLVER_H
#include "engine/loop.h"
#include "engine/timers.h"
#include <sys/socket.h>

#define RESOLVER_ADDRESSES_MAX 32 /* of one name; more are left out */

struct resolver;

/* The end of a look-up; borrowed until the call returns. */
struct lookup {
    const char *error; /* NULL: found */
    bool no_such_name; /* the name servers answered, and say that there is none: asking again is no use */
    const struct sockaddr_storage *addresses; /* port 0 */
    uint32_t count;
    uint64_t lives_ns; /* for how long the answer holds: the shortest TTL, at least a second */
};

/* `name_servers`: "address:port,..."; NULL: the system's. `patience_ns`: when a look-up is given up, about. NULL when
 * c-ares does not take the name servers. */
struct resolver *resolver_new(struct loop *loop, struct timers *timers, const char *name_servers, uint64_t patience_ns);
/* Look-ups under way end without a call. */
void resolver_free(struct resolver *resolver);
/* fn is called once, maybe before this returns. */
void resolver_look_up(struct resolver *resolver, const char *name, void (*fn)(void *arg, const struct lookup *lookup), void *arg);

#endif
