/* What a session sends: requests, bodies as windows and output allow, acknowledgements, and how memory is used again.
 */
#include "h2_peer.h"

#define BODY_MAX (1u << 20)
static uint8_t body[BODY_MAX];

static uint32_t length_of(const uint8_t *frame)
{
    return (uint32_t)frame[0] << 16 | (uint32_t)frame[1] << 8 | frame[2];
}

static uint32_t number_at(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

/* DATA of a stream in the output so far; it must be the body's bytes in order, END_STREAM on the last frame only. */
static size_t data_sent(const struct peer *peer, uint32_t id, bool *ret_ended)
{
    const uint8_t *frame;
    size_t total = 0;
    *ret_ended = false;
    for (unsigned i = 0; (frame = peer_sent(peer, NGHTTP2_DATA, i)) != NULL; i++) {
        if (number_at(frame + 5) != id)
            continue;
        assert_false(*ret_ended);
        assert_true(length_of(frame) <= H2_FRAME_MIN);
        assert_memory_equal(frame + 9, body + total, length_of(frame));
        total += length_of(frame);
        *ret_ended = (frame[4] & END_STREAM) != 0;
    }
    return total;
}

static void start(struct peer *peer)
{
    for (size_t i = 0; i < BODY_MAX; i++)
        body[i] = (uint8_t)(i * 7 + i / 251);
    peer_init(peer, &peer_options);
    FRAME(peer, NGHTTP2_SETTINGS, 0, 0, "", 0);
    assert_null(peer_deliver(peer, 1000));
    peer->trace[0] = '\0';
}

static void open_window(struct peer *peer, uint32_t id, uint32_t more)
{
    const uint8_t number[4] = {(uint8_t)(more >> 24), (uint8_t)(more >> 16), (uint8_t)(more >> 8), (uint8_t)more};
    FRAME(peer, NGHTTP2_WINDOW_UPDATE, 0, id, number, 4);
}

static void test_preface(void **state)
{
    const struct h2_options options = {.streams_max = 7,
                                       .stream_window = 1 << 20,
                                       .connection_window = 1 << 24,
                                       .header_table = 8192,
                                       .frame_max = 32768,
                                       .fields_max = 10,
                                       .fields_size = 5000};
    static const uint8_t settings[] = "\0\2\0\0\0\0"
                                      "\0\6\0\0\x13\x88"
                                      "\0\4\0\x10\0\0"
                                      "\0\1\0\0\x20\0"
                                      "\0\5\0\0\x80\0";
    struct peer peer;
    (void)state;
    peer_init(&peer, &options);
    assert_null(h2_send(peer.session));
    assert_memory_equal(peer.out, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    const uint8_t *frame = peer_sent(&peer, NGHTTP2_SETTINGS, 0);
    assert_non_null(frame);
    assert_int_equal(length_of(frame), sizeof settings - 1);
    assert_memory_equal(frame + 9, settings, sizeof settings - 1);
    frame = peer_sent(&peer, NGHTTP2_WINDOW_UPDATE, 0);
    assert_int_equal(number_at(frame + 5), 0);
    assert_int_equal(number_at(frame + 9), (1 << 24) - 65535);
    peer_fini(&peer);
}

static void test_acknowledged(void **state)
{
    struct peer peer;
    (void)state;
    start(&peer);
    assert_int_equal(peer_sent(&peer, NGHTTP2_SETTINGS, 1)[4], NGHTTP2_FLAG_ACK);
    FRAME(&peer, NGHTTP2_PING, 0, 0, TEXT("12345678"));
    assert_null(peer_deliver(&peer, 3));
    const uint8_t *pong = peer_sent(&peer, NGHTTP2_PING, 0);
    assert_int_equal(pong[4], NGHTTP2_FLAG_ACK);
    assert_memory_equal(pong + 9, "12345678", 8);
    peer_fini(&peer);
}

/* `sent` comes with the last DATA, however late the window opens; what was only borrowed may be gone by then. */
static void test_window_opens_late(void **state)
{
    struct peer peer;
    bool ended;
    (void)state;
    start(&peer);
    uint8_t *lent = malloc(200000);
    memcpy(lent, body, 200000);
    assert_null(peer_submit(&peer, 0, (struct h2_request){.body = lent, .body_len = 200000}));
    memset(lent, 0, 200000);
    free(lent);
    assert_int_equal(data_sent(&peer, 1, &ended), 65535);
    assert_false(ended);
    assert_string_equal(peer.trace, "");
    open_window(&peer, 1, 500000);
    assert_null(peer_deliver(&peer, 1000));
    assert_int_equal(data_sent(&peer, 1, &ended), 65535);
    open_window(&peer, 0, 100000);
    assert_null(peer_deliver(&peer, 1000));
    assert_int_equal(data_sent(&peer, 1, &ended), 165535);
    assert_string_equal(peer.trace, "");
    open_window(&peer, 0, 100000);
    assert_null(peer_deliver(&peer, 1000));
    assert_int_equal(data_sent(&peer, 1, &ended), 200000);
    assert_true(ended);
    assert_string_equal(peer.trace, "1:sent");
    assert_int_equal(peer.streams[0].bytes_out,
                     peer.out_len - 24 - (9 + 18) - 9); /* all but preface, SETTINGS, its ack */
    peer_fini(&peer);
}

/* A window that SETTINGS make smaller than what is in flight becomes negative (RFC 9113 6.9.2), and nothing is sent. */
static void test_window_shrinks(void **state)
{
    struct peer peer;
    bool ended;
    (void)state;
    start(&peer);
    open_window(&peer, 0, BODY_MAX);
    assert_null(peer_deliver(&peer, 1000));
    assert_null(peer_submit(&peer, 0, (struct h2_request){.body = body, .body_len = 100000, .lasts = true}));
    assert_int_equal(data_sent(&peer, 1, &ended), 65535);
    FRAME(&peer, NGHTTP2_SETTINGS, 0, 0, TEXT("\0\4\0\0\0\x10"));
    open_window(&peer, 1, 65519);
    assert_null(peer_deliver(&peer, 1000));
    assert_int_equal(data_sent(&peer, 1, &ended), 65535);
    open_window(&peer, 1, 465);
    assert_null(peer_deliver(&peer, 1000));
    assert_int_equal(data_sent(&peer, 1, &ended), 66000);
    peer_fini(&peer);
}

static void test_room(void **state)
{
    struct peer peer;
    bool ended;
    (void)state;
    start(&peer);
    peer.no_room = true;
    assert_null(peer_submit(&peer, 0, (struct h2_request){.body = body, .body_len = 40000, .lasts = true}));
    assert_null(peer_submit(&peer, 1, (struct h2_request){0})); /* its head goes out all the same */
    assert_string_equal(peer.trace, "3:sent");
    assert_int_equal(data_sent(&peer, 1, &ended), 0);
    peer.no_room = false;
    assert_null(h2_send(peer.session));
    assert_int_equal(data_sent(&peer, 1, &ended), 40000);
    assert_string_equal(peer.trace, "3:sent 1:sent");
    assert_int_equal(peer.borrowed, 2); /* the third frame is too short for it */
    peer_fini(&peer);
}

static void test_no_output(void **state)
{
    struct peer peer;
    (void)state;
    start(&peer);
    peer.no_output = true;
    assert_string_equal(peer_submit(&peer, 0, (struct h2_request){0}),
                        "INTERNAL_ERROR: no room in the connection's output");
    assert_non_null(h2_send(peer.session));
    peer_fini(&peer);
}

/* Streams take turns: none waits for another's long body. */
static void test_fair(void **state)
{
    struct peer peer;
    bool ended;
    (void)state;
    start(&peer);
    for (unsigned i = 0; i < 4; i++)
        assert_null(peer_submit(&peer, i, (struct h2_request){.body = body, .body_len = BODY_MAX, .lasts = true}));
    for (uint32_t id = 1; id <= 7; id += 2)
        open_window(&peer, id, BODY_MAX);
    assert_null(peer_deliver(&peer, 10000));
    open_window(&peer, 0, 1u << 20);
    assert_null(peer_deliver(&peer, 10000));
    for (uint32_t id = 1; id <= 7; id += 2) {
        size_t sent = data_sent(&peer, id, &ended);
        assert_in_range(sent, (1u << 18) - 65536, (1u << 18) + 65536);
    }
    peer_fini(&peer);
}

static void test_pieces(void **state)
{
    struct peer peer;
    bool ended;
    (void)state;
    start(&peer);
    assert_null(peer_submit(&peer, 0, (struct h2_request){.body = body, .body_len = 10, .more = true}));
    assert_string_equal(peer.trace, "1:taken");
    assert_int_equal(h2_write(peer.session, &peer.streams[0], body + 10, 20, false, false), 0);
    assert_string_equal(peer.trace, "1:taken 1:taken");
    peer.no_room = true;
    assert_int_equal(h2_write(peer.session, &peer.streams[0], body + 30, 5, false, false), 0);
    assert_int_equal(data_sent(&peer, 1, &ended), 30);
    peer.no_room = false;
    assert_null(h2_send(peer.session));
    assert_string_equal(peer.trace, "1:taken 1:taken 1:taken");
    assert_int_equal(h2_write(peer.session, &peer.streams[0], NULL, 0, true, true), 0);
    assert_int_equal(data_sent(&peer, 1, &ended), 35);
    assert_true(ended);
    assert_string_equal(peer.trace, "1:taken 1:taken 1:taken 1:sent");
    peer_fini(&peer);
}

/* The answer is there before the request has been sent: the rest of it is not. */
static void test_early_answer(void **state)
{
    struct peer peer;
    bool ended;
    (void)state;
    start(&peer);
    assert_null(peer_submit(&peer, 0, (struct h2_request){.body = body, .body_len = 100000}));
    FRAME(&peer, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 1, TEXT("\x88"));
    assert_null(peer_deliver(&peer, 1));
    assert_string_equal(peer.trace, "1:started 1:head(200) 1:end(complete)");
    assert_int_equal(number_at(peer_sent(&peer, NGHTTP2_RST_STREAM, 0) + 9), NGHTTP2_CANCEL);
    open_window(&peer, 0, 100000);
    open_window(&peer, 1, 100000);
    assert_null(peer_deliver(&peer, 1));
    assert_int_equal(data_sent(&peer, 1, &ended), 65535);
    peer_fini(&peer);
}

static void test_cancel(void **state)
{
    struct peer peer;
    bool ended;
    (void)state;
    start(&peer);
    assert_null(peer_submit(&peer, 0, (struct h2_request){.body = body, .body_len = 100000}));
    assert_null(peer_submit(&peer, 1, (struct h2_request){0}));
    h2_cancel(peer.session, &peer.streams[0], NGHTTP2_CANCEL);
    memset(&peer.streams[0], 0xa5, sizeof peer.streams[0]);
    assert_null(h2_send(peer.session));
    const uint8_t *frame = peer_sent(&peer, NGHTTP2_RST_STREAM, 0);
    assert_int_equal(number_at(frame + 5), 1);
    assert_int_equal(number_at(frame + 9), NGHTTP2_CANCEL);
    open_window(&peer, 0, 100000);
    FRAME(&peer, NGHTTP2_HEADERS, END_HEADERS, 1, TEXT("\x88")); /* already on its way */
    FRAME(&peer, NGHTTP2_DATA, END_STREAM, 1, TEXT("late"));
    FRAME(&peer, NGHTTP2_HEADERS, END_STREAM | END_HEADERS, 3, TEXT("\x88"));
    assert_null(peer_deliver(&peer, 1));
    assert_string_equal(peer.trace, "3:sent 3:started 3:head(200) 3:end(complete)");
    assert_int_equal(data_sent(&peer, 1, &ended), 65535);
    peer_fini(&peer);
}

/* A peer may allow larger frames, and HPACK refers to its table from the second request on. */
static void test_heads(void **state)
{
    struct peer peer;
    (void)state;
    start(&peer);
    assert_null(peer_submit(&peer, 0, (struct h2_request){0}));
    assert_null(peer_submit(&peer, 1, (struct h2_request){0}));
    const uint8_t *first = peer_sent(&peer, NGHTTP2_HEADERS, 0), *second = peer_sent(&peer, NGHTTP2_HEADERS, 1);
    assert_int_equal(first[4], END_STREAM | END_HEADERS);
    assert_memory_equal(first + 9,
                        "\x82\x86\x41\x01"
                        "a"
                        "\x84",
                        6);
    assert_int_equal(length_of(second), 4);
    assert_memory_equal(second + 9, "\x82\x86\xbe\x84", 4);
    peer_fini(&peer);
}

/* After the first few requests memory comes from what was given back: the lists lose and win the same blocks. */
static void test_memory(void **state)
{
    struct h2_memory memory;
    (void)state;
    h2_memory_init(&memory);
    for (size_t size = 1; size < 3 * H2_KEPT_MAX; size += size / 3 + 1) {
        uint8_t *one = h2_memory_take(&memory, size), *other = h2_memory_take(&memory, size);
        assert_non_null(one);
        assert_non_null(other);
        assert_int_equal((uintptr_t)one % 8, 0);
        memset(one, 1, size);
        memset(other, 2, size);
        assert_int_equal(one[size - 1], 1);
        h2_memory_give(&memory, one);
        if (size <= H2_KEPT_MAX)
            assert_ptr_equal(h2_memory_take(&memory, size), one);
        else
            one = NULL;
        h2_memory_give(&memory, one);
        other = memory.hooks.realloc(other, size * 2, memory.hooks.mem_user_data);
        assert_int_equal(other[size - 1], 2);
        other = memory.hooks.realloc(other, 1, memory.hooks.mem_user_data);
        assert_int_equal(other[0], 2);
        h2_memory_give(&memory, other);
    }
    uint8_t *zeroed = memory.hooks.calloc(3, 50, memory.hooks.mem_user_data);
    for (int i = 0; i < 150; i++)
        assert_int_equal(zeroed[i], 0);
    h2_memory_give(&memory, zeroed);
    assert_null(memory.hooks.calloc(SIZE_MAX / 4, 8, memory.hooks.mem_user_data));
    assert_null(h2_memory_take(&memory, SIZE_MAX - 3));
    h2_memory_give(&memory, NULL);
    h2_memory_fini(&memory);
}

/* What a session is made of lies in two pages, nghttp2's large buffer behind them but for its beginning; what has no
 * room there lies elsewhere, and a bench that everybody has left is the next one's. */
static void test_seats(void **state)
{
    struct h2_memory memory;
    enum { SESSIONS = 40, BLOCKS = 6 };
    static const size_t sizes[BLOCKS] = {2928, 16500, 64, 4096, 3000, 300};
    uint8_t *blocks[SESSIONS][BLOCKS];
    (void)state;
    h2_memory_init(&memory);
    for (int round = 0; round < 2; round++) {
        const uint8_t *before = blocks[SESSIONS - 1][0];
        for (int i = 0; i < SESSIONS; i++) {
            h2_memory_seat(&memory);
            for (int k = 0; k < BLOCKS; k++) {
                blocks[i][k] = k == 3   ? memory.hooks.calloc(1, sizes[k], &memory)
                               : k == 5 ? h2_memory_take_seat(&memory, sizes[k])
                                        : h2_memory_take(&memory, sizes[k]);
                assert_non_null(blocks[i][k]);
                memset(blocks[i][k], i + k, sizes[k]);
            }
            h2_memory_seated(&memory);
            uintptr_t page = (uintptr_t)blocks[i][0] & ~(uintptr_t)4095;
            assert_in_range((uintptr_t)blocks[i][3] + sizes[3], page, page + 8192);
            assert_in_range((uintptr_t)blocks[i][5] + sizes[5], page, page + 8192);
            assert_in_range((uintptr_t)blocks[i][1], page, page + 8192 - 512);
            assert_true((uintptr_t)blocks[i][4] < page || (uintptr_t)blocks[i][4] >= page + 8192);
        }
        if (round == 1) /* as they were left, the last one first */
            assert_ptr_equal(blocks[0][0], before);
        for (int i = 0; i < SESSIONS; i++) {
            for (int k = 0; k < BLOCKS; k++)
                for (size_t at = 0; at < sizes[k]; at += 7)
                    assert_int_equal(blocks[i][k][at], i + k);
            blocks[i][1] = memory.hooks.realloc(blocks[i][1], 40000, &memory);
            assert_int_equal(blocks[i][1][sizes[1] - 1], i + 1);
            for (int k = 0; k < BLOCKS; k++)
                h2_memory_give(&memory, blocks[i][k]);
        }
    }
    h2_memory_fini(&memory);
}

static void test_error_names(void **state)
{
    (void)state;
    assert_string_equal(h2_error_name(0), "NO_ERROR");
    assert_string_equal(h2_error_name(13), "HTTP_1_1_REQUIRED");
    assert_string_equal(h2_error_name(14), "unknown error");
    assert_string_equal(h2_error_name(UINT32_MAX), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preface),
        cmocka_unit_test(test_acknowledged),
        cmocka_unit_test(test_window_opens_late),
        cmocka_unit_test(test_window_shrinks),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_no_output),
        cmocka_unit_test(test_fair),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_early_answer),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_seats),
        cmocka_unit_test(test_error_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
