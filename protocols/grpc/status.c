/* Status codes and their tables. See status.h. */
#include "status.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const names[RPC_CODES] = {
    [RPC_OK] = "OK",
    [RPC_CANCELLED] = "CANCELLED",
    [RPC_UNKNOWN] = "UNKNOWN",
    [RPC_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [RPC_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [RPC_NOT_FOUND] = "NOT_FOUND",
    [RPC_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [RPC_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [RPC_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [RPC_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [RPC_ABORTED] = "ABORTED",
    [RPC_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [RPC_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [RPC_INTERNAL] = "INTERNAL",
    [RPC_UNAVAILABLE] = "UNAVAILABLE",
    [RPC_DATA_LOSS] = "DATA_LOSS",
    [RPC_UNAUTHENTICATED] = "UNAUTHENTICATED",
};

const char *rpc_code_name(uint32_t code)
{
    return code < RPC_CODES ? names[code] : NULL;
}

const char *rpc_result_name(uint32_t result_code)
{
    return result_code > 0 ? rpc_code_name(result_code - 1) : NULL;
}

static int parse_number(struct squall_bytes text, uint32_t *ret_number)
{
    uint32_t number = 0;
    if (text.len == 0 || text.len > 3)
        return -1;
    for (uint64_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        number = number * 10 + (uint32_t)(text.data[i] - '0');
    }
    *ret_number = number;
    return 0;
}

int rpc_code_parse(struct squall_bytes text, uint32_t *ret_code)
{
    uint32_t number;
    for (uint32_t code = 0; code < RPC_CODES; code++) {
        if (strlen(names[code]) != text.len || strncasecmp(names[code], (const char *)text.data, text.len) != 0)
            continue;
        *ret_code = code;
        return 0;
    }
    if (parse_number(text, &number) < 0 || number >= RPC_CODES)
        return -1;
    *ret_code = number;
    return 0;
}

int rpc_status_parse(struct squall_bytes value, uint32_t *ret_code)
{
    uint32_t number;
    if (parse_number(value, &number) < 0)
        return -1;
    *ret_code = number < RPC_CODES ? number : (uint32_t)RPC_UNKNOWN;
    return 0;
}

uint32_t rpc_code_of_http(uint32_t http_status)
{
    switch (http_status) {
    case 400:
        return RPC_INTERNAL;
    case 401:
        return RPC_UNAUTHENTICATED;
    case 403:
        return RPC_PERMISSION_DENIED;
    case 404:
        return RPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return RPC_UNAVAILABLE;
    default:
        return RPC_UNKNOWN;
    }
}

uint32_t rpc_code_of_reset(uint32_t h2_error)
{
    switch (h2_error) { /* the error codes of RFC 9113 7 */
    case 0x7:           /* REFUSED_STREAM */
        return RPC_UNAVAILABLE;
    case 0x8: /* CANCEL */
        return RPC_CANCELLED;
    case 0xb: /* ENHANCE_YOUR_CALM */
        return RPC_RESOURCE_EXHAUSTED;
    case 0xc: /* INADEQUATE_SECURITY */
        return RPC_PERMISSION_DENIED;
    default:
        return RPC_INTERNAL;
    }
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t rpc_message_decode(struct squall_bytes value, char *out, size_t size)
{
    size_t written = 0;
    for (uint64_t i = 0; i < value.len && written + 1 < size; i++) {
        uint8_t byte = value.data[i];
        if (byte == '%' && value.len - i > 2 && hex_value(value.data[i + 1]) >= 0 &&
            hex_value(value.data[i + 2]) >= 0) {
            byte = (uint8_t)(hex_value(value.data[i + 1]) * 16 + hex_value(value.data[i + 2]));
            i += 2;
        }
        out[written++] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
    }
    if (size > 0)
        out[written] = '\0';
    return written;
}

size_t rpc_message_encode(const char *text, size_t len, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t written = 0;
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (byte >= 0x20 && byte <= 0x7e && byte != '%') {
            out[written++] = (char)byte;
            continue;
        }
        out[written++] = '%';
        out[written++] = digits[byte >> 4];
        out[written++] = digits[byte & 15];
    }
    return written;
}

static int refuse(struct squall_bytes text, struct squall_error *error)
{
    snprintf(error->text, sizeof error->text,
             "expect: \"%.*s\" is no list of status codes; write names or numbers such as OK or NOT_FOUND,ABORTED",
             (int)(text.len < 60 ? text.len : 60), (const char *)text.data);
    return -1;
}

int rpc_expect_parse(struct squall_bytes text, uint32_t *ret_codes, struct squall_error *error)
{
    uint32_t codes = 0, code;
    for (uint64_t at = 0, end; at <= text.len; at = end + 1) {
        for (end = at; end < text.len && text.data[end] != ',';)
            end++;
        uint64_t from = at, to = end;
        while (from < to && text.data[from] == ' ')
            from++;
        while (to > from && text.data[to - 1] == ' ')
            to--;
        if (rpc_code_parse((struct squall_bytes){text.data + from, to - from}, &code) < 0)
            return refuse(text, error);
        codes |= UINT32_C(1) << code;
    }
    *ret_codes = codes;
    return 0;
}
