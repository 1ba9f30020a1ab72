/*
 * One value out of a JSON text, by its path, without making a tree of the text: it is scanned up to the value and no
 * further. What must stay true: any bytes may stand in the text. What is not well-formed before the value gives "not
 * there"; what follows the value is not looked at.
 */
#ifndef SQUALL_SCENARIO_JSON_PATH_H
#define SQUALL_SCENARIO_JSON_PATH_H
#include "scenario/expression.h"
#include "scenario/json_skip.h"

#define JSON_PATH_MAX 16u /* steps of one path */

enum json_step_kind {
    JSON_MEMBER, /* .name, ["name"]: the first member of that name */
    JSON_INDEX,  /* [0], [-1]: from the start, or from the end */
    JSON_ANY,    /* [*]: the first element in which the rest of the path is found */
};
struct json_step {
    enum json_step_kind kind;
    struct squall_bytes name;
    int64_t index;
};

/* The value's bytes as they stand in the text; false: not there. */
bool json_find(struct squall_bytes text, const struct json_step *steps, uint32_t count, struct squall_bytes *ret_raw);
/* The value of such bytes: an object or an array becomes VALUE_STRING with `json` set. Text with escapes in it is
 * decoded into scratch (RFC 8259, section 7), all else is borrowed. */
void json_value(struct squall_bytes raw, struct arena *scratch, struct value *ret);
/* Elements of an array or members of an object; -1 for anything else, or when it is cut short. */
int64_t json_size(struct squall_bytes raw);

#endif
