/*
 * Values with lists and maps in them, for options of type SQUALL_TREE: from YAML to JSON text (RFC 8259) of which only
 * the scalars with ${...} in them are written anew for each exchange.
 *
 * A plain scalar that reads as a JSON number, true, false or null is one; anything else, and all that is quoted, is a
 * text. A scalar that is one ${...} and nothing else has the type of its value.
 */
#ifndef SQUALL_SCENARIO_TREE_H
#define SQUALL_SCENARIO_TREE_H
#include "scenario/load.h"

#define TREE_HOLES_MAX 256u

struct tree;
int tree_compile(const struct loader *loader, const struct node *node, const struct tree **ret_tree);
bool tree_constant(const struct tree *tree);
bool tree_secret(const struct tree *tree);
/* With every hole as null: what step_init sees; of a constant tree its one text. Into arena. */
struct squall_tree tree_blank(const struct tree *tree, struct arena *arena);
/* Into eval->scratch. */
struct squall_tree tree_render(const struct tree *tree, const struct eval *eval);

#endif
