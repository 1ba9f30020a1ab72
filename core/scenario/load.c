/*
 * A scenario from its file. The parts are read in the order in which they need each other (targets, load, users,
 * thresholds), whatever their order in the file.
 */
#include "scenario/keys.h"
#include "scenario/load.h"
#include "base/secret.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READY_WITHIN_NS (UINT64_C(60) * 1000000000)

static int check_root(const struct loader *loader, const struct node *root)
{
    const struct node *version = node_get(root, "squall");
    if (root->kind != NODE_MAP)
        return fail_at(loader, root, "a scenario is a map of keys and values; begin it with `squall: 1`");
    if (!version)
        return fail_at(loader, root, "the version of the language is missing; begin the file with `squall: 1`");
    if (version->kind != NODE_SCALAR || strcmp(version->text, "1") != 0)
        return fail_at(loader, version, "this version of the language is not known; write `squall: 1`");
    for (uint32_t i = 0; i < root->count; i++) {
        bool known = false;
        for (uint32_t k = 0; keys_of(PART_ROOT)[k]; k++)
            known = known || strcmp(node_key(root, i)->text, keys_of(PART_ROOT)[k]) == 0;
        if (!known)
            return fail_unknown_key(loader, node_key(root, i), "a scenario", keys_of(PART_ROOT));
    }
    return 0;
}

static const char *name_of_file(struct arena *arena, const char *file)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;
    const char *dot = strrchr(name, '.');
    return arena_copy(arena, name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

/* true, false, or a time: within which the users must be ready. */
static int read_ready(const struct loader *loader, const struct node *node, uint64_t *ret_within_ns)
{
    const char *text;
    if (read_text(loader, node, &text))
        return -1;
    if (text[0] >= '0' && text[0] <= '9')
        return read_duration(loader, node, 1, ret_within_ns);
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return fail_at(loader, node, "'%.80s' is neither true, false nor a time; write for example 60s", shown_value(loader, node));
    *ret_within_ns = text[0] == 't' ? READY_WITHIN_NS : 0;
    return 0;
}

static int load_root(const struct loader *loader, const struct node *root)
{
    struct scenario *scenario = loader->scenario;
    const struct node *name = node_get(root, "name"), *seed = node_get(root, "seed"),
                      *warmup = node_get(root, "warmup");
    const struct node *drain = node_get(root, "drain"), *targets = node_get(root, "targets"),
                      *load = node_get(root, "load");
    const struct node *thresholds = node_get(root, "thresholds"), *ready = node_get(root, "ready-before-load");
    const struct node *data = node_get(root, "data");
    scenario->name = name_of_file(loader->arena, loader->file);
    if ((name && read_shown_text(loader, name, &scenario->name)) ||
        (seed && read_count(loader, seed, 0, UINT64_MAX, &scenario->seed)) ||
        (warmup && read_duration(loader, warmup, 0, &scenario->warmup_ns)) ||
        (drain && read_duration(loader, drain, 0, &scenario->drain_ns)) ||
        (ready && read_ready(loader, ready, &scenario->ready_within_ns)))
        return -1;
    if (!targets)
        return fail_at(loader, root,
                       "the scenario has no targets; write targets: { api: { url: \"scheme://host:port\" } }");
    if ((data && load_feeds(loader, data)) || load_variables(loader, root) || load_targets(loader, targets))
        return -1;
    if (load ? load_loads(loader, load) != 0
             : !loader->overrides->users && !loader->overrides->rate && !loader->overrides->preset)
        return load ? -1
                    : fail_at(loader, root,
                              "the scenario has no load; write load: [ { users: 10, for: 30s } ] or load: [ { hold: "
                              "100/s, for: 30s } ], or give --users or --rate");
    if (load_users(loader, root) || (load && load_walkers(loader, load)) ||
        load_thresholds(loader, thresholds) || load_group_tags(loader, node_get(root, "group-by")))
        return -1;
    return load_overrides(loader) || load_defaults(loader) || check_feeds(loader, data) || check_step_users(loader) ? -1 : 0;
}

int define_secrets(const struct loader *loader)
{
    const char *text = loader->overrides->secrets, *file = loader->overrides->secrets_file;
    return secrets_define(text ? text : "", file ? file : "--secrets", loader->error);
}

struct scenario *scenario_new(void)
{
    struct scenario *scenario = xcalloc(1, sizeof *scenario);
    arena_init(&scenario->arena);
    scenario->seed = 1;
    scenario->drain_ns = UINT64_MAX; /* not given; load_defaults fills it in */
    scenario->loads = arena_alloc(&scenario->arena, sizeof *scenario->loads);
    scenario->loads[0] = load_empty(NULL);
    scenario->load_count = 1;
    return scenario;
}

int scenario_load(const char *text, size_t len, const char *file, const struct overrides *overrides,
                  struct protocol_registry *registry, struct scenario **ret_scenario, struct error *error)
{
    static const struct overrides none;
    struct scenario *scenario = scenario_new();
    struct arena *arena = &scenario->arena;
    struct loader loader = {.scenario = scenario,
                            .arena = arena,
                            .file = arena_copy(arena, file, strlen(file)),
                            .overrides = overrides ? overrides : &none,
                            .registry = registry,
                            .error = error};
    const struct node *root;
    if (define_secrets(&loader) || yaml_parse(text, len, loader.file, arena, &root, error) || check_root(&loader, root) ||
        load_includes(&loader, &root) ||
        load_root(&loader, root)) {
        scenario_free(scenario);
        return -1;
    }
    scenario->file = loader.file;
    scenario->text = arena_copy(arena, text, len);
    *ret_scenario = scenario;
    return 0;
}

void scenario_free(struct scenario *scenario)
{
    if (!scenario)
        return;
    for (uint32_t i = 0; i < scenario->step_count; i++) {
        struct step *step = &scenario->steps[i];
        if (step->view.state && step->protocol->abi.step_fini)
            step->protocol->abi.step_fini(&step->view);
    }
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        struct target *target = &scenario->targets[i];
        if (target->view.state && target->protocol->abi.target_fini)
            target->protocol->abi.target_fini(&target->view);
    }
    for (uint32_t i = 0; i < scenario->feed_count; i++)
        data_close(&scenario->feeds[i].table);
    scenario_contents_close(scenario);
    arena_fini(&scenario->arena);
    free(scenario);
}

static int read_all(int fd, const char *path, char **ret_text, size_t *ret_len, struct error *error)
{
    size_t capacity = 65536, len = 0;
    char *text = xmalloc(capacity);
    for (;;) {
        ssize_t got = read(fd, text + len, capacity - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(text);
            return error_set(error, "%s: cannot be read: %s; name a scenario file", path, strerror(errno));
        }
        if (got == 0)
            break;
        len += (size_t)got;
        if (len > YAML_BYTES_MAX) {
            free(text);
            return error_set(error, "%s: larger than 4 MiB; a scenario is text that someone reads", path);
        }
        if (len == capacity)
            text = xrealloc(text, capacity *= 2);
    }
    *ret_text = text;
    *ret_len = len;
    return 0;
}

int scenario_read(const char *path, char **ret_text, size_t *ret_len, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set(error, "%s: cannot be opened: %s; name a scenario file or a URL", path, strerror(errno));
    int result = read_all(fd, path, ret_text, ret_len, error);
    close(fd);
    return result;
}
