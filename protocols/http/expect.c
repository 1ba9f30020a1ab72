/* Parses `expect` into a bitmap, so that judging an answer costs one load. */
#include "expect.h"
#include <stdio.h>

static int32_t refuse(struct squall_bytes text, struct squall_error *error)
{
    snprintf(
        error->text, sizeof error->text,
        "expect: \"%.*s\" is no list of status codes; write codes, classes or ranges such as 200, 2xx or 200-204,404",
        (int)(text.len < 60 ? text.len : 60), (const char *)text.data);
    return -1;
}

static const uint8_t *skip_blank(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    return p;
}

/* "204" is 204 to 204, "2xx" is 200 to 299. Returns what is behind it, or NULL. */
static const uint8_t *parse_item(const uint8_t *p, const uint8_t *end, unsigned *ret_low, unsigned *ret_high)
{
    p = skip_blank(p, end);
    if (end - p < 3 || p[0] < '1' || p[0] > '9')
        return NULL;
    unsigned class = (p[0] - (unsigned)'0') * 100;
    if ((p[1] | 0x20) == 'x' && (p[2] | 0x20) == 'x') {
        *ret_low = class;
        *ret_high = class + 99;
    } else if (p[1] >= '0' && p[1] <= '9' && p[2] >= '0' && p[2] <= '9') {
        *ret_low = *ret_high = class + (p[1] - (unsigned)'0') * 10 + (p[2] - (unsigned)'0');
    } else {
        return NULL;
    }
    return skip_blank(p + 3, end);
}

int32_t http_expect_parse(struct squall_bytes text, struct http_expect *ret_expect, struct squall_error *error)
{
    struct http_expect expect = {0};
    const uint8_t *p = text.data, *end = text.data + text.len;
    for (;;) {
        unsigned low = 0, high = 0, ignored = 0;
        p = parse_item(p, end, &low, &high);
        if (p != NULL && p < end && *p == '-')
            p = parse_item(p + 1, end, &ignored, &high);
        if (p == NULL || high < low || (p < end && *p != ','))
            return refuse(text, error);
        for (unsigned code = low; code <= high; code++)
            expect.codes[code / 64] |= UINT64_C(1) << (code % 64);
        if (p == end)
            break;
        p++;
    }
    *ret_expect = expect;
    return 0;
}
