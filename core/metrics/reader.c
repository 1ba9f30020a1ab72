/* A bounded reader of MessagePack. See reader.h. */
#include "metrics/reader.h"
#include <string.h>

enum kind { KIND_OTHER, KIND_UINT, KIND_DOUBLE, KIND_TEXT, KIND_ARRAY, KIND_MAP, KIND_NIL };

/* What stands at the head of a value. */
struct head {
    enum kind kind;
    uint64_t number; /* the value of a UINT, bits of a DOUBLE, length of a TEXT, count of an ARRAY or a MAP */
    uint64_t body;   /* bytes behind the head that belong to the value itself */
    uint64_t inside; /* values behind it that it holds */
};

void reader_init(struct reader *reader, const uint8_t *data, size_t len)
{
    *reader = (struct reader){.start = data, .at = data, .end = data + len};
}

void reader_fail(struct reader *reader, const char *why)
{
    if (!reader->why)
        reader->why = why;
}

static uint64_t left(const struct reader *reader)
{
    return (uint64_t)(reader->end - reader->at);
}

/* A big-endian number of 1, 2, 4 or 8 bytes. */
static uint64_t big_endian(struct reader *reader, unsigned bytes)
{
    uint64_t number = 0;
    if (left(reader) < bytes) {
        reader_fail(reader, "the message ends inside a value");
        return 0;
    }
    for (unsigned i = 0; i < bytes; i++)
        number = number << 8 | reader->at[i];
    reader->at += bytes;
    return number;
}

/* Types 0xc0 to 0xdf: those with a byte of their own. */
static void read_marked(struct reader *reader, unsigned type, struct head *head)
{
    static const struct {
        uint8_t kind, length_bytes, body;
    } types[32] = {
        [0x00] = {KIND_NIL, 0, 0},   [0x02] = {KIND_OTHER, 0, 0}, [0x03] = {KIND_OTHER, 0, 0},
        [0x04] = {KIND_OTHER, 1, 0}, [0x05] = {KIND_OTHER, 2, 0}, [0x06] = {KIND_OTHER, 4, 0}, /* bin */
        [0x07] = {KIND_OTHER, 1, 1}, [0x08] = {KIND_OTHER, 2, 1}, [0x09] = {KIND_OTHER, 4, 1}, /* ext */
        [0x0a] = {KIND_OTHER, 0, 4}, [0x0b] = {KIND_DOUBLE, 8, 0},                             /* float */
        [0x0c] = {KIND_UINT, 1, 0},  [0x0d] = {KIND_UINT, 2, 0},  [0x0e] = {KIND_UINT, 4, 0},
        [0x0f] = {KIND_UINT, 8, 0},  [0x10] = {KIND_OTHER, 0, 1}, [0x11] = {KIND_OTHER, 0, 2}, /* int */
        [0x12] = {KIND_OTHER, 0, 4}, [0x13] = {KIND_OTHER, 0, 8}, [0x14] = {KIND_OTHER, 0, 2}, /* fixext */
        [0x15] = {KIND_OTHER, 0, 3}, [0x16] = {KIND_OTHER, 0, 5}, [0x17] = {KIND_OTHER, 0, 9},
        [0x18] = {KIND_OTHER, 0, 17}, [0x19] = {KIND_TEXT, 1, 0}, [0x1a] = {KIND_TEXT, 2, 0},
        [0x1b] = {KIND_TEXT, 4, 0},  [0x1c] = {KIND_ARRAY, 2, 0}, [0x1d] = {KIND_ARRAY, 4, 0},
        [0x1e] = {KIND_MAP, 2, 0},   [0x1f] = {KIND_MAP, 4, 0},
    };
    if (type == 0xc1) {
        reader_fail(reader, "a type that the format forbids");
        return;
    }
    head->kind = (enum kind)types[type - 0xc0].kind;
    head->body = types[type - 0xc0].body;
    head->number = types[type - 0xc0].length_bytes ? big_endian(reader, types[type - 0xc0].length_bytes) : 0;
    if (head->kind == KIND_OTHER || head->kind == KIND_TEXT)
        head->body += head->number;
}

static struct head read_head(struct reader *reader)
{
    struct head head = {0};
    if (reader->why)
        return head;
    unsigned type = (unsigned)big_endian(reader, 1);
    if (type < 0x80)
        head = (struct head){.kind = KIND_UINT, .number = type};
    else if (type < 0x90)
        head = (struct head){.kind = KIND_MAP, .number = type & 0x0f};
    else if (type < 0xa0)
        head = (struct head){.kind = KIND_ARRAY, .number = type & 0x0f};
    else if (type < 0xc0)
        head = (struct head){.kind = KIND_TEXT, .number = type & 0x1f, .body = type & 0x1f};
    else if (type < 0xe0)
        read_marked(reader, type, &head);
    if (head.kind == KIND_ARRAY || head.kind == KIND_MAP)
        head.inside = head.kind == KIND_MAP ? 2 * head.number : head.number;
    /* Each value takes a byte at least: what claims more than is left is refused before anyone loops over it. */
    if (head.body > left(reader) || head.inside > left(reader))
        reader_fail(reader, "a length that goes past the end of the message");
    return head;
}

/* The head, if it is of that kind; else a failure and a head of zeros. */
static struct head expect(struct reader *reader, enum kind kind, const char *why)
{
    struct head head = read_head(reader);
    if (!reader->why && head.kind != kind)
        reader_fail(reader, why);
    return reader->why ? (struct head){0} : head;
}

uint64_t reader_any_uint(struct reader *reader, uint64_t most)
{
    struct head head = expect(reader, KIND_UINT, "something else where a whole number belongs");
    if (head.number <= most)
        return head.number;
    reader_fail(reader, "a number out of its range");
    return 0;
}

double reader_double(struct reader *reader)
{
    struct head head = read_head(reader);
    double value = 0;
    if (reader->why)
        return 0;
    if (head.kind == KIND_UINT)
        return (double)head.number;
    if (head.kind != KIND_DOUBLE)
        reader_fail(reader, "something else where a number belongs");
    else
        memcpy(&value, &head.number, sizeof(value));
    return value;
}

const char *reader_text(struct reader *reader, size_t *ret_len)
{
    struct head head = expect(reader, KIND_TEXT, "something else where a text belongs");
    const char *text = (const char *)reader->at;
    *ret_len = (size_t)head.body;
    reader->at += head.body;
    return text;
}

uint32_t reader_array(struct reader *reader)
{
    return (uint32_t)expect(reader, KIND_ARRAY, "something else where a list belongs").number;
}

uint32_t reader_map(struct reader *reader)
{
    return (uint32_t)expect(reader, KIND_MAP, "something else where a map belongs").number;
}

bool reader_nil(struct reader *reader)
{
    if (reader->why || left(reader) == 0 || *reader->at != 0xc0)
        return false;
    reader->at++;
    return true;
}

void reader_skip(struct reader *reader)
{
    uint64_t values = 1;
    while (values > 0 && !reader->why) {
        struct head head = read_head(reader);
        if (reader->why)
            return;
        reader->at += head.body;
        values += head.inside - 1;
        if (values > left(reader)) {
            reader_fail(reader, "a length that goes past the end of the message");
            return;
        }
    }
}
