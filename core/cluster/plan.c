/* See plan.h. Targets' addresses travel as text with a port, so that the message means the same on every machine. */
#include "cluster/plan.h"
#include "cluster/message.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* The overrides that are plain texts, a row each: packed, unpacked and never listed again. */
#define OVERRIDE_TEXTS(row)                                                                                     \
    row(url) row(users) row(rate) row(duration) row(iterations) row(connections) row(warmup) row(timeout)       \
    row(drain) row(seed) row(arrivals) row(preset) row(peak) row(ramp)
#define COUNT_ONE(name) +1
enum { OVERRIDE_TEXT_COUNT = 0 OVERRIDE_TEXTS(COUNT_ONE) };

static void pack_overrides(msgpack_packer *packer, const struct overrides *overrides)
{
    msgpack_pack_map(packer, OVERRIDE_TEXT_COUNT + 2);
#define PACK_TEXT(name)              \
    message_pack_key(packer, #name); \
    message_pack_text(packer, overrides->name);
    OVERRIDE_TEXTS(PACK_TEXT)
#undef PACK_TEXT
    message_pack_number(packer, "insecure", overrides->insecure);
    message_pack_key(packer, "flags");
    msgpack_pack_array(packer, (size_t)overrides->flag_count * 2);
    for (uint32_t i = 0; i < overrides->flag_count; i++) {
        message_pack_text(packer, overrides->flags[i].flag);
        message_pack_text(packer, overrides->flags[i].value);
    }
}

static void pack_texts(msgpack_packer *packer, const char *key, const char *const *texts, uint32_t count)
{
    message_pack_key(packer, key);
    msgpack_pack_array(packer, count);
    for (uint32_t i = 0; i < count; i++)
        message_pack_text(packer, texts[i]);
}

static void pack_addresses(msgpack_packer *packer, const struct plan *plan)
{
    message_pack_key(packer, "addresses");
    msgpack_pack_array(packer, plan->target_count);
    for (uint32_t i = 0; i < plan->target_count; i++) {
        const struct addresses *addresses = &plan->addresses[i];
        msgpack_pack_array(packer, (size_t)addresses->count * 2);
        for (uint32_t j = 0; j < addresses->count; j++) {
            const struct sockaddr_storage *address = &addresses->list[j];
            bool v4 = address->ss_family == AF_INET;
            const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
            const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
            char text[INET6_ADDRSTRLEN];
            inet_ntop(address->ss_family, v4 ? (const void *)&in->sin_addr : (const void *)&in6->sin6_addr, text, sizeof text);
            message_pack_text(packer, text);
            msgpack_pack_uint64(packer, ntohs(v4 ? in->sin_port : in6->sin6_port));
        }
    }
}

void plan_pack(const struct plan *plan, struct buffer *out)
{
    msgpack_packer packer;
    message_packer(&packer, out);
    msgpack_pack_map(&packer, 10);
    message_pack_number(&packer, "v", MESSAGE_VERSION);
    message_pack_key(&packer, "text");
    message_pack_text(&packer, plan->text);
    message_pack_key(&packer, "file");
    message_pack_text(&packer, plan->file);
    message_pack_key(&packer, "overrides");
    pack_overrides(&packer, &plan->overrides);
    pack_texts(&packer, "plugin_files", plan->plugin_files, plan->plugin_file_count);
    pack_texts(&packer, "plugin_directories", plan->plugin_directories, plan->plugin_directory_count);
    message_pack_number(&packer, "workers", plan->workers);
    message_pack_key(&packer, "raw_path");
    message_pack_text(&packer, plan->raw_path);
    message_pack_number(&packer, "log_level", plan->log_level);
    pack_addresses(&packer, plan);
}

static int unpack_overrides(const msgpack_object *map, struct arena *arena, struct overrides *overrides)
{
    if (!map || map->type != MSGPACK_OBJECT_MAP)
        return -1;
#define UNPACK_TEXT(name) overrides->name = message_text(map, #name, arena);
    OVERRIDE_TEXTS(UNPACK_TEXT)
#undef UNPACK_TEXT
    overrides->insecure = message_number(map, "insecure", 0) != 0;
    const msgpack_object_array *flags = message_array(map, "flags");
    if (!flags)
        return -1;
    struct flag_value *values = arena_alloc(arena, (flags->size / 2 + 1) * sizeof *values);
    for (uint32_t i = 0; i + 1 < flags->size; i += 2) {
        values[i / 2].flag = message_copy(&flags->ptr[i], arena);
        values[i / 2].value = message_copy(&flags->ptr[i + 1], arena);
        if (!values[i / 2].flag)
            return -1;
    }
    overrides->flags = values;
    overrides->flag_count = flags->size / 2;
    return 0;
}

static int unpack_texts(const msgpack_object *map, const char *key, struct arena *arena, const char **texts, uint32_t *ret_count)
{
    const msgpack_object_array *array = message_array(map, key);
    if (!array || array->size > PLAN_PATHS_MAX)
        return -1;
    for (uint32_t i = 0; i < array->size; i++) {
        texts[i] = message_copy(&array->ptr[i], arena);
        if (!texts[i])
            return -1;
    }
    *ret_count = array->size;
    return 0;
}

static int unpack_address(const msgpack_object *text, const msgpack_object *port, struct arena *arena, struct sockaddr_storage *ret_address)
{
    const char *ip = message_copy(text, arena);
    if (!ip || port->type != MSGPACK_OBJECT_POSITIVE_INTEGER || port->via.u64 > 65535)
        return -1;
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)ret_address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)(void *)ret_address;
    if (inet_pton(AF_INET, ip, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons((uint16_t)port->via.u64);
        return 0;
    }
    if (inet_pton(AF_INET6, ip, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons((uint16_t)port->via.u64);
        return 0;
    }
    return -1;
}

static int unpack_addresses(const msgpack_object *map, struct arena *arena, struct plan *plan)
{
    const msgpack_object_array *targets = message_array(map, "addresses");
    if (!targets)
        return -1;
    plan->target_count = targets->size;
    plan->addresses = arena_alloc(arena, (targets->size + 1) * sizeof *plan->addresses);
    for (uint32_t i = 0; i < targets->size; i++) {
        if (targets->ptr[i].type != MSGPACK_OBJECT_ARRAY)
            return -1;
        const msgpack_object_array *list = &targets->ptr[i].via.array;
        struct addresses *addresses = &plan->addresses[i];
        addresses->count = list->size / 2;
        addresses->list = arena_alloc(arena, (addresses->count + 1) * sizeof *addresses->list);
        for (uint32_t j = 0; j < addresses->count; j++)
            if (unpack_address(&list->ptr[2 * j], &list->ptr[2 * j + 1], arena, &addresses->list[j]) < 0)
                return -1;
    }
    return 0;
}

int plan_unpack(const uint8_t *data, size_t len, struct arena *arena, struct plan *ret_plan, struct error *error)
{
    msgpack_zone zone;
    msgpack_object map;
    struct plan plan = {0};
    int status = -1;
    if (message_read(data, len, &zone, &map)) {
        plan.text = message_text(&map, "text", arena);
        plan.file = message_text(&map, "file", arena);
        plan.raw_path = message_text(&map, "raw_path", arena);
        uint64_t workers = message_number(&map, "workers", 0), log_level = message_number(&map, "log_level", LOG_WARNING);
        plan.workers = (uint32_t)workers;
        plan.log_level = (enum log_level)log_level;
        if (workers > 0 && workers <= UINT32_MAX && log_level <= LOG_DEBUG &&
            unpack_overrides(message_find(&map, "overrides"), arena, &plan.overrides) == 0 &&
            unpack_texts(&map, "plugin_files", arena, plan.plugin_files, &plan.plugin_file_count) == 0 &&
            unpack_texts(&map, "plugin_directories", arena, plan.plugin_directories, &plan.plugin_directory_count) == 0 &&
            unpack_addresses(&map, arena, &plan) == 0)
            status = 0;
    }
    msgpack_zone_destroy(&zone);
    if (status < 0)
        return error_set_code(error, EXIT_CODE_INTERNAL, "the plan on the bus cannot be read: controller and worker are of different versions");
    *ret_plan = plan;
    return 0;
}

int plan_load(const struct plan *plan, struct protocol_registry *registry, struct scenario **ret_scenario, struct error *error)
{
    const struct protocol *protocol;
    for (uint32_t i = 0; i < plan->plugin_directory_count; i++)
        if (protocol_registry_add_directory(registry, plan->plugin_directories[i], error) < 0)
            return -1;
    for (uint32_t i = 0; i < plan->plugin_file_count; i++)
        if (protocol_load_file(registry, plan->plugin_files[i], &protocol, error) < 0)
            return -1;
    if (!plan->text)
        return scenario_from_url(&plan->overrides, registry, ret_scenario, error);
    return scenario_load(plan->text, strlen(plan->text), plan->file, &plan->overrides, registry, ret_scenario, error);
}
