/*
 * What the mqtt plugins measure beside the latency of exchanges: rows of mqtt_metric_rows.
 */
#ifndef SQUALL_MQTT_METRICS_H
#define SQUALL_MQTT_METRICS_H
#include <squall/plugin.h>

enum mqtt_metric {
    MQTT_CONNACK_NS,
    MQTT_SUBACK_NS,
    MQTT_UNSUBACK_NS,
    MQTT_PUBACK_NS,
    MQTT_PUBREC_NS,
    MQTT_PUBCOMP_NS,
    MQTT_QOS2_NS,
    MQTT_PING_NS,
    MQTT_DELIVERY_NS,
    MQTT_TRANSIT_NS,
    MQTT_RETAINED_NS,
    MQTT_WILL_NS,
    MQTT_DELIVERED,
    MQTT_RETAINED,
    MQTT_DUPLICATE,
    MQTT_OUT_OF_ORDER,
    MQTT_UNEXPECTED,
    MQTT_UNTRACKED,
    MQTT_REDELIVERED,
    MQTT_LATE_ACKS,
    MQTT_INBOX_LOST,
    MQTT_METRICS,
};
extern const struct squall_metric mqtt_metric_rows[MQTT_METRICS];

#endif
