/*
 * The target's host: listens, keeps time, stalls and counts; clients (client.h) and a room (server.h) do the rest.
 * One thread, one loop.
 *
 * Stalls: while one lasts nothing is written, no connection is reset or closed; accepting and reading go on, so the
 * log has true arrivals. When it ends, all that is due goes out at once, as after SIGSTOP and SIGCONT.
 *
 * Identity, checked at the end: arrived = answered + reset + aborted.
 */
#ifndef SQUALL_TARGET_SERVICE_H
#define SQUALL_TARGET_SERVICE_H
#include "base/error.h"
#include "base/list.h"
#include "base/random.h"
#include "engine/loop.h"
#include "target/behaviour.h"
#include "target/deadlines.h"
#include "target/request_log.h"
#include "target/server.h"
#include <openssl/types.h>
#include <stdbool.h>
#include <stdio.h>

#define SERVICE_INPUT_SIZE (64 * 1024) /* of one read */

struct client;

struct service_options {
    const struct squall_server *server;
    const void *server_options; /* the struct that server->options describes */
    struct squall_bytes listen; /* ADDR:PORT, NUL behind it */
    uint64_t public;            /* 1: addresses other than loopback are fine */
    uint64_t duration_ns;       /* 0: until a signal */
    struct squall_distribution delay;
    uint64_t at_once; /* requests that are worked on at a time; 0: no limit */
    struct stalls stalls;
    double reset;         /* probability */
    uint64_t close_after; /* answers a connection; 0: no limit */
    uint64_t seed;
    const char *log_path;          /* NULL: no log */
    uint64_t tls;                  /* 1: every connection is TLS */
    const char *cert, *key, *alpn; /* as in transport_context() */
};

struct service_counts {
    uint64_t connections, arrived, answered, reset, aborted, malformed;
};

struct service {
    const struct service_options *options;
    const struct squall_server *server;
    struct squall_server_run run;
    struct loop *loop;
    SSL_CTX *tls_context; /* NULL: bytes as they are */
    struct loop_io listen_io;
    int listen_fd;
    bool accepting;
    struct random_stream random;
    struct places places;
    struct stalls stalls;
    uint64_t start_ns;
    uint64_t frozen_until_ns; /* the stall that holds ends then; in the past: none holds */
    uint64_t next_stall_ns;   /* the first stall that has not begun; UINT64_MAX: none */
    uint64_t next_flush_ns;   /* of the log */
    uint64_t stop_at_ns;
    struct deadlines deadlines;                  /* one a client */
    struct client *clients;                      /* all that are open */
    struct client *free_clients, *ended_clients; /* ended ones become free ones before the loop sleeps */
    struct client *touched;                      /* something of theirs is due; empty but within wake_due() */
    struct link free_requests;
    struct request_log *log;
    struct service_counts counts;
    uint8_t input[SERVICE_INPUT_SIZE];
};

/* Listens. The options are borrowed for as long as the service lives. NULL with the error filled on failure. */
struct service *service_new(const struct service_options *options, struct error *error);
/* "127.0.0.1:8080", as bound. */
char *service_address(const struct service *service, char *buf, size_t size);
/* Until the duration ends, SIGINT or SIGTERM. */
void service_run(struct service *service);
/* Ends connections, closes the log and frees. 0, or -1 with the error filled when the log is not exact. Takes NULL. */
int service_end(struct service *service, struct service_counts *ret_counts, struct error *error);

/* For clients. */
static inline bool service_frozen(const struct service *service, uint64_t now_ns)
{
    return now_ns < service->frozen_until_ns || now_ns >= service->next_stall_ns;
}
/* Wakes a client once all that is due by now is known. */
void service_touch(struct service *service, struct client *client);
/* A stall that a request asks for. */
void service_stall(struct service *service, uint64_t now_ns, uint64_t length_ns);

#endif
