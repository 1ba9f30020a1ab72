/* Waiters in a chain, in the order in which they came, and messages in one buffer, oldest first. */
#include "await.h"
#include "topic.h"
#include <stdlib.h>
#include <string.h>

/* A message in the inbox: this, then topic, properties and payload. */
struct kept {
    uint64_t topic_len, properties_len, payload_len;
    uint32_t size; /* of the packet on the wire */
    uint8_t qos, dup, retain, version;
};

struct mqtt_inbox {
    uint64_t len;
    uint8_t bytes[MQTT_INBOX_MAX];
};

/* ---- matching ------------------------------------------------------------------------------------------ */

static bool holds(struct squall_bytes payload, struct squall_bytes wanted)
{
    return wanted.len == 0 ||
           (payload.len >= wanted.len && memmem(payload.data, payload.len, wanted.data, wanted.len) != NULL);
}

static bool matches(struct squall_bytes filter, struct squall_bytes contains, struct squall_bytes topic,
                    struct squall_bytes payload)
{
    return (filter.len == 0 || mqtt_filter_matches(filter, topic)) && holds(payload, contains);
}

static void end_with(struct squall_conn *conn, struct squall_exchange *x, const struct mqtt_packet *packet,
                     struct squall_bytes topic)
{
    struct mqtt_exchange *exchange = x->state;
    struct mqtt_packet whole;
    if (topic.data != packet->topic.data) { /* an alias stood for it */
        whole = *packet;
        whole.topic = topic;
        packet = &whole;
    }
    exchange->answer = packet;
    exchange->bytes_in = packet->size;
    if (x->wants & SQUALL_WANT_BODY)
        mqtt_host(conn)->body(x, packet->payload);
    mqtt_end(conn, x, SQUALL_OK, 0, NULL);
}

/* ---- the inbox ------------------------------------------------------------------------------------------- */

static uint64_t kept_size(const struct kept *kept)
{
    return sizeof *kept + kept->topic_len + kept->properties_len + kept->payload_len;
}

static void inbox_remove(struct mqtt_inbox *inbox, uint64_t at, uint64_t len)
{
    memmove(inbox->bytes + at, inbox->bytes + at + len, inbox->len - at - len);
    inbox->len -= len;
}

static void inbox_add(struct squall_conn *conn, const struct mqtt_packet *packet, struct squall_bytes topic,
                      const struct squall_step *step)
{
    struct mqtt_conn *c = conn->state;
    struct kept kept = {.topic_len = topic.len,
                        .properties_len = packet->properties.encoded.len,
                        .payload_len = packet->payload.len,
                        .size = packet->size,
                        .qos = packet->qos,
                        .dup = packet->dup,
                        .retain = packet->retain,
                        .version = packet->version};
    uint64_t size = kept_size(&kept);
    if (c->inbox == NULL)
        c->inbox = calloc(1, sizeof *c->inbox);
    struct mqtt_inbox *inbox = c->inbox;
    if (inbox == NULL || size > MQTT_INBOX_MAX) {
        mqtt_host(conn)->sample(conn->worker, step, MQTT_INBOX_LOST, 1);
        return;
    }
    while (inbox->len + size > MQTT_INBOX_MAX) {
        struct kept oldest;
        memcpy(&oldest, inbox->bytes, sizeof oldest);
        inbox_remove(inbox, 0, kept_size(&oldest));
        mqtt_host(conn)->sample(conn->worker, step, MQTT_INBOX_LOST, 1);
    }
    uint8_t *at = inbox->bytes + inbox->len;
    memcpy(at, &kept, sizeof kept);
    at += sizeof kept;
    memcpy(at, topic.data, topic.len);
    at += topic.len;
    if (kept.properties_len > 0)
        memcpy(at, packet->properties.encoded.data, kept.properties_len);
    at += kept.properties_len;
    if (kept.payload_len > 0)
        memcpy(at, packet->payload.data, kept.payload_len);
    inbox->len += size;
}

