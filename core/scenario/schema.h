/* The JSON Schema of scenarios, for editors: `squall check --schema`. */
#ifndef SQUALL_SCENARIO_SCHEMA_H
#define SQUALL_SCENARIO_SCHEMA_H
#include "base/buffer.h"
#include "engine/protocol.h"

/* With the options of the protocols that are loaded. */
void schema_print(const struct protocol_registry *registry, struct buffer *out);

#endif
