/* The option tables, and the checks that need no connection. What is constant is checked here, where an error names the
 * place in the scenario; what varies is checked when it is sent. */
#include "options.h"
#include "encode.h"
#include "filters.h"
#include "topic.h"
#include "utf8.h"
#include <stdio.h>
#include <string.h>

#define VERB(verb) (UINT32_C(1) << (verb))
#define PUBLISH    VERB(MQTT_VERB_PUBLISH)
#define SUBSCRIBE  VERB(MQTT_VERB_SUBSCRIBE)
#define FILTERED   (SUBSCRIBE | VERB(MQTT_VERB_UNSUBSCRIBE))
#define NS_PER_S   UINT64_C(1000000000)

const struct squall_verb mqtt_verb_rows[MQTT_VERBS] = {
    [MQTT_VERB_PUBLISH] = {.name = "publish",
                           .help = "sends a message; ends with its last acknowledgement, with QoS 0 when it was sent",
                           .headline = "topic"},
    [MQTT_VERB_SUBSCRIBE] = {.name = "subscribe",
                             .help = "subscribes to one filter or several; ends with SUBACK",
                             .headline = "topic"},
    [MQTT_VERB_UNSUBSCRIBE] = {.name = "unsubscribe", .help = "ends with UNSUBACK", .headline = "topic"},
    [MQTT_VERB_AWAIT] = {.name = "await", .help = "ends with the first message that matches", .headline = "topic"},
    [MQTT_VERB_CONNECT] = {.name = "connect", .help = "opens the session; ends with CONNACK"},
    [MQTT_VERB_DISCONNECT] = {.name = "disconnect", .help = "sends DISCONNECT and closes"},
    [MQTT_VERB_DROP] = {.name = "drop", .help = "closes without DISCONNECT, so that the will is published"},
    [MQTT_VERB_PING] = {.name = "ping", .help = "ends with PINGRESP"},
};

static const char *const versions[] = {"3.1.1", "5", NULL};
static const char *const fills[] = {"x", "random", NULL};
static const char *const cleans[] = {"target", "true", "false", NULL};

