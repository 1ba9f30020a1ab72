/*
 * Finding plugins and deciding whether to trust one. See protocol.h.
 *
 * A shared object is code that runs as the operator, so it is opened only by an absolute path, and only when nobody but
 * the operator and root could have put it there. A table is copied before it is used: fields that a plugin was compiled
 * without read as zero.
 */
#include "engine/protocol.h"
#include "base/log.h"
#include "engine/protocol_rows.h"
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(array)      (sizeof(array) / sizeof((array)[0]))
#define SUFFIX            ".so"
#define MAJORS_PROBED     99u
#define DIRECTORY_FILES   256u /* looked at in one folder */
#define SYMBOL_OF_VERSION "squall_protocol_v%u"

/* All up to and including the last required function. */
#define REQUIRED_SIZE offsetof(struct squall_protocol, record)

/* ---- the registry ---- */

static char *copy_text(const char *text, size_t len)
{
    char *copy = xmalloc(len + 1);
    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

static void insert_directory(struct protocol_registry *registry, const char *path, uint32_t at)
{
    memmove(&registry->directories[at + 1], &registry->directories[at],
            (registry->directory_count - at) * sizeof registry->directories[0]);
    registry->directories[at] = copy_text(path, strlen(path));
    registry->directory_count++;
}

/* "/opt/squall/bin/squall" -> "/opt/squall/lib/squall"; -1: the program's path is not to be had. */
static int beside_program(char *path, size_t size)
{
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    if (len <= 0)
        return -1;
    program[len] = '\0';
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(program, '/');
        if (!slash)
            return -1;
        *slash = '\0';
    }
    int written = snprintf(path, size, "%s/lib/squall", program);
    return written > 0 && (size_t)written < size ? 0 : -1;
}

void protocol_registry_init(struct protocol_registry *registry)
{
    char path[PATH_MAX];
    memset(registry, 0, sizeof *registry);
    if (beside_program(path, sizeof path) == 0 && strcmp(path, SQUALL_PLUGIN_DIR) != 0)
        insert_directory(registry, path, registry->directory_count);
    insert_directory(registry, SQUALL_PLUGIN_DIR, registry->directory_count);
    registry->builtin_count = registry->directory_count;
}

void protocol_registry_fini(struct protocol_registry *registry)
{
    for (uint32_t i = 0; i < registry->count; i++) {
        free(registry->protocols[i]->path);
        free(registry->protocols[i]);
    }
    for (uint32_t i = 0; i < registry->directory_count; i++)
        free(registry->directories[i]);
    memset(registry, 0, sizeof *registry);
}

int protocol_registry_add_directory(struct protocol_registry *registry, const char *path, struct error *error)
{
    struct stat status;
    if (path[0] != '/')
        return error_set(error, "the plugin folder '%s' is a relative path; write it from the root: /...", path);
    if (stat(path, &status) || !S_ISDIR(status.st_mode))
        return error_set(error, "the plugin folder '%s' is not there, or no folder; name one that holds NAME.so files",
                         path);
    if (registry->directory_count == COUNT(registry->directories))
        return error_set(error, "too many plugin folders: at most %zu; name fewer",
                         COUNT(registry->directories) - registry->builtin_count);
    insert_directory(registry, path, registry->directory_count - registry->builtin_count);
    return 0;
}

static const struct protocol *find_loaded(const struct protocol_registry *registry, const char *name)
{
    for (uint32_t i = 0; i < registry->count; i++)
        if (strcmp(registry->protocols[i]->name, name) == 0)
            return registry->protocols[i];
    return NULL;
}

/* ---- one file ---- */

/* May anyone but root and the present user write it? */
static int check_private(const char *path, const char *what, struct error *error)
{
    struct stat status;
    if (stat(path, &status))
        return error_set(error, "the %s %s cannot be looked at: %s", what, path, strerror(errno));
    if (status.st_uid != 0 && status.st_uid != geteuid())
        return error_set(
            error, "the %s %s belongs to user %u; only root's and your own plugins are loaded: copy it, or chown it",
            what, path, (unsigned)status.st_uid);
    if ((status.st_mode & S_IWOTH) || ((status.st_mode & S_IWGRP) && status.st_gid != 0))
        return error_set(error, "others may write the %s %s (mode %04o); run `chmod go-w %s`", what, path,
                         (unsigned)(status.st_mode & 07777), path);
    return 0;
}

