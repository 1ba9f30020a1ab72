/*
 * The laws of squall/plugin.h, from the plugin's side: a plugin that breaks one is seen by the fake host or by a check,
 * and one that keeps them is not. What the engine owes a plugin is tested with the engine.
 *
 *   law                                       broken on purpose by (test_broken_laws)      kept by every plugin in
 *   1 one end for each request                done_twice, done_after_cancel, calls_closed  checks: end, cancel, break
 *   2 done() inside request()                 (allowed) test_done_inside_request           null: all checks
 *   3 an ended exchange is gone               keeps_exchange, done_twice                   checks: cancel, end
 *   4 capacity is a level                     test_capacity                                test_capacity
 *   5 times are the engine's                  test_no_time: no call takes a measured time  the header
 *   6 any split gives the same calls          split_sensitive                              checks: splits, and within
 * end, cancel 7 one outcome                             unknown_outcome                              every drive counts
 * the ends 8 another thread may post and no more     other_thread                                 test_post 9 no host
 * call re-enters the plugin       done_in_record                               test_capacity, all drives: depth memory
 * commits_too_much, stale_reserve, uses_too_much, lent_bytes_change, writes_behind output short_request checks: output
 *   nothing static                            static_state                                 checks: two connections
 */
#include "checks.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* wants the ones above */

static struct protocol_registry registry;

static const struct protocol *load(struct protocol_registry *into, const char *path)
{
    const struct protocol *protocol = NULL;
    struct error error;
    protocol_registry_init(into);
    if (protocol_load_file(into, path, &protocol, &error))
        fail_msg("%s", error.text);
    return protocol;
}

static const struct squall_bytes conversation[] = {
    {(const uint8_t *)"hello\n", 6},
    {(const uint8_t *)"again\n", 6},
};

static struct check_subject subject_of(const struct protocol *protocol)
{
    return (struct check_subject){.protocol = protocol, .parts = conversation, .part_count = 2};
}

static void test_broken_laws(void **unused)
{
    static const struct {
        const char *fixture, *said; /* NULL: nothing may be said */
    } cases[] = {
        {"behaves", NULL},
        {"done_twice", "law 3: done() on exchange 1 after its done()"},
        {"done_after_cancel", "law 1: done() on exchange 1, which was cancelled"},
        {"keeps_exchange", "law 3: first_byte() on exchange 1 after its done()"},
        {"done_in_record", "law 9: done() on exchange 1 from within record()"},
        {"unknown_outcome", "law 7: done() with the unknown outcome 77"},
        {"unknown_metric", "sample() of metric 1, of which there are 1"},
        {"commits_too_much", "memory: out_commit() of 3 bytes where 2 were reserved"},
        {"stale_reserve", "memory: out_commit() of 2 bytes where 0 were reserved"},
        {"uses_too_much", "memory: receive() used 7 of 6 bytes"},
        {"split_sensitive", "law 6: another split of the same bytes led to other calls"},
        {"other_thread", "law 8: capacity() on a thread of the plugin"},
        {"calls_closed", "law 1: capacity() on a connection after its disconnect()"},
        {"unwanted_body", "body() on exchange 1, which does not want it"},
        {"lent_bytes_change", "memory: bytes lent through out_borrow() changed"},
        {"static_state", "two connections at once led to other calls than one alone"},
        {"short_request", "a request was cut short when the output had no room"},
        {"ends_twice", "request_end() twice on exchange 1"},
#ifndef FAKE_SANITIZED /* which would end the process */
        {"writes_behind", "memory: wrote behind its connection state of 24 bytes"},
#endif
    };
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[PATH_MAX];
        struct buffer failure = {0};
        snprintf(path, sizeof path, "%s/%s/misbehaved.so", CONTRACT_PLUGINS, cases[i].fixture);
        struct check_subject subject = subject_of(load(&registry, path));
        int status = check_all(&subject, &failure);
        buffer_append(&failure, "", 1);
        const char *text = (const char *)failure.data;
        if (!cases[i].said && status)
            fail_msg("%s: %s", cases[i].fixture, text);
        if (cases[i].said && (status == 0 || !strstr(text, cases[i].said)))
            fail_msg("%s: expected \"%s\", found: %s", cases[i].fixture, cases[i].said, text);
        buffer_fini(&failure);
        protocol_registry_fini(&registry);
    }
}

static struct fake_host *new_host(const char *path, const struct fake_step **ret_step)
{
    struct error error;
    struct fake_host *host = fake_host_new(load(&registry, path), NULL, &error);
    assert_non_null(host);
    *ret_step = fake_host_step(host, NULL, false, &error);
    assert_non_null(*ret_step);
    return host;
}

static void end_host(struct fake_host *host)
{
    fake_host_stop(host);
    if (host->violation_count)
        fail_msg("%s", host->violations[0]);
    fake_host_free(host);
    protocol_registry_fini(&registry);
}

