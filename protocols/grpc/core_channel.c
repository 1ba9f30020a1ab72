/*
 * Channels: their arguments and credentials, and their states. A channel that is ready has capacity, after reflection
 * if the target has to be asked; one that is not ready any more takes no further call. See core_channel.h.
 */
#include "core_channel.h"
#include "core_reflect.h"
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEM_MAX (1 << 20)

/* What waits for a channel's next state, and then, when it has failed, for the reason. It may outlive the connection,
 * whose end sets `c` to NULL. */
struct core_watch {
    struct core_tag tag;
    struct core_conn *c;
    grpc_channel *channel;
    grpc_connectivity_state seen;
    struct core_watch *next, *previous; /* in worker->watches */

    grpc_call *call; /* that asks why; NULL: none does */
    grpc_metadata_array trailing;
    grpc_status_code code;
    grpc_slice details;
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

/* ---- why a channel failed ---- */

/* Core's text begins with what all such texts begin with; the reason stands behind. */
static const char *reason_in(const char *text)
{
    static const char *const heads[] = {"last error: ", "UNKNOWN: ", "UNAVAILABLE: "};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        const char *found = strstr(text, heads[i]);
        text = found != NULL ? found + strlen(heads[i]) : text;
    }
    return text;
}

static void on_reason(struct core_tag *tag)
{
    struct core_watch *watch = (struct core_watch *)((char *)tag - offsetof(struct core_watch, tag));
    struct core_conn *c = watch->c;
    char text[600], why[200];
    size_t len = GRPC_SLICE_LENGTH(watch->details);
    snprintf(text, sizeof text, "%.*s", (int)(len < sizeof text ? len : sizeof text - 1),
             (const char *)GRPC_SLICE_START_PTR(watch->details));
    snprintf(why, sizeof why, "gRPC core could not connect%s%.160s",
             watch->code == GRPC_STATUS_UNAVAILABLE && len > 0 ? ": " : "",
             watch->code == GRPC_STATUS_UNAVAILABLE ? reason_in(text) : "");
    grpc_metadata_array_destroy(&watch->trailing);
    grpc_slice_unref(watch->details);
    grpc_call_unref(watch->call);
    watch_free(watch);
    if (c == NULL)
        return;
    c->watch = NULL;
    core_host(c)->fail(c->conn, why);
}

/* Only a call's status has the reason: one that may not wait ends at once on a channel that has failed. */
static void ask_for_reason(struct core_watch *watch)
{
    struct core_worker *worker = watch->tag.worker->state;
    watch->tag.fn = on_reason;
    watch->details = grpc_empty_slice();
    grpc_metadata_array_init(&watch->trailing);
    watch->call = grpc_channel_create_call(watch->channel, NULL, GRPC_PROPAGATE_DEFAULTS, worker->queue,
                                           grpc_slice_from_static_string("/"), NULL, in_seconds(1), NULL);
    const grpc_op ops[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                            {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                             .data.recv_status_on_client = {.trailing_metadata = &watch->trailing,
                                                            .status = &watch->code,
                                                            .status_details = &watch->details}}};
    core_tag_given(&watch->tag);
    if (grpc_call_start_batch(watch->call, ops, 2, &watch->tag, NULL) != GRPC_CALL_OK)
        on_reason(&watch->tag); /* a mistake of ours: without a reason then */
}

/* ---- states ---- */

static void watch_on(struct core_watch *watch)
{
    struct core_worker *worker = watch->tag.worker->state;
    core_tag_given(&watch->tag);
    /* Without an end of its own: the channel's end is one. */
    grpc_channel_watch_connectivity_state(watch->channel, watch->seen, in_seconds(3600), worker->queue, &watch->tag);
}

/* The first connection learns the services, for all. */
static void become_ready(struct core_conn *c)
{
    c->ready = true;
    if (c->target->bound)
        core_host(c)->capacity(c->conn, (uint32_t)c->target->options->streams);
    else if (c->target->core_asking == NULL)
        core_reflect_begin(c);
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
        c->ready = false;
        core_calls_judge(c);
        core_host(c)->retire(c->conn); /* calls in flight get their status from core */
    } else if (watch->seen == GRPC_CHANNEL_TRANSIENT_FAILURE || watch->seen == GRPC_CHANNEL_SHUTDOWN) {
        ask_for_reason(watch);
    } else {
        watch_on(watch);
    }
}

/* ---- credentials ---- */

/* A PEM file with a NUL behind it, or NULL with the reason. */
static char *read_pem(const char *path, char why[CORE_WHY_MAX])
{
    char *text = calloc(1, PEM_MAX + 1);
    FILE *file = text != NULL ? fopen(path, "rb") : NULL;
    size_t len = file != NULL ? fread(text, 1, PEM_MAX, file) : 0;
    if (file != NULL)
        fclose(file);
    if (len > 0 && len < PEM_MAX && strstr(text, "-----BEGIN ") != NULL)
        return text;
    snprintf(why, CORE_WHY_MAX, "TLS: %.100s cannot be read, or is no PEM file", path);
    free(text);
    return NULL;
}

/* The client's certificate, or NULL: none is wanted, or (`why`) it cannot be had. */
static grpc_tls_identity_pairs *read_identity(const struct squall_tls *tls, char why[CORE_WHY_MAX])
{
    grpc_tls_identity_pairs *pairs = NULL;
    char *cert = tls->cert != NULL ? read_pem(tls->cert, why) : NULL;
    char *key = cert != NULL ? read_pem(tls->key, why) : NULL;
    if (key != NULL) {
        pairs = grpc_tls_identity_pairs_create();
        grpc_tls_identity_pairs_add_pair(pairs, key, cert);
    }
    free(cert);
    free(key);
    return pairs;
}

