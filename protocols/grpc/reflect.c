/* Reflection over a stream of a connection. See reflect.h. */
#include "reflect.h"
#include "call.h"
#include "questions.h"
#include "status.h"
#include <stdio.h>
#include <stdlib.h>

struct rpc_reflection {
    struct rpc_questions questions;
    struct rpc_call *call; /* NULL: the server has ended it */
    bool alpha, unimplemented;
};

void rpc_reflection_free(struct rpc_reflection *reflection)
{
    if (reflection != NULL)
        rpc_questions_end(&reflection->questions);
    free(reflection);
}

static void open_stream(struct rpc_conn *c, const char *method)
{
    struct rpc_reflection *reflection = c->reflection;
    rpc_questions_end(&reflection->questions);
    rpc_questions_begin(&reflection->questions, c->target);
    reflection->unimplemented = false;
    reflection->call = rpc_call_ask(c, method);
    if (reflection->call == NULL)
        rpc_questions_fail(&reflection->questions, "no stream could be opened");
}

int rpc_reflection_begin(struct rpc_conn *c)
{
    c->reflection = calloc(1, sizeof *c->reflection);
    if (c->reflection == NULL)
        return -1;
    open_stream(c, rpc_reflection_v1);
    return 0;
}

void rpc_reflection_answer(struct rpc_reflection *reflection, struct squall_bytes message)
{
    rpc_questions_answer(&reflection->questions, message);
}

void rpc_reflection_failed(struct rpc_reflection *reflection, const char *why)
{
    rpc_questions_fail(&reflection->questions, why);
}

void rpc_reflection_ended(struct rpc_reflection *reflection, const struct rpc_call *call, const char *reason)
{
    char why[240];
    uint32_t code = call->has_status ? call->code : (uint32_t)RPC_UNKNOWN;
    if (reason == NULL && !call->has_status && call->stream.status == 404)
        code = RPC_UNIMPLEMENTED; /* a proxy, or a server of something else */
    reflection->call = NULL;
    reflection->unimplemented = reason == NULL && code == RPC_UNIMPLEMENTED;
    if (reason == NULL && !call->has_status)
        snprintf(why, sizeof why, "HTTP status %u without a grpc-status: is that a gRPC server? If it is, " RPC_WITHOUT,
                 call->stream.status);
    else
        snprintf(why, sizeof why, "the server ended it: %.200s",
                 reason != NULL             ? reason
                 : call->message[0] != '\0' ? call->message
                                            : rpc_code_name(code));
    rpc_questions_fail(&reflection->questions, reflection->unimplemented ? RPC_NO_REFLECTION : why);
}

/* Reflection is over: this connection and those that wait have capacity from now on, or nobody has. */
static const char *finish(struct rpc_conn *c)
{
    struct rpc_target *target = c->target;
    const struct rpc_step *wrong = c->reflection->questions.wrong;
    struct squall_error error;
    if (c->reflection->call != NULL)
        rpc_call_drop(c->reflection->call);
    snprintf(error.text, sizeof error.text, "%s", c->reflection->questions.why);
    bool ok = error.text[0] == '\0' && rpc_target_bind(target, &wrong, &error) == 0;
    rpc_reflection_free(c->reflection);
    c->reflection = NULL;
    target->asking = NULL;
    if (!ok) {
        rpc_host(c)->refuse(c->conn, wrong != NULL ? wrong->view : NULL, error.text);
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

const char *rpc_reflection_go_on(struct rpc_conn *c)
{
    struct rpc_reflection *reflection = c->reflection;
    uint8_t question[RPC_QUESTION_SIZE];
    if (reflection->unimplemented && !reflection->alpha) {
        reflection->alpha = true;
        open_stream(c, rpc_reflection_v1alpha);
    }
    if (reflection->questions.asked && reflection->questions.why[0] == '\0')
        return NULL;
    size_t len = rpc_questions_next(&reflection->questions, question);
    if (len == 0)
        return finish(c);
    h2_write(c->session, &reflection->call->stream, question, len, false, false);
    return h2_send(c->session);
}
