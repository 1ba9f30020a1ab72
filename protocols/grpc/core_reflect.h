/*
 * Reflection by gRPC core: the conversation of questions.h over one call of the first connection that is ready, while
 * the engine's thread goes on. It is bounded by the target's connect time-out: a connection without capacity by then is
 * closed.
 */
#ifndef SQUALL_GRPC_CORE_REFLECT_H
#define SQUALL_GRPC_CORE_REFLECT_H
#include "core_call.h"

/* target->core_asking is c until it is over; then all connections of the target that are ready have capacity, or the
 * scenario is refused. */
void core_reflect_begin(struct core_conn *c);
/* The connection is gone; if it asked, another one does. */
void core_reflect_forget(struct core_conn *c);

#endif
