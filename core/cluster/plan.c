/* See plan.h. */
#include "cluster/plan.h"
#include "cluster/message.h"
#include <string.h>

#define COUNT_ONE(...) +1
enum { OVERRIDE_COUNT = 0 OVERRIDE_TEXTS(COUNT_ONE) OVERRIDE_SWITCHES(COUNT_ONE) OVERRIDE_LISTS(COUNT_ONE) };

static void pack_values(msgpack_packer *packer, const char *key, const struct flag_value *values, uint32_t count)
{
    message_pack_key(packer, key);
    msgpack_pack_array(packer, (size_t)count * 2);
    for (uint32_t i = 0; i < count; i++) {
        message_pack_text(packer, values[i].flag);
        message_pack_text(packer, values[i].value);
    }
}

static void pack_overrides(msgpack_packer *packer, const struct overrides *overrides)
{
    msgpack_pack_map(packer, OVERRIDE_COUNT);
#define PACK_TEXT(name)              \
    message_pack_key(packer, #name); \
    message_pack_text(packer, overrides->name);
#define PACK_SWITCH(name) message_pack_number(packer, #name, overrides->name);
#define PACK_LIST(name, count) pack_values(packer, #name, overrides->name, overrides->count);
    OVERRIDE_TEXTS(PACK_TEXT)
    OVERRIDE_SWITCHES(PACK_SWITCH)
    OVERRIDE_LISTS(PACK_LIST)
#undef PACK_TEXT
#undef PACK_SWITCH
#undef PACK_LIST
}

static void pack_texts(msgpack_packer *packer, const char *key, const char *const *texts, uint32_t count)
{
    message_pack_key(packer, key);
    msgpack_pack_array(packer, count);
    for (uint32_t i = 0; i < count; i++)
        message_pack_text(packer, texts[i]);
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
    message_pack_number(&packer, "run", plan->run);
    message_pack_key(&packer, "raw_path");
    message_pack_text(&packer, plan->raw_path);
    message_pack_number(&packer, "log_level", plan->log_level);
}

static int unpack_values(const msgpack_object *map, const char *key, struct arena *arena, const struct flag_value **ret, uint32_t *ret_count)
{
    const msgpack_object_array *array = message_array(map, key);
    if (!array)
        return -1;
    struct flag_value *values = arena_alloc(arena, (array->size / 2 + 1) * sizeof *values);
    for (uint32_t i = 0; i + 1 < array->size; i += 2) {
        values[i / 2].flag = message_copy(&array->ptr[i], arena);
        values[i / 2].value = message_copy(&array->ptr[i + 1], arena);
        if (!values[i / 2].flag)
            return -1;
    }
    *ret = values;
    *ret_count = array->size / 2;
    return 0;
}

static int unpack_overrides(const msgpack_object *map, struct arena *arena, struct overrides *overrides)
{
    if (!map || map->type != MSGPACK_OBJECT_MAP)
        return -1;
    int failed = 0;
#define UNPACK_TEXT(name) overrides->name = message_text(map, #name, arena);
#define UNPACK_SWITCH(name) overrides->name = message_number(map, #name, 0) != 0;
#define UNPACK_LIST(name, count) failed |= unpack_values(map, #name, arena, &overrides->name, &overrides->count);
    OVERRIDE_TEXTS(UNPACK_TEXT)
    OVERRIDE_SWITCHES(UNPACK_SWITCH)
    OVERRIDE_LISTS(UNPACK_LIST)
#undef UNPACK_TEXT
#undef UNPACK_SWITCH
#undef UNPACK_LIST
    return failed;
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
        plan.run = message_number(&map, "run", 0);
        plan.log_level = (enum log_level)log_level;
        if (workers > 0 && workers <= UINT32_MAX && plan.run && log_level <= LOG_DEBUG &&
            unpack_overrides(message_find(&map, "overrides"), arena, &plan.overrides) == 0 &&
            unpack_texts(&map, "plugin_files", arena, plan.plugin_files, &plan.plugin_file_count) == 0 &&
            unpack_texts(&map, "plugin_directories", arena, plan.plugin_directories, &plan.plugin_directory_count) == 0)
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
