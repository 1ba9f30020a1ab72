/* The table of well-formed byte sequences of RFC 3629 4, as one pass. Most strings of MQTT are ASCII: eight at a time.
 */
#include "utf8.h"
#include <string.h>

/* Bytes of the sequence that begins at p, at most `left`; 0: none is well-formed. */
static size_t sequence(const uint8_t *p, size_t left)
{
    uint8_t first = p[0], low = 0x80, high = 0xbf;
    size_t len = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (first < 0xc2 || first > 0xf4 || left < len)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

/* No byte of the word is 0 or above 0x7f. */
static bool plain_word(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return (((word - UINT64_C(0x0101010101010101)) | word) & UINT64_C(0x8080808080808080)) == 0;
}

bool mqtt_utf8_valid(struct squall_bytes text)
{
    const uint8_t *p = text.data, *end = p != NULL ? p + text.len : NULL;
    while (p < end) {
        if (end - p >= 8 && plain_word(p)) {
            p += 8;
        } else if (*p < 0x80) {
            if (*p++ == 0)
                return false;
        } else {
            size_t len = sequence(p, (size_t)(end - p));
            if (len == 0)
                return false;
            p += len;
        }
    }
    return true;
}
