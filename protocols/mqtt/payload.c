/* Payloads as they go out, and what is known of them when they come. */
#include "payload.h"
#include "wire.h"
#include <stdlib.h>
#include <string.h>

#define NOISE_SIZE  (64u << 10)
#define PAIRS_FIRST 64

/* ---- the header ---------------------------------------------------------------------------------------- */

static uint8_t *put_u64(uint8_t *at, uint64_t value)
{
    return mqtt_put_u32(mqtt_put_u32(at, (uint32_t)(value >> 32)), (uint32_t)value);
}

static uint32_t take_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t take_u64(const uint8_t *at)
{
    return (uint64_t)take_u32(at) << 32 | take_u32(at + 4);
}

void mqtt_header_write(uint8_t *at, const struct mqtt_header *header)
{
    memcpy(at, "SQM", 3);
    at[3] = header->kind;
    at = mqtt_put_u32(at + 4, header->run);
    at = put_u64(at, header->publisher);
    at = put_u64(at, header->sequence);
    at = put_u64(at, header->intended_ns);
    put_u64(at, header->sent_ns);
}

bool mqtt_header_read(struct squall_bytes payload, struct mqtt_header *ret_header)
{
    const uint8_t *at = payload.data;
    if (payload.len < MQTT_HEADER_SIZE || memcmp(at, "SQM", 3) != 0 || (at[3] != '1' && at[3] != 'W'))
        return false;
    *ret_header = (struct mqtt_header){.kind = at[3],
                                       .run = take_u32(at + 4),
                                       .publisher = take_u64(at + 8),
                                       .sequence = take_u64(at + 16),
                                       .intended_ns = take_u64(at + 24),
                                       .sent_ns = take_u64(at + 32)};
    return true;
}

/* ---- pairs ----------------------------------------------------------------------------------------------- */

enum mqtt_arrival mqtt_pair_take(struct mqtt_pair *pair, uint64_t sequence)
{
    if (sequence > pair->last) {
        uint64_t ahead = sequence - pair->last;
        pair->window = ahead < 64 ? pair->window << ahead | 1 : 1;
        pair->last = sequence;
        return MQTT_NEW;
    }
    uint64_t behind = pair->last - sequence;
    if (behind >= 64)
        return MQTT_BEHIND;
    if (pair->window >> behind & 1)
        return MQTT_AGAIN;
    pair->window |= UINT64_C(1) << behind;
    return MQTT_BEHIND;
}

static uint64_t mix(uint64_t subscriber, uint64_t publisher)
{
    uint64_t hash = subscriber * UINT64_C(0x9e3779b97f4a7c15) ^ publisher * UINT64_C(0xc2b2ae3d27d4eb4f);
    hash ^= hash >> 29;
    return hash * UINT64_C(0xbf58476d1ce4e5b9);
}

static struct mqtt_pair *place_of(struct mqtt_pair *pairs, uint64_t size, uint64_t subscriber, uint64_t publisher)
{
    uint64_t at = mix(subscriber, publisher) >> 20;
    for (;; at++) {
        struct mqtt_pair *pair = &pairs[at & (size - 1)];
        if (pair->publisher == 0 || (pair->publisher == publisher && pair->subscriber == subscriber))
            return pair;
    }
}

static int grow(struct mqtt_worker *worker)
{
    uint64_t size = worker->size == 0 ? PAIRS_FIRST : worker->size * 2;
    struct mqtt_pair *pairs = calloc(size, sizeof *pairs);
    if (pairs == NULL)
        return -1;
    for (uint64_t i = 0; i < worker->size; i++) {
        const struct mqtt_pair *pair = &worker->pairs[i];
        if (pair->publisher != 0)
            *place_of(pairs, size, pair->subscriber, pair->publisher) = *pair;
    }
    free(worker->pairs);
    worker->pairs = pairs;
    worker->size = size;
    return 0;
}