static int check_place(const char *path, struct error *error)
{
    char real[PATH_MAX];
    struct stat status;
    if (path[0] != '/')
        return error_set(error, "a plugin is named by its absolute path; write it from the root: /...");
    if (!realpath(path, real))
        return error_set(error, "the file cannot be read: %s", strerror(errno));
    if (stat(real, &status) || !S_ISREG(status.st_mode))
        return error_set(error, "this is no regular file; name a NAME" SUFFIX " file");
    if (check_private(real, "file", error))
        return -1;
    /* Who may write the folder of a link may point it elsewhere, so both folders count. */
    char given[PATH_MAX];
    snprintf(given, sizeof given, "%s", path);
    for (char *folder = given;; folder = real) {
        char *slash = strrchr(folder, '/');
        slash[slash == folder] = '\0';
        if (check_private(folder, "folder", error))
            return -1;
        if (folder == real)
            return 0;
    }
}

static int find_symbol(void *handle, const void **ret_table, struct error *error)
{
    const void *table = dlsym(handle, SQUALL_PROTOCOL_SYMBOL);
    if (table) {
        *ret_table = table;
        return 0;
    }
    for (unsigned major = 0; major <= MAJORS_PROBED; major++) {
        char symbol[sizeof SYMBOL_OF_VERSION + 10];
        snprintf(symbol, sizeof symbol, SYMBOL_OF_VERSION, major);
        if (dlsym(handle, symbol))
            return error_set(error,
                             "built for ABI v%u, this squall speaks v%u; rebuild it against this squall's header",
                             major, SQUALL_ABI_MAJOR);
    }
    return error_set(error, "it exports no " SQUALL_PROTOCOL_SYMBOL
                            ", so it is no squall plugin; define SQUALL_PROTOCOL with SQUALL_EXPORT");
}

/* Reads nothing of the table behind a field that has not been vouched for by the checks before it. */
static int check_version(const struct squall_protocol *table, struct error *error)
{
    if (table->magic != SQUALL_PLUGIN_MAGIC)
        return error_set(error,
                         "its table begins with 0x%08x, not with the magic number; set magic to SQUALL_PLUGIN_MAGIC",
                         table->magic);
    if (table->abi_major != SQUALL_ABI_MAJOR)
        return error_set(error,
                         "its table says ABI major %u under the symbol of v%u; set abi_major to SQUALL_ABI_MAJOR",
                         table->abi_major, SQUALL_ABI_MAJOR);
#if SQUALL_ABI_MAJOR == 0
    if (table->abi_minor != SQUALL_ABI_MINOR)
        return error_set(error,
                         "built for ABI 0.%u, this squall speaks 0.%u; before 1.0 they must be equal: rebuild it "
                         "against this squall's header",
                         table->abi_minor, SQUALL_ABI_MINOR);
#endif
    if (table->size < REQUIRED_SIZE)
        return error_set(
            error, "its table is %u bytes and at least %zu are required; set size to sizeof(struct squall_protocol)",
            table->size, REQUIRED_SIZE);
    return 0;
}

static int check_functions(const struct squall_protocol *abi, struct error *error)
{
    const struct {
        const char *name;
        bool present;
    } required[] = {
        {"connect", abi->connect != NULL},
        {"receive", abi->receive != NULL || (abi->flags & SQUALL_OWN_TRANSPORT)},
        {"request", abi->request != NULL},
        {"cancel", abi->cancel != NULL},
    };
    for (size_t i = 0; i < COUNT(required); i++)
        if (!required[i].present)
            return error_set(error, "the required function %s is missing; set it in the plugin's table",
                             required[i].name);
    return 0;
}

