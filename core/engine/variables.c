/*
 * A user's variables. Numbers and truths stand in the value itself; a text is copied into a buffer of the variable's own,
 * which grows to the longest text it has held and is then used again: a steady run allocates nothing.
 */
#include "engine/internal.h"
#include <stdlib.h>
#include <string.h>

struct eval variables_eval(struct user *user, const struct answer *answer)
{
    return (struct eval){.user_id = user->id,
                         .iteration = user->iteration,
                         .random = &user->random,
                         .answer = answer,
                         .variables = user_variables(user),
                         .rows = user_feeds(user) ? user_feeds(user)->rows : NULL,
                         .scratch = &user->engine->scratch};
}

/* The value may lie in the variable's own buffer: a = substring(a, 1). */
static void set_text(struct value *variable, struct buffer *text, const struct value *value)
{
    const uint8_t *from = value->string.data;
    size_t len = value->string.len;
    bool own = text->data && from >= text->data && from < text->data + text->capacity;
    *variable = (struct value){.type = VALUE_NULL};
    if (own) {
        memmove(text->data, from, len);
    } else {
        text->len = 0;
        text->limit = VARIABLE_TEXT_MAX;
        if (buffer_append(text, from, len) < 0)
            return;
    }
    text->len = len;
    *variable = (struct value){.type = VALUE_STRING, .json = value->json, .string = {text->data, len}};
}

void variables_set(struct user *user, uint32_t index, const struct value *value)
{
    if (value->type == VALUE_STRING)
        set_text(&user_variables(user)[index], &user_texts(user)[index], value);
    else
        user_variables(user)[index] = *value;
}

void variables_assign(struct user *user, const struct assignment *assignments, uint32_t count, const struct eval *eval)
{
    for (uint32_t i = 0; i < count; i++) {
        struct value value = {.type = VALUE_STRING};
        if (assignments[i].expression)
            expression_evaluate(assignments[i].expression, eval, &value);
        else
            value.string = template_render(assignments[i].text, eval);
        variables_set(user, assignments[i].variable, &value);
    }
}

void variables_init(struct engine *engine)
{
    uint32_t count = engine->scenario->variable_count;
    if (!count)
        return;
    engine->more.variables = arena_alloc(&engine->arena, (size_t)engine->user_count * count * sizeof *engine->more.variables);
    engine->more.texts = arena_alloc(&engine->arena, (size_t)engine->user_count * count * sizeof *engine->more.texts);
    for (uint32_t i = 0; i < engine->user_count; i++) {
        struct user *user = &engine->users[i];
        struct eval eval = variables_eval(user, NULL);
        arena_reset(&engine->scratch);
        variables_assign(user, user->class->variables, user->class->variable_count, &eval);
    }
}

void variables_set_all(struct engine *engine, uint32_t variable, const struct value *value)
{
    for (uint32_t i = 0; i < engine->user_count; i++)
        if (&user_variables(&engine->users[i])[variable] != value)
            variables_set(&engine->users[i], variable, value);
}

static void mark(bool *set, const struct assignment *assignments, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        set[assignments[i].variable] = true;
}

/* The variables that the run's setup may set. */
static void find_shared(const struct scenario *scenario, bool *set)
{
    const struct program *setup = &scenario->setup;
    for (uint32_t i = 0; i < setup->count; i++) {
        const struct op *op = &setup->ops[i];
        uint32_t steps = op->kind == OP_STEP ? 1 : op->kind == OP_PARALLEL ? op->count : 0;
        if (op->kind == OP_SET)
            mark(set, op->assignments, op->count);
        for (uint32_t j = 0; j < steps; j++)
            mark(set, scenario->steps[op->step + j].saves, scenario->steps[op->step + j].save_count);
    }
}

void variables_share(struct engine *engine, const struct user *from)
{
    bool set[VARIABLES_MAX] = {false};
    find_shared(engine->scenario, set);
    for (uint32_t i = 0; i < engine->scenario->variable_count; i++)
        if (set[i])
            variables_set_all(engine, i, &user_variables(from)[i]);
}

void engine_give_values(const struct engine *engine, void (*fn)(void *arg, uint32_t variable, const struct value *value), void *arg)
{
    bool set[VARIABLES_MAX] = {false};
    find_shared(engine->scenario, set);
    for (uint32_t i = 0; i < engine->scenario->variable_count && engine->user_count; i++)
        if (set[i])
            fn(arg, i, &user_variables(&engine->users[0])[i]);
}

void engine_take_value(struct engine *engine, uint32_t variable, const struct value *value)
{
    variables_set_all(engine, variable, value);
}

void variables_fini(struct engine *engine)
{
    for (uint32_t i = 0; engine->more.texts && i < engine->user_count; i++)
        for (uint32_t j = 0; j < engine->scenario->variable_count; j++)
            buffer_fini(&user_texts(&engine->users[i])[j]);
}
