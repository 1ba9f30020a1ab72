/* What becomes of messages that come and of exchanges that end, whichever engine moves the packets. */
#include "deliver.h"
#include "await.h"
#include "payload.h"
#include "reason.h"
#include "topic.h"
#include <stdio.h>
#include <string.h>

void mqtt_end(struct squall_conn *conn, struct squall_exchange *x, enum squall_outcome outcome, uint32_t code,
              const char *reason)
{
    const struct mqtt_exchange *exchange = x->state;
    struct squall_result result = {.outcome = outcome,
                                   .code = code,
                                   .bytes_in = exchange->bytes_in,
                                   .bytes_out = exchange->bytes_out,
                                   .reason = reason};
    if (outcome == SQUALL_OK && code >= MQTT_CODE(MQTT_UNSPECIFIED_ERROR))
        result.outcome = SQUALL_REJECTED;
    mqtt_host(conn)->done(x, &result);
}

void mqtt_deliver(struct squall_conn *conn, const struct mqtt_packet *packet, struct squall_bytes topic)
{
    const struct squall_host *host = mqtt_host(conn);
    const struct mqtt_subscription *one =
        mqtt_subscription_of(mqtt_session_of(conn), topic, packet->properties.encoded);
    const struct squall_step *step = one != NULL ? one->step : mqtt_first_step(conn);
    if (one == NULL) {
        host->sample(conn->worker, step, MQTT_UNEXPECTED, 1);
    } else if (packet->retain && !(one->options & MQTT_RETAIN_AS_PUBLISHED)) {
        host->sample(conn->worker, step, MQTT_RETAINED, 1);
        host->elapsed(conn->worker, step, MQTT_RETAINED_NS, one->since_ns);
    } else {
        bool ours = mqtt_track(conn, step, packet->payload);
        host->sample(conn->worker, step, ours ? MQTT_DELIVERED : MQTT_UNEXPECTED, 1);
    }
    mqtt_await_message(conn, packet, topic, step);
}

const char *mqtt_code_name(uint32_t code)
{
    return code > 0 ? mqtt_reason_name(code - 1) : NULL;
}

int32_t mqtt_matches(struct squall_bytes pattern, struct squall_bytes address)
{
    struct squall_bytes share;
    (void)mqtt_filter_unshared(pattern, &share);
    if (!mqtt_filter_matches(pattern, address))
        return 0;
    return share.len > 0 ? 2 : 1;
}

/* ---- record --------------------------------------------------------------------------------------------------- */

static struct squall_bytes text_of(const char *text)
{
    return (struct squall_bytes){.data = (const uint8_t *)text, .len = strlen(text)};
}

/* "Content Type" is named content-type. */
static struct squall_bytes field_name(const char *title, char *room, size_t size)
{
    size_t len = 0;
    for (; title[len] != '\0' && len + 1 < size; len++)
        room[len] = (char)(title[len] == ' '                        ? '-'
                           : title[len] >= 'A' && title[len] <= 'Z' ? title[len] + 32
                                                                    : title[len]);
    return (struct squall_bytes){.data = (const uint8_t *)room, .len = len};
}

static void tell_number(struct squall_recorder *recorder, struct squall_bytes name, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    recorder->field(recorder, name, text_of(text));
}

static void tell_properties(struct squall_recorder *recorder, struct squall_bytes block)
{
    struct mqtt_property property;
    char room[48];
    while (mqtt_property_next(&block, &property)) {
        const struct mqtt_property_row *row = mqtt_property_row(property.id);
        struct squall_bytes name = field_name(row->name, room, sizeof room);
        if (row->type == MQTT_PAIR)
            recorder->field(recorder, property.name, property.value);
        else if (row->type <= MQTT_VARINT)
            tell_number(recorder, name, property.number);
        else
            recorder->field(recorder, name, property.value);
    }
}

void mqtt_record(const struct squall_exchange *x, struct squall_recorder *recorder)
{
    const struct mqtt_exchange *exchange = x->state;
    const struct mqtt_packet *answer = exchange->answer;
    if (answer == NULL || !(x->wants & SQUALL_WANT_FIELDS))
        return;
    tell_properties(recorder, answer->properties.encoded);
    if (answer->type == MQTT_CONNACK)
        recorder->field(recorder, text_of("session-present"), text_of(answer->session_present ? "1" : "0"));
    if (answer->type != MQTT_PUBLISH)
        return;
    recorder->field(recorder, text_of("topic"), answer->topic);
    tell_number(recorder, text_of("qos"), answer->qos);
    tell_number(recorder, text_of("retain"), answer->retain);
    tell_number(recorder, text_of("dup"), answer->dup);
}

/* A publish step with `subscribers`: its first users have a subscription from the start. */
void mqtt_subscribe_from_the_start(struct squall_conn *conn)
{
    const struct mqtt_target *target = conn->target->state;
    const struct mqtt_step *step = target->subscribed != NULL ? target->subscribed->state : NULL;
    struct mqtt_session *session = mqtt_session_of(conn);
    if (step == NULL || conn->user->id > step->subscribers || mqtt_subscription_find(session, step->topic) != NULL)
        return;
    struct mqtt_subscription *one = mqtt_subscription_to(session, step->topic);
    if (one == NULL)
        return;
    one->step = target->subscribed;
    one->options = step->qos;
}
