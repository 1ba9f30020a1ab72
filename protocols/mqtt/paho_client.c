/* The library's threads end here: each callback writes what it was told into memory of ours and posts it. */
#include "paho_client.h"
#include "payload.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* On any thread. -1: the queue is full, and the event is lost; its exchange will time out. */
static int post(struct paho_client *client, void (*fn)(struct squall_worker *, void *), void *arg)
{
    return client->worker->host->post(client->worker, fn, arg);
}

/* ---- calls ------------------------------------------------------------------------------------------------- */

struct paho_call *paho_call_new(struct paho_client *client, uint8_t kind, struct squall_exchange *exchange,
                                const struct squall_step *step)
{
    struct paho_call *call = calloc(1, sizeof *call);
    if (call == NULL)
        return NULL;
    *call = (struct paho_call){.client = client,
                               .next = client->calls,
                               .exchange = exchange,
                               .step = step,
                               .kind = kind,
                               .address = UINT32_MAX};
    if (client->calls != NULL)
        client->calls->before = call;
    client->calls = call;
    return call;
}

void paho_call_drop(struct paho_call *call)
{
    if (call->next != NULL)
        call->next->before = call->before;
    if (call->before != NULL)
        call->before->next = call->next;
    else
        call->client->calls = call->next;
    free(call);
}

static void on_call(struct squall_worker *worker, void *arg)
{
    struct paho_call *call = arg;
    struct paho_client *client = call->client;
    (void)worker;
    if (client->conn != NULL)
        client->events->called(client->conn, call);
    paho_call_drop(call);
}

static void answered(struct paho_call *call, bool failed, uint32_t reason, int code, const char *text)
{
    call->failed = failed;
    call->reason = reason;
    if (failed && reason == 0)
        snprintf(call->text, sizeof call->text, "Paho: %s (%d)", text != NULL ? text : MQTTAsync_strerror(code), code);
    (void)post(call->client, on_call, call);
}

static void on_success(void *context, MQTTAsync_successData *data)
{
    struct paho_call *call = context;
    if (call->kind == PAHO_CONNECT)
        call->session_present = data != NULL && data->alt.connect.sessionPresent != 0;
    uint32_t reason = 0;
    /* 3.1.1 grants a QoS, or says 0x80: for several filters in a list. */
    for (int i = 0; call->kind == PAHO_SUBSCRIBE && data != NULL && i < call->filters; i++) {
        uint32_t one = (uint32_t)(call->filters == 1 ? data->alt.qos : data->alt.qosList[i]) & 0xff;
        reason = one > reason ? one : reason;
    }
    answered(call, false, reason, 0, NULL);
}

static void on_failure(void *context, MQTTAsync_failureData *data)
{
    /* A broker that refuses a connection gives 1 to 5; the library's own codes are negative. */
    uint32_t reason = data != NULL && data->code > 0 ? (uint32_t)data->code : 0;
    answered(context, true, reason, data != NULL ? data->code : 0, data != NULL ? data->message : NULL);
}

static void on_success5(void *context, MQTTAsync_successData5 *data)
{
    struct paho_call *call = context;
    if (call->kind == PAHO_CONNECT)
        call->session_present = data != NULL && data->alt.connect.sessionPresent != 0;
    uint32_t reason = data != NULL ? (uint32_t)data->reasonCode & 0xff : 0;
    for (int i = 0; call->filters > 1 && data != NULL && i < data->alt.sub.reasonCodeCount; i++) {
        uint32_t one = (uint32_t)data->alt.sub.reasonCodes[i] & 0xff;
        reason = one > reason ? one : reason;
    }
    answered(call, false, reason, 0, NULL);
}

static void on_failure5(void *context, MQTTAsync_failureData5 *data)
{
    uint32_t reason = data != NULL && (int)data->reasonCode > 0 ? (uint32_t)data->reasonCode & 0xff : 0;
    answered(context, true, reason, data != NULL ? data->code : 0, data != NULL ? data->message : NULL);
}

/* The library has three structs of options for this, whose members have the same names. */
#define ANSWER_TO(call, options)                                                                                       \
    do {                                                                                                               \
        (options)->context = (call);                                                                                   \
        if ((call)->client->version >= MQTT_5) {                                                                       \
            (options)->onSuccess5 = on_success5;                                                                       \
            (options)->onFailure5 = on_failure5;                                                                       \
        } else {                                                                                                       \
            (options)->onSuccess = on_success;                                                                         \
            (options)->onFailure = on_failure;                                                                         \
        }                                                                                                              \
    } while (0)

