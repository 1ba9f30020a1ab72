/*
 * MQTT packets from a peer: any bytes are read to the end or refused, and what was read is encoded again to a packet
 * that reads the same. Input: one byte for the peer (bit 0: version 5, bit 1: a client), one for where the bytes are
 * split, packets.
 */
#include "decode.h"
#include "encode.h"
#include "topic.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROWS_MAX 64

static void same(struct squall_bytes one, struct squall_bytes other)
{
    if (one.len != other.len || (one.len > 0 && memcmp(one.data, other.data, one.len) != 0))
        abort();
}

/* Every lazily read part is walked; one that fits into rows is encoded from rows. */
static void walk(struct mqtt_packet *packet, struct mqtt_property *rows)
{
    struct squall_bytes block = packet->properties.encoded, filters = packet->filters.encoded;
    struct mqtt_property property;
    struct mqtt_filter filter;
    uint64_t count = 0;
    for (; mqtt_property_next(&block, &property); count++)
        if (count < ROWS_MAX)
            rows[count] = property;
    if (count <= ROWS_MAX)
        packet->properties = (struct mqtt_properties){.rows = rows, .count = count};
    while (mqtt_filter_next(&filters, packet->type, &filter))
        (void)mqtt_filter_matches(filter.topic, packet->type == MQTT_SUBSCRIBE ? filter.topic : packet->topic);
}

static void encode_again(const struct mqtt_peer *peer, const struct mqtt_packet *packet)
{
    struct mqtt_property rows[ROWS_MAX];
    struct mqtt_packet copy = *packet, again;
    struct mqtt_fault fault;
    walk(&copy, rows);
    uint64_t len = mqtt_encoded_size(&copy);
    uint8_t *room = malloc(len);
    if (room == NULL || len > packet->size || mqtt_encode(room, &copy) != room + len)
        abort();
    if (mqtt_decode(peer, room, len, &again, &fault) != MQTT_PACKET || again.type != packet->type ||
        again.packet_id != packet->packet_id || again.reason != packet->reason ||
        again.properties_seen != packet->properties_seen)
        abort();
    same(again.topic, packet->topic);
    same(again.payload, packet->payload);
    same(again.codes, packet->codes);
    same(again.filters.encoded, packet->filters.encoded);
    same(again.properties.encoded, packet->properties.encoded);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct mqtt_peer peer = {
        .version = data[0] & 1 ? MQTT_5 : MQTT_3_1_1, .client = (data[0] & 2) != 0, .packet_max = 1u << 20};
    const uint8_t *at = data + 2, *end = data + size;
    while (at < end) {
        struct mqtt_packet packet, cut_packet;
        struct mqtt_fault fault, cut_fault;
        uint64_t len = (uint64_t)(end - at), cut = data[1] < len ? data[1] : len;
        enum mqtt_decoded whole = mqtt_decode(&peer, at, len, &packet, &fault);
        enum mqtt_decoded part = mqtt_decode(&peer, at, cut, &cut_packet, &cut_fault);
        /* Fewer bytes may mean "more"; they never change what a packet or a fault is. */
        if (part != MQTT_MORE && part != whole)
            abort();
        if (part == MQTT_BROKEN && (cut_fault.why != fault.why || cut_fault.code != fault.code))
            abort();
        if (whole != MQTT_PACKET)
            return 0;
        if (packet.size > len || packet.size < 2)
            abort();
        encode_again(&peer, &packet);
        at += packet.size;
    }
    return 0;
}
