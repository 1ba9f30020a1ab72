/*
 * Connections of the engine's own: a target's pool of them, each one's states, its output and what it needs while it is
 * on its way. For the files of core/engine only, which include internal.h; that says who calls whom.
 */
#ifndef SQUALL_ENGINE_CONNECTION_H
#define SQUALL_ENGINE_CONNECTION_H
#include "base/buffer.h"
#include "base/list.h"
#include "engine/loop.h"
#include "engine/resolver.h"
#include "engine/timers.h"
#include "scenario/scenario.h"
#include <openssl/types.h>
#include <squall/plugin.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct engine;
struct exchange;
struct tls_kept;
struct user;

#define SEGMENTS   8
#define POOL_LOADS 64 /* connections with more exchanges in flight count as equally loaded */

enum conn_state {
    CONN_IDLE,       /* no socket; wanted when its turn comes. Left by conn_open */
    CONN_RESOLVING,  /* the name's address is looked up -> CONNECTING or closed */
    CONN_CONNECTING, /* connect(2) under way -> HANDSHAKE, OPENING, or closed */
    CONN_HANDSHAKE,  /* TLS under way -> OPENING or closed */
    CONN_OPENING,    /* plugin.connect called, capacity still 0 -> UP or closed */
    CONN_UP,         /* had a capacity above 0 */
    CONN_FLUSHING,   /* orderly close asked for: output goes out, nothing comes in -> closed */
    CONN_BACKOFF,    /* failed; waits for its timer -> IDLE */
};

struct segment {
    const uint8_t *borrowed; /* NULL: the next len bytes of output.bytes */
    size_t len;
};

/* What a connection is to send, from the first byte that is put in until the kernel has taken the last. */
struct output {
    struct conn *conn;
    struct output *next_spare;
    struct buffer bytes;      /* those that are not borrowed */
    size_t taken;             /* of `bytes`, already written */
    uint64_t queued, written; /* totals, whoever had it: what an exchange's end_offset counts in */
    struct segment segments[SEGMENTS];
    uint32_t first, count; /* of segments, a ring */
    struct link unsent;    /* exchanges whose end has not been written, in order */
    struct link streaming; /* messages of exchanges, some of which have not been written */
    struct link flush;     /* in engine->flushes: it goes out once more requests may have joined it */
};

/* What a connection needs in all states but IDLE and UP. */
struct transit {
    struct conn *conn;
    struct transit *next_spare;
    struct timer timer;      /* the state's limit in time; of BACKOFF, its end */
    uint64_t began_ns;       /* the attempt */
    uint64_t phase_began_ns; /* connecting, then the TLS handshake */
    uint32_t address;        /* which of the target's */
};

/* In its order: what each exchange touches is in the first three cache lines, and the rest follows. */
struct conn {
    struct squall_conn view; /* first: host calls cast back */
    struct pool *pool;
    struct output *output; /* NULL: nothing waits for the kernel */
    struct loop_io io;
    struct buffer *in;     /* what the plugin has not used yet; NULL: nothing */
    SSL *tls;
    int fd;
    uint8_t state; /* enum conn_state */
    uint8_t load;  /* in which of pool->loads it stands */
    bool touched : 1, retired : 1, eof : 1, connected : 1, counted : 1, write_blocked : 1, room_wanted : 1;
    bool phases_told : 1, served : 1, close_wanted : 1, reset_wanted : 1, bind_failed : 1;
    bool was_up : 1;   /* at any time */
    bool standing : 1; /* holds a session: comes back when it is lost */
    bool traced : 1;   /* its protocol says in words what is sent and received */
    bool awaited : 1;  /* there may be some in `waiters` */
    uint32_t capacity, in_flight;
    struct link exchanges;     /* in flight */
    struct conn *next_touched; /* in engine->touched */
    uint64_t free_since_ns;
    struct link
        place; /* in a list of its pool: turns (IDLE), resolving (RESOLVING), loads (UP and can take an exchange) */
    struct link waiters;                 /* per-user connections: exchanges that wait for this one */
    struct user *owner;                  /* NULL when pooled */
    struct transit *transit;             /* NULL: IDLE or UP */
    uint64_t dns_ns, connect_ns, tls_ns; /* how long each took; NO_TIME: not known, or there was none */
    char *fail_reason;                   /* with close_wanted; allocated. NULL: nobody gave one */
    struct tls_kept *kept;               /* for its next TLS session; tls.c's. NULL: nothing */
    struct timer tick;
    uint32_t syn_retransmits;            /* of this connection, once it was up */
    uint8_t failures;                    /* failed attempts in a row, up to where more make no difference */
    bool missing;                        /* was tried, and not up yet */
};

