/*
 * The mqtt-paho plugin: the same steps on Eclipse Paho MQTT C, to hold squall's own engine against the library that
 * many devices run. It moves its own bytes, so there are no phases and no `sent`. What its API cannot do is refused
 * when the scenario is loaded: TLS by the engine, ping and drop, properties, aliases, subscription identifiers.
 */
#include "await.h"
#include "deliver.h"
#include "filters.h"
#include "paho_client.h"
#include "paho_trace.h"
#include "payload.h"
#include "reason.h"
#include "topic.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

/* Strings of options have a NUL behind them. */
static const char *text_of(struct squall_bytes text)
{
    return text.len > 0 ? (const char *)text.data : "";
}

static struct paho_client *client_of(const struct squall_conn *conn)
{
    return ((const struct paho_conn *)conn->state)->client;
}

static void unsent(struct squall_conn *conn, struct squall_exchange *x, const char *why)
{
    mqtt_end(conn, x, SQUALL_UNSENT, 0, why);
}

/* code: of a call that the library did not take. A connection that it has lost is told here before lost() is called. */
static void not_taken(struct squall_conn *conn, struct squall_exchange *x, int code, const char *why)
{
    mqtt_end(conn, x, code == MQTTASYNC_DISCONNECTED ? SQUALL_BROKEN_OFF : SQUALL_UNSENT, 0, why);
}

/* ---- what cannot be done ---- */

static int32_t refuse(struct squall_error *error, const char *what)
{
    snprintf(error->text, sizeof error->text, "%s: not with engine: paho; leave `engine` out", what);
    return -1;
}

static int32_t target_init(struct squall_target *target, struct squall_error *error)
{
    const struct mqtt_target_options *options = target->options;
    if (target->secure)
        return refuse(error, "TLS");
    if (options->properties.count || options->will_properties.count || options->topic_alias_maximum ||
        options->ack_delay_ns || options->will_delay_ns || options->will_track || options->auth_method.len ||
        options->auth_data.len)
        return refuse(error, "properties, will-properties, will-delay, will-track, topic-alias-maximum, ack-delay, "
                             "auth-method");
    return mqtt_target_init(target, error);
}

static int32_t step_init(struct squall_step *step, const void *constant_options, uint64_t constant,
                         struct squall_error *error)
{
    const struct mqtt_step_options *options = constant_options;
    if (step->verb == MQTT_VERB_DROP || step->verb == MQTT_VERB_PING)
        return refuse(error, mqtt_verb_rows[step->verb].name);
    if (options->expiry_ns || options->payload_format || options->content_type.len || options->response_topic.len ||
        options->correlation.len || options->properties.count || options->topic_alias || options->subscription_id ||
        options->session_expiry_ns)
        return refuse(error, "properties and aliases");
    return mqtt_step_init(step, constant_options, constant, error);
}

/* ---- connecting ---- */

static void opened(struct squall_conn *conn)
{
    struct mqtt_conn *c = conn->state;
    c->state = MQTT_OPEN;
    mqtt_host(conn)->capacity(conn, 64);
}

static const char *ask_to_connect(struct squall_conn *conn, struct paho_call *call,
                                  const struct mqtt_target_options *options, bool clean)
{
    const struct paho_client *client = call->client;
    MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions connect5 = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL};
    if (client->version >= MQTT_5)
        connect = connect5;
    connect.keepAliveInterval = (int)(options->keep_alive_ns / NS_PER_S);
    connect.MQTTVersion = client->version >= MQTT_5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    *(client->version >= MQTT_5 ? &connect.cleanstart : &connect.cleansession) = clean;
    connect.username = options->username.len > 0 ? text_of(options->username) : NULL;
    connect.binarypwd.data = options->password.len > 0 ? options->password.data : NULL;
    connect.binarypwd.len = (int)options->password.len;
    if (options->will_topic.len > 0) {
        will.topicName = text_of(options->will_topic);
        will.payload.data = options->will_payload.data;
        will.payload.len = (int)options->will_payload.len;
        will.qos = (int)options->will_qos;
        will.retained = (int)options->will_retain;
        connect.will = &will;
    }
    if (options->session_expiry_ns > 0) {
        expiry.value.integer4 = (unsigned)(options->session_expiry_ns / NS_PER_S);
        MQTTProperties_add(&properties, &expiry);
        connect.connectProperties = &properties;
    }
    paho_call_connects(call, &connect);
    call->sent_ns = mqtt_host(conn)->stamp_ns(conn->worker);
    int code = MQTTAsync_connect(client->handle, &connect);
    MQTTProperties_free(&properties);
    return code == MQTTASYNC_SUCCESS ? NULL : MQTTAsync_strerror(code);
}

