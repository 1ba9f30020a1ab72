/*
 * Topic aliases of 5.0 (3.3.2.3.4), in both directions, for one connection. At most 64 each way: more are not asked for
 * and not accepted.
 */
#ifndef SQUALL_MQTT_ALIAS_H
#define SQUALL_MQTT_ALIAS_H
#include "conn.h"

#define MQTT_ALIASES_MAX 64

/* A PUBLISH of ours to *topic under an alias that the broker allows: leaves the topic out when the broker knows it. */
void mqtt_alias_use(struct squall_conn *conn, uint64_t alias, struct squall_bytes *topic);
/* That PUBLISH did not go out: the broker knows nothing by it. */
void mqtt_alias_forget(struct mqtt_conn *c, uint64_t alias);
/* The topic of a PUBLISH of the broker's; NULL, or why it is none. */
const char *mqtt_alias_resolve(struct squall_conn *conn, const struct mqtt_packet *packet,
                               struct squall_bytes *ret_topic);
void mqtt_alias_fini(struct mqtt_conn *c);

#endif
