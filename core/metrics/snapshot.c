/*
 * Snapshots as MessagePack. See snapshot.h. Maps carry names, so that a worker and a controller of neighbouring
 * versions understand each other; what is a table in series.h or snapshot.h is a table of fields here.
 */
#include "metrics/snapshot.h"
#include "metrics/reader.h"
#include <math.h>
#include <msgpack.h>
#include <string.h>

#define SNAPSHOT_VERSION 1u
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A uint64_t of a struct. */
struct field {
    const char *name;
    size_t offset;
};

#define FACT(name) {#name, offsetof(struct generator_facts, name)}
static const struct field fact_fields[] = {
    FACT(cpu_ns),           FACT(rss_bytes),  FACT(users),           FACT(connections),         FACT(users_max),
    FACT(connections_max),  FACT(longest_stall_ns), FACT(spool_lost),     FACT(waited_user),
    FACT(ended_at_ns), FACT(started_until_ns),
    FACT(waited_connection), FACT(ports_exhausted), FACT(descriptors_exhausted),
    FACT(syn_retransmits),   FACT(retransmits),     FACT(reopened),
    FACT(never_up),
};
_Static_assert(sizeof(fact_fields) / sizeof(fact_fields[0]) * sizeof(uint64_t) == sizeof(struct generator_facts),
               "each fact has its row");

#define LEDGER_OUTCOME(name, key, word) {key, offsetof(struct ledger, outcomes) + OUTCOME_##name * sizeof(uint64_t)},
#define LEDGER(name) {#name, offsetof(struct ledger, name)}
static const struct field ledger_fields[] = {
    LEDGER(due),   LEDGER(completed), LEDGER(failed),    LEDGER(dropped), LEDGER(journeys_unfinished),
    LEDGER(begun), LEDGER(bytes_in),  LEDGER(bytes_out), OUTCOMES(LEDGER_OUTCOME)};
_Static_assert(sizeof(ledger_fields) / sizeof(ledger_fields[0]) == LEDGER_CELLS, "each cell has its row");
static const char *const block_names[BLOCK_COUNT] = {"warmup", "measured"};

#define SERIES_OUTCOME(name, key, word) {key, offsetof(struct series, outcomes) + OUTCOME_##name * sizeof(uint64_t)},
#define SERIES(name) {#name, offsetof(struct series, name)}
static const struct field series_fields[] = {SERIES(count),        SERIES(bytes_in),           SERIES(bytes_out),
                                             SERIES(lower_bounds), SERIES(lower_bound_min_ns), SERIES(messages_sent),
                                             SERIES(messages_received), SERIES(messages_answered),
                                             SERIES(messages_unanswered), SERIES(few.count), SERIES(few.ns),
                                             SERIES(full.count), SERIES(full.ns), OUTCOMES(SERIES_OUTCOME)};

/* A histogram of a struct. */
#define PHASE(index) offsetof(struct series, phases) + (index) * sizeof(struct histogram)
static const struct field series_histograms[] = {SERIES(latency_ok),
                                                 SERIES(latency_failed),
                                                 SERIES(service),
                                                 SERIES(message_latency),
                                                 SERIES(message_service),
                                                 SERIES(message_first),
                                                 SERIES(message_gap),
                                                 {"dns", PHASE(PHASE_DNS)},
                                                 {"connect", PHASE(PHASE_CONNECT)},
                                                 {"tls", PHASE(PHASE_TLS)},
                                                 {"wait", PHASE(PHASE_WAIT)},
                                                 {"first_byte", PHASE(PHASE_FIRST_BYTE)}};
#define STORE(name) {#name, offsetof(struct store, name)}
static const struct field store_fields[] = {STORE(errors_more), STORE(skipped_ticks)};
static const struct field store_histograms[] = {STORE(journey_ns), STORE(self_delay), STORE(send_lag), STORE(receive_lag)};
#define HISTOGRAM(name) {#name, offsetof(struct histogram, name)}
static const struct field histogram_fields[] = {HISTOGRAM(count), HISTOGRAM(overflow), HISTOGRAM(min), HISTOGRAM(max)};
#define SNAPSHOT(name) {#name, offsetof(struct snapshot, name)}
static const struct field snapshot_fields[] = {SNAPSHOT(sequence), SNAPSHOT(window)};

