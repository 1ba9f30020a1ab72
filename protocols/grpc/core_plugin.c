/*
 * The grpc-core plugin: the same steps as grpc's, by gRPC core (core_call.h). Channels become connections here: one has
 * capacity once it is ready, and takes no further call when it is not ready any more.
 */
#include "core_call.h"
#include "frame.h"
#include "questions.h"
#include "reflect.h"
#include "status.h"
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>

#define READY_WITHIN_S   5
#define REFLECT_WITHIN_S 5

/* What waits for a channel's next state; it may outlive the connection, whose end sets `c` to NULL. */
struct core_watch {
    struct core_tag tag;
    struct core_conn *c;
    grpc_channel *channel;
    grpc_connectivity_state seen;
    struct core_watch *next, *previous; /* in worker->watches */
};

static void watch_free(struct core_watch *watch)
{
    struct core_worker *worker = watch->tag.worker->state;
    if (watch->previous != NULL)
        watch->previous->next = watch->next;
    else
        worker->watches = watch->next;
    if (watch->next != NULL)
        watch->next->previous = watch->previous;
    free(watch);
}

void core_watches_free(struct core_worker *worker)
{
    while (worker->watches != NULL)
        watch_free(worker->watches);
}

static gpr_timespec in_seconds(int64_t seconds)
{
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(seconds, GPR_TIMESPAN));
}

static void watch_on(struct core_watch *watch)
{
    struct core_worker *worker = watch->tag.worker->state;
    /* Without an end of its own: the channel's end is one. */
    grpc_channel_watch_connectivity_state(watch->channel, watch->seen, in_seconds(3600), worker->queue, &watch->tag);
}

/* The first connection learns the services, for all. */
static void become_ready(struct core_conn *c)
{
    struct squall_error error;
    if (!c->target->bound && (core_reflect(c, &error) < 0 || rpc_target_bind(c->target, &error) < 0)) {
        core_host(c)->refuse(c->conn, error.text);
        return;
    }
    core_host(c)->capacity(c->conn, (uint32_t)c->target->options->streams);
}

static void on_state(struct core_tag *tag)
{
    struct core_watch *watch = (struct core_watch *)((char *)tag - offsetof(struct core_watch, tag));
    struct core_conn *c = watch->c;
    if (c == NULL) {
        watch_free(watch);
        return;
    }
    grpc_connectivity_state before = watch->seen;
    watch->seen = grpc_channel_check_connectivity_state(watch->channel, 0);
    if (watch->seen == GRPC_CHANNEL_READY && before != GRPC_CHANNEL_READY) {
        watch_on(watch);
        become_ready(c);
    } else if (before == GRPC_CHANNEL_READY && watch->seen != GRPC_CHANNEL_READY) {
        watch_on(watch);
        core_host(c)->retire(c->conn); /* calls in flight get their status from core */
    } else if (watch->seen == GRPC_CHANNEL_TRANSIENT_FAILURE || watch->seen == GRPC_CHANNEL_SHUTDOWN) {
        c->watch = NULL;
        watch_free(watch);
        core_host(c)->fail(c->conn, "gRPC core could not connect");
    } else {
        watch_on(watch);
    }
}

static grpc_channel *open_channel(const struct squall_target *view, const struct rpc_target *target)
{
    char address[600], agent[200], authority[300];
    const struct rpc_target_options *options = target->options;
    snprintf(address, sizeof address, strchr((const char *)view->host.data, ':') ? "[%.*s]:%u" : "%.*s:%u",
             (int)view->host.len, (const char *)view->host.data, (unsigned)view->port);
    snprintf(agent, sizeof agent, "%.*s", (int)options->user_agent.len, (const char *)options->user_agent.data);
    snprintf(authority, sizeof authority, "%.*s", (int)target->authority.len, (const char *)target->authority.data);
    const struct {
        const char *name;
        int value;
    } numbers[] = {{GRPC_ARG_ENABLE_RETRIES, 0},
                   {GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1},
                   {GRPC_ARG_ENABLE_HTTP_PROXY, 0},
                   /* When to try again is the engine's to say; while this one waits core's threads cannot end. */
                   {GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100},
                   {GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)(options->max_receive & 0x7fffffff)},
                   {GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, (int)(options->max_send & 0x7fffffff)}};
    const char *const texts[][2] = {{GRPC_ARG_PRIMARY_USER_AGENT_STRING, agent},
                                    {GRPC_ARG_DEFAULT_AUTHORITY, authority}};
    enum { NUMBERS = sizeof numbers / sizeof numbers[0] };
    grpc_arg list[NUMBERS + 2];
    for (size_t i = 0; i < NUMBERS; i++)
        list[i] = (grpc_arg){
            .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)numbers[i].name, .value.integer = numbers[i].value};
    for (size_t i = 0; i < 2; i++)
        list[NUMBERS + i] = (grpc_arg){.type = GRPC_ARG_STRING,
                                       .key = (char *)(uintptr_t)texts[i][0],
                                       .value.string = (char *)(uintptr_t)texts[i][1]};
    const grpc_channel_args args = {.num_args = NUMBERS + 2, .args = list};
    grpc_channel_credentials *plain = grpc_insecure_credentials_create();
    grpc_channel *channel = grpc_channel_create(address, plain, &args);
    grpc_channel_credentials_release(plain);
    return channel;
}

