/*
 * What the command line says on top of a scenario, and the defaults of what neither says. The URL form starts from an
 * empty load and passes through the same code.
 */
#include "scenario/load.h"
#include "scenario/target_keys.h"
#include <math.h>
#include <string.h>

#define SECOND         UINT64_C(1000000000)
#define LENGTH_DEFAULT (10 * SECOND)
#define POOL_MAX       10000.0

static const struct node *flag(const struct loader *loader, const char *name, const char *value)
{
    return value ? node_from_flag(loader->arena, name, value) : NULL;
}

/* --users, --rate: one stage in place of the file's. Its length is --duration's, else no limit when a number of
 * journeys ends it, else that of the file's load. */
static int replace_stages(const struct loader *loader)
{
    const struct overrides *overrides = loader->overrides;
    uint64_t before = loader->scenario->loads[0].stage_count ? scenario_length_ns(loader->scenario) : 0;
    struct load *load = &loader->scenario->loads[0];
    const struct node *users = flag(loader, "--users", overrides->users),
                      *rate = flag(loader, "--rate", overrides->rate);
    struct stage *stage = arena_alloc(loader->arena, sizeof *stage);
    uint64_t count = 1, length = before;
    double per_s = 0;
    if (users && read_count(loader, users, 1, USERS_MAX, &count))
        return -1;
    if (rate && read_rate(loader, rate, &per_s))
        return -1;
    if (rate && per_s <= 0)
        return fail_at(loader, rate, "a rate of zero does nothing; write for example --rate 200/s");
    uint64_t iterations = load->iterations; /* -n alone of the file's only load stays */
    if (loader->scenario->load_count > 1)
        iterations = UINT64_MAX;
    *load = load_empty(NULL);
    load->iterations = iterations;
    loader->scenario->load_count = 1;
    *stage = (struct stage){.kind = rate ? STAGE_RATE : STAGE_USERS, .from = rate ? per_s : (double)count};
    stage->to = stage->from;
    stage->duration_ns = overrides->iterations ? UINT64_MAX : length ? length : LENGTH_DEFAULT;
    if (!rate || users)
        load->users = (uint32_t)count;
    load->users_set = users != NULL;
    load->closed = !rate;
    load->stages = stage;
    load->stage_count = 1;
    return 0;
}

/* --ramp: the first part of what --rate or --users hold. */
static int override_ramp(const struct loader *loader)
{
    const struct overrides *overrides = loader->overrides;
    struct load *load = &loader->scenario->loads[0];
    const struct node *node = flag(loader, "--ramp", overrides->ramp);
    uint64_t ns;
    if (!node)
        return 0;
    if (overrides->preset || (!overrides->rate && !overrides->users))
        return fail_at(loader, node, "climbs to what --rate or --users hold; give one of them, and no --preset");
    if (read_duration(loader, node, 1, &ns))
        return -1;
    struct stage *stages = arena_alloc(loader->arena, 2 * sizeof *stages);
    stages[1] = stages[0] = load->stages[0];
    if (ns > stages[1].duration_ns)
        return fail_at(loader, node, "longer than the load, of which it is the first part; make --duration longer");
    stages[0].from = 0;
    stages[0].duration_ns = ns;
    if (stages[1].duration_ns != UINT64_MAX)
        stages[1].duration_ns -= ns;
    load->stages = stages;
    load->stage_count = stages[1].duration_ns ? 2 : 1;
    return 0;
}

/* --preset: its stages in place of the one that --rate or --users would hold. */
static int override_preset(const struct loader *loader)
{
    const struct overrides *overrides = loader->overrides;
    struct scenario *scenario = loader->scenario;
    struct preset_nodes nodes = {.preset = flag(loader, "--preset", overrides->preset),
                                 .rate = flag(loader, "--rate", overrides->rate),
                                 .users = flag(loader, "--users", overrides->users),
                                 .peak = flag(loader, "--peak", overrides->peak),
                                 .length = flag(loader, "--duration", overrides->duration),
                                 .users_are_pool = true};
    struct load load = load_empty(NULL);
    uint64_t users;
    if (nodes.users && nodes.rate) {
        if (read_count(loader, nodes.users, 1, USERS_MAX, &users))
            return -1;
        load.users = (uint32_t)users;
        load.users_set = true;
    }
    if (preset_load(loader, &nodes, &load))
        return -1;
    scenario->loads[0] = load;
    scenario->load_count = 1;
    return 0;
}

static int fail_several(const struct loader *loader, const struct node *node)
{
    return fail_at(loader, node,
                   "the scenario has %u loads side by side, and none is the one to change; write it into the file, or give "
                   "--users or --rate too",
                   loader->scenario->load_count);
}