/* ---- Packing ----------------------------------------------------------------------------------- */

struct packing {
    struct buffer *out;
    bool full;
};

static int append(void *data, const char *bytes, size_t len)
{
    struct packing *packing = data;
    if (packing->full || buffer_append(packing->out, bytes, len) < 0)
        packing->full = true;
    return packing->full ? -1 : 0;
}

static void pack_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str_with_body(packer, text, strlen(text));
}

static void pack_fields(msgpack_packer *packer, const struct field *fields, size_t count, const void *from)
{
    for (size_t i = 0; i < count; i++) {
        pack_text(packer, fields[i].name);
        msgpack_pack_uint64(packer, *(const uint64_t *)(const void *)((const char *)from + fields[i].offset));
    }
}

#define NUMBER_MAX 9  /* bytes of one as MessagePack writes it */
#define STRIDE     16 /* slots that are looked at together: most of a range holds nothing */

/* At its shortest, as msgpack_pack_uint64 does: there are thousands a second, too many for a call each. */
static uint8_t *put_number(uint8_t *at, uint64_t number)
{
    if (number < 0x80) {
        *at++ = (uint8_t)number;
        return at;
    }
    int log = (number > UINT8_MAX) + (number > UINT16_MAX) + (number > UINT32_MAX); /* of its bytes */
    *at++ = (uint8_t)(0xcc + log);
    for (int shift = (8 << log) - 8; shift >= 0; shift -= 8)
        *at++ = (uint8_t)(number >> shift);
    return at;
}

static bool all_empty(const uint64_t *slots)
{
    uint64_t any = 0;
    for (int i = 0; i < STRIDE; i++)
        any |= slots[i];
    return any == 0;
}

/* The slots in [from, to) that hold something, the first of them counted from *next; how many there are. */
static uint32_t pack_stride(struct packing *packing, const uint64_t *slots, uint32_t from, uint32_t to, uint32_t *next)
{
    uint8_t piece[STRIDE * 2 * NUMBER_MAX], *at = piece;
    uint32_t used = 0;
    for (uint32_t i = from; i < to; i++) {
        if (!slots[i])
            continue;
        at = put_number(put_number(at, i - *next), slots[i]);
        *next = i + 1;
        used++;
    }
    append(packing, (const char *)piece, (size_t)(at - piece));
    return used;
}

/* Pairs of (slots skipped since the last one, count). How many there are is known behind them: it is filled in. */
static void pack_slots(msgpack_packer *packer, const struct histogram *histogram)
{
    struct packing *packing = packer->data;
    char head[5] = {(char)0xdd}; /* array 32 */
    append(packing, head, sizeof head);
    const size_t number_at = packing->out->len - 4;
    const uint32_t end = histogram->high + 1;
    uint32_t used = 0, next = 0;
    for (uint32_t from = histogram->low; from < end; from += STRIDE) {
        bool whole = end - from >= STRIDE;
        if (!whole || !all_empty(histogram->slots + from))
            used += pack_stride(packing, histogram->slots, from, whole ? from + STRIDE : end, &next);
    }
    for (size_t i = 0; i < 4 && !packing->full; i++)
        packing->out->data[number_at + i] = (uint8_t)(2 * used >> (24 - 8 * i));
}

static void pack_histogram(msgpack_packer *packer, const struct histogram *histogram)
{
    if (histogram->count == 0) {
        msgpack_pack_nil(packer);
        return;
    }
    msgpack_pack_map(packer, COUNT(histogram_fields) + 2);
    pack_fields(packer, histogram_fields, COUNT(histogram_fields), histogram);
    pack_text(packer, "sum");
    msgpack_pack_double(packer, histogram->sum);
    pack_text(packer, "slots");
    pack_slots(packer, histogram);
}

