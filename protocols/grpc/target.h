/*
 * A gRPC target: where its message types come from, and the steps that wait for them. From files they are there when
 * the scenario is loaded; from the server's reflection, once a first connection has asked (reflect.c, core_reflect.c).
 * Until then no connection has capacity.
 */
#ifndef SQUALL_GRPC_TARGET_H
#define SQUALL_GRPC_TARGET_H
#include "options.h"
#include "schema.h"
#include "step.h"
#include <h2_session.h> /* the http room's library, for every protocol on top of HTTP/2 */

struct rpc_conn;
struct core_conn;

/* squall_target.state */
struct rpc_target {
    const struct rpc_target_options *options;
    struct pb_schema *schema;
    struct h2_options h2;
    struct squall_bytes authority;
    bool secure;
    bool plain;             /* whoever sends messages compresses them */
    bool bound;             /* every step knows its messages: calls can be made */
    struct rpc_step *steps; /* in the scenario's order */
    struct rpc_step **steps_end;
    struct rpc_conn *asking;       /* that connection asks the server for its services */
    struct rpc_conn *waiting;      /* connections without capacity, until it knows */
    struct core_conn *core_asking; /* as `asking`, on gRPC core */
};

int32_t rpc_target_init(struct squall_target *view, struct squall_error *error);
void rpc_target_fini(struct squall_target *view);
/* Whether the server has to be asked. */
bool rpc_target_reflects(const struct rpc_target *target);
/* Gives every step its method and messages. 0, or -1 with the first one that does not fit, and what is wrong with it.
 */
int rpc_target_bind(struct rpc_target *target, const struct rpc_step **ret_step, struct squall_error *error);

#endif
