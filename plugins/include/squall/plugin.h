/*
 * squall/plugin.h: the contract between the squall engine and a protocol plugin.
 *
 * A protocol plugin is a shared object with one exported, read-only table of functions and data:
 * SQUALL_PROTOCOL_SYMBOL. The engine decides when an exchange is due, finds it a connection, moves
 * the bytes, keeps the time and does the counting. The plugin knows one thing only: what the bytes
 * of its protocol mean. It therefore opens no socket, reads no clock and starts no thread, and every
 * protocol is scheduled, timed and counted by the same code.
 *
 *   connect   the transport is up: open the protocol's session, then announce a capacity
 *   request   turn one step into bytes
 *   record    an exchange has ended: name what only the protocol knows about its answer
 *
 * Some protocols need more, and find it further down: verbs (several kinds of step), messages of a stream with times
 * of their own, metrics of what belongs to no exchange, options that differ from user to user.
 *
 * A plugin that wraps a client library with sockets of its own sets SQUALL_OWN_TRANSPORT and
 * reports through done() and post().
 *
 * The laws (each has a test in tests/contract):
 *   1. After request(conn, x) exactly one of these ends x: the plugin's done(x) or request_is_all(x),
 *      the engine's cancel(x), or the end of conn.
 *   2. done(x) may be called inside request(x).
 *   3. An ended exchange is gone: keep no pointer to it. A late answer on the wire is read and dropped.
 *   4. The engine never has more exchanges in flight on a connection than the last capacity() said.
 *      A lower capacity cancels nothing.
 *   5. All times are the engine's. No function of this header takes a time measured by a plugin.
 *   6. However the peer's bytes are split, the plugin's calls are the same.
 *   7. Each exchange ends in exactly one outcome.
 *   8. A thread that the plugin started may call post(), hold() and wake() and nothing else.
 *   9. No host function calls back into the plugin, with one exception: done() calls record(), and so
 *      does request_is_all() where it ends the exchange.
 *  10. An exchange given back by again() is not the connection's any more; it comes once more through request().
 *
 * Memory:
 *   - state blocks are the engine's: sized by the *_size fields, zeroed before first use, aligned to
 *     16 bytes (to 8 where they are no larger), freed with the object that carries them.
 *   - whatever the engine passes in is borrowed until the call returns, unless the text says "run
 *     memory": that lives until the worker exits.
 *   - whatever the plugin passes in is borrowed by the engine until the call returns.
 *
 * Versions: the major version is part of the symbol's name. Within a major version fields are only
 * appended, and `size` says how many of them the plugin was compiled with. Major 0 is the version
 * before the freeze: it changes when it must, and then its minor changes too and older ones are refused.
 *
 * Only fixed-width integers, pointers and function pointers appear in the structs below, so that the
 * layout is the same for every compiler of one platform; static assertions hold it in place.
 */
#ifndef SQUALL_PLUGIN_H
#define SQUALL_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SQUALL_ABI_MAJOR 0
#define SQUALL_ABI_MINOR 5
#define SQUALL_PLUGIN_MAGIC UINT32_C(0x5351504c) /* "SQPL" */
#define SQUALL_PROTOCOL squall_protocol_v0       /* the exported table's name */
#define SQUALL_PROTOCOL_SYMBOL "squall_protocol_v0"
#if defined(__GNUC__)
#define SQUALL_EXPORT __attribute__((visibility("default")))
#else
#define SQUALL_EXPORT
#endif

struct squall_host;

/* Bytes, not a C string. Strings out of option tables are NUL-terminated behind len as well. */
struct squall_bytes {
    const uint8_t *data;
    uint64_t len;
};

/* ---- What the engine shows of its objects ------------------------------------------------------ */

struct squall_worker {
    void *state; /* worker_size */
    const struct squall_host *host;
    uint64_t run; /* the run's id: made up anew for each run, the same in all its workers; not 0 */
};

