/* The response reader on answers that the protocol forbids, on limits, and on random damage. */
#include "h1_trace.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define HEAD           "HTTP/1.1 200 OK\r\n"
#define CHUNKED        HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define NO_STATUS_LINE "not an HTTP/1.x answer: no status line"
#define BAD_CODE       "status code is not three digits between single spaces"
#define CONTROL        "control character in a line of the head or the framing"

static const struct vector {
    const char *input, *reason;
} vectors[] = {
    {"SSH-2.0-OpenSSH_9.2\r\n", NO_STATUS_LINE},
    {"\r\nHTTP/1.1 200 OK\r\n\r\n", NO_STATUS_LINE},
    {"http/1.1 200 OK\r\n\r\n", NO_STATUS_LINE},
    {"HTTP/1 200 OK\r\n\r\n", NO_STATUS_LINE},
    {"HTTP/11 200 OK\r\n\r\n", NO_STATUS_LINE},
    {"HTTP/1.x 200 OK\r\n\r\n", NO_STATUS_LINE},
    {"HTTP/2.0 200 OK\r\n\r\n", "HTTP version of the answer is not 1.x"},
    {"HTTP/1.1\r\n\r\n", BAD_CODE},
    {"HTTP/1.1  200 OK\r\n\r\n", BAD_CODE},
    {"HTTP/1.1\t200 OK\r\n\r\n", BAD_CODE},
    {"HTTP/1.1 20 OK\r\n\r\n", BAD_CODE},
    {"HTTP/1.1 2000 OK\r\n\r\n", BAD_CODE},
    {"HTTP/1.1 -20 OK\r\n\r\n", BAD_CODE},
    {"HTTP/1.1 2x0 OK\r\n\r\n", BAD_CODE},
    {"HTTP/1.1 200-OK\r\n\r\n", BAD_CODE},
    {"HTTP/1.1 200\r\n\r\n", "no space after the status code"},
    {"HTTP/1.1 099 Low\r\n\r\n", "status code below 100"},
    {"\x15\x03\x01", "not an HTTP/1.x answer: control character in the first line"},
    {"HTTP/1.1 200 O\x01K\r\n\r\n", "not an HTTP/1.x answer: control character in the first line"},
    {"HTTP/1.1 200 OK\n\n", "line ends in a bare LF"},
    {HEAD "A: b\nC: d\r\n\r\n", "line ends in a bare LF"},
    {HEAD "\n", "line ends in a bare LF"},
    {HEAD "A: b\rC: d\r\n\r\n", "bare CR in a line"},
    {HEAD "A: b\r\r\n\r\n", "bare CR in a line"},
    {HEAD "A: b\x7f\r\n\r\n", CONTROL},
    {HEAD "A: \x01\r\n\r\n", CONTROL},
    {HEAD "A: b\r\n folded\r\n\r\n", "folded header line (obs-fold)"},
    {HEAD "\tA: b\r\n\r\n", "folded header line (obs-fold)"},
    {HEAD ": b\r\n\r\n", "header line with an empty name"},
    {HEAD "Name\r\n\r\n", "header line without a colon"},
    {HEAD "Name : b\r\n\r\n", "white space in or behind a header name"},
    {HEAD "Two words: b\r\n\r\n", "white space in or behind a header name"},
    {HEAD "N(ame): b\r\n\r\n", "forbidden character in a header name"},
    {HEAD "\xc3\xa4: b\r\n\r\n", "forbidden character in a header name"},
    {HEAD "A-name-of-more-than-sixteen-bytes@: b\r\n\r\n", "forbidden character in a header name"},
    {HEAD "Content-Length:\r\n\r\n", "Content-Length without a number"},
    {HEAD "Content-Length: ,\r\n\r\n", "Content-Length without a number"},
    {HEAD "Content-Length: x\r\n\r\n", "Content-Length is no number"},
    {HEAD "Content-Length: -1\r\n\r\n", "Content-Length is no number"},
    {HEAD "Content-Length: +1\r\n\r\n", "Content-Length is no number"},
    {HEAD "Content-Length: 0x1\r\n\r\n", "Content-Length is no number"},
    {HEAD "Content-Length: 1 1\r\n\r\n", "Content-Length is no number"},
    {HEAD "Content-Length: 1.0\r\n\r\n", "Content-Length is no number"},
    {HEAD "Content-Length: 9223372036854775808\r\n\r\n", "Content-Length too large"},
    {HEAD "Content-Length: 99999999999999999999999\r\n\r\n", "Content-Length too large"},
    {HEAD "Content-Length: 5, 6\r\n\r\n", "Content-Length given twice with different values"},
    {HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", "Content-Length given twice with different values"},
    {HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
     "Transfer-Encoding and Content-Length in one answer"},
    {HEAD "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", "Transfer-Encoding and Content-Length in one answer"},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding in an HTTP/1.0 answer"},
    {HEAD "Transfer-Encoding:\r\n\r\n", "Transfer-Encoding without a coding"},
    {HEAD "Transfer-Encoding: a b\r\n\r\n", "Transfer-Encoding is no list of codings"},
    {HEAD "Transfer-Encoding: \"chunked\"\r\n\r\n", "Transfer-Encoding is no list of codings"},
    {HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n", "the chunked coding applied twice"},
    {HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "the chunked coding applied twice"},
    {HEAD "Transfer-Encoding: chunked;a=b\r\n\r\n", "the chunked coding with parameters"},
    {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "101 Switching Protocols, which was not asked for"},
    {CHUNKED "\r\n", "chunk size is no hexadecimal number"},
    {CHUNKED "x\r\n", "chunk size is no hexadecimal number"},
    {CHUNKED "-1\r\n", "chunk size is no hexadecimal number"},
    {CHUNKED " 1\r\n", "chunk size is no hexadecimal number"},
    {CHUNKED "0x1\r\n", "something other than an extension behind the chunk size"},
    {CHUNKED "1 \r\n", "something other than an extension behind the chunk size"},
    {CHUNKED "1 1\r\n", "something other than an extension behind the chunk size"},
    {CHUNKED "8000000000000000\r\n", "chunk size too large"},
    {CHUNKED "10000000000000000\r\n", "chunk size too large"},
    {CHUNKED "1\n", "line ends in a bare LF"},
    {CHUNKED "1;a\x01\r\n", CONTROL},
    {CHUNKED "1\r\nab\r\n", "chunk data longer than the chunk's size"},
    {CHUNKED "1\r\na\n", "chunk data longer than the chunk's size"},
    {CHUNKED "1\r\na\rb", "chunk data longer than the chunk's size"},
    {CHUNKED "0\r\nA b: c\r\n\r\n", "white space in or behind a header name"},
    {CHUNKED "0\r\nHTTP/1.1 200 OK\r\n\r\n", "forbidden character in a header name"},
};

static struct trace whole, other;

/* `len` bytes read whole and in pieces must be malformed for the same reason, having taken the same bytes. */
static void check(const uint8_t *input, size_t len, const char *name, const char *reason, size_t step_max)
{
    char expected[200];
    trace_run(&whole, input, len, 0, len, false);
    snprintf(expected, sizeof expected, "malformed %s @", reason);
    if (strstr(whole.text, expected) == NULL)
        fail_msg("%s\n  gives %s\n  expected %s", name, whole.text, expected);
    for (size_t step = 1; step <= step_max; step++) {
        trace_run(&other, input, len, 0, step, false);
        if (strcmp(whole.text, other.text) != 0)
            fail_msg("%s\n  whole gives %s\n  in steps of %zu %s", name, whole.text, step, other.text);
    }
}

static void forbidden_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        size_t len = strlen(vectors[i].input);
        check((const uint8_t *)vectors[i].input, len, vectors[i].input, vectors[i].reason, len);
    }
}