void paho_call_answers(struct paho_call *call, MQTTAsync_responseOptions *options)
{
    ANSWER_TO(call, options);
}

void paho_call_connects(struct paho_call *call, MQTTAsync_connectOptions *options)
{
    ANSWER_TO(call, options);
}

void paho_call_disconnects(struct paho_call *call, MQTTAsync_disconnectOptions *options)
{
    ANSWER_TO(call, options);
}

/* ---- messages and the end -------------------------------------------------------------------------------------- */

struct paho_message {
    struct paho_client *client;
    MQTTAsync_message *message;
    char *topic;
    size_t topic_len;
};

static void on_message(struct squall_worker *worker, void *arg)
{
    struct paho_message *one = arg;
    struct paho_client *client = one->client;
    (void)worker;
    if (client->conn != NULL) {
        struct mqtt_packet packet = {.type = MQTT_PUBLISH,
                                     .version = client->version,
                                     .qos = (uint8_t)one->message->qos,
                                     .dup = one->message->dup != 0,
                                     .retain = one->message->retained != 0,
                                     .topic = {(const uint8_t *)one->topic, one->topic_len},
                                     .payload = {one->message->payload, (uint64_t)one->message->payloadlen}};
        packet.size = (uint32_t)(packet.topic.len + packet.payload.len);
        client->events->message(client->conn, &packet);
    }
    MQTTAsync_freeMessage(&one->message);
    MQTTAsync_free(one->topic);
    free(one);
}

/* 1: the message is ours from here on. 0: the library keeps it and comes again. */
static int on_arrived(void *context, char *topic, int topic_len, MQTTAsync_message *message)
{
    struct paho_client *client = context;
    struct paho_message *one = malloc(sizeof *one);
    if (one == NULL)
        return 0;
    *one = (struct paho_message){.client = client,
                                 .message = message,
                                 .topic = topic,
                                 .topic_len = topic_len > 0 ? (size_t)topic_len : strlen(topic)};
    if (post(client, on_message, one) == 0)
        return 1;
    free(one);
    return 0;
}

static void on_lost_here(struct squall_worker *worker, void *arg)
{
    struct paho_client *client = arg;
    (void)worker;
    if (client->conn != NULL)
        client->events->lost(client->conn, "Paho: the connection was lost");
}

static void on_lost(void *context, char *cause)
{
    (void)cause;
    (void)post(context, on_lost_here, context);
}

/* ---- life ------------------------------------------------------------------------------------------------------- */

struct paho_client *paho_client_new(struct squall_conn *conn, const char *uri, const char *client_id, uint8_t version,
                                    const struct paho_events *events, const char **ret_why)
{
    struct paho_client *client = calloc(1, sizeof *client);
    *ret_why = "no memory for a client of Paho";
    if (client == NULL)
        return NULL;
    *client = (struct paho_client){.worker = conn->worker, .conn = conn, .events = events, .version = version};
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    options.MQTTVersion = version >= MQTT_5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    int code =
        MQTTAsync_createWithOptions(&client->handle, uri, client_id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &options);
    if (code == MQTTASYNC_SUCCESS)
        code = MQTTAsync_setCallbacks(client->handle, client, on_lost, on_arrived, NULL);
    if (code == MQTTASYNC_SUCCESS)
        return client;
    *ret_why = MQTTAsync_strerror(code);
    if (client->handle != NULL)
        MQTTAsync_destroy(&client->handle);
    free(client);
    return NULL;
}

void paho_client_close(struct paho_client *client)
{
    struct mqtt_worker *worker = client->worker->state;
    client->conn = NULL;
    for (struct paho_call *call = client->calls; call != NULL; call = call->next)
        call->exchange = NULL;
    MQTTAsync_destroy(&client->handle);
    client->next_closed = worker->closed;
    worker->closed = client;
}

void paho_clients_free(struct squall_worker *view)
{
    struct mqtt_worker *worker = view->state;
    while (worker->closed != NULL) {
        struct paho_client *client = worker->closed;
        worker->closed = client->next_closed;
        while (client->calls != NULL)
            paho_call_drop(client->calls);
        free(client);
    }
}
