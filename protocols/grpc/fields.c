/* grpc-timeout and the rules of metadata. See fields.h. */
#include "fields.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    uint64_t ns;
    char name;
} units[] = {{1, 'n'},
             {1000, 'u'},
             {1000000, 'm'},
             {1000000000, 'S'},
             {UINT64_C(60000000000), 'M'},
             {UINT64_C(3600000000000), 'H'}};

int rpc_timeout_parse(struct squall_bytes text, uint64_t *ret_timeout_ns)
{
    uint64_t count = 0;
    if (text.len < 2 || text.len > 9)
        return -1;
    for (uint64_t i = 0; i + 1 < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        count = count * 10 + (uint64_t)(text.data[i] - '0');
    }
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (text.data[text.len - 1] != (uint8_t)units[i].name)
            continue;
        /* The longest does not fit into 64 bits of nanoseconds: it is longer than any call. */
        *ret_timeout_ns = count < INT64_MAX / units[i].ns ? count * units[i].ns : INT64_MAX;
        return 0;
    }
    return -1;
}

size_t rpc_timeout_write(uint64_t timeout_ns, char text[RPC_TIMEOUT_MAX])
{
    uint64_t count = 0;
    char name = 'H';
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        count = timeout_ns / units[i].ns + (timeout_ns % units[i].ns != 0 ? 1 : 0);
        name = units[i].name;
        if (count <= 99999999)
            break;
    }
    return (size_t)snprintf(text, RPC_TIMEOUT_MAX, "%" PRIu64 "%c", count % 100000000, name);
}

static int begins_with(struct squall_bytes text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.data, with, len) == 0;
}

int rpc_metadata_is_binary(struct squall_bytes name)
{
    return name.len > 4 && memcmp(name.data + name.len - 4, "-bin", 4) == 0;
}

const char *rpc_metadata_check_name(struct squall_bytes name)
{
    static const char *const own[] = {
        "te",      "content-type", "user-agent",       "connection",    "host", "transfer-encoding",
        "upgrade", "keep-alive",   "proxy-connection", "content-length"};
    if (name.len == 0)
        return "a name cannot be empty";
    if (begins_with(name, "grpc-"))
        return "names with grpc- belong to the protocol";
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        if (name.len == strlen(own[i]) && memcmp(name.data, own[i], name.len) == 0)
            return "the protocol sets this field itself";
    for (uint64_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];
        if (c >= 'A' && c <= 'Z')
            return "names are lower case";
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'))
            return "a name holds lower-case letters, digits and - _ . only";
    }
    return NULL;
}

const char *rpc_metadata_check_value(struct squall_bytes name, struct squall_bytes value)
{
    if (rpc_metadata_is_binary(name))
        return NULL;
    for (uint64_t i = 0; i < value.len; i++)
        if (value.data[i] < 0x20 || value.data[i] > 0x7e)
            return "a value is printable ASCII; for other bytes end the name in -bin";
    return NULL;
}

const char *rpc_metadata_check(struct squall_bytes name, struct squall_bytes value)
{
    const char *reason = rpc_metadata_check_name(name);
    return reason != NULL ? reason : rpc_metadata_check_value(name, value);
}
