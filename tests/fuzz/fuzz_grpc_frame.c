/*
 * Length-prefixed messages as they come in DATA: whole and in pieces they are read the same way, and what is told adds
 * up. The same bytes serve as a status message, as base64 and as a list of status codes.
 */
#include "base64.h"
#include "frame.h"
#include "status.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t mix(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * UINT64_C(0x100000001b3);
}

static uint64_t read_all(const uint8_t *data, size_t len, size_t step)
{
    struct rpc_frame_reader reader = {0};
    const uint8_t *at = data;
    uint64_t sum = 1, got = 0;
    for (size_t come = 0; come < len;) {
        enum rpc_frame_event event;
        struct squall_bytes piece;
        come = len - come > step ? come + step : len;
        while ((event = rpc_frame_read(&reader, &at, data + come, &piece)) != RPC_FRAME_MORE) {
            if (event == RPC_FRAME_MALFORMED)
                return mix(sum, 99);
            if (event == RPC_FRAME_BYTES) {
                got += piece.len;
                for (uint64_t i = 0; i < piece.len; i++)
                    sum = mix(sum, piece.data[i]);
                continue;
            }
            if (event == RPC_FRAME_END && got != reader.length)
                abort();
            got = 0;
            sum = mix(mix(sum, event), reader.length * UINT64_C(2) + reader.compressed);
        }
        if (at != data + come)
            abort();
    }
    return mix(sum, (uint64_t)rpc_frame_is_between(&reader));
}

static void read_texts(struct squall_bytes text)
{
    char out[64];
    uint32_t codes;
    struct squall_error error;
    if (rpc_message_decode(text, out, sizeof out) >= sizeof out)
        abort();
    rpc_expect_parse(text, &codes, &error);
    rpc_status_parse(text, &codes);
    uint8_t *bytes = malloc(text.len + 1);
    char *again = malloc(RPC_BASE64_SIZE(text.len) + 1);
    if (bytes == NULL || again == NULL)
        abort();
    int64_t len = rpc_base64_decode((const char *)text.data, text.len, bytes);
    if (len >= 0 && rpc_base64_encode(bytes, (size_t)len, 1, again) > RPC_BASE64_SIZE(text.len))
        abort();
    free(bytes);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    if (read_all(data + 1, size - 1, size) != read_all(data + 1, size - 1, data[0] == 0 ? 1 : data[0]))
        abort();
    read_texts((struct squall_bytes){data + 1, size - 1});
    return 0;
}
