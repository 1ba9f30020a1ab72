/*
 * From the command line's scenario or URL to the scenario itself; and what a name was probably meant to be that is neither a
 * file nor a URL.
 */
#include "cli/cli.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of all protocols the one with the lowest usual port: lower ports were given to what is in wider use. */
static const char *likeliest_scheme(const struct protocol_registry *registry, struct arena *arena)
{
    const char *likeliest = NULL;
    uint16_t lowest = UINT16_MAX;
    for (uint32_t i = 0; i < registry->count; i++) {
        const struct squall_protocol *abi = &registry->protocols[i]->abi;
        const char *scheme = arena_copy(arena, abi->schemes, strcspn(abi->schemes, ","));
        uint16_t port = 0;
        if (!(abi->flags & SQUALL_OWN_TRANSPORT) && protocol_scheme(registry->protocols[i], scheme, &port, NULL) && port && port < lowest) {
            lowest = port;
            likeliest = scheme;
        }
    }
    return likeliest;
}

/* "localhost:8080" is neither a file nor a URL; which schemes there are is the plugins' to say. */
static int suggest_scheme(const char *path, struct protocol_registry *registry, struct arena *arena, struct error *error)
{
    const char *suffix = strrchr(path, '.');
    bool file = suffix && (strcmp(suffix, ".yaml") == 0 || strcmp(suffix, ".yml") == 0);
    if (file || (!strchr(path, ':') && !suffix))
        return -1;
    const struct protocol *protocol;
    struct error ignored;
    size_t colon = strcspn(path, ":");
    if (path[colon] && colon > 0 && protocol_by_scheme(registry, arena_copy(arena, path, colon), &protocol, &ignored) == 0)
        return error_set(error, "there is no file %s; a URL has two slashes: %.*s://%s", path, (int)colon, path,
                         path + colon + 1 + strspn(path + colon + 1, "/"));
    protocol_load_all(registry, NULL, NULL);
    const char *scheme = likeliest_scheme(registry, arena);
    return scheme ? error_set(error, "there is no file %s; if it is a URL, its scheme is missing: %s://%s", path, scheme, path) : -1;
}

int run_arguments_load(struct run_arguments *arguments, struct protocol_registry *registry, struct scenario **ret_scenario,
                       struct error *error)
{
    if (arguments->scenario_path) {
        char *text;
        size_t len;
        if (scenario_read(arguments->scenario_path, &text, &len, error) < 0)
            return access(arguments->scenario_path, F_OK) == 0 ? -1 : suggest_scheme(arguments->scenario_path, registry, &arguments->arena, error);
        arguments->plan.text = arena_copy(&arguments->arena, text, len);
        arguments->plan.file = arguments->scenario_path;
        free(text);
        return scenario_load(arguments->plan.text, len, arguments->plan.file, &arguments->plan.overrides, registry, ret_scenario, error);
    }
    return scenario_from_url(&arguments->plan.overrides, registry, ret_scenario, error);
}
