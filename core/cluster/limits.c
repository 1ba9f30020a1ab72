/* See limits.h. */
#include "cluster/limits.h"
#include "base/units.h"
#include <stdio.h>

/* The loop, its timer, the bus, the page, logs, outputs, name servers' sockets, libraries: with room to spare. */
#define DESCRIPTORS_BESIDE 64

static bool is_used(const struct scenario *scenario, const struct target *target)
{
    for (uint32_t i = 0; i < scenario->step_count; i++)
        if (scenario->steps[i].target == target)
            return true;
    return false;
}

/* Of the whole run. */
static uint64_t connections_of(const struct scenario *scenario, const struct target *target)
{
    if (!is_used(scenario, target))
        return 0;
    return target_per_user(target) ? scenario_target_users(scenario, target) : target->connections;
}

uint64_t limits_connections(const struct scenario *scenario, uint32_t workers)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < scenario->target_count; i++)
        sum += (connections_of(scenario, &scenario->targets[i]) + workers - 1) / workers;
    return sum;
}

int limits_descriptors(const struct scenario *scenario, uint32_t workers, uint64_t hard_limit, struct error *error)
{
    char connections[32], limit[32];
    uint64_t count = limits_connections(scenario, workers);
    if (count + DESCRIPTORS_BESIDE <= hard_limit)
        return 0;
    units_print_grouped(connections, sizeof connections, count);
    units_print_grouped(limit, sizeof limit, hard_limit);
    return error_set(error,
                     "%s connections in one worker do not fit into this machine's hard limit of %s open files: raise it to %llu or more (ulimit "
                     "-Hn as root, LimitNOFILE, limits.conf), use more workers (-w), or fewer connections or users",
                     connections, limit, (unsigned long long)(count + DESCRIPTORS_BESIDE));
}

uint32_t limits_ports(void)
{
    unsigned first = 0, last = 0;
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (!file)
        return 0;
    bool read = fscanf(file, "%u %u", &first, &last) == 2;
    fclose(file);
    return read && last >= first && last < 65536 ? last - first + 1 : 0;
}

bool limits_ports_short(const struct scenario *scenario, uint32_t ports, char *text, size_t size)
{
    for (uint32_t i = 0; ports && i < scenario->target_count; i++) {
        const struct target *target = &scenario->targets[i];
        uint64_t sources = target->source_count ? 0 : 1, count = connections_of(scenario, target);
        char connections[32], room[32];
        for (uint32_t j = 0; j < target->source_count; j++)
            sources += target->sources[j].count;
        if (target->connect_path || count <= sources * ports)
            continue;
        snprintf(text, size, "target %s: %s connections, and %s local ports towards one server: name more `source` addresses or widen ip_local_port_range",
                 target->name, units_print_grouped(connections, sizeof connections, count),
                 units_print_grouped(room, sizeof room, sources * ports));
        return true;
    }
    return false;
}

bool limits_users_many(const struct scenario *scenario, uint32_t workers, char *text, size_t size)
{
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        const struct target *target = &scenario->targets[i];
        uint64_t advised = target->protocol ? target->protocol->abi.users_advised : 0;
        uint64_t users = (scenario_target_users(scenario, target) + workers - 1) / workers;
        if (!advised || users <= advised || !is_used(scenario, target))
            continue;
        snprintf(text, size,
                 "target %s: %llu users in one worker, and beyond %llu each makes all others of %s cost more: use more workers (-w), or another engine",
                 target->name, (unsigned long long)users, (unsigned long long)advised, target->protocol->name);
        return true;
    }
    return false;
}
