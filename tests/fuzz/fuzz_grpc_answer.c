/* Answers of a server, as any bytes: they become JSON or are refused; what becomes JSON is well formed, and encodes. */
#include "decode.h"
#include "json.h"
#include "schema.h"
#include <stdlib.h>

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"sample.All", "sample.old.Old", "google.protobuf.Struct",
                                        "google.protobuf.Any"};
    static struct pb_decoder decoder; /* kept, as a worker keeps it */
    static struct pb_text text = {.limit = 1 << 20};
    if (size < 1)
        return 0;
    pb_text_reset(&text);
    if (pb_decode(&decoder, type_of(names[data[0] % 4]), data + 1, size - 1, &text) != NULL)
        return 0;
    struct pb_json json = {text.data, text.len, 0};
    if (pb_json_skip(&json) != NULL || json.at != json.len)
        abort();
    return 0;
}
