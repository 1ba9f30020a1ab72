/* The request writer: checks first, then plain copying. */
#include "h1_write.h"
#include "h1_fields.h"
#include "h1_scan.h"
#include <string.h>

static bool name_is(struct squall_bytes name, const char *literal)
{
    return h1_token_is(name.data, name.len, literal, strlen(literal));
}

const char *h1_check_method(struct squall_bytes method)
{
    if (method.len == 0)
        return "the method is empty";
    if (!h1_all(method.data, method.len, H1_TOKEN))
        return "the method holds a character that methods cannot hold (a space, a line break?)";
    return NULL;
}

static bool begins(struct squall_bytes bytes, const char *text)
{
    size_t len = strlen(text);
    return bytes.len >= len && memcmp(bytes.data, text, len) == 0;
}

static __attribute__((noinline)) const char *not_a_target(struct squall_bytes target)
{
    uint64_t i = 0;
    while (i + 1 < target.len && h1_is(target.data[i], H1_TARGET))
        i++;
    if (target.data[i] == '#')
        return "the path holds '#': a fragment is never sent; remove it, or write %23";
    if (target.data[i] == ' ')
        return "the path holds a space: write %20";
    return "the path holds a line break or another control character";
}

const char *h1_check_target(struct squall_bytes method, struct squall_bytes target)
{
    if (!h1_all(target.data, target.len, H1_TARGET))
        return not_a_target(target);
    if (h1_bytes_are(method, "CONNECT")) {
        const uint8_t *colon = target.len > 0 ? memchr(target.data, ':', target.len) : NULL;
        if (colon == NULL || memchr(target.data, '/', target.len) != NULL)
            return "CONNECT takes host:port in place of a path";
        return NULL;
    }
    if (target.len == 0 || target.data[0] == '/' || target.data[0] == '?')
        return NULL;
    if (h1_bytes_are(target, "*"))
        return h1_bytes_are(method, "OPTIONS") ? NULL : "only OPTIONS takes '*' as its path";
    if (begins(target, "http://") || begins(target, "https://"))
        return "the path is a whole URL: the server is the target's url; write the path alone, from its '/'";
    return "the path does not begin with '/'";
}

/* A user's Content-Length: digits only, as the body's length is one number. */
static bool parse_length(struct squall_bytes value, uint64_t *ret_length)
{
    uint64_t length = 0;
    for (uint64_t i = 0; i < value.len; i++) {
        if (value.data[i] < '0' || value.data[i] > '9' || length > UINT64_MAX / 10 - 1)
            return false;
        length = length * 10 + (uint64_t)(value.data[i] - '0');
    }
    *ret_length = length;
    return value.len > 0;
}

/* What is known by its name; most names are told apart by their length. */
static const char *take_field(const struct squall_pair *pair, struct h1_fields *fields)
{
    const uint8_t *value_end = pair->value.data + pair->value.len;
    switch (pair->name.len) {
    case sizeof "host" - 1:
        if (!name_is(pair->name, "host"))
            break;
        if (fields->host != NULL)
            return "host is given twice";
        fields->host = pair;
        break;
    case sizeof "accept" - 1:
        fields->accept = fields->accept || name_is(pair->name, "accept");
        break;
    case sizeof "connection" - 1:
        fields->agent = fields->agent || name_is(pair->name, "user-agent");
        if (name_is(pair->name, "connection") && (h1_connection_options(pair->value.data, value_end) & H1_SEEN_CLOSE))
            fields->close = true;
        break;
    case sizeof "content-length" - 1:
        if (!name_is(pair->name, "content-length"))
            break;
        if (!parse_length(pair->value, &fields->length))
            return "content-length is no number; it is computed, so leave it out";
        fields->length_given = true;
        return NULL; /* it is never written */
    case sizeof "transfer-encoding" - 1:
        if (name_is(pair->name, "transfer-encoding"))
            return "transfer-encoding cannot be set: a body is sent with content-length";
        break;
    default:
        break;
    }
    fields->size += pair->name.len + pair->value.len + 4;
    return NULL;
}

static const char *check_field(const struct squall_pair *pair, struct h1_fields *fields)
{
    if (pair->name.len == 0)
        return "a header without a name";
    if (!h1_all(pair->name.data, pair->name.len, H1_TOKEN))
        return "a header's name holds a character that names cannot hold (a space, a colon?)";
    if (!h1_all(pair->value.data, pair->value.len, H1_TEXT))
        return "a header's value holds a line break or another control character";
    return take_field(pair, fields);
}

