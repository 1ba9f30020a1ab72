/* Any text as a check and as a template: it compiles and evaluates, or is refused with a column within it. */
#include "scenario/expression.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_column(uint32_t column, size_t len)
{
    if (column == 0 || column > len + 1)
        abort();
}

static void run(const char *text, size_t len, const struct eval *eval, struct arena *arena)
{
    const struct expression *expression;
    const struct template *template;
    struct error error;
    struct value value;
    uint32_t column = 0;
    if (expression_compile(text, PLACE_CHECK, arena, &expression, &column, &error))
        check_column(column, len);
    else
        expression_evaluate(expression, eval, &value);
    if (template_compile(text, arena, &template, &column, &error)) {
        check_column(column, len);
        return;
    }
    struct squall_bytes bytes = template_render(template, eval);
    if (bytes.data[bytes.len] != '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct squall_pair field = {.name = {(const uint8_t *)"a", 1}, .value = {(const uint8_t *)"12", 2}};
    const struct answer answer = {.code = 404,
                                  .code_name = "NOT_FOUND",
                                  .latency_ns = 5,
                                  .body = {(const uint8_t *)"body", 4},
                                  .fields = &field,
                                  .field_count = 1};
    struct random_stream stream;
    struct arena arena;
    arena_init(&arena);
    random_init(&stream, 1, 1);
    struct eval eval = {.user_id = 1, .random = &stream, .answer = &answer, .scratch = &arena};
    const char *text = arena_copy(&arena, data, size);
    run(text, strlen(text), &eval, &arena);
    arena_fini(&arena);
    return 0;
}