struct mqtt_pair *mqtt_pair_of(struct mqtt_worker *worker, uint64_t limit, uint64_t subscriber, uint64_t publisher)
{
    struct mqtt_pair *pair = worker->size > 0 ? place_of(worker->pairs, worker->size, subscriber, publisher) : NULL;
    if (pair != NULL && pair->publisher != 0)
        return pair;
    if (publisher == 0 || worker->used >= limit)
        return NULL;
    if (worker->used + 1 > worker->size / 2) {
        if (grow(worker) < 0)
            return NULL;
        pair = place_of(worker->pairs, worker->size, subscriber, publisher);
    }
    worker->used++;
    *pair = (struct mqtt_pair){.subscriber = subscriber, .publisher = publisher};
    return pair;
}

void mqtt_worker_fini(struct squall_worker *view)
{
    struct mqtt_worker *worker = view->state;
    free(worker->pairs);
    free(worker->noise);
}

/* ---- going out ----------------------------------------------------------------------------------------- */

static uint64_t hash_of(struct squall_bytes text)
{
    uint64_t hash = UINT64_C(1469598103934665603); /* FNV-1a */
    for (uint64_t i = 0; i < text.len; i++)
        hash = (hash ^ text.data[i]) * UINT64_C(1099511628211);
    return hash;
}

/* The user's stream of messages to a topic; NULL: it has too many, or no memory. */
static struct mqtt_stream *stream_of(struct squall_conn *conn, const struct squall_step *step,
                                     struct squall_bytes topic)
{
    struct mqtt_user *user = conn->user->state;
    uint64_t hash = hash_of(topic);
    for (uint32_t i = 0; i < user->stream_count; i++)
        if (user->streams[i].topic_hash == hash)
            return &user->streams[i];
    if (user->stream_count == MQTT_STREAMS_MAX)
        return NULL;
    struct mqtt_stream *streams = realloc(user->streams, (user->stream_count + 1u) * sizeof *streams);
    if (streams == NULL)
        return NULL;
    user->streams = streams;
    struct mqtt_stream *stream = &streams[user->stream_count++];
    *stream = (struct mqtt_stream){.topic_hash = hash, .address = mqtt_host(conn)->address(conn->worker, step, topic)};
    return stream;
}

static const uint8_t *noise(struct squall_worker *view)
{
    struct mqtt_worker *worker = view->state;
    if (worker->noise != NULL)
        return worker->noise;
    worker->noise = malloc(NOISE_SIZE);
    for (uint64_t i = 0; worker->noise != NULL && i < NOISE_SIZE; i += 8)
        put_u64(worker->noise + i, view->host->random(view));
    return worker->noise;
}

const char *mqtt_payload_plan(struct mqtt_payload *payload, struct squall_conn *conn, struct squall_exchange *x)
{
    const struct mqtt_step_options *options = x->options;
    bool track = options->track || options->subscribers > 0;
    *payload = (struct mqtt_payload){.text = options->payload.len > 0 ? options->payload : options->payload_file,
                                     .random = options->fill == MQTT_FILL_RANDOM};
    if (track && options->topic.len > 0)
        payload->stream = stream_of(conn, x->step, options->topic);
    payload->track = payload->stream != NULL;
    if (track && !payload->track)
        mqtt_host(conn)->sample(conn->worker, x->step, MQTT_UNTRACKED, 1);
    payload->size = payload->text.len + (payload->track ? MQTT_HEADER_SIZE : 0);
    if (payload->size < options->size)
        payload->size = options->size;
    if (payload->random && noise(conn->worker) == NULL)
        return "no memory";
    if (payload->track) {
        const struct mqtt_user *user = conn->user->state;
        payload->header =
            (struct mqtt_header){.kind = '1',
                                 .run = (uint32_t)conn->worker->run,
                                 .publisher = conn->user->id << 8 | (uint64_t)(payload->stream - user->streams),
                                 .intended_ns = x->intended_ns};
    }
    return NULL;
}

static void fill(uint8_t *at, uint64_t len, bool random, struct squall_worker *view)
{
    struct mqtt_worker *worker = view->state;
    if (!random) {
        memset(at, 'x', len);
        return;
    }
    while (len > 0) {
        uint64_t part = NOISE_SIZE - worker->noise_at < len ? NOISE_SIZE - worker->noise_at : len;
        memcpy(at, worker->noise + worker->noise_at, part);
        worker->noise_at = (worker->noise_at + part) % NOISE_SIZE;
        at += part;
        len -= part;
    }
}

