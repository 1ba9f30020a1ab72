/* The store of header fields. Readers bound it: so many fields, out of a head of so many bytes. */
#include "kept.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COOKIE_PREFIX     "cookie."
#define COOKIE_PREFIX_LEN (sizeof COOKIE_PREFIX - 1)
#define COOKIE_NAME_MAX   200 /* bytes of a cookie's name that can be asked for */

void kept_fini(struct kept_fields *kept)
{
    free(kept->data);
    *kept = (struct kept_fields){0};
}

void kept_reset(struct kept_fields *kept)
{
    kept->len = 0;
}

int kept_add(struct kept_fields *kept, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len)
{
    uint32_t sizes[2] = {(uint32_t)name_len, (uint32_t)value_len};
    size_t need = kept->len + sizeof sizes + name_len + value_len;
    if (need > kept->size) {
        size_t size = kept->size == 0 ? 1024 : kept->size;
        while (size < need)
            size *= 2;
        uint8_t *data = realloc(kept->data, size);
        if (data == NULL)
            return -1;
        kept->data = data;
        kept->size = size;
    }
    uint8_t *at = kept->data + kept->len;
    memcpy(at, sizes, sizeof sizes);
    memcpy(at + sizeof sizes, name, name_len);
    if (value_len > 0)
        memcpy(at + sizeof sizes + name_len, value, value_len);
    kept->len = need;
    return 0;
}

/* "Set-Cookie: id=7; Path=/" is a field "cookie.id" as well: what a user would call the answer's cookie `id`. */
static void tell_cookie(struct squall_bytes value, struct squall_recorder *recorder)
{
    char name[COOKIE_PREFIX_LEN + COOKIE_NAME_MAX] = COOKIE_PREFIX;
    const uint8_t *end = memchr(value.data, ';', value.len);
    const uint8_t *equals = memchr(value.data, '=', end != NULL ? (size_t)(end - value.data) : value.len);
    if (equals == NULL || equals - value.data > COOKIE_NAME_MAX)
        return;
    size_t len = (size_t)(equals - value.data);
    if (end == NULL)
        end = value.data + value.len;
    memcpy(name + COOKIE_PREFIX_LEN, value.data, len);
    recorder->field(recorder, (struct squall_bytes){(const uint8_t *)name, COOKIE_PREFIX_LEN + len},
                    (struct squall_bytes){equals + 1, (uint64_t)(end - equals - 1)});
}

void kept_tell(const struct kept_fields *kept, struct squall_recorder *recorder)
{
    for (size_t at = 0; at < kept->len;) {
        uint32_t sizes[2];
        memcpy(sizes, kept->data + at, sizeof sizes);
        at += sizeof sizes;
        struct squall_bytes name = {.data = kept->data + at, .len = sizes[0]};
        struct squall_bytes value = {.data = kept->data + at + sizes[0], .len = sizes[1]};
        recorder->field(recorder, name, value);
        if (name.len == sizeof "set-cookie" - 1 && strncasecmp((const char *)name.data, "set-cookie", name.len) == 0 &&
            value.len > 0)
            tell_cookie(value, recorder);
        at += (size_t)sizes[0] + sizes[1];
    }
}