static void pack_histograms(msgpack_packer *packer, const struct field *fields, size_t count, const void *from)
{
    for (size_t i = 0; i < count; i++) {
        pack_text(packer, fields[i].name);
        pack_histogram(packer, (const struct histogram *)(const void *)((const char *)from + fields[i].offset));
    }
}

static void pack_series(msgpack_packer *packer, const struct series *series)
{
    msgpack_pack_map(packer, COUNT(series_fields) + COUNT(series_histograms) + 2);
    pack_fields(packer, series_fields, COUNT(series_fields), series);
    pack_histograms(packer, series_histograms, COUNT(series_histograms), series);
    pack_text(packer, "codes");
    msgpack_pack_array(packer, 2 * (size_t)series->code_count);
    for (uint32_t i = 0; i < series->code_count; i++) {
        msgpack_pack_uint32(packer, series->codes[i].code);
        msgpack_pack_uint64(packer, series->codes[i].count);
    }
    pack_text(packer, "metrics");
    msgpack_pack_array(packer, 2 * (size_t)series->metric_count);
    for (uint32_t i = 0; i < series->metric_count; i++) {
        msgpack_pack_uint64(packer, series->metrics[i].counter);
        pack_histogram(packer, &series->metrics[i].histogram);
    }
}

static void pack_lists(msgpack_packer *packer, const struct store *store)
{
    pack_text(packer, "series");
    msgpack_pack_array(packer, store->series_count);
    for (uint32_t i = 0; i < store->series_count; i++)
        pack_series(packer, &store->series[i]);
    pack_text(packer, "checks");
    msgpack_pack_array(packer, 2 * (size_t)store->check_count);
    for (uint32_t i = 0; i < store->check_count; i++) {
        msgpack_pack_uint64(packer, store->checks[i].passed);
        msgpack_pack_uint64(packer, store->checks[i].failed);
    }
    pack_text(packer, "transactions");
    msgpack_pack_array(packer, 3 * (size_t)store->transaction_count);
    for (uint32_t i = 0; i < store->transaction_count; i++) {
        msgpack_pack_uint64(packer, store->transactions[i].count);
        msgpack_pack_uint64(packer, store->transactions[i].failed);
        pack_histogram(packer, &store->transactions[i].duration_ns);
    }
    pack_text(packer, "errors");
    msgpack_pack_array(packer, 4 * (size_t)store->error_count);
    for (uint32_t i = 0; i < store->error_count; i++) {
        pack_text(packer, store->errors[i].text);
        msgpack_pack_uint64(packer, store->errors[i].count);
        msgpack_pack_uint64(packer, store->errors[i].first_at_ns);
        msgpack_pack_uint64(packer, store->errors[i].last_at_ns);
    }
}

int snapshot_pack(const struct snapshot *snapshot, struct buffer *out)
{
    const struct store *store = &snapshot->store;
    struct packing packing = {.out = out};
    size_t before = out->len;
    msgpack_packer packer;
    msgpack_packer_init(&packer, &packing, append);
    msgpack_pack_map(&packer, 4 + COUNT(snapshot_fields) + BLOCK_COUNT + COUNT(store_fields) + COUNT(store_histograms) + 4);
    pack_text(&packer, "version");
    msgpack_pack_uint32(&packer, SNAPSHOT_VERSION);
    pack_text(&packer, "worker");
    msgpack_pack_uint32(&packer, snapshot->worker);
    pack_text(&packer, "last");
    msgpack_pack_uint32(&packer, snapshot->last);
    pack_fields(&packer, snapshot_fields, COUNT(snapshot_fields), snapshot);
    pack_text(&packer, "facts");
    msgpack_pack_map(&packer, COUNT(fact_fields));
    pack_fields(&packer, fact_fields, COUNT(fact_fields), &snapshot->facts);
    for (int i = 0; i < BLOCK_COUNT; i++) {
        pack_text(&packer, block_names[i]);
        msgpack_pack_map(&packer, COUNT(ledger_fields));
        pack_fields(&packer, ledger_fields, COUNT(ledger_fields), &store->ledgers[i]);
    }
    pack_fields(&packer, store_fields, COUNT(store_fields), store);
    pack_histograms(&packer, store_histograms, COUNT(store_histograms), store);
    pack_lists(&packer, store);
    if (packing.full)
        out->len = before;
    return packing.full ? -1 : 0;
}

