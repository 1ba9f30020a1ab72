/* What a session makes of a peer's frames: each script is delivered whole, at every split and byte by byte, and must be
 * told in the same words. */
#include "h2_peer.h"

#define SETTINGS(peer)               FRAME(peer, NGHTTP2_SETTINGS, 0, 0, TEXT(""))
#define HEAD(peer, flags, id, block) FRAME(peer, NGHTTP2_HEADERS, flags, id, TEXT(block))
#define DATA(peer, flags, id, bytes) FRAME(peer, NGHTTP2_DATA, flags, id, TEXT(bytes))
#define OK_200                       "\x88"

static uint8_t zeros[1u << 20];

/* ---- answers ----------------------------------------------------------------------------------- */

static void plain(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 1, OK_200);
}

static void with_body(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         OK_200 "\x0f\x0d\x01"
                "5"); /* content-length: 5 */
    DATA(p, 0, 1, "he");
    DATA(p, 0, 1, "llo");
    DATA(p, END_STREAM, 1, "");
}

static void padded(struct peer *p)
{
    FRAME(p, NGHTTP2_HEADERS, END_HEADERS | NGHTTP2_FLAG_PADDED, 1, TEXT("\x03" OK_200 "\0\0\0"));
    FRAME(p, NGHTTP2_DATA, END_STREAM | NGHTTP2_FLAG_PADDED, 1,
          TEXT("\x04"
               "abc"
               "\0\0\0\0"));
}

static void prioritized(struct peer *p)
{
    FRAME(p, NGHTTP2_PRIORITY, 0, 1, TEXT("\0\0\0\x03\x10"));
    FRAME(p, NGHTTP2_PRIORITY, 0, 9, TEXT("\0\0\0\x01\x10"));
    FRAME(p, NGHTTP2_HEADERS, ALL_OF_IT | NGHTTP2_FLAG_PRIORITY, 1, TEXT("\0\0\0\0\xff" OK_200));
}

static void continued(struct peer *p)
{
    FRAME(p, NGHTTP2_HEADERS, END_STREAM, 1, TEXT(OK_200 "\x00\x01"));
    FRAME(p, NGHTTP2_CONTINUATION, 0, 1, TEXT("a\x02"));
    FRAME(p, NGHTTP2_CONTINUATION, END_HEADERS, 1, TEXT("bc"));
}

static void interim(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         "\x08\x03"
         "100");
    HEAD(p, END_HEADERS, 1,
         "\x08\x03"
         "103"
         "\x00\x04"
         "link"
         "\x01"
         "x");
    HEAD(p, END_HEADERS, 1, "\x8d");
    DATA(p, END_STREAM, 1, "no");
}

static void trailers(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         OK_200 "\x00\x01"
                "a"
                "\x01"
                "b");
    DATA(p, 0, 1, "xyz");
    HEAD(p, ALL_OF_IT, 1,
         "\x00\x0b"
         "grpc-status"
         "\x01"
         "0");
}

static void two_streams(struct peer *p)
{
    HEAD(p, END_HEADERS, 3, OK_200);
    HEAD(p, END_HEADERS, 1, "\x8d");
    DATA(p, 0, 3, "aa");
    DATA(p, END_STREAM, 1, "b");
    DATA(p, END_STREAM, 3, "c");
}

static void capacities(struct peer *p)
{
    FRAME(p, NGHTTP2_SETTINGS, 0, 0, TEXT("\0\3\0\0\0\4"));
    FRAME(p, NGHTTP2_SETTINGS, 0, 0, TEXT("\0\3\0\0\0\4"));
    FRAME(p, NGHTTP2_SETTINGS, 0, 0, TEXT("\0\3\0\0\0\0"));
    HEAD(p, ALL_OF_IT, 1, OK_200);
}

static void unknown_frame(struct peer *p)
{
    FRAME(p, 0x42, 0x7f, 1, TEXT("whatever"));
    FRAME(p, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, TEXT("unasked."));
    HEAD(p, ALL_OF_IT, 1, OK_200);
}

static void largest_frame(struct peer *p)
{
    HEAD(p, END_HEADERS, 1, OK_200);
    FRAME(p, NGHTTP2_DATA, END_STREAM, 1, zeros, H2_FRAME_MIN);
}