#define AT(field) .offset = offsetof(struct mqtt_target_options, field)
const struct squall_option mqtt_target_rows[MQTT_TARGET_ROWS] = {
    {.name = "version",
     .flag = "--mqtt-version",
     .metavar = "VERSION",
     .help = "3.1.1 or 5",
     .fallback = "5",
     .choices = versions,
     .type = SQUALL_CHOICE,
     AT(version)},
    {.name = "client-id",
     .flag = "--client-id",
     .metavar = "ID",
     .help = "client identifier of each user; with variables: dev-${user.id}",
     .fallback = "",
     .type = SQUALL_STRING,
     .role = SQUALL_ROLE_CONN,
     AT(client_id)},
    {.name = "username",
     .flag = "--username",
     .metavar = "NAME",
     .help = "user name",
     .type = SQUALL_STRING,
     .role = SQUALL_ROLE_CONN,
     AT(username)},
    {.name = "password",
     .flag = "--password",
     .metavar = "TEXT",
     .help = "password",
     .type = SQUALL_STRING,
     .role = SQUALL_ROLE_CONN,
     AT(password)},
    {.name = "auth-method",
     .metavar = "NAME",
     .help = "method of enhanced authentication; one that is over with CONNACK; 5 only",
     .type = SQUALL_STRING,
     .role = SQUALL_ROLE_CONN,
     AT(auth_method)},
    {.name = "auth-data",
     .metavar = "TEXT",
     .help = "what that method wants in CONNECT; 5 only",
     .type = SQUALL_STRING,
     .role = SQUALL_ROLE_CONN,
     AT(auth_data)},
    {.name = "clean-start",
     .metavar = NULL,
     .help = "begin without an earlier session (3.1.1: clean session)",
     .fallback = "true",
     .type = SQUALL_BOOL,
     AT(clean_start)},
    {.name = "session-expiry",
     .metavar = "TIME",
     .help = "how long the broker keeps the session of one that has gone; 5 only",
     .fallback = "0s",
     .max = UINT64_C(4294967295) * NS_PER_S,
     .type = SQUALL_DURATION,
     AT(session_expiry_ns)},
    {.name = "keep-alive",
     .flag = "--keep-alive",
     .metavar = "TIME",
     .help = "longest silence before a PINGREQ; 0s: none",
     .fallback = "60s",
     .max = UINT64_C(65535) * NS_PER_S,
     .type = SQUALL_DURATION,
     AT(keep_alive_ns)},
    {.name = "will-topic",
     .metavar = "TOPIC",
     .help = "topic of the will; without it there is none",
     .type = SQUALL_STRING,
     .role = SQUALL_ROLE_CONN,
     AT(will_topic)},
    {.name = "will-payload",
     .metavar = "TEXT",
     .help = "payload of the will",
     .type = SQUALL_STRING,
     .role = SQUALL_ROLE_CONN,
     AT(will_payload)},
    {.name = "will-qos",
     .metavar = "N",
     .help = "QoS of the will",
     .fallback = "0",
     .max = 2,
     .type = SQUALL_UINT,
     AT(will_qos)},
    {.name = "will-retain", .help = "the will is retained", .type = SQUALL_BOOL, AT(will_retain)},
    {.name = "will-delay",
     .metavar = "TIME",
     .help = "from the loss of the connection to the will; 5 only",
     .fallback = "0s",
     .max = UINT64_C(4294967295) * NS_PER_S,
     .type = SQUALL_DURATION,
     AT(will_delay_ns)},
    {.name = "will-track",
     .help = "a header in the will, so that its delivery is timed",
     .type = SQUALL_BOOL,
     AT(will_track)},
    {.name = "will-properties",
     .metavar = "NAME: VALUE",
     .help = "user properties of the will; 5 only",
     .type = SQUALL_MAP,
     AT(will_properties)},
    {.name = "properties",
     .metavar = "NAME: VALUE",
     .help = "user properties of CONNECT; 5 only",
     .type = SQUALL_MAP,
     AT(properties)},
    {.name = "receive-maximum",
     .metavar = "N",
     .help = "messages of QoS 1 and 2 that may wait for our acknowledgement; 5 only",
     .fallback = "65535",
     .min = 1,
     .max = 65535,
     .type = SQUALL_UINT,
     AT(receive_maximum)},
    {.name = "max-packet-size",
     .metavar = "SIZE",
     .help = "largest packet that is taken",
     .fallback = "1000000",
     .min = 64,
     .max = 1000000,
     .type = SQUALL_SIZE,
     AT(packet_max)},
    {.name = "topic-alias-maximum",
     .metavar = "N",
     .help = "aliases that the broker may use; 5 only",
     .fallback = "0",
     .max = 64,
     .type = SQUALL_UINT,
     AT(topic_alias_maximum)},
    {.name = "delivery-track",
     .metavar = "N",
     .help = "pairs of publisher and subscriber that a worker remembers",
     .fallback = "100000",
     .max = 10000000,
     .type = SQUALL_UINT,
     AT(delivery_track)},
    {.name = "ack-delay",
     .metavar = "TIME",
     .help = "how long what comes with QoS 1 or 2 waits for its acknowledgement",
     .fallback = "0s",
     .max = 600 * NS_PER_S,
     .type = SQUALL_DURATION,
     AT(ack_delay_ns)},
};
#undef AT

