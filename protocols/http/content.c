/* Fields and bodies out of options. See content.h. */
#include "content.h"
#include "multipart.h"
#include "step.h"
#include <string.h>
#include <strings.h>

#define MADE_FIELDS   3 /* content-type, authorization, accept-encoding */
#define ALIGNED(size) (((size) + 15u) & ~(uint64_t)15)

static struct squall_bytes text(const char *literal)
{
    return (struct squall_bytes){(const uint8_t *)literal, strlen(literal)};
}

static bool given(const struct squall_map *headers, const char *name)
{
    size_t len = strlen(name);
    for (uint64_t i = 0; i < headers->count; i++)
        if (headers->pairs[i].name.len == len && strncasecmp((const char *)headers->pairs[i].name.data, name, len) == 0)
            return true;
    return false;
}

const char *http_content_check(const struct http_options *options)
{
    int bodies = (options->body.len > 0) + (options->json.text.len > 0) + (options->form.count > 0) +
                 (options->multipart.count > 0) + (options->file.len > 0);
    if (bodies > 1)
        return "a request has one body: keep one of body, json, form, multipart and file";
    if (options->basic.len > 0 && options->bearer.len > 0)
        return "a request has one authorization: keep one of basic and bearer";
    if (options->basic.len > 0 && !memchr(options->basic.data, ':', options->basic.len))
        return "basic is a user and a password with a ':' between them";
    return multipart_check(&options->multipart);
}

/* ---- fields ---- */

const char *http_content_type(const struct http_options *options, uint64_t constant, bool *ret_known)
{
    const struct {
        const char *type;
        bool given, varies;
    } kinds[] = {
        {"application/json", options->json.text.len > 0, !(constant & HTTP_BIT(HTTP_JSON))},
        {"application/x-www-form-urlencoded", options->form.count > 0, !(constant & HTTP_BIT(HTTP_FORM))},
        {MULTIPART_TYPE, options->multipart.count > 0, !(constant & HTTP_BIT(HTTP_MULTIPART))},
    };
    const char *type = NULL;
    int candidates = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (kinds[i].given || kinds[i].varies) {
            type = kinds[i].type;
            candidates++;
        }
    *ret_known = candidates <= 1;
    return *ret_known ? type : NULL;
}

/* RFC 4648 4. Returns the end. */
static uint8_t *put_base64(uint8_t *out, struct squall_bytes bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (uint64_t i = 0; i < bytes.len; i += 3) {
        uint64_t left = bytes.len - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                         (left > 2 ? bytes.data[i + 2] : 0);
        *out++ = (uint8_t)digits[group >> 18];
        *out++ = (uint8_t)digits[group >> 12 & 63];
        *out++ = (uint8_t)(left > 1 ? digits[group >> 6 & 63] : '=');
        *out++ = (uint8_t)(left > 2 ? digits[group & 63] : '=');
    }
    return out;
}

/* "Basic ..." (RFC 7617) or "Bearer ..." (RFC 6750); empty: neither. */
static struct squall_bytes authorization(const struct http_options *options, uint8_t *memory)
{
    static const char basic[] = "Basic ", bearer[] = "Bearer ";
    uint8_t *end = memory;
    if (options->basic.len > 0) {
        memcpy(memory, basic, sizeof basic - 1);
        end = put_base64(memory + sizeof basic - 1, options->basic);
    } else if (options->bearer.len > 0) {
        memcpy(memory, bearer, sizeof bearer - 1);
        memcpy(memory + sizeof bearer - 1, options->bearer.data, options->bearer.len);
        end = memory + sizeof bearer - 1 + options->bearer.len;
    }
    return (struct squall_bytes){memory, (uint64_t)(end - memory)};
}

uint64_t http_content_fields_room(const struct http_options *options)
{
    return ALIGNED((options->headers.count + MADE_FIELDS) * sizeof(struct squall_pair)) +
           ALIGNED(options->basic.len * 2 + options->bearer.len + 32);
}

static void add(struct squall_pair *pairs, uint64_t *count, const char *name, struct squall_bytes value)
{
    pairs[(*count)++] = (struct squall_pair){.name = text(name), .value = value};
}

void http_content_fields(const struct http_options *options, const char *type, uint8_t *memory,
                         struct http_content *content)
{
    const struct squall_map *headers = &options->headers;
    struct squall_pair *pairs = (struct squall_pair *)(void *)memory;
    uint64_t count = headers->count;
    struct squall_bytes credentials =
        authorization(options, memory + ALIGNED((headers->count + MADE_FIELDS) * sizeof *pairs));
    if (count > 0)
        memcpy(pairs, headers->pairs, count * sizeof *pairs);
    if (type && !given(headers, "content-type"))
        add(pairs, &count, "Content-Type", text(type));
    if (credentials.len > 0 && !given(headers, "authorization"))
        add(pairs, &count, "Authorization", credentials);
    if (options->compressed && !given(headers, "accept-encoding"))
        add(pairs, &count, "Accept-Encoding", text("gzip, deflate"));
    content->headers = (struct squall_map){pairs, count};
}

/* ---- body ---- */

uint64_t http_content_body_room(const struct http_options *options)
{
    if (options->form.count > 0)
        return ALIGNED(form_size(&options->form));
    if (options->multipart.count == 0)
        return 0;
    return ALIGNED(multipart_count(&options->multipart) * sizeof(struct squall_bytes)) +
           ALIGNED(multipart_room(&options->multipart));
}

const char *http_content_body(const struct http_options *options, uint8_t *memory, struct http_content *content)
{
    content->pieces = NULL;
    content->piece_count = 0;
    content->body = options->body;
    if (options->json.text.len > 0) {
        content->body = options->json.text;
    } else if (options->file.len > 0) {
        content->body = options->file;
    } else if (options->form.count > 0) {
        content->body = (struct squall_bytes){memory, form_write(&options->form, memory)};
    } else if (options->multipart.count > 0) {
        uint64_t count = multipart_count(&options->multipart);
        struct squall_bytes *pieces = (struct squall_bytes *)(void *)memory;
        const char *reason = multipart_check(&options->multipart);
        if (reason)
            return reason;
        content->body.len = multipart_make(&options->multipart, memory + ALIGNED(count * sizeof *pieces), pieces);
        content->body.data = NULL;
        content->pieces = pieces;
        content->piece_count = (uint32_t)count;
    }
    return NULL;
}
