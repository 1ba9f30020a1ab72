/*
 * Is a plugin's table sane? Everything behind the loader's version checks: names, schemes, sizes of state, rows of
 * options and metrics. What passes here is relied on elsewhere without another look.
 */
#ifndef SQUALL_ENGINE_PROTOCOL_ROWS_H
#define SQUALL_ENGINE_PROTOCOL_ROWS_H
#include "base/error.h"
#include <squall/plugin.h>
#include <stdbool.h>
#include <stddef.h>

#define PROTOCOL_ROWS_MAX  64
#define PROTOCOL_NAME_MAX  64
#define PROTOCOL_STATE_MAX (UINT32_C(1) << 20) /* bytes of one state block or options struct */

/* 0, or -1 with the first fault and what to write instead. Every pointer that the table must have may be NULL. */
int protocol_check_rows(const struct squall_protocol *abi, struct error *error);

/* Lower-case letters, digits and dashes, a letter first, at most 64 of them: no such name leaves its folder. */
bool protocol_name_valid(const char *name);

/* The item of a separated list ("80,443") that begins at *list, which moves behind it; false at the end. Items may be
 * empty. Start with *list at the text; it becomes NULL behind the last item. */
bool protocol_next_item(const char **list, char separator, const char **ret_item, size_t *ret_len);

/* sizeof of an option's value, 0: no such type; and the type's name in help. */
size_t protocol_value_size(uint32_t type);
const char *protocol_type_name(uint32_t type);

#endif