/* ---- Unpacking --------------------------------------------------------------------------------- */

struct key {
    const char *text;
    size_t len;
};

static bool key_is(struct key key, const char *name)
{
    return strlen(name) == key.len && memcmp(name, key.text, key.len) == 0;
}

/* What a map may hold beside uint64_t fields and histograms: true when the key was known and its value read. */
typedef bool other_fn(struct reader *reader, struct key key, void *into);

struct shape {
    const struct field *fields;
    size_t field_count;
    const struct field *histograms;
    size_t histogram_count;
    other_fn *other; /* may be NULL */
};

static const struct field *find_field(const struct field *fields, size_t count, struct key key)
{
    for (size_t i = 0; i < count; i++)
        if (key_is(key, fields[i].name))
            return &fields[i];
    return NULL;
}

static void unpack_histogram(struct reader *reader, struct histogram *histogram);

static void unpack_map(struct reader *reader, const struct shape *shape, void *into)
{
    uint32_t pairs = reader_map(reader);
    for (uint32_t i = 0; i < pairs && !reader->why; i++) {
        struct key key;
        key.text = reader_text(reader, &key.len);
        const struct field *field = find_field(shape->fields, shape->field_count, key);
        const struct field *histogram = find_field(shape->histograms, shape->histogram_count, key);
        if (field)
            *(uint64_t *)(void *)((char *)into + field->offset) = reader_uint(reader, UINT64_MAX);
        else if (histogram)
            unpack_histogram(reader, (struct histogram *)(void *)((char *)into + histogram->offset));
        else if (!shape->other || !shape->other(reader, key, into))
            reader_skip(reader);
    }
}

/* A histogram while it is read. */
struct filling {
    struct histogram histogram; /* first: what the message calls by name lies at its offsets */
    uint64_t samples;           /* in its slots */
};

static void unpack_slots(struct reader *reader, struct filling *filling)
{
    uint32_t values = reader_array(reader), next = 0;
    if (values % 2)
        reader_fail(reader, "half a pair of slots");
    for (uint32_t i = 0; i < values / 2 && !reader->why; i++) {
        uint32_t index = next + (uint32_t)reader_uint(reader, HISTOGRAM_SLOTS - 1);
        uint64_t count = reader_uint(reader, UINT64_MAX);
        if (index >= HISTOGRAM_SLOTS || count == 0)
            reader_fail(reader, "a histogram slot out of range");
        if (reader->why)
            return;
        histogram_add_slot(&filling->histogram, index, count);
        filling->samples += count;
        next = index + 1;
    }
}

static bool histogram_other(struct reader *reader, struct key key, void *into)
{
    struct filling *filling = into;
    if (key_is(key, "sum"))
        filling->histogram.sum = reader_double(reader);
    else if (key_is(key, "slots"))
        unpack_slots(reader, filling);
    else
        return false;
    return true;
}

static uint32_t slot_of(uint64_t value)
{
    return histogram_index(value > HISTOGRAM_MAX_VALUE ? HISTOGRAM_MAX_VALUE : value);
}

/* The slots must bear out what is said about them: else percentiles would be made of nothing. */
static bool filling_holds(const struct filling *filling)
{
    const struct histogram *histogram = &filling->histogram;
    return filling->samples > 0 && filling->samples == histogram->count && histogram->overflow <= histogram->count &&
           histogram->min <= histogram->max && slot_of(histogram->min) == histogram->low &&
           slot_of(histogram->max) == histogram->high && isfinite(histogram->sum) && histogram->sum >= 0;
}

