/*
 * Any bytes as a path, a newline and a JSON text: what is found lies within the text, and its value can be made. The
 * first byte picks how the text is looked at.
 */
#include "scenario/json_path.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One step a path byte: a lower case letter names a member, a digit an index, '-' the last, '*' any. */
static uint32_t read_path(const uint8_t *path, size_t len, struct json_step *steps)
{
    uint32_t count = 0;
    for (size_t i = 0; i < len && count < JSON_PATH_MAX; i++) {
        struct json_step *step = &steps[count++];
        *step = (struct json_step){.kind = JSON_MEMBER, .name = {path + i, 1}};
        if (path[i] == '*')
            step->kind = JSON_ANY;
        else if (path[i] == '-')
            *step = (struct json_step){.kind = JSON_INDEX, .index = -1};
        else if (path[i] >= '0' && path[i] <= '9')
            *step = (struct json_step){.kind = JSON_INDEX, .index = path[i] - '0'};
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    struct json_step steps[JSON_PATH_MAX];
    uint32_t count = line ? read_path(data, (size_t)(line - data), steps) : 0;
    struct squall_bytes text = {line ? line + 1 : data, line ? size - (size_t)(line - data) - 1 : size}, raw;
    struct value value;
    if (!json_find(text, steps, count, &raw))
        return 0;
    if (raw.len == 0 || raw.data < text.data || raw.data + raw.len > text.data + text.len)
        abort();
    struct arena arena;
    arena_init(&arena);
    json_value(raw, &arena, &value);
    if (value.type == VALUE_STRING && value.string.len > raw.len)
        abort();
    if (json_size(raw) > (int64_t)raw.len)
        abort();
    arena_fini(&arena);
    return 0;
}
