/*
 * squall/server.h: the contract between `squall target` and a protocol's part of it.
 *
 * The host owns sockets, time, delays, stalls, resets, the log and all counting; a room knows what the bytes
 * of its protocol mean. It reads requests, says that one has arrived and how its own text asks to be treated,
 * and writes the answer when the host calls for it. Rooms are linked into the program, so this header has no
 * version of its own; everything here runs on one thread.
 *
 * The laws:
 *   1. arrive() never calls answer(): answers are asked for after receive() has returned.
 *   2. Answers are asked for in the order of arrival on a connection, each until answer() returns 1, or the
 *      connection ends first (reset, the client went away, the target stops): then disconnect() follows.
 *   3. Bytes that receive() left unused come again, with more behind them or once an answer has been given.
 *   4. disconnect() is the last call for a connection; its requests are gone by then.
 *
 * Where answers need not keep the order of requests, as with many streams on one connection, receive() sets `unordered`
 * before the first request arrives, and law 2 gives way to these:
 *   5. answer() is called for each request when its own delay is over. It says that the answer may begin, and need not
 *      write; what it returns counts for nothing.
 *   6. write() is called when receive() and answer() have been, and again whenever the output has room after
 *      out_reserve() has returned NULL. All that is due on the connection by then goes out together.
 *   7. The room ends each request by finish(), once: from then on it is the host's, and answer() is not called for it.
 *
 * An answer in parts with time between them, ordered or not: answer() writes a part, or lets write() do so, and calls
 * resume(), by which answer() is called once more when the time is over.
 *
 * State blocks are the host's: sized by the room, zeroed before use, aligned to 16 bytes.
 */
#ifndef SQUALL_SERVER_H
#define SQUALL_SERVER_H

#include <squall/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

struct squall_server_host;

/* A distribution over non-negative integers: of nanoseconds or of bytes. Filled by distribution_parse(). */
struct squall_distribution {
    uint32_t kind;
    uint32_t type;  /* SQUALL_DURATION or SQUALL_SIZE */
    double a, b, c; /* the parameters in the order in which the grammar names them */
};

struct squall_server_run {
    const struct squall_server_host *host;
    const void *options; /* the struct that squall_server.options describes */
    void *state;         /* run_size */
};

struct squall_server_conn {
    void *state; /* conn_size */
    struct squall_server_run *run;
    struct squall_bytes alpn; /* what was agreed on; empty: nothing, or no TLS */
    uint32_t in_flight;       /* requests that have arrived and are not answered yet */
    uint32_t spare;           /* so many more may arrive; 0: begin no further one, leave the input unused */
    uint32_t unordered;       /* set by the room: laws 5 to 7 */
    uint32_t coming; /* kept by the room of an unordered connection: requests that have begun and have not arrived; a
                        connection that is to close waits for them */
};

struct squall_server_request {
    void *state;     /* request_size */
    uint64_t last;   /* from answer() on, 1: the connection closes after this answer; where answers have no order, after
                        this and all others that are in flight */
    uint32_t status; /* set by the room before the request ends: goes to the log */
    uint64_t bytes;  /* of the answer, for the log: added up by the room of an unordered connection, else by the host */
};

/* How a request ends. */
enum squall_server_outcome {
    SQUALL_SERVER_ANSWERED, /* the kernel took all of the answer */
    SQUALL_SERVER_RESET,    /* it was refused or broken off instead, as programmed */
    SQUALL_SERVER_ABORTED,  /* the client gave up or went away, or the target stopped, before the answer was complete */
};

/* How a request's own text asks to be treated. */
struct squall_server_arrival {
    struct squall_bytes label;               /* for the log; cut at 160 bytes */
    const struct squall_distribution *delay; /* NULL: the target's */
    uint64_t stall_ns;                       /* the whole target freezes for so long, from now on */
    uint64_t within_ns;                      /* answer() is called no later than that, whatever the delay; 0: no limit */
    uint32_t reset;                          /* 1: a reset of the connection instead of an answer */
    uint32_t last;                           /* 1: the connection closes after the answer */
};