struct squall_target {
    void *state;               /* target_size */
    const void *options;       /* the struct that target_options describes; run memory */
    struct squall_bytes host;  /* the URL's host, IPv6 without brackets; run memory */
    struct squall_bytes authority; /* host[:port] as written in the URL, as a Host header wants it */
    uint64_t port;
    uint64_t secure;           /* 1: the engine's transport to this target is TLS */
    const char *alpn;          /* set by target_init: what to offer under TLS instead of squall_protocol.alpn; run
                                  memory. NULL: the protocol's; "": nothing */
    const char *folder;        /* of the scenario's file, '/' included: options that name files mean files below it.
                                  NULL: there is no file, and they are relative to where squall was started. Run memory */
    uint64_t tls_keys;         /* enum squall_tls_key: which the scenario gives. With a transport of its own a plugin refuses
                                  in target_init those that it does nothing with */
    uint64_t asks;             /* set by target_init: 1: part of what the scenario says is only known to the target: a
                                  connection asks for it before it has capacity, and refuse() says what does not fit.
                                  `squall check --reflect` opens one connection for that */
};

/* Keys of a target's `tls`. */
enum squall_tls_key {
    SQUALL_TLS_CA = 1,
    SQUALL_TLS_CRL = 2,
    SQUALL_TLS_CERT = 4, /* with or without `key` */
    SQUALL_TLS_SERVER_NAME = 8,
    SQUALL_TLS_MIN_VERSION = 16, /* 1.3 */
    SQUALL_TLS_SESSION_REUSE = 32,
};

/* TLS as the scenario wants it, for a plugin with a transport of its own. Files are PEM, by absolute paths. */
struct squall_tls {
    const char *ca;          /* the authorities to trust; NULL: the system's */
    const char *cert, *key;  /* the client's, of this connection's user; NULL: none. They may be the same file */
    const char *server_name; /* asked for by SNI, and what the certificate must bear: the host where nothing else is said */
    uint64_t insecure;       /* 1: any certificate is taken */
};

struct squall_user {
    void *state; /* user_size: what must outlive a connection, such as cookies */
    uint64_t id; /* 1-based, unique in the run */
};

struct squall_conn {
    void *state; /* conn_size */
    struct squall_worker *worker;
    const struct squall_target *target;
    struct squall_user *user; /* the one user of this connection; NULL on a pooled target */
    struct squall_bytes alpn; /* what the TLS handshake agreed on; empty: nothing, or no TLS */
};

struct squall_step {
    void *state; /* step_size */
    const struct squall_target *target;
    uint64_t verb; /* row of squall_protocol.verbs; 0 where there are none */
    uint64_t opens; /* set by step_init, with SQUALL_SESSIONS: 1: such a step opens its user's session. Then no
                       connection of the target is opened before an exchange wants it */
    uint64_t users; /* set by step_init: a run in which fewer users have to do with the target is refused */
};

/* Which parts of an answer the scenario will look at: bits of squall_exchange.wants. */
enum squall_want {
    SQUALL_WANT_BODY = 1,   /* hand body bytes to host->body() */
    SQUALL_WANT_FIELDS = 2, /* name header fields (and the like) in record() */
};

struct squall_exchange {
    void *state; /* exchange_size; zeroed for each exchange */
    const struct squall_step *step;
    struct squall_user *user;
    const void *options; /* the struct that step_options describes, rendered for this exchange; valid
                            inside request() only, and run memory when all rows were `constant` in step_init() */
    uint64_t id;         /* unique in the run */
    uint64_t intended_ns; /* when it was due, CLOCK_MONOTONIC: to be carried on the wire, or into elapsed() */
    uint32_t wants;      /* enum squall_want */
    uint32_t hop;        /* 0; in an exchange that follow() asked for, one more than in the one before */
};

/* ---- How an exchange ends ---------------------------------------------------------------------- */

enum squall_outcome {
    SQUALL_OK = 0,        /* the answer is what the step expects */
    SQUALL_REJECTED = 1,  /* a well-formed answer that says no */
    SQUALL_MALFORMED = 2, /* an answer that the protocol forbids */
    SQUALL_UNSENT = 3,    /* the request could not be encoded or queued */
    SQUALL_BROKEN_OFF = 4, /* the peer ended this exchange without its answer, and the connection goes on: counted as
                              disconnected, as are those that a connection's end takes with it */
    /* Timed out, unreachable and unfinished are the engine's to say. */
};