static void nul_is_a_control_character(void **state)
{
    (void)state;
    static const uint8_t input[] = HEAD "A: b\0c\r\n\r\n";
    check(input, sizeof input - 1, "NUL in a value", CONTROL, sizeof input);
}

/* prefix, then `unit` repeated, then suffix. */
static uint8_t *build(const char *prefix, const char *unit, size_t count, const char *suffix, size_t *ret_len)
{
    size_t unit_len = strlen(unit), at = strlen(prefix);
    uint8_t *bytes = malloc(at + unit_len * count + strlen(suffix));
    if (bytes == NULL)
        abort();
    memcpy(bytes, prefix, at);
    for (size_t i = 0; i < count; i++, at += unit_len)
        memcpy(bytes + at, unit, unit_len);
    memcpy(bytes + at, suffix, strlen(suffix));
    *ret_len = at + strlen(suffix);
    return bytes;
}

static const struct limit {
    const char *prefix, *unit, *suffix;
    size_t fits; /* so many units are read, one more is not */
    const char *reason;
} limits[] = {
    /* 17 + 3 + units + 2 + 2 = 65536 */
    {HEAD "A: ", "x", "\r\n\r\n", H1_HEAD_MAX - 24, "head larger than 64 KiB"},
    {"HTTP/1.1 200 ", "x", "\r\n\r\n", H1_HEAD_MAX - 17, "head larger than 64 KiB"},
    {HEAD, "A: b\r\n", "\r\n", H1_FIELDS_MAX, "more than 256 header fields"},
    {"", "HTTP/1.1 100 C\r\n\r\n", HEAD "\r\n", H1_INTERIM_MAX, "more than 32 interim answers (1xx)"},
    {CHUNKED "1;", "x", "\r\nx\r\n", H1_CHUNK_LINE_MAX - 4, "chunk size and extensions larger than 4 KiB"},
    {CHUNKED "0\r\nA:", "x", "\r\n\r\n", H1_TRAILER_MAX - 6, "trailer section larger than 16 KiB"},
    {CHUNKED "0\r\n", "A: b\r\n", "\r\n", H1_FIELDS_MAX, "more than 256 header fields"},
};

