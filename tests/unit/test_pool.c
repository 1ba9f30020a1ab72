/* Which connection of a pool an exchange gets: one with the fewest in flight, whatever came and went before. */
#include "base/random.h"
#include "engine/internal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h> /* after the headers that it needs */

#define CONNS 7u

static struct engine engine;
static struct pool pool;
static struct conn conns[CONNS];

static void make_pool(uint32_t capacity)
{
    pool = (struct pool){.engine = &engine, .conns = conns, .count = CONNS};
    list_init(&pool.waiting);
    for (uint32_t i = 0; i < POOL_LOADS; i++)
        list_init(&pool.loads[i]);
    for (uint32_t i = 0; i < CONNS; i++) {
        conns[i] = (struct conn){.pool = &pool, .state = CONN_UP, .capacity = capacity};
        list_init(&conns[i].place);
        pool_available(&conns[i]);
    }
}

static uint32_t fewest(void)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < CONNS; i++)
        if (conns[i].in_flight < conns[i].capacity && !conns[i].retired && conns[i].in_flight < least)
            least = conns[i].in_flight;
    return least;
}

static void begin(struct conn *conn)
{
    conn->in_flight++;
    pool_handed(conn);
}

static void end(struct conn *conn)
{
    conn->in_flight--;
    pool_available(conn);
}

static void test_least_loaded(void **state)
{
    static const uint32_t capacities[] = {1, 2, 5, 60};
    struct random_stream random;
    (void)state;
    random_init(&random, 1, 1);
    for (size_t c = 0; c < sizeof capacities / sizeof capacities[0]; c++) {
        make_pool(capacities[c]);
        for (int turn = 0; turn < 20000; turn++) {
            struct conn *some = &conns[random_below(&random, CONNS)];
            switch (random_below(&random, 8)) {
            case 0: /* what a plugin says between two turns */
                some->capacity = (uint32_t)random_below(&random, capacities[c]) + 1;
                pool_available(some);
                break;
            case 1:
                some->retired = !some->retired;
                pool_available(some);
                break;
            case 2:
            case 3:
            case 4:
                if (some->in_flight)
                    end(some);
                break;
            default: {
                uint32_t least = fewest();
                struct conn *picked = pool_pick(&pool, NULL);
                assert_int_equal(picked == NULL, least == UINT32_MAX);
                if (picked) {
                    assert_int_equal(picked->in_flight, least);
                    assert_true(!picked->retired && picked->in_flight < picked->capacity);
                    begin(picked);
                }
            }
            }
        }
    }
}

static void test_equals_take_turns(void **state)
{
    (void)state;
    make_pool(3);
    for (uint32_t round = 0; round < 3; round++)
        for (uint32_t i = 0; i < CONNS; i++) {
            struct conn *picked = pool_pick(&pool, NULL);
            assert_ptr_equal(picked, &conns[i]);
            begin(picked);
        }
    assert_null(pool_pick(&pool, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_least_loaded), cmocka_unit_test(test_equals_take_turns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
