/*
 * Bytes of the protobuf encoding, written from the end to the beginning: what stands inside a message is there before
 * its length is wanted, so that no length is ever patched or computed ahead.
 */
#ifndef SQUALL_GRPC_WIRE_H
#define SQUALL_GRPC_WIRE_H
#include "types.h"
#include <string.h>

#define PB_VARINT_MAX 10

/* Written is [at, end); free is [begin, at). */
struct pb_out {
    uint8_t *begin, *at, *end;
};

static inline size_t pb_varint_size(uint64_t value)
{
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

/* 0, or -1 when there is no room. */
static inline int pb_put(struct pb_out *out, const void *bytes, size_t len)
{
    if ((size_t)(out->at - out->begin) < len)
        return -1;
    out->at -= len;
    if (len > 0)
        memcpy(out->at, bytes, len);
    return 0;
}

static inline int pb_put_varint(struct pb_out *out, uint64_t value)
{
    size_t size = pb_varint_size(value);
    if ((size_t)(out->at - out->begin) < size)
        return -1;
    out->at -= size;
    for (size_t i = 0; i < size; i++, value >>= 7)
        out->at[i] = (uint8_t)((value & 0x7f) | (i + 1 < size ? 0x80 : 0));
    return 0;
}

static inline int pb_put_fixed(struct pb_out *out, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++, value >>= 8)
        bytes[i] = (uint8_t)value;
    return pb_put(out, bytes, size);
}

static inline uint32_t pb_tag(uint32_t number, enum pb_wire wire)
{
    return number << 3 | (uint32_t)wire;
}

/* Reads a varint at *at: 0, or -1 when it is cut or longer than 10 bytes. */
static inline int pb_read_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        if (byte < 0x80) {
            *ret_value = value;
            return 0;
        }
    }
    return -1;
}

#endif
