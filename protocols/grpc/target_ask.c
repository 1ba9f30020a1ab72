/* Reads squall.demo.Ask: a row for each field. See target_ask.h. */
#include "target_ask.h"
#include "status.h"
#include "target_fields.h"
#include <stdarg.h>
#include <stdio.h>

#define VALUE_MAX 128 /* of texts that say a size, a time or a status */

struct reader {
    const struct squall_server_host *host;
    struct demo_ask *ask;
    struct demo_part *part; /* that is being read */
    struct demo_problem *problem;
};

/* A field's value: bytes, or a number. */
struct value {
    struct squall_bytes bytes;
    uint64_t number;
};

struct row {
    uint32_t number;
    enum pb_wire wire;
    const char *name;
    int (*read)(struct reader *reader, const char *name, const struct value *value);
};

static int refuse(struct reader *reader, uint32_t code, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int refuse(struct reader *reader, uint32_t code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->problem->text, sizeof reader->problem->text, format, arguments);
    va_end(arguments);
    reader->problem->code = code;
    return -1;
}

static int copy_text(struct reader *reader, const char *name, struct squall_bytes bytes, char out[VALUE_MAX])
{
    if (bytes.len >= VALUE_MAX || memchr(bytes.data, 0, bytes.len))
        return refuse(reader, RPC_INVALID_ARGUMENT, "%s: a text of at most %d characters", name, VALUE_MAX - 1);
    memcpy(out, bytes.data, bytes.len);
    out[bytes.len] = '\0';
    return 0;
}

static int read_distribution(struct reader *reader, const char *name, struct squall_bytes bytes, uint32_t type,
                             struct squall_distribution *ret_distribution, bool *ret_has)
{
    char text[VALUE_MAX];
    struct squall_error error;
    if (bytes.len == 0)
        return 0;
    if (copy_text(reader, name, bytes, text) < 0)
        return -1;
    if (reader->host->distribution_parse(text, type, ret_distribution, &error) < 0)
        return refuse(reader, RPC_INVALID_ARGUMENT, "%s: %.180s", name, error.text);
    *ret_has = true;
    return 0;
}

static int read_payload(struct reader *reader, const char *name, const struct value *value)
{
    (void)name;
    reader->ask->payload_len = value->bytes.len;
    return 0;
}

static int read_tag(struct reader *reader, const char *name, const struct value *value)
{
    struct demo_ask *ask = reader->ask;
    if (value->bytes.len > sizeof ask->tag)
        return refuse(reader, RPC_INVALID_ARGUMENT, "%s: at most %d bytes", name, DEMO_TAG_MAX);
    ask->tag_len = (uint8_t)value->bytes.len;
    memcpy(ask->tag, value->bytes.data, value->bytes.len);
    return 0;
}

static int read_size(struct reader *reader, const char *name, const struct value *value)
{
    return read_distribution(reader, name, value->bytes, SQUALL_SIZE, &reader->ask->size, &reader->ask->has_size);
}

static int read_delay(struct reader *reader, const char *name, const struct value *value)
{
    return read_distribution(reader, name, value->bytes, SQUALL_DURATION, &reader->ask->delay, &reader->ask->has_delay);
}

static int read_status(struct reader *reader, const char *name, const struct value *value)
{
    if (value->bytes.len == 0)
        return 0;
    if (rpc_code_parse(value->bytes, &reader->ask->status) < 0)
        return refuse(reader, RPC_INVALID_ARGUMENT, "%s: write a name such as NOT_FOUND, or its number", name);
    reader->ask->has_status = true;
    return 0;
}

static int read_message(struct reader *reader, const char *name, const struct value *value)
{
    struct demo_ask *ask = reader->ask;
    if (value->bytes.len > sizeof ask->message)
        return refuse(reader, RPC_INVALID_ARGUMENT, "%s: at most %d bytes", name, DEMO_TEXT_MAX);
    ask->message_len = (uint8_t)value->bytes.len;
    memcpy(ask->message, value->bytes.data, value->bytes.len);
    return 0;
}

static int read_stall(struct reader *reader, const char *name, const struct value *value)
{
    char text[VALUE_MAX];
    if (value->bytes.len == 0)
        return 0;
    if (copy_text(reader, name, value->bytes, text) < 0)
        return -1;
    if (reader->host->number_parse(text, SQUALL_DURATION, &reader->ask->stall_ns) < 0 ||
        reader->ask->stall_ns > DEMO_STALL_MAX_NS)
        return refuse(reader, RPC_INVALID_ARGUMENT, "%s: write a duration of at most 60s", name);
    return 0;
}

