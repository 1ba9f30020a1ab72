/* The options of an `http` target as a table, and what is worked out of them once. */
#ifndef SQUALL_HTTP_OPTIONS_H
#define SQUALL_HTTP_OPTIONS_H
#include "h2_session.h"
#include <squall/plugin.h>
#include <stdbool.h>

#define HTTP_TARGET_ROWS 9

enum http_version { HTTP_AUTO, HTTP_1, HTTP_2 }; /* the choices of `http`, in their order */

struct http_target_options {
    uint64_t version; /* enum http_version */
    uint64_t streams, window, connection_window, header_table, max_frame, header_list, retry, cookies;
};
extern const struct squall_option http_target_rows[HTTP_TARGET_ROWS];

/* squall_target.state */
struct http_target {
    enum http_version version;
    struct h2_options h2;
    bool cookies; /* each user keeps what servers set */
    bool retry; /* what the server has not acted on is sent again on another connection */
};

int32_t http_target_init(struct squall_target *target, struct squall_error *error);

#endif
