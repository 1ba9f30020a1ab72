/* Tracks from a worker: any bytes are read or refused, and what was read is packed to the same again. */
#include "metrics/tracks.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool match(const void *arg, const struct track *address, const struct track *pattern, bool *ret_shared)
{
    (void)arg;
    *ret_shared = pattern->len > 3;
    return address->len >= pattern->len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tracks tracks = {0}, again = {0};
    struct buffer packed = {0};
    struct error error = {0};
    struct deliveries deliveries[4] = {{0}};
    if (tracks_unpack(data, size, 4, &tracks, &error) == 0) {
        if (tracks_pack(&tracks, &packed) < 0 || tracks_unpack(packed.data, packed.len, 4, &again, &error) < 0 ||
            again.count != tracks.count || again.refused != tracks.refused)
            abort();
        tracks_join(&tracks, match, NULL, deliveries);
    }
    buffer_fini(&packed);
    tracks_fini(&tracks);
    tracks_fini(&again);
    return 0;
}
