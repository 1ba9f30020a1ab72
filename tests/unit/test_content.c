/* Options that name files: what they hold, which files are read, and that the run's copy outlives the original. */
#include "scenario/scenario.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct options {
    struct squall_bytes file;
    struct squall_map parts;
};

static const struct squall_option rows[] = {
    {.name = "file",
     .type = SQUALL_STRING,
     .offset = offsetof(struct options, file),
     .role = SQUALL_ROLE_FILE,
     .flag = "--file",
     .metavar = "FILE"},
    {.name = "parts", .type = SQUALL_MAP, .offset = offsetof(struct options, parts), .role = SQUALL_ROLE_FILE},
};
static struct protocol protocol = {.name = "post",
                                   .abi = {.name = "post",
                                           .schemes = "post",
                                           .ports = "9",
                                           .flags = SQUALL_OWN_TRANSPORT,
                                           .step_options = {rows, 2, sizeof rows[0], sizeof(struct options)}}};
static char folder[] = "/tmp/squall-content-XXXXXX";

static void put(const char *name, const char *text, size_t len)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

static int load(const char *step, struct scenario **ret_scenario, struct error *error)
{
    char yaml[600], path[200];
    struct protocol_registry registry = {.protocols = {&protocol}, .count = 1};
    struct overrides overrides = {0};
    snprintf(path, sizeof path, "%s/in/s.yaml", folder);
    snprintf(yaml, sizeof yaml,
             "squall: 1\ntargets: { t: { url: \"post://here\" } }\nload: [ { users: 1, iterations: 1 } ]\nflow:\n  - { "
             "post: , %s }\n",
             step);
    return scenario_load(yaml, strlen(yaml), path, &overrides, &registry, ret_scenario, error);
}

static const struct options *loaded(const char *step, struct scenario **ret_scenario)
{
    struct error error = {0};
    if (load(step, ret_scenario, &error))
        fail_msg("%s: %s", step, error.text);
    return (*ret_scenario)->steps[0].constant_block;
}

static void assert_bytes(struct squall_bytes bytes, const char *text)
{
    assert_int_equal(bytes.len, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.len);
}

static void test_content(void **state)
{
    (void)state;
    struct scenario *scenario;
    const struct options *options = loaded("file: a.bin", &scenario);
    assert_int_equal(options->file.len, 5);
    assert_memory_equal(options->file.data, "a\0b\r\n", 5);
    put("in/a.bin", "", 0); /* what was read stays */
    assert_memory_equal(options->file.data, "a\0b\r\n", 5);
    assert_int_equal(scenario->steps[0].all_constant, true);
    scenario_free(scenario);
    put("in/a.bin", "a\0b\r\n", 5);
    options = loaded("file: empty", &scenario);
    assert_int_equal(options->file.len, 0);
    scenario_free(scenario);
}

static void test_map(void **state)
{
    (void)state;
    struct scenario *scenario;
    const struct options *options = loaded(
        "parts: { one: \"@sub/b.txt;type=text/plain\", two: \"@@x\", three: y, four: \"@a.bin\", five: \"@a.bin\" }",
        &scenario);
    const struct squall_pair *pairs = options->parts.pairs;
    assert_int_equal(options->parts.count, 5);
    assert_bytes(pairs[0].value, "bee");
    assert_bytes(pairs[0].file, "b.txt;type=text/plain");
    assert_bytes(pairs[1].value, "@x");
    assert_int_equal(pairs[1].file.len, 0);
    assert_bytes(pairs[2].value, "y");
    assert_bytes(pairs[3].file, "a.bin");
    assert_ptr_equal(pairs[3].value.data, pairs[4].value.data); /* kept once */
    scenario_free(scenario);
}

static void test_map_with_variables(void **state)
{
    (void)state;
    struct scenario *scenario;
    struct arena scratch;
    struct error error = {0};
    const void *rendered = NULL;
    loaded("parts: { one: \"@sub/b.txt\", two: \"user ${user.id}\", three: \"@@${user.id}\" }", &scenario);
    arena_init(&scratch);
    struct eval eval = {.user_id = 7, .scratch = &scratch};
    assert_int_equal(step_render(&scenario->steps[0], &eval, &rendered, &error), 0);
    const struct squall_pair *pairs = ((const struct options *)rendered)->parts.pairs;
    assert_bytes(pairs[0].value, "bee");
    assert_bytes(pairs[0].file, "b.txt");
    assert_bytes(pairs[1].value, "user 7");
    assert_bytes(pairs[2].value, "@7");
    arena_fini(&scratch);
    scenario_free(scenario);
}

static void test_flag(void **state)
{
    (void)state;
    char path[200];
    struct error error = {0};
    struct scenario *scenario;
    struct protocol_registry registry = {.protocols = {&protocol}, .count = 1};
    struct flag_value flag = {"--file", path};
    struct overrides overrides = {.url = "post://here", .flags = &flag, .flag_count = 1};
    snprintf(path, sizeof path, "%s/outside", folder); /* the operator's own word may name any file */
    if (scenario_from_url(&overrides, &registry, &scenario, &error))
        fail_msg("%s", error.text);
    assert_bytes(((const struct options *)scenario->steps[0].constant_block)->file, "out");
    scenario_free(scenario);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *step, *text;
    } refusals[] = {
        {"file: nowhere", "the file 'nowhere' is not there"},
        {"file: ../outside", "lies outside of the scenario's folder"},
        {"file: link", "lies outside of the scenario's folder"},
        {"file: sub", "is no regular file"},
        {"file: pipe", "is no regular file"},
        {"file: \"${user.id}\"", "must be the same in every exchange"},
        {"parts: { one: \"@../outside\" }", "lies outside of the scenario's folder"},
        {"parts: { one: \"@${user.id}\" }", "must be the same in every exchange"},
        {"parts: { one: \"@\" }", "lies outside of the scenario's folder"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct error error = {0};
        struct scenario *scenario;
        if (load(refusals[i].step, &scenario, &error) == 0)
            fail_msg("taken: %s", refusals[i].step);
        if (!strstr(error.text, refusals[i].text) || !strstr(error.text, "s.yaml:5:"))
            fail_msg("%s: \"%s\" does not say \"%s\"", refusals[i].step, error.text, refusals[i].text);
    }
}

static int make_folder(void **state)
{
    char path[200], target[200];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/in", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/in/sub", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    put("in/a.bin", "a\0b\r\n", 5);
    put("in/empty", "", 0);
    put("in/sub/b.txt", "bee", 3);
    put("outside", "out", 3);
    snprintf(path, sizeof path, "%s/in/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/in/link", folder);
    snprintf(target, sizeof target, "%s/outside", folder);
    assert_int_equal(symlink(target, path), 0);
    return 0;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"/in/a.bin", "/in/empty", "/in/sub/b.txt", "/outside", "/in/pipe", "/in/link"};
    char path[200];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s%s", folder, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/in/sub", folder);
    rmdir(path);
    snprintf(path, sizeof path, "%s/in", folder);
    rmdir(path);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_content), cmocka_unit_test(test_map),
                                       cmocka_unit_test(test_map_with_variables), cmocka_unit_test(test_flag),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
