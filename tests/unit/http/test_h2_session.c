/* What a session makes of a peer that keeps to the rules, of floods, and of peers that speak something else. */
#include "h2_scripts.h"

static uint8_t zeros[H2_FRAME_MIN];

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
};

static void test_scripts(void **state)
{
    (void)state;
    check_scripts(scripts, sizeof scripts / sizeof scripts[0]);
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
        cmocka_unit_test(test_scripts),        cmocka_unit_test(test_floods),
        cmocka_unit_test(test_unread_answers), cmocka_unit_test(test_other_protocols),
        cmocka_unit_test(test_closed_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
