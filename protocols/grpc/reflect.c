/* Reflection's client. See reflect.h. */
#include "reflect.h"
#include "call.h"
#include "status.h"
#include <stdio.h>
#include <stdlib.h>

#define NAME_MAX_LEN 255

/* Fields of ServerReflectionRequest that ask. */
enum question { ASK_FILE = 3, ASK_SYMBOL = 4, ASK_SERVICES = 7 };

struct rpc_reflection {
    struct rpc_call *call;       /* NULL: the server has ended it */
    const struct rpc_step *step; /* the next whose service is to be asked for */
    bool alpha, asked, ended, failed;
    enum question question;
    char name[NAME_MAX_LEN + 1]; /* that the last question was about */
    uint32_t questions, ended_code;
    struct pb_nearest nearest; /* to `name`, of the server's services */
    struct pb_text services;   /* their names, one after the other with a NUL behind each */
    char why[300];
};

static const char v1[] = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
static const char v1alpha[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

void rpc_reflection_free(struct rpc_reflection *reflection)
{
    if (reflection != NULL)
        pb_text_fini(&reflection->services);
    free(reflection);
}

int rpc_reflection_begin(struct rpc_conn *c)
{
    struct rpc_reflection *reflection = calloc(1, sizeof *reflection);
    if (reflection == NULL)
        return -1;
    reflection->services.limit = 65536;
    reflection->step = c->target->steps;
    reflection->call = rpc_call_ask(c, v1);
    c->reflection = reflection;
    if (reflection->call != NULL)
        return 0;
    rpc_reflection_failed(reflection, "no stream could be opened");
    return 0;
}

void rpc_reflection_failed(struct rpc_reflection *reflection, const char *why)
{
    if (reflection->failed)
        return;
    reflection->failed = true;
    snprintf(reflection->why, sizeof reflection->why, "reflection: %.280s", why);
}

void rpc_reflection_ended(struct rpc_reflection *reflection, const struct rpc_call *call, const char *reason)
{
    reflection->call = NULL;
    reflection->ended = true;
    reflection->ended_code = call->has_status ? call->code : (uint32_t)RPC_UNKNOWN;
    if (reason == NULL && !call->has_status && call->stream.status == 404)
        reflection->ended_code = RPC_UNIMPLEMENTED; /* a proxy, or a server of something else */
    if (reason != NULL || reflection->ended_code != RPC_UNIMPLEMENTED)
        snprintf(reflection->why, sizeof reflection->why, "reflection: the server ended it: %.150s",
                 reason != NULL             ? reason
                 : call->message[0] != '\0' ? call->message
                                            : rpc_code_name(reflection->ended_code));
    else
        snprintf(reflection->why, sizeof reflection->why,
                 "the server has no reflection service; give the .proto files with proto, or a descriptor-set");
}

/* ---- answers ---- */

/* Calls fn for each field of a message that has a length; numbers go to *ret_number by field 1. */
static const char *each_field(struct squall_bytes message, void (*fn)(void *arg, uint32_t number, struct squall_bytes),
                              void *arg, uint64_t *ret_number)
{
    const uint8_t *at = message.data, *end = message.data + message.len;
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
    struct rpc_reflected *answer = arg;
    if (number == 1)
        answer->service(answer->arg, value);
}

static void on_service(void *arg, uint32_t number, struct squall_bytes value)
{
    if (number == 1)
        (void)each_field(value, on_name, arg, NULL);
}

static void on_file(void *arg, uint32_t number, struct squall_bytes value)
{
    struct rpc_reflected *answer = arg;
    if (number == 1)
        answer->file(answer->arg, value);
}

static void on_error_text(void *arg, uint32_t number, struct squall_bytes value)
{
    struct rpc_reflected *answer = arg;
    if (number == 2)
        rpc_message_decode(value, answer->error_text, sizeof answer->error_text);
}

static void on_part(void *arg, uint32_t number, struct squall_bytes value)
{
    struct rpc_reflected *answer = arg;
    if (number == 4) {
        (void)each_field(value, on_file, answer, NULL);
    } else if (number == 6) {
        (void)each_field(value, on_service, answer, NULL);
    } else if (number == 7) {
        answer->error_code = RPC_UNKNOWN;
        (void)each_field(value, on_error_text, answer, &answer->error_code);
    }
}

const char *rpc_reflected_read(struct rpc_reflected *answer, struct squall_bytes message)
{
    return each_field(message, on_part, answer, NULL);
}

struct taking {
    struct rpc_reflection *reflection;
    struct pb_schema *schema;
};

static void take_file(void *arg, struct squall_bytes descriptor)
{
    struct taking *taking = arg;
    struct squall_error error;
    if (pb_schema_add_file(taking->schema, descriptor, &error) < 0)
        rpc_reflection_failed(taking->reflection, error.text);
}

static void take_service(void *arg, struct squall_bytes name)
{
    struct taking *taking = arg;
    pb_text_add(&taking->reflection->services, name.data, name.len);
    pb_text_add(&taking->reflection->services, "", 1);
}

/* The server does not know the service: it says what it knows, and that is told. */
static void refuse_service(struct rpc_reflection *reflection)
{
    char listed[120] = "";
    const struct pb_text *services = &reflection->services;
    struct pb_nearest nearest = {.word = reflection->name, .len = strlen(reflection->name)};
    for (size_t at = 0; at < services->len; at += strlen(services->data + at) + 1) {
        size_t used = strlen(listed);
        pb_nearest_offer(&nearest, services->data + at);
        if (strncmp(services->data + at, "grpc.reflection.", 16) != 0)
            snprintf(listed + used, sizeof listed - used, "%s%s", used > 0 ? ", " : "", services->data + at);
    }
    reflection->failed = true;
    if (nearest.best != NULL)
        snprintf(reflection->why, sizeof reflection->why, "the server has no service \"%.100s\"; did you mean %.100s?",
                 reflection->name, nearest.best);
    else
        snprintf(reflection->why, sizeof reflection->why, "the server has no service \"%.100s\"; it has %s",
                 reflection->name, listed[0] != '\0' ? listed : "none that it tells");
}

static void answer_error(struct rpc_reflection *reflection, const struct rpc_reflected *answer)
{
    char why[280];
    if (answer->error_code == RPC_NOT_FOUND && reflection->question == ASK_SYMBOL) {
        reflection->question = ASK_SERVICES;
        return;
    }
    snprintf(why, sizeof why, "the server does not describe \"%.100s\": %.100s", reflection->name,
             answer->error_text[0] != '\0' ? answer->error_text : "no reason given");
    rpc_reflection_failed(reflection, why);
}

const char *rpc_reflection_answer(struct rpc_reflection *reflection, struct squall_bytes message)
{
    struct rpc_target *target = reflection->call->c->target;
    struct taking taking = {reflection, target->schema};
    struct rpc_reflected answer = {.file = take_file, .service = take_service, .arg = &taking};
    const char *why = rpc_reflected_read(&answer, message);
    reflection->asked = false;
    if (why != NULL)
        return why;
    if (answer.error_code != 0)
        answer_error(reflection, &answer);
    else if (reflection->question == ASK_SERVICES)
        refuse_service(reflection);
    return NULL;
}

/* ---- questions ---- */

/* ServerReflectionRequest: one field. */
static const char *ask(struct rpc_conn *c, enum question question, const char *name)
{
    struct rpc_reflection *reflection = c->reflection;
    uint8_t bytes[RPC_PREFIX + NAME_MAX_LEN + 2 * PB_VARINT_MAX], *from = bytes + RPC_PREFIX,
                                                                  *end = bytes + sizeof bytes;
    struct pb_out out = {from, end, end};
    size_t len = strlen(name);
    if (++reflection->questions > RPC_QUESTIONS_MAX || len > NAME_MAX_LEN) {
        rpc_reflection_failed(reflection, "the server's files lead to too many others");
        return NULL;
    }
    pb_put(&out, name, len);
    pb_put_varint(&out, len);
    pb_put_varint(&out, pb_tag(question, PB_LEN));
    len = (size_t)(end - out.at);
    rpc_frame_prefix(out.at - RPC_PREFIX, 0, (uint32_t)len);
    if (question != ASK_SERVICES) /* that comes for what the question before was about */
        memmove(reflection->name, name, strlen(name) + 1);
    reflection->question = question;
    reflection->asked = true;
    h2_write(c->session, &reflection->call->stream, out.at - RPC_PREFIX, RPC_PREFIX + len, false, false);
    return h2_send(c->session);
}

/* The service of a step, if no step before it has the same. */
static bool service_to_ask(const struct rpc_conn *c, const struct rpc_step *step, char service[NAME_MAX_LEN + 1])
{
    const char *method = (const char *)step->options->method.data;
    method += method[0] == '/';
    const char *cut = strrchr(method, '/');
    cut = cut != NULL ? cut : strrchr(method, '.');
    size_t len = cut != NULL ? (size_t)(cut - method) : strlen(method);
    if (len > NAME_MAX_LEN)
        len = NAME_MAX_LEN;
    memcpy(service, method, len);
    service[len] = '\0';
    for (const struct rpc_step *other = c->target->steps; other != step; other = other->next) {
        const char *name = (const char *)other->options->method.data;
        name += name[0] == '/';
        if (strncmp(name, service, len) == 0 && (name[len] == '/' || name[len] == '.'))
            return false;
    }
    return true;
}

/* Frees reflection; the others that wait have capacity from now on, or nobody has. */
static const char *finish(struct rpc_conn *c, bool ok)
{
    struct rpc_target *target = c->target;
    struct rpc_reflection *reflection = c->reflection;
    struct squall_error error;
    char why[512];
    if (reflection->call != NULL)
        rpc_call_drop(reflection->call);
    ok = ok && rpc_target_bind(target, &error) == 0;
    snprintf(why, sizeof why, "%s", reflection->failed || reflection->ended ? reflection->why : error.text);
    rpc_reflection_free(reflection);
    c->reflection = NULL;
    target->asking = NULL;
    if (!ok) {
        rpc_host(c)->refuse(c->conn, why);
        return NULL;
    }
    rpc_host(c)->capacity(c->conn, c->capacity);
    while (target->waiting != NULL) {
        struct rpc_conn *other = target->waiting;
        target->waiting = other->next_waiting;
        other->waiting = false;
        rpc_host(other)->capacity(other->conn, other->capacity);
    }
    return h2_send(c->session);
}

static const char *restart(struct rpc_conn *c)
{
    struct rpc_reflection *reflection = c->reflection;
    reflection->alpha = true;
    reflection->ended = reflection->asked = false;
    reflection->step = c->target->steps;
    reflection->call = rpc_call_ask(c, v1alpha);
    if (reflection->call == NULL)
        rpc_reflection_failed(reflection, "no stream could be opened");
    return rpc_reflection_go_on(c);
}

const char *rpc_reflection_go_on(struct rpc_conn *c)
{
    struct rpc_reflection *reflection = c->reflection;
    char service[NAME_MAX_LEN + 1];
    if (reflection->ended && reflection->ended_code == RPC_UNIMPLEMENTED && !reflection->alpha)
        return restart(c);
    if (reflection->failed || reflection->ended)
        return finish(c, false);
    if (reflection->asked)
        return NULL;
    if (reflection->question == ASK_SERVICES)
        return ask(c, ASK_SERVICES, "");
    const char *missing = pb_schema_missing(c->target->schema);
    if (missing != NULL && reflection->question == ASK_FILE && strcmp(missing, reflection->name) == 0) {
        rpc_reflection_failed(reflection, "the server does not send a file that it says is imported");
        return finish(c, false);
    }
    if (missing != NULL)
        return ask(c, ASK_FILE, missing);
    while (reflection->step != NULL) {
        const struct rpc_step *step = reflection->step;
        reflection->step = step->next;
        if (service_to_ask(c, step, service))
            return ask(c, ASK_SYMBOL, service);
    }
    return finish(c, true);
}
