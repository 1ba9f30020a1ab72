/*
 * Asking a server for its services: gRPC's ServerReflection, v1 and where there is none v1alpha, over one stream of the
 * first connection to the target. What is asked is questions.h's.
 */
#ifndef SQUALL_GRPC_REFLECT_H
#define SQUALL_GRPC_REFLECT_H
#include <squall/plugin.h>

struct rpc_call;
struct rpc_conn;
struct rpc_reflection;

#define RPC_WITHOUT       "give the .proto files with proto, or a descriptor-set"
#define RPC_NO_REFLECTION "the server has no reflection service; " RPC_WITHOUT

/* Begins; the connection's `reflection` is set until it is over. 0, or -1: no memory. */
int rpc_reflection_begin(struct rpc_conn *c);
void rpc_reflection_free(struct rpc_reflection *reflection);
/* A message has come. */
void rpc_reflection_answer(struct rpc_reflection *reflection, struct squall_bytes message);
/* The stream cannot go on; told to the host when the session has returned. */
void rpc_reflection_failed(struct rpc_reflection *reflection, const char *why);
/* The server has ended the stream, with the call's status or for a reason. */
void rpc_reflection_ended(struct rpc_reflection *reflection, const struct rpc_call *call, const char *reason);
/* Once the session has returned: the next question, or the end. NULL, or why the session is over. */
const char *rpc_reflection_go_on(struct rpc_conn *c);

#endif