static int read_reset(struct reader *reader, const char *name, const struct value *value)
{
    (void)name;
    reader->ask->reset = value->number != 0;
    return 0;
}

static int read_close(struct reader *reader, const char *name, const struct value *value)
{
    (void)name;
    reader->ask->close = value->number != 0;
    return 0;
}

static int read_http_status(struct reader *reader, const char *name, const struct value *value)
{
    if (value->number != 0 && (value->number < 200 || value->number > 599))
        return refuse(reader, RPC_INVALID_ARGUMENT, "%s: write a number from 200 to 599", name);
    reader->ask->http_status = (uint32_t)value->number;
    return 0;
}

static int read_fault(struct reader *reader, const char *name, const struct value *value)
{
    if (value->number >= DEMO_FAULTS)
        return refuse(reader, RPC_INVALID_ARGUMENT, "%s: there is none of that number", name);
    reader->ask->fault = (uint32_t)value->number;
    return 0;
}

static int read_error_code(struct reader *reader, const char *name, const struct value *value)
{
    (void)name;
    reader->ask->error_code = (uint32_t)value->number;
    return 0;
}

static int read_part_size(struct reader *reader, const char *name, const struct value *value)
{
    return read_distribution(reader, name, value->bytes, SQUALL_SIZE, &reader->part->size, &reader->part->has_size);
}

static int read_part_delay(struct reader *reader, const char *name, const struct value *value)
{
    struct demo_part *part = reader->part;
    return read_distribution(reader, name, value->bytes, SQUALL_DURATION, &part->delay, &part->has_delay);
}

static int read_part_count(struct reader *reader, const char *name, const struct value *value)
{
    (void)name;
    uint32_t count = (uint32_t)value->number;
    reader->part->count = count ? count : 1;
    return 0;
}

static const struct row part_rows[] = {
    {1, PB_LEN, "parts.size", read_part_size},
    {2, PB_LEN, "parts.delay", read_part_delay},
    {3, PB_VARINT, "parts.count", read_part_count},
};

static int read_rows(struct reader *reader, const struct row *rows, size_t count, struct squall_bytes bytes);

static int read_part(struct reader *reader, const char *name, const struct value *value)
{
    struct demo_ask *ask = reader->ask;
    if (ask->part_count == DEMO_PARTS_MAX)
        return refuse(reader, RPC_INVALID_ARGUMENT, "%s: at most %d", name, DEMO_PARTS_MAX);
    reader->part = &ask->parts[ask->part_count++];
    *reader->part = (struct demo_part){.count = 1};
    return read_rows(reader, part_rows, sizeof part_rows / sizeof part_rows[0], value->bytes);
}

static const struct row rows[] = {
    {1, PB_LEN, "payload", read_payload},
    {2, PB_LEN, "tag", read_tag},
    {3, PB_LEN, "size", read_size},
    {4, PB_LEN, "delay", read_delay},
    {5, PB_LEN, "parts", read_part},
    {6, PB_LEN, "status", read_status},
    {7, PB_LEN, "message", read_message},
    {8, PB_LEN, "stall", read_stall},
    {9, PB_VARINT, "reset", read_reset},
    {10, PB_VARINT, "close", read_close},
    {11, PB_VARINT, "http_status", read_http_status},
    {12, PB_VARINT, "fault", read_fault},
    {13, PB_VARINT, "error_code", read_error_code},
};

/* A field that is not ours is passed over, as the encoding guide wants it. */
static int read_rows(struct reader *reader, const struct row *table, size_t count, struct squall_bytes bytes)
{
    struct pb_cursor cursor = {.at = bytes.data, .end = bytes.data + bytes.len};
    struct pb_item item;
    int result;
    while ((result = pb_next(&cursor, &item)) > 0) {
        struct value value = {item.bytes, item.value};
        for (size_t i = 0; i < count; i++)
            if (table[i].number == item.number && table[i].wire == item.wire &&
                table[i].read(reader, table[i].name, &value) < 0)
                return -1;
    }
    return result < 0 ? refuse(reader, RPC_INTERNAL, "the bytes are no message of squall.demo") : 0;
}

int demo_ask_read(const struct squall_server_host *host, struct squall_bytes bytes, struct demo_ask *ask,
                  struct demo_problem *problem)
{
    struct reader reader = {.host = host, .ask = ask, .problem = problem};
    ask->payload_len = 0;
    return read_rows(&reader, rows, sizeof rows / sizeof rows[0], bytes);
}
