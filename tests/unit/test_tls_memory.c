/* OpenSSL's memory: a record's buffer comes again, all else is malloc's, and other threads keep nothing. */
#include "engine/tls_memory.h"
#include <openssl/crypto.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define KEPT_MAX 32 /* of the file under test */

static void test_comes_again(void **state)
{
    (void)state;
    static const size_t sizes[] = {16384, 16640, 17000, 18432};
    void *first = OPENSSL_malloc(16704);
    assert_non_null(first);
    OPENSSL_free(first);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *block = OPENSSL_malloc(sizes[i]);
        assert_ptr_equal(block, first); /* whatever the size was before */
        memset(block, 0xff, sizes[i]);
        OPENSSL_free(block);
    }
    void *small = OPENSSL_malloc(100), *large = OPENSSL_malloc(20000);
    assert_ptr_not_equal(small, first);
    assert_ptr_not_equal(large, first);
    OPENSSL_free(small);
    OPENSSL_free(large);
}

static void test_many(void **state)
{
    (void)state;
    void *blocks[2 * KEPT_MAX];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 2 * KEPT_MAX; i++) {
            blocks[i] = OPENSSL_malloc(17000);
            assert_non_null(blocks[i]);
            memset(blocks[i], i, 17000);
        }
        for (int i = 0; i < 2 * KEPT_MAX; i++) {
            assert_int_equal(((uint8_t *)blocks[i])[16999], i); /* none was handed out twice */
            OPENSSL_free(blocks[i]);
        }
    }
}

static void test_resize(void **state)
{
    (void)state;
    uint8_t *block = OPENSSL_realloc(NULL, 10);
    memset(block, 7, 10);
    block = OPENSSL_realloc(block, 17000);
    assert_int_equal(block[9], 7);
    block = OPENSSL_realloc(block, 40000);
    assert_int_equal(block[9], 7);
    assert_null(OPENSSL_realloc(block, 0));
    OPENSSL_free(NULL);
}

static void *elsewhere(void *arg)
{
    void *block = OPENSSL_malloc(17000);
    OPENSSL_free(arg); /* of the other thread: returned to malloc */
    OPENSSL_free(block);
    return block ? arg : NULL;
}

static void test_other_thread(void **state)
{
    (void)state;
    pthread_t thread;
    void *kept = OPENSSL_malloc(17000), *block = OPENSSL_malloc(17000), *answer;
    OPENSSL_free(kept);
    assert_int_equal(pthread_create(&thread, NULL, elsewhere, block), 0);
    assert_int_equal(pthread_join(thread, &answer), 0);
    assert_ptr_equal(answer, block);
    void *again = OPENSSL_malloc(17000);
    assert_ptr_equal(again, kept);
    OPENSSL_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_comes_again), cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_resize), cmocka_unit_test(test_other_thread)};
    tls_memory_init(); /* before OpenSSL is used at all */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
