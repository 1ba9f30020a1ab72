/* What a request's own query asks of `squall target`: one table makes the reader and the help. */
#ifndef SQUALL_HTTP_TARGET_QUERY_H
#define SQUALL_HTTP_TARGET_QUERY_H
#include <squall/server.h>
#include <stdbool.h>

#define TARGET_STALL_MAX_NS UINT64_C(60000000000)
#define TARGET_SETTINGS_MAX 8
#define TARGET_RAW_MAX      63

#define TARGET_PARAMETER_COUNT 18
extern const struct squall_server_parameter target_parameters[TARGET_PARAMETER_COUNT];

struct target_setting {
    uint16_t id;
    uint32_t value;
};

/* What a server should not do, or need not: HTTP/2 only. */
struct target_faults {
    bool rst, goaway, goaway_last, push;
    uint32_t rst_code, goaway_code;
    uint64_t rst_after; /* bytes of the body; UINT64_MAX: instead of the whole answer */
    uint32_t last_stream;
    uint32_t hints, trailers, pad; /* how many; bytes a frame */
    uint64_t fields;               /* bytes */
    uint32_t settings_count, raw_len;
    struct target_setting settings[TARGET_SETTINGS_MAX];
    uint8_t raw[TARGET_RAW_MAX];
};

/* Only what was asked for is set: absent things keep the values that the caller put in. */
struct target_query {
    struct squall_distribution delay, size;
    bool has_delay, has_size;
    uint32_t status; /* 0: not asked for */
    uint64_t stall_ns;
    bool chunked, reset, close, hang;
    uint64_t hang_after;    /* bytes of the body */
    uint64_t part, pace_ns; /* the body in parts of so many bytes, so far apart; 0: all at once */
    struct target_faults faults;
};

/* Reads "a=b&c=d"; names that it does not know are passed over. 0, or -1 and *ret_why names the fault. */
int target_query_parse(const struct squall_server_host *host, struct squall_bytes query, bool is_h2,
                       struct target_query *ret_query, const char **ret_why);
/* A code of HTTP/2's errors, by name or number. 0 or -1. */
int target_code_parse(const struct squall_server_host *host, const char *text, uint32_t *ret_code);

#endif