/* Ends x with the oldest message that it wants; false: there is none. */
static bool take_from_inbox(struct squall_conn *conn, struct squall_exchange *x,
                            const struct mqtt_step_options *options)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_inbox *inbox = c->inbox;
    for (uint64_t at = 0; inbox != NULL && at < inbox->len;) {
        struct kept kept;
        memcpy(&kept, inbox->bytes + at, sizeof kept);
        const uint8_t *bytes = inbox->bytes + at + sizeof kept;
        struct mqtt_packet packet = {
            .type = MQTT_PUBLISH, .version = kept.version, .qos = kept.qos, .dup = kept.dup, .retain = kept.retain};
        packet.size = kept.size;
        packet.topic = (struct squall_bytes){bytes, kept.topic_len};
        packet.properties.encoded = (struct squall_bytes){bytes + kept.topic_len, kept.properties_len};
        packet.payload = (struct squall_bytes){bytes + kept.topic_len + kept.properties_len, kept.payload_len};
        if (matches(options->topic, options->contains, packet.topic, packet.payload)) {
            end_with(conn, x, &packet, packet.topic);
            inbox_remove(inbox, at, kept_size(&kept));
            return true;
        }
        at += kept_size(&kept);
    }
    return false;
}

/* ---- waiters --------------------------------------------------------------------------------------------- */

void mqtt_await(struct squall_conn *conn, struct squall_exchange *x)
{
    struct mqtt_conn *c = conn->state;
    const struct mqtt_step_options *options = x->options;
    const char *why = options->topic.len > 0 ? mqtt_filter_refuse(options->topic, true) : NULL;
    struct mqtt_waiter *waiter = NULL;
    if (why == NULL && take_from_inbox(conn, x, options))
        return;
    if (why == NULL) {
        waiter = malloc(sizeof *waiter + options->topic.len + options->contains.len);
        why = waiter == NULL ? "no memory" : NULL;
    }
    if (why != NULL) {
        mqtt_end(conn, x, SQUALL_UNSENT, 0, why);
        return;
    }
    /* An empty text has no address to copy from. */
    if (options->topic.len > 0)
        memcpy(waiter->bytes, options->topic.data, options->topic.len);
    if (options->contains.len > 0)
        memcpy(waiter->bytes + options->topic.len, options->contains.data, options->contains.len);
    waiter->filter = (struct squall_bytes){waiter->bytes, options->topic.len};
    waiter->contains = (struct squall_bytes){waiter->bytes + options->topic.len, options->contains.len};
    waiter->exchange = x;
    waiter->next = NULL;
    struct mqtt_waiter **last = &c->waiters;
    while (*last != NULL)
        last = &(*last)->next;
    *last = waiter;
}

static void unlink_waiter(struct mqtt_waiter **place)
{
    struct mqtt_waiter *waiter = *place;
    *place = waiter->next;
    free(waiter);
}

void mqtt_await_cancel(struct mqtt_conn *c, const struct squall_exchange *x)
{
    for (struct mqtt_waiter **place = &c->waiters; *place != NULL; place = &(*place)->next) {
        if ((*place)->exchange == x) {
            unlink_waiter(place);
            return;
        }
    }
}

void mqtt_await_message(struct squall_conn *conn, const struct mqtt_packet *packet, struct squall_bytes topic,
                        const struct squall_step *step)
{
    struct mqtt_conn *c = conn->state;
    for (struct mqtt_waiter **place = &c->waiters; *place != NULL; place = &(*place)->next) {
        if (!matches((*place)->filter, (*place)->contains, topic, packet->payload))
            continue;
        struct squall_exchange *x = (*place)->exchange;
        unlink_waiter(place);
        end_with(conn, x, packet, topic);
        return;
    }
    if (((const struct mqtt_target *)conn->target->state)->await_steps)
        inbox_add(conn, packet, topic, step);
}

struct squall_exchange *mqtt_await_take(struct mqtt_conn *c)
{
    struct squall_exchange *x = c->waiters != NULL ? c->waiters->exchange : NULL;
    if (x != NULL)
        unlink_waiter(&c->waiters);
    return x;
}

void mqtt_await_fini(struct mqtt_conn *c)
{
    while (mqtt_await_take(c) != NULL)
        ;
    free(c->inbox);
    c->inbox = NULL;
}
