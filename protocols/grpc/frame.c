/* The message framing. See frame.h. */
#include "frame.h"

enum rpc_frame_event rpc_frame_read(struct rpc_frame_reader *reader, const uint8_t **at, const uint8_t *end,
                                    struct squall_bytes *ret_piece)
{
    if (reader->inside) {
        if (reader->left == 0) {
            reader->inside = 0;
            reader->have = 0;
            return RPC_FRAME_END;
        }
        uint64_t here = (uint64_t)(end - *at);
        if (here == 0)
            return RPC_FRAME_MORE;
        uint32_t len = here < reader->left ? (uint32_t)here : reader->left;
        *ret_piece = (struct squall_bytes){.data = *at, .len = len};
        *at += len;
        reader->left -= len;
        return RPC_FRAME_BYTES;
    }
    while (reader->have < RPC_PREFIX) {
        if (*at == end)
            return RPC_FRAME_MORE;
        reader->prefix[reader->have++] = *(*at)++;
        if (reader->prefix[0] > 1)
            return RPC_FRAME_MALFORMED;
    }
    const uint8_t *p = reader->prefix;
    reader->compressed = p[0];
    reader->length = (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
    reader->left = reader->length;
    reader->inside = 1;
    return RPC_FRAME_BEGIN;
}

int rpc_frame_is_between(const struct rpc_frame_reader *reader)
{
    return !reader->inside && reader->have == 0;
}

void rpc_frame_prefix(uint8_t prefix[RPC_PREFIX], int compressed, uint32_t length)
{
    prefix[0] = compressed ? 1 : 0;
    for (unsigned i = 0; i < 4; i++)
        prefix[1 + i] = (uint8_t)(length >> (24 - 8 * i));
}