struct pool {
    struct engine *engine;
    const struct target *target;
    struct sockaddr_storage *addresses; /* where the target's name led last; numeric ones never change */
    uint32_t address_count;
    uint64_t addresses_until_ns; /* when the name must be looked up again; 0: it never was */
    struct resolver *resolver;   /* NULL: nothing to look up */
    bool looking_up;
    bool name_wrong;       /* the name server says that there is no such name */
    bool untrusted;        /* a certificate of the server's did not verify */
    struct link resolving; /* conns, by their place */
    struct conn *conns;    /* pooled, or one a user */
    uint32_t count, up, connecting;
    uint32_t early;     /* of them, those that are opened before the load: their users may go there */
    uint32_t in_flight; /* exchanges, on all of them */
    bool per_user, ever_up, tls, own_transport, turning;
    bool fresh;    /* per_user, and each exchange gets a connection that nothing went over before */
    bool lazy;     /* none is opened before an exchange wants it */
    bool sessions; /* SQUALL_SESSIONS */
    SSL_CTX *tls_context;
    uint32_t address_good;
    uint32_t source_range, source_offset; /* which of the target's source addresses comes next */
    struct link waiting, turns;           /* exchanges, conns */
    struct link loads[POOL_LOADS];        /* conns that can take an exchange, by how many they have in flight */
    uint64_t loads_used;                  /* bit i clear: loads[i] is empty */
    struct timer pace;                    /* connect-rate: when the next turn may be */
    uint64_t next_open_ns;
    uint32_t unopened;     /* connections that had no turn yet */
    struct link deadlines; /* exchanges in flight, in the order of their time-outs */
    uint64_t last_up_ns;
    char last_error[200];
};

static inline struct conn *conn_of(struct squall_conn *view)
{
    return (struct conn *)(void *)view;
}
static inline const struct squall_protocol *conn_abi(const struct conn *conn)
{
    return &conn->pool->target->protocol->abi;
}
/* Whether bytes wait for the kernel. */
static inline bool conn_has_output(const struct conn *conn)
{
    return conn->output && conn->output->count;
}

/* pool.c */
void pool_await(struct conn *conn, struct exchange *exchange); /* on its user's own connection */
int pool_init(struct pool *pool, struct engine *engine, const struct target *target, struct error *error);
void pool_fini(struct pool *pool);
void pool_connect(struct pool *pool);                                 /* opens all its connections */
struct conn *pool_pick(struct pool *pool, struct exchange *exchange); /* NULL: wait */
void pool_available(struct conn *conn);                               /* capacity or in_flight changed */
void pool_handed(struct conn *conn);                                  /* it has one exchange more */
#define CONN_TIME_OUT_TEXT 300
/* What the first of its connections that is on its way waits for. */
const char *pool_waits_for(const struct pool *pool, char text[CONN_TIME_OUT_TEXT]);
/* No connection has come up, and neither waiting nor trying again will change that. */
bool pool_hopeless(const struct pool *pool);
bool pool_ready(struct pool *pool, uint64_t *ret_deadline_ns); /* before the run: no more connections are to come */
void pool_conn_up(struct conn *conn);
void pool_conn_down(struct conn *conn, const char *why, bool attempt_failed);
void pool_next_turn(struct pool *pool);
bool pool_find_addresses(struct conn *conn); /* false: they are being looked up, conn_resolved follows */

/* conn.c */
void conn_init(struct conn *conn, struct pool *pool, struct user *owner, void *state);
void conn_open(struct conn *conn);
void conn_touch(struct conn *conn);
/* What one that is on its way waits for. */
const char *conn_time_out_text(const struct conn *conn, char text[CONN_TIME_OUT_TEXT]);
void conn_transit_over(struct timer *timer, uint64_t now_ns); /* a state's limit in time has passed, or a pause */
void conn_fail(struct conn *conn, const char *why);           /* it is to close; the first reason stays */
void conn_settle(struct conn *conn);
uint32_t conn_retransmits(const struct conn *conn);              /* since it was up */
void conn_close(struct conn *conn, const char *why, bool reset); /* now; exchanges end as disconnected */
void conn_resolved(struct conn *conn, const char *error);        /* the target's addresses are known, or why not */
void conn_established(struct conn *conn);                        /* transport is up */

/* output.c */
void conn_flush(struct conn *conn);
/* Writes now where a connection carries one exchange at a time, or nobody has more for it; else when nothing more is to
 * join the output. */
void conn_flush_soon(struct conn *conn, bool more);

/* stream.c: sockets. */
enum stream_status { STREAM_OK, STREAM_BLOCKED, STREAM_END, STREAM_FAILED };
/* 0 or errno; when it was the local address that failed, conn->bind_failed is set. */
int stream_connect(struct conn *conn, const struct sockaddr_storage *address);
int stream_connected(struct conn *conn); /* 0 or errno of the attempt */
enum stream_status stream_read(struct conn *conn, uint8_t *data, size_t size, size_t *ret_len);
bool stream_pending(const struct conn *conn);                        /* bytes that TLS has read and not handed out */
enum stream_status stream_write(struct conn *conn, size_t *ret_len); /* as much of the output as goes */
void stream_close(struct conn *conn, bool reset);
uint32_t stream_retransmits(const struct conn *conn); /* by the kernel, connection requests included */

/* tls.c: sessions over a connected socket. */
int tls_context(const struct target *target, SSL_CTX **ret_context, struct error *error);
enum stream_status tls_handshake(struct conn *conn, char *text, size_t size);
/* What a return value of SSL_read or SSL_write means; a failure leaves its reason in the connection. */
enum stream_status tls_status(struct conn *conn, int returned);
struct squall_bytes tls_alpn(const struct conn *conn); /* what was agreed on; empty: nothing */
void tls_idle(struct conn *conn);                      /* gives buffers back that hold nothing */
void tls_end(struct conn *conn, bool reset);
void tls_forget(struct conn *conn); /* identity and session */
/* What a plugin with a transport of its own is told; in engine->tls_scratch. */
int tls_tell(struct conn *conn, struct squall_tls *ret_tls, struct error *error);

#endif