static void limits_hold_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const struct limit *limit = &limits[i];
        size_t len;
        uint8_t *fits = build(limit->prefix, limit->unit, limit->fits, limit->suffix, &len);
        trace_run(&whole, fits, len, 0, len, false);
        if (strstr(whole.text, "malformed") != NULL || strstr(whole.text, "head 200") == NULL)
            fail_msg("%s: what fits gives %s", limit->reason, whole.text);
        trace_run(&other, fits, len, 0, 1021, false);
        assert_string_equal(whole.text, other.text);
        free(fits);
        uint8_t *over = build(limit->prefix, limit->unit, limit->fits + 1, limit->suffix, &len);
        trace_run(&whole, over, len, 0, len, false);
        check(over, len, limit->reason, limit->reason, 0);
        trace_run(&other, over, len, 0, 1021, false);
        assert_string_equal(whole.text, other.text);
        free(over);
    }
}

/* A line that never ends must cost what its bytes cost, not their square: the reader says how far it has looked. */
static void nothing_is_scanned_twice(void **state)
{
    (void)state;
    struct h1_reader reader = {0};
    struct h1_piece piece;
    static uint8_t line[H1_HEAD_MAX];
    memset(line, 'x', sizeof line);
    h1_expect(&reader, H1_REQUEST_OTHER, H1_FIELDS_NONE);
    for (size_t len = 1; len < sizeof line; len++) {
        const uint8_t *cursor = line;
        assert_int_equal(h1_read(&reader, &cursor, line + len, &piece), H1_MORE);
        assert_ptr_equal(cursor, line);
        assert_int_equal(reader.scanned, len);
    }
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void damage(uint8_t *bytes, size_t *len, uint64_t *seed)
{
    static const uint8_t favourites[] = "\r\n\t :;,0159afxX\x7f\x80";
    for (uint64_t changes = 1 + random_next(seed) % 4; changes > 0 && *len > 1; changes--) {
        size_t at = random_next(seed) % *len;
        switch (random_next(seed) % 4) {
        case 0:
            bytes[at] = (uint8_t)random_next(seed);
            break;
        case 1:
            bytes[at] = favourites[random_next(seed) % (sizeof favourites - 1)];
            break;
        case 2:
            memmove(bytes + at, bytes + at + 1, *len - at - 1);
            --*len;
            break;
        default:
            *len = at + 1;
            break;
        }
    }
}

static void damaged_answers_are_read_the_same_way(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        HEAD "Server: nginx\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\nhello, world" HEAD
             "Content-Length: 0\r\n\r\n",
        CHUNKED "5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
        "HTTP/1.1 103 Hints\r\nLink: </x>\r\n\r\nHTTP/1.0 200 OK\r\nConnection: close\r\n\r\nto the end",
    };
    uint64_t seed = 0x5eed;
    struct h1_known known = {0};
    other.known = &known; /* of the answers before */
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t bytes[512];
        const char *from = seeds[round % 3];
        size_t len = strlen(from);
        memcpy(bytes, from, len);
        damage(bytes, &len, &seed);
        whole.want_fields = other.want_fields = round % 2 == 0;
        trace_run(&whole, bytes, len, 0, len, true);
        trace_run(&other, bytes, len, 0, 1 + random_next(&seed) % (round % 4 == 0 ? 600 : 20), true);
        if (strcmp(whole.text, other.text) != 0)
            fail_msg("round %u:\n  %s\n  %s", round, whole.text, other.text);
    }
    whole.want_fields = other.want_fields = false;
    other.known = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forbidden_answers),
        cmocka_unit_test(nul_is_a_control_character),
        cmocka_unit_test(limits_hold_exactly),
        cmocka_unit_test(nothing_is_scanned_twice),
        cmocka_unit_test(damaged_answers_are_read_the_same_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
