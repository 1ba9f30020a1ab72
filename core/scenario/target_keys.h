/*
 * Keys of a target that have files of their own: where its connections lead and from where (target_connect.c),
 * and TLS (target_tls.c). Each reads
 * one value into the target; 0, or -1 with the error at its position.
 */
#ifndef SQUALL_SCENARIO_TARGET_KEYS_H
#define SQUALL_SCENARIO_TARGET_KEYS_H
#include "scenario/load.h"

#define SOURCES_MAX 65536u /* local addresses of one target */

/* connect-rate: 500/s. */
int read_connect_rate(const struct loader *loader, const struct node *node, struct target *target);
/* connect-to: unix:/path, or host:port. */
int read_connect_to(const struct loader *loader, const struct node *node, struct target *target);
/* name-servers: [127.0.0.1:5353]. */
int read_name_servers(const struct loader *loader, const struct node *node, struct target *target);
/* tls: { ca: roots.pem, ... }; the target's URL must be known. */
int read_tls(const struct loader *loader, const struct node *node, struct target *target);
/* --insecure, --ca, --cert and --key, of a target whose scheme is a secure one. */
int override_tls(const struct loader *loader, struct target *target);
/* After `connections` is final: certificates of users need connections of users. */
int check_tls(const struct loader *loader, const struct target *target);
/* source: an address, or a list of addresses, ranges A-B and blocks A/bits. */
int read_sources(const struct loader *loader, const struct node *node, struct target *target);

#endif
