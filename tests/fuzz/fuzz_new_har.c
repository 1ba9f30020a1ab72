/* Any bytes as a browser's recording: it ends in a scenario that loads, or in an error. */
#include "new_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    new_check_file("x.har", data, size);
    return 0;
}
