/* See message.h. */
#include "cluster/message.h"
#include "metrics/reader.h"
#include <string.h>

static int append(void *arg, const char *data, size_t len)
{
    return buffer_append(arg, data, len);
}

void message_packer(msgpack_packer *packer, struct buffer *out)
{
    msgpack_packer_init(packer, out, append);
}

void message_pack_text(msgpack_packer *packer, const char *text)
{
    if (text)
        msgpack_pack_str_with_body(packer, text, strlen(text));
    else
        msgpack_pack_nil(packer);
}

void message_pack_key(msgpack_packer *packer, const char *key)
{
    message_pack_text(packer, key);
}

void message_pack_number(msgpack_packer *packer, const char *key, uint64_t number)
{
    message_pack_key(packer, key);
    msgpack_pack_uint64(packer, number);
}

bool message_read(const uint8_t *data, size_t len, msgpack_zone *zone, msgpack_object *ret_map)
{
    msgpack_zone_init(zone, 8192);
    /* msgpack-c makes room for as many elements as a head announces: none is believed that the message cannot hold. */
    struct reader reader;
    reader_init(&reader, data, len);
    reader_skip(&reader);
    if (reader.why)
        return false;
    size_t used = 0;
    if (msgpack_unpack((const char *)data, len, &used, zone, ret_map) != MSGPACK_UNPACK_SUCCESS || used != len)
        return false;
    return ret_map->type == MSGPACK_OBJECT_MAP && message_number(ret_map, "v", 0) == MESSAGE_VERSION;
}

const msgpack_object *message_find(const msgpack_object *map, const char *key)
{
    size_t len = strlen(key);
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        const msgpack_object_kv *pair = &map->via.map.ptr[i];
        if (pair->key.type == MSGPACK_OBJECT_STR && pair->key.via.str.size == len && memcmp(pair->key.via.str.ptr, key, len) == 0)
            return &pair->val;
    }
    return NULL;
}

uint64_t message_number(const msgpack_object *map, const char *key, uint64_t fallback)
{
    const msgpack_object *object = message_find(map, key);
    return object && object->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? object->via.u64 : fallback;
}

const char *message_copy(const msgpack_object *object, struct arena *arena)
{
    if (!object || object->type != MSGPACK_OBJECT_STR || memchr(object->via.str.ptr, 0, object->via.str.size))
        return NULL;
    return arena_copy(arena, object->via.str.ptr, object->via.str.size);
}

const char *message_text(const msgpack_object *map, const char *key, struct arena *arena)
{
    return message_copy(message_find(map, key), arena);
}

const msgpack_object_array *message_array(const msgpack_object *map, const char *key)
{
    const msgpack_object *object = message_find(map, key);
    return object && object->type == MSGPACK_OBJECT_ARRAY ? &object->via.array : NULL;
}