static void behind_the_end(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 1, OK_200);
    DATA(p, 0, 1, "late");
    FRAME(p, NGHTTP2_RST_STREAM, 0, 1, TEXT("\0\0\0\0"));
    FRAME(p, NGHTTP2_WINDOW_UPDATE, 0, 1, TEXT("\0\0\0\1"));
    HEAD(p, ALL_OF_IT, 3, OK_200);
}

/* ---- streams that end early -------------------------------------------------------------------- */

static void reset_cancel(struct peer *p)
{
    HEAD(p, END_HEADERS, 1, OK_200);
    FRAME(p, NGHTTP2_RST_STREAM, 0, 1, TEXT("\0\0\0\x08"));
    HEAD(p, ALL_OF_IT, 3, OK_200);
}

static void reset_unknown(struct peer *p)
{
    FRAME(p, NGHTTP2_RST_STREAM, 0, 1, TEXT("\1\2\3\4"));
}

static void refused(struct peer *p)
{
    FRAME(p, NGHTTP2_RST_STREAM, 0, 1, TEXT("\0\0\0\x07"));
}

static void goaway_one(struct peer *p)
{
    FRAME(p, NGHTTP2_GOAWAY, 0, 0, TEXT("\0\0\0\1\0\0\0\0"));
    HEAD(p, ALL_OF_IT, 1, OK_200);
}

static void goaway_notice(struct peer *p)
{
    FRAME(p, NGHTTP2_GOAWAY, 0, 0, TEXT("\x7f\xff\xff\xff\0\0\0\0"));
    FRAME(p, NGHTTP2_GOAWAY, 0, 0, TEXT("\0\0\0\3\0\0\0\0"));
    HEAD(p, ALL_OF_IT, 1, OK_200);
    HEAD(p, ALL_OF_IT, 3, OK_200);
}

static void goaway_calm(struct peer *p)
{
    FRAME(p, NGHTTP2_GOAWAY, 0, 0, TEXT("\0\0\0\0\0\0\0\x0bslow"));
}

/* ---- malformed answers ------------------------------------------------------------------------- */

static void upper_case(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 1,
         OK_200 "\x00\x01"
                "A"
                "\x01"
                "b");
    HEAD(p, ALL_OF_IT, 3, OK_200);
}

static void connection_field(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 1,
         OK_200 "\x00\x0a"
                "connection"
                "\x05"
                "close");
}

static void no_status(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 1,
         "\x00\x01"
         "a"
         "\x01"
         "b");
}

static void two_statuses(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 1, OK_200 OK_200);
}

static void status_101(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         "\x08\x03"
         "101");
}

static void status_short(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 1,
         "\x08\x02"
         "20");
}

static void too_short(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         OK_200 "\x0f\x0d\x01"
                "5");
    DATA(p, END_STREAM, 1, "hell");
}

static void too_long(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         OK_200 "\x0f\x0d\x01"
                "5");
    DATA(p, 0, 1, "hello!");
}

static void two_lengths(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         OK_200 "\x0f\x0d\x01"
                "5"
                "\x0f\x0d\x01"
                "6");
}

static void odd_length(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         OK_200 "\x0f\x0d\x02"
                "-5");
}

static void control_character(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         OK_200 "\x00\x01"
                "a"
                "\x03"
                "x\ny");
}

static void white_space(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         OK_200 "\x00\x01"
                "a"
                "\x02"
                "b ");
}

static void pseudo_field(struct peer *p)
{
    HEAD(p, END_HEADERS, 1, OK_200 "\x84");
}

static void empty_name(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         OK_200 "\x00\x00"
                "\x01"
                "b");
}

static void status_last(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         "\x00\x01"
         "a"
         "\x01"
         "b" OK_200);
}

static void status_trailers(struct peer *p)
{
    HEAD(p, END_HEADERS, 1, OK_200);
    HEAD(p, ALL_OF_IT, 1, OK_200);
}

static void open_trailers(struct peer *p)
{
    HEAD(p, END_HEADERS, 1, OK_200);
    HEAD(p, END_HEADERS, 1,
         "\x00\x01"
         "a"
         "\x01"
         "b");
}