struct squall_result {
    uint32_t outcome;   /* enum squall_outcome */
    uint32_t code;      /* the protocol's own status; 0 = none was received */
    uint64_t bytes_in;  /* size of the answer on the wire */
    uint64_t bytes_out; /* size of the request on the wire */
    const char *reason; /* why not OK, for the run's list of errors; NULL: the code says it all */
};

/* Handed to record(). Names and values are borrowed until each call returns. */
struct squall_recorder {
    /* A named part of the answer, such as one header field. Names are compared without case. */
    void (*field)(struct squall_recorder *, struct squall_bytes name, struct squall_bytes value);
    /* A value of row `metric` of the plugin's metrics: added (counter) or recorded (histogram). */
    void (*sample)(struct squall_recorder *, uint32_t metric, uint64_t value);
};

/* ---- What a plugin may call -------------------------------------------------------------------- */

/* How close() ends a connection. */
enum squall_close {
    SQUALL_CLOSE_ORDERLY = 0, /* once the output has been written: TLS close_notify, FIN */
    SQUALL_CLOSE_RESET = 1,   /* at once: output is dropped, RST */
};

/* What trace() tells. */
enum squall_trace {
    SQUALL_TRACE_SENT = 1, /* something that was sent begins; name: what it is, such as "PUBLISH"; value: more of that line */
    SQUALL_TRACE_RECEIVED, /* something that was received begins; the same */
    SQUALL_TRACE_FIELD,    /* a named part of what has begun last, a line of its own */
    SQUALL_TRACE_CONTENT,  /* more bytes of its content, decoded; name: empty */
    SQUALL_TRACE_NOTE,     /* more bytes of what is shown under this name once the exchange has ended */
};

struct squall_host {
    uint32_t size;
    uint16_t abi_major, abi_minor;

    /* The engine's clock at the current wake-up, CLOCK_MONOTONIC ns: for keep-alive intervals. */
    uint64_t (*now_ns)(const struct squall_worker *);
    /* 64 random bits of the worker's seeded stream. */
    uint64_t (*random)(struct squall_worker *);
    /* level: 0 error, 1 warning, 2 info, 3 debug. */
    void (*log)(struct squall_worker *, uint32_t level, const char *line);

    /* Output. reserve returns room for len bytes, valid until the next host call on this connection, or
     * NULL when the output is at its cap; writable() follows when there is room again. */
    uint8_t *(*out_reserve)(struct squall_conn *, uint64_t len);
    void (*out_commit)(struct squall_conn *, uint64_t len); /* len <= what was reserved */
    /* Queues bytes without copying them; they must be run memory. 0, or -1 at the cap. */
    int32_t (*out_borrow)(struct squall_conn *, struct squall_bytes run_memory);
    /* The exchange's last byte has been committed or borrowed: when the kernel takes that byte the
     * engine stamps `sent`. */
    void (*request_end)(struct squall_exchange *);

    /* How many exchanges the connection carries at once from now on: a level, 0 at first. */
    void (*capacity)(struct squall_conn *, uint32_t in_flight_max);
    /* No further exchange here; those in flight go on. The engine closes the connection after the last. */
    void (*retire)(struct squall_conn *);
    void (*close)(struct squall_conn *, uint32_t how);
    /* The session is broken: why goes to the run's list of errors, exchanges in flight end as disconnected. */
    void (*fail)(struct squall_conn *, const char *why);

    /* The first bytes of this exchange's answer are in the current input. */
    void (*first_byte)(struct squall_exchange *);
    /* Body bytes of the answer, decoded, if SQUALL_WANT_BODY. Kept up to the engine's cap. */
    void (*body)(struct squall_exchange *, struct squall_bytes);
    void (*done)(struct squall_exchange *, const struct squall_result *);

    /* What any thread may call, as hold() and wake(): fn(worker, arg) runs on the engine's thread, soon. The engine
     * takes the time of the call: what done() ends inside fn ended then, so that the hop between threads is
     * not billed to the service. Returns 0, or -1 when the queue is full. */
    int32_t (*post)(struct squall_worker *, void (*fn)(struct squall_worker *, void *arg), void *arg);

