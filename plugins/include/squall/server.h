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
    uint32_t in_flight; /* requests that have arrived and are not answered yet */
    uint32_t full;      /* 1: as many as a connection may have: begin no further one, leave the input unused */
};

struct squall_server_request {
    void *state;     /* request_size */
    uint64_t last;   /* from answer() on, 1: the connection closes after this answer */
    uint32_t status; /* set by the room before answer() first returns: goes to the log */
};

/* How a request's own text asks to be treated. */
struct squall_server_arrival {
    struct squall_bytes label;               /* for the log; cut at 160 bytes */
    const struct squall_distribution *delay; /* NULL: the target's */
    uint64_t stall_ns;                       /* the whole target freezes for so long, from now on */
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

    /* Numbers with units, whole text: 0 or -1. `type` is SQUALL_UINT, SQUALL_DURATION or SQUALL_SIZE. */
    int32_t (*number_parse)(const char *text, uint32_t type, uint64_t *ret_number);

    /* A request's last byte is in the current input: it is stamped, counted, and will be logged. Never while the
     * connection is `full`; never NULL. */
    struct squall_server_request *(*arrive)(struct squall_server_conn *, const struct squall_server_arrival *);
    /* Room for len bytes, or NULL when the output is at its cap: answer() then returns 0 and is called again. Up to
     * 16 KiB always fit into an empty output. Outside answer() only while in_flight is 0. */
    uint8_t *(*out_reserve)(struct squall_server_conn *, uint64_t len);
    void (*out_commit)(struct squall_server_conn *, uint64_t len);
    /* The input is not of this protocol: it is counted, what was written is sent, the connection closes and
     * nothing more is received on it. Only while in_flight is 0: until then a room leaves the input unused. */
    void (*malformed)(struct squall_server_conn *);
};

struct squall_server {
    const char *name;                    /* "squall target NAME" */
    const char *summary;                 /* one line */
    const struct squall_option *options; /* flags: `flag`, `metavar`, `help` and `fallback` make --help; `offset`
                                            points into the options struct. No SQUALL_MAP, no choices. */
    uint32_t option_count, options_size;
    uint32_t run_size, conn_size, request_size;

    /* Checks the options. 0, or -1 with the error filled. */
    int32_t (*init)(struct squall_server_run *, struct squall_error *);
    /* Returns how many bytes were used. A room keeps its own bounds: what it leaves unused is at most 64 KiB, or
     * the host ends the connection. */
    uint64_t (*receive)(struct squall_server_conn *, const uint8_t *data, uint64_t len);
    /* Writes the answer, or its next part: 1 when it is complete, 0 when the output is full. */
    int32_t (*answer)(struct squall_server_conn *, struct squall_server_request *);
    void (*disconnect)(struct squall_server_conn *); /* optional */
};

#ifdef __cplusplus
}
#endif
#endif
