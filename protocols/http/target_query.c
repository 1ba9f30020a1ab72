/* Query parameters. One row each; values are decoded into a small buffer, since none of them is long. */
#include "target_query.h"
#include "h2_errors.h"
#include <string.h>
#include <strings.h>

#define VALUE_MAX  160
#define FIELDS_MAX (512 * 1024)

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static int read_delay(const struct squall_server_host *host, char *value, struct target_query *query)
{
    struct squall_error error;
    query->has_delay = true;
    return host->distribution_parse(value, SQUALL_DURATION, &query->delay, &error);
}

static int read_size(const struct squall_server_host *host, char *value, struct target_query *query)
{
    struct squall_error error;
    query->has_size = true;
    return host->distribution_parse(value, SQUALL_SIZE, &query->size, &error);
}

static int read_status(const struct squall_server_host *host, char *value, struct target_query *query)
{
    uint64_t status;
    if (host->number_parse(value, SQUALL_UINT, &status) || status < 200 || status > 599)
        return -1;
    query->status = (uint32_t)status;
    return 0;
}

static int read_stall(const struct squall_server_host *host, char *value, struct target_query *query)
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

static int read_chunked(const struct squall_server_host *host, char *value, struct target_query *query)
{
    (void)host;
    return read_bool(value, &query->chunked);
}

static int read_reset(const struct squall_server_host *host, char *value, struct target_query *query)
{
    (void)host;
    return read_bool(value, &query->reset);
}

static int read_close(const struct squall_server_host *host, char *value, struct target_query *query)
{
    (void)host;
    return read_bool(value, &query->close);
}

/* The text behind the mark, which ends what stands before it; NULL: there is no mark. */
static char *cut(char *text, char mark)
{
    char *at = strchr(text, mark);
    if (at)
        *at++ = '\0';
    return at;
}

static int read_hang(const struct squall_server_host *host, char *value, struct target_query *query)
{
    query->hang = true;
    return host->number_parse(value, SQUALL_SIZE, &query->hang_after);
}

static int read_pace(const struct squall_server_host *host, char *value, struct target_query *query)
{
    const char *time = cut(value, '@');
    if (!time || host->number_parse(value, SQUALL_SIZE, &query->part) || !query->part)
        return -1;
    return host->number_parse(time, SQUALL_DURATION, &query->pace_ns) || query->pace_ns > TARGET_STALL_MAX_NS ? -1 : 0;
}

/* ---- HTTP/2 only ---- */

/* A name of RFC 9113, 7, in any case and with - for _, or a number. */
static int read_code(const struct squall_server_host *host, char *value, uint32_t *ret_code)
{
    uint64_t number;
    for (char *at = value; *at; at++)
        *at = *at == '-' ? '_' : *at;
    for (uint32_t code = 0; code <= 13; code++) {
        if (strcasecmp(value, h2_error_name(code)) == 0) {
            *ret_code = code;
            return 0;
        }
    }
    if (host->number_parse(value, SQUALL_UINT, &number) || number > UINT32_MAX)
        return -1;
    *ret_code = (uint32_t)number;
    return 0;
}

int target_code_parse(const struct squall_server_host *host, const char *text, uint32_t *ret_code)
{
    char copy[VALUE_MAX];
    if (strlen(text) >= sizeof copy)
        return -1;
    memcpy(copy, text, strlen(text) + 1);
    return read_code(host, copy, ret_code);
}

static int read_rst(const struct squall_server_host *host, char *value, struct target_query *query)
{
    struct target_faults *faults = &query->faults;
    const char *after = cut(value, '@');
    faults->rst = true;
    faults->rst_after = UINT64_MAX;
    if (after && host->number_parse(after, SQUALL_SIZE, &faults->rst_after))
        return -1;
    return read_code(host, value, &faults->rst_code);
}

/* A whole number from 0 to most. */
static int read_count(const struct squall_server_host *host, const char *value, uint64_t most, uint32_t *ret_count)
{
    uint64_t number;
    if (host->number_parse(value, SQUALL_UINT, &number) || number > most)
        return -1;
    *ret_count = (uint32_t)number;
    return 0;
}

