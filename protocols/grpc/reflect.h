/*
 * Asking a server for its services: gRPC's ServerReflection, v1 and where there is none v1alpha, over one stream of the
 * first connection to the target. The files that define the services of the steps are asked for by symbol, and what
 * they import by name, until nothing is missing. A service that the server does not know leads to its list of
 * services, for the nearest name.
 *
 * Bounds: one question at a time, at most PB_FILES_MAX files and RPC_QUESTIONS_MAX questions, answers of at most
 * max-receive.
 *
 * Source: grpc/reflection/v1/reflection.proto.
 */
#ifndef GRPC_REFLECT_H
#define GRPC_REFLECT_H
#include <squall/plugin.h>
#include <stdbool.h>

struct rpc_call;
struct rpc_conn;
struct rpc_reflection;

#define RPC_QUESTIONS_MAX 10000

/* Begins; the connection's `reflection` is set until it is over. 0, or -1: no memory. */
int rpc_reflection_begin(struct rpc_conn *c);
void rpc_reflection_free(struct rpc_reflection *reflection);
/* A ServerReflectionResponse. NULL, or why it is none. */
const char *rpc_reflection_answer(struct rpc_reflection *reflection, struct squall_bytes message);
/* The stream cannot go on; told to the host when the session has returned. */
void rpc_reflection_failed(struct rpc_reflection *reflection, const char *why);
/* The server has ended the stream, with the call's status or for a reason. */
void rpc_reflection_ended(struct rpc_reflection *reflection, const struct rpc_call *call, const char *reason);
/* Once the session has returned: the next question, or the end. NULL, or why the session is over. */
const char *rpc_reflection_go_on(struct rpc_conn *c);

/* One answer taken apart, for the above and for its tests. */
struct rpc_reflected {
    void (*file)(void *arg, struct squall_bytes descriptor);
    void (*service)(void *arg, struct squall_bytes name);
    void *arg;
    uint64_t error_code; /* 0: none */
    char error_text[200];
};
const char *rpc_reflected_read(struct rpc_reflected *answer, struct squall_bytes message);

#endif
