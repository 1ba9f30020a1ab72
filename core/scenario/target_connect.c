/* Where a target's connections lead (connect-to), from which addresses of this machine they come (source), and how fast
 * they are opened (connect-rate). */
#include "scenario/target_keys.h"
#include "base/units.h"
#include <arpa/inet.h>
#include <string.h>
#include <sys/un.h>

int read_connect_rate(const struct loader *loader, const struct node *node, struct target *target)
{
    if (read_rate(loader, node, &target->connect_rate))
        return -1;
    if (target->connect_rate <= 0)
        return fail_at(loader, node, "at a rate of zero no connection is ever opened; write for example connect-rate: 500/s");
    return 0;
}

static int read_unix_path(const struct loader *loader, const struct node *node, const char *path, struct target *target)
{
    if (path[0] != '/')
        return fail_at(loader, node, "'unix:%.200s' is not an absolute path; write connect-to: unix:/run/service.sock", path);
    if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return fail_at(loader, node, "the path of a unix socket has at most %zu bytes; use a shorter one",
                       sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    target->connect_path = path;
    return 0;
}

int read_connect_to(const struct loader *loader, const struct node *node, struct target *target)
{
    const char *text;
    struct url url;
    if (read_text(loader, node, &text))
        return -1;
    if (strncmp(text, "unix:", 5) == 0)
        return read_unix_path(loader, node, text + 5, target);
    struct error ignored;
    const char *as_url = arena_printf(loader->arena, "to://%s", text);
    if (url_parse(as_url, loader->arena, &url, &ignored) || url.port == 0 || url.path[0] != '\0')
        return fail_at(loader, node, "'%.200s' is no place to connect to; write HOST:PORT or unix:/PATH", text);
    target->connect_host = url.host;
    target->connect_port = url.port;
    return 0;
}

/* address, address:port or [v6]:port. */
static bool name_server_valid(const struct loader *loader, const char *text)
{
    struct in6_addr address;
    struct url url;
    struct error ignored;
    if (inet_pton(AF_INET6, text, &address) == 1)
        return true;
    return url_parse(arena_printf(loader->arena, "dns://%s", text), loader->arena, &url, &ignored) == 0 && url.path[0] == '\0' &&
           (inet_pton(AF_INET, url.host, &address) == 1 || inet_pton(AF_INET6, url.host, &address) == 1);
}

int read_name_servers(const struct loader *loader, const struct node *node, struct target *target)
{
    bool list = node->kind == NODE_LIST;
    const char *joined = "", *text;
    for (uint32_t i = 0; i < (list ? node->count : 1); i++) {
        const struct node *one = list ? node->items[i] : node;
        if (read_text(loader, one, &text))
            return -1;
        if (!name_server_valid(loader, text))
            return fail_at(loader, one, "'%.100s' is no name server; write an address, with a port where it is not 53: 127.0.0.1:5353", text);
        joined = arena_printf(loader->arena, "%s%s%s", joined, joined[0] ? "," : "", text);
    }
    if (!joined[0])
        return fail_at(loader, node, "`name-servers` is empty; leave it out, or write for example name-servers: [127.0.0.1:5353]");
    target->name_servers = joined;
    return 0;
}

/* ---- source addresses ---- */

static int parse_address(const char *text, struct address_range *ret_range)
{
    struct address_range range = {.family = strchr(text, ':') ? AF_INET6 : AF_INET, .count = 1};
    if (inet_pton(range.family, text, range.first) != 1)
        return -1;
    *ret_range = range;
    return 0;
}

/* The last four bytes as a number: ranges are counted there, IPv6 too. */
static uint32_t low_bits(const struct address_range *range)
{
    uint32_t bits;
    memcpy(&bits, range->first + (range->family == AF_INET ? 0 : 12), sizeof bits);
    return ntohl(bits);
}

static void set_low_bits(struct address_range *range, uint32_t bits)
{
    bits = htonl(bits);
    memcpy(range->first + (range->family == AF_INET ? 0 : 12), &bits, sizeof bits);
}

static int parse_span(const char *first, const char *last, struct address_range *ret_range)
{
    struct address_range end;
    if (parse_address(first, ret_range) || parse_address(last, &end) || end.family != ret_range->family ||
        (end.family == AF_INET6 && memcmp(end.first, ret_range->first, 12) != 0) || low_bits(&end) < low_bits(ret_range))
        return -1;
    uint32_t distance = low_bits(&end) - low_bits(ret_range);
    ret_range->count = distance < SOURCES_MAX ? distance + 1 : SOURCES_MAX + 1;
    return 0;
}

/* The hosts of a block: of IPv4 without the first and the last address, which name the net and its broadcast. */
static int parse_block(const char *address, const char *bits_text, struct address_range *ret_range)
{
    uint64_t bits;
    if (parse_address(address, ret_range) || units_parse_count(bits_text, &bits))
        return -1;
    uint32_t width = ret_range->family == AF_INET ? 32 : 128;
    if (bits > width)
        return -1;
    uint32_t host_bits = width - (uint32_t)bits;
    if (host_bits >= 18) {
        ret_range->count = SOURCES_MAX + 1;
        return 0;
    }
    uint32_t size = UINT32_C(1) << host_bits, low = low_bits(ret_range) & ~(size - 1);
    bool ends_left_out = ret_range->family == AF_INET && size > 2;
    set_low_bits(ret_range, low + ends_left_out);
    ret_range->count = ends_left_out ? size - 2 : size;
    return 0;
}

static int read_source(const struct loader *loader, const struct node *node, struct address_range *ret_range)
{
    const char *text;
    if (read_text(loader, node, &text))
        return -1;
    const char *mark = strpbrk(text, "-/");
    const char *first = mark ? arena_copy(loader->arena, text, (size_t)(mark - text)) : text;
    int result = !mark ? parse_address(first, ret_range)
                 : *mark == '-' ? parse_span(first, mark + 1, ret_range)
                                : parse_block(first, mark + 1, ret_range);
    if (result)
        return fail_at(loader, node,
                       "'%.100s' is no source address; write an address (127.0.0.2), a range (127.0.0.2-127.0.0.20) or a "
                       "block (127.0.1.0/28)", text);
    return 0;
}

int read_sources(const struct loader *loader, const struct node *node, struct target *target)
{
    bool list = node->kind == NODE_LIST;
    if (!list && node->kind != NODE_SCALAR)
        return fail_at(loader, node, "`source` must be an address or a list; write for example source: [127.0.0.2-127.0.0.20]");
    uint32_t count = list ? node->count : 1, total = 0;
    if (count == 0)
        return fail_at(loader, node, "`source` is empty; leave it out, or name an address of this machine");
    struct address_range *ranges = arena_alloc(loader->arena, count * sizeof *ranges);
    for (uint32_t i = 0; i < count; i++) {
        const struct node *one = list ? node->items[i] : node;
        if (read_source(loader, one, &ranges[i]))
            return -1;
        total += ranges[i].count < SOURCES_MAX ? ranges[i].count : SOURCES_MAX + 1;
        if (total > SOURCES_MAX)
            return fail_at(loader, one, "more than %u source addresses; write smaller ranges", SOURCES_MAX);
    }
    target->sources = ranges;
    target->source_count = count;
    return 0;
}
