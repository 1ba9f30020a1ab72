/* For who looks on: what the library is asked for, and what it tells, as the packets that these stand for. */
#ifndef SQUALL_MQTT_PAHO_TRACE_H
#define SQUALL_MQTT_PAHO_TRACE_H
#include "filters.h"
#include "paho_client.h"

void paho_trace_connect(struct squall_conn *conn, const struct mqtt_target_options *options, bool clean);
void paho_trace_publish(struct squall_conn *conn, const struct mqtt_step_options *options, struct squall_bytes payload);
/* kind: PAHO_SUBSCRIBE or PAHO_UNSUBSCRIBE. */
void paho_trace_filters(struct squall_conn *conn, uint8_t kind, const struct mqtt_filter_list *list);
void paho_trace_disconnect(struct squall_conn *conn);
void paho_trace_answer(struct squall_conn *conn, const struct paho_call *call);

#endif
