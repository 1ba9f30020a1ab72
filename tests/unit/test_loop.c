/* The loop: hooks in their order, the timer, descriptors whose numbers come back, signals, wake-ups from threads. */
#include "engine/loop.h"
#include "base/clock.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define THREADS 4
#define WAKES 200

struct world {
    struct loop *loop;
    uint64_t next_ns; /* what idle answers */
    int idles, wokes, reads, writes, signals;
    uint64_t woke_ns;
    struct loop_io io;
    int pair[2];
};

static uint64_t on_idle(void *arg)
{
    struct world *world = arg;
    world->idles++;
    return world->next_ns;
}

static void on_woke(void *arg, uint64_t woke_ns)
{
    struct world *world = arg;
    world->wokes++;
    world->woke_ns = woke_ns;
}

static void begin(struct world *world)
{
    memset(world, 0, sizeof *world);
    struct loop_hooks hooks = {.woke = on_woke, .idle = on_idle, .arg = world};
    world->next_ns = UINT64_MAX;
    world->loop = loop_new(&hooks);
    assert_non_null(world->loop);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, world->pair), 0);
}

static void end(struct world *world)
{
    loop_io_stop(world->loop, &world->io);
    loop_free(world->loop);
    close(world->pair[0]);
    close(world->pair[1]);
}

static void on_read(struct loop_io *io, uint32_t events)
{
    struct world *world = io->arg;
    char byte;
    assert_true(world->wokes > 0); /* woke comes first */
    assert_true(events & LOOP_READ);
    assert_int_equal(read(world->pair[0], &byte, 1), 1);
    world->reads++;
    loop_stop(world->loop);
}

static void test_reads(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    loop_io_start(world.loop, &world.io, world.pair[0], LOOP_READ, on_read, &world);
    assert_int_equal(write(world.pair[1], "ab", 2), 2);
    loop_run(world.loop);
    assert_int_equal(world.reads, 1);
    loop_run(world.loop); /* what was left is told again */
    assert_int_equal(world.reads, 2);
    end(&world);
}

static void on_either(struct loop_io *io, uint32_t events)
{
    struct world *world = io->arg;
    world->writes += (events & LOOP_WRITE) != 0;
    world->reads += (events & LOOP_READ) != 0;
    loop_stop(world->loop);
}

static void test_events_change(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    loop_io_start(world.loop, &world.io, world.pair[0], LOOP_READ, on_either, &world);
    loop_io_events(world.loop, &world.io, LOOP_WRITE);
    assert_int_equal(write(world.pair[1], "a", 1), 1);
    loop_run(world.loop);
    assert_int_equal(world.writes, 1);
    assert_int_equal(world.reads, 0);
    loop_io_events(world.loop, &world.io, LOOP_READ);
    loop_run(world.loop);
    assert_int_equal(world.writes, 1);
    assert_int_equal(world.reads, 1);
    end(&world);
}

static uint64_t idle_until_late(void *arg)
{
    struct world *world = arg;
    if (clock_now_ns() >= world->next_ns)
        loop_stop(world->loop);
    world->idles++;
    return world->next_ns;
}

/* A time ahead is waited for, and not slept past; one that has passed does not sleep at all. */
static void test_timer(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    loop_free(world.loop);
    struct loop_hooks hooks = {.woke = on_woke, .idle = idle_until_late, .arg = &world};
    world.loop = loop_new(&hooks);
    for (int round = 0; round < 20; round++) {
        world.next_ns = clock_now_ns() + (uint64_t)round * NS_PER_MS / 4;
        world.idles = 0;
        loop_run(world.loop);
        assert_true(clock_now_ns() >= world.next_ns);
        assert_true(world.idles < 10); /* it slept, it did not spin */
    }
    world.next_ns = 1;
    loop_run(world.loop);
    end(&world);
}

static uint64_t idle_no_sleep(void *arg)
{
    struct world *world = arg;
    if (++world->idles == 5)
        loop_stop(world->loop);
    return 0;
}