const char *h1_check_fields(const struct squall_map *fields, struct h1_fields *ret_fields, uint64_t *ret_culprit)
{
    struct h1_fields found = {0};
    for (uint64_t i = 0; i < fields->count; i++) {
        const char *reason = check_field(&fields->pairs[i], &found);
        if (reason != NULL) {
            *ret_culprit = i;
            return reason;
        }
    }
    *ret_fields = found;
    return NULL;
}

const char *h1_check_length(const struct h1_fields *fields, uint64_t body_len)
{
    if (fields->length_given && fields->length != body_len)
        return "content-length differs from the body's length; it is computed, so leave it out";
    return NULL;
}

struct squall_bytes h1_host_of(struct squall_bytes method, struct squall_bytes target, struct squall_bytes authority)
{
    return h1_bytes_are(method, "CONNECT") ? target : authority;
}

/* ---- writing ----------------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *out, const void *data, uint64_t len)
{
    if (len > 0)
        memcpy(out, data, len);
    return out + len;
}
#define PUT_LITERAL(out, literal) put(out, literal, sizeof(literal) - 1)

static uint8_t *put_field(uint8_t *out, struct squall_bytes name, struct squall_bytes value)
{
    out = put(out, name.data, name.len);
    out = PUT_LITERAL(out, ": ");
    out = put(out, value.data, value.len);
    return PUT_LITERAL(out, "\r\n");
}

uint64_t h1_line_size(struct squall_bytes method, struct squall_bytes target)
{
    return method.len + target.len + sizeof(" / HTTP/1.1\r\n") - 1;
}

uint64_t h1_write_line(uint8_t *out, struct squall_bytes method, struct squall_bytes target)
{
    uint8_t *at = put(out, method.data, method.len);
    *at++ = ' ';
    if (target.len == 0 || target.data[0] == '?')
        *at++ = '/';
    at = put(at, target.data, target.len);
    at = PUT_LITERAL(at, " HTTP/1.1\r\n");
    return (uint64_t)(at - out);
}

uint64_t h1_fields_size(const struct h1_fields *fields, struct squall_bytes host, struct squall_bytes agent)
{
    return fields->size + host.len + sizeof("Host: \r\n") + agent.len + sizeof("User-Agent: \r\n") +
           sizeof("Accept: */*\r\n");
}

uint64_t h1_write_fields(uint8_t *out, const struct squall_map *map, const struct h1_fields *fields,
                         struct squall_bytes host, struct squall_bytes agent)
{
    uint8_t *at = out;
    if (fields->host != NULL) {
        at = put_field(at, fields->host->name, fields->host->value);
    } else {
        at = PUT_LITERAL(at, "Host: ");
        at = put(at, host.data, host.len);
        at = PUT_LITERAL(at, "\r\n");
    }
    if (!fields->agent) {
        at = PUT_LITERAL(at, "User-Agent: ");
        at = put(at, agent.data, agent.len);
        at = PUT_LITERAL(at, "\r\n");
    }
    if (!fields->accept)
        at = PUT_LITERAL(at, "Accept: */*\r\n");
    for (uint64_t i = 0; i < map->count; i++) {
        const struct squall_pair *pair = &map->pairs[i];
        if (pair != fields->host && !name_is(pair->name, "content-length"))
            at = put_field(at, pair->name, pair->value);
    }
    return (uint64_t)(at - out);
}

bool h1_length_wanted(struct squall_bytes method, uint64_t body_len)
{
    return body_len > 0 || h1_bytes_are(method, "POST") || h1_bytes_are(method, "PUT") || h1_bytes_are(method, "PATCH");
}

uint64_t h1_write_head_end(uint8_t *out, struct squall_bytes method, uint64_t body_len)
{
    uint8_t *at = out;
    if (h1_length_wanted(method, body_len)) {
        uint8_t digits[20], *digit = digits + sizeof digits;
        do {
            *--digit = (uint8_t)('0' + body_len % 10);
            body_len /= 10;
        } while (body_len > 0);
        at = PUT_LITERAL(at, "Content-Length: ");
        at = put(at, digit, (uint64_t)(digits + sizeof digits - digit));
        at = PUT_LITERAL(at, "\r\n");
    }
    at = PUT_LITERAL(at, "\r\n");
    return (uint64_t)(at - out);
}
