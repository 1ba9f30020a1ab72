/* Any bytes as a description of an API: it ends in a scenario that loads, or in an error. */
#include "new_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    new_check_file("openapi.yaml", data, size);
    return 0;
}
