/*
 * URLs of targets: "scheme://host:port/path?query" (RFC 3986, the part of it that names a server). No user
 * information: credentials belong to a step's options, where they are seen. The text may come from a file or from a
 * command line, so every byte of it is checked.
 */
#include "scenario/scenario.h"
#include <ctype.h>
#include <string.h>

#define HOST_LEN_MAX 253

static size_t scheme_length(const char *text)
{
    size_t len = 0;
    while (isalnum((unsigned char)text[len]) || text[len] == '+' || text[len] == '-' || text[len] == '.')
        len++;
    return isalpha((unsigned char)text[0]) ? len : 0;
}

static int parse_port(const char *text, size_t len, uint16_t *ret_port)
{
    uint32_t port = 0;
    if (len == 0 || len > 5)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return -1;
        port = port * 10 + (uint32_t)(text[i] - '0');
    }
    if (port == 0 || port > 65535)
        return -1;
    *ret_port = (uint16_t)port;
    return 0;
}

static bool host_valid(const char *host, size_t len, bool ipv6)
{
    if (len == 0 || len > HOST_LEN_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)host[i];
        if (ipv6 ? !(isxdigit(c) || c == ':' || c == '.') : !(isalnum(c) || c == '-' || c == '.' || c == '_'))
            return false;
    }
    return true;
}

/* host[:port] or [v6][:port]. */
static int parse_authority(const char *text, size_t len, const char *whole, struct arena *arena, struct url *url,
                           struct error *error)
{
    const char *host = text, *colon = NULL;
    size_t host_len = len;
    bool ipv6 = len > 0 && text[0] == '[';
    if (memchr(text, '@', len))
        return error_set(error, "the URL '%s' holds a user name; leave out everything up to the '@'", whole);
    if (ipv6) {
        const char *end = memchr(text, ']', len);
        if (!end)
            return error_set(error, "the URL '%s' opens '[' and does not close it; write [::1]:8080", whole);
        host = text + 1;
        host_len = (size_t)(end - host);
        colon = end + 1 < text + len ? end + 1 : NULL;
        if (colon && *colon != ':')
            return error_set(error, "the URL '%s' has text between ']' and the port; write [::1]:8080", whole);
    } else if ((colon = memchr(text, ':', len))) {
        host_len = (size_t)(colon - text);
    }
    if (!host_valid(host, host_len, ipv6))
        return error_set(error, "the URL '%s' has no valid host; write scheme://host:port", whole);
    url->port = 0;
    if (colon && parse_port(colon + 1, (size_t)(text + len - colon - 1), &url->port))
        return error_set(error, "the URL '%s' has no valid port; write a number from 1 to 65535 after the ':'", whole);
    url->host = arena_copy(arena, host, host_len);
    url->authority = arena_copy(arena, text, len);
    return 0;
}

/* The path's length up to a fragment. ${...} may hold any character. */
static int path_length(const char *path, const char *whole, size_t *ret_len, struct error *error)
{
    size_t i = 0;
    int depth = 0;
    for (; path[i] != '\0'; i++) {
        unsigned char c = (unsigned char)path[i];
        if (c == '$' && path[i + 1] == '{') {
            depth++;
            i++;
        } else if (depth > 0) {
            depth += c == '{' ? 1 : c == '}' ? -1 : 0;
        } else if (c == '#') {
            break;
        } else if (c <= ' ' || c == 0x7f) {
            return error_set(error, "the URL '%s' holds a space or a control character; write %%20 for a space", whole);
        }
    }
    *ret_len = i;
    return 0;
}

int url_parse(const char *text, struct arena *arena, struct url *ret_url, struct error *error)
{
    struct url url = {0};
    size_t scheme_len = scheme_length(text), path_len = 0;
    if (scheme_len == 0 || strncmp(text + scheme_len, "://", 3) != 0)
        return error_set(error, "'%s' is not a URL; write scheme://host:port", text);
    char *scheme = arena_copy(arena, text, scheme_len);
    for (char *c = scheme; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    url.scheme = scheme;
    const char *authority = text + scheme_len + 3;
    size_t authority_len = strcspn(authority, "/?#");
    if (parse_authority(authority, authority_len, text, arena, &url, error) ||
        path_length(authority + authority_len, text, &path_len, error))
        return -1;
    url.path = arena_copy(arena, authority + authority_len, path_len);
    const char *fragment = authority + authority_len + path_len;
    url.fragment = arena_copy(arena, fragment, strlen(fragment));
    *ret_url = url;
    return 0;
}
