/*
 * The filters of a SUBSCRIBE or UNSUBSCRIBE step: the option `topic`, and the list `filters`, whose entries are texts,
 * or maps with a `topic` and options of their own:
 *
 *   filters: [ "a/#", { topic: "b/+/c", qos: 1, no-local: true } ]
 */
#ifndef SQUALL_MQTT_FILTERS_H
#define SQUALL_MQTT_FILTERS_H
#include "options.h"

#define MQTT_FILTERS_MAX 64

struct mqtt_filter_list {
    struct mqtt_filter rows[MQTT_FILTERS_MAX];
    uint64_t count;
    uint8_t *text; /* allocated: what the rows of `filters` point into */
};

/* 0, or -1 with *ret_why, static. The rows stay valid until mqtt_filter_list_fini, and as long as the options. */
int mqtt_filter_list_init(struct mqtt_filter_list *list, const struct mqtt_step_options *options, const char **ret_why);
void mqtt_filter_list_fini(struct mqtt_filter_list *list);

#endif
