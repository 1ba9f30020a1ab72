/*
 * Every key of the scenario language, a row each: what the loader takes in each place, and what an editor is told of it, come
 * from here. Options of protocols are not here: their plugins' tables have them.
 */
#ifndef SQUALL_SCENARIO_KEYS_H
#define SQUALL_SCENARIO_KEYS_H
#include <stdint.h>

enum key_part {
    PART_ROOT,
    PART_INCLUDED,
    PART_TARGET,
    PART_TLS,
    PART_FEED,
    PART_LOAD,
    PART_STAGE,
    PART_PRESET,
    PART_SHAPE,
    PART_CLASS,
    PART_STEP,
    PART_BRANCH,
    PART_WHEN,
    PART_THINK, /* entries of a flow: the first row is the key that tells which it is */
    PART_SET,
    PART_IF,
    PART_WHILE,
    PART_REPEAT,
    PART_CHOOSE,
    PART_PARALLEL,
    PART_TRANSACTION,
    PART_CALL,
    PART_SCRIPT,
    PART_COUNT
};
#define PART_FIRST_ENTRY PART_THINK

struct key_row {
    enum key_part part;
    const char *key;
    const char *value; /* a definition of the schema, or JSON of its own when it begins with { */
    const char *help;
};
extern const struct key_row key_rows[];
extern const uint32_t key_row_count;

/* The keys of a part, NULL behind the last. */
const char *const *keys_of(enum key_part part);

#endif
