/*
 * A message's JSON, as any text: it becomes bytes or is refused. With a scalar of it a hole, the bytes are the same, or
 * the value is refused.
 */
#include "json.h"
#include "schema.h"
#include "template.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pb_type *type_of(const char *name)
{
    static struct pb_schema *schema;
    struct squall_error error;
    if (schema == NULL) {
        schema = pb_schema_new();
        if (schema == NULL || pb_schema_add_proto(schema, GRPC_SAMPLES "/sample.proto", &error) < 0 ||
            pb_schema_add_proto(schema, GRPC_SAMPLES "/old.proto", &error) < 0)
            abort();
    }
    return pb_schema_type(schema, name);
}

/* Tries every scalar of the text as the hole; places where none may be are refused. */
static void with_holes(const struct pb_type *type, const char *text, size_t len, struct squall_bytes wanted)
{
    struct squall_error error;
    for (size_t at = 0; at < len && at < 512; at++) {
        struct pb_json json = {text, len, at};
        size_t begin, scalar_len, culprit;
        if (pb_json_peek(&json) == '\0' || json.at != at || pb_json_scalar(&json, &begin, &scalar_len) != NULL)
            continue;
        struct squall_hole hole = {begin, scalar_len};
        struct pb_template *template = pb_template_new(type, text, len, &hole, 1, &error);
        if (template == NULL)
            continue;
        size_t room = pb_template_room(template, &hole);
        uint8_t *memory = malloc(room + 1);
        if (memory == NULL)
            abort();
        struct pb_out out = {memory, memory + room, memory + room};
        if (pb_template_write(template, text, &hole, &out, &culprit) != NULL)
            abort(); /* a constant of the same text was taken */
        if ((size_t)(out.end - out.at) != wanted.len ||
            (wanted.len > 0 && memcmp(out.at, wanted.data, wanted.len) != 0))
            abort();
        free(memory);
        pb_template_free(template);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"sample.All", "sample.old.Old", "google.protobuf.Struct",
                                        "google.protobuf.Timestamp"};
    struct squall_error error;
    if (size < 1)
        return 0;
    const struct pb_type *type = type_of(names[data[0] % 4]);
    const char *text = (const char *)data + 1;
    struct pb_template *template = pb_template_new(type, text, size - 1, NULL, 0, &error);
    if (template == NULL)
        return 0;
    with_holes(type, text, size - 1, pb_template_constant(template));
    pb_template_free(template);
    return 0;
}
