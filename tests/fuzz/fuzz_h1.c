/*
 * HTTP/1.1 answers from a server: any bytes are read to the end or refused, and read the same way whole and in pieces,
 * with a head remembered or without.
 * Input: one byte for the request (kind in bits 0 and 1, fields wanted in bit 2), one for the size of the pieces,
 * answers.
 */
#include "h1.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* All that the reader says, as one number: body bytes count one by one, so that pieces of a body do not. */
struct digest {
    uint64_t sum;
};

static void add(struct digest *digest, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        digest->sum = (digest->sum ^ data[i]) * UINT64_C(0x100000001b3);
}

static void add_number(struct digest *digest, uint64_t number)
{
    add(digest, (const uint8_t *)&number, sizeof number);
}

static void add_event(struct digest *digest, const struct h1_reader *reader, enum h1_event event,
                      const struct h1_piece *piece)
{
    if (event != H1_BODY)
        add_number(digest, (uint64_t)event);
    if (event == H1_FIELD)
        add(digest, piece->name, piece->name_len);
    if (event == H1_FIELD || event == H1_BODY)
        add(digest, piece->data, piece->data_len);
    if (event == H1_HEAD)
        add_number(digest, reader->status * UINT64_C(16) + reader->framing * UINT64_C(2) + reader->keep_alive);
    if (event == H1_MALFORMED)
        add(digest, (const uint8_t *)reader->reason, strlen(reader->reason));
    if (event == H1_END || event == H1_MALFORMED)
        add_number(digest, reader->wire_bytes);
}

static uint64_t read_all(uint8_t request, const uint8_t *data, size_t len, size_t step, struct h1_known *known)
{
    enum h1_request_kind kind = (enum h1_request_kind)((request & 3) % 3);
    struct h1_reader reader = {.known = known};
    struct digest digest = {UINT64_C(0xcbf29ce484222325)};
    const uint8_t *cursor = data, *last = data + len;
    h1_expect(&reader, kind, (enum h1_fields_wanted)((request >> 2 & 3) % 3));
    for (size_t come = 0; come < len;) {
        come = len - come > step ? come + step : len;
        const uint8_t *end = data + come;
        struct h1_piece piece = {0};
        enum h1_event event;
        while ((event = h1_read(&reader, &cursor, end, &piece)) != H1_MORE) {
            add_event(&digest, &reader, event, &piece);
            if (cursor > end)
                abort();
            if (event == H1_MALFORMED)
                return digest.sum;
            if (event == H1_END)
                h1_expect(&reader, kind, (enum h1_fields_wanted)((request >> 2 & 3) % 3));
        }
    }
    if ((size_t)(last - cursor) > H1_HEAD_MAX)
        abort(); /* it asks the caller to hold more than any line may have */
    char reason[H1_REASON_MAX];
    if (h1_read_end(&reader, reason) != H1_END)
        add(&digest, (const uint8_t *)reason, strlen(reason));
    return digest.sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t step = data[1] == 0 ? 1 : data[1];
    struct h1_known known = {0};
    uint64_t whole = read_all(data[0], data + 2, size - 2, size, NULL);
    uint64_t pieces = read_all(data[0], data + 2, size - 2, step, NULL);
    uint64_t learning = read_all(data[0], data + 2, size - 2, size, &known);
    uint64_t knowing = read_all(data[0], data + 2, size - 2, size, &known);
    uint64_t knowing_pieces = read_all(data[0], data + 2, size - 2, step, &known);
    if (whole != pieces || whole != learning || whole != knowing || whole != knowing_pieces)
        abort();
    return 0;
}
