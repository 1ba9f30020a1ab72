/*
 * A client's requests, from arrive() to the kernel's having the answer. client.c reads and decides when there is a
 * turn; here is what a turn does. What writes may end the client: its state says so.
 */
#ifndef SQUALL_TARGET_ANSWERING_H
#define SQUALL_TARGET_ANSWERING_H
#include "target/client.h"

#define CLIENT_OUTPUT_MAX   (256 * 1024)
#define CLIENT_REQUESTS_MAX 1024 /* not wholly answered, a connection */

/* Sends what there is; stamps the answers that the kernel has now taken. */
void client_flush(struct client *client);
static inline bool client_output_empty(const struct client *client)
{
    return client->output_start == client->output.len;
}
/* In order: writes all answers that are due; true when there was one. */
bool client_answer_due(struct client *client);
/* Unordered: lets the room write until it has no more, or neither the output nor the kernel takes any more. */
void client_write_ready(struct client *client);
/* Ends all requests of a list as aborted. */
void client_abort(struct client *client, struct link *list, uint64_t now_ns);

/* The host functions that act on a client and its requests. */
uint64_t client_now_ns(const struct squall_server_conn *conn);
struct squall_server_request *client_arrive(struct squall_server_conn *conn,
                                            const struct squall_server_arrival *arrival);
void client_resume(struct squall_server_request *room, uint64_t delay_ns);
void client_finish(struct squall_server_request *room, enum squall_server_outcome outcome);
uint8_t *client_out_reserve(struct squall_server_conn *conn, uint64_t len);
void client_out_commit(struct squall_server_conn *conn, uint64_t len);
void client_malformed(struct squall_server_conn *conn);

#endif
