/* A server's end of an HTTP/2 connection. See h2_server.h. */
#include "h2_server.h"
#include <string.h>

/* nghttp2 takes a client for an attacker that resets too many streams. Time-outs of a load test look just like that,
 * and a stream that is gone costs us nothing. */
#define RESETS_AT_ONCE  1000000
#define RESETS_A_SECOND 1000000

int h2_server_run_init(struct h2_server_run *run)
{
    h2_memory_init(&run->memory);
    if (nghttp2_session_callbacks_new(&run->callbacks) || nghttp2_option_new(&run->option))
        return -1;
    nghttp2_option_set_no_closed_streams(run->option, 1);
#ifdef H2_WIDEN_CONTINUATIONS
    nghttp2_option_set_max_continuations(run->option, SIZE_MAX);
#endif
#ifdef H2_WIDEN_RESETS
    nghttp2_option_set_stream_reset_rate_limit(run->option, RESETS_AT_ONCE, RESETS_A_SECOND);
#endif
    return 0;
}

void h2_server_run_fini(struct h2_server_run *run)
{
    nghttp2_session_callbacks_del(run->callbacks);
    nghttp2_option_del(run->option);
    h2_memory_fini(&run->memory);
}

int h2_server_begin(struct h2_server *server, struct squall_server_conn *conn, struct h2_server_run *run, void *arg)
{
    conn->unordered = 1;
    server->conn = conn;
    return nghttp2_session_server_new3(&server->session, run->callbacks, arg, run->option, &run->memory.hooks) ? -1 : 0;
}

void h2_server_end(struct h2_server *server)
{
    nghttp2_session_del(server->session);
}

/* The connection cannot go on: nghttp2 could not say why, so we do. */
static void end_connection(struct h2_server *server, uint32_t error_code)
{
    const struct squall_server_host *host = server->conn->run->host;
    uint8_t frame[17] = {0, 0, 8, NGHTTP2_GOAWAY};
    uint32_t last = (uint32_t)nghttp2_session_get_last_proc_stream_id(server->session);
    for (unsigned i = 0; i < 4; i++) {
        frame[9 + i] = (uint8_t)(last >> (24 - 8 * i));
        frame[13 + i] = (uint8_t)(error_code >> (24 - 8 * i));
    }
    uint8_t *room = host->out_reserve(server->conn, sizeof frame);
    if (room) {
        memcpy(room, frame, sizeof frame);
        host->out_commit(server->conn, sizeof frame);
    }
    host->malformed(server->conn);
}

uint64_t h2_server_receive(struct h2_server *server, const uint8_t *data, uint64_t len)
{
    const struct squall_server_conn *conn = server->conn;
    uint64_t used = 0;
    /* A request has at least one frame, so a part of this length completes no more of them than may arrive. */
    while (used < len && conn->spare) {
        uint64_t most = H2_FRAME_HEAD * (conn->spare - UINT64_C(1)) + 1, part = len - used < most ? len - used : most;
        ssize_t count = nghttp2_session_mem_recv(server->session, data + used, part);
        if (count < 0) {
            end_connection(server, count == NGHTTP2_ERR_NOMEM ? NGHTTP2_INTERNAL_ERROR : NGHTTP2_ENHANCE_YOUR_CALM);
            return len;
        }
        used += (uint64_t)count;
    }
    return used;
}

int h2_server_write(struct h2_server *server)
{
    const struct squall_server_host *host = server->conn->run->host;
    for (;;) {
        ssize_t count =
            server->frame_len ? (ssize_t)server->frame_len : nghttp2_session_mem_send(server->session, &server->frame);
        if (count < 0) {
            end_connection(server, NGHTTP2_INTERNAL_ERROR);
            return 0;
        }
        if (count == 0)
            return 1;
        server->frame_len = (size_t)count;
        uint8_t *room = host->out_reserve(server->conn, server->frame_len);
        if (!room)
            return 0;
        memcpy(room, server->frame, server->frame_len);
        host->out_commit(server->conn, server->frame_len);
        server->frame_len = 0;
    }
}
