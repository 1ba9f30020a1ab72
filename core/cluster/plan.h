/*
 * The plan: all that a worker must know to load the same scenario as the controller and to take its share of it.
 */
#ifndef SQUALL_CLUSTER_PLAN_H
#define SQUALL_CLUSTER_PLAN_H
#include "base/log.h"
#include "engine/engine.h"
#include "scenario/scenario.h"

#define PLAN_PATHS_MAX 16

struct plan {
    const char *text, *file; /* of the scenario; text NULL: URL form */
    struct overrides overrides;
    const char *plugin_files[PLAN_PATHS_MAX], *plugin_directories[PLAN_PATHS_MAX];
    uint32_t plugin_file_count, plugin_directory_count;
    uint32_t workers;
    uint64_t run; /* the run's id; the controller's to make up */
    const char *raw_path; /* NULL: no raw log */
    enum log_level log_level;
};

void plan_pack(const struct plan *plan, struct buffer *out);
/* Everything in ret_plan is the arena's. */
int plan_unpack(const uint8_t *data, size_t len, struct arena *arena, struct plan *ret_plan, struct error *error);
/* Loads the plugins that the plan names, then the scenario. */
int plan_load(const struct plan *plan, struct protocol_registry *registry, struct scenario **ret_scenario, struct error *error);

/* True when a target is on this machine: a unix socket, localhost, or one of its addresses. Only numeric hosts are looked at,
 * since looking names up takes time and is the workers' to do. */
bool plan_is_local(const struct scenario *scenario);

#endif
