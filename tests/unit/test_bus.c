/* The local bus: frames survive any split, and whatever a peer sends or leaves out costs that peer only. */
#include "cluster/bus.h"
#include "base/arena.h"
#include "base/buffer.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct heard {
    struct loop *loop;
    struct bus *bus;
    int far[2]; /* the peers' ends */
    uint32_t count, lost, stop_at;
    uint32_t from[64];
    size_t len[64];
    uint8_t first[64];
    bool drops; /* the handler drops who spoke */
};

static void on_message(void *arg, uint32_t from, const uint8_t *data, size_t len)
{
    struct heard *heard = arg;
    heard->from[heard->count] = from;
    heard->first[heard->count] = len ? data[0] : 0;
    heard->len[heard->count++] = len;
    if (heard->drops)
        bus_drop(heard->bus, from);
    if (heard->count == heard->stop_at)
        loop_stop(heard->loop);
}

static void on_lost(void *arg, uint32_t peer)
{
    struct heard *heard = arg;
    (void)peer;
    heard->lost++;
    loop_stop(heard->loop);
}

static void begin(struct heard *heard)
{
    memset(heard, 0, sizeof *heard);
    int near[2];
    for (int i = 0; i < 2; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        near[i] = pair[0];
        heard->far[i] = pair[1];
    }
    heard->loop = loop_new(NULL);
    heard->bus = bus_connect_local(heard->loop, near, 2, on_lost, heard);
    bus_subscribe(heard->bus, "news", on_message, heard);
}

static void end(struct heard *heard)
{
    bus_close(heard->bus, 0);
    loop_free(heard->loop);
    for (int i = 0; i < 2; i++)
        if (heard->far[i] >= 0)
            close(heard->far[i]);
}

static void frame(struct buffer *out, const char *topic, const void *body, size_t len)
{
    uint32_t length = htonl((uint32_t)(1 + strlen(topic) + len));
    uint8_t topic_len = (uint8_t)strlen(topic);
    buffer_append(out, &length, 4);
    buffer_append(out, &topic_len, 1);
    buffer_append(out, topic, topic_len);
    buffer_append(out, body, len);
}

