/* Texts with ${...}: what they render to, and the column of what they cannot hold. */
#include "scenario/expression_tree.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

static const struct {
    const char *text, *rendered;
    bool constant;
} good[] = {
    {"", "", true},
    {"plain $ { } text", "plain $ { } text", true},
    {"${1 + 1}", "2", true},
    {"a${'b'}c", "abc", true},
    {"$${not this}", "${not this}", true},
    {"a$${x}${1}", "a${x}1", true},
    {"${'}'}", "}", true},
    {"${\"\\\"}\"}", "\"}", true},
    {"${env.SQUALL_TEST}", "here", true},
    {"${env.SQUALL_TEST:-other}", "here", true},
    {"${env.SQUALL_NOT_SET:-web://127.0.0.1:8080}", "web://127.0.0.1:8080", true},
    {"${env.SQUALL_NOT_SET:-}", "", true},
    {"${env.SQUALL_EMPTY:-filled}", "filled", true},
    {"${env.SQUALL_NOT_SET:-{\"a\": {}}}/x", "{\"a\": {}}/x", true},
    {"${secret.SQUALL_TEST}", "here", true},
    {"user ${user.id}, journey ${iteration}", "user 3, journey 5", false},
    {"${user.id * 1000}", "3000", false},
    {"${user.id / 2}", "1.5", false},
    {"${user.id == 3}", "true", false},
    {"${null}|${1 / 0}", "|", true},
    {"${-0}", "0", true},
    {"${9007199254740992}", "9007199254740992", true},
    {"${250ms}", "250000000", true},
    {"${upper('x') + 'y'}", "Xy", true},
};

static const struct {
    const char *text;
    uint32_t column;
    const char *error;
} bad[] = {
    {"ab${", 3, "no }"},
    {"${env.X:-", 1, "no }"},
    {"${'}", 1, "no }"},
    {"${}", 3, "ends too early"},
    {"x${1 + }", 8, "ends too early"},
    {"abc ${usr.id}", 7, "did you mean `user.id`"},
    {"${status}", 3, "in a check"},
    {"${env.SQUALL_NOT_SET}", 3, "write ${env.SQUALL_NOT_SET:-a default}"},
    {"${random.int(1)}", 3, "random.int(1, 6)"},
};

static struct random_stream stream;

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct arena arena;
        struct error error = {0};
        const struct template *template;
        uint32_t column;
        arena_init(&arena);
        if (template_compile(good[i].text, &arena, &template, &column, &error))
            fail_msg("'%s': %s", good[i].text, error.text);
        struct eval eval = {.user_id = 3, .iteration = 5, .random = &stream, .scratch = &arena};
        struct squall_bytes bytes = template_render(template, &eval);
        assert_string_equal((const char *)bytes.data, good[i].rendered);
        assert_int_equal(bytes.len, strlen(good[i].rendered));
        assert_int_equal(template_constant(template), good[i].constant);
        assert_string_equal(template_text(template), good[i].text);
        if (good[i].constant) /* no copy */
            assert_ptr_equal(template_render(template, &eval).data, bytes.data);
        arena_fini(&arena);
    }
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct arena arena;
        struct error error = {0};
        const struct template *template;
        uint32_t column = 0;
        arena_init(&arena);
        if (template_compile(bad[i].text, &arena, &template, &column, &error) != -1)
            fail_msg("'%s' was taken", bad[i].text);
        if (!strstr(error.text, bad[i].error) || column != bad[i].column)
            fail_msg("'%s': column %u, '%s'", bad[i].text, column, error.text);
        arena_fini(&arena);
    }
}

static void test_many_parts(void **state)
{
    (void)state;
    struct arena arena;
    struct error error = {0};
    const struct template *template;
    uint32_t column = 0;
    char text[4000] = "";
    for (int i = 0; i < 300; i++)
        strcat(text, "x${user.id}");
    arena_init(&arena);
    assert_int_equal(template_compile(text, &arena, &template, &column, &error), -1);
    assert_non_null(strstr(error.text, "too many"));
    arena_fini(&arena);
}

static void test_secret(void **state)
{
    (void)state;
    struct arena arena;
    struct error error;
    const struct template *template;
    uint32_t column;
    arena_init(&arena);
    assert_int_equal(template_compile("Bearer ${secret.SQUALL_TEST}", &arena, &template, &column, &error), 0);
    assert_true(template_secret(template));
    assert_int_equal(template_compile("Bearer ${env.SQUALL_TEST}", &arena, &template, &column, &error), 0);
    assert_false(template_secret(template));
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
                                       cmocka_unit_test(test_many_parts), cmocka_unit_test(test_secret)};
    setenv("SQUALL_TEST", "here", 1);
    setenv("SQUALL_EMPTY", "", 1);
    unsetenv("SQUALL_NOT_SET");
    random_init(&stream, 1, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
