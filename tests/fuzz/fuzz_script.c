/* Any bytes as a script: looking through them ends, finds nothing that is not there, and reads nothing behind their end. */
#include "script/scan.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const protocols[] = {"web", "bus"};
    struct arena arena;
    struct scan scan;
    arena_init(&arena);
    scan_script((const char *)data, size, protocols, 2, &arena, &scan);
    for (uint32_t i = 0; i < scan.call_count; i++) {
        const struct scan_call *call = &scan.calls[i];
        if (!scan_has(&scan, call->protocol) || (call->word && !scan_has(&scan, call->word)) || (call->text && !scan_has(&scan, call->text)) ||
            (call->name && !scan_has(&scan, call->name)))
            abort();
    }
    for (uint32_t i = 1; i < scan.word_count; i++)
        if (strcmp(scan.words[i - 1], scan.words[i]) >= 0)
            abort();
    arena_fini(&arena);
    return 0;
}
