/* The grpc-core plugin: the same steps as grpc's, by gRPC core. Connections are core_channel.h's, calls core_call.h's.
 */
#include "core_channel.h"
#include "status.h"
#include <stdio.h>

/* What gRPC core's C API has no way to say. */
static int32_t target_init(struct squall_target *view, struct squall_error *error)
{
    static const struct {
        uint64_t key;
        const char *name;
    } cannot[] = {{SQUALL_TLS_CRL, "crl"},
                  {SQUALL_TLS_MIN_VERSION, "min-version: 1.3"},
                  {SQUALL_TLS_SESSION_REUSE, "session-reuse"}};
    for (size_t i = 0; i < sizeof cannot / sizeof cannot[0]; i++)
        if (view->tls_keys & cannot[i].key) {
            snprintf(error->text, sizeof error->text, "tls: %s: not with engine: core; leave it out, or `engine`",
                     cannot[i].name);
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
    for (struct core_call *call = c->calls, *next; call != NULL; call = next) {
        next = call->next; /* its time may be its end */
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
    .connect = core_connect,
    .tick = tick,
    .disconnect = core_disconnect,
    .request = request,
    .cancel = cancel,
    .record = record,
    .code_name = rpc_result_name,
    .turn = turn,
};
