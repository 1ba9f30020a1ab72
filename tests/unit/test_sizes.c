/*
 * What a user with its connection takes of our memory is a promise (docs/performance.md: an idle MQTT device 1.5 KiB),
 * and it grows by a member here and a member there. So each struct that there is one of for each user, exchange or
 * connection has a bound here. Whoever meets it has a choice: a member that is needed for a while only belongs into
 * what spare.c hands out, one that few scenarios need into an array of its own; and if it is to be in all of them, the
 * bound is raised in the same commit that says why.
 */
#include "engine/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h> /* after the headers that it needs */

#define CONN_MAX     312u
#define USER_MAX     128u
#define EXCHANGE_MAX 192u

static void test_carried_always(void **state)
{
    (void)state;
    assert_in_range(sizeof(struct conn), 1, CONN_MAX);
    assert_in_range(sizeof(struct user), 1, USER_MAX);
    /* In each connection: libev's watcher with our two pointers; in each user and connection: a timer. */
    assert_in_range(sizeof(struct loop_io), 1, 64);
    assert_in_range(sizeof(struct timer), 1, 24);
}

/* With thousands of users each exchange finds all that it touches outside the caches: a line more is a wait for memory more. */
static void test_touched_by_each_exchange(void **state)
{
    (void)state;
    assert_in_range(offsetof(struct conn, place), 1, 3 * CACHE_LINE);
    assert_int_equal(offsetof(struct conn, io), CACHE_LINE);
    assert_int_equal(sizeof(struct exchange) % CACHE_LINE, 0);
    assert_int_equal(sizeof(struct user) % CACHE_LINE, 0);
}

/* As many as are in use at once: of exchanges, with the plugin's state behind each. A body or an input is a buffer with
 * a pointer behind it. */
static void test_carried_for_a_while(void **state)
{
    (void)state;
    assert_in_range(sizeof(struct exchange), 1, EXCHANGE_MAX);
    assert_in_range(sizeof(struct output), 1, 256);
    assert_in_range(sizeof(struct transit), 1, 64);
    assert_in_range(sizeof(struct buffer), 1, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_carried_always),
        cmocka_unit_test(test_touched_by_each_exchange),
        cmocka_unit_test(test_carried_for_a_while),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
