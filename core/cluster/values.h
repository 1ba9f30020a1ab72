/*
 * What the run's setup has set, put on the bus once by the worker that walked it, before it says that it is ready; the
 * controller passes it on to all workers before their users begin. At most VARIABLES_MAX values, a text of at most
 * VARIABLE_TEXT_MAX. They may be secrets: nobody prints them.
 */
#ifndef SQUALL_CLUSTER_VALUES_H
#define SQUALL_CLUSTER_VALUES_H
#include "base/buffer.h"
#include "engine/engine.h"

/* How many there are; 0: nothing was written. */
uint32_t values_pack(const struct engine *engine, struct buffer *out);
/* Calls `fn` for each value of a message, in order, or for none and gives -1 when it is not one of this scenario's. */
int values_unpack(const uint8_t *data, size_t len, uint32_t variable_count,
                  void (*fn)(void *arg, uint32_t variable, const struct value *value), void *arg);

#endif
