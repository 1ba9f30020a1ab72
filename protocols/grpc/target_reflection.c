/* Reflection over the descriptors that squall was built with: few and small, so each question walks them. */
#include "target_reflection.h"
#include "status.h"
#include "target_fields.h"

/* Fields of FileDescriptorProto and what it holds (descriptor.proto). */
enum { FILE_NAME = 1, FILE_PACKAGE = 2, FILE_MESSAGE = 4, FILE_ENUM = 5, FILE_SERVICE = 6 };
enum { ENTITY_NAME = 1, MESSAGE_FIELD = 2, MESSAGE_NESTED = 3, MESSAGE_ENUM = 4, SERVICE_METHOD = 2, ENUM_VALUE = 2 };
/* Fields of ServerReflectionRequest and ServerReflectionResponse. */
enum question {
    ASK_HOST = 1,
    ASK_FILE = 3,
    ASK_SYMBOL = 4,
    ASK_EXTENSION = 5,
    ASK_EXTENSION_NUMBERS = 6,
    ASK_SERVICES = 7,
};
enum { SAY_HOST = 1, SAY_REQUEST = 2, SAY_FILE = 4, SAY_EXTENSION_NUMBERS = 5, SAY_SERVICES = 6, SAY_ERROR = 7 };

static bool same(struct squall_bytes a, struct squall_bytes b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* The first field of that number. */
static struct squall_bytes field(struct squall_bytes message, uint32_t number)
{
    struct pb_cursor cursor = {message.data, message.data + message.len};
    struct pb_item item;
    while (pb_next(&cursor, &item) > 0)
        if (item.number == number && item.wire == PB_LEN)
            return item.bytes;
    return (struct squall_bytes){(const uint8_t *)"", 0};
}

/* Takes "name" or "name." from the beginning of the symbol. */
static bool take_name(struct squall_bytes *symbol, struct squall_bytes name)
{
    if (name.len == 0 || symbol->len < name.len || memcmp(symbol->data, name.data, name.len) != 0)
        return false;
    if (symbol->len > name.len && symbol->data[name.len] != '.')
        return false;
    uint64_t used = symbol->len > name.len ? name.len + 1 : name.len;
    *symbol = (struct squall_bytes){symbol->data + used, symbol->len - used};
    return true;
}

/* Whether a child of that kind has the name, and no more than that is left of the symbol. */
static bool has_child(struct squall_bytes entity, uint32_t kind, struct squall_bytes symbol)
{
    struct pb_cursor cursor = {entity.data, entity.data + entity.len};
    struct pb_item item;
    while (pb_next(&cursor, &item) > 0)
        if (item.number == kind && item.wire == PB_LEN && same(field(item.bytes, ENTITY_NAME), symbol))
            return true;
    return false;
}

/* The symbol, without its package, is this entity or in it. Values of an enum are named beside it, not in it. */
static bool entity_has(struct squall_bytes entity, uint32_t kind, struct squall_bytes symbol)
{
    if (kind == FILE_ENUM && has_child(entity, ENUM_VALUE, symbol))
        return true;
    if (!take_name(&symbol, field(entity, ENTITY_NAME)))
        return false;
    if (symbol.len == 0)
        return true;
    if (kind == FILE_SERVICE)
        return has_child(entity, SERVICE_METHOD, symbol);
    return kind == FILE_MESSAGE &&
           (has_child(entity, MESSAGE_FIELD, symbol) || has_child(entity, MESSAGE_NESTED, symbol) ||
            has_child(entity, MESSAGE_ENUM, symbol));
}

static bool file_has(struct squall_bytes file, uint32_t kind, struct squall_bytes symbol)
{
    struct pb_cursor cursor = {file.data, file.data + file.len};
    struct pb_item item;
    if (!take_name(&symbol, field(file, FILE_PACKAGE)))
        return false;
    while (pb_next(&cursor, &item) > 0)
        if ((kind == 0 || item.number == kind) && item.wire == PB_LEN && entity_has(item.bytes, item.number, symbol))
            return true;
    return false;
}

static struct pb_cursor all_files(void)
{
    return (struct pb_cursor){demo_descriptors, demo_descriptors + demo_descriptors_len};
}

/* The file of that name, or, with a symbol, the one that has it; kind 0: whatever the symbol is. */
static bool find_file(struct squall_bytes name, bool is_symbol, uint32_t kind, struct squall_bytes *ret_file)
{
    struct pb_cursor files = all_files();
    struct pb_item item;
    while (pb_next(&files, &item) > 0) {
        *ret_file = item.bytes;
        if (is_symbol ? file_has(item.bytes, kind, name) : same(field(item.bytes, FILE_NAME), name))
            return true;
    }
    return false;
}

bool demo_has_service(struct squall_bytes name)
{
    struct pb_cursor files = all_files();
    struct pb_item file;
    while (pb_next(&files, &file) > 0) {
        struct squall_bytes rest = name;
        if (take_name(&rest, field(file.bytes, FILE_PACKAGE)) && has_child(file.bytes, FILE_SERVICE, rest))
            return true;
    }
    return false;
}

/* ---- answers, written from the end ---- */

static void put_field(struct pb_out *out, uint32_t number, struct squall_bytes bytes)
{
    pb_put(out, bytes.data, bytes.len);
    pb_put_varint(out, bytes.len);
    pb_put_varint(out, pb_tag(number, PB_LEN));
}

/* What has been written since `end` becomes a field. */
static void wrap(struct pb_out *out, uint32_t number, const uint8_t *end)
{
    pb_put_varint(out, (uint64_t)(end - out->at));
    pb_put_varint(out, pb_tag(number, PB_LEN));
}

static void put_error(struct pb_out *out, uint32_t code, const char *text)
{
    const uint8_t *end = out->at;
    put_field(out, 2, (struct squall_bytes){(const uint8_t *)text, strlen(text)});
    pb_put_varint(out, code);
    pb_put_varint(out, pb_tag(1, PB_VARINT));
    wrap(out, SAY_ERROR, end);
}

static void put_file(struct pb_out *out, struct squall_bytes name, bool is_symbol)
{
    const uint8_t *end = out->at;
    struct squall_bytes file;
    if (!find_file(name, is_symbol, 0, &file)) {
        put_error(out, RPC_NOT_FOUND, is_symbol ? "no such symbol" : "no such file");
        return;
    }
    put_field(out, 1, file);
    wrap(out, SAY_FILE, end);
}

static void put_extension_numbers(struct pb_out *out, struct squall_bytes type)
{
    const uint8_t *end = out->at;
    struct squall_bytes file;
    if (!find_file(type, true, FILE_MESSAGE, &file)) {
        put_error(out, RPC_NOT_FOUND, "no such type");
        return;
    }
    put_field(out, 1, type);
    wrap(out, SAY_EXTENSION_NUMBERS, end);
}

static void put_service(struct pb_out *out, struct squall_bytes package, struct squall_bytes name)
{
    const uint8_t *end = out->at;
    pb_put(out, name.data, name.len);
    pb_put(out, ".", 1);
    pb_put(out, package.data, package.len);
    wrap(out, 1, end);
    wrap(out, 1, end);
}

static void put_services(struct pb_out *out)
{
    const uint8_t *end = out->at;
    struct pb_cursor files = all_files();
    struct pb_item file, item;
    while (pb_next(&files, &file) > 0) {
        struct squall_bytes package = field(file.bytes, FILE_PACKAGE);
        struct pb_cursor inside = {file.bytes.data, file.bytes.data + file.bytes.len};
        while (pb_next(&inside, &item) > 0)
            if (item.number == FILE_SERVICE && item.wire == PB_LEN)
                put_service(out, package, field(item.bytes, ENTITY_NAME));
    }
    wrap(out, SAY_SERVICES, end);
}

size_t demo_reflection_room(struct squall_bytes question)
{
    return 2 * demo_descriptors_len + 3 * question.len + 256;
}

int64_t demo_reflection_answer(struct squall_bytes question, uint8_t *out, size_t room)
{
    struct pb_cursor cursor = {question.data, question.data + question.len};
    struct pb_item item, asked = {.number = 0}, host = {.number = 0};
    struct pb_out answer = {.begin = out, .at = out + room, .end = out + room};
    int result;
    while ((result = pb_next(&cursor, &item)) > 0) {
        if (item.wire == PB_LEN && item.number >= ASK_FILE && item.number <= ASK_SERVICES)
            asked = item;
        else if (item.wire == PB_LEN && item.number == ASK_HOST)
            host = item;
    }
    if (result < 0)
        return -1;
    switch ((enum question)asked.number) {
    case ASK_FILE:
    case ASK_SYMBOL:
        put_file(&answer, asked.bytes, asked.number == ASK_SYMBOL);
        break;
    case ASK_EXTENSION_NUMBERS:
        put_extension_numbers(&answer, asked.bytes);
        break;
    case ASK_SERVICES:
        put_services(&answer);
        break;
    case ASK_EXTENSION:
        put_error(&answer, RPC_NOT_FOUND, "there are no extensions");
        break;
    default:
        put_error(&answer, RPC_INVALID_ARGUMENT, "nothing that can be answered was asked");
    }
    put_field(&answer, SAY_REQUEST, question);
    if (host.bytes.len)
        put_field(&answer, SAY_HOST, host.bytes);
    return answer.end - answer.at;
}
