/*
 * Byte classes of HTTP/1.1 and the two scans that the reader spends its time in.
 *
 * Both scans read only bytes in [p, end). With SSE2 they look at 16 bytes at a time and leave the rest to the table,
 * so both ways must agree: the tests run every input with and without room for a 16-byte step.
 */
#ifndef SQUALL_HTTP_H1_SCAN_H
#define SQUALL_HTTP_H1_SCAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum h1_class {
    H1_TOKEN = 1,  /* tchar, RFC 9110 5.6.2 */
    H1_TEXT = 2,   /* HTAB, SP, VCHAR, obs-text: what a field value or a reason phrase may hold, RFC 9110 5.5 */
    H1_TARGET = 4, /* may stand in a request target: VCHAR but '#' (RFC 9112 3.2), and bytes above 127 as they come */
};
extern const uint8_t h1_classes[256];

static inline bool h1_is(uint8_t byte, enum h1_class class)
{
    return (h1_classes[byte] & (unsigned)class) != 0;
}

/* The first byte that is no H1_TEXT, or end: finds a line's end and forbidden control characters in one go. */
static inline const uint8_t *h1_scan_text(const uint8_t *p, const uint8_t *end)
{
#if defined(__SSE2__)
    const __m128i last_control = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8(0x09), del = _mm_set1_epi8(0x7f);
    while (end - p >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i stop = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
        stop = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, tab), stop);
        stop = _mm_or_si128(stop, _mm_cmpeq_epi8(bytes, del));
        int mask = _mm_movemask_epi8(stop);
        if (mask != 0)
            return p + __builtin_ctz((unsigned)mask);
        p += 16;
    }
#endif
    while (p < end && h1_is(*p, H1_TEXT))
        p++;
    return p;
}

/* The first byte that is no H1_TOKEN, or end. Letters and '-' go 16 at a time: nearly all names are made of them. */
static inline const uint8_t *h1_scan_token(const uint8_t *p, const uint8_t *end)
{
#if defined(__SSE2__)
    const __m128i lower = _mm_set1_epi8(0x20), first = _mm_set1_epi8('a'), span = _mm_set1_epi8('z' - 'a');
    const __m128i dash = _mm_set1_epi8('-');
    while (end - p >= 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i place = _mm_sub_epi8(_mm_or_si128(bytes, lower), first);
        __m128i letter = _mm_cmpeq_epi8(_mm_min_epu8(place, span), place);
        int mask = _mm_movemask_epi8(_mm_or_si128(letter, _mm_cmpeq_epi8(bytes, dash))) ^ 0xffff;
        if (mask != 0) {
            p += __builtin_ctz((unsigned)mask);
            break;
        }
        p += 16;
    }
#endif
    while (p < end && h1_is(*p, H1_TOKEN))
        p++;
    return p;
}

/* Compares with a lower-case literal without regard to case, RFC 9110 5.1. Only for tokens: setting bit 5 folds no two
 * token characters together but the cases of a letter, and '^' with '~', which no name here contains. */
static inline bool h1_token_is(const uint8_t *token, size_t len, const char *literal, size_t literal_len)
{
    if (len != literal_len)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((token[i] | 0x20) != (uint8_t)literal[i])
            return false;
    return true;
}

#endif