static void connect(struct squall_conn *conn)
{
    struct core_conn *c = conn->state;
    *c = (struct core_conn){.conn = conn, .worker = conn->worker->state, .target = conn->target->state};
    c->watch = calloc(1, sizeof *c->watch);
    if (c->watch == NULL) {
        core_host(c)->fail(conn, "no memory for the connection");
        return;
    }
    c->channel = open_channel(conn->target, c->target);
    *c->watch = (struct core_watch){
        .tag = {.fn = on_state, .worker = conn->worker}, .c = c, .channel = c->channel, .next = c->worker->watches};
    if (c->watch->next != NULL)
        c->watch->next->previous = c->watch;
    c->worker->watches = c->watch;
    c->watch->seen = grpc_channel_check_connectivity_state(c->channel, 1);
    watch_on(c->watch);
}

static void disconnect(struct squall_conn *conn)
{
    struct core_conn *c = conn->state;
    if (c->watch != NULL)
        c->watch->c = NULL; /* it goes with its event */
    core_calls_forget(c);
    if (c->channel != NULL)
        grpc_channel_destroy(c->channel);
    c->channel = NULL;
}

/* ---- reflection ---- */

/* One batch, waited for. */
static bool wait_for(grpc_completion_queue *queue, grpc_call *call, const grpc_op *ops, size_t count)
{
    static char tag;
    if (grpc_call_start_batch(call, ops, count, &tag, NULL) != GRPC_CALL_OK)
        return false;
    grpc_event event = grpc_completion_queue_next(queue, in_seconds(2 * REFLECT_WITHIN_S), NULL);
    return event.type == GRPC_OP_COMPLETE && event.success != 0;
}

/* `initial`: NULL once it has been received; core hands out no message before that is asked for. */
static bool exchange_question(grpc_completion_queue *queue, grpc_call *call, struct rpc_questions *questions,
                              const uint8_t *question, size_t len, grpc_metadata_array *initial)
{
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)question + RPC_PREFIX, len - RPC_PREFIX);
    grpc_byte_buffer *sent = grpc_raw_byte_buffer_create(&slice, 1), *got = NULL;
    grpc_byte_buffer_reader reader;
    const grpc_op ops[3] = {
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = sent},
        {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &got},
        {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = initial}};
    bool ok = wait_for(queue, call, ops, initial != NULL ? 3 : 2) && got != NULL &&
              grpc_byte_buffer_reader_init(&reader, got);
    if (ok) {
        grpc_slice answer = grpc_byte_buffer_reader_readall(&reader);
        rpc_questions_answer(questions, (struct squall_bytes){GRPC_SLICE_START_PTR(answer), GRPC_SLICE_LENGTH(answer)});
        grpc_slice_unref(answer);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(sent);
    grpc_byte_buffer_destroy(got);
    grpc_slice_unref(slice);
    return ok;
}

/* One version's whole conversation; the status when the server ended it, else -1. */
static int converse(struct core_conn *c, const char *method, struct rpc_questions *questions)
{
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    uint8_t question[RPC_QUESTION_SIZE];
    grpc_call *call =
        grpc_channel_create_call(c->channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                 grpc_slice_from_static_string(method), NULL, in_seconds(REFLECT_WITHIN_S), NULL);
    grpc_metadata_array initial, trailing;
    grpc_status_code status = GRPC_STATUS_OK;
    grpc_slice details = grpc_empty_slice();
    int ended = -1;
    grpc_metadata_array_init(&initial);
    grpc_metadata_array_init(&trailing);
    const grpc_op begin = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    bool ok = wait_for(queue, call, &begin, 1);
    size_t len;
    for (bool first = true; ok && (len = rpc_questions_next(questions, question)) > 0; first = false)
        ok = exchange_question(queue, call, questions, question, len, first ? &initial : NULL);
    if (ok)
        grpc_call_cancel(call, NULL);
    const grpc_op end = {
        .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
        .data.recv_status_on_client = {.trailing_metadata = &trailing, .status = &status, .status_details = &details}};
    wait_for(queue, call, &end, 1);
    if (!ok)
        ended = (int)status;
    grpc_slice_unref(details);
    grpc_metadata_array_destroy(&initial);
    grpc_metadata_array_destroy(&trailing);
    grpc_call_unref(call);
    grpc_completion_queue_shutdown(queue);
    while (grpc_completion_queue_next(queue, in_seconds(1), NULL).type == GRPC_OP_COMPLETE)
        continue;
    grpc_completion_queue_destroy(queue);
    return ended;
}

