/* Names to addresses, before the run: the only blocking look-up, and never in a worker. */
#include "cluster/plan.h"
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static int resolve(const struct target *target, struct arena *arena, struct addresses *ret_addresses, struct error *error)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char port[8];
    if (target->connect_path)
        return 0;
    snprintf(port, sizeof port, "%u", target->connect_port);
    int status = getaddrinfo(target->connect_host, port, &hints, &found);
    if (status != 0)
        return error_set_code(error, EXIT_CODE_UNREACHABLE, "target %s: the name %s leads nowhere (%s); check the URL %s", target->name,
                              target->connect_host, gai_strerror(status), target->url);
    uint32_t count = 0;
    for (struct addrinfo *one = found; one; one = one->ai_next)
        count++;
    ret_addresses->list = arena_alloc(arena, count * sizeof *ret_addresses->list);
    ret_addresses->count = 0;
    for (struct addrinfo *one = found; one; one = one->ai_next)
        if (one->ai_family == AF_INET || one->ai_family == AF_INET6)
            memcpy(&ret_addresses->list[ret_addresses->count++], one->ai_addr, one->ai_addrlen);
    freeaddrinfo(found);
    return 0;
}

int plan_resolve(const struct scenario *scenario, struct arena *arena, struct plan *plan, struct error *error)
{
    plan->target_count = scenario->target_count;
    plan->addresses = arena_alloc(arena, (scenario->target_count + 1) * sizeof *plan->addresses);
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        const struct target *target = &scenario->targets[i];
        if (!(target->protocol->abi.flags & SQUALL_OWN_TRANSPORT) && resolve(target, arena, &plan->addresses[i], error) < 0)
            return -1;
    }
    return 0;
}

static bool same_host(const struct sockaddr *a, const struct sockaddr_storage *b)
{
    if (a->sa_family != b->ss_family)
        return false;
    if (a->sa_family == AF_INET)
        return memcmp(&((const struct sockaddr_in *)(const void *)a)->sin_addr, &((const struct sockaddr_in *)(const void *)b)->sin_addr,
                      sizeof(struct in_addr)) == 0;
    return a->sa_family == AF_INET6 && memcmp(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr,
                                              &((const struct sockaddr_in6 *)(const void *)b)->sin6_addr, sizeof(struct in6_addr)) == 0;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

bool plan_is_local(const struct plan *plan, const struct scenario *scenario)
{
    struct ifaddrs *interfaces = NULL;
    bool local = false;
    if (getifaddrs(&interfaces) < 0)
        interfaces = NULL;
    for (uint32_t i = 0; i < plan->target_count; i++) {
        local |= scenario->targets[i].connect_path != NULL;
        for (uint32_t j = 0; j < plan->addresses[i].count; j++) {
            const struct sockaddr_storage *address = &plan->addresses[i].list[j];
            local |= is_loopback(address);
            for (struct ifaddrs *one = interfaces; one; one = one->ifa_next)
                local |= one->ifa_addr && same_host(one->ifa_addr, address);
        }
    }
    freeifaddrs(interfaces);
    return local;
}
