/*
 * What the engine does for a plugin besides exchanges: posts from other threads (law 8), state of each user, ticks, and
 * what `record` may say.
 */
#include "fixture.h"
#include "metrics/crossings.h"
#include "own.h"
#include <pthread.h>

static struct run run;
#define URL(...)                                                                                                       \
    {                                                                                                                  \
        .overrides = {.url = "own://here", __VA_ARGS__}, .protocols = { &own_protocol }                                \
    }

/* ---- law 8 ---- */

#define POSTERS    4
#define POSTS_EACH 5000
static struct squall_worker *post_worker;
static uint64_t posts_run, next_of[POSTERS], posts_refused;

struct posted {
    uint32_t poster;
    uint64_t number;
};
static struct posted posted[POSTERS][POSTS_EACH];

static void on_post(struct squall_worker *worker, void *arg)
{
    struct posted *one = arg;
    assert_ptr_equal(worker, post_worker);
    assert_int_equal(one->number, next_of[one->poster]++); /* each thread's in its order */
    posts_run++;
}

static void *poster(void *arg)
{
    uint32_t number = *(uint32_t *)arg;
    for (uint64_t i = 0; i < POSTS_EACH; i++) {
        posted[number][i] = (struct posted){number, i};
        while (post_worker->host->post(post_worker, on_post, &posted[number][i]) != 0)
            ;
    }
    return NULL;
}

static void connect_keeps_worker(struct squall_conn *conn)
{
    post_worker = conn->worker;
    own_capacity(conn, 1);
}

static uint64_t tick_waits_for_posts(struct squall_conn *conn, uint64_t now_ns)
{
    if (posts_run < POSTERS * POSTS_EACH)
        return now_ns + NS_PER_MS;
    own_done_oldest(conn);
    return now_ns + NS_PER_MS;
}

static void test_posts_from_threads(void **state)
{
    (void)state;
    pthread_t threads[POSTERS];
    uint32_t numbers[POSTERS];
    own_reset();
    own.connect = connect_keeps_worker;
    own.request = own_hold;
    own.tick = tick_waits_for_posts;
    posts_run = 0;
    memset(next_of, 0, sizeof next_of);
    struct settings settings = URL(.users = "1", .iterations = "1");
    run_begin(&run, &settings);
    run_connect(&run);
    for (uint32_t i = 0; i < POSTERS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, poster, &numbers[i]), 0);
    }
    run_load(&run, 0);
    for (uint32_t i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(posts_run, POSTERS * POSTS_EACH);
    run_end(&run);
}

static void count_post(struct squall_worker *worker, void *arg)
{
    (void)worker;
    (void)arg;
    posts_run++;
}

static void request_floods(struct squall_conn *conn, struct squall_exchange *exchange)
{
    uint64_t taken = 0;
    while (conn->worker->host->post(conn->worker, count_post, NULL) == 0)
        taken++;
    posts_refused = taken;
    own_done(conn, exchange, SQUALL_OK);
}

static uint64_t tick_sees_posts(struct squall_conn *conn, uint64_t now_ns)
{
    (void)conn;
    return now_ns + 1;
}

static void test_queue_full(void **state)
{
    (void)state;
    own_reset();
    own.request = request_floods;
    own.tick = tick_sees_posts;
    posts_run = 0;
    /* The second journey starts after the queue was worked off: there is room again. */
    struct settings settings = {.yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 1 } }\n"
                                        "load: [ { users: 1, iterations: 2 } ]\nflow:\n  - own: a\n  - think: 5ms\n",
                                .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(posts_refused, 65536);
    assert_int_equal(posts_run, 2 * 65536);
    run_end(&run);
}

/* ---- posts that are held ---- */

#define HELD_TICKS 6
static uint64_t held_ticks;

static void finish_held(struct squall_worker *worker, void *arg)
{
    (void)worker;
    posts_run++;
    own_done_oldest(arg);
}

static uint64_t tick_holds(struct squall_conn *conn, uint64_t now_ns)
{
    const struct squall_host *host = conn->worker->host;
    if (held_ticks == 0)
        assert_int_equal(host->hold(conn->worker, finish_held, conn), 0);
    else if (held_ticks == HELD_TICKS)
        host->wake(conn->worker);
    assert_true(posts_run == 0 || held_ticks > HELD_TICKS);
    held_ticks++;
    return now_ns + NS_PER_MS;
}

