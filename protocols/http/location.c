/* Resolving references. See location.h. */
#include "location.h"
#include <string.h>
#include <strings.h>

static struct squall_bytes slice(struct squall_bytes text, uint64_t from, uint64_t to)
{
    return (struct squall_bytes){text.data + from, to - from};
}

static uint64_t find_any(struct squall_bytes text, const char *bytes)
{
    uint64_t i = 0;
    while (i < text.len && !strchr(bytes, text.data[i]))
        i++;
    return i;
}

/* The length of "scheme" in "scheme:...", 0: the reference has none. */
static uint64_t scheme_length(struct squall_bytes text)
{
    uint64_t i = 0;
    for (; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (c == ':')
            return i;
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return 0;
    }
    return 0;
}

/* Without the port where it is the scheme's own. */
static struct squall_bytes bare(struct squall_bytes authority, bool secure)
{
    const char *port = secure ? ":443" : ":80";
    uint64_t len = strlen(port);
    if (authority.len > len && memcmp(authority.data + authority.len - len, port, len) == 0)
        authority.len -= len;
    return authority;
}

static bool same_place(struct squall_bytes a, bool a_secure, struct squall_bytes b, bool b_secure)
{
    a = bare(a, a_secure);
    b = bare(b, b_secure);
    return a_secure == b_secure && a.len == b.len &&
           strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0;
}

/* 5.2.4, in place: "/a/./b/../c" becomes "/a/c". The path begins with '/'. */
static uint64_t remove_dots(char *path, uint64_t len)
{
    uint64_t out = 0;
    for (uint64_t at = 0; at < len;) {
        uint64_t end = at + 1;
        while (end < len && path[end] != '/')
            end++;
        uint64_t segment = end - at - 1;
        bool one = segment == 1 && path[at + 1] == '.';
        bool two = segment == 2 && path[at + 1] == '.' && path[at + 2] == '.';
        if (two)
            while (out > 0 && path[--out] != '/')
                continue;
        if (one || two) {
            if (end == len)
                path[out++] = '/';
        } else {
            memmove(path + out, path + at, end - at);
            out += end - at;
        }
        at = end;
    }
    if (out == 0)
        path[out++] = '/';
    return out;
}

static int append(struct location *location, struct squall_bytes text)
{
    if (text.len > LOCATION_PATH_MAX - location->len)
        return -1;
    if (text.len)
        memcpy(location->path + location->len, text.data, text.len);
    location->len += text.len;
    return 0;
}

/* A request target holds visible ASCII only; what a server puts beyond it has no place in a request line. */
static bool visible(struct squall_bytes text)
{
    for (uint64_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 127)
            return false;
    return true;
}

/* A reference without scheme and authority: a path, absolute or not, or a query alone. */
static int resolve_path(struct squall_bytes reference, struct squall_bytes base, struct location *location)
{
    static const uint8_t root[] = "/";
    uint64_t path_end = find_any(reference, "?"), base_end = find_any(base, "?");
    uint64_t merged = base_end;
    while (merged > 0 && base.data[merged - 1] != '/')
        merged--;
    bool absolute = path_end > 0 && reference.data[0] == '/';
    int failed = 0;
    if (path_end == 0) /* 5.2.2: the base's path, and its query unless the reference brings one */
        failed = append(location, slice(base, 0, reference.len ? base_end : base.len));
    else if (!absolute)
        failed = append(location, merged ? slice(base, 0, merged) : (struct squall_bytes){root, 1}) ||
                 append(location, slice(reference, 0, path_end));
    else
        failed = append(location, slice(reference, 0, path_end));
    if (failed)
        return -1;
    if (path_end > 0)
        location->len = remove_dots(location->path, location->len);
    return append(location, slice(reference, path_end, reference.len));
}

const char *location_resolve(struct squall_bytes reference, bool secure, struct squall_bytes authority,
                             struct squall_bytes path, struct location *ret_location)
{
    static const uint8_t root[] = "/";
    bool to_secure = secure;
    ret_location->len = 0;
    ret_location->elsewhere = false;
    reference.len = find_any(reference, "#");
    if (!visible(reference))
        return "the Location of the redirect holds bytes that no URL may hold";
    uint64_t scheme = scheme_length(reference);
    if (scheme) {
        bool http = scheme == 4 && strncasecmp((const char *)reference.data, "http", 4) == 0;
        to_secure = scheme == 5 && strncasecmp((const char *)reference.data, "https", 5) == 0;
        if (!http && !to_secure)
            return "the Location of the redirect is of another scheme than http and https";
        reference = slice(reference, scheme + 1, reference.len);
        if (reference.len < 3 || memcmp(reference.data, "//", 2) != 0)
            return "the Location of the redirect names no host";
    }
    if (reference.len >= 2 && memcmp(reference.data, "//", 2) == 0) {
        struct squall_bytes rest = slice(reference, 2, reference.len);
        uint64_t end = find_any(rest, "/?");
        if (end == 0)
            return "the Location of the redirect names no host";
        ret_location->elsewhere = !same_place(slice(rest, 0, end), to_secure, authority, secure);
        reference = slice(rest, end, rest.len);
        path = (struct squall_bytes){root, 1};
        if (reference.len == 0)
            reference = path;
    }
    return resolve_path(reference, path, ret_location) ? "the Location of the redirect is longer than 4 KiB" : NULL;
}
