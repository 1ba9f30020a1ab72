/* Query parameters. One row each; values are decoded into a small buffer, since none of them is long. */
#include "target_query.h"
#include <string.h>

#define VALUE_MAX 128

struct parameter {
    const char *name;
    int (*read)(const struct squall_server_host *host, const char *value, struct target_query *query);
    const char *why;
};

static int read_delay(const struct squall_server_host *host, const char *value, struct target_query *query)
{
    struct squall_error error;
    query->has_delay = true;
    return host->distribution_parse(value, SQUALL_DURATION, &query->delay, &error);
}

static int read_size(const struct squall_server_host *host, const char *value, struct target_query *query)
{
    struct squall_error error;
    query->has_size = true;
    return host->distribution_parse(value, SQUALL_SIZE, &query->size, &error);
}

static int read_status(const struct squall_server_host *host, const char *value, struct target_query *query)
{
    uint64_t status;
    if (host->number_parse(value, SQUALL_UINT, &status) || status < 200 || status > 599)
        return -1;
    query->status = (uint32_t)status;
    return 0;
}

static int read_stall(const struct squall_server_host *host, const char *value, struct target_query *query)
{
    return host->number_parse(value, SQUALL_DURATION, &query->stall_ns) || query->stall_ns > TARGET_STALL_MAX_NS ? -1
                                                                                                                 : 0;
}

static int read_bool(const char *value, bool *ret_bool)
{
    if ((value[0] != '0' && value[0] != '1') || value[1])
        return -1;
    *ret_bool = value[0] == '1';
    return 0;
}

static int read_chunked(const struct squall_server_host *host, const char *value, struct target_query *query)
{
    (void)host;
    return read_bool(value, &query->chunked);
}

static int read_reset(const struct squall_server_host *host, const char *value, struct target_query *query)
{
    (void)host;
    return read_bool(value, &query->reset);
}

static int read_close(const struct squall_server_host *host, const char *value, struct target_query *query)
{
    (void)host;
    return read_bool(value, &query->close);
}

static const struct parameter parameters[] = {
    {"delay", read_delay, "delay: write 5ms or a distribution such as uniform(1ms,5ms)\n"},
    {"stall", read_stall, "stall: write a duration of at most 60s\n"},
    {"status", read_status, "status: write a number from 200 to 599\n"},
    {"size", read_size, "size: write 128, 4k or a distribution such as uniform(100,2000)\n"},
    {"chunked", read_chunked, "chunked: write 1 or 0\n"},
    {"reset", read_reset, "reset: write 1 or 0\n"},
    {"close", read_close, "close: write 1 or 0\n"},
};

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* 0, or -1 when it is too long, or holds a broken %XX or a NUL. */
static int decode(struct squall_bytes text, char out[VALUE_MAX])
{
    size_t len = 0;
    for (uint64_t i = 0; i < text.len; i++) {
        int byte = text.data[i];
        if (byte == '%') {
            int high = i + 2 < text.len ? hex_digit(text.data[i + 1]) : -1;
            int low = high < 0 ? -1 : hex_digit(text.data[i + 2]);
            if (low < 0)
                return -1;
            byte = high << 4 | low;
            i += 2;
        }
        if (!byte || len == VALUE_MAX - 1)
            return -1;
        out[len++] = (char)byte;
    }
    out[len] = '\0';
    return 0;
}

static int read_pair(const struct squall_server_host *host, struct squall_bytes pair, struct target_query *query,
                     const char **ret_why)
{
    const uint8_t *equals = memchr(pair.data, '=', pair.len);
    uint64_t name_len = equals ? (uint64_t)(equals - pair.data) : pair.len;
    for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
        const struct parameter *parameter = &parameters[i];
        if (name_len != strlen(parameter->name) || memcmp(pair.data, parameter->name, name_len) != 0)
            continue;
        char value[VALUE_MAX];
        if (equals && decode((struct squall_bytes){equals + 1, pair.len - name_len - 1}, value) == 0 &&
            parameter->read(host, value, query) == 0)
            return 0;
        *ret_why = parameter->why;
        return -1;
    }
    return 0;
}

int target_query_parse(const struct squall_server_host *host, struct squall_bytes query, struct target_query *ret_query,
                       const char **ret_why)
{
    const uint8_t *at = query.data, *end = query.data + query.len;
    while (at < end) {
        const uint8_t *mark = memchr(at, '&', (size_t)(end - at));
        const uint8_t *stop = mark ? mark : end;
        if (read_pair(host, (struct squall_bytes){at, (uint64_t)(stop - at)}, ret_query, ret_why))
            return -1;
        at = mark ? mark + 1 : end;
    }
    return 0;
}