static int read_goaway(const struct squall_server_host *host, char *value, struct target_query *query)
{
    struct target_faults *faults = &query->faults;
    const char *last = cut(value, '@');
    faults->goaway = true;
    faults->goaway_last = last != NULL;
    /* No stream of a client has an even number but 0, which stands for none. */
    if (last && (read_count(host, last, INT32_MAX, &faults->last_stream) ||
                 (faults->last_stream && !(faults->last_stream & 1))))
        return -1;
    return read_code(host, value, &faults->goaway_code);
}

static int read_hints(const struct squall_server_host *host, char *value, struct target_query *query)
{
    return read_count(host, value, 100, &query->faults.hints);
}

static int read_fields(const struct squall_server_host *host, char *value, struct target_query *query)
{
    return host->number_parse(value, SQUALL_SIZE, &query->faults.fields) || query->faults.fields > FIELDS_MAX ? -1 : 0;
}

static int read_trailers(const struct squall_server_host *host, char *value, struct target_query *query)
{
    return read_count(host, value, 100, &query->faults.trailers);
}

static int read_pad(const struct squall_server_host *host, char *value, struct target_query *query)
{
    return read_count(host, value, 255, &query->faults.pad);
}

static int read_push(const struct squall_server_host *host, char *value, struct target_query *query)
{
    (void)host;
    return read_bool(value, &query->faults.push);
}

/* Values that RFC 9113, 6.5.2 forbids are for raw=: the server's own side would not know what to do with them. */
static bool is_setting(uint32_t id, uint32_t value)
{
    return id >= 1 && id <= UINT16_MAX && (id != 2 || value == 0) && (id != 4 || value <= INT32_MAX) &&
           (id != 5 || (value >= 16384 && value < 1u << 24)) && (id != 8 || value == 0);
}

static int read_settings(const struct squall_server_host *host, char *value, struct target_query *query)
{
    struct target_faults *faults = &query->faults;
    for (char *next; value; value = next) {
        uint32_t id, number;
        next = cut(value, ',');
        const char *text = cut(value, ':');
        if (!text || faults->settings_count == TARGET_SETTINGS_MAX || read_count(host, value, UINT16_MAX, &id) ||
            read_count(host, text, UINT32_MAX, &number) || !is_setting(id, number))
            return -1;
        faults->settings[faults->settings_count++] = (struct target_setting){(uint16_t)id, number};
    }
    return 0;
}

static int read_raw(const struct squall_server_host *host, char *value, struct target_query *query)
{
    struct target_faults *faults = &query->faults;
    (void)host;
    for (; value[0]; value += 2) {
        int high = hex_digit((uint8_t)value[0]), low = hex_digit((uint8_t)value[1]);
        if (high < 0 || low < 0 || faults->raw_len == TARGET_RAW_MAX)
            return -1;
        faults->raw[faults->raw_len++] = (uint8_t)(high << 4 | low);
    }
    return faults->raw_len ? 0 : -1;
}

/* ---- the table ---- */

enum parameter {
    DELAY,
    STALL,
    STATUS,
    SIZE,
    CHUNKED,
    RESET,
    CLOSE,
    PACE,
    HANG,
    RST,
    GOAWAY,
    HINTS,
    FIELDS,
    TRAILERS,
    PAD,
    PUSH,
    SETTINGS,
    RAW,
    PARAMETER_COUNT,
    H2_ONLY = RST, /* from here on */
};

_Static_assert(PARAMETER_COUNT == TARGET_PARAMETER_COUNT, "the header says how many there are");

const struct squall_server_parameter target_parameters[TARGET_PARAMETER_COUNT] = {
    [DELAY] = {"delay", "DELAY", "before the answer, as --delay"},
    [STALL] = {"stall", "TIME", "the whole target says nothing for so long"},
    [STATUS] = {"status", "N", "of the answer, 200 to 599"},
    [SIZE] = {"size", "SIZE", "of the body, as --size"},
    [CHUNKED] = {"chunked", "1", "a body whose length is not told before it"},
    [RESET] = {"reset", "1", "the connection is reset instead of an answer"},
    [CLOSE] = {"close", "1", "the connection closes after the answer; HTTP/2: and all others that are in flight"},
    [PACE] = {"pace", "SIZE@TIME", "the body in parts of so many bytes, so far apart"},
    [HANG] = {"hang", "SIZE", "after so much of the body nothing more of the answer comes"},
    [RST] = {"rst", "CODE[@SIZE]", "HTTP/2: the stream is reset, at once or after so much of the body"},
    [GOAWAY] = {"goaway", "CODE[@STREAM]", "HTTP/2: GOAWAY before the answer, with the last stream or with this one"},
    [HINTS] = {"hints", "N", "HTTP/2: so many interim answers (103) first"},
    [FIELDS] = {"fields", "SIZE", "HTTP/2: so much more of header fields"},
    [TRAILERS] = {"trailers", "N", "HTTP/2: so many fields behind the body"},
    [PAD] = {"pad", "N", "HTTP/2: so many bytes of padding in each frame"},
    [PUSH] = {"push", "1", "HTTP/2: promises an answer that nobody asked for"},
    [SETTINGS] = {"settings", "ID:VALUE,...",
                  "HTTP/2: settings before the answer; at most 16 frames that are not acknowledged"},
    [RAW] = {"raw", "HEX", "HTTP/2: these bytes before the answer; stream ffffffff: the request's own"},
};

