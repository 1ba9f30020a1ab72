/* Bodies of forms. See multipart.h. What must stay true: pieces alternate, text and value in turn, text first and last.
 */
#include "multipart.h"
#include <string.h>

static const char type_key[] = ";type=";

static uint8_t *put(uint8_t *at, const char *text)
{
    size_t len = strlen(text);
    memcpy(at, text, len);
    return at + len;
}

/* Quotes and line ends of a name, as browsers write them. */
static uint8_t *put_quoted(uint8_t *at, struct squall_bytes text)
{
    *at++ = '"';
    for (uint64_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (byte == '"')
            at = put(at, "%22");
        else if (byte == '\r')
            at = put(at, "%0D");
        else if (byte == '\n')
            at = put(at, "%0A");
        else
            *at++ = byte;
    }
    *at++ = '"';
    return at;
}

/* "name;type=media/type" into its parts. */
static void split_file(struct squall_bytes file, struct squall_bytes *ret_name, struct squall_bytes *ret_type)
{
    static const char binary[] = "application/octet-stream";
    const uint8_t *semicolon = memchr(file.data, ';', file.len);
    size_t key = sizeof type_key - 1;
    *ret_name = file;
    *ret_type = (struct squall_bytes){(const uint8_t *)binary, sizeof binary - 1};
    if (!semicolon)
        return;
    ret_name->len = (uint64_t)(semicolon - file.data);
    if (file.len - ret_name->len > key && memcmp(semicolon, type_key, key) == 0)
        *ret_type = (struct squall_bytes){semicolon + key, file.len - ret_name->len - key};
}

uint64_t multipart_count(const struct squall_map *parts)
{
    return 2 * parts->count + 1;
}

uint64_t multipart_room(const struct squall_map *parts)
{
    static const char frame[] =
        "\r\n--" MULTIPART_BOUNDARY "\r\nContent-Disposition: form-data; name=\"\"; filename=\"\"\r\n"
        "Content-Type: application/octet-stream\r\n\r\n";
    uint64_t size = sizeof frame;
    for (uint64_t i = 0; i < parts->count; i++)
        size += sizeof frame + 3 * (parts->pairs[i].name.len + parts->pairs[i].file.len);
    return size;
}

static uint8_t *put_head(uint8_t *at, const struct squall_pair *part)
{
    at = put(at, "--" MULTIPART_BOUNDARY "\r\nContent-Disposition: form-data; name=");
    at = put_quoted(at, part->name);
    if (part->file.len) {
        struct squall_bytes name, type;
        split_file(part->file, &name, &type);
        at = put(at, "; filename=");
        at = put_quoted(at, name);
        at = put(at, "\r\nContent-Type: ");
        memcpy(at, type.data, type.len);
        at += type.len;
    }
    return put(at, "\r\n\r\n");
}

uint64_t multipart_make(const struct squall_map *parts, uint8_t *room, struct squall_bytes *pieces)
{
    uint64_t total = 0;
    uint8_t *at = room;
    for (uint64_t i = 0; i < parts->count; i++) {
        uint8_t *text = at;
        at = put_head(i > 0 ? put(at, "\r\n") : at, &parts->pairs[i]);
        pieces[2 * i] = (struct squall_bytes){text, (uint64_t)(at - text)};
        pieces[2 * i + 1] = parts->pairs[i].value;
        total += pieces[2 * i].len + pieces[2 * i + 1].len;
    }
    uint8_t *text = at;
    at = put(at, parts->count ? "\r\n--" MULTIPART_BOUNDARY "--\r\n" : "--" MULTIPART_BOUNDARY "--\r\n");
    pieces[2 * parts->count] = (struct squall_bytes){text, (uint64_t)(at - text)};
    return total + pieces[2 * parts->count].len;
}

const char *multipart_check(const struct squall_map *parts)
{
    for (uint64_t i = 0; i < parts->count; i++) {
        const struct squall_pair *part = &parts->pairs[i];
        struct squall_bytes name, type;
        if (part->value.len &&
            memmem(part->value.data, part->value.len, MULTIPART_BOUNDARY, sizeof MULTIPART_BOUNDARY - 1))
            return "a part holds the boundary between parts";
        if (part->file.len == 0)
            continue;
        split_file(part->file, &name, &type);
        for (uint64_t k = 0; k < type.len; k++)
            if (type.data[k] < ' ' || type.data[k] > '~')
                return "a part's type holds a byte that a media type may not hold";
    }
    return NULL;
}

/* ---- urlencoded ---- */

static bool plain(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '*' || byte == '-' || byte == '.' || byte == '_';
}

static uint8_t *put_encoded(uint8_t *at, struct squall_bytes text)
{
    static const char digits[] = "0123456789ABCDEF";
    for (uint64_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (plain(byte)) {
            *at++ = byte;
        } else if (byte == ' ') {
            *at++ = '+';
        } else {
            *at++ = '%';
            *at++ = (uint8_t)digits[byte >> 4];
            *at++ = (uint8_t)digits[byte & 15];
        }
    }
    return at;
}

uint64_t form_size(const struct squall_map *fields)
{
    uint64_t size = 0;
    for (uint64_t i = 0; i < fields->count; i++)
        size += 3 * (fields->pairs[i].name.len + fields->pairs[i].value.len) + 2;
    return size;
}

uint64_t form_write(const struct squall_map *fields, uint8_t *out)
{
    uint8_t *at = out;
    for (uint64_t i = 0; i < fields->count; i++) {
        if (i > 0)
            *at++ = '&';
        at = put_encoded(at, fields->pairs[i].name);
        *at++ = '=';
        at = put_encoded(at, fields->pairs[i].value);
    }
    return (uint64_t)(at - out);
}
