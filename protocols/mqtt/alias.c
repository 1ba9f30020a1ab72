/* Two tables of topics, made when the first alias is used. */
#include "alias.h"
#include <stdlib.h>
#include <string.h>

struct text {
    uint8_t *data;
    uint64_t len;
};

struct mqtt_aliases {
    struct text sent[MQTT_ALIASES_MAX], received[MQTT_ALIASES_MAX];
};

static int keep(struct text *place, struct squall_bytes topic)
{
    uint8_t *data = malloc(topic.len);
    if (data == NULL)
        return -1;
    memcpy(data, topic.data, topic.len);
    free(place->data);
    *place = (struct text){data, topic.len};
    return 0;
}

static struct mqtt_aliases *aliases_of(struct mqtt_conn *c)
{
    if (c->aliases == NULL)
        c->aliases = calloc(1, sizeof *c->aliases);
    return c->aliases;
}

void mqtt_alias_use(struct squall_conn *conn, uint64_t alias, struct squall_bytes *topic)
{
    struct mqtt_aliases *aliases = aliases_of(conn->state);
    if (aliases == NULL)
        return; /* the topic goes out as it is, which is never wrong */
    struct text *place = &aliases->sent[alias - 1];
    if (place->data != NULL && place->len == topic->len && memcmp(place->data, topic->data, topic->len) == 0)
        *topic = (struct squall_bytes){.data = topic->data, .len = 0};
    else
        (void)keep(place, *topic);
}

void mqtt_alias_forget(struct mqtt_conn *c, uint64_t alias)
{
    if (c->aliases == NULL)
        return;
    struct text *place = &c->aliases->sent[alias - 1];
    free(place->data);
    *place = (struct text){0};
}

const char *mqtt_alias_resolve(struct squall_conn *conn, const struct mqtt_packet *packet,
                               struct squall_bytes *ret_topic)
{
    const struct mqtt_target_options *options = conn->target->options;
    if (!(packet->properties_seen & MQTT_SEEN(MQTT_TOPIC_ALIAS)))
        return NULL;
    uint32_t alias = mqtt_property_number(packet->properties.encoded, MQTT_TOPIC_ALIAS, 0);
    if (alias > options->topic_alias_maximum)
        return "a topic alias above the maximum that was allowed (3.3.2.3.4)";
    struct mqtt_aliases *aliases = aliases_of(conn->state);
    struct text *place = aliases != NULL ? &aliases->received[alias - 1] : NULL;
    if (packet->topic.len > 0)
        return place == NULL || keep(place, packet->topic) < 0 ? "no memory for its topic alias" : NULL;
    if (place == NULL || place->data == NULL)
        return "a topic alias that stands for nothing yet (3.3.2.3.4)";
    *ret_topic = (struct squall_bytes){.data = place->data, .len = place->len};
    return NULL;
}

void mqtt_alias_fini(struct mqtt_conn *c)
{
    for (uint32_t i = 0; c->aliases != NULL && i < MQTT_ALIASES_MAX; i++) {
        free(c->aliases->sent[i].data);
        free(c->aliases->received[i].data);
    }
    free(c->aliases);
    c->aliases = NULL;
}
