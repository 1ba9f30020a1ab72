/* Times that cross workers, from a worker: any bytes are read or refused, what was read is packed to the same again, and
 * the join stays within the series that there are. */
#include "metrics/crossings.h"
#include <stdlib.h>

#define SERIES 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *arg, uint32_t series, uint32_t metric, uint64_t ns)
{
    uint64_t *count = arg;
    (void)metric;
    (void)ns;
    if (series >= SERIES)
        abort();
    ++*count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crossings crossings = {0}, again = {0};
    struct buffer packed = {0};
    struct error error = {0};
    uint64_t joined = 0;
    if (crossings_unpack(data, size, SERIES, &crossings, &error) == 0) {
        if (crossings_pack(&crossings, &packed) < 0 || crossings_unpack(packed.data, packed.len, SERIES, &again, &error) < 0 ||
            again.start_count != crossings.start_count || again.end_count != crossings.end_count)
            abort();
        crossings_join(&crossings, take, &joined);
        if (joined > crossings.end_count)
            abort();
    }
    buffer_fini(&packed);
    crossings_fini(&crossings);
    crossings_fini(&again);
    return 0;
}
