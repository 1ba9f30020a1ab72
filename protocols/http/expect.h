/*
 * The step option `expect`: which status codes mean that the step went well.
 *   item = code | class | range; "200", "2xx", "200-299", "2xx-3xx"; items are separated by commas
 */
#ifndef SQUALL_HTTP_EXPECT_H
#define SQUALL_HTTP_EXPECT_H
#include <squall/plugin.h>
#include <stdbool.h>

#define EXPECT_DEFAULT "2xx-3xx" /* below 400: a final answer is never a 1xx */

struct http_expect {
    uint64_t codes[16]; /* bit code % 64 of word code / 64 */
};

/* 0, or -1 with the error filled: what is wrong and what may stand there. */
int32_t http_expect_parse(struct squall_bytes text, struct http_expect *ret_expect, struct squall_error *error);

/* code: below 1024. */
static inline bool http_expect_has(const struct http_expect *expect, uint32_t code)
{
    return (expect->codes[code / 64] >> (code % 64)) & 1;
}

#endif