static void unpack_histogram(struct reader *reader, struct histogram *histogram)
{
    static const struct shape shape = {histogram_fields, COUNT(histogram_fields), NULL, 0, histogram_other};
    histogram_reset(histogram);
    if (reader_nil(reader))
        return;
    struct filling filling = {.histogram = *histogram};
    unpack_map(reader, &shape, &filling);
    *histogram = filling.histogram;
    if (!reader->why && !filling_holds(&filling))
        reader_fail(reader, "a histogram whose counts do not add up");
}

/* The head of a list that must have exactly that many values. */
static uint32_t expect_values(struct reader *reader, uint64_t expected, const char *why)
{
    uint32_t values = reader_array(reader);
    if (!reader->why && values != expected)
        reader_fail(reader, why);
    return reader->why ? 0 : values;
}

static void unpack_codes(struct reader *reader, struct series *series)
{
    uint32_t values = reader_array(reader);
    if (values % 2 || values > 2 * SERIES_CODES_MAX)
        reader_fail(reader, "too many codes");
    series->code_count = 0;
    for (uint32_t i = 0; i < values / 2 && !reader->why; i++) {
        uint32_t code = (uint32_t)reader_uint(reader, UINT32_MAX);
        series_code(series, code, reader_uint(reader, UINT64_MAX));
    }
}

static bool series_other(struct reader *reader, struct key key, void *into)
{
    struct series *series = into;
    if (key_is(key, "codes")) {
        unpack_codes(reader, series);
        return true;
    }
    if (!key_is(key, "metrics"))
        return false;
    uint32_t values = expect_values(reader, 2 * (uint64_t)series->metric_count, "another number of metrics than the scenario's");
    for (uint32_t i = 0; i < values / 2 && !reader->why; i++) {
        series->metrics[i].counter = reader_uint(reader, UINT64_MAX);
        unpack_histogram(reader, &series->metrics[i].histogram);
    }
    return true;
}

static void unpack_series(struct reader *reader, struct store *store)
{
    static const struct shape shape = {series_fields, COUNT(series_fields), series_histograms, COUNT(series_histograms),
                                       series_other};
    uint32_t count = expect_values(reader, store->series_count, "another number of steps than the scenario's");
    for (uint32_t i = 0; i < count && !reader->why; i++)
        unpack_map(reader, &shape, &store->series[i]);
}

static void unpack_checks(struct reader *reader, struct store *store)
{
    uint32_t values = expect_values(reader, 2 * (uint64_t)store->check_count, "another number of checks than the scenario's");
    for (uint32_t i = 0; i < values / 2 && !reader->why; i++) {
        store->checks[i].passed = reader_uint(reader, UINT64_MAX);
        store->checks[i].failed = reader_uint(reader, UINT64_MAX);
    }
}

static void unpack_transactions(struct reader *reader, struct store *store)
{
    uint32_t values = expect_values(reader, 3 * (uint64_t)store->transaction_count,
                                    "another number of transactions than the scenario's");
    for (uint32_t i = 0; i < values / 3 && !reader->why; i++) {
        store->transactions[i].count = reader_uint(reader, UINT64_MAX);
        store->transactions[i].failed = reader_uint(reader, UINT64_MAX);
        unpack_histogram(reader, &store->transactions[i].duration_ns);
    }
}

static void unpack_errors(struct reader *reader, struct store *store)
{
    uint32_t values = reader_array(reader);
    if (values % 4 || values > 4 * ERRORS_MAX)
        reader_fail(reader, "too many errors");
    for (uint32_t i = 0; i < values / 4 && !reader->why; i++) {
        char text[sizeof(store->errors[0].text)] = "";
        size_t len = 0;
        const char *bytes = reader_text(reader, &len);
        if (len >= sizeof(text))
            reader_fail(reader, "an error text that is too long");
        else
            memcpy(text, bytes, len);
        uint64_t count = reader_uint(reader, UINT64_MAX);
        uint64_t first_at_ns = reader_uint(reader, UINT64_MAX), last_at_ns = reader_uint(reader, UINT64_MAX);
        if (!reader->why)
            store_error(store, text, count, first_at_ns, last_at_ns);
    }
}

