/* Bus messages from a peer: any bytes are refused, or read; as a plan, packed again to the same plan; as values, within their
 * limits. */
#include "cluster/message.h"
#include "cluster/plan.h"
#include "cluster/values.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const uint8_t *data, size_t size, struct arena *arena)
{
    msgpack_zone zone;
    msgpack_object map;
    if (message_read(data, size, &zone, &map)) {
        const char *text = message_text(&map, "error", arena);
        const msgpack_object_array *array = message_array(&map, "flags");
        if (text && strlen(text) > size)
            abort();
        if (array && array->size > size)
            abort();
        if (message_number(&map, "v", 0) != MESSAGE_VERSION)
            abort();
        (void)message_number(&map, "start_ns", 0);
    }
    msgpack_zone_destroy(&zone);
}

static void look_at_value(void *arg, uint32_t variable, const struct value *value)
{
    uint8_t *sum = arg;
    if (variable >= VARIABLES_MAX || (value->type == VALUE_STRING && value->string.len > VARIABLE_TEXT_MAX))
        abort();
    for (uint64_t i = 0; value->type == VALUE_STRING && i < value->string.len; i++)
        *sum ^= value->string.data[i]; /* a sanitizer sees bytes that are not there */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct plan plan, back;
    struct buffer first = {0}, second = {0};
    struct error error;
    uint8_t sum = 0;
    arena_init(&arena);
    look_up(data, size, &arena);
    values_unpack(data, size, VARIABLES_MAX, look_at_value, &sum);
    if (plan_unpack(data, size, &arena, &plan, &error) == 0) {
        plan_pack(&plan, &first);
        if (plan_unpack(first.data, first.len, &arena, &back, &error) < 0)
            abort();
        plan_pack(&back, &second);
        if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
            abort();
    }
    buffer_fini(&first);
    buffer_fini(&second);
    arena_fini(&arena);
    return 0;
}
