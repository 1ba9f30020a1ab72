/* What to ask, and what the answers mean. See questions.h. */
#include "questions.h"
#include "frame.h"
#include "status.h"
#include "wire.h"
#include <stdio.h>

const char rpc_reflection_v1[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
const char rpc_reflection_v1alpha[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

void rpc_questions_begin(struct rpc_questions *questions, struct rpc_target *target)
{
    *questions = (struct rpc_questions){.target = target, .step = target->steps, .services.limit = 65536};
}

void rpc_questions_end(struct rpc_questions *questions)
{
    pb_text_fini(&questions->services);
}

/* The first complaint stays: those after it follow from it. */
void rpc_questions_fail(struct rpc_questions *questions, const char *why)
{
    if (questions->why[0] == '\0')
        snprintf(questions->why, sizeof questions->why, "reflection: %.280s", why);
}

/* One answer, as far as it is read. */
struct answer {
    struct rpc_questions *questions;
    uint64_t error_code; /* 0: none */
    char error_text[200];
};

/* ---- answers ---- */

/* Calls fn for each field of a message that has a length; numbers go to *ret_number by field 1. */
static const char *each_field(struct squall_bytes message, void (*fn)(void *arg, uint32_t number, struct squall_bytes),
                              void *arg, uint64_t *ret_number)
{
    const uint8_t *at = message.data, *end = message.len > 0 ? message.data + message.len : message.data;
    while (at < end) {
        uint64_t tag, value;
        if (pb_read_varint(&at, end, &tag) < 0 || pb_read_varint(&at, end, &value) < 0)
            return "an answer that is cut short";
        if ((tag & 7) == PB_VARINT) {
            if (tag >> 3 == 1 && ret_number != NULL)
                *ret_number = value;
            continue;
        }
        if ((tag & 7) != PB_LEN || value > (uint64_t)(end - at))
            return "an answer that is no ServerReflectionResponse";
        fn(arg, (uint32_t)(tag >> 3), (struct squall_bytes){at, value});
        at += value;
    }
    return NULL;
}

static void on_name(void *arg, uint32_t number, struct squall_bytes value)
{
    struct answer *answer = arg;
    if (number != 1)
        return;
    pb_text_add(&answer->questions->services, value.data, value.len);
    pb_text_add(&answer->questions->services, "", 1);
}

static void on_service(void *arg, uint32_t number, struct squall_bytes value)
{
    if (number == 1)
        (void)each_field(value, on_name, arg, NULL);
}

static void on_file(void *arg, uint32_t number, struct squall_bytes value)
{
    struct answer *answer = arg;
    struct squall_error error;
    if (number == 1 && pb_schema_add_file(answer->questions->target->schema, value, &error) < 0)
        rpc_questions_fail(answer->questions, error.text);
}

static void on_error_text(void *arg, uint32_t number, struct squall_bytes value)
{
    struct answer *answer = arg;
    if (number == 2)
        rpc_message_decode(value, answer->error_text, sizeof answer->error_text);
}

static void on_part(void *arg, uint32_t number, struct squall_bytes value)
{
    struct answer *answer = arg;
    if (number == 4) {
        (void)each_field(value, on_file, answer, NULL);
    } else if (number == 6) {
        (void)each_field(value, on_service, answer, NULL);
    } else if (number == 7) {
        answer->error_code = RPC_UNKNOWN;
        (void)each_field(value, on_error_text, answer, &answer->error_code);
    }
}

/* The server does not know the service: it says what it knows, and that is told. */
static void refuse_service(struct rpc_questions *questions)
{
    char listed[120] = "";
    const struct pb_text *services = &questions->services;
    struct pb_nearest nearest = {.word = questions->name, .len = strlen(questions->name)};
    questions->wrong = questions->about;
    for (size_t at = 0; at < services->len; at += strlen(services->data + at) + 1) {
        size_t used = strlen(listed);
        pb_nearest_offer(&nearest, services->data + at);
        if (strncmp(services->data + at, "grpc.reflection.", 16) != 0)
            snprintf(listed + used, sizeof listed - used, "%s%s", used > 0 ? ", " : "", services->data + at);
    }
    if (nearest.best != NULL)
        snprintf(questions->why, sizeof questions->why, "the server has no service \"%.100s\"; did you mean %.100s?",
                 questions->name, nearest.best);
    else
        snprintf(questions->why, sizeof questions->why, "the server has no service \"%.100s\"; it has %s",
                 questions->name, listed[0] != '\0' ? listed : "none that it tells");
}

static void answer_error(struct rpc_questions *questions, const struct answer *answer)
{
    char why[280];
    if (answer->error_code == RPC_NOT_FOUND && questions->last == RPC_ASK_SYMBOL) {
        questions->last = RPC_ASK_SERVICES;
        return;
    }
    snprintf(why, sizeof why, "the server does not describe \"%.100s\": %.100s", questions->name,
             answer->error_text[0] != '\0' ? answer->error_text : "no reason given");
    questions->wrong = questions->about;
    rpc_questions_fail(questions, why);
}

void rpc_questions_answer(struct rpc_questions *questions, struct squall_bytes message)
{
    struct answer answer = {.questions = questions};
    const char *why = each_field(message, on_part, &answer, NULL);
    questions->asked = false;
    if (why != NULL)
        rpc_questions_fail(questions, why);
    else if (answer.error_code != 0)
        answer_error(questions, &answer);
    else if (questions->last == RPC_ASK_SERVICES)
        refuse_service(questions);
}

/* ---- questions ---- */

/* ServerReflectionRequest: one field. */
static size_t ask(struct rpc_questions *questions, enum rpc_ask what, const char *name, uint8_t out[RPC_QUESTION_SIZE])
{
    uint8_t *from = out + RPC_PREFIX, *end = out + RPC_QUESTION_SIZE;
    struct pb_out writer = {from, end, end};
    size_t len = strlen(name);
    if (++questions->count > RPC_QUESTIONS_MAX || len > RPC_NAME_MAX) {
        rpc_questions_fail(questions, "the server's files lead to too many others");
        return 0;
    }
    pb_put(&writer, name, len);
    pb_put_varint(&writer, len);
    pb_put_varint(&writer, pb_tag(what, PB_LEN));
    if (what != RPC_ASK_SERVICES) /* that comes for what the question before was about */
        memmove(questions->name, name, len + 1);
    questions->last = what;
    questions->asked = true;
    len = (size_t)(end - writer.at);
    memmove(from, writer.at, len);
    rpc_frame_prefix(out, 0, (uint32_t)len);
    return RPC_PREFIX + len;
}

/* The service of a step, if no step before it has the same. */
static bool service_to_ask(const struct rpc_target *target, const struct rpc_step *step, char service[RPC_NAME_MAX + 1])
{
    const char *method = (const char *)step->options->method.data;
    method += method[0] == '/';
    const char *cut = strrchr(method, '/');
    cut = cut != NULL ? cut : strrchr(method, '.');
    size_t len = cut != NULL ? (size_t)(cut - method) : strlen(method);
    if (len > RPC_NAME_MAX)
        len = RPC_NAME_MAX;
    memcpy(service, method, len);
    service[len] = '\0';
    for (const struct rpc_step *other = target->steps; other != step; other = other->next) {
        const char *name = (const char *)other->options->method.data;
        name += name[0] == '/';
        if (strncmp(name, service, len) == 0 && (name[len] == '/' || name[len] == '.'))
            return false;
    }
    return true;
}

size_t rpc_questions_next(struct rpc_questions *questions, uint8_t out[RPC_QUESTION_SIZE])
{
    char service[RPC_NAME_MAX + 1];
    if (questions->why[0] != '\0')
        return 0;
    if (questions->last == RPC_ASK_SERVICES)
        return ask(questions, RPC_ASK_SERVICES, "", out);
    const char *missing = pb_schema_missing(questions->target->schema);
    if (missing != NULL && questions->last == RPC_ASK_FILE && strcmp(missing, questions->name) == 0) {
        rpc_questions_fail(questions, "the server does not send a file that it says is imported");
        return 0;
    }
    if (missing != NULL)
        return ask(questions, RPC_ASK_FILE, missing, out);
    while (questions->step != NULL) {
        const struct rpc_step *step = questions->step;
        questions->step = step->next;
        if (!service_to_ask(questions->target, step, service) || strcmp(service, PB_HEALTH_SERVICE) == 0)
            continue;
        questions->about = step;
        return ask(questions, RPC_ASK_SYMBOL, service, out);
    }
    return 0;
}
