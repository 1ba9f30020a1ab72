/*
 * Any bytes as a scenario file: loading ends in a scenario or in an error with a position, and what was loaded can be
 * rendered, printed and freed.
 */
#include "../unit/scenario_fixture.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct scenario *scenario)
{
    struct random_stream stream;
    struct arena scratch;
    struct buffer plan = {0};
    struct error error;
    const void *options;
    random_init(&stream, scenario->seed, 1);
    arena_init(&scratch);
    for (uint32_t i = 0; i < scenario->step_count; i++) {
        const struct step *step = &scenario->steps[i];
        struct eval eval = {.user_id = 1, .random = &stream, .scratch = &scratch};
        struct answer answer = {.code = 200, .code_name = "OK", .body = {(const uint8_t *)"body", 4}};
        step_render(step, &eval, &options, &error);
        eval.answer = &answer;
        for (uint32_t k = 0; k < step->save_count; k++) {
            struct value value;
            if (step->saves[k].variable >= scenario->variable_count)
                abort();
            expression_evaluate(step->saves[k].expression, &eval, &value);
        }
        for (uint32_t k = 0; k < step->check_count; k++) {
            struct value value;
            expression_evaluate(step->checks[k].expression, &eval, &value);
        }
        arena_reset(&scratch);
    }
    for (uint64_t i = 0; i < 10; i++)
        if (scenario_class_of(scenario, &scenario->loads[0], i) >= scenario->loads[0].class_count)
            abort();
    scenario_print_plan(scenario, &plan);
    buffer_fini(&plan);
    arena_fini(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct protocol_registry registry;
    struct scenario *scenario;
    struct error error = {0};
    fixture_registry(&registry);
    if (scenario_load((const char *)data, size, "s.yaml", NULL, &registry, &scenario, &error)) {
        if (strncmp(error.text, "s.yaml:", 7) != 0)
            abort();
    } else {
        use(scenario);
        scenario_free(scenario);
    }
    if (fixture_targets || fixture_steps)
        abort();
    return 0;
}
