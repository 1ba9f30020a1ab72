/* A message of a type to start from, as JSON: every field with a value of its kind, one element in each list and map,
 * the first member of each oneof. A type within itself is left out, and so is what is nested deeper than a few levels.
 */
#ifndef SQUALL_GRPC_SKELETON_H
#define SQUALL_GRPC_SKELETON_H
#include "text.h"
#include "types.h"

void pb_skeleton(const struct pb_type *type, struct pb_text *text);

#endif
