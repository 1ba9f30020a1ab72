/*
 * The status of a call: codes, names, what HTTP says instead, and the two trailers that carry it.
 *
 * Sources: gRPC's doc/statuscodes.md, doc/PROTOCOL-HTTP2.md, doc/http-grpc-status-mapping.md.
 */
#ifndef SQUALL_GRPC_STATUS_H
#define SQUALL_GRPC_STATUS_H
#include <squall/plugin.h>

enum rpc_code {
    RPC_OK = 0,
    RPC_CANCELLED,
    RPC_UNKNOWN,
    RPC_INVALID_ARGUMENT,
    RPC_DEADLINE_EXCEEDED,
    RPC_NOT_FOUND,
    RPC_ALREADY_EXISTS,
    RPC_PERMISSION_DENIED,
    RPC_RESOURCE_EXHAUSTED,
    RPC_FAILED_PRECONDITION,
    RPC_ABORTED,
    RPC_OUT_OF_RANGE,
    RPC_UNIMPLEMENTED,
    RPC_INTERNAL,
    RPC_UNAVAILABLE,
    RPC_DATA_LOSS,
    RPC_UNAUTHENTICATED,
    RPC_CODES,
};

/* squall_result.code is 0 when no status came, so a status goes there as code + 1. */
#define RPC_RESULT_CODE(code) ((code) + 1u)

/* "NOT_FOUND", or NULL when there is no such code. */
const char *rpc_code_name(uint32_t code);
/* The name of a result's code: that of the status, or NULL. */
const char *rpc_result_name(uint32_t result_code);
/* A name in any case, or a number: 0, or -1. */
int rpc_code_parse(struct squall_bytes text, uint32_t *ret_code);
/* The value of grpc-status: 0, or -1 when it is no number of at most 3 digits. Unknown numbers are UNKNOWN. */
int rpc_status_parse(struct squall_bytes value, uint32_t *ret_code);
/* What a client has to make of an answer that is not gRPC's. */
uint32_t rpc_code_of_http(uint32_t http_status);
/* What a client has to make of RST_STREAM with that error code. */
uint32_t rpc_code_of_reset(uint32_t h2_error);
/* Decodes grpc-message in percent-encoding into at most `size` bytes, NUL included; returns its length. What is no
 * escape stays as it is, and control characters become '?'. */
size_t rpc_message_decode(struct squall_bytes value, char *out, size_t size);

/* Encodes it, and returns the length. */
#define RPC_MESSAGE_SIZE(len) (3 * (len))
size_t rpc_message_encode(const char *text, size_t len, char *out);

/* Which codes a step takes for ok: a bit each. */
int rpc_expect_parse(struct squall_bytes text, uint32_t *ret_codes, struct squall_error *error);

#endif
