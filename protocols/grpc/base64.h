/* Base64 (RFC 4648): the standard alphabet is written; both alphabets are read, with padding or without. */
#ifndef SQUALL_GRPC_BASE64_H
#define SQUALL_GRPC_BASE64_H
#include <stddef.h>
#include <stdint.h>

#define RPC_BASE64_SIZE(len) (((len) + 2) / 3 * 4)

/* Decodes into `out`, which may be `text` itself and has room for len * 3 / 4 bytes. How many came out, or -1. */
int64_t rpc_base64_decode(const char *text, size_t len, uint8_t *out);
/* Writes at most RPC_BASE64_SIZE(len) bytes, unpadded if asked; returns how many. */
size_t rpc_base64_encode(const uint8_t *bytes, size_t len, int padded, char *out);

#endif
