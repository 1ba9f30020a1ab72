/* Reflection over a call of gRPC core. See core_reflect.h. */
#include "core_reflect.h"
#include "frame.h"
#include "questions.h"
#include "reflect.h"
#include "status.h"
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* It lives until the events of all its batches have come, also when the connection is gone: then `c` is NULL. */
struct core_reflection {
    struct core_tag begin, exchange, end;
    unsigned under_way; /* batches */
    struct core_conn *c;
    struct rpc_questions questions;
    grpc_call *call;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *sent, *got;
    grpc_status_code code;
    grpc_slice details;
    bool alpha, first, over; /* the second version is tried; nothing was asked yet; nothing more is to be asked */
};

static void ask(struct core_reflection *reflection);
static void settle(struct core_reflection *reflection);

static void run_batch(struct core_reflection *reflection, struct core_tag *tag, const grpc_op *ops, size_t count)
{
    reflection->under_way++;
    core_tag_given(tag);
    if (grpc_call_start_batch(reflection->call, ops, count, tag, NULL) == GRPC_CALL_OK)
        return;
    reflection->under_way--; /* a mistake of ours: core takes none of it */
    rpc_questions_fail(&reflection->questions, "gRPC core did not take the call");
    grpc_call_cancel(reflection->call, NULL);
}

/* ---- events ---- */

static void on_begun(struct core_tag *tag)
{
    struct core_reflection *reflection =
        (struct core_reflection *)((char *)tag - offsetof(struct core_reflection, begin));
    reflection->under_way--;
    settle(reflection);
}

static void take_answer(struct core_reflection *reflection)
{
    grpc_byte_buffer_reader reader;
    if (grpc_byte_buffer_reader_init(&reader, reflection->got) == 0) {
        rpc_questions_fail(&reflection->questions, "an answer that cannot be read");
        return;
    }
    grpc_slice answer = grpc_byte_buffer_reader_readall(&reader);
    rpc_questions_answer(&reflection->questions,
                         (struct squall_bytes){GRPC_SLICE_START_PTR(answer), GRPC_SLICE_LENGTH(answer)});
    grpc_slice_unref(answer);
    grpc_byte_buffer_reader_destroy(&reader);
}

/* Without an answer the server has ended it and core knows the status, or the answer was broken and none will come:
 * then it is ours. */
static void on_answer(struct core_tag *tag)
{
    struct core_reflection *reflection =
        (struct core_reflection *)((char *)tag - offsetof(struct core_reflection, exchange));
    bool answered = tag->ok && reflection->got != NULL && reflection->c != NULL;
    reflection->under_way--;
    if (answered)
        take_answer(reflection);
    grpc_byte_buffer_destroy(reflection->sent);
    grpc_byte_buffer_destroy(reflection->got);
    reflection->sent = reflection->got = NULL;
    if (answered)
        ask(reflection);
    else
        grpc_call_cancel(reflection->call, NULL);
    settle(reflection);
}

static void on_end(struct core_tag *tag)
{
    struct core_reflection *reflection =
        (struct core_reflection *)((char *)tag - offsetof(struct core_reflection, end));
    reflection->under_way--;
    settle(reflection);
}

/* ---- the conversation ---- */

static void open_call(struct core_reflection *reflection)
{
    struct core_conn *c = reflection->c;
    const char *method = reflection->alpha ? rpc_reflection_v1alpha : rpc_reflection_v1;
    rpc_questions_begin(&reflection->questions, c->target);
    grpc_metadata_array_init(&reflection->initial);
    grpc_metadata_array_init(&reflection->trailing);
    reflection->details = grpc_empty_slice();
    reflection->first = true;
    reflection->call =
        grpc_channel_create_call(c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, c->worker->queue,
                                 grpc_slice_from_static_string(method), NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    const grpc_op begin = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    const grpc_op end = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                         .data.recv_status_on_client = {.trailing_metadata = &reflection->trailing,
                                                        .status = &reflection->code,
                                                        .status_details = &reflection->details}};
    run_batch(reflection, &reflection->begin, &begin, 1);
    run_batch(reflection, &reflection->end, &end, 1);
    ask(reflection);
}

static void close_call(struct core_reflection *reflection)
{
    grpc_slice_unref(reflection->details);
    grpc_metadata_array_destroy(&reflection->initial);
    grpc_metadata_array_destroy(&reflection->trailing);
    grpc_call_unref(reflection->call);
    rpc_questions_end(&reflection->questions);
}

