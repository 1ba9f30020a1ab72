/* See values.h. One list of [variable, value], texts as bytes; a text that is a part of a JSON body is a list of one.
 */
#include "cluster/values.h"
#include "cluster/message.h"

struct packing {
    msgpack_packer packer;
    uint32_t count;
    bool counting;
};

static void pack_value(msgpack_packer *packer, const struct value *value)
{
    switch (value->type) {
    case VALUE_NULL:
        msgpack_pack_nil(packer);
        break;
    case VALUE_BOOL:
        value->boolean ? msgpack_pack_true(packer) : msgpack_pack_false(packer);
        break;
    case VALUE_NUMBER:
        msgpack_pack_double(packer, value->number);
        break;
    case VALUE_STRING:
        if (value->json)
            msgpack_pack_array(packer, 1);
        msgpack_pack_bin_with_body(packer, value->string.data, value->string.len);
        break;
    }
}

static void take(void *arg, uint32_t variable, const struct value *value)
{
    struct packing *packing = arg;
    packing->count++;
    if (packing->counting)
        return;
    msgpack_pack_array(&packing->packer, 2);
    msgpack_pack_uint32(&packing->packer, variable);
    pack_value(&packing->packer, value);
}

uint32_t values_pack(const struct engine *engine, struct buffer *out)
{
    struct packing packing = {.counting = true};
    engine_give_values(engine, take, &packing);
    uint32_t count = packing.count;
    if (!count)
        return 0;
    packing.counting = false;
    message_packer(&packing.packer, out);
    msgpack_pack_map(&packing.packer, 2);
    message_pack_number(&packing.packer, "v", MESSAGE_VERSION);
    message_pack_key(&packing.packer, "values");
    msgpack_pack_array(&packing.packer, count);
    engine_give_values(engine, take, &packing);
    return count;
}

/* ---- reading ---- */

static int unpack_value(const msgpack_object *object, struct value *ret)
{
    struct value value = {.type = VALUE_NULL};
    if (object->type == MSGPACK_OBJECT_ARRAY && object->via.array.size == 1) {
        value.json = true;
        object = object->via.array.ptr;
    }
    if (object->type == MSGPACK_OBJECT_BIN && object->via.bin.size <= VARIABLE_TEXT_MAX) {
        value.type = VALUE_STRING;
        value.string = (struct squall_bytes){(const uint8_t *)object->via.bin.ptr, object->via.bin.size};
    } else if (value.json) {
        return -1;
    } else if (object->type == MSGPACK_OBJECT_BOOLEAN) {
        value.type = VALUE_BOOL;
        value.boolean = object->via.boolean;
    } else if (object->type == MSGPACK_OBJECT_FLOAT64) {
        value.type = VALUE_NUMBER;
        value.number = object->via.f64;
    } else if (object->type != MSGPACK_OBJECT_NIL) {
        return -1;
    }
    *ret = value;
    return 0;
}

static int unpack_pair(const msgpack_object *object, uint32_t variable_count, uint32_t *ret_variable,
                       struct value *ret_value)
{
    if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != 2)
        return -1;
    const msgpack_object *pair = object->via.array.ptr;
    if (pair[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER || pair[0].via.u64 >= variable_count)
        return -1;
    *ret_variable = (uint32_t)pair[0].via.u64;
    return unpack_value(&pair[1], ret_value);
}

int values_unpack(const uint8_t *data, size_t len, uint32_t variable_count,
                  void (*fn)(void *arg, uint32_t variable, const struct value *value), void *arg)
{
    msgpack_zone zone;
    msgpack_object map;
    const msgpack_object_array *values = NULL;
    if (message_read(data, len, &zone, &map))
        values = message_array(&map, "values");
    int status = values && values->size <= variable_count ? 0 : -1;
    uint32_t variable = 0;
    struct value value;
    for (uint32_t i = 0; status == 0 && i < values->size; i++)
        status = unpack_pair(&values->ptr[i], variable_count, &variable, &value);
    for (uint32_t i = 0; status == 0 && i < values->size; i++) {
        unpack_pair(&values->ptr[i], variable_count, &variable, &value);
        fn(arg, variable, &value);
    }
    msgpack_zone_destroy(&zone);
    return status;
}