static void called(struct squall_conn *conn, struct paho_call *call);
static void message(struct squall_conn *conn, const struct mqtt_packet *packet);
static void lost(struct squall_conn *conn, const char *why);
static const struct paho_events events = {.called = called, .message = message, .lost = lost};

static void open_session(struct squall_conn *conn, struct squall_exchange *x, uint8_t clean)
{
    struct paho_conn *paho = conn->state;
    const struct mqtt_target_options *options = mqtt_host(conn)->conn_options(conn);
    if (options == NULL)
        return;
    struct squall_bytes host = conn->target->host;
    bool v6 = memchr(host.data, ':', host.len) != NULL,
         is_clean = clean == MQTT_CLEAN_TARGET ? options->clean_start != 0 : clean == MQTT_CLEAN_TRUE;
    char uri[320];
    const char *name, *why = mqtt_connect_refuse(options, &name); /* the library would cut a length to 16 bits */
    snprintf(uri, sizeof uri, "tcp://%s%.*s%s:%u", v6 ? "[" : "", (int)host.len, (const char *)host.data, v6 ? "]" : "",
             (unsigned)conn->target->port);
    paho->client =
        why != NULL ? NULL
                    : paho_client_new(conn, uri, text_of(options->client_id), paho->mqtt.peer.version, &events, &why);
    if (paho->client != NULL) {
        struct paho_call *call =
            paho_call_new(paho->client, PAHO_CONNECT, x, x != NULL ? x->step : mqtt_first_step(conn));
        paho_trace_connect(conn, options, is_clean);
        why = call == NULL ? "no memory" : ask_to_connect(conn, call, options, is_clean);
        if (why != NULL && call != NULL)
            paho_call_drop(call);
    }
    paho->mqtt.state = MQTT_CONNECTING;
    paho->mqtt.opening = x;
    paho->mqtt.session->connect_clean = clean;
    if (why == NULL)
        return;
    paho->mqtt.opening = NULL;
    if (x != NULL)
        unsent(conn, x, why);
    mqtt_host(conn)->fail(conn, why);
}

static void connect_wanted(struct squall_conn *conn)
{
    struct paho_conn *paho = conn->state;
    const struct mqtt_target *target = conn->target->state;
    paho->mqtt.peer.version = target->version;
    paho->mqtt.session = mqtt_user_session(conn->user, conn->target);
    if (paho->mqtt.session == NULL) {
        mqtt_host(conn)->fail(conn, "no memory for the session");
        return;
    }
    if (target->connect_steps && !paho->mqtt.session->wanted) {
        paho->mqtt.state = MQTT_WAITING;
        mqtt_host(conn)->capacity(conn, 1);
        return;
    }
    mqtt_subscribe_from_the_start(conn);
    open_session(conn, NULL, paho->mqtt.session->connect_clean);
}

/* ---- requests ---- */

