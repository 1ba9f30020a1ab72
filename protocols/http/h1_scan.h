/*
 * Byte classes of HTTP/1.1, the two scans that the reader spends its time in, and the question that the writer asks of
 * each part of a request.
 *
 * All read only bytes in [p, end). With SSE2 they look at 16 bytes at a time and leave the rest to the table, so both
 * ways must agree: the tests run every input with and without room for a 16-byte step.
 */
#ifndef SQUALL_HTTP_H1_SCAN_H
#define SQUALL_HTTP_H1_SCAN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
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

#if defined(__SSE2__)
static inline __m128i h1_load_16(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* Bit i of each: byte i is no H1_TEXT; */
static inline unsigned h1_no_text(__m128i bytes)
{
    __m128i stop = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    stop = _mm_andnot_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t')), stop);
    stop = _mm_or_si128(stop, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
    return (unsigned)_mm_movemask_epi8(stop);
}

/* ... is no letter and no '-', of which nearly all names are made; */
static inline unsigned h1_no_name(__m128i bytes)
{
    __m128i place = _mm_sub_epi8(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), _mm_set1_epi8('a'));
    __m128i letter = _mm_cmpeq_epi8(_mm_min_epu8(place, _mm_set1_epi8('z' - 'a')), place);
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(letter, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')))) ^ 0xffffU;
}

/* ... is no H1_TARGET. */
static inline unsigned h1_no_target(__m128i bytes)
{
    __m128i stop = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x20)), bytes);
    stop = _mm_or_si128(stop, _mm_cmpeq_epi8(bytes, _mm_set1_epi8('#')));
    stop = _mm_or_si128(stop, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
    return (unsigned)_mm_movemask_epi8(stop);
}
#endif

/* The 16 bytes that were looked at last: the next line begins in them, so half of the work for it is done. */
struct h1_scan {
    const uint8_t *block; /* NULL: none yet */
    unsigned stops;
};

/* The first byte in [p, end) that is no H1_TEXT, or end: finds a line's end and forbidden control characters in one go.
 * Calls with one `scan` take growing p and the same end. */
static inline const uint8_t *h1_scan_on(struct h1_scan *scan, const uint8_t *p, const uint8_t *end)
{
#if defined(__SSE2__)
    uintptr_t into = (uintptr_t)p - (uintptr_t)scan->block;
    if (into < 16) {
        unsigned stops = scan->stops >> into;
        if (stops != 0)
            return p + __builtin_ctz(stops);
        p = scan->block + 16;
    }
    for (; end - p >= 16; p += 16) {
        unsigned stops = h1_no_text(h1_load_16(p));
        if (stops != 0) {
            scan->block = p;
            scan->stops = stops;
            return p + __builtin_ctz(stops);
        }
    }
#else
    (void)scan;
#endif
    while (p < end && h1_is(*p, H1_TEXT))
        p++;
    return p;
}

static inline const uint8_t *h1_scan_text(const uint8_t *p, const uint8_t *end)
{
    struct h1_scan scan = {0};
    return h1_scan_on(&scan, p, end);
}

/* The first byte in [p, end) that is no H1_TOKEN, or end. */
static inline const uint8_t *h1_scan_token(const uint8_t *p, const uint8_t *end)
{
#if defined(__SSE2__)
    while (end - p >= 16) {
        unsigned others = h1_no_name(h1_load_16(p));
        if (others != 0) {
            p += __builtin_ctz(others);
            if (*p == ':')
                return p;
            break;
        }
        p += 16;
    }
#endif
    while (p < end && h1_is(*p, H1_TOKEN))
        p++;
    return p;
}

/* ---- whole texts: is every byte of a class? ---- */

static inline bool h1_all_plain(const uint8_t *p, size_t len, enum h1_class class)
{
    for (size_t i = 0; i < len; i++)
        if (!h1_is(p[i], class))
            return false;
    return true;
}

#if defined(__SSE2__)
/* 4 to 16 bytes at p, some of them twice: for questions to which it makes no difference. */
static inline __m128i h1_load_some(const uint8_t *p, size_t len)
{
    if (len >= 16)
        return h1_load_16(p);
    if (len >= 8)
        return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)p),
                                  _mm_loadl_epi64((const __m128i *)(const void *)(p + len - 8)));
    int32_t first, last;
    memcpy(&first, p, sizeof first);
    memcpy(&last, p + len - 4, sizeof last);
    return _mm_set_epi32(last, first, last, first);
}

/* H1_TOKEN: not one of those of which nearly all tokens are made. */
static inline unsigned h1_others(__m128i bytes, enum h1_class class)
{
    return class == H1_TOKEN ? h1_no_name(bytes) : class == H1_TEXT ? h1_no_text(bytes) : h1_no_target(bytes);
}
#endif

static inline bool h1_all(const uint8_t *p, size_t len, enum h1_class class)
{
#if defined(__SSE2__)
    if (len >= 4) {
        unsigned others = h1_others(h1_load_some(p, len), class);
        for (size_t at = 16; at < len; at += 16)
            others |= h1_others(h1_load_16(p + (at + 16 <= len ? at : len - 16)), class);
        if (others == 0)
            return true;
        if (class != H1_TOKEN)
            return false;
    }
#endif
    return h1_all_plain(p, len, class);
}

/* Compares with a lower-case literal without regard to case, RFC 9110 5.1. Setting bit 5 folds a letter's cases
 * together, and no other character into a letter. */
static inline bool h1_token_is(const uint8_t *token, size_t len, const char *literal, size_t literal_len)
{
    if (len != literal_len)
        return false;
    for (size_t i = 0; i < len; i++)
        if ((token[i] | 0x20) != (uint8_t)literal[i])
            return false;
    return true;
}

/* Eight bytes in lower case, as one number. */
static inline uint64_t h1_lower_8(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word | UINT64_C(0x2020202020202020);
}
/* The same comparison for the first eight bytes, which must be readable; the literal becomes a constant. */
#define H1_IS_8(p, literal) (h1_lower_8(p) == h1_lower_8((const uint8_t *)(literal)))

#endif