static int override_duration(const struct loader *loader)
{
    struct load *load = &loader->scenario->loads[0];
    const struct node *node = flag(loader, "--duration", loader->overrides->duration);
    uint64_t ns;
    if (!node || loader->overrides->preset)
        return 0;
    if (read_duration(loader, node, 1, &ns))
        return -1;
    if (loader->scenario->load_count > 1)
        return fail_several(loader, node);
    if (load->stage_count != 1)
        return fail_at(loader, node,
                       "the scenario's load has %u stages, and none is the one to change; write the times into the "
                       "file, or give --users or --rate too",
                       load->stage_count);
    struct stage *stage = arena_alloc(loader->arena, sizeof *stage);
    *stage = load->stages[0];
    stage->duration_ns = ns;
    load->stages = stage;
    return 0;
}

/* --iterations without --duration: the last level is held until the journeys are used up. */
static int override_iterations(const struct loader *loader)
{
    struct load *load = &loader->scenario->loads[0];
    const struct node *node = flag(loader, "--iterations", loader->overrides->iterations);
    if (!node)
        return 0;
    if (loader->scenario->load_count > 1)
        return fail_several(loader, node);
    if (read_count(loader, node, 1, UINT64_C(1) << 50, &load->iterations))
        return -1;
    if (loader->overrides->duration)
        return 0;
    struct stage last = load->stages[load->stage_count - 1];
    bool ramp = last.from != last.to;
    if (last.to <= 0)
        return fail_at(loader, node,
                       "the scenario's load ends at zero, so that the journeys may never be used up; give --users, "
                       "--rate or --duration too");
    struct stage *stages = arena_alloc(loader->arena, (load->stage_count + 1) * sizeof *stages);
    memcpy(stages, load->stages, load->stage_count * sizeof *stages);
    last.from = last.to;
    last.duration_ns = UINT64_MAX;
    stages[load->stage_count - !ramp] = last;
    load->stages = stages;
    load->stage_count += ramp;
    return 0;
}

/* Of every load of a rate. */
static int override_arrivals(const struct loader *loader)
{
    struct scenario *scenario = loader->scenario;
    const struct node *node = flag(loader, "--arrivals", loader->overrides->arrivals);
    if (!node)
        return 0;
    bool poisson = strcmp(node->text, "poisson") == 0;
    if (!poisson && strcmp(node->text, "constant") != 0)
        return fail_at(loader, node, "'%.80s' is not a kind of arrivals; write poisson or constant", node->text);
    if (scenario_closed(scenario))
        return fail_at(loader, node,
                       "arrivals belong to a rate, and this load is of users; give --rate, or leave --arrivals out");
    for (uint32_t l = 0; l < scenario->load_count; l++) {
        struct load *load = &scenario->loads[l];
        struct stage *stages = arena_alloc(loader->arena, load->stage_count * sizeof *stages);
        memcpy(stages, load->stages, load->stage_count * sizeof *stages);
        for (uint32_t i = 0; i < load->stage_count && !load->closed; i++)
            stages[i].arrivals = poisson ? ARRIVALS_POISSON : ARRIVALS_CONSTANT;
        load->stages = stages;
    }
    return 0;
}

static int override_targets(const struct loader *loader)
{
    const struct overrides *overrides = loader->overrides;
    const struct node *connections = flag(loader, "--connections", overrides->connections);
    const struct node *timeout = flag(loader, "--timeout", overrides->timeout);
    bool any_secure = false;
    for (uint32_t i = 0; i < loader->scenario->target_count; i++) {
        struct target *target = &loader->scenario->targets[i];
        if (connections && read_connections(loader, connections, &target->connections))
            return -1;
        target->connections_set = target->connections_set || connections;
        if (timeout && read_duration(loader, timeout, 1, &target->timeout_ns))
            return -1;
        any_secure = any_secure || target->view.secure;
        if (target->view.secure && override_tls(loader, target))
            return -1;
    }
    if ((overrides->ca || overrides->cert || overrides->key) && !any_secure)
        return error_set(loader->error, "%s: no target uses TLS; leave it out, or write the secure scheme",
                         overrides->ca ? "--ca" : overrides->cert ? "--cert" : "--key");
    if (overrides->insecure && !any_secure)
        return error_set(loader->error,
                         "--insecure: no target uses TLS, so there is no certificate to accept; leave it out");
    return 0;
}