static void interim_data(struct peer *p)
{
    HEAD(p, END_HEADERS, 1,
         "\x08\x03"
         "100");
    DATA(p, END_STREAM, 1, "x");
}

static void no_content_data(struct peer *p)
{
    HEAD(p, END_HEADERS, 1, "\x89");
    DATA(p, END_STREAM, 1, "x");
}

static void not_modified(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 1,
         "\x8b"
         "\x0f\x0d\x01"
         "5");
}

static void data_first(struct peer *p)
{
    DATA(p, END_STREAM, 1, "x");
}

static void interim_ends(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 1,
         "\x08\x03"
         "100");
}

static void many_interims(struct peer *p)
{
    for (int i = 0; i < H2_INTERIM_MAX + 1; i++)
        HEAD(p, END_HEADERS, 1,
             "\x08\x03"
             "103");
    HEAD(p, ALL_OF_IT, 3, OK_200);
}

static void many_fields(struct peer *p)
{
    char block[200] = OK_200;
    size_t len = 1;
    for (int i = 0; i < 32; i++, len += 5)
        memcpy(block + len,
               "\x00\x01"
               "a"
               "\x01"
               "b",
               5);
    FRAME(p, NGHTTP2_HEADERS, ALL_OF_IT, 1, block, len);
    HEAD(p, ALL_OF_IT, 3, OK_200);
}

static void long_field(struct peer *p)
{
    static uint8_t block[4200] = "\x88\x00\x01"
                                 "a"
                                 "\x7f\x81\x1f"; /* 127 + 0xf81 = 4,096 bytes of value */
    memset(block + 7, 'x', 4096);
    FRAME(p, NGHTTP2_HEADERS, ALL_OF_IT, 1, block, 7 + 4096);
    HEAD(p, ALL_OF_IT, 3, OK_200);
}

static void no_increment(struct peer *p)
{
    FRAME(p, NGHTTP2_WINDOW_UPDATE, 0, 1, TEXT("\0\0\0\0"));
}

/* ---- broken connections ------------------------------------------------------------------------ */

static void bad_index(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 1, "\xff\xff\x01");
}

static void large_frame(struct peer *p)
{
    HEAD(p, END_HEADERS, 1, OK_200);
    FRAME(p, NGHTTP2_DATA, END_STREAM, 1, zeros, H2_FRAME_MIN + 1);
}

static void idle_data(struct peer *p)
{
    DATA(p, 0, 9, "x");
}

static void idle_reset(struct peer *p)
{
    FRAME(p, NGHTTP2_RST_STREAM, 0, 9, TEXT("\0\0\0\0"));
}

static void server_stream(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 2, OK_200);
}

static void push(struct peer *p)
{
    FRAME(p, NGHTTP2_PUSH_PROMISE, END_HEADERS, 1, TEXT("\0\0\0\2\x82\x86\x84"));
}

static void interleaved(struct peer *p)
{
    FRAME(p, NGHTTP2_HEADERS, END_STREAM, 1, TEXT(OK_200));
    FRAME(p, NGHTTP2_PING, 0, 0, TEXT("12345678"));
}

static void continuation_alone(struct peer *p)
{
    FRAME(p, NGHTTP2_CONTINUATION, END_HEADERS, 1, TEXT(OK_200));
}

static void headers_on_zero(struct peer *p)
{
    HEAD(p, ALL_OF_IT, 0, OK_200);
}

static void padding_too_long(struct peer *p)
{
    HEAD(p, END_HEADERS, 1, OK_200);
    FRAME(p, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1,
          TEXT("\x09"
               "abc"));
}

static void settings_size(struct peer *p)
{
    FRAME(p, NGHTTP2_SETTINGS, 0, 0, TEXT("\0\3\0\0\0"));
}

static void settings_ack_size(struct peer *p)
{
    FRAME(p, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, TEXT("\0\3\0\0\0\1"));
}

static void settings_push(struct peer *p)
{
    FRAME(p, NGHTTP2_SETTINGS, 0, 0, TEXT("\0\2\0\0\0\1"));
}

static void settings_window(struct peer *p)
{
    FRAME(p, NGHTTP2_SETTINGS, 0, 0, TEXT("\0\4\x80\0\0\0"));
}

static void ping_size(struct peer *p)
{
    FRAME(p, NGHTTP2_PING, 0, 0, TEXT("1234567"));
}