static int check_name(const struct squall_protocol *abi, const char *path, struct error *error)
{
    const char *file = strrchr(path, '/') + 1;
    size_t len = strlen(abi->name);
    if (strncmp(file, abi->name, len) != 0 || strcmp(file + len, SUFFIX) != 0)
        return error_set(error, "the plugin calls itself '%s' and its file is %s; rename the file to %s" SUFFIX,
                         abi->name, file, abi->name);
    return 0;
}

/* Everything between a path and a table that can be relied on. */
static int read_table(const char *path, struct squall_protocol *ret_abi, struct error *error)
{
    const void *symbol = NULL;
    if (check_place(path, error))
        return -1;
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *why = dlerror();
        return error_set(
            error,
            "it cannot be opened as a shared object (%s); build it for this machine, with its libraries installed",
            why ? why : "no reason given");
    }
    if (find_symbol(handle, &symbol, error))
        return -1;
    const struct squall_protocol *table = symbol;
    if (check_version(table, error))
        return -1;
    struct squall_protocol abi = {0};
    memcpy(&abi, table, table->size < sizeof abi ? table->size : sizeof abi);
    if (check_functions(&abi, error))
        return -1;
    if (abi.flags & ~(uint32_t)(SQUALL_OWN_TRANSPORT | SQUALL_SESSIONS | SQUALL_CODES_FROM_0))
        return error_set(error,
                         "its flags 0x%x hold one that this squall does not know; update squall, or leave the flag out",
                         abi.flags);
    if (protocol_check_rows(&abi, error) || check_name(&abi, path, error))
        return -1;
    *ret_abi = abi;
    return 0;
}

int protocol_load_file(struct protocol_registry *registry, const char *path, const struct protocol **ret_protocol,
                       struct error *error)
{
    struct squall_protocol abi;
    for (uint32_t i = 0; i < registry->count; i++)
        if (strcmp(registry->protocols[i]->path, path) == 0) {
            *ret_protocol = registry->protocols[i];
            return 0;
        }
    if (read_table(path, &abi, error))
        return error_prefix(error, "plugin %s", path);
    const struct protocol *other = find_loaded(registry, abi.name);
    if (other)
        return error_set(error, "plugin %s: '%s' is already loaded from %s; name only one of them", path, abi.name,
                         other->path);
    if (registry->count == COUNT(registry->protocols))
        return error_set(error,
                         "plugin %s: %zu plugins are loaded and no more fit; take some out of the plugin folders", path,
                         COUNT(registry->protocols));
    struct protocol *protocol = xcalloc(1, sizeof *protocol);
    protocol->abi = abi;
    protocol->name = protocol->abi.name;
    protocol->path = copy_text(path, strlen(path));
    protocol->index = registry->count;
    registry->protocols[registry->count++] = protocol;
    *ret_protocol = protocol;
    return 0;
}

/* ---- looking through folders ---- */

