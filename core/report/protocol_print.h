/*
 * A plugin in words, for `squall plugin`. All of it comes out of the plugin's own tables.
 */
#ifndef SQUALL_REPORT_PROTOCOL_PRINT_H
#define SQUALL_REPORT_PROTOCOL_PRINT_H
#include "base/buffer.h"
#include "engine/protocol.h"

/* One line for each plugin that is loaded (protocol_load_all loads them), by name. At most 80 columns wide. */
void protocol_print_list(const struct protocol_registry *registry, struct buffer *out);
/* Everything about one: schemes, versions, file, options and metrics. */
void protocol_print_show(const struct protocol *protocol, struct buffer *out);

#endif
