/* Fields of a protobuf message, one after the other, for messages that are few and known. */
#ifndef GRPC_TARGET_FIELDS_H
#define GRPC_TARGET_FIELDS_H
#include "wire.h"

struct pb_cursor {
    const uint8_t *at, *end;
};

struct pb_item {
    uint32_t number;
    enum pb_wire wire;
    uint64_t value;            /* VARINT */
    struct squall_bytes bytes; /* LEN, I64 and I32 */
};

/* 1, 0 at the end, or -1 when the bytes are no message, or hold a group. */
static inline int pb_next(struct pb_cursor *cursor, struct pb_item *ret_item)
{
    uint64_t tag, len = 0;
    if (cursor->at == cursor->end)
        return 0;
    if (pb_read_varint(&cursor->at, cursor->end, &tag) < 0 || tag >> 3 == 0 || tag > UINT32_MAX)
        return -1;
    *ret_item = (struct pb_item){.number = (uint32_t)(tag >> 3), .wire = (enum pb_wire)(tag & 7)};
    switch (ret_item->wire) {
    case PB_VARINT:
        return pb_read_varint(&cursor->at, cursor->end, &ret_item->value) < 0 ? -1 : 1;
    case PB_LEN:
        if (pb_read_varint(&cursor->at, cursor->end, &len) < 0)
            return -1;
        break;
    case PB_I64:
        len = 8;
        break;
    case PB_I32:
        len = 4;
        break;
    default:
        return -1;
    }
    if (len > (uint64_t)(cursor->end - cursor->at))
        return -1;
    ret_item->bytes = (struct squall_bytes){cursor->at, len};
    cursor->at += len;
    return 1;
}

#endif
