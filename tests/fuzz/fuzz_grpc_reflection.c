/*
 * Answers of a server's reflection service, as any bytes: length by length, two bytes each, they are taken as answers
 * to the questions that they lead to. It ends, by what is known or by a reason.
 */
#include "questions.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char method[] = "sample.Orders/Place";
    const struct rpc_step_options options = {.method = {(const uint8_t *)method, sizeof method - 1}};
    struct rpc_step step = {.options = &options};
    struct rpc_target target = {.schema = pb_schema_new(), .steps = &step};
    struct rpc_questions questions;
    uint8_t question[RPC_QUESTION_SIZE];
    struct squall_error error;
    struct pb_method found;
    size_t len;
    if (target.schema == NULL)
        abort();
    rpc_questions_begin(&questions, &target);
    while ((len = rpc_questions_next(&questions, question)) > 0) {
        if (len > sizeof question)
            abort();
        size_t answer = size >= 2 ? (size_t)data[0] << 8 | data[1] : 0;
        if (size < 2)
            break;
        data += 2;
        size -= 2;
        answer = answer < size ? answer : size;
        rpc_questions_answer(&questions, (struct squall_bytes){data, answer});
        data += answer;
        size -= answer;
    }
    if (strlen(questions.why) >= sizeof questions.why)
        abort();
    pb_schema_method(target.schema, method, &found, &error);
    rpc_questions_end(&questions);
    pb_schema_free(target.schema);
    return 0;
}
