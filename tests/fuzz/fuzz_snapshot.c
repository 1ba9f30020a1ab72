/* Snapshots from a peer: any bytes are refused or read into a store of the run's shape; what was read packs again. */
#include "metrics/snapshot.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t metric_counts[] = {0, 2, 1};
    struct snapshot snapshot = {0};
    struct buffer again = {0};
    struct error error;
    store_init(&snapshot.store, 3, metric_counts, 2);
    if (snapshot_unpack(data, size, &snapshot, &error) == 0) {
        if (snapshot_pack(&snapshot, &again) < 0 || snapshot_unpack(again.data, again.len, &snapshot, &error) < 0)
            abort();
    }
    store_fini(&snapshot.store);
    buffer_fini(&again);
    return 0;
}
