/* Header fields that gRPC writes in a way of its own (doc/PROTOCOL-HTTP2.md): the time-out, and metadata. */
#ifndef SQUALL_GRPC_FIELDS_H
#define SQUALL_GRPC_FIELDS_H
#include <squall/plugin.h>

#define RPC_TIMEOUT_MAX 10

/* grpc-timeout: at most 8 digits and a unit, in the finest unit that holds it, rounded up. Returns the length. */
size_t rpc_timeout_write(uint64_t timeout_ns, char text[RPC_TIMEOUT_MAX]);
/* 0, or -1 when it is none. At most 99,999,999 hours. */
int rpc_timeout_parse(struct squall_bytes text, uint64_t *ret_timeout_ns);

/* Whether the metadata's values are bytes and travel as base64: the name ends in "-bin". */
int rpc_metadata_is_binary(struct squall_bytes name);
/* NULL, or why this cannot be sent as metadata: names of lower-case letters, digits and "_-.", none of those that the
 * protocol uses itself; values of printable ASCII unless the name ends in "-bin". */
const char *rpc_metadata_check(struct squall_bytes name, struct squall_bytes value);
const char *rpc_metadata_check_name(struct squall_bytes name);
const char *rpc_metadata_check_value(struct squall_bytes name, struct squall_bytes value);

#endif
