/* The path behind a value in an expression: .name, [0], ["any name"], directly behind it and without a space. */
#ifndef SQUALL_SCENARIO_EXPRESSION_PATH_H
#define SQUALL_SCENARIO_EXPRESSION_PATH_H
#include "scenario/json_path.h"

/* Reads steps (room for JSON_PATH_MAX) from *cursor on, which moves behind the last; none is fine. *ret_where: of an error. */
int expression_path(const char **cursor, struct arena *arena, struct json_step *steps, uint32_t *ret_count, const char **ret_where,
                    struct error *error);

#endif
