/* Whether a target is on this machine, as far as that can be told without asking a name server. */
#include "cluster/plan.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

struct host {
    int family; /* AF_UNSPEC: a name */
    struct in_addr v4;
    struct in6_addr v6;
};

static struct host parse_host(const char *text)
{
    struct host host = {.family = AF_UNSPEC};
    if (inet_pton(AF_INET, text, &host.v4) == 1)
        host.family = AF_INET;
    else if (inet_pton(AF_INET6, text, &host.v6) == 1)
        host.family = AF_INET6;
    return host;
}

/* RFC 6761 6.3: localhost and all below it. */
static bool is_localhost(const char *name)
{
    static const char word[] = "localhost";
    size_t len = strlen(name), word_len = sizeof word - 1;
    return len >= word_len && strcasecmp(name + len - word_len, word) == 0 && (len == word_len || name[len - word_len - 1] == '.');
}

static bool is_loopback(const struct host *host)
{
    return host->family == AF_INET ? ntohl(host->v4.s_addr) >> 24 == 127 : host->family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&host->v6);
}

static bool is_interface(const struct host *host, const struct sockaddr *address)
{
    if (!address || address->sa_family != host->family)
        return false;
    if (host->family == AF_INET)
        return memcmp(&((const struct sockaddr_in *)(const void *)address)->sin_addr, &host->v4, sizeof host->v4) == 0;
    return host->family == AF_INET6 &&
           memcmp(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, &host->v6, sizeof host->v6) == 0;
}

static bool is_local(const struct target *target, const struct ifaddrs *interfaces)
{
    struct host host = parse_host(target->connect_host);
    bool local = target->connect_path || is_localhost(target->connect_host) || is_loopback(&host);
    for (; interfaces && !local; interfaces = interfaces->ifa_next)
        local = is_interface(&host, interfaces->ifa_addr);
    return local;
}

bool plan_is_local(const struct scenario *scenario)
{
    struct ifaddrs *interfaces = NULL;
    bool local = false;
    if (getifaddrs(&interfaces) < 0)
        interfaces = NULL;
    for (uint32_t i = 0; i < scenario->target_count; i++)
        local |= is_local(&scenario->targets[i], interfaces);
    freeifaddrs(interfaces);
    return local;
}
