/* Memory that grows and is kept. */
#ifndef SQUALL_GRPC_BUFFER_H
#define SQUALL_GRPC_BUFFER_H
#include <stddef.h>
#include <stdint.h>

/* Start from zero. */
struct rpc_buffer {
    uint8_t *data;
    size_t len, size;
};

/* Room for `more` bytes behind len, or NULL: no memory. */
uint8_t *rpc_buffer_reserve(struct rpc_buffer *buffer, size_t more);
void rpc_buffer_fini(struct rpc_buffer *buffer);

#endif
