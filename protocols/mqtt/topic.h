/*
 * Topic names and topic filters (4.7), shared subscriptions (4.8.2).
 */
#ifndef SQUALL_MQTT_TOPIC_H
#define SQUALL_MQTT_TOPIC_H
#include <squall/plugin.h>
#include <stdbool.h>

/* Why it is no topic name (a PUBLISH may be sent to it), or NULL. An empty name is refused: 5.0 allows it beside a
 * topic alias, which is the caller's to know. Static text. */
const char *mqtt_topic_refuse(struct squall_bytes topic);
/* Why it is no topic filter, or NULL. `$share/NAME/FILTER` is taken apart only when `shared` (5.0; to 3.1.1 it is
 * text). */
const char *mqtt_filter_refuse(struct squall_bytes filter, bool shared);
/* The filter of a shared subscription without `$share/NAME/`, with the share's name in ret_share; any other filter as
 * it is, with an empty name. */
struct squall_bytes mqtt_filter_unshared(struct squall_bytes filter, struct squall_bytes *ret_share);
/* Whether a valid topic name matches a valid filter, wildcards, `$` rule (4.7.2) and share included. */
bool mqtt_filter_matches(struct squall_bytes filter, struct squall_bytes topic);

#endif