static grpc_channel_credentials *tls_credentials(const struct squall_tls *tls, char why[CORE_WHY_MAX])
{
    char *ca = tls->ca != NULL ? read_pem(tls->ca, why) : NULL;
    grpc_tls_identity_pairs *pairs = why[0] == '\0' ? read_identity(tls, why) : NULL;
    if (why[0] != '\0') {
        free(ca);
        return NULL;
    }
    grpc_tls_credentials_options *options = grpc_tls_credentials_options_create();
    if (ca != NULL || pairs != NULL) {
        grpc_tls_certificate_provider *provider = grpc_tls_certificate_provider_static_data_create(ca, pairs);
        grpc_tls_credentials_options_set_certificate_provider(options, provider);
        grpc_tls_certificate_provider_release(provider);
        if (ca != NULL)
            grpc_tls_credentials_options_watch_root_certs(options);
        if (pairs != NULL)
            grpc_tls_credentials_options_watch_identity_key_cert_pairs(options);
    }
    free(ca);
    if (tls->insecure) {
        grpc_tls_certificate_verifier *none = grpc_tls_certificate_verifier_no_op_create();
        grpc_tls_credentials_options_set_verify_server_cert(options, 0);
        grpc_tls_credentials_options_set_certificate_verifier(options, none);
        grpc_tls_certificate_verifier_release(none);
    }
    /* The certificate is the server's, whatever :authority a call has. */
    grpc_tls_credentials_options_set_check_call_host(options, 0);
    return grpc_tls_credentials_create(options);
}

/* ---- opening ---- */

struct arguments {
    grpc_arg list[10];
    size_t count;
};

static void add_number(struct arguments *arguments, const char *name, uint64_t value)
{
    arguments->list[arguments->count++] = (grpc_arg){
        .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)name, .value.integer = (int)(value & 0x7fffffff)};
}

static void add_text(struct arguments *arguments, const char *name, const char *value)
{
    arguments->list[arguments->count++] =
        (grpc_arg){.type = GRPC_ARG_STRING, .key = (char *)(uintptr_t)name, .value.string = (char *)(uintptr_t)value};
}

static grpc_channel *open_channel(const struct squall_target *view, const struct rpc_target *target,
                                  const struct squall_tls *tls, char why[CORE_WHY_MAX])
{
    char address[600];
    const struct rpc_target_options *options = target->options;
    struct arguments arguments = {.count = 0};
    grpc_channel_credentials *credentials =
        view->secure ? tls_credentials(tls, why) : grpc_insecure_credentials_create();
    if (credentials == NULL)
        return NULL;
    snprintf(address, sizeof address, strchr((const char *)view->host.data, ':') ? "[%s]:%u" : "%s:%u",
             (const char *)view->host.data, (unsigned)view->port);
    add_number(&arguments, GRPC_ARG_ENABLE_RETRIES, 0);
    add_number(&arguments, GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    add_number(&arguments, GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    /* When to try again is the engine's to say; while this one waits core's threads cannot end. */
    add_number(&arguments, GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    add_number(&arguments, GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, options->max_receive);
    add_number(&arguments, GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, options->max_send);
    add_text(&arguments, GRPC_ARG_PRIMARY_USER_AGENT_STRING, (const char *)options->user_agent.data);
    add_text(&arguments, GRPC_ARG_DEFAULT_AUTHORITY, (const char *)target->authority.data);
    if (view->secure) /* core would look for :authority in the certificate */
        add_text(&arguments, GRPC_SSL_TARGET_NAME_OVERRIDE_ARG, tls->server_name);
    const grpc_channel_args args = {.num_args = arguments.count, .args = arguments.list};
    grpc_channel *channel = grpc_channel_create(address, credentials, &args);
    grpc_channel_credentials_release(credentials);
    return channel;
}

static void join_worker(struct core_conn *c)
{
    c->next = c->worker->conns;
    if (c->next != NULL)
        c->next->previous = c;
    c->worker->conns = c;
}

static void leave_worker(struct core_conn *c)
{
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        c->worker->conns = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
}

void core_connect(struct squall_conn *conn)
{
    struct core_conn *c = conn->state;
    struct squall_tls tls = {0};
    char why[CORE_WHY_MAX] = "";
    *c = (struct core_conn){.conn = conn, .worker = conn->worker->state, .target = conn->target->state};
    join_worker(c);
    if (conn->target->secure && core_host(c)->tls(conn, &tls) < 0)
        return;
    c->watch = calloc(1, sizeof *c->watch);
    c->channel = c->watch != NULL ? open_channel(conn->target, c->target, &tls, why) : NULL;
    if (c->channel == NULL) {
        free(c->watch);
        c->watch = NULL;
        core_host(c)->fail(conn, why[0] != '\0' ? why : "no memory for the connection");
        return;
    }
    *c->watch = (struct core_watch){
        .tag = {.fn = on_state, .worker = conn->worker}, .c = c, .channel = c->channel, .next = c->worker->watches};
    if (c->watch->next != NULL)
        c->watch->next->previous = c->watch;
    c->worker->watches = c->watch;
    c->watch->seen = grpc_channel_check_connectivity_state(c->channel, 1);
    watch_on(c->watch);
}

void core_disconnect(struct squall_conn *conn)
{
    struct core_conn *c = conn->state;
    if (c->watch != NULL) {
        c->watch->c = NULL; /* it goes with its event */
        if (c->watch->call != NULL)
            grpc_call_cancel(c->watch->call, NULL);
    }
    leave_worker(c);
    core_calls_forget(c);
    core_reflect_forget(c);
    if (c->channel != NULL)
        grpc_channel_destroy(c->channel);
    c->channel = NULL;
}
