/* Files that a server's reflection describes, as any bytes: length by length, two bytes each, they are added and looked
 * through. */
#include "schema.h"
#include "skeleton.h"
#include "template.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int visit(void *arg, const char *service, const struct pb_method *method)
{
    struct pb_text text = {.limit = 1 << 16};
    struct squall_error error;
    (void)arg;
    (void)service;
    pb_skeleton(method->input, &text);
    if (!text.failed)
        pb_template_free(pb_template_new(method->input, text.data, text.len, NULL, 0, &error));
    pb_text_fini(&text);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct squall_error error;
    struct pb_method method;
    struct pb_schema *schema = pb_schema_new();
    if (schema == NULL)
        abort();
    while (size >= 2) {
        size_t len = (size_t)data[0] << 8 | data[1];
        data += 2;
        size -= 2;
        if (len > size)
            len = size;
        pb_schema_add_file(schema, (struct squall_bytes){data, len}, &error);
        data += len;
        size -= len;
    }
    pb_schema_missing(schema);
    if (pb_schema_method(schema, "sample.Orders/Place", &method, &error) == 0)
        visit(NULL, "sample.Orders", &method);
    pb_schema_each_method(schema, visit, NULL);
    pb_schema_free(schema);
    return 0;
}