static void send_all(int socket, const uint8_t *data, size_t len)
{
    assert_int_equal(send(socket, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Each byte by itself, with a turn of the loop in between. */
static void on_turn(void *arg)
{
    loop_stop(arg);
}

static void test_any_split(void **state)
{
    (void)state;
    static const uint8_t body[3] = {7, 8, 9};
    for (size_t cut = 1; cut < 12; cut++) {
        struct heard heard;
        struct buffer out = {0};
        begin(&heard);
        loop_on_wake(heard.loop, on_turn, heard.loop);
        frame(&out, "news", body, 3);
        frame(&out, "other", body, 2); /* nobody listens: passed over */
        frame(&out, "news", NULL, 0);
        for (size_t at = 0; at < out.len; at += cut) {
            send_all(heard.far[1], out.data + at, out.len - at < cut ? out.len - at : cut);
            loop_wake(heard.loop);
            loop_run(heard.loop);
        }
        if (heard.count < 2) {
            heard.stop_at = 2;
            loop_run(heard.loop);
        }
        assert_int_equal(heard.count, 2);
        assert_int_equal(heard.from[0], 1);
        assert_int_equal(heard.len[0], 3);
        assert_int_equal(heard.first[0], 7);
        assert_int_equal(heard.len[1], 0);
        assert_int_equal(heard.lost, 0);
        buffer_fini(&out);
        end(&heard);
    }
}

static void test_hostile_lengths(void **state)
{
    (void)state;
    static const struct {
        uint32_t length;
        uint8_t topic_len;
    } table[] = {
        {0, 0}, {0, 255}, {1, 1}, {5, 5}, {255, 255}, {(uint32_t)BUS_MESSAGE_MAX + 1, 4}, {UINT32_MAX, 4}, {0x80000000u, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct heard heard;
        begin(&heard);
        uint8_t head[9] = {0};
        uint32_t length = htonl(table[i].length);
        memcpy(head, &length, 4);
        head[4] = table[i].topic_len;
        send_all(heard.far[0], head, sizeof head);
        loop_run(heard.loop);
        assert_int_equal(heard.lost, 1);
        assert_int_equal(heard.count, 0);
        /* The other peer is still heard. */
        struct buffer out = {0};
        frame(&out, "news", "x", 1);
        heard.stop_at = 1;
        send_all(heard.far[1], out.data, out.len);
        loop_run(heard.loop);
        assert_int_equal(heard.from[0], 1);
        buffer_fini(&out);
        end(&heard);
    }
}

static void test_closed_midway(void **state)
{
    (void)state;
    struct buffer out = {0};
    frame(&out, "news", "hello", 5);
    for (size_t len = 0; len < out.len; len++) {
        struct heard heard;
        begin(&heard);
        if (len)
            send_all(heard.far[0], out.data, len);
        close(heard.far[0]);
        heard.far[0] = -1;
        loop_run(heard.loop);
        assert_int_equal(heard.lost, 1);
        assert_int_equal(heard.count, 0);
        bus_publish(heard.bus, "news", out.data, out.len); /* only the other one is left */
        assert_int_equal(heard.lost, 1);
        end(&heard);
    }
    buffer_fini(&out);
}

/* A handler that drops the speaker takes the message's memory away, while later subscriptions are still to be asked. */
static void test_drop_from_handler(void **state)
{
    (void)state;
    struct heard heard;
    struct buffer out = {0};
    begin(&heard);
    bus_subscribe(heard.bus, "news", on_message, &heard);
    heard.drops = true;
    heard.stop_at = 1;
    frame(&out, "news", "a", 1);
    frame(&out, "news", "b", 1);
    send_all(heard.far[0], out.data, out.len);
    loop_run(heard.loop);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.lost, 0); /* dropped, not lost */
    buffer_fini(&out);
    end(&heard);
}

/* A peer that never reads is lost when its queue is full; the others are not. */
static void test_queue_limit(void **state)
{
    (void)state;
    struct heard heard;
    begin(&heard);
    size_t size = BUS_MESSAGE_MAX - 5;
    uint8_t *data = xcalloc(1, size);
    close(heard.far[1]);
    heard.far[1] = -1;
    bus_drop(heard.bus, 1);
    bus_publish(heard.bus, "news", data, size);
    assert_int_equal(heard.lost, 0);
    bus_publish(heard.bus, "news", data, size);
    bus_publish(heard.bus, "news", data, size);
    assert_int_equal(heard.lost, 1);
    free(data);
    end(&heard);
}

/* What is published can be read at the other end: the limit is the same on both sides. */
static void test_too_large_to_publish(void **state)
{
    (void)state;
    struct heard heard;
    begin(&heard);
    uint8_t *data = xcalloc(1, BUS_MESSAGE_MAX);
    bus_publish(heard.bus, "news", data, BUS_MESSAGE_MAX - 4); /* one byte too many, with its topic */
    assert_int_equal(heard.lost, 2);
    free(data);
    end(&heard);
}

static void test_close_writes_out(void **state)
{
    (void)state;
    struct heard heard;
    begin(&heard);
    bus_publish(heard.bus, "plan", (const uint8_t *)"abc", 3);
    bus_publish(heard.bus, "plan", NULL, 0);
    bus_close(heard.bus, 1000);
    heard.bus = NULL;
    for (int i = 0; i < 2; i++) {
        uint8_t *data = NULL;
        size_t len = 99;
        assert_int_equal(bus_receive_first(heard.far[i], "plan", &data, &len), 0);
        assert_int_equal(len, 3);
        assert_memory_equal(data, "abc", 3);
        free(data);
        assert_int_equal(bus_receive_first(heard.far[i], "plan", &data, &len), 0);
        assert_int_equal(len, 0);
        free(data);
        assert_int_equal(bus_receive_first(heard.far[i], "plan", &data, &len), -1);
    }
    end(&heard);
}

static void test_first_of_another_topic(void **state)
{
    (void)state;
    static const char *const topics[] = {"plans", "pla", "plot", ""};
    for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
        int pair[2];
        struct buffer out = {0};
        uint8_t *data = NULL;
        size_t len;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        frame(&out, topics[i], "abc", 3);
        send_all(pair[0], out.data, out.len);
        close(pair[0]);
        assert_int_equal(bus_receive_first(pair[1], "plan", &data, &len), -1);
        close(pair[1]);
        buffer_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_split),         cmocka_unit_test(test_hostile_lengths),
        cmocka_unit_test(test_closed_midway),     cmocka_unit_test(test_drop_from_handler),
        cmocka_unit_test(test_queue_limit),       cmocka_unit_test(test_too_large_to_publish),
        cmocka_unit_test(test_close_writes_out),  cmocka_unit_test(test_first_of_another_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
