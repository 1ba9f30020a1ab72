/* Messages compressed on their way out (grpc-encoding: gzip). One compressor serves all calls of a worker. */
#ifndef SQUALL_GRPC_GZIP_H
#define SQUALL_GRPC_GZIP_H
#include <squall/plugin.h>
#include <stdbool.h>
#include <zlib.h>

struct rpc_gzip {
    z_stream stream;
    bool begun;
};

/* Start from zero. */
void rpc_gzip_fini(struct rpc_gzip *gzip);
/* Room that `len` bytes need at most. */
size_t rpc_gzip_room(size_t len);
/* Returns the length of what it wrote to `out`, or 0 when there is no memory. */
size_t rpc_gzip_write(struct rpc_gzip *gzip, const uint8_t *data, size_t len, uint8_t *out, size_t room);

#endif
