/* What a session makes of a peer that breaks the rules: of one answer, or of the connection. */
#include "h2_scripts.h"

static uint8_t zeros[H2_FRAME_MIN + 1];

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

static const struct script scripts[] = {
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

static void test_scripts(void **state)
{
    (void)state;
    check_scripts(scripts, sizeof scripts / sizeof scripts[0]);
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
int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scripts), cmocka_unit_test(test_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
