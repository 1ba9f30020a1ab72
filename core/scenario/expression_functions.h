/*
 * Between the files that hold evaluators. Each finds *ret preset to null and leaves it so when an argument is not of
 * its type; none allocates but from eval->scratch.
 */
#ifndef SQUALL_SCENARIO_EXPRESSION_FUNCTIONS_H
#define SQUALL_SCENARIO_EXPRESSION_FUNCTIONS_H
#include "scenario/expression_tree.h"

#define EVALUATOR_OF(name)                                                                                             \
    void evaluate_##name(const struct eval *eval, const struct value *a, uint32_t count, struct value *ret)
#define UNUSED        ((void)eval, (void)a, (void)count)
#define TEXT_MAX      (1u << 20) /* of what a function makes */

static inline void set_number(struct value *ret, double number)
{
    *ret = (struct value){.type = VALUE_NUMBER, .number = number};
}
static inline void set_bool(struct value *ret, bool boolean)
{
    *ret = (struct value){.type = VALUE_BOOL, .boolean = boolean};
}
static inline void set_string(struct value *ret, const void *data, uint64_t len)
{
    *ret = (struct value){.type = VALUE_STRING, .string = {data, len}};
}
static inline bool are_strings(const struct value *a, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (a[i].type != VALUE_STRING)
            return false;
    return true;
}

/* expression_texts.c */
EVALUATOR_OF(trim);
EVALUATOR_OF(substring);
EVALUATOR_OF(replace);
EVALUATOR_OF(split);
EVALUATOR_OF(json);
EVALUATOR_OF(coalesce);
EVALUATOR_OF(in);
EVALUATOR_OF(between);
EVALUATOR_OF(abs);
EVALUATOR_OF(floor);
EVALUATOR_OF(ceil);
EVALUATOR_OF(round);
EVALUATOR_OF(min);
EVALUATOR_OF(max);

/* expression_codings.c */
EVALUATOR_OF(hex);
EVALUATOR_OF(base64);
EVALUATOR_OF(base64_decode);
EVALUATOR_OF(url_encode);
EVALUATOR_OF(url_decode);
EVALUATOR_OF(md5);
EVALUATOR_OF(sha1);
EVALUATOR_OF(sha256);
EVALUATOR_OF(hmac_sha256);

/* expression_pattern.c */
int pattern_prepare(const struct expression *call, struct arena *arena, void **ret, struct error *error);
void pattern_matches(void *prepared, const struct value *arguments, struct value *ret);

#endif