    /* Gives back an exchange whose request the peer has certainly not acted on: the engine hands it to the next free
     * connection, as the same exchange with a zeroed state; its latency goes on counting. 0, or -1 when it has been
     * given back SQUALL_AGAIN_MAX times: then the plugin still has to end it. */
    int32_t (*again)(struct squall_exchange *);
    /* Called before done(x): once x has ended, the same step is exchanged again for the same user as an exchange of
     * its own, due at x's end, with x's state as it is then. Checks and saves look at the last one only. 0, or -1
     * when x is hop SQUALL_HOPS_MAX already. */
    int32_t (*follow)(struct squall_exchange *);
    /* The scenario cannot be run against this target, whatever the load (it has no such service, say): before the
     * load starts this ends the run with exit code 2 and this text; later it is fail(). `step` is the one that does not
     * fit, and is told with its place in the scenario; NULL: it is not one step's fault. */
    void (*refuse)(struct squall_conn *, const struct squall_step *step, const char *why);
    /* The target's options as they are for this connection's user, rendered by the call and valid until the plugin
     * returns. Where nothing varies it is target->options. NULL: a value does not fit its row; the connection has
     * failed with the reason. */
    const void *(*conn_options)(struct squall_conn *);

    /* Messages of a stream, each with times of its own. The engine takes them; a key is the plugin's name for a
     * message that it waits for the answer of, and need be unique among those only. */
    /* Calls turn(conn, x, number) now and then every interval_ns, number from 0 up; turns that come late are not left
     * out. An interval of 0 ends it; the exchange's end does too. */
    void (*every)(struct squall_exchange *, uint64_t interval_ns);
    /* The message's last byte has been committed. It was due at its turn, within turn(); otherwise now. With the key
     * SQUALL_NO_ANSWER it is counted and no answer is waited for. */
    void (*message_sent)(struct squall_exchange *, uint64_t key);
    /* What was sent under this key has been answered: its latency and service time are recorded. */
    void (*message_answered)(struct squall_exchange *, uint64_t key);
    /* A message of the answer is here, whichever it answers: the first one and the gaps are recorded. */
    void (*message_received)(struct squall_exchange *);

    /* What belongs to no exchange. `metric` is a row of the plugin's metrics, booked at `step`; during the warm-up it
     * is left out. */
    void (*sample)(struct squall_worker *, const struct squall_step *step, uint32_t metric, uint64_t value);
    /* Records the time from since_ns to now, where since_ns is a time that the engine gave: of stamp_ns(), of an
     * exchange's intended_ns, by way of the wire where both ends are this machine's. */
    void (*elapsed)(struct squall_worker *, const struct squall_step *step, uint32_t metric, uint64_t since_ns);
    /* The clock at this moment, CLOCK_MONOTONIC ns, finer than now_ns(). Only to be given back. */
    uint64_t (*stamp_ns)(struct squall_worker *);

    /* For what can be held back, such as the rest of a long body. 1: fewer than `enough` bytes of the connection's output
     * wait for the kernel. 0: more do, and writable() follows once all are gone. */
    int32_t (*out_room)(struct squall_conn *, uint64_t enough);

    /* Calls tick() at that time, instead of the one that it returned last. */
    void (*tick_at)(struct squall_conn *, uint64_t at_ns);

    /* Deliveries that the run expects: the engine counts what goes to which address, and who wants what, and joins both
     * over all workers at the end, by matches(). */
    /* A number for an address that `step` sends to; UINT32_MAX: there are too many. */
    uint32_t (*address)(struct squall_worker *, const struct squall_step *, struct squall_bytes address);
    /* A message that was due at due_ns, of a time that the engine gave, went there and is to be delivered. */
    void (*sent_to)(struct squall_worker *, uint32_t address, uint64_t due_ns);
    /* So many receivers more, or fewer, of what matches the pattern. plain: 1: the pattern is an address. Who comes or
     * goes while the load runs makes the expectation of `step` unknown. */
    void (*want)(struct squall_worker *, const struct squall_step *, struct squall_bytes pattern, uint32_t plain,
                 int32_t receivers);

    /* Times that begin in one worker and may end in another. `key` is the plugin's name for one beginning, unique in the
     * run. Both return 0, or -1 when the worker keeps as many as it can: that time will not be told. */
    /* It begins now. */
    int32_t (*set_out)(struct squall_worker *, uint64_t key);
    /* It ends now, also more than once: the time since its beginning is a value of row `metric`, booked at `step`; at
     * once where it began in this worker, else at the run's end. What never set out has no time. */
    int32_t (*arrived)(struct squall_worker *, const struct squall_step *step, uint32_t metric, uint64_t key);

