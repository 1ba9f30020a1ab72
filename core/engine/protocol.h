/*
 * Finding, checking and loading protocol plugins. The only place that calls dlopen.
 *
 * Search: an absolute path given by the operator (--plugin), else NAME.so in each --plugin-dir, else in
 * <libdir>/squall; never the working directory, never a path out of a scenario file.
 */
#ifndef SQUALL_ENGINE_PROTOCOL_H
#define SQUALL_ENGINE_PROTOCOL_H
#include "base/arena.h"
#include "base/error.h"
#include <squall/plugin.h>
#include <stdbool.h>

struct protocol {
    struct squall_protocol abi; /* a copy: min(size) of the plugin's table, the rest zero */
    const char *name;           /* = abi.name */
    char *path;
    uint32_t index; /* in the registry */
};

/* What a code counts above the status that it stands for. */
static inline uint32_t protocol_code_base(const struct protocol *protocol)
{
    return protocol->abi.flags & SQUALL_CODES_FROM_0 ? 1 : 0;
}

struct protocol_registry {
    struct protocol *protocols[64];
    uint32_t count;
    char *directories[16]; /* in search order; the built-in ones last */
    uint32_t directory_count, builtin_count;
};

/* Adds the built-in directories: ../lib/squall beside the running program's folder (a build tree, an unpacked
 * archive), then the one that squall was configured to install to. */
void protocol_registry_init(struct protocol_registry *registry);
/* Does not unload shared objects: a plugin's threads and atexit handlers may outlive us. */
void protocol_registry_fini(struct protocol_registry *registry);
/* Searched behind those added before it and ahead of the built-in ones. An existing folder by its absolute path. */
int protocol_registry_add_directory(struct protocol_registry *registry, const char *path, struct error *error);

/* Loads an exact file (absolute path); a file loaded before is only looked up. The checks, in order, each with its own
 * message: not writable by others (file and folder), opens, symbol (another major version is named), magic, major,
 * minor (while major is 0), size, required functions, known flags, sane rows, name equals the file's name. */
int protocol_load_file(struct protocol_registry *registry, const char *path, const struct protocol **ret_protocol,
                       struct error *error);
/* By name; loads it on first use. The error lists the known names and suggests the nearest. */
int protocol_by_name(struct protocol_registry *registry, const char *name, const struct protocol **ret_protocol,
                     struct error *error);
/* By URL scheme: asks the plugins loaded so far, then every plugin in the directories. */
int protocol_by_scheme(struct protocol_registry *registry, const char *scheme, const struct protocol **ret_protocol,
                       struct error *error);
/* Every plugin that the directories hold; a broken one is reported to on_error and passed over. */
void protocol_load_all(struct protocol_registry *registry,
                       void (*on_error)(const char *path, const struct error *error, void *arg), void *arg);

/* Whether there are other plugins for a protocol: files NAME-ENGINE.so. */
bool protocol_has_engines(const struct protocol_registry *registry, const struct protocol *protocol);

/* The default port of a scheme, 0: none; and whether the scheme means TLS (either output may be NULL). False when it
 * is not this protocol's. */
bool protocol_scheme(const struct protocol *protocol, const char *scheme, uint16_t *ret_port, bool *ret_secure);

/* Rows of a table, by the plugin's own stride. */
static inline const struct squall_option *protocol_option(const struct squall_table *table, uint32_t i)
{
    return (const struct squall_option *)(const void *)((const char *)table->rows + (size_t)i * table->stride);
}
static inline const struct squall_verb *protocol_verb(const struct squall_table *table, uint32_t i)
{
    return (const struct squall_verb *)(const void *)((const char *)table->rows + (size_t)i * table->stride);
}
static inline const struct squall_metric *protocol_metric(const struct squall_table *table, uint32_t i)
{
    return (const struct squall_metric *)(const void *)((const char *)table->rows + (size_t)i * table->stride);
}

/* What words behind a step's key fill: of the protocol, or of one of its verbs. */
static inline const char *protocol_headline(const struct squall_protocol *abi, uint64_t verb)
{
    const char *headline = abi->verbs.count ? protocol_verb(&abi->verbs, (uint32_t)verb)->headline : abi->headline;
    return headline ? headline : "";
}
/* Whether steps of a verb take this option. */
static inline bool protocol_option_of(const struct squall_option *row, uint64_t verb)
{
    return !row->verbs || (row->verbs >> verb & 1);
}

/* Bytes of a row's `flag`, not terminated. value: what the flag stands for; NULL: it takes a value, or is a BOOL's. */
struct protocol_flag {
    const char *text, *value;
    size_t len, value_len;
};
/* The next of "-X,--method" or "--fast=quick,--safe=slow"; false: there is none. */
bool protocol_next_flag(const char **list, struct protocol_flag *ret_flag);

#endif
