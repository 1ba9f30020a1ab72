/* Files that a scenario names. A scenario from elsewhere reads nothing outside of its own folder, links included. */
#include "scenario/load.h"
#include <stdlib.h>
#include <string.h>

const char *scenario_folder(const struct loader *loader)
{
    const char *slash = strrchr(loader->file, '/');
    return slash ? arena_copy(loader->arena, loader->file, (size_t)(slash - loader->file) + 1) : "./";
}

int scenario_file(const char *folder, const char *name, char **ret_path, struct error *error)
{
    struct arena arena;
    arena_init(&arena);
    char *root = realpath(folder, NULL);
    char *path = realpath(name[0] == '/' ? name : arena_printf(&arena, "%s%s", folder, name), NULL);
    arena_fini(&arena);
    size_t root_len = root ? strlen(root) : 0;
    bool found = path != NULL;
    bool below = found && root && (root_len == 1 || (strncmp(path, root, root_len) == 0 && path[root_len] == '/'));
    free(root);
    if (below) {
        *ret_path = path;
        return 0;
    }
    free(path);
    if (!found)
        return error_set(error, "the file '%.200s' is not there; name it relative to the scenario's folder", name);
    return error_set(error, "the file '%.200s' lies outside of the scenario's folder; copy it there", name);
}