#define AT(field) .offset = offsetof(struct mqtt_step_options, field)
const struct squall_option mqtt_step_rows[MQTT_STEP_ROWS] = {
    [MQTT_ROW_TOPIC] = {.name = "topic",
                        .metavar = "TOPIC",
                        .help = "topic to publish to; filter to subscribe to or to wait for",
                        .type = SQUALL_STRING,
                        .role = SQUALL_ROLE_URL_TAIL,
                        .verbs = PUBLISH | FILTERED | VERB(MQTT_VERB_AWAIT),
                        AT(topic)},
    [MQTT_ROW_PAYLOAD] = {.name = "payload",
                          .flag = "--payload",
                          .metavar = "TEXT",
                          .help = "the message",
                          .type = SQUALL_STRING,
                          .verbs = PUBLISH,
                          AT(payload)},
    [MQTT_ROW_PAYLOAD_FILE] = {.name = "payload-file",
                               .metavar = "FILE",
                               .help = "file that holds the message",
                               .type = SQUALL_STRING,
                               .role = SQUALL_ROLE_FILE,
                               .verbs = PUBLISH,
                               AT(payload_file)},
    [MQTT_ROW_SIZE] = {.name = "size",
                       .flag = "--size",
                       .metavar = "SIZE",
                       .help = "length that the payload is filled up to",
                       .fallback = "0",
                       .max = UINT64_C(268000000),
                       .type = SQUALL_SIZE,
                       .verbs = PUBLISH,
                       AT(size)},
    [MQTT_ROW_FILL] = {.name = "fill",
                       .metavar = "HOW",
                       .help = "what it is filled with: x or random bytes",
                       .fallback = "x",
                       .choices = fills,
                       .type = SQUALL_CHOICE,
                       .verbs = PUBLISH,
                       AT(fill)},
    [MQTT_ROW_QOS] = {.name = "qos",
                      .flag = "--qos",
                      .metavar = "N",
                      .help = "quality of service: 0, 1 or 2",
                      .fallback = "0",
                      .max = 2,
                      .type = SQUALL_UINT,
                      .verbs = PUBLISH | SUBSCRIBE,
                      AT(qos)},
    [MQTT_ROW_RETAIN] = {.name = "retain",
                         .flag = "--retain",
                         .help = "the broker keeps the message for who comes later",
                         .type = SQUALL_BOOL,
                         .verbs = PUBLISH,
                         AT(retain)},
    [MQTT_ROW_COUNT] = {.name = "count",
                        .metavar = "N",
                        .help = "so many messages in one exchange, sent together",
                        .fallback = "1",
                        .min = 1,
                        .max = 65535,
                        .type = SQUALL_UINT,
                        .verbs = PUBLISH,
                        AT(count)},
    [MQTT_ROW_TRACK] = {.name = "track",
                        .flag = "--track",
                        .help = "a header in the payload, so that deliveries are timed and accounted for",
                        .type = SQUALL_BOOL,
                        .verbs = PUBLISH,
                        AT(track)},
    [MQTT_ROW_SUBSCRIBERS] = {.name = "subscribers",
                              .flag = "--subscribers",
                              .metavar = "N",
                              .help = "users 1 to N subscribe to the topic before the load starts; implies track",
                              .fallback = "0",
                              .type = SQUALL_UINT,
                              .verbs = PUBLISH,
                              AT(subscribers)},
    [MQTT_ROW_TOPIC_ALIAS] = {.name = "topic-alias",
                              .metavar = "N",
                              .help = "alias to use; the topic goes out the first time only; 5 only",
                              .fallback = "0",
                              .max = 64,
                              .type = SQUALL_UINT,
                              .verbs = PUBLISH,
                              AT(topic_alias)},
    [MQTT_ROW_EXPIRY] = {.name = "expiry",
                         .metavar = "TIME",
                         .help = "how long the message lives; 0s: for ever; 5 only",
                         .fallback = "0s",
                         .max = UINT64_C(4294967295) * NS_PER_S,
                         .type = SQUALL_DURATION,
                         .verbs = PUBLISH,
                         AT(expiry_ns)},
    [MQTT_ROW_PAYLOAD_FORMAT] = {.name = "payload-format",
                                 .metavar = "N",
                                 .help = "1: the payload is UTF-8; 5 only",
                                 .fallback = "0",
                                 .max = 1,
                                 .type = SQUALL_UINT,
                                 .verbs = PUBLISH,
                                 AT(payload_format)},
    [MQTT_ROW_CONTENT_TYPE] = {.name = "content-type",
                               .metavar = "TEXT",
                               .help = "what the payload is; 5 only",
                               .type = SQUALL_STRING,
                               .verbs = PUBLISH,
                               AT(content_type)},
    [MQTT_ROW_RESPONSE_TOPIC] = {.name = "response-topic",
                                 .metavar = "TOPIC",
                                 .help = "where an answer belongs; 5 only",
                                 .type = SQUALL_STRING,
                                 .verbs = PUBLISH,
                                 AT(response_topic)},
    [MQTT_ROW_CORRELATION] = {.name = "correlation-data",
                              .metavar = "TEXT",
                              .help = "what an answer carries; 5 only",
                              .type = SQUALL_STRING,
                              .verbs = PUBLISH,
                              AT(correlation)},
    [MQTT_ROW_PROPERTIES] = {.name = "properties",
                             .metavar = "NAME: VALUE",
                             .help = "user properties; 5 only",
                             .type = SQUALL_MAP,
                             .verbs = PUBLISH | FILTERED | VERB(MQTT_VERB_DISCONNECT),
                             AT(properties)},
    [MQTT_ROW_FILTERS] = {.name = "filters",
                          .metavar = "LIST",
                          .help = "several filters: a list of texts, or of maps with topic, qos, no-local, "
                                  "retain-as-published, retain-handling",
                          .type = SQUALL_TREE,
                          .verbs = FILTERED,
                          AT(filters)},
    [MQTT_ROW_NO_LOCAL] = {.name = "no-local",
                           .help = "not what this client publishes itself; 5 only",
                           .type = SQUALL_BOOL,
                           .verbs = SUBSCRIBE,
                           AT(no_local)},
    [MQTT_ROW_RETAIN_AS_PUBLISHED] = {.name = "retain-as-published",
                                      .help = "deliveries keep their retain flag; 5 only",
                                      .type = SQUALL_BOOL,
                                      .verbs = SUBSCRIBE,
                                      AT(retain_as_published)},
    [MQTT_ROW_RETAIN_HANDLING] = {.name = "retain-handling",
                                  .metavar = "N",
                                  .help = "retained messages: 0 always, 1 for a new subscription, 2 never; 5 only",
                                  .fallback = "0",
                                  .max = 2,
                                  .type = SQUALL_UINT,
                                  .verbs = SUBSCRIBE,
                                  AT(retain_handling)},
    [MQTT_ROW_SUBSCRIPTION_ID] = {.name = "subscription-id",
                                  .metavar = "N",
                                  .help = "number that deliveries bear; 0: none; 5 only",
                                  .fallback = "0",
                                  .max = MQTT_REMAINING_MAX,
                                  .type = SQUALL_UINT,
                                  .verbs = SUBSCRIBE,
                                  AT(subscription_id)},
    [MQTT_ROW_CONTAINS] = {.name = "contains",
                           .metavar = "TEXT",
                           .help = "bytes that the payload must hold",
                           .type = SQUALL_STRING,
                           .verbs = VERB(MQTT_VERB_AWAIT),
                           AT(contains)},
    [MQTT_ROW_CLEAN_START] = {.name = "clean-start",
                              .metavar = "WHICH",
                              .help = "true, false, or as the target says",
                              .fallback = "target",
                              .choices = cleans,
                              .type = SQUALL_CHOICE,
                              .verbs = VERB(MQTT_VERB_CONNECT),
                              AT(clean_start)},
    [MQTT_ROW_REASON] = {.name = "reason",
                         .metavar = "N",
                         .help = "reason code: 4 has the will published; 5 only",
                         .fallback = "0",
                         .max = 255,
                         .type = SQUALL_UINT,
                         .verbs = VERB(MQTT_VERB_DISCONNECT),
                         AT(reason)},
    [MQTT_ROW_SESSION_EXPIRY] = {.name = "session-expiry",
                                 .metavar = "TIME",
                                 .help = "another one than CONNECT's; 0s: CONNECT's; 5 only",
                                 .fallback = "0s",
                                 .max = UINT64_C(4294967295) * NS_PER_S,
                                 .type = SQUALL_DURATION,
                                 .verbs = VERB(MQTT_VERB_DISCONNECT),
                                 AT(session_expiry_ns)},
    [MQTT_ROW_RESET] =
        {.name = "reset", .help = "by TCP reset", .type = SQUALL_BOOL, .verbs = VERB(MQTT_VERB_DROP), AT(reset)},
};
#undef AT

