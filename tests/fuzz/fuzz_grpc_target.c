/*
 * What clients send to the grpc room of `squall target`: HTTP/2 that nghttp2 takes, with anything in it. Input: a byte
 * of choices (bit 0: a small --max-message; the others in fake_target.h), a byte for the size of the pieces, then
 * operations of a byte each, whose arguments follow:
 *   0 method flags      a call begins: bit 0 of flags: it ends at once; bits 1 and 2: grpc-encoding; bit 3: a deadline;
 *                       bit 4: another content-type
 *   1 call len bytes    DATA as it is; bit 7 of the call: the request ends
 *   2 call len bytes    a message, framed; bits 6 and 7 of the call: compressed, the request ends
 *   3 call code         RST_STREAM
 *   4 call size         WINDOW_UPDATE; call 0: of the connection
 *   5 size              SETTINGS: the window of new calls, and of those that are
 *   6 type len bytes    a frame of the connection
 */
#include "fake_target.h"
#include <string.h>

#define STREAM_MAX 262144
#define HEAD       9

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
extern const struct squall_server squall_server_grpc;

struct input {
    const uint8_t *at, *end;
};

static uint8_t stream[STREAM_MAX];
static size_t stream_len;
static uint32_t calls;

static uint8_t next(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static struct squall_bytes next_bytes(struct input *input)
{
    size_t len = next(input), left = (size_t)(input->end - input->at);
    struct squall_bytes bytes = {input->at, len < left ? len : left};
    input->at += bytes.len;
    return bytes;
}

static void put(const void *bytes, size_t len)
{
    if (len <= STREAM_MAX - stream_len) {
        memcpy(stream + stream_len, bytes, len);
        stream_len += len;
    }
}

static void put_head(uint8_t type, uint8_t flags, uint32_t id, size_t len)
{
    const uint8_t head[HEAD] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len,       type,       flags,
                                (uint8_t)(id >> 24),  (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};
    put(head, sizeof head);
}

static void put_number(uint32_t number)
{
    put((const uint8_t[]){(uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number},
        4);
}

/* The stream of a call that has begun; one that has not is the connection's. */
static uint32_t id_of(uint8_t call)
{
    call &= 0x3f;
    return call > 0 && call <= calls ? 2u * call - 1 : 0;
}

/* A literal field that leaves HPACK's table as it was (RFC 7541, 6.2.2). Returns the length. */
static size_t field(uint8_t *out, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    out[0] = 0;
    out[1] = (uint8_t)name_len;
    memcpy(out + 2, name, name_len);
    out[2 + name_len] = (uint8_t)value_len;
    memcpy(out + 3 + name_len, value, value_len);
    return 3 + name_len + value_len;
}

static void begin_call(struct input *input)
{
    static const char *const paths[] = {
        "/squall.demo.Demo/Unary",
        "/squall.demo.Demo/Download",
        "/squall.demo.Demo/Upload",
        "/squall.demo.Demo/Chat",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/squall.demo.Demo/Missing",
    };
    static const char *const encodings[] = {"identity", "gzip", "zstd"};
    uint8_t block[512], method = next(input), flags = next(input);
    size_t len = 0;
    block[len++] = 0x83; /* :method: POST */
    block[len++] = 0x86; /* :scheme: http */
    len += field(block + len, ":authority", "a");
    len += field(block + len, ":path", paths[method % (sizeof paths / sizeof paths[0])]);
    len += field(block + len, "content-type", flags & 16 ? "text/plain" : "application/grpc");
    if (flags & 6)
        len += field(block + len, "grpc-encoding", encodings[(flags >> 1 & 3) - 1]);
    if (flags & 8)
        len += field(block + len, "grpc-timeout", "50m");
    calls++;
    put_head(1, flags & 1 ? 5 : 4, 2 * calls - 1, len);
    put(block, len);
}

static void put_data(struct input *input, int framed)
{
    uint8_t call = next(input);
    uint32_t id = id_of(call);
    struct squall_bytes bytes = next_bytes(input);
    put_head(0, call & 0x80 ? 1 : 0, id, bytes.len + (framed ? 5 : 0));
    if (framed) {
        put((const uint8_t[]){call >> 6 & 1}, 1);
        put_number((uint32_t)bytes.len);
    }
    put(bytes.data, bytes.len);
}

static void put_operation(struct input *input)
{
    uint8_t what = next(input) % 7, argument;
    struct squall_bytes bytes;
    switch (what) {
    case 0:
        begin_call(input);
        break;
    case 1:
    case 2:
        put_data(input, what == 2);
        break;
    case 3:
    case 4:
        argument = next(input);
        put_head(what == 3 ? 3 : 8, 0, id_of(argument), 4);
        put_number(what == 3 ? next(input) : next(input) * 256u + 1);
        break;
    case 5:
        put_head(4, 0, 0, 6);
        put("\0\4", 2);
        put_number(next(input) * 16u);
        break;
    default:
        argument = next(input);
        bytes = next_bytes(input);
        put_head(argument, 0, 0, bytes.len);
        put(bytes.data, bytes.len);
    }
}

static const char *option(const struct squall_option *row, uint8_t choices)
{
    return strcmp(row->name, "max-message") == 0 && choices & 1 ? "64" : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
    if (size < 2)
        return 0;
    struct input input = {data + 2, data + size};
    stream_len = 0;
    calls = 0;
    put(preface, sizeof preface); /* with the last byte of an empty SETTINGS */
    while (input.at < input.end && stream_len < STREAM_MAX / 2)
        put_operation(&input);
    fake_target_run(
        &(struct fake_target){.server = &squall_server_grpc, .option = option, .choices = data[0], .step = data[1]},
        stream, stream_len);
    return 0;
}