struct squall_server_host {
    /* Reads "5ms", "uniform(1ms,20ms)" and the like (see target/behaviour.h). `type` says what the numbers are:
     * SQUALL_DURATION (ns) or SQUALL_SIZE (bytes). 0, or -1 with the error filled. */
    int32_t (*distribution_parse)(const char *text, uint32_t type, struct squall_distribution *, struct squall_error *);
    uint64_t (*distribution_draw)(struct squall_server_run *, const struct squall_distribution *);
    /* Uniform in [0, 1), of the target's seeded stream. */
    double (*random_unit)(struct squall_server_run *);

    /* When this turn of the connection began: ns of the clock that arrivals are stamped with. */
    uint64_t (*now_ns)(const struct squall_server_conn *);

    /* Numbers with units, whole text: 0 or -1. `type` is SQUALL_UINT, SQUALL_DURATION or SQUALL_SIZE. */
    int32_t (*number_parse)(const char *text, uint32_t type, uint64_t *ret_number);

    /* A request's last byte is in the current input, or, where a stream goes on for longer, the byte from which on its
     * answer may begin: it is stamped, counted, and will be logged. Never while the connection has none to spare; never
     * NULL. */
    struct squall_server_request *(*arrive)(struct squall_server_conn *, const struct squall_server_arrival *);
    /* After answer() has been called: it is called again in delay_ns, at the earliest when receive() has returned.
     * Asked for again before that, the new time takes the place of the old one. */
    void (*resume)(struct squall_server_request *, uint64_t delay_ns);
    /* Unordered only. ANSWERED and RESET: its last byte is what has been committed last, and it ends once the kernel
     * has that byte; ABORTED: it ends at once, at any time. */
    void (*finish)(struct squall_server_request *, enum squall_server_outcome);
    /* Room for len bytes, or NULL when the output is at its cap: answer() then returns 0 and is called again, or
     * write() is. Up to 64 KiB always fit into an empty output. Ordered: outside answer() only while in_flight is 0. */
    uint8_t *(*out_reserve)(struct squall_server_conn *, uint64_t len);
    void (*out_commit)(struct squall_server_conn *, uint64_t len);
    /* The input is not of this protocol: it is counted, what was written is sent, the connection closes and
     * nothing more is received on it. Ordered: only while in_flight is 0; until then a room leaves the input unused.
     * Unordered: from receive() or write(); requests that are not finished end as aborted, and are gone. */
    void (*malformed)(struct squall_server_conn *);
};

/* What a request's own text may ask for: for --help. */
struct squall_server_parameter {
    const char *name, *metavar, *help;
};

struct squall_server {
    const char *name;                    /* "squall target NAME" */
    const char *summary;                 /* one line */
    const struct squall_option *options; /* flags: `flag`, `metavar`, `help` and `fallback` make --help; `offset`
                                            points into the options struct. No SQUALL_MAP, no choices. */
    uint32_t option_count, options_size;
    const char *parameters_title; /* NULL: there are none */
    const struct squall_server_parameter *parameters;
    uint32_t parameter_count;
    const char *alpn; /* names for ALPN with commas between, the server's order; NULL: none */
    uint32_t run_size, conn_size, request_size;

    /* Checks the options. 0, or -1 with the error filled. */
    int32_t (*init)(struct squall_server_run *, struct squall_error *);
    void (*fini)(struct squall_server_run *); /* optional; the last call; after init() whatever that returned */
    /* Returns how many bytes were used. A room keeps its own bounds: what it leaves unused is at most 64 KiB, or
     * the host ends the connection. */
    uint64_t (*receive)(struct squall_server_conn *, const uint8_t *data, uint64_t len);
    /* Writes the answer, or its next part: 1 when it is complete, 0 when the output is full or after resume(). */
    int32_t (*answer)(struct squall_server_conn *, struct squall_server_request *);
    void (*write)(struct squall_server_conn *);      /* for unordered connections */
    void (*disconnect)(struct squall_server_conn *); /* optional */
};

#ifdef __cplusplus
}
#endif
#endif
