/*
 * An engine that is not there: drives a plugin by hand and watches every call that it makes.
 *
 * The caller decides what happens and when: each byte that arrives, the peer's end, time, room in the output, a
 * cancel. Nothing is scheduled, no socket is open. What the plugin does is written into a transcript, so that two
 * drives can be compared; what it must not do is written down as a violation of a law of squall/plugin.h.
 *
 * It is stricter than the engine where the contract allows that: state is freed in the moment in which it dies, so
 * that the address sanitizer sees a late touch; room from out_reserve() is of the exact size and gone with the next
 * host call; options that may vary are freed when request() returns.
 *
 * One thread, but for post().
 */
#ifndef CONTRACT_FAKE_HOST_H
#define CONTRACT_FAKE_HOST_H
#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "engine/protocol.h"
#include <pthread.h>
#include <stdbool.h>

/* State blocks end where the plugin said: the address sanitizer sees a write behind them, and without it a canary. */
#if defined(__SANITIZE_ADDRESS__)
#define FAKE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FAKE_SANITIZED 1
#endif
#endif

#define FAKE_VIOLATIONS_MAX 16
#define FAKE_INPUT_MAX      (UINT64_C(1) << 20) /* unused input that is held, as in the engine */
#define FAKE_BORROWS_MAX    256
#define FAKE_POSTS_MAX      256

/* A value as a scenario would write it. A list ends with name NULL; a MAP option takes one entry a pair: "name: value";
 * a TREE option takes JSON text. Of a plugin with verbs, the option "verb" says which one a step is of; else it is the
 * first. */
struct fake_option {
    const char *name, *value;
};

enum fake_end { FAKE_IN_FLIGHT, FAKE_DONE, FAKE_CANCELLED, FAKE_DISCONNECTED, FAKE_GIVEN_BACK };

struct fake_step {
    struct squall_step view; /* first */
    struct fake_host *host;
    const struct fake_option *options;
    void *block;       /* all values, run memory */
    uint64_t constant; /* mask given to the plugin: all rows, or none */
    struct fake_step *next;
};

struct fake_exchange {
    struct squall_exchange view; /* first; poisoned once the exchange has ended */
    struct fake_conn *conn;
    enum fake_end end;
    struct squall_result result; /* of done(); reason is in `reason` */
    char reason[160];
    bool request_ended, recording, followed, ended;
    uint64_t every_ns, turn_ns, turns; /* of a paced stream: interval, when the next one is due, how many there were */
    uint32_t number; /* on its connection, from 1 */
    struct fake_exchange *next;
};

struct fake_borrow {
    const uint8_t *data;
    uint8_t *copy;
    uint64_t len;
};

struct fake_conn {
    struct squall_conn view; /* first */
    struct squall_user own;  /* its user, where each user has a connection of its own: SQUALL_SESSIONS */
    struct fake_host *host;
    struct fake_conn *next;
    struct fake_exchange *exchanges; /* newest first */
    uint32_t exchange_count, in_flight, capacity;
    bool connected, retired, close_wanted, failed, refused, room_wanted;
    struct buffer in, out; /* unused input; all output so far */
    struct buffer transcript;
    struct buffer traced; /* what trace() was told; no part of the transcript */
    uint64_t out_room; /* bytes that the output takes before it is at its cap */
    void *options;     /* of the last conn_options(), gone when the plugin returns */
    uint8_t *reserved; /* of the last out_reserve() */
    uint64_t reserved_len;
    uint64_t next_tick_ns;
    struct fake_borrow borrows[FAKE_BORROWS_MAX];
    uint32_t borrow_count;
    const void *run_of; /* what the transcript's last line is about, so that pieces of it join */
    char run_kind;
};

struct fake_post {
    void (*fn)(struct squall_worker *, void *);
    void *arg;
};

struct fake_host {
    struct squall_worker worker; /* first */
    const struct protocol *protocol;
    struct squall_host table;
    struct squall_target target;
    const char *alpn; /* what connections agree on; NULL: nothing */
    struct squall_user user;
    struct arena arena; /* run memory */
    struct fake_step *steps;
    struct fake_conn *conns;
    uint64_t now_ns, random;
    uint32_t depth; /* of calls into the plugin */
    bool worker_started;
    pthread_t thread;
    pthread_mutex_t lock; /* posts and violations */
    struct fake_post posts[FAKE_POSTS_MAX];
    uint32_t post_count, posts_due; /* those behind posts_due are held */
    char violations[FAKE_VIOLATIONS_MAX][200];
    uint32_t violation_count; /* all of them; the first ones have a text */
};

/* Starts a worker with one target at scheme://test.local. NULL with the error when an option or the plugin refuses.
 * `target_options` outlives the host. */
struct fake_host *fake_host_new(const struct protocol *protocol, const struct fake_option *target_options,
                                struct error *error);
/* Ends everything as the engine would, then frees it. Look at violations in between: fake_host_stop, then free. */
void fake_host_stop(struct fake_host *host);
void fake_host_free(struct fake_host *host);

/* `options` outlive the host. `variable`: the plugin is told that nothing is constant. */
struct fake_step *fake_host_step(struct fake_host *host, const struct fake_option *options, bool variable,
                                 struct error *error);

/* Calls connect() (and tick()). */
struct fake_conn *fake_conn_new(struct fake_host *host, bool per_user);
/* Whether a request would keep law 4. */
bool fake_conn_free_for_request(const struct fake_conn *conn);
/* Only when that holds. `wants`: enum squall_want. */
struct fake_exchange *fake_conn_request(struct fake_conn *conn, const struct fake_step *step, uint32_t wants);
/* One read of the peer's bytes; nothing once the connection is gone. */
void fake_conn_feed(struct fake_conn *conn, const void *data, uint64_t len);
/* The peer's orderly end; the connection is gone afterwards. */
void fake_conn_end_of_input(struct fake_conn *conn);
/* The connection breaks. */
void fake_conn_drop(struct fake_conn *conn);
void fake_exchange_cancel(struct fake_exchange *exchange);
/* Cancels all that is in flight, oldest first. */
void fake_conn_cancel_all(struct fake_conn *conn);
/* Room for `room` more bytes of output, with writable() when the plugin had been refused. */
void fake_conn_make_room(struct fake_conn *conn, uint64_t room);
/* Moves the clock and calls the ticks and the turns that are due. */
void fake_host_advance(struct fake_host *host, uint64_t ns);
/* Runs what other threads have posted; returns how many. */
uint32_t fake_host_run_posts(struct fake_host *host);

/* The transcript so far, NUL-terminated, valid until the next call on the connection. */
const char *fake_conn_transcript(struct fake_conn *conn);

#endif
