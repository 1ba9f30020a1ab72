/* A ring of acknowledgements in the order of their times, which is the order in which they came. */
#include "acks.h"
#include "encode.h"
#include <stdlib.h>

struct waiting_ack {
    uint64_t due_ns;
    uint16_t packet_id;
    uint8_t type;
};

struct mqtt_acks {
    uint32_t first, count, size; /* size: a power of two */
    struct waiting_ack ring[];
};
#define ACKS_FIRST 16
#define ACKS_MAX   131072 /* two for each packet identifier */

static void send_ack(struct squall_conn *conn, uint8_t type, uint16_t packet_id)
{
    struct mqtt_conn *c = conn->state;
    uint8_t *room = mqtt_host(conn)->out_reserve(conn, MQTT_ACK_SIZE);
    if (room == NULL) {
        mqtt_host(conn)->fail(conn, "no room in the output for an acknowledgement");
        return;
    }
    mqtt_encode_ack(room, type, packet_id);
    mqtt_trace_sent(conn, room, MQTT_ACK_SIZE);
    mqtt_host(conn)->out_commit(conn, MQTT_ACK_SIZE);
    c->written_ns = mqtt_host(conn)->now_ns(conn->worker);
    if (type != MQTT_PUBREC && c->unacknowledged > 0)
        c->unacknowledged--;
}

static struct mqtt_acks *with_room(struct mqtt_acks *acks)
{
    if (acks != NULL && acks->count < acks->size)
        return acks;
    uint32_t size = acks == NULL ? ACKS_FIRST : acks->size * 2;
    struct mqtt_acks *more = size <= ACKS_MAX ? malloc(sizeof *more + size * sizeof more->ring[0]) : NULL;
    if (more == NULL)
        return NULL;
    *more = (struct mqtt_acks){.size = size};
    for (; acks != NULL && more->count < acks->count; more->count++)
        more->ring[more->count] = acks->ring[(acks->first + more->count) & (acks->size - 1)];
    free(acks);
    return more;
}

void mqtt_ack(struct squall_conn *conn, uint8_t type, uint16_t packet_id)
{
    struct mqtt_conn *c = conn->state;
    if (c->ack_delay_ns == 0) {
        send_ack(conn, type, packet_id);
        return;
    }
    struct mqtt_acks *acks = with_room(c->acks);
    if (acks == NULL) {
        mqtt_host(conn)->fail(conn, "too many acknowledgements wait, or no memory");
        return;
    }
    c->acks = acks;
    uint64_t due_ns = mqtt_host(conn)->now_ns(conn->worker) + c->ack_delay_ns;
    acks->ring[(acks->first + acks->count++) & (acks->size - 1)] =
        (struct waiting_ack){.due_ns = due_ns, .packet_id = packet_id, .type = type};
    if (acks->count == 1)
        mqtt_host(conn)->tick_at(conn, due_ns);
}

uint64_t mqtt_acks_due(struct squall_conn *conn, uint64_t now_ns)
{
    struct mqtt_conn *c = conn->state;
    struct mqtt_acks *acks = c->acks;
    while (acks != NULL && acks->count > 0) {
        const struct waiting_ack *ack = &acks->ring[acks->first];
        if (ack->due_ns > now_ns)
            return ack->due_ns;
        acks->first = (acks->first + 1) & (acks->size - 1);
        acks->count--;
        send_ack(conn, ack->type, ack->packet_id);
    }
    return 0;
}

void mqtt_acks_fini(struct mqtt_conn *c)
{
    free(c->acks);
    c->acks = NULL;
}
