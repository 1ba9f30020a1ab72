/*
 * What an HTTP/2 server sends: any bytes are taken to the end or end the session, and mean the same whole and in
 * pieces. Input: one byte for what is asked (two requests and a half: bit 0, one has a body; bit 1, windows by hand;
 * bit 2, the second is given up at its first byte), one for the size of the pieces, then the server's bytes.
 */
#include "h2_session.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STREAMS    3
#define OUTPUT_MAX (16u << 20)

struct run {
    struct h2_memory memory;
    struct h2_session *session;
    struct h2_stream streams[STREAMS];
    bool open[STREAMS], cancel;
    bool reset, over; /* a stream was reset by us; the session is over */
    bool late;        /* nghttp2 has reset a stream without a word, as when SETTINGS make its window too large */
    uint8_t *room;
    size_t out_len;
    uint64_t sum; /* of all that is told; body bytes count one by one, so that pieces of a body do not */
};

static void add(struct run *run, const void *data, size_t len)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < len; i++)
        run->sum = (run->sum ^ bytes[i]) * UINT64_C(0x100000001b3);
}

static void add_number(struct run *run, uint64_t number)
{
    add(run, &number, sizeof number);
}

static uint8_t *reserve(void *arg, size_t len)
{
    struct run *run = arg;
    free(run->room);
    run->room = malloc(len > 0 ? len : 1);
    return run->room;
}

static void commit(void *arg, size_t len)
{
    struct run *run = arg;
    run->out_len += len;
    if (run->out_len > OUTPUT_MAX)
        abort(); /* more than the input can ask for */
    free(run->room);
    run->room = NULL;
}

static size_t number_of(struct run *run, struct h2_stream *stream)
{
    size_t number = (size_t)(stream - run->streams);
    if (number >= STREAMS || !run->open[number])
        abort(); /* told of a stream that has ended */
    return number;
}

static void sent(void *arg, struct h2_stream *stream)
{
    (void)number_of(arg, stream);
}

static void started(void *arg, struct h2_stream *stream)
{
    struct run *run = arg;
    size_t number = number_of(run, stream);
    add_number(run, 100 + number);
    if (run->cancel && number == 1) {
        run->reset = true;
        run->open[number] = false;
        h2_cancel(run->session, stream, NGHTTP2_CANCEL);
    }
}

static void field(void *arg, struct h2_stream *stream, const struct h2_field *one)
{
    add_number(arg, 200 + number_of(arg, stream) * 2 + one->part);
    add(arg, one->name, one->name_len);
    add(arg, one->value, one->value_len);
}

static void head(void *arg, struct h2_stream *stream)
{
    add_number(arg, 300 + number_of(arg, stream));
    add_number(arg, stream->status);
}

static void data(void *arg, struct h2_stream *stream, const uint8_t *bytes, size_t len)
{
    struct run *run = arg;
    size_t number = number_of(run, stream);
    if (len == 0)
        abort();
    for (size_t i = 0; i < len; i++) {
        add_number(run, 400 + number);
        add(run, bytes + i, 1);
    }
    h2_consume(run->session, stream, len);
}

static void end(void *arg, struct h2_stream *stream, const struct h2_end *how)
{
    struct run *run = arg;
    size_t number = number_of(run, stream);
    run->open[number] = false;
    run->late |= how->how == H2_MALFORMED && strstr(how->reason, "cannot have now") != NULL;
    run->reset |= how->how == H2_MALFORMED || !stream->sent;
    add_number(run, 500 + number * 10 + how->how);
    if (how->reason != NULL)
        add(run, how->reason, strlen(how->reason));
    memset(stream, 0x5a, sizeof *stream);
}

static void capacity(void *arg, uint32_t streams)
{
    add_number(arg, 600);
    add_number(arg, streams);
}

static void closing(void *arg)
{
    add_number(arg, 700);
}

static const struct h2_callbacks callbacks = {.reserve = reserve,
                                              .commit = commit,
                                              .sent = sent,
                                              .started = started,
                                              .field = field,
                                              .head = head,
                                              .data = data,
                                              .end = end,
                                              .capacity = capacity,
                                              .closing = closing};

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
                        .value = (uint8_t *)(uintptr_t)value,
                        .namelen = strlen(name),
                        .valuelen = strlen(value),
                        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static void submit(struct run *run, size_t number, size_t body_len)
{
    static const uint8_t body[100000];
    const nghttp2_nv fields[] = {nv(":method", body_len > 0 ? "POST" : "GET"), nv(":scheme", "http"),
                                 nv(":authority", "a"), nv(":path", "/")};
    const struct h2_request request = {.fields = fields,
                                       .field_count = 4,
                                       .body = body,
                                       .body_len = body_len,
                                       .answer = number == 2 ? H2_ANSWER_HEAD : H2_ANSWER_USUAL};
    run->streams[number].want_fields = true;
    run->open[number] = true;
    if (h2_submit(run->session, &run->streams[number], &request) != NULL)
        abort();
}

static struct run read_all(uint8_t asked, const uint8_t *bytes, size_t len, size_t step)
{
    struct run run = {.sum = UINT64_C(0xcbf29ce484222325), .cancel = (asked & 4) != 0};
    const struct h2_options options = {.streams_max = 100,
                                       .stream_window = 70000,
                                       .connection_window = 100000,
                                       .header_table = 4096,
                                       .frame_max = H2_FRAME_MIN,
                                       .fields_max = 20,
                                       .fields_size = 4096,
                                       .manual_window = (asked & 2) != 0};
    h2_memory_init(&run.memory);
    run.session = h2_session_new(&options, &callbacks, &run, &run.memory);
    if (run.session == NULL)
        abort();
    for (size_t i = 0; i < STREAMS; i++)
        submit(&run, i, i == 0 && (asked & 1) != 0 ? 90000 : 0);
    const char *over = NULL;
    for (size_t at = 0; at < len && over == NULL; at += step)
        over = h2_receive(run.session, bytes + at, len - at < step ? len - at : step);
    run.over = over != NULL;
    if (over != NULL)
        add(&run, over, strlen(over));
    h2_session_free(run.session);
    h2_memory_fini(&run.memory);
    free(run.room);
    return run;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2)
        return 0;
    struct run whole = read_all(bytes[0], bytes + 2, size - 2, size);
    struct run pieces = read_all(bytes[0], bytes + 2, size - 2, bytes[1] == 0 ? 1 : bytes[1]);
    /* Until our RST_STREAM is on its way a fault on that stream counts: when that is depends on the pieces. */
    bool comparable = !whole.late && !pieces.late;
    comparable &= !(whole.reset || pieces.reset) || !(whole.over || pieces.over);
    if (comparable && whole.sum != pieces.sum)
        abort();
    return 0;
}
