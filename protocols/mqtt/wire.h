/*
 * The data representations of MQTT (1.5), for reading and writing. A reader is sticky: after its first fault each take
 * gives zero, so that a caller asks once, at the end. Nothing is read outside [at, end).
 */
#ifndef SQUALL_MQTT_WIRE_H
#define SQUALL_MQTT_WIRE_H
#include "utf8.h"
#include <squall/plugin.h>
#include <stdbool.h>
#include <string.h>

/* Reason codes for the two ways of being wrong (1.2, 4.13). */
#define MQTT_MALFORMED_PACKET 0x81
#define MQTT_PROTOCOL_ERROR   0x82
#define MQTT_TOO_LARGE        0x95

struct mqtt_reader {
    const uint8_t *at, *end;
    const char *why; /* static; NULL: no fault so far */
    uint8_t code;    /* MQTT_MALFORMED_PACKET or MQTT_PROTOCOL_ERROR */
};

static inline void mqtt_fault(struct mqtt_reader *reader, uint8_t code, const char *why)
{
    if (reader->why == NULL) {
        reader->why = why;
        reader->code = code;
    }
    reader->at = reader->end;
}

static inline size_t mqtt_left(const struct mqtt_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

/* True when so many bytes are there; else the packet ends inside of one of its fields. */
static inline bool mqtt_has(struct mqtt_reader *reader, size_t len)
{
    if (mqtt_left(reader) >= len)
        return true;
    mqtt_fault(reader, MQTT_MALFORMED_PACKET, "it ends inside a field (2.1.4)");
    return false;
}

static inline uint8_t mqtt_take_byte(struct mqtt_reader *reader)
{
    return mqtt_has(reader, 1) ? *reader->at++ : 0;
}

static inline uint16_t mqtt_take_u16(struct mqtt_reader *reader)
{
    if (!mqtt_has(reader, 2))
        return 0;
    reader->at += 2;
    return (uint16_t)(reader->at[-2] << 8 | reader->at[-1]);
}

static inline uint32_t mqtt_take_u32(struct mqtt_reader *reader)
{
    uint32_t high = mqtt_take_u16(reader);
    return high << 16 | mqtt_take_u16(reader);
}

/* Variable Byte Integer, in as few bytes as its value needs (1.5.5). */
static inline uint32_t mqtt_take_varint(struct mqtt_reader *reader)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4 && mqtt_has(reader, 1); i++) {
        uint8_t byte = *reader->at++;
        value |= (uint32_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (byte == 0 && i > 0)
            break;
        return value;
    }
    mqtt_fault(reader, MQTT_MALFORMED_PACKET, "a Variable Byte Integer of more bytes than it may have (1.5.5)");
    return 0;
}

static inline struct squall_bytes mqtt_take_bytes(struct mqtt_reader *reader, size_t len)
{
    struct squall_bytes taken = {.data = reader->at, .len = 0};
    if (mqtt_has(reader, len)) {
        taken.len = len;
        reader->at += len;
    }
    return taken;
}

static inline struct squall_bytes mqtt_take_binary(struct mqtt_reader *reader)
{
    size_t len = mqtt_take_u16(reader);
    return mqtt_take_bytes(reader, len);
}

static inline struct squall_bytes mqtt_take_text(struct mqtt_reader *reader)
{
    struct squall_bytes text = mqtt_take_binary(reader);
    if (!mqtt_utf8_valid(text))
        mqtt_fault(reader, MQTT_MALFORMED_PACKET, "a string that is not UTF-8, or holds U+0000 (1.5.4; 3.1.1: 1.5.3)");
    return text;
}

/* ---- writing: each returns the end of what it wrote ---------------------------------------------- */

static inline uint8_t *mqtt_put_u16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return at + 2;
}

static inline uint8_t *mqtt_put_u32(uint8_t *at, uint32_t value)
{
    return mqtt_put_u16(mqtt_put_u16(at, value >> 16), value & 0xffff);
}

static inline unsigned mqtt_varint_size(uint64_t value)
{
    return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

static inline uint8_t *mqtt_put_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 128; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static inline uint8_t *mqtt_put_raw(uint8_t *at, struct squall_bytes bytes)
{
    if (bytes.len > 0)
        memcpy(at, bytes.data, bytes.len);
    return at + bytes.len;
}

/* A string or binary data, at most MQTT_TEXT_MAX bytes. */
static inline uint8_t *mqtt_put_binary(uint8_t *at, struct squall_bytes bytes)
{
    return mqtt_put_raw(mqtt_put_u16(at, (uint32_t)bytes.len), bytes);
}

#endif
