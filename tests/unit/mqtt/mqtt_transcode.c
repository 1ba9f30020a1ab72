/*
 * Reads lines "VERSION SIDE HEX" (4 or 5; c: from a client, s: from a server), decodes the packet, encodes it again
 * from its fields and writes two lines: what was decoded, and the new bytes in hexadecimal. A packet that is refused
 * gives "broken: why", and no bytes.
 */
#include "packet_text.h"
#include <stdlib.h>

#define BYTES_MAX 65536

static size_t from_hex(const char *hex, uint8_t *bytes)
{
    size_t len = 0;
    unsigned byte;
    for (; len < BYTES_MAX && sscanf(hex + 2 * len, "%2x", &byte) == 1; len++)
        bytes[len] = (uint8_t)byte;
    return len;
}

static void transcode(const struct mqtt_peer *peer, const uint8_t *data, size_t len)
{
    static struct packet_text line;
    static struct packet_rows rows;
    static uint8_t again[2 * BYTES_MAX];
    struct mqtt_packet packet;
    struct mqtt_fault fault;
    enum mqtt_decoded decoded = mqtt_decode(peer, data, len, &packet, &fault);
    if (decoded != MQTT_PACKET || packet.size != len) {
        printf("broken: %s\n\n", decoded == MQTT_BROKEN ? fault.why : "not one whole packet");
        return;
    }
    struct mqtt_packet copy = packet_in_rows(&packet, &rows);
    uint64_t size = mqtt_encoded_size(&copy);
    if (size > sizeof again || mqtt_encode(again, &copy) != again + size)
        abort();
    puts(packet_describe(&line, &packet));
    for (uint64_t i = 0; i < size; i++)
        printf("%02x", again[i]);
    putchar('\n');
}

int main(void)
{
    static char hex[2 * BYTES_MAX + 16];
    static uint8_t bytes[BYTES_MAX];
    unsigned version;
    char side;
    while (scanf("%u %c %131072s", &version, &side, hex) == 3) {
        struct mqtt_peer peer = {.version = (uint8_t)version, .client = side == 'c', .packet_max = MQTT_PACKET_MAX};
        transcode(&peer, bytes, from_hex(hex, bytes));
        fflush(stdout);
    }
    return 0;
}
