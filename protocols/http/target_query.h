/* What a request's own query asks of `squall target`: delay, stall, status, size, chunked, reset, close. */
#ifndef SQUALL_HTTP_TARGET_QUERY_H
#define SQUALL_HTTP_TARGET_QUERY_H
#include <squall/server.h>
#include <stdbool.h>

#define TARGET_STALL_MAX_NS UINT64_C(60000000000)

/* Only what was asked for is set: absent things keep the values that the caller put in. */
struct target_query {
    struct squall_distribution delay, size;
    bool has_delay, has_size;
    uint32_t status; /* 0: not asked for */
    uint64_t stall_ns;
    bool chunked, reset, close;
};

/* Reads "a=b&c=d"; names that it does not know are passed over. 0, or -1 and *ret_why names the fault. */
int target_query_parse(const struct squall_server_host *host, struct squall_bytes query, struct target_query *ret_query,
                       const char **ret_why);

#endif