static int override_times(const struct loader *loader)
{
    const struct overrides *overrides = loader->overrides;
    struct scenario *scenario = loader->scenario;
    const struct node *warmup = flag(loader, "--warmup", overrides->warmup);
    const struct node *drain = flag(loader, "--drain", overrides->drain);
    const struct node *seed = flag(loader, "--seed", overrides->seed);
    if (warmup && read_duration(loader, warmup, 0, &scenario->warmup_ns))
        return -1;
    if (drain && read_duration(loader, drain, 0, &scenario->drain_ns))
        return -1;
    return seed ? read_count(loader, seed, 0, UINT64_MAX, &scenario->seed) : 0;
}

int load_overrides(const struct loader *loader)
{
    const struct overrides *overrides = loader->overrides;
    struct load *load = &loader->scenario->loads[0];
    if (overrides->peak && !overrides->preset)
        return error_set(loader->error, "--peak: belongs to --preset; give one, or leave it out");
    if (overrides->preset ? override_preset(loader)
                          : (overrides->users || overrides->rate || load->stage_count == 0) && replace_stages(loader))
        return -1;
    if (loader->file && overrides->flag_count)
        return error_set(loader->error, "%s: belongs to the URL form; in a scenario file write it in the step",
                         overrides->flags[0].flag);
    if (loader->file && overrides->engine)
        return error_set(loader->error, "--engine: belongs to the URL form; in a scenario file write it into the target, engine: %s",
                         overrides->engine);
    return override_duration(loader) || override_ramp(loader) || override_iterations(loader) || override_arrivals(loader) ||
                   override_targets(loader) || override_times(loader)
               ? -1
               : 0;
}

/* Users of open load: enough that none is waited for while a journey takes less than ten seconds. */
static void default_users(struct load *load)
{
    struct schedule schedule = {
        .stages = load->stages, .stage_count = load->stage_count, .workers = 1, .limit = UINT64_MAX};
    double peak = schedule_peak(&schedule);
    if (load->closed) {
        load->users = (uint32_t)peak;
        load->users_set = true;
    } else if (!load->users_set) {
        load->users = (uint32_t)fmax(load->class_count, fmin(POOL_MAX, fmax(1, ceil(10 * peak))));
    }
}

static int default_load(const struct loader *loader, struct load *load)
{
    const struct scenario *scenario = loader->scenario;
    if (load->class_count == 0) {
        load->classes = arena_alloc(loader->arena, scenario->class_count * sizeof *load->classes);
        load->class_count = scenario->class_count;
        for (uint32_t i = 0; i < load->class_count; i++)
            load->classes[i] = i;
    }
    default_users(load);
    if (load->closed || load->users >= load->class_count)
        return 0;
    return error_set(loader->error,
                     "%s%sthe load%s%s has %u users for %u classes, and a journey may be of any class; give it at least %u users",
                     loader->file ? loader->file : "--users", loader->file ? ":1:1: " : ": ", load->name ? " " : "",
                     load->name ? load->name : "", load->users, load->class_count, load->class_count);
}

/* Where each user holds a session, connections can be neither shared nor thrown away. */
static int check_sessions(const struct loader *loader, const struct target *target)
{
    if (!(target->protocol->abi.flags & SQUALL_SESSIONS) || target->connections == CONNECTIONS_PER_USER)
        return 0;
    return fail_at(loader, NULL,
                   "target `%s`: each user of %s holds a session on a connection of its own; leave `connections` out",
                   target->name, target->protocol->name);
}

int load_defaults(const struct loader *loader)
{
    struct scenario *scenario = loader->scenario;
    uint64_t longest = 0;
    for (uint32_t i = 0; i < scenario->load_count; i++)
        if (default_load(loader, &scenario->loads[i]))
            return -1;
    uint64_t length = scenario_length_ns(scenario), users = scenario_users(scenario);
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        struct target *target = &scenario->targets[i];
        if (!target->connections_set)
            target->connections = scenario_closed(scenario) ? CONNECTIONS_PER_USER : CONNECTIONS_DEFAULT;
        /* more connections than the users can have exchanges at once would idle */
        if (!target_per_user(target) && target->connections > users * scenario->width)
            target->connections = (uint32_t)(users * scenario->width);
        if (check_tls(loader, target) || check_sessions(loader, target))
            return -1;
        /* A user's own connection may still have to be opened, and only then does the exchange's time-out run. */
        uint64_t waits_ns = target->timeout_ns;
        if (target_per_user(target))
            waits_ns += target->connect_timeout_ns;
        longest = waits_ns > longest ? waits_ns : longest;
    }
    if (scenario->drain_ns == UINT64_MAX)
        scenario->drain_ns = longest;
    if (scenario->warmup_ns >= length)
        return error_set(loader->error,
                         "%s%sthe warm-up lasts as long as the load, so that nothing would be measured; make the load "
                         "longer or the warm-up shorter",
                         loader->file ? loader->file : "--warmup", loader->file ? ":1:1: " : ": ");
    return 0;
}
