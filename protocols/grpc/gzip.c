/* gzip, by zlib. See gzip.h. */
#include "gzip.h"

#define GZIP_WINDOW (15 + 16) /* zlib's way to ask for gzip's header and trailer */

void rpc_gzip_fini(struct rpc_gzip *gzip)
{
    if (gzip->begun)
        deflateEnd(&gzip->stream);
    gzip->begun = false;
}

size_t rpc_gzip_room(size_t len)
{
    return compressBound((uLong)len) + 32;
}

size_t rpc_gzip_write(struct rpc_gzip *gzip, const uint8_t *data, size_t len, uint8_t *out, size_t room)
{
    z_stream *stream = &gzip->stream;
    if (!gzip->begun &&
        deflateInit2(stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return 0;
    gzip->begun = true;
    deflateReset(stream);
    stream->next_in = (Bytef *)(uintptr_t)data; /* zlib only reads it */
    stream->avail_in = (uInt)len;
    stream->next_out = out;
    stream->avail_out = (uInt)room;
    return deflate(stream, Z_FINISH) == Z_STREAM_END ? room - stream->avail_out : 0;
}