static void publish(struct squall_conn *conn, struct squall_exchange *x)
{
    const struct mqtt_step_options *options = x->options;
    struct paho_client *client = client_of(conn);
    struct mqtt_exchange *exchange = x->state;
    struct mqtt_payload payload;
    const char *why = mqtt_topic_refuse(options->topic);
    int code = MQTTASYNC_SUCCESS;
    if (why == NULL)
        why = mqtt_payload_plan(&payload, conn, x);
    uint8_t *bytes = why == NULL ? malloc(payload.size > 0 ? payload.size : 1) : NULL;
    if (why == NULL && bytes == NULL)
        why = "no memory for the message";
    for (uint64_t i = 0; i < options->count && why == NULL; i++) {
        MQTTAsync_message one = MQTTAsync_message_initializer;
        MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
        struct paho_call *call = paho_call_new(client, PAHO_PUBLISH, x, x->step);
        if (call == NULL) {
            why = "no memory";
            break;
        }
        call->sent_ns = mqtt_host(conn)->stamp_ns(conn->worker);
        call->qos = (uint8_t)options->qos;
        call->due_ns = x->intended_ns;
        mqtt_payload_write(bytes, &payload, conn, call->sent_ns);
        paho_trace_publish(conn, options, (struct squall_bytes){bytes, payload.size});
        call->address = payload.track ? payload.stream->address : UINT32_MAX;
        one.payload = bytes;
        one.payloadlen = (int)payload.size;
        one.qos = (int)options->qos;
        one.retained = options->retain != 0;
        paho_call_answers(call, &response);
        code = MQTTAsync_sendMessage(client->handle, text_of(options->topic), &one, &response); /* copies it */
        if (code != MQTTASYNC_SUCCESS) {
            why = MQTTAsync_strerror(code);
            paho_call_drop(call);
            break;
        }
        exchange->left++;
        exchange->bytes_out += payload.size;
    }
    free(bytes);
    if (why == NULL)
        return;
    for (struct paho_call *call = client->calls; call != NULL; call = call->next)
        if (call->exchange == x)
            call->exchange = NULL;
    not_taken(conn, x, code, why);
}

static void note_filters(struct squall_conn *conn, const struct mqtt_filter_list *list, struct paho_call *call,
                         uint16_t id)
{
    struct mqtt_session *session = mqtt_session_of(conn);
    for (uint64_t i = 0; i < list->count; i++) {
        const struct mqtt_filter *filter = &list->rows[i];
        struct mqtt_subscription *one = call->kind == PAHO_SUBSCRIBE ? mqtt_subscription_to(session, filter->topic)
                                                                     : mqtt_subscription_find(session, filter->topic);
        if (one == NULL)
            continue;
        one->packet_id = id;
        one->state = call->kind == PAHO_SUBSCRIBE ? MQTT_SUBSCRIBING : MQTT_UNSUBSCRIBING;
        if (call->kind != PAHO_SUBSCRIBE)
            continue;
        one->step = call->step;
        one->since_ns = call->sent_ns;
        one->options = filter->options;
    }
    call->id = id;
    call->filters = (uint16_t)list->count;
}

/* The library wants C strings and a QoS for each. */
static int ask_for_filters(struct paho_call *call, const struct mqtt_filter_list *list)
{
    char *topics[MQTT_FILTERS_MAX];
    int qos[MQTT_FILTERS_MAX], code = MQTTASYNC_FAILURE;
    MQTTSubscribe_options each[MQTT_FILTERS_MAX];
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    uint64_t copied = 0;
    for (; copied < list->count; copied++) {
        const struct mqtt_filter *filter = &list->rows[copied];
        topics[copied] = strndup((const char *)filter->topic.data, filter->topic.len);
        qos[copied] = filter->options & 3;
        each[copied] = (MQTTSubscribe_options)MQTTSubscribe_options_initializer;
        each[copied].noLocal = (filter->options & MQTT_NO_LOCAL) != 0;
        each[copied].retainAsPublished = (filter->options & MQTT_RETAIN_AS_PUBLISHED) != 0;
        each[copied].retainHandling = (unsigned char)(filter->options >> MQTT_RETAIN_HANDLING_SHIFT & 3);
        if (topics[copied] == NULL)
            break;
    }
    paho_call_answers(call, &response);
    if (call->client->version >= MQTT_5) {
        response.subscribeOptions = each[0];
        response.subscribeOptionsList = each;
        response.subscribeOptionsCount = (int)list->count;
    }
    if (copied == list->count && call->kind == PAHO_SUBSCRIBE)
        code = MQTTAsync_subscribeMany(call->client->handle, (int)copied, topics, qos, &response);
    else if (copied == list->count)
        code = MQTTAsync_unsubscribeMany(call->client->handle, (int)copied, topics, &response);
    while (copied-- > 0)
        free(topics[copied]);
    return code;
}