static int32_t refuse(struct squall_error *error, const char *what, const char *why)
{
    snprintf(error->text, sizeof error->text, "%s: %s", what, why);
    return -1;
}

uint8_t mqtt_version_of(const struct squall_target *target)
{
    const struct mqtt_target_options *options = target->options;
    return options->version == 0 ? MQTT_3_1_1 : MQTT_5;
}

const char *mqtt_connect_refuse(const struct mqtt_target_options *options, const char **ret_name)
{
    const struct {
        const char *name;
        struct squall_bytes value;
        bool binary;
    } texts[] = {{"client-id", options->client_id, false},     {"username", options->username, false},
                 {"password", options->password, true},        {"will-topic", options->will_topic, false},
                 {"will-payload", options->will_payload, true}, {"auth-method", options->auth_method, false},
                 {"auth-data", options->auth_data, true}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        *ret_name = texts[i].name;
        if (texts[i].value.len > MQTT_TEXT_MAX)
            return "longer than 65,535 bytes (1.5.4)";
        if (!texts[i].binary && !mqtt_utf8_valid(texts[i].value))
            return "not UTF-8, or holds U+0000 (1.5.4)";
    }
    *ret_name = "will-topic";
    return options->will_topic.len > 0 ? mqtt_topic_refuse(options->will_topic) : NULL;
}

