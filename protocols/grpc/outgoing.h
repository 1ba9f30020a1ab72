/*
 * The messages of one call's request: those that never change stand framed in the step, the others are encoded anew for
 * each call, into memory that the next call takes over. For both engines.
 */
#ifndef SQUALL_GRPC_OUTGOING_H
#define SQUALL_GRPC_OUTGOING_H
#include "step.h"

/* Start from zero. */
struct rpc_outgoing {
    struct rpc_buffer bytes; /* messages of which some vary, framed */
    size_t *ends;            /* of each, in `bytes` */
    size_t size;             /* places in `ends` */
};
void rpc_outgoing_fini(struct rpc_outgoing *outgoing);

/* Encodes those that vary. NULL, or why not, static or in `reason`. gzip: NULL where whoever sends compresses. */
const char *rpc_outgoing_prepare(struct rpc_outgoing *outgoing, const struct rpc_step *step,
                                 const struct rpc_step_options *options, struct rpc_gzip *gzip,
                                 char reason[RPC_REASON_MAX]);
/* Message `number` of the call, from 0 up and again from the first behind the last: its prefix, then the message. */
struct squall_bytes rpc_outgoing_message(const struct rpc_outgoing *outgoing, const struct rpc_step *step,
                                         uint64_t number);

#endif