/* NULL, or why not; *ret_code as the library has it. */
static const char *send_filters(struct squall_conn *conn, struct squall_exchange *x, const struct squall_step *step,
                                uint8_t kind, const struct mqtt_filter_list *list, int *ret_code)
{
    struct mqtt_session *session = mqtt_session_of(conn);
    *ret_code = MQTTASYNC_SUCCESS;
    for (uint64_t i = 0; i < list->count; i++) {
        const char *why = mqtt_filter_refuse(list->rows[i].topic, true);
        if (why != NULL)
            return why;
    }
    struct paho_call *call = list->count > 0 ? paho_call_new(client_of(conn), kind, x, step) : NULL;
    if (call == NULL)
        return list->count == 0 ? "no topic filter (3.8.3, 3.10.3)" : "no memory";
    call->sent_ns = mqtt_host(conn)->stamp_ns(conn->worker);
    note_filters(conn, list, call, ++session->last_id);
    paho_trace_filters(conn, kind, list);
    *ret_code = ask_for_filters(call, list);
    if (*ret_code == MQTTASYNC_SUCCESS)
        return NULL;
    paho_call_drop(call);
    return MQTTAsync_strerror(*ret_code);
}

static void filters(struct squall_conn *conn, struct squall_exchange *x, uint8_t kind)
{
    struct mqtt_filter_list list;
    const char *why;
    int code = MQTTASYNC_SUCCESS;
    if (mqtt_filter_list_init(&list, x->options, &why) == 0) {
        why = send_filters(conn, x, x->step, kind, &list, &code);
        mqtt_filter_list_fini(&list);
    }
    if (why != NULL)
        not_taken(conn, x, code, why);
}

static void disconnect_step(struct squall_conn *conn, struct squall_exchange *x)
{
    struct mqtt_conn *c = conn->state;
    const struct mqtt_step_options *options = x->options;
    struct paho_client *client = client_of(conn);
    MQTTAsync_disconnectOptions plain = MQTTAsync_disconnectOptions_initializer;
    MQTTAsync_disconnectOptions five = MQTTAsync_disconnectOptions_initializer5;
    MQTTAsync_disconnectOptions *asked = client->version >= MQTT_5 ? &five : &plain;
    struct paho_call *call = paho_call_new(client, PAHO_DISCONNECT, x, x->step);
    if (call == NULL) {
        unsent(conn, x, "no memory");
        return;
    }
    paho_call_disconnects(call, asked);
    paho_trace_disconnect(conn);
    five.reasonCode = (enum MQTTReasonCodes)options->reason;
    int code = MQTTAsync_disconnect(client->handle, asked);
    c->said_bye = true;
    if (code == MQTTASYNC_SUCCESS)
        return;
    paho_call_drop(call);
    not_taken(conn, x, code, MQTTAsync_strerror(code));
}

static void request(struct squall_conn *conn, struct squall_exchange *x)
{
    const struct mqtt_conn *c = conn->state;
    const struct mqtt_step_options *options = x->options;
    const char *why = mqtt_out_of_place(c, x->step);
    if (why != NULL) {
        unsent(conn, x, why);
        return;
    }
    switch (x->step->verb) {
    case MQTT_VERB_CONNECT:
        open_session(conn, x, (uint8_t)options->clean_start);
        break;
    case MQTT_VERB_PUBLISH:
        publish(conn, x);
        break;
    case MQTT_VERB_SUBSCRIBE:
        filters(conn, x, PAHO_SUBSCRIBE);
        break;
    case MQTT_VERB_UNSUBSCRIBE:
        filters(conn, x, PAHO_UNSUBSCRIBE);
        break;
    case MQTT_VERB_AWAIT:
        mqtt_await(conn, x);
        break;
    default:
        disconnect_step(conn, x);
        break;
    }
}

static void cancel(struct squall_conn *conn, struct squall_exchange *x)
{
    struct mqtt_conn *c = conn->state;
    struct paho_client *client = client_of(conn);
    mqtt_await_cancel(c, x);
    for (struct paho_call *call = client != NULL ? client->calls : NULL; call != NULL; call = call->next)
        if (call->exchange == x)
            call->exchange = NULL;
    if (c->opening != x)
        return;
    c->opening = NULL;
    mqtt_host(conn)->close(conn, SQUALL_CLOSE_RESET);
}

/* ---- what the library said ---- */

static uint32_t code_of(const struct mqtt_conn *c, const struct paho_call *call)
{
    if (call->failed && call->kind == PAHO_CONNECT && c->peer.version < MQTT_5 && call->reason <= 5)
        return mqtt_reason_of_return_code((uint8_t)call->reason);
    return call->reason;
}