    /* post() in two parts, for a thread that takes several completions before it hands them over: hold() is post(), its
     * time included, but wakes nobody; the next wake() or post() does, once for all. */
    int32_t (*hold)(struct squall_worker *, void (*fn)(struct squall_worker *, void *arg), void *arg);
    void (*wake)(struct squall_worker *);

    /* Of a secure target, for a plugin with a transport of its own. Valid until the plugin returns. 0, or -1: a file is
     * not there, and the connection has failed with the reason. */
    int32_t (*tls)(struct squall_conn *, struct squall_tls *ret_tls);

    /* NULL while nobody looks on, which is always so under load: `squall try` shows what is sent and received, and for
     * protocols whose bytes tell a reader nothing the plugin says it in words. what: enum squall_trace. From a connection's
     * first SENT or RECEIVED on its bytes are not shown any more; before that, and for a plugin that never calls it, they
     * are. The engine bounds what it shows, and takes secrets out of it; room of out_reserve() outlives the call. */
    void (*trace)(struct squall_conn *, uint32_t what, struct squall_bytes name, struct squall_bytes value);

    /* The exchange has ended, within post()'s fn at the time of that call, but what its end means is not known yet: done()
     * follows soon and tells, and its times are those of this call. Once an exchange. */
    void (*ended)(struct squall_exchange *);

    /* As request_end(), and no answer follows: the exchange ends as SQUALL_OK when the kernel has its last byte, and is in
     * flight until then. bytes_out: size of the request on the wire. What has not been accepted has not been sent: so is
     * who sends without waiting for answers held back to what the peer takes. */
    void (*request_is_all)(struct squall_exchange *, uint64_t bytes_out);
};
/* Whether a host has a function at all, and offers it now: for those that are NULL at times. */
#define SQUALL_HOST_HAS(host, function) \
    ((host)->size > offsetof(struct squall_host, function) && (host)->function != NULL)
#define SQUALL_NO_ANSWER UINT64_MAX
#define SQUALL_AGAIN_MAX 3
#define SQUALL_HOPS_MAX 20

/* ---- Tables: one row makes parser, range check, URL-form flag, help and docs ------------------- */

/* The type of an option and the C type at its offset. */
enum squall_option_type {
    SQUALL_STRING = 1, /* struct squall_bytes */
    SQUALL_UINT,       /* uint64_t */
    SQUALL_DURATION,   /* uint64_t, ns */
    SQUALL_SIZE,       /* uint64_t, bytes */
    SQUALL_BOOL,       /* uint64_t, 0 or 1 */
    SQUALL_CHOICE,     /* uint64_t, an index into choices */
    SQUALL_MAP,        /* struct squall_map */
    SQUALL_TREE,       /* struct squall_tree */
};

struct squall_pair {
    struct squall_bytes name, value;
    struct squall_bytes file; /* of a value that is a file's content: the file's name without folders, and what stood
                                 behind it from a ';' on. Otherwise empty */
};
struct squall_map {
    const struct squall_pair *pairs; /* in the order of the scenario */
    uint64_t count;
};

/* A value of the scenario with lists and maps in it, as JSON text (RFC 8259). Scalars that are ${...} keep the type of
 * what they stand for. */
struct squall_hole {
    uint64_t at, len; /* of a scalar that differs between exchanges, within text */
};
struct squall_tree {
    struct squall_bytes text;         /* empty: not given. In step_init holes read as null */
    const struct squall_hole *holes;  /* ascending; in each exchange as many, in the same order */
    uint64_t hole_count;
};

/* Bits of squall_option.role. */
enum squall_role {
    SQUALL_ROLE_REQUIRED = 1,
    SQUALL_ROLE_URL_PATH = 2, /* in the URL form: filled with the URL's path and query */
    SQUALL_ROLE_URL_TAIL = 4, /* the same without the leading slash */
    SQUALL_ROLE_FILE = 16,    /* STRING: the value is the content of the file that is named. MAP: so are values that begin
                                 with '@'; "@@" stands for "@". Run memory; the same in every exchange */
    SQUALL_ROLE_FLAG_FILE = 32, /* STRING or TREE with a flag: in the URL form "@path" stands for the file's content, "@@" for "@" */
    SQUALL_ROLE_CONN = 8,     /* of a target option: it may differ from user to user; see conn_options() */
};

