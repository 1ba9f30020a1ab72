/*
 * What a scenario can say about an MQTT target and an MQTT step: the option tables of the plugin, and what is worked
 * out of them once, when the scenario is loaded.
 */
#ifndef SQUALL_MQTT_OPTIONS_H
#define SQUALL_MQTT_OPTIONS_H
#include "packet.h"

/* Kinds of step, in the order of mqtt_verb_rows. The URL form's is the first. */
enum mqtt_verb {
    MQTT_VERB_PUBLISH,
    MQTT_VERB_SUBSCRIBE,
    MQTT_VERB_UNSUBSCRIBE,
    MQTT_VERB_AWAIT,
    MQTT_VERB_CONNECT,
    MQTT_VERB_DISCONNECT,
    MQTT_VERB_DROP,
    MQTT_VERB_PING,
    MQTT_VERBS,
};
extern const struct squall_verb mqtt_verb_rows[MQTT_VERBS];

/* Durations are in ns, as the engine gives them. */
struct mqtt_target_options {
    uint64_t version; /* index of {"3.1.1", "5"}: see mqtt_version_of */
    struct squall_bytes client_id, username, password, auth_method, auth_data;
    uint64_t clean_start, session_expiry_ns, keep_alive_ns;
    struct squall_bytes will_topic, will_payload;
    uint64_t will_qos, will_retain, will_delay_ns, will_track;
    struct squall_map will_properties, properties;
    uint64_t receive_maximum, packet_max, topic_alias_maximum, ack_delay_ns, delivery_track;
};
#define MQTT_TARGET_ROWS 22
extern const struct squall_option mqtt_target_rows[MQTT_TARGET_ROWS];

/* Rows of mqtt_step_rows, in their order: bit i of a `constant` mask is row i. */
enum mqtt_row {
    MQTT_ROW_TOPIC,
    MQTT_ROW_PAYLOAD,
    MQTT_ROW_PAYLOAD_FILE,
    MQTT_ROW_SIZE,
    MQTT_ROW_FILL,
    MQTT_ROW_QOS,
    MQTT_ROW_RETAIN,
    MQTT_ROW_COUNT,
    MQTT_ROW_TRACK,
    MQTT_ROW_SUBSCRIBERS,
    MQTT_ROW_TOPIC_ALIAS,
    MQTT_ROW_EXPIRY,
    MQTT_ROW_PAYLOAD_FORMAT,
    MQTT_ROW_CONTENT_TYPE,
    MQTT_ROW_RESPONSE_TOPIC,
    MQTT_ROW_CORRELATION,
    MQTT_ROW_PROPERTIES,
    MQTT_ROW_FILTERS,
    MQTT_ROW_NO_LOCAL,
    MQTT_ROW_RETAIN_AS_PUBLISHED,
    MQTT_ROW_RETAIN_HANDLING,
    MQTT_ROW_SUBSCRIPTION_ID,
    MQTT_ROW_CONTAINS,
    MQTT_ROW_CLEAN_START,
    MQTT_ROW_REASON,
    MQTT_ROW_SESSION_EXPIRY,
    MQTT_ROW_RESET,
    MQTT_STEP_ROWS,
};
#define MQTT_BIT(row) (UINT64_C(1) << (row))

enum mqtt_fill { MQTT_FILL_X, MQTT_FILL_RANDOM };
enum mqtt_clean { MQTT_CLEAN_TARGET, MQTT_CLEAN_TRUE, MQTT_CLEAN_FALSE };

struct mqtt_step_options {
    struct squall_bytes topic, payload, payload_file;
    uint64_t size, fill, qos, retain, count, track, subscribers, topic_alias;
    uint64_t expiry_ns, payload_format;
    struct squall_bytes content_type, response_topic, correlation;
    struct squall_map properties;
    struct squall_tree filters;
    uint64_t no_local, retain_as_published, retain_handling, subscription_id;
    struct squall_bytes contains;
    uint64_t clean_start, reason, session_expiry_ns, reset;
};
extern const struct squall_option mqtt_step_rows[MQTT_STEP_ROWS];

/* squall_target.state. Written while the scenario is loaded, then read only. */
struct mqtt_target {
    const struct squall_step *first;      /* books what belongs to no step of its own */
    const struct squall_step *subscribed; /* a publish step that has subscribers */
    uint8_t version;                      /* enum mqtt_version */
    bool connect_steps, await_steps;
};

/* squall_step.state. Immutable after step_init. */
struct mqtt_step {
    uint64_t constant;
    bool checked; /* all that could be refused is constant and was not */
    /* Of a publish with subscribers: what these subscribe to. Run memory. */
    struct squall_bytes topic;
    uint64_t subscribers;
    uint8_t qos;
};

uint8_t mqtt_version_of(const struct squall_target *target);
/* The texts of CONNECT: why one cannot be sent, and which; NULL: all can. Empty ones, and so those that vary as they stand
 * in target_init, can. */
const char *mqtt_connect_refuse(const struct mqtt_target_options *options, const char **ret_name);
int32_t mqtt_target_init(struct squall_target *target, struct squall_error *error);
int32_t mqtt_step_init(struct squall_step *step, const void *constant_options, uint64_t constant,
                       struct squall_error *error);

/* Properties of a PUBLISH from its options, with a topic alias or without (0): rows (at most MQTT_PUBLISH_PROPERTIES)
 * and user properties. */
#define MQTT_PUBLISH_PROPERTIES 6
struct mqtt_properties mqtt_publish_properties(const struct mqtt_step_options *options, uint64_t alias,
                                               struct mqtt_property *rows);

#endif
