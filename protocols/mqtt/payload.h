/*
 * Payloads of PUBLISH: the text of the scenario, filled up to a size, and behind a header when deliveries are tracked.
 *
 * The header, 40 bytes, numbers in network order:
 *   0 "SQM1" a message, "SQMW" a will   4 run   8 publisher   16 sequence, from 1   24 intended   32 sent
 * run: the lower half of squall_worker.run, by which what an earlier run or another squall has left is known; publisher: a
 * user's number times 256 plus the number of its topic; times are CLOCK_MONOTONIC ns, as the engine gave them, so that
 * they mean something on one machine. Of a will publisher is its session's number, sequence the stamp of its CONNECT, and
 * times are 0: when it was lost is not known yet.
 *
 * The subscriber's side keeps for each pair of subscriber and publisher the last sequence and which of the 64 before it
 * have come, up to a number of pairs; what is past that is counted as untracked.
 */
#ifndef SQUALL_MQTT_PAYLOAD_H
#define SQUALL_MQTT_PAYLOAD_H
#include "conn.h"

#define MQTT_HEADER_SIZE 40

struct mqtt_header {
    uint8_t kind; /* '1' or 'W' */
    uint32_t run;
    uint64_t publisher, sequence, intended_ns, sent_ns;
};
void mqtt_header_write(uint8_t *at, const struct mqtt_header *header);
/* False: the payload does not begin with one. */
bool mqtt_header_read(struct squall_bytes payload, struct mqtt_header *ret_header);

/* What one pair of subscriber and publisher has seen. */
struct mqtt_pair {
    uint64_t subscriber, publisher; /* publisher 0: free */
    uint64_t last, window;          /* bit i: last - i has come */
};
enum mqtt_arrival { MQTT_NEW, MQTT_AGAIN, MQTT_BEHIND };
/* Takes a sequence into a pair. A sequence more than 63 behind the last counts as BEHIND: nobody knows any more. */
enum mqtt_arrival mqtt_pair_take(struct mqtt_pair *pair, uint64_t sequence);

/* squall_worker.state */
struct mqtt_worker {
    struct mqtt_pair *pairs; /* open addressing; size a power of two, at most half full */
    uint64_t size, used;
    uint8_t *noise; /* random bytes to fill payloads with; NULL: not needed yet */
    uint64_t noise_at;
    struct paho_client *closed; /* of the other engine: clients that a thread of its library may still come back to */
};
void mqtt_worker_fini(struct squall_worker *worker);
/* The pair, found or made; NULL: the limit is reached, or there is no memory. */
struct mqtt_pair *mqtt_pair_of(struct mqtt_worker *worker, uint64_t limit, uint64_t subscriber, uint64_t publisher);

/* What one exchange's messages hold. */
struct mqtt_payload {
    uint64_t size;
    bool track, random;
    struct squall_bytes text;
    struct mqtt_stream *stream; /* NULL: not tracked */
    struct mqtt_header header;
};
/* NULL, or why the exchange cannot be sent. */
const char *mqtt_payload_plan(struct mqtt_payload *payload, struct squall_conn *conn, struct squall_exchange *x);
/* Writes payload->size bytes, and counts the message as one that went out. */
void mqtt_payload_write(uint8_t *at, struct mqtt_payload *payload, struct squall_conn *conn, uint64_t sent_ns);

/* A message of a subscription has come, without its retain flag. False: its header is of another run. */
bool mqtt_track(struct squall_conn *conn, const struct squall_step *step, struct squall_bytes payload);
/* The will of a session that times its will: `payload` behind a header, allocated; NULL data: no memory. */
struct squall_bytes mqtt_will_payload(const struct squall_conn *conn, struct squall_bytes payload);
/* The connection goes without DISCONNECT: its will is due from now on. */
void mqtt_will_dropped(struct squall_conn *conn);

#endif