struct squall_option {
    const char *name;           /* key in the scenario, lower case with dashes */
    const char *flag;           /* URL-form flags, "-X,--method"; "--fast=quick,--safe=slow": flags without a value
                                   of their own that stand for one each; NULL: none */
    const char *metavar;        /* what --help calls the flag's value: "METHOD"; NULL where none takes one */
    const char *help;           /* one line */
    const char *fallback;       /* value when absent, as it would be written; NULL: zero, or an empty value */
    const char *const *choices; /* CHOICE: NULL-terminated. STRING: NULL, or the usual values, likewise: others are taken too,
                                   but a word of a script that nearly is one of them is told as misspelt */
    uint64_t min, max;          /* UINT, DURATION, SIZE: inclusive; max 0 = no limit */
    uint32_t type;              /* enum squall_option_type */
    uint32_t offset;            /* into the options struct */
    uint32_t role;              /* enum squall_role */
    uint32_t verbs;             /* step options: bit i: row i of verbs takes it; 0: all do */
};

/* A kind of step: `NAME: publish words`. Where a protocol has verbs, the first word behind its name is one. */
struct squall_verb {
    const char *name;     /* a lower-case word */
    const char *help;     /* one line */
    const char *headline; /* as squall_protocol.headline, which is NULL then */
};

enum squall_metric_kind { SQUALL_COUNTER = 1, SQUALL_HISTOGRAM };

struct squall_metric {
    const char *name; /* ends in its unit: "gap_ns" */
    const char *help;
    uint32_t kind; /* enum squall_metric_kind */
    uint32_t role; /* enum squall_metric_role */
};

enum squall_metric_role {
    SQUALL_METRIC_DELIVERED = 1, /* HISTOGRAM, of one row at most: each value is a delivery of what sent_to() counted.
                                    The run lasts until a second passes without one */
    SQUALL_METRIC_NOTED = 2,     /* COUNTER of exchanges that did not go as they were hoped to. Where there are any, the
                                    report has a note: `N of M HELP`, M being all exchanges with the target, so that
                                    `help` begins with the word exchanges and says why */
};

struct squall_table {
    const void *rows;
    uint32_t count;  /* at most 64 */
    uint32_t stride; /* sizeof of one row as the plugin was compiled */
    uint64_t size;   /* options: sizeof of the struct that the rows' offsets point into */
};

/* Bits of squall_protocol.flags. */
enum squall_flag {
    SQUALL_OWN_TRANSPORT = 1, /* the plugin moves its own bytes: no phases, no `sent` */
    /* Each user holds a session on a connection of its own: targets are `per-user`, and a connection that was lost is
     * opened again though no exchange waits for it, but for one that the plugin has closed. */
    SQUALL_SESSIONS = 2,
    /* 0 is one of the protocol's statuses: squall_result.code, and what code_name() takes, is the status + 1, and 0 that
     * none was received. Shown is the status. */
    SQUALL_CODES_FROM_0 = 4,
};

struct squall_error {
    char text[512];
};

/* ---- The table that a plugin exports ----------------------------------------------------------- */

struct squall_protocol {
    uint32_t magic; /* SQUALL_PLUGIN_MAGIC */
    uint16_t abi_major, abi_minor;
    uint32_t size;  /* sizeof(struct squall_protocol) as the plugin was compiled */
    uint32_t flags; /* enum squall_flag */
    const char *name;     /* equals the file's name without .so, and is the step's key in a scenario */
    const char *version;
    const char *summary;  /* one line for `squall plugin list` */
    const char *schemes;  /* URL schemes, comma-separated; a scheme that ends in 's' beside one without: TLS */
    const char *alpn;     /* comma-separated, offered under TLS; NULL: none */
    const char *ports;    /* default ports in the order of schemes: "80,443"; NULL: a URL must name one */
    const char *headline; /* names of step options that `NAME: words` fills, space-separated; with fewer
                             words than names the last names are filled: "method path"; the last takes
                             the rest of the line */
    uint32_t worker_size, target_size, user_size, step_size, conn_size, exchange_size;
    struct squall_table target_options, step_options, metrics;