static void window_overflow(struct peer *p)
{
    FRAME(p, NGHTTP2_WINDOW_UPDATE, 0, 0, TEXT("\x7f\xff\xff\xff"));
}

static void stream_window_overflow(struct peer *p)
{
    FRAME(p, NGHTTP2_WINDOW_UPDATE, 0, 1, TEXT("\x7f\xff\xff\xff"));
}

static void reset_size(struct peer *p)
{
    FRAME(p, NGHTTP2_RST_STREAM, 0, 1, TEXT("\0\0\0"));
}

static void many_continuations(struct peer *p)
{
    FRAME(p, NGHTTP2_HEADERS, END_STREAM, 1, TEXT(OK_200));
    for (int i = 0; i < H2_CONTINUATION_MAX + 1; i++)
        FRAME(p, NGHTTP2_CONTINUATION, 0, 1, TEXT(""));
}

struct script {
    const char *name;
    void (*write)(struct peer *);
    const char *expected;
};

static const struct script scripts[] = {
    {"plain", plain, "1:started 1:head(200) 1:end(complete)"},
    {"body", with_body, "1:started 1:field(content-length=5) 1:head(200) 1:data(5) 1:end(complete)"},
    {"padding", padded, "1:started 1:head(200) 1:data(3) 1:end(complete)"},
    {"PRIORITY", prioritized, "1:started 1:head(200) 1:end(complete)"},
    {"CONTINUATION", continued, "1:started 1:field(a=bc) 1:head(200) 1:end(complete)"},
    {"interim", interim, "1:started 1:head(404) 1:data(2) 1:end(complete)"},
    {"trailers", trailers, "1:started 1:field(a=b) 1:head(200) 1:data(3) 1:trailer(grpc-status=0) 1:end(complete)"},
    {"two streams", two_streams,
     "3:started 3:head(200) 1:started 1:head(404) 3:data(2) | 1:data(1) 1:end(complete) 3:data(1) 3:end(complete)"},
    {"capacity", capacities, "capacity(4) capacity(0) 1:started 1:head(200) 1:end(complete)"},
    {"unknown frame", unknown_frame, "1:started 1:head(200) 1:end(complete)"},
    {"largest frame", largest_frame, "1:started 1:head(200) 1:data(16384) 1:end(complete)"},
    {"behind the end", behind_the_end, "1:started 1:head(200) 1:end(complete) 3:started 3:head(200) 3:end(complete)"},

    {"RST_STREAM", reset_cancel,
     "1:started 1:head(200) 1:end(reset, RST_STREAM: CANCEL) 3:started 3:head(200) 3:end(complete)"},
    {"RST_STREAM, unknown code", reset_unknown, "1:end(reset, RST_STREAM: unknown error)"},
    {"REFUSED_STREAM", refused, "1:end(untouched, RST_STREAM: REFUSED_STREAM)"},
    {"GOAWAY", goaway_one,
     "closing 3:end(untouched, GOAWAY: NO_ERROR, the request was not processed) 1:started 1:head(200) 1:end(complete)"},
    {"GOAWAY ahead", goaway_notice,
     "closing 1:started 1:head(200) 1:end(complete) 3:started 3:head(200) 3:end(complete)"},
    {"GOAWAY with an error", goaway_calm,
     "closing 3:end(untouched, GOAWAY: ENHANCE_YOUR_CALM, the request was not processed) "
     "1:end(untouched, GOAWAY: ENHANCE_YOUR_CALM, the request was not processed)"},

    {"upper case", upper_case,
     "1:started 1:end(malformed, a header field's name holds a capital letter, or what names cannot hold) "
     "3:started 3:head(200) 3:end(complete)"},
    {"connection field", connection_field,
     "1:started 1:end(malformed, a header field that belongs to a connection of HTTP/1.1)"},
    {"no status", no_status, "1:started 1:field(a=b) 1:end(malformed, a head without :status)"},
    {"two statuses", two_statuses, "1:started 1:end(malformed, :status is given twice, or behind other fields)"},
    {"101", status_101, "1:started 1:end(malformed, 101 Switching Protocols, which HTTP/2 does not have)"},
    {"status of two digits", status_short, "1:started 1:end(malformed, :status is no code of three digits)"},
    {"body too short", too_short,
     "1:started 1:field(content-length=5) 1:head(200) 1:data(4) 1:end(malformed, a body that is shorter than its "
     "content-length)"},
    {"body too long", too_long,
     "1:started 1:field(content-length=5) 1:head(200) 1:data(5) 1:end(malformed, a body that is longer than its "
     "content-length, or that the answer cannot have)"},
    {"two lengths", two_lengths, "1:started 1:field(content-length=5) 1:end(malformed, two different lengths)"},
    {"length that is no number", odd_length, "1:started 1:end(malformed, content-length is no number, or too large)"},
    {"control character", control_character,
     "1:started 1:end(malformed, a header field's value holds a control character)"},
    {"white space", white_space, "1:started 1:end(malformed, a header field's value begins or ends with white space)"},
    {"unknown pseudo-header field", pseudo_field,
     "1:started 1:end(malformed, a pseudo-header field that answers do not have)"},
    {"empty name", empty_name, "1:started 1:end(malformed, a header field without a name)"},
    {"status last", status_last,
     "1:started 1:field(a=b) 1:end(malformed, :status is given twice, or behind other fields)"},
    {"status in trailers", status_trailers,
     "1:started 1:head(200) 1:end(malformed, a pseudo-header field in the trailers)"},
    {"trailers do not end", open_trailers,
     "1:started 1:head(200) 1:trailer(a=b) 1:end(malformed, trailers that do not end the stream)"},
    {"data behind an interim head", interim_data, "1:started 1:end(malformed, DATA before the final head)"},
    {"204 with a body", no_content_data,
     "1:started 1:head(204) 1:end(malformed, a body that is longer than its content-length, or that the answer cannot "
     "have)"},
    {"304 with a length", not_modified, "1:started 1:field(content-length=5) 1:head(304) 1:end(complete)"},
    {"data first", data_first, "over(PROTOCOL_ERROR: DATA: stream not opened)"},
    {"interim ends the stream", interim_ends, "1:started 1:end(malformed, an interim head that ends the stream)"},
    {"many interims", many_interims,
     "1:started 1:end(malformed, the answer has more than 32 interim heads) 3:started 3:head(200) 3:end(complete)"},
    {"long field", long_field,
     "1:started 1:end(malformed, the answer has more than 4096 bytes of header fields) 3:started 3:head(200) "
     "3:end(complete)"},
    {"WINDOW_UPDATE of 0", no_increment, "over(PROTOCOL_ERROR: WINDOW_UPDATE: window_size_increment == 0)"},

    {"bad HPACK index", bad_index, "1:started over(COMPRESSION_ERROR: a header block that cannot be decoded)"},
    {"frame too large", large_frame, "1:started 1:head(200) over(FRAME_SIZE_ERROR: too large frame size)"},
    {"DATA on an idle stream", idle_data, "over(PROTOCOL_ERROR: DATA: stream in idle)"},
    {"RST_STREAM on an idle stream", idle_reset, "over(PROTOCOL_ERROR: RST_STREAM: stream in idle)"},
    {"a stream of the server's", server_stream, "over(PROTOCOL_ERROR: request HEADERS: client received request)"},
    {"push", push, "over(PROTOCOL_ERROR: PUSH_PROMISE: push is switched off)"},
    {"interleaved", interleaved,
     "1:started over(PROTOCOL_ERROR: unexpected non-CONTINUATION frame or stream_id is invalid)"},
    {"CONTINUATION alone", continuation_alone, "over(PROTOCOL_ERROR: CONTINUATION: unexpected)"},
    {"HEADERS on stream 0", headers_on_zero, "over(PROTOCOL_ERROR: request HEADERS: stream_id == 0)"},
    {"padding too long", padding_too_long, "1:started 1:head(200) over(PROTOCOL_ERROR: DATA: invalid padding)"},
    {"SETTINGS of a wrong size", settings_size, "over(FRAME_SIZE_ERROR: a frame of a size that its type cannot have)"},
    {"SETTINGS ack with a payload", settings_ack_size,
     "over(FRAME_SIZE_ERROR: a frame of a size that its type cannot have)"},
    {"SETTINGS with ENABLE_PUSH", settings_push, "over(PROTOCOL_ERROR: SETTINGS: server attempted to enable push)"},
    {"SETTINGS with a window of 2^31", settings_window,
     "over(FLOW_CONTROL_ERROR: SETTINGS: too large SETTINGS_INITIAL_WINDOW_SIZE)"},
    {"PING of a wrong size", ping_size, "over(FRAME_SIZE_ERROR: a frame of a size that its type cannot have)"},
    {"window above 2^31-1", window_overflow,
     "over(FLOW_CONTROL_ERROR: a window that grows above 2^31-1, or is passed)"},
    {"stream window above 2^31-1", stream_window_overflow, "1:end(malformed, Flow control error)"},
    {"RST_STREAM of a wrong size", reset_size, "over(FRAME_SIZE_ERROR: a frame of a size that its type cannot have)"},
    {"many CONTINUATIONs", many_continuations,
     "1:started over(ENHANCE_YOUR_CALM: a header block in more than 8 CONTINUATION frames)"},
};

