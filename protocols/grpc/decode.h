/*
 * A message's bytes as JSON text, for checks and for saving values: any bytes give text or a reason. Fields without
 * presence are written when they are absent too, with their default, so that a check finds them; names are the JSON
 * names. Unknown fields are passed over.
 *
 * Bounds: PB_DEPTH_MAX of nesting, the text's own limit, and memory in proportion to the message.
 */
#ifndef SQUALL_GRPC_DECODE_H
#define SQUALL_GRPC_DECODE_H
#include "text.h"
#include "types.h"

/* One occurrence of a known field. */
struct pb_record {
    uint32_t field, order; /* index into the type's fields; place in the message */
    uint32_t wire;
    uint64_t value;      /* VARINT, I32, I64 */
    const uint8_t *data; /* LEN, and a group's inside */
    size_t len;
};

/* Memory that is kept from message to message. Start from zero. */
struct pb_decoder {
    struct pb_record *records;
    size_t count, size;
    size_t merged; /* bytes of messages put together from several records, for now */
    size_t budget;
    unsigned depth;
};
void pb_decoder_fini(struct pb_decoder *decoder);

/* Appends to `text`. NULL, or why the bytes are no such message, run memory. */
const char *pb_decode(struct pb_decoder *decoder, const struct pb_type *type, const uint8_t *data, size_t len,
                      struct pb_text *text);

#endif
