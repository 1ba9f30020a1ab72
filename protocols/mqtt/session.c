/* The session's lists. They grow by doubling and are small for a device that does one thing at a time. */
#include "session.h"
#include "topic.h"
#include <stdlib.h>
#include <string.h>

static void drop_packet(struct mqtt_slot *slot)
{
    free(slot->packet);
    slot->packet = NULL;
    slot->packet_len = 0;
}

void mqtt_session_reset(struct mqtt_session *session)
{
    for (uint32_t i = 0; i < session->slot_count; i++) {
        drop_packet(&session->slots[i]);
        session->slots[i].state = MQTT_SLOT_FREE;
    }
    session->used = 0;
    session->received_count = 0;
}

static void session_fini(struct mqtt_session *session)
{
    mqtt_session_reset(session);
    for (uint32_t i = 0; i < session->subscription_count; i++)
        free((void *)(uintptr_t)session->subscriptions[i].filter.data);
    free((void *)(uintptr_t)session->assigned_id.data);
    if (session->slots != &session->first)
        free(session->slots);
    free(session->received);
    free(session->subscriptions);
}

struct mqtt_session *mqtt_user_session(struct squall_user *view, const struct squall_target *target)
{
    struct mqtt_user *user = view->state;
    for (struct mqtt_session *session = user->sessions; session != NULL; session = session->next)
        if (session->target == target)
            return session;
    struct mqtt_session *session = &user->first;
    if (user->session_count > 0)
        session = user->session_count < MQTT_SESSIONS_MAX ? calloc(1, sizeof *session) : NULL;
    if (session == NULL)
        return NULL;
    session->slots = &session->first;
    session->slot_count = 1;
    session->target = target;
    session->number = view->id << 8 | user->session_count++;
    session->next = user->sessions;
    user->sessions = session;
    return session;
}

void mqtt_user_fini(struct squall_user *view)
{
    struct mqtt_user *user = view->state;
    while (user->sessions != NULL) {
        struct mqtt_session *session = user->sessions;
        user->sessions = session->next;
        session_fini(session);
        if (session != &user->first)
            free(session);
    }
    free(user->streams);
    *user = (struct mqtt_user){0};
}

void mqtt_session_detach(struct mqtt_session *session, bool keep)
{
    if (!keep)
        mqtt_session_reset(session);
    for (uint32_t i = 0; i < session->slot_count; i++) {
        struct mqtt_slot *slot = &session->slots[i];
        slot->exchange = NULL;
        slot->resent = false;
        /* SUBSCRIBE and UNSUBSCRIBE are no part of the session's state (4.1). */
        if (slot->state >= MQTT_SLOT_SUBACK)
            mqtt_slot_free(session, slot);
    }
    mqtt_subscriptions_doubt(session);
}

/* ---- packet identifiers ------------------------------------------------------------------------------ */

/* Twice the places. An identifier's place is its remainder, so that two which had places of their own still do. */
static int grow(struct mqtt_session *session)
{
    uint32_t count = session->slot_count * 2u;
    struct mqtt_slot *slots = count <= MQTT_SLOTS_MAX ? calloc(count, sizeof *slots) : NULL;
    if (slots == NULL)
        return -1;
    for (uint32_t i = 0; i < session->slot_count; i++)
        if (session->slots[i].state != MQTT_SLOT_FREE)
            slots[session->slots[i].id & (count - 1)] = session->slots[i];
    if (session->slots != &session->first)
        free(session->slots);
    session->slots = slots;
    session->slot_count = (uint16_t)count;
    return 0;
}

struct mqtt_slot *mqtt_slot_take(struct mqtt_session *session, uint32_t limit)
{
    if (session->used >= limit || (session->used == session->slot_count && grow(session) < 0))
        return NULL;
    for (;;) {
        session->last_id++;
        if (session->last_id == 0)
            continue;
        struct mqtt_slot *slot = &session->slots[session->last_id & (session->slot_count - 1u)];
        if (slot->state != MQTT_SLOT_FREE)
            continue;
        slot->id = session->last_id;
        slot->exchange = NULL;
        slot->resent = false;
        session->used++;
        return slot;
    }
}

struct mqtt_slot *mqtt_slot_find(struct mqtt_session *session, uint16_t id)
{
    struct mqtt_slot *slot = &session->slots[id & (session->slot_count - 1u)];
    return slot->state != MQTT_SLOT_FREE && slot->id == id ? slot : NULL;
}

void mqtt_slot_free(struct mqtt_session *session, struct mqtt_slot *slot)
{
    if (slot->packet != NULL)
        drop_packet(slot);
    slot->state = MQTT_SLOT_FREE;
    slot->exchange = NULL;
    session->used--;
}

/* ---- QoS 2 received ------------------------------------------------------------------------------------ */

int mqtt_received_add(struct mqtt_session *session, uint16_t id)
{
    for (uint32_t i = 0; i < session->received_count; i++)
        if (session->received[i] == id)
            return 0;
    if (session->received_count == session->received_size) {
        uint32_t size = session->received_size == 0 ? 8 : session->received_size * 2u;
        uint16_t *received = size <= UINT16_MAX ? realloc(session->received, size * sizeof *received) : NULL;
        if (received == NULL)
            return -1;
        session->received = received;
        session->received_size = (uint16_t)size;
    }
    session->received[session->received_count++] = id;
    return 1;
}

