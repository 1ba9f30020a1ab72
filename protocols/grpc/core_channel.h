/* A connection of the core engine: one channel with one subchannel of its own, plain or with TLS. */
#ifndef SQUALL_GRPC_CORE_CHANNEL_H
#define SQUALL_GRPC_CORE_CHANNEL_H
#include "core_call.h"

#define CORE_WHY_MAX 160

/* squall_protocol.connect and disconnect. */
void core_connect(struct squall_conn *conn);
void core_disconnect(struct squall_conn *conn);
/* At the worker's end: those whose last event core has kept. */
void core_watches_free(struct core_worker *worker);

#endif
