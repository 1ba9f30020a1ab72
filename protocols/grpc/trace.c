/* See trace.h. */
#include "trace.h"
#include "base64.h"
#include "status.h"
#include "text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BINARY_MAX 4096u /* of a field: what is longer is shown as it came */

static struct squall_bytes bytes_of(const char *text)
{
    return (struct squall_bytes){(const uint8_t *)text, strlen(text)};
}

static void tell(struct squall_conn *conn, uint32_t what, struct squall_bytes name, struct squall_bytes value)
{
    conn->worker->host->trace(conn, what, name, value);
}

void rpc_trace_message(struct squall_conn *conn, uint32_t what, uint64_t number, const struct pb_type *type,
                       struct pb_decoder *decoder, struct pb_text *text, struct squall_bytes message)
{
    char title[80];
    snprintf(title, sizeof title, "message %llu, %llu bytes", (unsigned long long)(number + 1),
             (unsigned long long)message.len);
    pb_text_reset(text);
    const char *why = pb_decode(decoder, type, message.data, message.len, text);
    tell(conn, what, bytes_of(title), (struct squall_bytes){0});
    if (why != NULL)
        tell(conn, SQUALL_TRACE_FIELD, bytes_of("not shown as JSON"), bytes_of(why));
    struct squall_bytes shown = why != NULL ? message : (struct squall_bytes){(const uint8_t *)text->data, text->len};
    if (shown.len > 0)
        tell(conn, SQUALL_TRACE_CONTENT, (struct squall_bytes){0}, shown);
}

static bool is_named(struct squall_bytes name, const char *literal)
{
    return name.len == strlen(literal) && memcmp(name.data, literal, name.len) == 0;
}

static void tell_status(struct squall_conn *conn, struct squall_bytes name, struct squall_bytes value)
{
    char text[60];
    uint32_t code;
    const char *word = rpc_status_parse(value, &code) == 0 ? rpc_code_name(code) : NULL;
    snprintf(text, sizeof text, "%.*s%s%s", (int)(value.len < 20 ? value.len : 20), (const char *)value.data,
             word != NULL ? " " : "", word != NULL ? word : "");
    tell(conn, SQUALL_TRACE_FIELD, name, bytes_of(text));
}

static bool tell_binary(struct squall_conn *conn, struct squall_bytes name, struct squall_bytes value)
{
    uint8_t bytes[BINARY_MAX];
    int64_t len = value.len <= BINARY_MAX ? rpc_base64_decode((const char *)value.data, value.len, bytes) : -1;
    if (len < 0)
        return false;
    tell(conn, SQUALL_TRACE_FIELD, name, value);
    tell(conn, SQUALL_TRACE_CONTENT, (struct squall_bytes){0}, (struct squall_bytes){bytes, (uint64_t)len});
    return true;
}

void rpc_trace_field(struct squall_conn *conn, struct squall_bytes name, struct squall_bytes value)
{
    char text[400];
    bool binary = name.len > 4 && memcmp(name.data + name.len - 4, "-bin", 4) == 0;
    if (is_named(name, "grpc-status")) {
        tell_status(conn, name, value);
    } else if (is_named(name, "grpc-message")) {
        rpc_message_decode(value, text, sizeof text);
        tell(conn, SQUALL_TRACE_FIELD, name, bytes_of(text));
    } else if (!binary || !tell_binary(conn, name, value)) {
        tell(conn, SQUALL_TRACE_FIELD, name, value);
    }
}