static void test_zero_does_not_sleep(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    loop_free(world.loop);
    struct loop_hooks hooks = {.idle = idle_no_sleep, .arg = &world};
    world.loop = loop_new(&hooks);
    loop_run(world.loop);
    assert_int_equal(world.idles, 5);
    end(&world);
}

static struct world *reuse_world;
static struct loop_io second_io;
static int second_pair[2], stale;

static void on_second(struct loop_io *io, uint32_t events)
{
    (void)io;
    (void)events;
    char byte;
    /* Readiness of the descriptor that had this number before must not reach the new one. */
    if (recv(second_pair[0], &byte, 1, MSG_DONTWAIT) != 1)
        stale++;
    else
        loop_stop(reuse_world->loop);
}

static void on_first(struct loop_io *io, uint32_t events)
{
    (void)events;
    int number = reuse_world->pair[0];
    loop_io_stop(reuse_world->loop, io);
    close(number);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, second_pair), 0);
    if (second_pair[0] != number) {
        assert_int_equal(dup2(second_pair[0], number), number);
        close(second_pair[0]);
        second_pair[0] = number;
    }
    reuse_world->pair[0] = -1;
    loop_io_start(reuse_world->loop, &second_io, number, LOOP_READ, on_second, NULL);
    assert_int_equal(write(second_pair[1], "x", 1), 1);
}

static void test_number_comes_back(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    reuse_world = &world;
    loop_io_start(world.loop, &world.io, world.pair[0], LOOP_READ, on_first, NULL);
    assert_int_equal(write(world.pair[1], "a", 1), 1);
    loop_run(world.loop);
    assert_int_equal(stale, 0);
    loop_io_stop(world.loop, &second_io);
    close(second_pair[0]);
    close(second_pair[1]);
    end(&world);
}

static void on_signal(void *arg, int number)
{
    struct world *world = arg;
    assert_int_equal(number, SIGUSR1);
    world->signals++;
    loop_stop(world->loop);
}

static void test_signal(void **state)
{
    (void)state;
    struct world world;
    begin(&world);
    loop_signal(world.loop, SIGUSR1, on_signal, &world);
    raise(SIGUSR1);
    loop_run(world.loop);
    assert_int_equal(world.signals, 1);
    end(&world);
}

struct wakes {
    struct loop *loop;
    pthread_mutex_t lock;
    int sent, seen;
};

static void *wake_often(void *arg)
{
    struct wakes *wakes = arg;
    for (int i = 0; i < WAKES; i++) {
        pthread_mutex_lock(&wakes->lock);
        wakes->sent++;
        pthread_mutex_unlock(&wakes->lock);
        loop_wake(wakes->loop);
    }
    return NULL;
}

static void on_wake(void *arg)
{
    struct wakes *wakes = arg;
    pthread_mutex_lock(&wakes->lock);
    wakes->seen = wakes->sent;
    pthread_mutex_unlock(&wakes->lock);
    if (wakes->seen == THREADS * WAKES)
        loop_stop(wakes->loop);
}

/* Wake-ups may join, but what came before one is seen: a lost one would leave the loop asleep for ever. */
static void test_wakes_from_threads(void **state)
{
    (void)state;
    struct wakes wakes = {.loop = loop_new(NULL)};
    pthread_t threads[THREADS];
    pthread_mutex_init(&wakes.lock, NULL);
    loop_on_wake(wakes.loop, on_wake, &wakes);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wake_often, &wakes), 0);
    loop_run(wakes.loop);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wakes.seen, THREADS * WAKES);
    loop_free(wakes.loop);
    pthread_mutex_destroy(&wakes.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),           cmocka_unit_test(test_events_change),
        cmocka_unit_test(test_timer),           cmocka_unit_test(test_zero_does_not_sleep),
        cmocka_unit_test(test_number_comes_back), cmocka_unit_test(test_signal),
        cmocka_unit_test(test_wakes_from_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