    /* Once for each target and step when the scenario is loaded, in the controller and in each worker. No
     * I/O. Return 0, or -1 with the error filled. `constant_options` has all constant values set and
     * variable ones at zero; `constant`: bit i: row i has the same value in every exchange of the step. Both
     * run memory. */
    int32_t (*target_init)(struct squall_target *, struct squall_error *);                  /* optional */
    void (*target_fini)(struct squall_target *);                                            /* optional */
    int32_t (*step_init)(struct squall_step *, const void *constant_options, uint64_t constant,
                         struct squall_error *);                                            /* optional */
    void (*step_fini)(struct squall_step *);                                                /* optional */
    int32_t (*worker_init)(struct squall_worker *, struct squall_error *);                  /* optional */
    void (*worker_fini)(struct squall_worker *);                                            /* optional */
    void (*user_fini)(struct squall_user *);                                                /* optional */

    /* The transport is up; with SQUALL_OWN_TRANSPORT, a connection is wanted. Ends in capacity() > 0,
     * now or later, or in fail(). */
    void (*connect)(struct squall_conn *);
    /* Bytes from the peer; len 0 is its orderly end, said once. Returns how many were used; the rest comes
     * again with more behind it, up to a cap past which the engine fails the connection. Required unless
     * SQUALL_OWN_TRANSPORT. */
    uint64_t (*receive)(struct squall_conn *, const uint8_t *data, uint64_t len);
    void (*writable)(struct squall_conn *);                                                 /* optional */
    /* Called at the time that it returned last, first right after connect(); 0 = not again. */
    uint64_t (*tick)(struct squall_conn *, uint64_t now_ns);                                /* optional */
    /* The last call for this connection, whoever ended it. Its exchanges have ended. */
    void (*disconnect)(struct squall_conn *);                                               /* optional */

    void (*request)(struct squall_conn *, struct squall_exchange *);
    /* The engine gave up on x (time-out, end of the run). What else happens to the connection is the
     * plugin's to say. */
    void (*cancel)(struct squall_conn *, struct squall_exchange *);
    void (*record)(const struct squall_exchange *, struct squall_recorder *);               /* optional */
    /* A code's name, run memory, or NULL. Any thread, any process, before init too. */
    const char *(*code_name)(uint32_t code);                                                /* optional */

    struct squall_table verbs; /* struct squall_verb, at most 32; none: steps are of one kind. The URL form's step is
                                  of row 0. */
    /* The time for the next message of a paced stream; see every(). */
    void (*turn)(struct squall_conn *, struct squall_exchange *, uint64_t number);          /* optional */
    /* Whether a message to the address goes to receivers of the pattern. 0: no; 1: to each of them; 2: to one. In the
     * controller, before init too. */
    int32_t (*matches)(struct squall_bytes pattern, struct squall_bytes address);           /* optional */
    uint64_t users_advised; /* of one worker: with more, each costs more, which is said before the run; 0: any number */
    const char *awaits;     /* what a peer has to send before its connection has capacity, such as "a CONNACK": for who
                               sees it take too long; NULL: nothing */
};

#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L && UINTPTR_MAX == UINT64_MAX
_Static_assert(sizeof(struct squall_bytes) == 16, "frozen layout");
_Static_assert(sizeof(struct squall_result) == 32, "frozen layout");
_Static_assert(offsetof(struct squall_option, min) == 48, "frozen layout");
_Static_assert(sizeof(struct squall_option) == 80, "frozen layout");
_Static_assert(sizeof(struct squall_metric) == 24, "frozen layout");
_Static_assert(offsetof(struct squall_host, out_reserve) == 32, "frozen layout");
_Static_assert(offsetof(struct squall_protocol, name) == 16, "frozen layout");
_Static_assert(offsetof(struct squall_protocol, worker_size) == 72, "frozen layout");
_Static_assert(offsetof(struct squall_protocol, target_init) == 168, "frozen layout");
#endif

#ifdef __cplusplus
}
#endif
#endif
