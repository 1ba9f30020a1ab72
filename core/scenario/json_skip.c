/*
 * See json_skip.h. 64 bytes at a time become four words of 64 bits, one bit a byte: which are quotes, which
 * backslashes, which open, which close. Which of them lie within strings is then a matter of a few shifts (the running
 * parity of the quotes), and only the brackets outside of strings are looked at one by one. The words come from SSE2
 * where it is there and from a plain loop elsewhere; all else is the same code for both.
 */
#include "scenario/json_skip.h"
#include <stdbool.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define BLOCK 64u

/* Bit i stands for byte i of a block. */
struct marks {
    uint64_t quotes, slashes, opens, closes;
};

#if defined(__SSE2__)
static inline __m128i load(const uint8_t *at)
{
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

static inline uint64_t equal_bits(const __m128i part[4], char byte)
{
    const __m128i wanted = _mm_set1_epi8(byte);
    uint64_t bits = 0;
    for (unsigned i = 0; i < 4; i++)
        bits |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(part[i], wanted)) << 16 * i;
    return bits;
}

static inline bool holds(const __m128i part[4], char byte)
{
    const __m128i wanted = _mm_set1_epi8(byte);
    __m128i first = _mm_or_si128(_mm_cmpeq_epi8(part[0], wanted), _mm_cmpeq_epi8(part[1], wanted));
    __m128i second = _mm_or_si128(_mm_cmpeq_epi8(part[2], wanted), _mm_cmpeq_epi8(part[3], wanted));
    return _mm_movemask_epi8(_mm_or_si128(first, second)) != 0;
}

static inline struct marks mark(const uint8_t *at)
{
    const __m128i part[4] = {load(at), load(at + 16), load(at + 32), load(at + 48)};
    struct marks marks = {.quotes = equal_bits(part, '"')};
    if (holds(part, '\\')) /* seldom */
        marks.slashes = equal_bits(part, '\\');
    /* Bit 5 set makes '[' the same as '{', ']' the same as '}', and nothing else so. */
    const __m128i bit = _mm_set1_epi8(0x20);
    const __m128i folded[4] = {_mm_or_si128(part[0], bit), _mm_or_si128(part[1], bit), _mm_or_si128(part[2], bit),
                               _mm_or_si128(part[3], bit)};
    marks.opens = equal_bits(folded, '{');
    marks.closes = equal_bits(folded, '}');
    return marks;
}

/* The first quote or backslash in [at, end), or a place in front of it. */
static inline const uint8_t *near_quote(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 16; at += 16) {
        __m128i part = load(at);
        __m128i found =
            _mm_or_si128(_mm_cmpeq_epi8(part, _mm_set1_epi8('"')), _mm_cmpeq_epi8(part, _mm_set1_epi8('\\')));
        unsigned bits = (unsigned)_mm_movemask_epi8(found);
        if (bits)
            return at + __builtin_ctz(bits);
    }
    return at;
}
#else
static inline struct marks mark(const uint8_t *at)
{
    struct marks marks = {0};
    for (unsigned i = 0; i < BLOCK; i++) {
        uint64_t bit = UINT64_C(1) << i;
        uint8_t folded = at[i] | 0x20;
        if (at[i] == '"')
            marks.quotes |= bit;
        else if (at[i] == '\\')
            marks.slashes |= bit;
        else if (folded == '{')
            marks.opens |= bit;
        else if (folded == '}')
            marks.closes |= bit;
    }
    return marks;
}

static inline const uint8_t *near_quote(const uint8_t *at, const uint8_t *end)
{
    (void)end;
    return at;
}
#endif

const uint8_t *json_skip_string(const uint8_t *at, const uint8_t *end)
{
    for (at = near_quote(at + 1, end); at < end && *at != '"';) {
        if (*at == '\\' && ++at == end)
            return NULL;
        at = near_quote(at + 1, end);
    }
    return at < end ? at + 1 : NULL;
}

/* The bytes that a backslash stands before. *carry: one ended the block before; then one ends this. */
static uint64_t escaped_bits(uint64_t slashes, uint64_t *carry)
{
    uint64_t escaped = *carry;
    *carry = 0;
    slashes &= ~escaped;
    while (slashes) {
        uint64_t slash = slashes & (~slashes + 1);
        escaped |= slash << 1;
        *carry = slash >> (BLOCK - 1);
        slashes &= ~(slash | slash << 1);
    }
    return escaped;
}

/* Bit i becomes the parity of the bits up to it: from an opening quote up to the byte before its closing one. */
static inline uint64_t running_parity(uint64_t bits)
{
    for (unsigned shift = 1; shift < BLOCK; shift *= 2)
        bits ^= bits << shift;
    return bits;
}

const uint8_t *json_skip_nested(const uint8_t *at, const uint8_t *end)
{
    uint64_t within = 0; /* all bits set: the block begins inside of a string */
    uint64_t carry = 0;
    uint32_t depth = 0;
    while (at < end) {
        uint8_t rest[BLOCK];
        const uint8_t *block = at;
        if ((size_t)(end - at) < BLOCK) {
            memset(rest, 0, sizeof rest);
            memcpy(rest, at, (size_t)(end - at));
            block = rest;
        }
        struct marks marks = mark(block);
        if (marks.slashes | carry)
            marks.quotes &= ~escaped_bits(marks.slashes, &carry);
        uint64_t strings = running_parity(marks.quotes) ^ within;
        within = UINT64_C(0) - (strings >> (BLOCK - 1));
        for (uint64_t brackets = (marks.opens | marks.closes) & ~strings; brackets; brackets &= brackets - 1) {
            if (marks.opens & brackets & (~brackets + 1)) {
                if (++depth > JSON_DEPTH_MAX)
                    return NULL;
            } else if (--depth == 0) {
                return at + __builtin_ctzll(brackets) + 1;
            }
        }
        at += BLOCK;
        if (block == rest)
            break;
    }
    return NULL;
}
