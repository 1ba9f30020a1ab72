/*
 * A user's cookies, as a client keeps them: RFC 6265 (sections below are its own). No I/O, no clock: the caller says
 * what time it is, on any clock that only goes forward.
 *
 * Bounded: COOKIES_MAX cookies a user, COOKIE_BYTES_MAX of name and value each; of more, the one that was set longest
 * ago goes. What is not kept is not an error: a client may refuse any cookie (5.3).
 *
 * What is left out, and why: no list of public suffixes, for a user under test talks to few hosts of one owner. In its
 * place a Domain of one label ("com") is refused.
 */
#ifndef SQUALL_HTTP_COOKIES_H
#define SQUALL_HTTP_COOKIES_H
#include <squall/plugin.h>
#include <stdbool.h>

#define COOKIES_MAX      64
#define COOKIE_BYTES_MAX 4096

/* One cookie: its texts lie in one block behind it. */
struct cookie {
    char *text; /* name, value, domain, path in a row */
    uint32_t name_len, value_len, domain_len, path_len;
    bool host_only, secure;
    uint64_t expires_s; /* UINT64_MAX: with the user's session */
    uint64_t number;    /* in the order of creation */
};

/* All zero: empty. */
struct cookies {
    struct cookie *list;
    uint32_t count;
    uint64_t next_number;
};

/* Where a request goes. The host is compared without case; the path without its query. */
struct cookie_place {
    struct squall_bytes host, path;
    bool secure;
    uint64_t now_s;
};

void cookies_fini(struct cookies *cookies);
/* One Set-Cookie field's value in an answer from that place. `date` is the answer's Date field, by which Expires is
 * read; it may be empty: then a date before 1980 deletes, and any other lasts for the session. 0, or -1: no memory. */
int cookies_set(struct cookies *cookies, const struct cookie_place *place, struct squall_bytes value,
                struct squall_bytes date);
/* Bytes of the Cookie field's value, 0: none; and the value itself, for which there must be room (5.4). */
uint64_t cookies_size(const struct cookies *cookies, const struct cookie_place *place);
uint64_t cookies_write(const struct cookies *cookies, const struct cookie_place *place, uint8_t *out);

/* Seconds since 1970 of a date in any of the shapes that 5.1.1 takes; -1: it is none. */
int64_t cookie_date(struct squall_bytes text);

#endif