struct file_names {
    char *names[DIRECTORY_FILES]; /* without the suffix, sorted */
    uint32_t count;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Plugins by file name; what is in the files has not been looked at. */
static void list_directory(const char *directory, struct file_names *files)
{
    DIR *stream = opendir(directory);
    files->count = 0;
    if (!stream)
        return;
    for (struct dirent *entry; files->count < DIRECTORY_FILES && (entry = readdir(stream));) {
        size_t len = strlen(entry->d_name);
        size_t stem = len > strlen(SUFFIX) ? len - strlen(SUFFIX) : 0;
        if (stem && strcmp(entry->d_name + stem, SUFFIX) == 0)
            files->names[files->count++] = copy_text(entry->d_name, stem);
    }
    closedir(stream);
    if (files->count)
        qsort(files->names, files->count, sizeof files->names[0], compare_names);
}

static void free_names(struct file_names *files)
{
    for (uint32_t i = 0; i < files->count; i++)
        free(files->names[i]);
}

/* NAME.so in each folder until one loads. 0: loaded, 1: there is none, -1: none loads, with the error of the first. */
static int load_named(struct protocol_registry *registry, const char *name, const struct protocol **ret_protocol,
                      struct error *error)
{
    bool broken = false;
    for (uint32_t i = 0; i < registry->directory_count; i++) {
        char path[PATH_MAX];
        struct error why;
        int len = snprintf(path, sizeof path, "%s/%s" SUFFIX, registry->directories[i], name);
        if (len < 0 || (size_t)len >= sizeof path || access(path, F_OK) != 0)
            continue;
        if (protocol_load_file(registry, path, ret_protocol, &why) == 0) {
            if (broken)
                log_line(LOG_WARNING, "%s", error->text);
            return 0;
        }
        if (!broken)
            *error = why;
        broken = true;
    }
    return broken ? -1 : 1;
}

bool protocol_has_engines(const struct protocol_registry *registry, const struct protocol *protocol)
{
    size_t len = strlen(protocol->name);
    bool found = false;
    for (uint32_t i = 0; i < registry->directory_count && !found; i++) {
        struct file_names files;
        list_directory(registry->directories[i], &files);
        for (uint32_t k = 0; k < files.count; k++)
            found = found || (strncmp(files.names[k], protocol->name, len) == 0 && files.names[k][len] == '-');
        free_names(&files);
    }
    return found;
}

void protocol_load_all(struct protocol_registry *registry,
                       void (*on_error)(const char *path, const struct error *error, void *arg), void *arg)
{
    for (uint32_t i = 0; i < registry->directory_count; i++) {
        struct file_names files;
        list_directory(registry->directories[i], &files);
        for (uint32_t k = 0; k < files.count; k++) {
            char path[PATH_MAX];
            struct error why;
            const struct protocol *loaded;
            int len = snprintf(path, sizeof path, "%s/%s" SUFFIX, registry->directories[i], files.names[k]);
            /* The first folder that has a name wins, as in a search for it. */
            if (len < 0 || (size_t)len >= sizeof path || find_loaded(registry, files.names[k]))
                continue;
            if (protocol_load_file(registry, path, &loaded, &why) && on_error)
                on_error(path, &why, arg);
        }
        free_names(&files);
    }
}

/* ---- by name, by scheme ---- */

struct word_list {
    const char *words[DIRECTORY_FILES];
    unsigned count;
    char text[700]; /* "a, b, c" */
};

static void add_word(struct word_list *list, const char *word)
{
    size_t used = strlen(list->text);
    for (unsigned i = 0; i < list->count; i++)
        if (strcmp(list->words[i], word) == 0)
            return;
    if (list->count == COUNT(list->words))
        return;
    list->words[list->count++] = word;
    snprintf(list->text + used, sizeof list->text - used, "%s%s", used ? ", " : "", word);
}

static int fail_unknown(const struct word_list *known, const char *what, const char *word, struct error *error)
{
    const char *near = error_nearest(word, known->words, known->count, sizeof known->words[0]);
    if (near)
        return error_set(error, "%s '%.80s' is not known; did you mean '%s'? Known: %s", what, word, near, known->text);
    if (known->count)
        return error_set(error, "%s '%.80s' is not known; known: %s. Others come from a folder named by --plugin-dir",
                         what, word, known->text);
    return error_set(error,
                     "%s '%.80s' is not known, and no plugin was found; name a folder of plugins with --plugin-dir",
                     what, word);
}

static int fail_unknown_name(const struct protocol_registry *registry, const char *name, struct error *error)
{
    struct word_list *known = xcalloc(1, sizeof *known);
    struct file_names *files = xcalloc(COUNT(registry->directories), sizeof *files);
    for (uint32_t i = 0; i < registry->count; i++)
        add_word(known, registry->protocols[i]->name);
    for (uint32_t i = 0; i < registry->directory_count; i++) {
        list_directory(registry->directories[i], &files[i]);
        for (uint32_t k = 0; k < files[i].count; k++)
            if (protocol_name_valid(files[i].names[k]))
                add_word(known, files[i].names[k]);
    }
    fail_unknown(known, "the protocol", name, error);
    for (uint32_t i = 0; i < registry->directory_count; i++)
        free_names(&files[i]);
    free(files);
    free(known);
    return -1;
}

int protocol_by_name(struct protocol_registry *registry, const char *name, const struct protocol **ret_protocol,
                     struct error *error)
{
    const struct protocol *loaded = find_loaded(registry, name);
    if (loaded) {
        *ret_protocol = loaded;
        return 0;
    }
    /* Names come out of scenarios: only a valid one may become part of a path. */
    int status = protocol_name_valid(name) ? load_named(registry, name, ret_protocol, error) : 1;
    return status > 0 ? fail_unknown_name(registry, name, error) : status;
}

static const struct protocol *find_scheme(const struct protocol_registry *registry, const char *scheme)
{
    for (uint32_t i = 0; i < registry->count; i++)
        if (protocol_scheme(registry->protocols[i], scheme, NULL, NULL))
            return registry->protocols[i];
    return NULL;
}

static int fail_unknown_scheme(const struct protocol_registry *registry, const char *scheme, struct error *error)
{
    struct word_list *known = xcalloc(1, sizeof *known);
    struct arena arena;
    arena_init(&arena);
    for (uint32_t i = 0; i < registry->count; i++) {
        const char *list = registry->protocols[i]->abi.schemes, *item;
        size_t len;
        while (protocol_next_item(&list, ',', &item, &len))
            add_word(known, arena_copy(&arena, item, len));
    }
    fail_unknown(known, "the URL scheme", scheme, error);
    arena_fini(&arena);
    free(known);
    return -1;
}

struct first_error {
    bool seen;
    struct error error;
};

static void keep_first(const char *path, const struct error *error, void *arg)
{
    struct first_error *first = arg;
    (void)path;
    if (!first->seen)
        first->error = *error;
    first->seen = true;
}

int protocol_by_scheme(struct protocol_registry *registry, const char *scheme, const struct protocol **ret_protocol,
                       struct error *error)
{
    char name[PROTOCOL_NAME_MAX + 1];
    size_t len = strlen(scheme);
    struct first_error first = {0};
    const struct protocol *found = find_scheme(registry, scheme);
    /* A plugin is mostly named as its scheme, and opening one is cheaper than opening all. */
    for (int shorter = 0; !found && shorter < 2 && len < sizeof name; shorter++) {
        const struct protocol *loaded;
        struct error why;
        if (shorter && (len < 2 || scheme[len - 1] != 's'))
            break;
        snprintf(name, sizeof name, "%.*s", (int)(len - (size_t)shorter), scheme);
        if (find_loaded(registry, name) || !protocol_name_valid(name))
            continue;
        if (load_named(registry, name, &loaded, &why) < 0)
            keep_first(NULL, &why, &first);
        found = find_scheme(registry, scheme);
    }
    if (!found) {
        protocol_load_all(registry, keep_first, &first);
        found = find_scheme(registry, scheme);
    }
    if (found) {
        *ret_protocol = found;
        return 0;
    }
    fail_unknown_scheme(registry, scheme, error);
    if (first.seen)
        error_prefix(&first.error, "%s. A plugin could not be loaded", error->text);
    if (first.seen)
        *error = first.error;
    return -1;
}

bool protocol_scheme(const struct protocol *protocol, const char *scheme, uint16_t *ret_port, bool *ret_secure)
{
    const char *list = protocol->abi.schemes, *ports = protocol->abi.ports, *item, *port;
    size_t len, port_len, wanted = strlen(scheme);
    bool found = false, base = false;
    unsigned long number = 0;
    while (protocol_next_item(&list, ',', &item, &len)) {
        bool has_port = protocol_next_item(&ports, ',', &port, &port_len);
        base = base || (len + 1 == wanted && strncmp(item, scheme, len) == 0);
        if (len == wanted && memcmp(item, scheme, len) == 0) {
            found = true;
            number = has_port ? strtoul(port, NULL, 10) : 0;
        }
    }
    if (!found)
        return false;
    if (ret_port)
        *ret_port = (uint16_t)number;
    if (ret_secure)
        *ret_secure = base && scheme[wanted - 1] == 's';
    return true;
}