/* It runs when it is woken, and what it ends ended when it was held: the time since then is told as ours. */
static void test_held(void **state)
{
    (void)state;
    own_reset();
    own.request = own_hold;
    own.tick = tick_holds;
    posts_run = held_ticks = 0;
    struct settings settings = URL(.users = "1", .iterations = "1");
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(posts_run, 1);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 1);
    assert_true(run.total.receive_lag.max >= (HELD_TICKS - 1) * NS_PER_MS);
    run_end(&run);
}

/* ---- two protocols, one user ---- */

static void request_counts_user(struct squall_conn *conn, struct squall_exchange *exchange)
{
    uint64_t *count = exchange->user->state;
    (*count)++;
    assert_int_equal(*count, exchange->user->id * 0 + own_state(conn)->requests); /* one user: one connection of each */
    own_done(conn, exchange, SQUALL_OK);
}

static void test_user_state_of_each_protocol(void **state)
{
    (void)state;
    own_reset();
    own.request = request_counts_user;
    struct settings settings = {.yaml = "squall: 1\n"
                                        "targets:\n  a: { url: own://here, connections: per-user }\n"
                                        "  b: { url: other://there, connections: per-user }\n"
                                        "load: [ { users: 1, iterations: 10 } ]\n"
                                        "flow:\n  - own: x\n    target: a\n  - other: y\n    target: b\n",
                                .protocols = {&own_protocol, &own_second}};
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 20);
    run_end(&run);
    assert_int_equal(own.users_ended, 2);
}

/* ---- tick() ---- */

static uint64_t tick_in_the_past(struct squall_conn *conn, uint64_t now_ns)
{
    (void)conn;
    (void)now_ns;
    return 1;
}

/* A time that has passed is as soon as possible: everything else has its turn too. */
static void test_tick_in_the_past(void **state)
{
    (void)state;
    own_reset();
    own.request = own_post;
    own.tick = tick_in_the_past;
    struct settings settings = URL(.users = "2", .iterations = "50", .connections = "2");
    run_begin(&run, &settings);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 50);
    run_end(&run);
}

/* ---- record() ---- */

static void record_samples(const struct squall_exchange *exchange, struct squall_recorder *recorder)
{
    (void)exchange;
    recorder->sample(recorder, 0, 2);
    recorder->sample(recorder, 1, own.records * 10);
    recorder->sample(recorder, 2, 1); /* not one of the plugin's rows */
    recorder->sample(recorder, UINT32_MAX, 1);
    for (int i = 0; i < 300; i++) /* more than are kept */
        recorder->field(recorder, (struct squall_bytes){(const uint8_t *)"Kind", 4},
                        (struct squall_bytes){(const uint8_t *)"good", 4});
}

static void request_with_body(struct squall_conn *conn, struct squall_exchange *exchange)
{
    static uint8_t large[700000];
    conn->worker->host->body(exchange, (struct squall_bytes){(const uint8_t *)"hello", 5});
    if (own.requests % 5 == 0) {
        conn->worker->host->body(exchange, (struct squall_bytes){large, sizeof large});
        conn->worker->host->body(exchange, (struct squall_bytes){large, sizeof large});
    }
    own_done(conn, exchange, own.requests % 2 ? SQUALL_OK : SQUALL_REJECTED);
}

static void test_metrics_and_checks(void **state)
{
    (void)state;
    own_reset();
    own.request = request_with_body;
    own.record = record_samples;
    struct settings settings = {
        .yaml = "squall: 1\ntargets: { t: { url: own://here, connections: 1 } }\n"
                "load: [ { users: 1, iterations: 20 } ]\nflow:\n  - own: a\n"
                "    check: { fine: status == 200, short: size(body) == 5, bounded: size(body) <= 1048576,\n"
                "             kind: 'header(\"kind\") == \"good\"', never: status == 1 }\n",
        .protocols = {&own_protocol}};
    run_begin(&run, &settings);
    run_whole(&run);
    static const uint64_t passed[] = {20, 16, 20, 20, 0};
    const struct series *series = &run.total.series[0];
    assert_int_equal(series->metrics[0].counter, 40);
    assert_int_equal(series->metrics[1].histogram.count, 20);
    assert_int_equal(series->metrics[1].histogram.max, 200);
    assert_int_equal(run.total.check_count, 5);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(run.total.checks[i].passed, passed[i]);
        assert_int_equal(run.total.checks[i].failed, 20 - passed[i]);
    }
    /* A failed check changes no outcome. */
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 10);
    assert_int_equal(run_outcomes(&run, OUTCOME_REJECTED), 10);
    run_end(&run);
}

