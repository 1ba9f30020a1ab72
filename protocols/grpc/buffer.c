/* Memory that grows. See buffer.h. */
#include "buffer.h"
#include <stdlib.h>

uint8_t *rpc_buffer_reserve(struct rpc_buffer *buffer, size_t more)
{
    if (buffer->data == NULL || buffer->size - buffer->len < more) {
        size_t size = (buffer->len + more) * 2 + 64;
        uint8_t *data = realloc(buffer->data, size);
        if (data == NULL)
            return NULL;
        buffer->data = data;
        buffer->size = size;
    }
    return buffer->data + buffer->len;
}

void rpc_buffer_fini(struct rpc_buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct rpc_buffer){0};
}