int32_t mqtt_target_init(struct squall_target *target, struct squall_error *error)
{
    const struct mqtt_target_options *options = target->options;
    struct mqtt_target *state = target->state;
    const char *name, *why = mqtt_connect_refuse(options, &name);
    if (why != NULL)
        return refuse(error, name, why);
    state->version = mqtt_version_of(target);
    if (state->version < MQTT_5 && (options->session_expiry_ns || options->will_delay_ns || options->properties.count ||
                                    options->will_properties.count || options->topic_alias_maximum ||
                                    options->auth_method.len || options->auth_data.len))
        return refuse(error, "version 3.1.1",
                      "it knows no session-expiry, will-delay, topic-alias-maximum, auth-method, auth-data and "
                      "properties; leave them out or "
                      "write version: 5");
    return 0;
}

/* ---- steps ----------------------------------------------------------------------------------------- */

static void add_text(struct mqtt_property *rows, uint64_t *count, uint8_t id, struct squall_bytes value)
{
    if (value.len > 0)
        rows[(*count)++] = (struct mqtt_property){.id = id, .value = value};
}

static void add_number(struct mqtt_property *rows, uint64_t *count, uint8_t id, uint64_t number)
{
    if (number > 0)
        rows[(*count)++] = (struct mqtt_property){.id = id, .number = (uint32_t)number};
}

struct mqtt_properties mqtt_publish_properties(const struct mqtt_step_options *options, uint64_t alias,
                                               struct mqtt_property *rows)
{
    uint64_t count = 0;
    add_number(rows, &count, MQTT_PAYLOAD_FORMAT, options->payload_format);
    add_number(rows, &count, MQTT_MESSAGE_EXPIRY, (options->expiry_ns + NS_PER_S - 1) / NS_PER_S);
    add_text(rows, &count, MQTT_CONTENT_TYPE, options->content_type);
    add_text(rows, &count, MQTT_RESPONSE_TOPIC, options->response_topic);
    add_text(rows, &count, MQTT_CORRELATION_DATA, options->correlation);
    add_number(rows, &count, MQTT_TOPIC_ALIAS, alias);
    return (struct mqtt_properties){.rows = rows, .count = count, .user = options->properties};
}

