/*
 * Where a redirect leads: a URI reference against the URL that it came from, RFC 3986 5.2, for http and https only.
 */
#ifndef SQUALL_HTTP_LOCATION_H
#define SQUALL_HTTP_LOCATION_H
#include <squall/plugin.h>
#include <stdbool.h>

#define LOCATION_PATH_MAX 4096u /* bytes of path and query; a longer one is refused */

struct location {
    bool elsewhere;               /* another scheme, host or port than the request's */
    uint64_t len;                 /* of path */
    char path[LOCATION_PATH_MAX]; /* with its query, begins with '/'; the fragment is gone */
};

/* `authority` and `secure` are of the URL that was asked, `path` its path and query. NULL, or a static text that says
 * what is wrong with the reference. */
const char *location_resolve(struct squall_bytes reference, bool secure, struct squall_bytes authority,
                             struct squall_bytes path, struct location *ret_location);

#endif