int core_reflect(struct core_conn *c, struct squall_error *error)
{
    struct rpc_questions questions;
    const char *const methods[] = {rpc_reflection_v1, rpc_reflection_v1alpha};
    int ended = -1;
    for (size_t i = 0; i < 2; i++) {
        rpc_questions_begin(&questions, c->target);
        ended = converse(c, methods[i], &questions);
        if (ended != RPC_UNIMPLEMENTED)
            break;
        rpc_questions_end(&questions);
    }
    if (ended == RPC_UNIMPLEMENTED) {
        snprintf(error->text, sizeof error->text, "%s", RPC_NO_REFLECTION);
        return -1;
    }
    if (ended >= 0)
        rpc_questions_fail(&questions, rpc_code_name((uint32_t)ended) ? rpc_code_name((uint32_t)ended) : "it ended");
    snprintf(error->text, sizeof error->text, "%s", questions.why);
    rpc_questions_end(&questions);
    return error->text[0] == '\0' ? 0 : -1;
}

/* ---- the seam ---- */

static int32_t target_init(struct squall_target *view, struct squall_error *error)
{
    if (view->secure) {
        snprintf(error->text, sizeof error->text, "engine core speaks grpc:// only; for grpcs:// leave `engine` out");
        return -1;
    }
    if (rpc_target_init(view, error) < 0)
        return -1;
    ((struct rpc_target *)view->state)->plain = true;
    return 0;
}

static int32_t worker_init(struct squall_worker *view, struct squall_error *error)
{
    return core_worker_begin(view, error);
}

static void worker_fini(struct squall_worker *view)
{
    core_worker_end(view);
}

static void request(struct squall_conn *conn, struct squall_exchange *x)
{
    core_call_begin(conn->state, x);
}

static void cancel(struct squall_conn *conn, struct squall_exchange *x)
{
    struct core_call *call = ((struct core_exchange *)x->state)->call;
    (void)conn;
    if (call != NULL)
        core_call_cancel(call);
}

static void turn(struct squall_conn *conn, struct squall_exchange *x, uint64_t number)
{
    (void)conn;
    (void)number;
    core_call_turn(((struct core_exchange *)x->state)->call);
}

static uint64_t tick(struct squall_conn *conn, uint64_t now_ns)
{
    struct core_conn *c = conn->state;
    uint64_t next_ns = 0;
    for (struct core_call *call = c->calls; call != NULL; call = call->next) {
        uint64_t due_ns = core_call_tick(call, now_ns);
        if (due_ns > 0 && (next_ns == 0 || due_ns < next_ns))
            next_ns = due_ns;
    }
    c->tick_ns = next_ns;
    return next_ns;
}

static void record(const struct squall_exchange *x, struct squall_recorder *recorder)
{
    const struct core_exchange *exchange = x->state;
    if (exchange->call != NULL)
        core_call_record(exchange->call, recorder);
}

SQUALL_EXPORT extern const struct squall_protocol SQUALL_PROTOCOL;
const struct squall_protocol SQUALL_PROTOCOL = {
    .magic = SQUALL_PLUGIN_MAGIC,
    .abi_major = SQUALL_ABI_MAJOR,
    .abi_minor = SQUALL_ABI_MINOR,
    .size = sizeof(struct squall_protocol),
    .flags = SQUALL_OWN_TRANSPORT | SQUALL_CODES_FROM_0,
    .name = "grpc-core",
    .version = SQUALL_VERSION,
    .summary = "gRPC by gRPC core, for comparison: engine: core",
    .schemes = "grpc-core",
    .ports = "50051",
    .headline = "method",
    .worker_size = sizeof(struct core_worker),
    .target_size = sizeof(struct rpc_target),
    .step_size = sizeof(struct rpc_step),
    .conn_size = sizeof(struct core_conn),
    .exchange_size = sizeof(struct core_exchange),
    .target_options = {.rows = rpc_target_rows,
                       .count = RPC_CORE_TARGET_ROWS,
                       .stride = sizeof(struct squall_option),
                       .size = sizeof(struct rpc_target_options)},
    .step_options = {.rows = rpc_step_rows,
                     .count = RPC_ROWS,
                     .stride = sizeof(struct squall_option),
                     .size = sizeof(struct rpc_step_options)},
    .metrics = {.rows = rpc_metrics, .count = RPC_METRICS, .stride = sizeof(struct squall_metric)},
    .target_init = target_init,
    .target_fini = rpc_target_fini,
    .step_init = rpc_step_init,
    .step_fini = rpc_step_fini,
    .worker_init = worker_init,
    .worker_fini = worker_fini,
    .connect = connect,
    .tick = tick,
    .disconnect = disconnect,
    .request = request,
    .cancel = cancel,
    .record = record,
    .code_name = rpc_result_name,
    .turn = turn,
};
