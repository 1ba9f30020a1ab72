/* Whether this machine has room for a run's connections: known before the run, and told before it. Pure functions of what they
 * are given. */
#ifndef SQUALL_CLUSTER_LIMITS_H
#define SQUALL_CLUSTER_LIMITS_H
#include "scenario/scenario.h"

/* The most connections that one worker opens, of all targets that steps use. */
uint64_t limits_connections(const struct scenario *scenario, uint32_t workers);
/* 0, or -1 (exit code 2) when a worker needs more descriptors than it can have. */
int limits_descriptors(const struct scenario *scenario, uint32_t workers, uint64_t hard_limit, struct error *error);
/* How many local ports ip_local_port_range gives; 0: not known. */
uint32_t limits_ports(void);
/* True when a target has more connections than its source addresses have ports; `text` says so. */
/* Whether some plugin will have more users in a worker than it is good for. */
bool limits_users_many(const struct scenario *scenario, uint32_t workers, char *text, size_t size);
bool limits_ports_short(const struct scenario *scenario, uint32_t ports, char *text, size_t size);

#endif
