/*
 * What users and connections have for a while only is given back when it is not needed any more, and as much is made as
 * was in use at once: a user that waits has no exchange, a connection that is up and quiet no output, no input and
 * nothing of its opening.
 */
#include "engine/internal.h"
#include "line.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define COUNT(first, next) count_of(first, offsetof(__typeof__(*(first)), next))

static uint32_t count_of(const void *first, size_t next_at)
{
    uint32_t count = 0;
    for (const char *item = first; item; count++)
        memcpy(&item, item + next_at, sizeof item);
    return count;
}

static void assert_nothing_kept(void)
{
    const struct engine *engine = run.engine;
    for (uint32_t i = 0; i < engine->user_count; i++)
        assert_null(engine->users[i].exchanges);
    for (uint32_t i = 0; i < engine->pools[0].count; i++) {
        const struct conn *conn = &engine->pools[0].conns[i];
        assert_int_equal(conn->state, CONN_UP);
        assert_null(conn->output);
        assert_null(conn->in);
        assert_null(conn->transit);
        assert_null(conn->fail_reason);
    }
}

/* Five users at once on one connection: one exchange is in flight, four wait for it. */
static void test_what_is_done_with_is_given_back(void **state)
{
    (void)state;
    peer_start(serve_lines);
    line_begin("5", "200", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 200);
    assert_nothing_kept();
    assert_int_equal(COUNT(run.engine->spares.exchanges, next), 5);
    assert_int_equal(COUNT(run.engine->spares.outputs, next_spare), 1);
    assert_int_equal(COUNT(run.engine->spares.transits, next_spare), 1);
    line_finish();
}

/* Of five hundred users ten walk, so there are ten exchanges at most. */
static void test_who_waits_has_none(void **state)
{
    (void)state;
    peer_start(serve_lines);
    line_begin("500", "10", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 10);
    assert_int_equal(run.engine->user_count, 500);
    assert_nothing_kept();
    assert_in_range(COUNT(run.engine->spares.exchanges, next), 1, 10);
    line_finish();
}

/* Answers in pieces, so that the plugin leaves what it cannot use yet. */
static void serve_in_pieces(struct peer *own, int socket, int number)
{
    (void)own;
    (void)number;
    int one = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    while (read_line(socket)) {
        write_text(socket, "o");
        write_text(socket, "k");
        write_text(socket, "\n");
    }
}

static void test_input_is_given_back(void **state)
{
    (void)state;
    peer_start(serve_in_pieces);
    line_begin("1", "50", "1", peer.port);
    run_whole(&run);
    assert_int_equal(run_outcomes(&run, OUTCOME_OK), 50);
    assert_nothing_kept();
    line_finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_done_with_is_given_back),
        cmocka_unit_test(test_who_waits_has_none),
        cmocka_unit_test(test_input_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
