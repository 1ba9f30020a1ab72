/*
 * What happens for each exchange: variable options are rendered into a copy of the step's block. Runs on the hot path:
 * nothing here allocates but from the scratch arena, and a step without variables costs one comparison.
 */
#include "scenario/load.h"
#include "scenario/tree.h"
#include <math.h>
#include <string.h>

static void render_map(const struct step_variable *variable, const struct squall_option *row, const struct eval *eval,
                       void *block)
{
    struct squall_map map;
    memcpy(&map, (const char *)block + row->offset, sizeof map);
    struct squall_pair *pairs = arena_take(eval->scratch, variable->pair_count * sizeof *pairs);
    for (uint32_t i = 0; i < variable->pair_count; i++) {
        pairs[i] = map.pairs[i];
        if (variable->pairs[i])
            pairs[i].value = template_render(variable->pairs[i], eval);
    }
    map.pairs = pairs;
    memcpy((char *)block + row->offset, &map, sizeof map);
}

static int render(const struct squall_table *table, const void *constant_block, const struct step_variable *variables,
                  uint32_t count, const struct eval *eval, const void **ret_options, struct error *error)
{
    void *block = arena_take(eval->scratch, table->size);
    memcpy(block, constant_block, table->size);
    for (uint32_t i = 0; i < count; i++) {
        const struct step_variable *variable = &variables[i];
        const struct squall_option *row = protocol_option(table, variable->row);
        if (row->type == SQUALL_MAP) {
            render_map(variable, row, eval, block);
        } else if (row->type == SQUALL_TREE) {
            struct squall_tree tree = tree_render(variable->tree, eval);
            memcpy((char *)block + row->offset, &tree, sizeof tree);
        } else if (option_parse(row, template_render(variable->value, eval), block, error)) {
            if (template_secret(variable->value))
                error_set(error, "`%s`: a value with a secret in it does not fit", row->name);
            return -1;
        }
    }
    *ret_options = block;
    return 0;
}

int step_render(const struct step *step, const struct eval *eval, const void **ret_options, struct error *error)
{
    *ret_options = step->constant_block;
    return step->all_constant ? 0
                              : render(&step->protocol->abi.step_options, step->constant_block, step->variables,
                                       step->variable_count, eval, ret_options, error);
}

int target_render(const struct target *target, const struct eval *eval, const void **ret_options, struct error *error)
{
    return render(&target->protocol->abi.target_options, target->constant_block, target->variables,
                  target->variable_count, eval, ret_options, error);
}
