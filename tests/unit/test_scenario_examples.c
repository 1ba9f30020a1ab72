/*
 * Every example that someone may copy loads: the files of scenarios/ and the YAML blocks of docs/scenario.md. A block
 * that shows a part only is completed behind its end, so that positions stay those of the block; a block with an
 * `error` block behind it must give exactly that. And the page names every function that there is.
 */
#include "scenario/expression_tree.h"
#include "scenario_fixture.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h> /* after the headers that it needs */

static char root[4096]; /* of the source tree */

static char *read_file(const char *folder, const char *name)
{
    char path[8192], *text = NULL, *ended;
    struct error error;
    size_t len;
    snprintf(path, sizeof path, "%s/%s/%s", root, folder, name);
    if (scenario_read(path, &text, &len, &error))
        fail_msg("%s", error.text);
    ended = calloc(1, len + 1);
    memcpy(ended, text, len);
    free(text);
    return ended;
}

static int load_text(const char *text, const char *file, struct error *error)
{
    struct protocol_registry registry;
    struct scenario *scenario = NULL;
    fixture_registry_named(&registry, "http");
    int result = scenario_load(text, strlen(text), file, NULL, &registry, &scenario, error);
    if (!result)
        scenario_free(scenario);
    return result;
}

static void test_files(void **state)
{
    char folder[4200];
    unsigned count = 0;
    (void)state;
    snprintf(folder, sizeof folder, "%s/scenarios", root);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        const char *dot = strrchr(entry->d_name, '.');
        struct error error = {0};
        if (!dot || strcmp(dot, ".yaml") != 0)
            continue;
        char *text = read_file("scenarios", entry->d_name);
        char path[8600];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name); /* what it names lies beside it */
        if (load_text(text, path, &error))
            fail_msg("%s", error.text);
        if (strncmp(text, "# ", 2) != 0 || !memchr(text, '?', strcspn(text, "\n")))
            fail_msg("%s does not open with the question that it answers", entry->d_name);
        free(text);
        count++;
    }
    closedir(dir);
    assert_true(count >= 3);
}

/* Whether the block has a key at its top. */
static bool has_key(const char *block, const char *key)
{
    size_t len = strlen(key);
    for (const char *line = block; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, len) == 0)
            return true;
    return false;
}

static void complete(char *block)
{
    if (!has_key(block, "squall:"))
        strcat(block, "squall: 1\n");
    if (!has_key(block, "targets:"))
        strcat(block, "targets: { a: \"http://127.0.0.1:8080\" }\n");
    if (!has_key(block, "load:"))
        strcat(block, "load: [ { users: 1, for: 1s } ]\n");
    if (!has_key(block, "flow:") && !has_key(block, "users:"))
        strcat(block, "flow: [ { http: GET / } ]\n");
}

/* The text between the fence at `at` and the next; NULL when `at` is no fence of this kind. */
static const char *fenced(const char *at, const char *kind, char *block, size_t size)
{
    size_t kind_len = strlen(kind);
    if (strncmp(at, "```", 3) != 0 || strncmp(at + 3, kind, kind_len) != 0 || at[3 + kind_len] != '\n')
        return NULL;
    at += 3 + kind_len + 1;
    const char *end = strstr(at, "```");
    assert_non_null(end);
    assert_true((size_t)(end - at) + 200 < size);
    memcpy(block, at, (size_t)(end - at));
    block[end - at] = '\0';
    return strchr(end, '\n') + 1;
}

static void test_page(void **state)
{
    char *page = read_file("docs", "scenario.md"), block[8192], expected[2048];
    unsigned loaded = 0, refused = 0;
    (void)state;
    for (const char *at = page; (at = strstr(at, "```yaml\n"));) {
        struct error error = {0};
        at = fenced(at, "yaml", block, sizeof block);
        complete(block);
        const char *next = fenced(at, "error", expected, sizeof expected);
        int result = load_text(block, "s.yaml", &error);
        if (!next) {
            if (result)
                fail_msg("%s\n%s", block, error.text);
            loaded++;
            continue;
        }
        at = next;
        expected[strcspn(expected, "\n")] = '\0';
        /* the loader of plugins adds which there are, and that is not the same everywhere */
        if (!result || strncmp(error.text, expected, strlen(expected)) != 0)
            fail_msg("%s\ngives '%s' instead of '%s'", block, error.text, expected);
        refused++;
    }
    assert_true(loaded >= 7 && refused >= 10);
    free(page);
}

/* The files that examples of the page name, in a folder of this test's own. */
static const struct {
    const char *name, *text;
} files[] = {
    {"browse.lua", "return function(user) user.http.get('/') end\n"},
    {"wave.lua", "return { shape = function(t) return 10 + t end }\n"},
    {"common.yaml", "squall: 1\nflows: { log_in: [ { http: 'POST /login/${who}' } ] }\n"},
    {"people.csv", "name,password\nann,secret\nbob,hidden\n"},
    {"broken.csv", "name,password\nann,secret\nbob\n"},
    {"orders.jsonl", "{\"id\": 1, \"lines\": [{\"sku\": \"x\"}]}\n"},
    {"codes.csv", "A;1.5\nB;2\n"},
};
static char files_folder[] = "/tmp/squall-examples-XXXXXX";

static int write_files(void **state)
{
    (void)state;
    if (!mkdtemp(files_folder) || chdir(files_folder))
        return -1;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        FILE *file = fopen(files[i].name, "w");
        if (!file || fputs(files[i].text, file) < 0 || fclose(file))
            return -1;
    }
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        unlink(files[i].name);
    return rmdir(files_folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_files), cmocka_unit_test(test_page)};
    snprintf(root, sizeof root, "%s", SQUALL_SOURCE_DIR);
    unsetenv("SQUALL_TARGET");
    unsetenv("RATE");
    unsetenv("SHOP");
    unsetenv("NOT_SET_ANYWHERE");
    return cmocka_run_group_tests(tests, write_files, remove_files);
}