static bool store_other(struct reader *reader, struct key key, struct store *store)
{
    static const struct shape ledger_shape = {ledger_fields, COUNT(ledger_fields), NULL, 0, NULL};
    for (int i = 0; i < BLOCK_COUNT; i++) {
        if (key_is(key, block_names[i])) {
            unpack_map(reader, &ledger_shape, &store->ledgers[i]);
            return true;
        }
    }
    const struct field *histogram = find_field(store_histograms, COUNT(store_histograms), key);
    const struct field *field = find_field(store_fields, COUNT(store_fields), key);
    if (histogram)
        unpack_histogram(reader, (struct histogram *)(void *)((char *)store + histogram->offset));
    else if (field)
        *(uint64_t *)(void *)((char *)store + field->offset) = reader_uint(reader, UINT64_MAX);
    else if (key_is(key, "series"))
        unpack_series(reader, store);
    else if (key_is(key, "checks"))
        unpack_checks(reader, store);
    else if (key_is(key, "transactions"))
        unpack_transactions(reader, store);
    else if (key_is(key, "errors"))
        unpack_errors(reader, store);
    else
        return false;
    return true;
}

/* A snapshot while it is read, and which of the keys it cannot do without have been seen. */
struct unpacking {
    struct snapshot snapshot;
    bool version, worker;
};

static bool snapshot_other(struct reader *reader, struct key key, void *into)
{
    static const struct shape fact_shape = {fact_fields, COUNT(fact_fields), NULL, 0, NULL};
    struct unpacking *unpacking = into;
    struct snapshot *snapshot = &unpacking->snapshot;
    if (key_is(key, "version")) {
        if (reader_uint(reader, UINT32_MAX) != SNAPSHOT_VERSION)
            reader_fail(reader, "a version of snapshots that this squall does not speak: run the same squall everywhere");
        unpacking->version = true;
    } else if (key_is(key, "worker")) {
        snapshot->worker = (uint32_t)reader_uint(reader, UINT32_MAX);
        unpacking->worker = true;
    } else if (key_is(key, "last")) {
        snapshot->last = (uint32_t)reader_uint(reader, 1);
    } else if (key_is(key, "facts")) {
        unpack_map(reader, &fact_shape, &snapshot->facts);
    } else {
        return store_other(reader, key, &snapshot->store);
    }
    return true;
}

int snapshot_unpack(const uint8_t *data, size_t len, struct snapshot *ret_snapshot, struct error *error)
{
    static const struct shape shape = {snapshot_fields, COUNT(snapshot_fields), NULL, 0, snapshot_other};
    struct unpacking unpacking = {.snapshot.store = ret_snapshot->store};
    struct store *store = &unpacking.snapshot.store;
    struct reader reader;
    store_reset(store);
    memset(store->ledgers, 0, sizeof(store->ledgers));
    reader_init(&reader, data, len);
    unpack_map(&reader, &shape, &unpacking);
    if (!reader.why && reader.at != reader.end)
        reader_fail(&reader, "bytes behind the message");
    if (!reader.why && (!unpacking.version || !unpacking.worker))
        reader_fail(&reader, "no version or no worker is named");
    if (!reader.why) {
        *ret_snapshot = unpacking.snapshot;
        return 0;
    }
    /* The histograms' memory is shared with ret_snapshot, and some may have been mapped here. */
    store_reset(store);
    memset(store->ledgers, 0, sizeof(store->ledgers));
    ret_snapshot->store = *store;
    return error_set_code(error, EXIT_CODE_INVALID, "a snapshot of %zu bytes was refused at byte %zu: %s", len,
                          (size_t)(reader.at - reader.start), reader.why);
}