static void run_script(const struct script *script, size_t step, char *ret_trace)
{
    struct peer peer;
    peer_init(&peer, &peer_options);
    SETTINGS(&peer);
    assert_null(h2_send(peer.session));
    assert_null(peer_deliver(&peer, 1));
    assert_string_equal(peer.trace, "capacity(10)");
    assert_null(peer_submit(&peer, 0, (struct h2_request){0}));
    assert_null(peer_submit(&peer, 1, (struct h2_request){0}));
    assert_string_equal(peer.trace, "capacity(10) 1:sent 3:sent");
    peer.trace[0] = '\0';
    script->write(&peer);
    peer_deliver(&peer, step);
    memcpy(ret_trace, peer.trace, TRACE_MAX);
    peer_fini(&peer);
}

static void test_scripts(void **state)
{
    static char whole[TRACE_MAX], split[TRACE_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++) {
        run_script(&scripts[i], SIZE_MAX / 2, whole);
        if (strcmp(whole, scripts[i].expected) != 0)
            fail_msg("%s: %s\n   expected %s", scripts[i].name, whole, scripts[i].expected);
        for (size_t step = 1; step <= 32; step++) {
            run_script(&scripts[i], step, split);
            if (strcmp(split, scripts[i].expected) != 0)
                fail_msg("%s, %zu bytes at a time: %s\n   expected %s", scripts[i].name, step, split,
                         scripts[i].expected);
        }
    }
}