static const struct {
    int (*read)(const struct squall_server_host *host, char *value, struct target_query *query);
    const char *why;
} readers[PARAMETER_COUNT] = {
    [DELAY] = {read_delay, "delay: write 5ms or a distribution such as uniform(1ms,5ms)\n"},
    [STALL] = {read_stall, "stall: write a duration of at most 60s\n"},
    [STATUS] = {read_status, "status: write a number from 200 to 599\n"},
    [SIZE] = {read_size, "size: write 128, 4k or a distribution such as uniform(100,2000)\n"},
    [CHUNKED] = {read_chunked, "chunked: write 1 or 0\n"},
    [RESET] = {read_reset, "reset: write 1 or 0\n"},
    [CLOSE] = {read_close, "close: write 1 or 0\n"},
    [PACE] = {read_pace, "pace: write 1k@5ms, at most 60s\n"},
    [HANG] = {read_hang, "hang: write a size, 0 for a head alone\n"},
    [RST] = {read_rst, "rst: write a code such as cancel or 8, and perhaps a size: cancel@1k\n"},
    [GOAWAY] = {read_goaway, "goaway: write a code such as no-error or 0, and perhaps a stream: no-error@3\n"},
    [HINTS] = {read_hints, "hints: write a number up to 100\n"},
    [FIELDS] = {read_fields, "fields: write a size up to 512KiB\n"},
    [TRAILERS] = {read_trailers, "trailers: write a number up to 100\n"},
    [PAD] = {read_pad, "pad: write a number up to 255\n"},
    [PUSH] = {read_push, "push: write 1 or 0\n"},
    [SETTINGS] = {read_settings, "settings: write up to 8 that RFC 9113 allows, such as 3:100,4:0\n"},
    [RAW] = {read_raw, "raw: write up to 63 bytes as hexadecimal digits\n"},
};

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

static int read_pair(const struct squall_server_host *host, struct squall_bytes pair, bool is_h2,
                     struct target_query *query, const char **ret_why)
{
    const uint8_t *equals = memchr(pair.data, '=', pair.len);
    uint64_t name_len = equals ? (uint64_t)(equals - pair.data) : pair.len;
    for (uint32_t i = 0; i < PARAMETER_COUNT; i++) {
        const char *name = target_parameters[i].name;
        if (name_len != strlen(name) || memcmp(pair.data, name, name_len) != 0)
            continue;
        char value[VALUE_MAX];
        *ret_why = i >= H2_ONLY && !is_h2 ? "this parameter has a meaning on HTTP/2 alone: see squall target --help\n"
                                          : readers[i].why;
        if (i >= H2_ONLY && !is_h2)
            return -1;
        if (equals && decode((struct squall_bytes){equals + 1, pair.len - name_len - 1}, value) == 0)
            return readers[i].read(host, value, query);
        return -1;
    }
    return 0;
}

int target_query_parse(const struct squall_server_host *host, struct squall_bytes query, bool is_h2,
                       struct target_query *ret_query, const char **ret_why)
{
    const uint8_t *at = query.data, *end = query.data + query.len;
    while (at < end) {
        const uint8_t *mark = memchr(at, '&', (size_t)(end - at));
        const uint8_t *stop = mark ? mark : end;
        if (read_pair(host, (struct squall_bytes){at, (uint64_t)(stop - at)}, is_h2, ret_query, ret_why))
            return -1;
        at = mark ? mark + 1 : end;
    }
    return 0;
}
