/* What a server's header fields and bodies can reach beside the codec: cookies, dates, redirects, codings. The first
 * byte says which. */
#include "coding.h"
#include "cookies.h"
#include "location.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drop(void *arg, struct squall_bytes bytes)
{
    *(uint64_t *)arg += bytes.len;
}

static void fuzz_cookies(struct squall_bytes text)
{
    struct cookies cookies = {0};
    struct cookie_place place = {{(const uint8_t *)"a.b.test", 8}, {(const uint8_t *)"/x/y", 4}, true, 5};
    while (text.len) {
        uint64_t len = 0;
        while (len < text.len && text.data[len] != '\n')
            len++;
        cookies_set(&cookies, &place, (struct squall_bytes){text.data, len}, text);
        len += len < text.len;
        text = (struct squall_bytes){text.data + len, text.len - len};
    }
    uint64_t room = cookies_size(&cookies, &place);
    uint8_t *out = malloc(room + 1);
    if (!out || cookies_write(&cookies, &place, out) != room)
        abort();
    free(out);
    cookies_fini(&cookies);
}

static void fuzz_location(struct squall_bytes text)
{
    struct location location;
    const struct squall_bytes authority = {(const uint8_t *)"a.test", 6}, path = {(const uint8_t *)"/b/c/d;p?q", 10};
    if (!location_resolve(text, false, authority, path, &location) &&
        (location.len == 0 || location.len > LOCATION_PATH_MAX || location.path[0] != '/'))
        abort();
}

static void fuzz_coding(struct squall_bytes text, enum coding coding)
{
    struct decoders decoders = {0};
    struct decoder *decoder = decoder_take(&decoders, coding);
    uint64_t made = 0, half = text.len / 2;
    if (!decoder_feed(decoder, (struct squall_bytes){text.data, half}, drop, &made))
        decoder_feed(decoder, (struct squall_bytes){text.data + half, text.len - half}, drop, &made);
    decoder_end(decoder);
    decoder_give(&decoders, decoder);
    decoders_fini(&decoders);
    if (made > CODING_OUTPUT_MAX + 65536)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct squall_bytes text = {data + 1, size - 1};
    if (size == 0)
        return 0;
    switch (data[0] % 5) {
    case 0:
        fuzz_cookies(text);
        break;
    case 1:
        fuzz_location(text);
        break;
    case 2:
        cookie_date(text);
        break;
    case 3:
        fuzz_coding(text, CODING_GZIP);
        break;
    default:
        fuzz_coding(text, CODING_DEFLATE);
    }
    return 0;
}