/* Core hands out no message before the initial metadata is asked for. */
static void ask(struct core_reflection *reflection)
{
    uint8_t question[RPC_QUESTION_SIZE];
    size_t len = rpc_questions_next(&reflection->questions, question);
    if (len == 0) {
        reflection->over = true;
        grpc_call_cancel(reflection->call, NULL);
        return;
    }
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)question + RPC_PREFIX, len - RPC_PREFIX);
    reflection->sent = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    const grpc_op ops[3] = {{.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = reflection->sent},
                            {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &reflection->got},
                            {.op = GRPC_OP_RECV_INITIAL_METADATA,
                             .data.recv_initial_metadata.recv_initial_metadata = &reflection->initial}};
    run_batch(reflection, &reflection->exchange, ops, reflection->first ? 3 : 2);
    reflection->first = false;
}

/* The server has ended it before everything was known. */
static void fail_ended(struct core_reflection *reflection)
{
    char why[240];
    size_t len = GRPC_SLICE_LENGTH(reflection->details);
    const char *name = rpc_code_name((uint32_t)reflection->code);
    if (reflection->code == GRPC_STATUS_CANCELLED)
        snprintf(why, sizeof why, "an answer that is not framed as gRPC's are");
    else if (len > 0)
        snprintf(why, sizeof why, "the server ended it: %.*s", (int)(len < 200 ? len : 200),
                 (const char *)GRPC_SLICE_START_PTR(reflection->details));
    else
        snprintf(why, sizeof why, "the server ended it: %s", name != NULL ? name : "no status");
    rpc_questions_fail(&reflection->questions, reflection->code == GRPC_STATUS_UNIMPLEMENTED ? RPC_NO_REFLECTION : why);
}

static void finish(struct core_reflection *reflection)
{
    struct core_conn *c = reflection->c;
    struct rpc_target *target = c->target;
    const struct rpc_step *wrong = reflection->questions.wrong;
    struct squall_error error;
    snprintf(error.text, sizeof error.text, "%s", reflection->questions.why);
    bool ok = error.text[0] == '\0' && rpc_target_bind(target, &wrong, &error) == 0;
    close_call(reflection);
    free(reflection);
    c->reflection = NULL;
    target->core_asking = NULL;
    if (!ok) {
        core_host(c)->refuse(c->conn, wrong != NULL ? wrong->view : NULL, error.text);
        return;
    }
    for (struct core_conn *other = c->worker->conns; other != NULL; other = other->next)
        if (other->target == target && other->ready)
            core_host(other)->capacity(other->conn, (uint32_t)target->options->streams);
}

/* What follows once core holds nothing of the call any more. */
static void settle(struct core_reflection *reflection)
{
    if (reflection->under_way > 0)
        return;
    if (reflection->c == NULL) {
        close_call(reflection);
        free(reflection);
    } else if (!reflection->over && reflection->code == GRPC_STATUS_UNIMPLEMENTED && !reflection->alpha) {
        close_call(reflection);
        reflection->alpha = true;
        open_call(reflection);
    } else {
        if (!reflection->over)
            fail_ended(reflection);
        finish(reflection);
    }
}

/* ---- life ---- */

void core_reflect_begin(struct core_conn *c)
{
    struct core_reflection *reflection = calloc(1, sizeof *reflection);
    if (reflection == NULL) {
        core_host(c)->fail(c->conn, "no memory for reflection");
        return;
    }
    reflection->c = c;
    reflection->begin = (struct core_tag){.fn = on_begun, .worker = c->conn->worker};
    reflection->exchange = (struct core_tag){.fn = on_answer, .worker = c->conn->worker};
    reflection->end = (struct core_tag){.fn = on_end, .worker = c->conn->worker};
    c->reflection = reflection;
    c->target->core_asking = c;
    open_call(reflection);
}

void core_reflect_forget(struct core_conn *c)
{
    if (c->reflection == NULL)
        return;
    c->reflection->c = NULL;
    grpc_call_cancel(c->reflection->call, NULL);
    c->reflection = NULL;
    c->target->core_asking = NULL;
    for (struct core_conn *other = c->worker->conns; other != NULL; other = other->next)
        if (other->target == c->target && other->ready) {
            core_reflect_begin(other);
            return;
        }
}