/* ---- an end whose meaning comes later ---- */

#define DOUBT_TICKS 30
static uint64_t doubt_ticks, doubt_ended_ns, doubt_done_ns;

static void request_ends(struct squall_conn *conn, struct squall_exchange *exchange)
{
    const struct squall_host *host = conn->worker->host;
    host->ended(exchange);
    host->ended(exchange); /* the first one counts */
    doubt_ended_ns = host->stamp_ns(conn->worker);
}

static uint64_t tick_finds_out(struct squall_conn *conn, uint64_t now_ns)
{
    if (doubt_ended_ns > 0 && ++doubt_ticks == DOUBT_TICKS) {
        doubt_done_ns = conn->worker->host->stamp_ns(conn->worker);
        own_done_oldest(conn);
    }
    return now_ns + NS_PER_MS;
}

/* Its latency goes to where it ended; the wait until that was understood is no delay of anybody's. */
static void test_ended(void **state)
{
    (void)state;
    own_reset();
    own.request = request_ends;
    own.tick = tick_finds_out;
    doubt_ticks = doubt_ended_ns = doubt_done_ns = 0;
    struct settings settings = URL(.users = "1", .iterations = "1");
    run_begin(&run, &settings);
    run_connect(&run);
    uint64_t before_ns = clock_now_ns();
    run_load(&run, 0);
    const struct series *series = &run.total.series[0];
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 1);
    assert_true(doubt_done_ns >= doubt_ended_ns + (DOUBT_TICKS - 1) * NS_PER_MS);
    assert_true(series->latency_ok.max <= doubt_ended_ns - before_ns);
    assert_true(run.total.receive_lag.max < doubt_done_ns - doubt_ended_ns);
    run_end(&run);
}

/* ---- times that cross workers ---- */

#define NEVER_SET_OUT 4711

/* Each exchange is one that sets out, arrives twice, and sees the arrival of something that another worker knows. */
static void request_crosses(struct squall_conn *conn, struct squall_exchange *exchange)
{
    const struct squall_host *host = conn->worker->host;
    assert_int_equal(host->set_out(conn->worker, exchange->id), 0);
    assert_int_equal(host->arrived(conn->worker, exchange->step, 1, exchange->id), 0);
    assert_int_equal(host->arrived(conn->worker, exchange->step, 1, exchange->id), 0);
    assert_int_equal(host->arrived(conn->worker, exchange->step, 1, NEVER_SET_OUT), 0);
    assert_int_equal(host->arrived(conn->worker, exchange->step, UINT32_MAX, exchange->id), 0); /* not one of the rows */
    own_done(conn, exchange, SQUALL_OK);
}

static void test_crossings(void **state)
{
    (void)state;
    for (uint32_t workers = 1; workers <= 2; workers++) {
        own_reset();
        own.request = request_crosses;
        struct settings settings = URL(.users = "1", .iterations = "20", .connections = "1");
        settings.workers = workers;
        run_begin(&run, &settings);
        run_whole(&run);
        uint64_t begun = run_begun(&run);
        const struct crossings *crossings = engine_crossings(run.engine);
        assert_true(begun > 0);
        assert_int_equal(run.total.series[0].metrics[1].histogram.count, 2 * begun);
        assert_int_equal(crossings->start_count, begun);
        /* Alone there is nobody to ask. */
        assert_int_equal(crossings->end_count, workers > 1 ? begun : 0);
        run_end(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_posts_from_threads),          cmocka_unit_test(test_queue_full),
        cmocka_unit_test(test_user_state_of_each_protocol), cmocka_unit_test(test_tick_in_the_past),
        cmocka_unit_test(test_metrics_and_checks),          cmocka_unit_test(test_crossings),
        cmocka_unit_test(test_held),                        cmocka_unit_test(test_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