/* Subscriptions that the broker does not know any more, those of one step; false: there are none. */
static bool restore_next(struct squall_conn *conn)
{
    struct mqtt_filter_list list = {.count = 0};
    const struct squall_step *step = NULL;
    uint32_t id;
    int code;
    list.count = mqtt_subscriptions_lost(mqtt_session_of(conn), list.rows, MQTT_FILTERS_MAX, &step, &id);
    if (list.count == 0)
        return false;
    const char *why = send_filters(conn, NULL, step, PAHO_SUBSCRIBE, &list, &code);
    if (why != NULL)
        mqtt_host(conn)->fail(conn, why);
    return true;
}

static void connected(struct squall_conn *conn, struct paho_call *call)
{
    struct mqtt_conn *c = conn->state;
    struct squall_exchange *x = call->exchange;
    char text[120];
    c->opening = NULL;
    if (call->failed) {
        uint32_t code = code_of(c, call);
        c->state = MQTT_OVER;
        snprintf(text, sizeof text, "CONNACK: %s%s", code > 0 ? mqtt_reason_name(code) : call->text, mqtt_refusal_hint(code));
        if (x != NULL && code > 0)
            mqtt_end(conn, x, SQUALL_REJECTED, MQTT_CODE(code), NULL);
        if (x != NULL && code > 0)
            mqtt_host(conn)->close(conn, SQUALL_CLOSE_ORDERLY);
        else
            mqtt_host(conn)->fail(conn, text); /* and x ends as disconnected */
        return;
    }
    mqtt_host(conn)->elapsed(conn->worker, call->step, MQTT_CONNACK_NS, call->sent_ns);
    c->session->wanted = true;
    if (!call->session_present && x != NULL)
        mqtt_subscriptions_forget(c->session, conn->worker);
    if (!call->session_present)
        mqtt_subscriptions_lose(c->session);
    if (!restore_next(conn))
        opened(conn);
    if (x != NULL)
        mqtt_end(conn, x, SQUALL_OK, MQTT_CODE(MQTT_SUCCESS), NULL);
}

static void published(struct squall_conn *conn, struct paho_call *call)
{
    static const uint32_t metrics[] = {MQTT_METRICS, MQTT_PUBACK_NS, MQTT_QOS2_NS};
    struct squall_exchange *x = call->exchange;
    bool broken = paho_call_broken(call);
    if (call->qos > 0 && !broken)
        mqtt_host(conn)->elapsed(conn->worker, call->step, metrics[call->qos], call->sent_ns);
    if (!call->failed && call->address != UINT32_MAX)
        mqtt_host(conn)->sent_to(conn->worker, call->address, call->due_ns);
    if (x == NULL)
        return;
    struct mqtt_exchange *exchange = x->state;
    if (call->reason > exchange->code)
        exchange->code = call->reason;
    if (--exchange->left > 0 && !broken)
        return;
    for (struct paho_call *other = call->client->calls; other != NULL; other = other->next)
        if (other->exchange == x)
            other->exchange = NULL;
    if (broken)
        mqtt_end(conn, x, SQUALL_BROKEN_OFF, 0, call->text);
    else
        mqtt_end(conn, x, SQUALL_OK, call->qos > 0 ? MQTT_CODE(exchange->code) : 0, NULL);
}

static void filters_settled(struct squall_conn *conn, struct paho_call *call)
{
    struct mqtt_conn *c = conn->state;
    bool asked = call->kind == PAHO_SUBSCRIBE, granted = !call->failed && call->reason < MQTT_UNSPECIFIED_ERROR;
    if (paho_call_broken(call)) { /* the subscriptions stay, and come back with the next connection */
        if (call->exchange != NULL)
            mqtt_end(conn, call->exchange, SQUALL_BROKEN_OFF, 0, call->text);
        mqtt_host(conn)->fail(conn, call->text);
        return;
    }
    mqtt_host(conn)->elapsed(conn->worker, call->step, asked ? MQTT_SUBACK_NS : MQTT_UNSUBACK_NS, call->sent_ns);
    for (uint32_t i = c->session->subscription_count; i-- > 0;) {
        struct mqtt_subscription *one = &c->session->subscriptions[i];
        if (one->packet_id != call->id || one->state == MQTT_SUBSCRIBED)
            continue;
        mqtt_subscription_count(one, conn->worker, granted == asked);
        if (granted == asked)
            one->state = MQTT_SUBSCRIBED;
        else
            mqtt_subscription_remove(c->session, one);
    }
    if (c->state == MQTT_CONNECTING && !restore_next(conn))
        opened(conn);
    if (call->exchange != NULL)
        mqtt_end(conn, call->exchange, SQUALL_OK, MQTT_CODE(call->reason), NULL);
}