/* What one of a script's two streams is told last. */
static void check_end(void (*write)(struct peer *), size_t step, const char *expected)
{
    const struct script script = {"", write, NULL};
    static char trace[TRACE_MAX];
    run_script(&script, step, trace);
    if (strstr(trace, expected) == NULL)
        fail_msg("%zu bytes at a time: %s\n   expected %s", step, trace, expected);
}

static void test_ends(void **state)
{
    (void)state;
    for (size_t step = 1; step < 40; step++) {
        check_end(many_fields, step,
                  "1:end(malformed, the answer has more than 32 header fields) 3:started 3:head(200) 3:end(complete)");
    }
}

/* ---- floods ------------------------------------------------------------------------------------ */

struct flood {
    uint8_t type, flags;
    uint32_t id;
    const char *payload;
    size_t len;
    const char *expected;
};

/* Endless frames of one kind end the session, with no more output than their answers and no more memory than one costs.
 */
static void test_floods(void **state)
{
    static const struct flood floods[] = {
        {NGHTTP2_PING, 0, 0, TEXT("12345678"), "bring no exchange on, the last of type 6"},
        {NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, TEXT("12345678"), "the last of type 6"},
        {NGHTTP2_SETTINGS, 0, 0, TEXT("\0\4\0\0\1\0"), "the last of type 4"},
        {NGHTTP2_WINDOW_UPDATE, 0, 1, TEXT("\0\0\0\1"), "the last of type 8"},
        {NGHTTP2_PRIORITY, 0, 1, TEXT("\0\0\0\3\1"), "the last of type 2"},
        {NGHTTP2_DATA, 0, 1, TEXT(""), "the last of type 0"},
        {NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 3, TEXT("\0"),
         NULL}, /* padding is flow-controlled: the peer spends window */
        {NGHTTP2_RST_STREAM, 0, 3, TEXT("\0\0\0\0"), "the last of type 3"},
        {NGHTTP2_GOAWAY, 0, 0, TEXT("\0\0\0\3\0\0\0\0"), "the last of type 7"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof floods / sizeof floods[0]; i++) {
        const struct flood *flood = &floods[i];
        struct peer peer;
        peer_init(&peer, &peer_options);
        SETTINGS(&peer);
        peer_deliver(&peer, 1000);
        assert_null(peer_submit(&peer, 0, (struct h2_request){0}));
        assert_null(peer_submit(&peer, 1, (struct h2_request){0}));
        HEAD(&peer, END_HEADERS, 1, OK_200);
        HEAD(&peer, END_HEADERS, 3, OK_200);
        peer_deliver(&peer, 1000);
        const char *over = NULL;
        for (int j = 0; j < H2_IDLE_FRAMES_MAX + 2 && over == NULL; j++) {
            FRAME(&peer, flood->type, flood->flags, flood->id, flood->payload, flood->len);
            over = h2_receive(peer.session, peer.in, peer.in_len);
            peer.in_len = 0;
            peer.out_len = 0;
        }
        if (flood->expected == NULL)
            assert_null(over);
        else if (over == NULL || strstr(over, flood->expected) == NULL || strstr(over, "ENHANCE_YOUR_CALM") != over)
            fail_msg("flood %zu: %s", i, over);
        peer_fini(&peer);
    }
}

/* A peer that asks and does not read: answers wait in nghttp2, which has a bound, and not in the output. */
static void test_unread_answers(void **state)
{
    struct peer peer;
    (void)state;
    peer_init(&peer, &peer_options);
    SETTINGS(&peer);
    peer_deliver(&peer, 1000);
    peer.no_room = true;
    size_t before = peer.out_len;
    const char *over = NULL;
    for (int i = 0; i < 5000 && over == NULL; i++) {
        FRAME(&peer, NGHTTP2_PING, 0, 0, TEXT("12345678"));
        over = peer_deliver(&peer, 1000);
    }
    assert_string_equal(over, "ENHANCE_YOUR_CALM: the peer asks for more answers than it reads");
    assert_int_equal(peer.out_len, before);
    peer_fini(&peer);
}

static void test_other_protocols(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *expected;
    } rows[] = {
        {TEXT("HTTP/1.1 400 Bad Request\r\n\r\n"), "the server answers in HTTP/1.1: it takes no HTTP/2 on this port"},
        {TEXT("\x15\x03\x01\0\2\2\x16 and more"), "the server answers with a TLS alert: use the scheme with TLS"},
        {TEXT("220 mail.example ESMTP ready\r\n"), "PROTOCOL_ERROR: SETTINGS expected"},
        {TEXT("\0\0\0\6\0\0\0\0\0"), "PROTOCOL_ERROR: SETTINGS expected"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t step = 1; step < 12; step++) {
            struct peer peer;
            peer_init(&peer, &peer_options);
            peer_raw(&peer, rows[i].bytes, rows[i].len);
            assert_string_equal(peer_deliver(&peer, step), rows[i].expected);
            assert_string_equal(h2_submit(peer.session, &peer.streams[0], &(struct h2_request){0}), rows[i].expected);
            peer_fini(&peer);
        }
    }
}

static void test_closed_text(void **state)
{
    struct peer peer;
    (void)state;
    peer_init(&peer, &peer_options);
    assert_string_equal(h2_closed_text(peer.session), "connection closed by the peer");
    SETTINGS(&peer);
    FRAME(&peer, NGHTTP2_GOAWAY, 0, 0, TEXT("\0\0\0\0\0\0\0\x0bslow down"));
    peer_deliver(&peer, 1);
    assert_string_equal(h2_closed_text(peer.session),
                        "connection closed by the peer after GOAWAY: ENHANCE_YOUR_CALM: slow down");
    assert_string_equal(peer_submit(&peer, 0, (struct h2_request){0}), "the session takes no new stream");
    peer_fini(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scripts),         cmocka_unit_test(test_ends),
        cmocka_unit_test(test_floods),          cmocka_unit_test(test_unread_answers),
        cmocka_unit_test(test_other_protocols), cmocka_unit_test(test_closed_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
