/*
 * A server's HTTP/2 connection between nghttp2 and the seam of `squall target`, for every protocol that is served on
 * top of HTTP/2: bytes in and out, and the end of a connection that cannot go on. What frames mean is the callbacks'
 * affair; their argument is what h2_server_begin() was given.
 *
 * At most one frame is held here, when the host's output has no room for it.
 */
#ifndef SQUALL_HTTP_H2_SERVER_H
#define SQUALL_HTTP_H2_SERVER_H
#include "h2_memory.h"
#include <squall/server.h>

#define H2_FRAME_HEAD 9 /* bytes; no request is shorter */

/* What all connections share. */
struct h2_server_run {
    nghttp2_session_callbacks *callbacks; /* to be filled before the first connection, as are the options */
    nghttp2_option *option;
    struct h2_memory memory; /* of all sessions */
};

struct h2_server {
    nghttp2_session *session;
    struct squall_server_conn *conn;
    const uint8_t *frame; /* nghttp2's; the output had no room for it */
    size_t frame_len;
};

/* 0, or -1: no memory. */
int h2_server_run_init(struct h2_server_run *run);
/* After all connections; takes one that is zeroed. */
void h2_server_run_fini(struct h2_server_run *run);

/* A connection's answers have no order from now on. 0, or -1: no memory; h2_server_end() follows in either case. */
int h2_server_begin(struct h2_server *server, struct squall_server_conn *conn, struct h2_server_run *run, void *arg);
void h2_server_end(struct h2_server *server);
/* As receive() of squall/server.h. No more requests arrive by it than the connection has to spare, if each arrives with
 * a frame of its own. */
uint64_t h2_server_receive(struct h2_server *server, const uint8_t *data, uint64_t len);
/* Writes what the session has to send. 1: all of it; 0: the output is full, or the connection has ended. */
int h2_server_write(struct h2_server *server);

#endif