static void called(struct squall_conn *conn, struct paho_call *call)
{
    paho_trace_answer(conn, call);
    switch (call->kind) {
    case PAHO_CONNECT:
        connected(conn, call);
        break;
    case PAHO_PUBLISH:
        published(conn, call);
        break;
    case PAHO_SUBSCRIBE:
    case PAHO_UNSUBSCRIBE:
        filters_settled(conn, call);
        break;
    default:
        if (call->exchange != NULL)
            mqtt_end(conn, call->exchange, SQUALL_OK, 0, NULL);
        mqtt_host(conn)->close(conn, SQUALL_CLOSE_ORDERLY);
        break;
    }
}

static void message(struct squall_conn *conn, const struct mqtt_packet *packet)
{
    if (mqtt_traced(conn))
        mqtt_trace_packet(conn, SQUALL_TRACE_RECEIVED, packet);
    mqtt_deliver(conn, packet, packet->topic);
}

static void lost(struct squall_conn *conn, const char *why)
{
    mqtt_host(conn)->fail(conn, why);
}

static void disconnected(struct squall_conn *conn)
{
    struct paho_conn *paho = conn->state;
    struct mqtt_session *session = paho->mqtt.session;
    if (paho->client != NULL)
        paho_client_close(paho->client);
    paho->client = NULL;
    mqtt_await_fini(&paho->mqtt);
    if (session == NULL)
        return;
    mqtt_subscriptions_doubt(session);
    if (!paho->mqtt.said_bye)
        return;
    session->wanted = false;
    mqtt_subscriptions_forget(session, conn->worker);
}

static void worker_fini(struct squall_worker *worker)
{
    paho_clients_free(worker);
    mqtt_worker_fini(worker);
}

SQUALL_EXPORT extern const struct squall_protocol SQUALL_PROTOCOL;
const struct squall_protocol SQUALL_PROTOCOL = {
    .magic = SQUALL_PLUGIN_MAGIC,
    .abi_major = SQUALL_ABI_MAJOR,
    .abi_minor = SQUALL_ABI_MINOR,
    .size = sizeof(struct squall_protocol),
    .flags = SQUALL_OWN_TRANSPORT | SQUALL_SESSIONS | SQUALL_CODES_FROM_0,
    .name = "mqtt-paho",
    .version = SQUALL_VERSION,
    .summary = "MQTT 3.1.1 and 5 on Eclipse Paho MQTT C",
    .schemes = "mqtt-paho",
    .ports = "1883",
    .worker_size = sizeof(struct mqtt_worker),
    .target_size = sizeof(struct mqtt_target),
    .user_size = sizeof(struct mqtt_user),
    .step_size = sizeof(struct mqtt_step),
    .conn_size = sizeof(struct paho_conn),
    .exchange_size = sizeof(struct mqtt_exchange),
    .target_options = {.rows = mqtt_target_rows,
                       .count = MQTT_TARGET_ROWS,
                       .stride = sizeof(struct squall_option),
                       .size = sizeof(struct mqtt_target_options)},
    .step_options = {.rows = mqtt_step_rows,
                     .count = MQTT_STEP_ROWS,
                     .stride = sizeof(struct squall_option),
                     .size = sizeof(struct mqtt_step_options)},
    .metrics = {.rows = mqtt_metric_rows, .count = MQTT_METRICS, .stride = sizeof(struct squall_metric)},
    .verbs = {.rows = mqtt_verb_rows, .count = MQTT_VERBS, .stride = sizeof(struct squall_verb)},
    .target_init = target_init,
    .step_init = step_init,
    .worker_fini = worker_fini,
    .user_fini = mqtt_user_fini,
    .connect = connect_wanted,
    .disconnect = disconnected,
    .request = request,
    .cancel = cancel,
    .record = mqtt_record,
    .code_name = mqtt_code_name,
    .matches = mqtt_matches,
    .users_advised = 500,
};