/* Law 2. */
static void test_done_inside_request(void **unused)
{
    const struct fake_step *step;
    struct fake_host *host = new_host(BUILT_PLUGINS "/null.so", &step);
    struct fake_conn *conn = fake_conn_new(host, false);
    (void)unused;
    for (uint32_t i = 1; i <= 3; i++) {
        assert_true(fake_conn_free_for_request(conn));
        struct fake_exchange *exchange = fake_conn_request(conn, step, 0);
        assert_int_equal(exchange->end, FAKE_DONE);
        assert_int_equal(exchange->number, i);
    }
    end_host(host);
}

/* Law 4: nothing is asked above the level, and the level holds again after each end. */
static void test_capacity(void **unused)
{
    const struct fake_step *step;
    struct fake_host *host = new_host(TEMPLATE_PLUGIN, &step);
    struct fake_conn *conn = fake_conn_new(host, false);
    (void)unused;
    assert_int_equal(conn->capacity, 1);
    struct fake_exchange *first = fake_conn_request(conn, step, 0);
    assert_false(fake_conn_free_for_request(conn));
    fake_conn_feed(conn, "answer\n", 7);
    assert_int_equal(first->end, FAKE_DONE);
    assert_true(fake_conn_free_for_request(conn));
    struct fake_exchange *second = fake_conn_request(conn, step, 0);
    fake_exchange_cancel(second);
    assert_int_equal(second->end, FAKE_CANCELLED);
    assert_false(conn->connected);
    assert_false(fake_conn_free_for_request(conn));
    end_host(host);
}

/* Law 5: a plugin's answer is the same at any time, since nothing that it says may hold one. */
static void test_no_time(void **unused)
{
    char *transcripts[2] = {NULL, NULL};
    (void)unused;
    for (int k = 0; k < 2; k++) {
        const struct fake_step *step;
        struct fake_host *host = new_host(TEMPLATE_PLUGIN, &step);
        struct fake_conn *conn = fake_conn_new(host, false);
        fake_conn_request(conn, step, 0);
        fake_host_advance(host, k ? UINT64_C(3600000000000) : 1);
        fake_conn_feed(conn, "answer\n", 7);
        transcripts[k] = strdup(fake_conn_transcript(conn));
        end_host(host);
    }
    assert_string_equal(transcripts[0], transcripts[1]);
    free(transcripts[0]);
    free(transcripts[1]);
}

struct posted {
    struct fake_host *host;
    uint32_t runs;
    bool on_engine_thread;
};

static void run_posted(struct squall_worker *worker, void *arg)
{
    struct posted *posted = arg;
    posted->runs++;
    posted->on_engine_thread = pthread_equal(pthread_self(), posted->host->thread);
    (void)worker;
}

static void *post_from_thread(void *arg)
{
    struct posted *posted = arg;
    posted->host->table.post(&posted->host->worker, run_posted, posted);
    return NULL;
}

/* Law 8: post() from any thread is no violation, and what is posted runs on the engine's. */
static void test_post(void **unused)
{
    const struct fake_step *step;
    pthread_t thread;
    struct posted posted = {.host = new_host(BUILT_PLUGINS "/null.so", &step)};
    (void)unused;
    assert_int_equal(pthread_create(&thread, NULL, post_from_thread, &posted), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(posted.runs, 0);
    assert_int_equal(fake_host_run_posts(posted.host), 1);
    assert_int_equal(posted.runs, 1);
    assert_true(posted.on_engine_thread);
    end_host(posted.host);
}

static void *hold_from_thread(void *arg)
{
    struct posted *posted = arg;
    posted->host->table.hold(&posted->host->worker, run_posted, posted);
    return NULL;
}

/* What a thread holds runs once somebody wakes the engine. */
static void test_hold(void **unused)
{
    const struct fake_step *step;
    pthread_t thread;
    struct posted posted = {.host = new_host(BUILT_PLUGINS "/null.so", &step)};
    (void)unused;
    assert_int_equal(pthread_create(&thread, NULL, hold_from_thread, &posted), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(fake_host_run_posts(posted.host), 0);
    posted.host->table.wake(&posted.host->worker);
    posted.host->table.hold(&posted.host->worker, run_posted, &posted);
    assert_int_equal(fake_host_run_posts(posted.host), 1);
    posted.host->table.post(&posted.host->worker, run_posted, &posted);
    assert_int_equal(fake_host_run_posts(posted.host), 2);
    assert_int_equal(posted.runs, 3);
    assert_true(posted.on_engine_thread);
    end_host(posted.host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_laws), cmocka_unit_test(test_done_inside_request),
        cmocka_unit_test(test_capacity),    cmocka_unit_test(test_no_time),
        cmocka_unit_test(test_post),        cmocka_unit_test(test_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
