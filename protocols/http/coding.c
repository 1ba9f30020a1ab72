/* Content codings. See coding.h. */
#include "coding.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PIECE     16384
#define GZIP_BITS (15 + 16) /* as inflateInit2 wants it */

static bool is_word(struct squall_bytes text, const char *word)
{
    return text.len == strlen(word) && strncasecmp((const char *)text.data, word, text.len) == 0;
}

enum coding coding_of(struct squall_bytes value)
{
    while (value.len && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value.data++;
        value.len--;
    }
    while (value.len && (value.data[value.len - 1] == ' ' || value.data[value.len - 1] == '\t'))
        value.len--;
    if (value.len == 0 || is_word(value, "identity"))
        return CODING_NONE;
    if (is_word(value, "gzip") || is_word(value, "x-gzip"))
        return CODING_GZIP;
    return is_word(value, "deflate") ? CODING_DEFLATE : CODING_OTHER;
}

struct decoder *decoder_take(struct decoders *decoders, enum coding coding)
{
    struct decoder *decoder = decoders->free;
    if (decoder) {
        decoders->free = decoder->next;
    } else {
        decoder = calloc(1, sizeof *decoder);
        if (decoder && inflateInit2(&decoder->stream, GZIP_BITS) != Z_OK) {
            free(decoder);
            return NULL;
        }
        if (!decoder)
            return NULL;
    }
    decoder->coding = coding;
    decoder->begun = decoder->ended = false;
    decoder->output = 0;
    return decoder;
}

void decoder_give(struct decoders *decoders, struct decoder *decoder)
{
    if (!decoder)
        return;
    decoder->next = decoders->free;
    decoders->free = decoder;
}

void decoders_fini(struct decoders *decoders)
{
    while (decoders->free) {
        struct decoder *decoder = decoders->free;
        decoders->free = decoder->next;
        inflateEnd(&decoder->stream);
        free(decoder);
    }
}

/* "deflate" means zlib's wrapping (RFC 1950), and servers that send the bare data (RFC 1951) are many: the first byte
 * tells, since the method in its low half is 8 in the one and no block type of the other that encoders write. */
static int begin(struct decoder *decoder, uint8_t first)
{
    int bits = decoder->coding == CODING_GZIP ? GZIP_BITS : (first & 15) == Z_DEFLATED ? 15 : -15;
    decoder->begun = true;
    return inflateReset2(&decoder->stream, bits);
}

const char *decoder_feed(struct decoder *decoder, struct squall_bytes bytes,
                         void (*out)(void *arg, struct squall_bytes), void *arg)
{
    static const char broken[] = "the body is not of the coding that its Content-Encoding says";
    uint8_t piece[PIECE];
    z_stream *stream = &decoder->stream;
    if (bytes.len == 0 || decoder->ended)
        return NULL;
    if (!decoder->begun && begin(decoder, bytes.data[0]) != Z_OK)
        return broken;
    stream->next_in = (z_const Bytef *)(uintptr_t)bytes.data;
    stream->avail_in = (uInt)bytes.len;
    do {
        stream->next_out = piece;
        stream->avail_out = PIECE;
        int status = inflate(stream, Z_NO_FLUSH);
        if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
            return broken;
        uint64_t made = PIECE - stream->avail_out;
        if (made)
            out(arg, (struct squall_bytes){piece, made});
        decoder->output += made;
        decoder->ended = status == Z_STREAM_END || decoder->output >= CODING_OUTPUT_MAX;
    } while (!decoder->ended && (stream->avail_out == 0 || stream->avail_in > 0));
    return NULL;
}

const char *decoder_end(const struct decoder *decoder)
{
    return decoder->ended || !decoder->begun ? NULL : "the body ends before its coding does";
}
