/* Arenas and buffers: alignment, zeroed memory, what reset keeps, what a limit refuses. */
#include "base/arena.h"
#include "base/buffer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void test_allocations(void **state)
{
    (void)state;
    struct arena arena;
    unsigned char *kept[300];
    arena_init(&arena);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 300; i++) {
            size_t size = i * i;
            kept[i] = arena_alloc(&arena, size);
            assert_int_equal((uintptr_t)kept[i] % 16, 0);
            for (size_t j = 0; j < size; j++)
                assert_int_equal(kept[i][j], 0); /* after a reset too */
            memset(kept[i], (int)i | 1, size);
        }
        for (size_t i = 1; i < 300; i++)
            assert_true(kept[i][0] == (unsigned char)(i | 1) && kept[i][i * i - 1] == (unsigned char)(i | 1));
        arena_reset(&arena);
    }
    unsigned char *reused = arena_alloc(&arena, 100);
    arena_reset(&arena);
    assert_ptr_equal(arena_alloc(&arena, 100), reused); /* the block stays */
    arena_fini(&arena);
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 0));
    arena_fini(&arena);
}

static void test_texts(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena);
    char *copy = arena_copy(&arena, "ab\0cd", 5);
    assert_memory_equal(copy, "ab\0cd", 6);
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    assert_string_equal(arena_printf(&arena, "%s-%d", "step", 7), "step-7");
    arena_fini(&arena);
}

static void test_buffer(void **state)
{
    (void)state;
    struct buffer buffer = {.limit = 1000};
    for (int i = 0; i < 100; i++)
        assert_int_equal(buffer_append(&buffer, "0123456789", 10), 0);
    assert_int_equal(buffer.len, 1000);
    assert_int_equal(buffer_append(&buffer, "x", 1), -1);
    assert_int_equal(buffer_printf(&buffer, "x"), -1);
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    assert_int_equal(buffer_append(&buffer, NULL, 0), 0);
    assert_int_equal(buffer.len, 1000);
    buffer_consume(&buffer, 993);
    assert_int_equal(buffer.len, 7);
    assert_memory_equal(buffer.data, "3456789", 7);
    assert_int_equal(buffer_printf(&buffer, "%0993d", 5), 0); /* up to the limit exactly */
    assert_int_equal(buffer.len, 1000);
    assert_int_equal(buffer.data[999], '5');
    buffer_consume(&buffer, 5000);
    assert_int_equal(buffer.len, 0);
    buffer_fini(&buffer);
    struct buffer endless = {0};
    assert_non_null(buffer_reserve(&endless, 0));
    assert_null(buffer_reserve(&endless, SIZE_MAX));
    buffer_fini(&endless);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_allocations), cmocka_unit_test(test_texts), cmocka_unit_test(test_buffer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