static int32_t init_publish(struct squall_step *view, const struct mqtt_step_options *options, uint64_t constant,
                            struct squall_error *error)
{
    struct mqtt_step *step = view->state;
    struct mqtt_target *target = view->target->state;
    const uint64_t shape = MQTT_BIT(MQTT_ROW_TOPIC) | MQTT_BIT(MQTT_ROW_EXPIRY) | MQTT_BIT(MQTT_ROW_CONTENT_TYPE) |
                           MQTT_BIT(MQTT_ROW_RESPONSE_TOPIC) | MQTT_BIT(MQTT_ROW_CORRELATION) |
                           MQTT_BIT(MQTT_ROW_PROPERTIES) | MQTT_BIT(MQTT_ROW_TOPIC_ALIAS);
    const uint64_t fixed = MQTT_BIT(MQTT_ROW_SUBSCRIBERS) | MQTT_BIT(MQTT_ROW_QOS) | MQTT_BIT(MQTT_ROW_TRACK);
    struct mqtt_property rows[MQTT_PUBLISH_PROPERTIES];
    struct mqtt_packet packet = {.type = MQTT_PUBLISH, .version = target->version, .qos = (uint8_t)options->qos};
    packet.properties = mqtt_publish_properties(options, options->topic_alias, rows);
    packet.topic = options->topic;
    if ((constant & fixed) != fixed)
        return refuse(error, "qos, track, subscribers", "they cannot hold variables");
    if (target->version < MQTT_5 && packet.properties.count + packet.properties.user.count > 0)
        return refuse(error, "version 3.1.1", "it has no properties and aliases; leave them out or write version: 5");
    step->checked = (constant & shape) == shape;
    if (step->checked && options->topic.len == 0 && options->topic_alias == 0)
        return refuse(error, "publish", "it names no topic; write `mqtt: publish TOPIC`, or mqtt://HOST/TOPIC");
    const char *why = step->checked ? mqtt_encode_refuse(&packet) : NULL;
    if (why != NULL)
        return refuse(error, "publish", why);
    if (options->payload.len > 0 && options->payload_file.len > 0)
        return refuse(error, "payload, payload-file", "both are given; leave one out");
    if (options->subscribers == 0)
        return 0;
    if (!(constant & MQTT_BIT(MQTT_ROW_TOPIC)))
        return refuse(error, "subscribers", "the topic holds variables; write a subscribe step");
    if (target->subscribed != NULL)
        return refuse(error, "subscribers", "one step of a target can have them; write subscribe steps");
    step->topic = options->topic;
    step->subscribers = options->subscribers;
    view->users = options->subscribers; /* they are users of the target */
    step->qos = (uint8_t)options->qos;
    target->subscribed = view;
    return 0;
}

static int32_t init_filters(const struct squall_step *view, const struct mqtt_step_options *options, uint64_t constant,
                            struct squall_error *error)
{
    const struct mqtt_target *target = view->target->state;
    const uint64_t shape = MQTT_BIT(MQTT_ROW_TOPIC) | MQTT_BIT(MQTT_ROW_FILTERS);
    const char *what = mqtt_verb_rows[view->verb].name, *why = NULL;
    struct mqtt_filter_list list;
    bool is_5 = options->no_local || options->retain_as_published || options->retain_handling ||
                options->subscription_id || options->properties.count;
    if (target->version < MQTT_5 && is_5)
        return refuse(error, "version 3.1.1",
                      "a filter has a QoS and nothing more; leave the rest out or write version: 5");
    if ((constant & shape) != shape)
        return 0;
    if (mqtt_filter_list_init(&list, options, &why) < 0)
        return refuse(error, what, why);
    struct mqtt_packet packet = {
        .type = MQTT_SUBSCRIBE, .version = target->version, .filters = {.rows = list.rows, .count = list.count}};
    why = mqtt_encode_refuse(&packet);
    mqtt_filter_list_fini(&list);
    return why == NULL ? 0 : refuse(error, what, why);
}

static int32_t init_await(const struct squall_step *view, const struct mqtt_step_options *options, uint64_t constant,
                          struct squall_error *error)
{
    const char *why = NULL;
    ((struct mqtt_target *)view->target->state)->await_steps = true;
    if ((constant & MQTT_BIT(MQTT_ROW_TOPIC)) && options->topic.len > 0)
        why = mqtt_filter_refuse(options->topic, true);
    return why == NULL ? 0 : refuse(error, "await", why);
}

int32_t mqtt_step_init(struct squall_step *view, const void *constant_options, uint64_t constant,
                       struct squall_error *error)
{
    struct mqtt_target *target = view->target->state;
    ((struct mqtt_step *)view->state)->constant = constant;
    if (target->first == NULL)
        target->first = view;
    switch (view->verb) {
    case MQTT_VERB_PUBLISH:
        return init_publish(view, constant_options, constant, error);
    case MQTT_VERB_SUBSCRIBE:
    case MQTT_VERB_UNSUBSCRIBE:
        return init_filters(view, constant_options, constant, error);
    case MQTT_VERB_AWAIT:
        return init_await(view, constant_options, constant, error);
    case MQTT_VERB_CONNECT:
        target->connect_steps = true;
        view->opens = 1;
        return 0;
    default:
        return 0;
    }
}
