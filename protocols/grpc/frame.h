/*
 * Messages within a stream of DATA: a byte that says whether the message is compressed, four bytes of length, the
 * message (Length-Prefixed-Message of gRPC's doc/PROTOCOL-HTTP2.md). Keeps no bytes but the prefix: what to do with the
 * message is the caller's.
 */
#ifndef SQUALL_GRPC_FRAME_H
#define SQUALL_GRPC_FRAME_H
#include <squall/plugin.h>

#define RPC_PREFIX 5

enum rpc_frame_event {
    RPC_FRAME_MORE,  /* all is read */
    RPC_FRAME_BEGIN, /* a message begins; its length and compressed are known */
    RPC_FRAME_BYTES, /* a piece of it; for an empty message there is none */
    RPC_FRAME_END,   /* it is complete */
    RPC_FRAME_MALFORMED,
};

/* Start from zero. */
struct rpc_frame_reader {
    uint8_t prefix[RPC_PREFIX];
    uint8_t have;   /* bytes of the prefix */
    uint8_t inside; /* BEGIN was told, END was not */
    uint8_t compressed;
    uint32_t length, left;
};

/* Reads on from *at. */
enum rpc_frame_event rpc_frame_read(struct rpc_frame_reader *reader, const uint8_t **at, const uint8_t *end,
                                    struct squall_bytes *ret_piece);
/* Whether the stream may end here: not within a message. */
int rpc_frame_is_between(const struct rpc_frame_reader *reader);
void rpc_frame_prefix(uint8_t prefix[RPC_PREFIX], int compressed, uint32_t length);

#endif
