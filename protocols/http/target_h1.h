/* HTTP/1.1 for `squall target` (RFC 9112): a connection's state, and what the host's calls come to. */
#ifndef SQUALL_HTTP_TARGET_H1_H
#define SQUALL_HTTP_TARGET_H1_H
#include "target_body.h"
#include "target_head.h"
#include "target_room.h"

struct target_h1 {
    struct target_incoming incoming;
    struct target_body body;
    bool finished; /* the last request has been read, or what cannot be: all that follows is dropped */
    struct target_echo echo;
    uint64_t label_len;
    uint8_t label[TARGET_LABEL_SIZE];
};

struct target_h1_request {
    struct target_answer answer;
    bool begun, version_1_0, echo;
};

/* As in squall/server.h. The state of the connection is handed in; that of a request is struct target_h1_request. */
uint64_t target_h1_receive(struct squall_server_conn *conn, struct target_h1 *h1, const uint8_t *data, uint64_t len);
int32_t target_h1_answer(struct squall_server_conn *conn, struct target_h1 *h1, struct squall_server_request *request);
void target_h1_disconnect(struct target_h1 *h1);

#endif
