/* Any text as a command line of curl: it ends in a scenario that loads, or in an error. */
#include "new_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *command = malloc(size + 6);
    memcpy(command, "curl ", 5);
    memcpy(command + 5, data, size);
    command[size + 5] = '\0';
    new_check(&(struct squall_import){.argument = command});
    new_check(&(struct squall_import){.kind = "http", .argument = command + 5});
    free(command);
    return 0;
}
