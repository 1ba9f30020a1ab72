/*
 * What clients send to the http room of `squall target`, in either version: any bytes are read, refused or answered;
 * the room keeps the laws of squall/server.h, and nothing of a connection is left when it has ended. Input: a byte of
 * choices (bit 0: the room speaks HTTP/2 alone; the others in fake_target.h), a byte for the size of the pieces, what
 * the client sends.
 */
#include "fake_target.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const struct squall_server squall_server_http;

static const char *option(const struct squall_option *row, uint8_t choices)
{
    return strcmp(row->name, "only") == 0 && choices & 1 ? "2" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    fake_target_run(
        &(struct fake_target){.server = &squall_server_http, .option = option, .choices = data[0], .step = data[1]},
        data + 2, size - 2);
    return 0;
}