bool mqtt_received_remove(struct mqtt_session *session, uint16_t id)
{
    for (uint32_t i = 0; i < session->received_count; i++) {
        if (session->received[i] != id)
            continue;
        session->received_count--;
        memmove(session->received + i, session->received + i + 1,
                (session->received_count - i) * sizeof *session->received);
        return true;
    }
    return false;
}

/* ---- subscriptions -------------------------------------------------------------------------------------- */

static bool same(struct squall_bytes one, struct squall_bytes other)
{
    return one.len == other.len && memcmp(one.data, other.data, one.len) == 0;
}

struct mqtt_subscription *mqtt_subscription_find(struct mqtt_session *session, struct squall_bytes filter)
{
    for (uint32_t i = 0; i < session->subscription_count; i++)
        if (same(session->subscriptions[i].filter, filter))
            return &session->subscriptions[i];
    return NULL;
}

static int room_for_one(struct mqtt_session *session)
{
    uint32_t size = session->subscription_size == 0 ? 1 : session->subscription_size * 2u;
    if (session->subscription_count < session->subscription_size)
        return 0;
    struct mqtt_subscription *more =
        size <= MQTT_SUBSCRIPTIONS_MAX ? realloc(session->subscriptions, size * sizeof *more) : NULL;
    if (more == NULL)
        return -1;
    session->subscriptions = more;
    session->subscription_size = (uint16_t)size;
    return 0;
}

struct mqtt_subscription *mqtt_subscription_to(struct mqtt_session *session, struct squall_bytes filter)
{
    struct mqtt_subscription *place = mqtt_subscription_find(session, filter);
    if (place != NULL || room_for_one(session) < 0)
        return place;
    uint8_t *copy = malloc(filter.len > 0 ? filter.len : 1);
    if (copy == NULL)
        return NULL;
    memcpy(copy, filter.data, filter.len);
    place = &session->subscriptions[session->subscription_count++];
    *place = (struct mqtt_subscription){.filter = {.data = copy, .len = filter.len}};
    return place;
}

void mqtt_subscription_remove(struct mqtt_session *session, struct mqtt_subscription *subscription)
{
    free((void *)(uintptr_t)subscription->filter.data);
    *subscription = session->subscriptions[--session->subscription_count];
}

void mqtt_subscription_count(struct mqtt_subscription *subscription, struct squall_worker *worker, bool wanted)
{
    struct squall_bytes filter = subscription->filter;
    if (subscription->counted == wanted)
        return;
    subscription->counted = wanted;
    bool plain = memchr(filter.data, '+', filter.len) == NULL && memchr(filter.data, '#', filter.len) == NULL &&
                 filter.data[0] != '$';
    worker->host->want(worker, subscription->step, filter, plain, wanted ? 1 : -1);
}

void mqtt_subscriptions_forget(struct mqtt_session *session, struct squall_worker *worker)
{
    while (session->subscription_count > 0) {
        struct mqtt_subscription *last = &session->subscriptions[session->subscription_count - 1];
        mqtt_subscription_count(last, worker, false);
        mqtt_subscription_remove(session, last);
    }
}

void mqtt_subscriptions_doubt(struct mqtt_session *session)
{
    for (uint32_t i = 0; i < session->subscription_count; i++)
        if (session->subscriptions[i].state == MQTT_SUBSCRIBING)
            session->subscriptions[i].state = MQTT_LOST;
}

void mqtt_subscriptions_lose(struct mqtt_session *session)
{
    for (uint32_t i = 0; i < session->subscription_count; i++)
        session->subscriptions[i].state = MQTT_LOST;
}

uint64_t mqtt_subscriptions_lost(const struct mqtt_session *session, struct mqtt_filter *rows, uint64_t limit,
                                 const struct squall_step **ret_step, uint32_t *ret_id)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < session->subscription_count && count < limit; i++) {
        const struct mqtt_subscription *one = &session->subscriptions[i];
        if (one->state != MQTT_LOST || (count > 0 && (one->step != *ret_step || one->id != *ret_id)))
            continue;
        *ret_step = one->step;
        *ret_id = one->id;
        rows[count++] = (struct mqtt_filter){one->filter, one->options};
    }
    return count;
}

static const struct mqtt_subscription *by_identifier(const struct mqtt_session *session, uint32_t id)
{
    for (uint32_t i = 0; i < session->subscription_count; i++)
        if (session->subscriptions[i].id == id)
            return &session->subscriptions[i];
    return NULL;
}

const struct mqtt_subscription *mqtt_subscription_of(const struct mqtt_session *session, struct squall_bytes topic,
                                                     struct squall_bytes properties)
{
    uint32_t id = properties.len > 0 ? mqtt_property_number(properties, MQTT_SUBSCRIPTION_ID, 0) : 0;
    const struct mqtt_subscription *found = id > 0 ? by_identifier(session, id) : NULL;
    for (uint32_t i = 0; found == NULL && i < session->subscription_count; i++)
        if (mqtt_filter_matches(session->subscriptions[i].filter, topic))
            found = &session->subscriptions[i];
    return found;
}