void mqtt_payload_write(uint8_t *at, struct mqtt_payload *payload, struct squall_conn *conn, uint64_t sent_ns)
{
    uint8_t *end = at + payload->size;
    if (payload->track) {
        payload->header.sequence = ++payload->stream->sequence;
        payload->header.sent_ns = sent_ns;
        mqtt_header_write(at, &payload->header);
        at += MQTT_HEADER_SIZE;
    }
    at = mqtt_put_raw(at, payload->text);
    if (at < end)
        fill(at, (uint64_t)(end - at), payload->random, conn->worker);
}

/* ---- coming in ------------------------------------------------------------------------------------------- */

/* The loss of one connection, for the worker that sees its will: by what the will bears. */
static uint64_t loss_of(uint64_t session, uint64_t connect_ns)
{
    return mix(session, connect_ns);
}

struct squall_bytes mqtt_will_payload(const struct squall_conn *conn, struct squall_bytes payload)
{
    const struct mqtt_conn *c = conn->state;
    const struct mqtt_header header = {.kind = 'W',
                                       .run = (uint32_t)conn->worker->run,
                                       .publisher = mqtt_session_of(conn)->number,
                                       .sequence = c->connect_ns};
    uint8_t *bytes = malloc(MQTT_HEADER_SIZE + payload.len);
    if (bytes == NULL)
        return (struct squall_bytes){0};
    mqtt_header_write(bytes, &header);
    mqtt_put_raw(bytes + MQTT_HEADER_SIZE, payload);
    return (struct squall_bytes){.data = bytes, .len = MQTT_HEADER_SIZE + payload.len};
}

void mqtt_will_dropped(struct squall_conn *conn)
{
    const struct mqtt_conn *c = conn->state;
    const struct mqtt_target_options *options = conn->target->options;
    if (options->will_track &&
        mqtt_host(conn)->set_out(conn->worker, loss_of(mqtt_session_of(conn)->number, c->connect_ns)) < 0)
        mqtt_host(conn)->sample(conn->worker, mqtt_first_step(conn), MQTT_UNTRACKED, 1);
}

static void will_delivered(struct squall_conn *conn, const struct squall_step *step, const struct mqtt_header *header)
{
    uint64_t loss = loss_of(header->publisher, header->sequence);
    if (mqtt_host(conn)->arrived(conn->worker, step, MQTT_WILL_NS, loss) < 0)
        mqtt_host(conn)->sample(conn->worker, step, MQTT_UNTRACKED, 1);
}

static void delivered(struct squall_conn *conn, const struct squall_step *step, const struct mqtt_header *header)
{
    const struct squall_host *host = mqtt_host(conn);
    const struct mqtt_target_options *options = conn->target->options;
    uint64_t now_ns = host->stamp_ns(conn->worker);
    if (header->intended_ns > now_ns || header->sent_ns > now_ns)
        return; /* of another machine's clock: no time of ours */
    struct mqtt_pair *pair =
        mqtt_pair_of(conn->worker->state, options->delivery_track, mqtt_session_of(conn)->number, header->publisher);
    if (pair == NULL) {
        host->sample(conn->worker, step, MQTT_UNTRACKED, 1);
        return;
    }
    enum mqtt_arrival arrival = mqtt_pair_take(pair, header->sequence);
    if (arrival == MQTT_AGAIN) {
        host->sample(conn->worker, step, MQTT_DUPLICATE, 1);
        return;
    }
    if (arrival == MQTT_BEHIND)
        host->sample(conn->worker, step, MQTT_OUT_OF_ORDER, 1);
    host->elapsed(conn->worker, step, MQTT_DELIVERY_NS, header->intended_ns);
    host->elapsed(conn->worker, step, MQTT_TRANSIT_NS, header->sent_ns);
}

bool mqtt_track(struct squall_conn *conn, const struct squall_step *step, struct squall_bytes payload)
{
    struct mqtt_header header;
    if (!mqtt_header_read(payload, &header))
        return true;
    if (header.run != (uint32_t)conn->worker->run)
        return false;
    if (header.kind == 'W')
        will_delivered(conn, step, &header);
    else
        delivered(conn, step, &header);
    return true;
}
