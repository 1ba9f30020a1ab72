/*
 * Moving behind a JSON text or a nested value that nobody asked for: what a path into a large answer costs is this.
 * What must stay true: only bytes in [at, end) are read, whatever they hold, and neither function recurses.
 */
#ifndef SQUALL_SCENARIO_JSON_SKIP_H
#define SQUALL_SCENARIO_JSON_SKIP_H
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 256u

/* `at` stands on a quote: returns what is behind the closing one; NULL: there is none. */
const uint8_t *json_skip_string(const uint8_t *at, const uint8_t *end);
/* `at` stands on an opening bracket: returns what is behind its partner, brackets within strings not counted; NULL:
 * there is none, or they are nested deeper than JSON_DEPTH_MAX. Of which kind a bracket is is not compared. */
const uint8_t *json_skip_nested(const uint8_t *at, const uint8_t *end);

#endif
