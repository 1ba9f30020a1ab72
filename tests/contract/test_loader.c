/* Every refusal of the loader by its message, each with a plugin that is wrong in that way alone; and the search. */
#include "engine/protocol.h"
#include "report/protocol_print.h"
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h> /* wants the ones above */

struct refusal {
    const char *fixture, *said,
        *advice; /* the folder below CONTRACT_PLUGINS; what the error must hold; NULL: it loads */
};

static const struct refusal refusals[] = {
    {"good", NULL, NULL},
    {"size_of_required", NULL, NULL},
    {"size_larger", NULL, NULL},
    {"no_receive_own_transport", NULL, NULL},
    {"symbol_v1", "built for ABI v1, this squall speaks v0", "rebuild"},
    {"symbol_v99", "built for ABI v99, this squall speaks v0", "rebuild"},
    {"symbol_none", "exports no squall_protocol_v0", "define SQUALL_PROTOCOL"},
    {"magic", "begins with 0x12345678", "SQUALL_PLUGIN_MAGIC"},
    {"major", "says ABI major 3", "SQUALL_ABI_MAJOR"},
    {"minor_older", "built for ABI 0.0, this squall speaks 0.5", "rebuild"},
    {"minor_newer", "built for ABI 0.9, this squall speaks 0.5", "rebuild"},
    {"size", "its table is 72 bytes and at least", "sizeof(struct squall_protocol)"},
    {"size_before_cancel", "and at least", "sizeof(struct squall_protocol)"},
    {"no_connect", "required function connect is missing", "set it"},
    {"no_receive", "required function receive is missing", "set it"},
    {"no_request", "required function request is missing", "set it"},
    {"no_cancel", "required function cancel is missing", "set it"},
    {"flags", "flags 0x81", "update squall"},
    {"name", "calls itself 'other' and its file is broken.so", "rename the file to other.so"},
    {"name_null", "`name` is missing or no valid name", "lower-case"},
    {"name_path", "`name` is missing or no valid name", "lower-case"},
    {"version", "`version` is missing", "fill it in"},
    {"summary", "`summary` is missing or not one plain line", "fill it in"},
    {"schemes", "`schemes` is empty", "name at least one"},
    {"schemes_word", "'Bad' is no URL scheme", "lower-case"},
    {"schemes_twice", "names 'broken' twice", "leave one out"},
    {"ports_count", "`ports` has 1 entries for 2 schemes", "one port a scheme"},
    {"ports_number", "'70000' is no port", "from 1 to 65535"},
    {"ports_word", "'x' is no port", "from 1 to 65535"},
    {"headline", "names 'nothing', which is no step option", "name options"},
    {"state_size", "`conn_size` is 2000000 bytes", "1 MiB"},
    {"row_count", "step_options has 65 rows", "at most 64"},
    {"row_null", "step_options has a count of 2 and no rows", "set `rows`"},
    {"row_stride", "a row of 40 bytes is not one of this ABI (80 bytes)", "rebuild"},
    {"row_stride_odd", "a row of 81 bytes is not one of this ABI", "rebuild"},
    {"row_name", "step_options row 0: the name is missing or not valid", "lower-case"},
    {"row_name_null", "step_options row 0: the name is missing or not valid", "lower-case"},
    {"row_twice", "two rows are named `other`", "rename one"},
    {"row_help", "`number` has no help", "say what"},
    {"row_type", "`number` has the unknown type 99", "enum squall_option_type"},
    {"row_type_zero", "`number` has the unknown type 0", "enum squall_option_type"},
    {"row_offset", "needs 8 aligned bytes at offset 24 in a struct of 24", "offsetof"},
    {"row_offset_odd", "needs 8 aligned bytes at offset 4", "offsetof"},
    {"row_offset_far", "needs 8 aligned bytes at offset 4294967288", "offsetof"},
    {"row_size", "`other` needs 16 aligned bytes at offset 8 in a struct of 8", "set `size`"},
    {"row_min_max", "has a min above its max", "swap"},
    {"row_range_on_text", "has a min or max that its type has no use for", "set them to 0"},
    {"row_choices_none", "is a CHOICE without choices", "end its list with NULL"},
    {"row_choices_empty", "is a CHOICE without choices", "end its list with NULL"},
    {"row_choices_extra", "has choices and is no CHOICE", "drop them"},
    {"row_fallback_range", "the fallback '11' of `number` is no valid number", "as a user would"},
    {"row_fallback_word", "the fallback 'five' of `number` is no valid number", "as a user would"},
    {"row_fallback_duration", "the fallback '5' of `number` is no valid duration", "as a user would"},
    {"row_fallback_size", "the fallback '5s' of `number` is no valid size", "as a user would"},
    {"row_fallback_bool", "the fallback 'yes' of `number`", "as a user would"},
    {"row_fallback_choice", "the fallback 'three' of `number` is no valid choice", "as a user would"},
    {"row_fallback_map", "the fallback 'no pair' of `number` is no valid map", "as a user would"},
    {"row_flag", "has the flag 'number'", "-x,--name"},
    {"row_metavar", "has a flag and no metavar", "name the flag's value"},
    {"row_role", "has an unknown role (0x40)", "this ABI's roles"},
    {"row_role_url", "takes part of the URL and is no STRING", "change its type"},
    {"row_role_required", "is required and has a fallback", "drop one"},
    {"row_verbs", "names verbs (0x4) that the plugin does not have", "bits of rows of verbs"},
    {"row_conn", "is a step's, which may always vary", "for target options"},
    {"row_tree", "is no valid tree", "as a user would"},
    {"verb_name", "verbs row 0: the name is missing or not valid", "lower-case"},
    {"verb_twice", "verbs: two rows are named `prod`", "rename one"},
    {"verb_help", "verbs: `poke` has no help", "say what it does"},
    {"verb_headline", "names 'nothing', which is no step option", "name options"},
    {"verbs_and_headline", "`headline` and verbs are both given", "drop the other"},
    {"metric_name", "metrics row 0: the name is missing or not valid", "lower-case"},
    {"metric_twice", "metrics: two rows are named `tries`", "rename one"},
    {"metric_help", "metrics: `gap_ns` has no help", "say what"},
    {"metric_kind", "`gap_ns` has the unknown kind 9", "enum squall_metric_kind"},
    {"metric_role", "or a role that it cannot have", "enum squall_metric_kind"},
    {"metric_delivered", "or a role that it cannot have", "_role"},
    {"metric_noted", "or a role that it cannot have", "_role"},
    {"metric_stride", "metrics: a row of 8 bytes is not one of this ABI", "rebuild"},
    {"metric_count", "metrics has 65 rows", "at most 64"},
};

static void assert_said(const char *text, const char *fragment)
{
    if (!strstr(text, fragment))
        fail_msg("\"%s\" does not say \"%s\"", text, fragment);
}

static void test_refusals(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *refusal = &refusals[i];
        struct protocol_registry registry;
        const struct protocol *protocol = NULL;
        struct error error = {0};
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s/broken.so", CONTRACT_PLUGINS, refusal->fixture);
        protocol_registry_init(&registry);
        int status = protocol_load_file(&registry, path, &protocol, &error);
        if (!refusal->said && status)
            fail_msg("%s should load: %s", refusal->fixture, error.text);
        if (refusal->said && status == 0)
            fail_msg("%s should not load", refusal->fixture);
        if (refusal->said) {
            assert_null(protocol);
            assert_int_equal(registry.count, 0);
            assert_said(error.text, path);
            assert_said(error.text, refusal->said);
            assert_said(error.text, refusal->advice);
        }
        protocol_registry_fini(&registry);
    }
}

/* ---- files and folders ---- */

static char scratch[] = "/tmp/squall-loader-XXXXXX";

static void copy_file(const char *from, const char *to)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    char data[65536];
    size_t len;
    assert_non_null(in);
    assert_non_null(out);
    while ((len = fread(data, 1, sizeof data, in)))
        assert_int_equal(fwrite(data, 1, len, out), len);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* A fresh copy of the good plugin in a folder of its own; returns its path. */
static const char *place(const char *folder)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", scratch, folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%s/broken.so", scratch, folder);
    copy_file(CONTRACT_PLUGINS "/good/broken.so", path);
    assert_int_equal(chmod(path, 0644), 0);
    return path;
}

static void assert_refused(const char *path, const char *said)
{
    struct protocol_registry registry;
    const struct protocol *protocol;
    struct error error = {0};
    protocol_registry_init(&registry);
    assert_int_equal(protocol_load_file(&registry, path, &protocol, &error), -1);
    assert_said(error.text, said);
    protocol_registry_fini(&registry);
}

static void test_places(void **unused)
{
    static const struct {
        const char *folder;
        mode_t file_mode, folder_mode;
        const char *said;
    } cases[] = {
        {"file-others", 0646, 0755, "others may write the file"},
        {"file-group", 0664, 0755, "others may write the file"},
        {"folder-others", 0644, 0757, "others may write the folder"},
        {"folder-group", 0644, 0775, "others may write the folder"},
        {"folder-sticky", 0644, 01777, "others may write the folder"},
    };
    gid_t group = getegid() ? getegid() : 12345; /* root's group may write: as root, give the files to another */
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *path = place(cases[i].folder);
        char folder[PATH_MAX];
        snprintf(folder, sizeof folder, "%s/%s", scratch, cases[i].folder);
        assert_int_equal(chown(path, (uid_t)-1, group), 0);
        assert_int_equal(chown(folder, (uid_t)-1, group), 0);
        assert_int_equal(chmod(path, cases[i].file_mode), 0);
        assert_int_equal(chmod(folder, cases[i].folder_mode), 0);
        assert_refused(path, cases[i].said);
        assert_refused(path, "run `chmod go-w");
    }
}

static void test_owner(void **unused)
{
    (void)unused;
    if (geteuid() != 0)
        skip(); /* only root can give a file away */
    const char *path = place("owner");
    assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
    assert_refused(path, "belongs to user 12345");
}

static void test_not_a_plugin(void **unused)
{
    char path[PATH_MAX], cut[PATH_MAX];
    (void)unused;
    snprintf(path, sizeof path, "%s", place("not-elf"));
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("this is a text and no shared object, and long enough not to be called short: ....................", file);
    fclose(file);
    assert_refused(path, "cannot be opened as a shared object");
    assert_refused("/nowhere/at/all.so", "cannot be read: No such file");
    assert_refused("relative/broken.so", "absolute path");
    assert_refused("/tmp", "no regular file");
    snprintf(cut, sizeof cut, "%s", place("cut"));
    assert_int_equal(truncate(cut, 100), 0);
    assert_refused(cut, "cannot be opened as a shared object");
}

/* A link is as safe as the folder that holds it and the file that it names. */
static void test_link(void **unused)
{
    char link[sizeof scratch + 32], folder[sizeof scratch + 16];
    (void)unused;
    const char *path = place("link-to");
    snprintf(folder, sizeof folder, "%s/links", scratch);
    assert_int_equal(mkdir(folder, 0700), 0);
    snprintf(link, sizeof link, "%s/broken.so", folder);
    assert_int_equal(symlink(path, link), 0);
    assert_int_equal(chmod(folder, 0757), 0);
    assert_refused(link, "others may write the folder");
    assert_int_equal(chmod(folder, 0755), 0);
    struct protocol_registry registry;
    const struct protocol *protocol;
    struct error error;
    protocol_registry_init(&registry);
    assert_int_equal(protocol_load_file(&registry, link, &protocol, &error), 0);
    protocol_registry_fini(&registry);
}

/* ---- what a loaded one looks like ---- */

static void test_copy(void **unused)
{
    struct protocol_registry registry;
    const struct protocol *protocol, *again;
    struct error error;
    (void)unused;
    protocol_registry_init(&registry);
    const char *path = CONTRACT_PLUGINS "/size_of_required/broken.so";
    assert_int_equal(protocol_load_file(&registry, path, &protocol, &error), 0);
    assert_string_equal(protocol->name, "broken");
    assert_string_equal(protocol->path, path);
    assert_non_null(protocol->abi.cancel);
    assert_null(protocol->abi.record);
    assert_null(protocol->abi.code_name);
    assert_int_equal(protocol_load_file(&registry, path, &again, &error), 0);
    assert_ptr_equal(again, protocol);
    assert_int_equal(registry.count, 1);
    assert_int_equal(protocol_load_file(&registry, CONTRACT_PLUGINS "/good/broken.so", &again, &error), -1);
    assert_said(error.text, "'broken' is already loaded from");
    protocol_registry_fini(&registry);
}

static void test_scheme_row(void **unused)
{
    static const struct {
        const char *scheme;
        bool known;
        uint16_t port;
        bool secure;
    } cases[] = {{"broken", true, 7, false}, {"brokens", true, 8, true},    {"broke", false, 0, false},
                 {"", false, 0, false},      {"brokens2", false, 0, false}, {"broken,brokens", false, 0, false}};
    struct protocol_registry registry;
    const struct protocol *protocol;
    struct error error;
    (void)unused;
    protocol_registry_init(&registry);
    assert_int_equal(protocol_load_file(&registry, CONTRACT_PLUGINS "/good/broken.so", &protocol, &error), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint16_t port = 0;
        bool secure = false;
        assert_int_equal(protocol_scheme(protocol, cases[i].scheme, &port, &secure), cases[i].known);
        assert_int_equal(port, cases[i].port);
        assert_int_equal(secure, cases[i].secure);
    }
    protocol_registry_fini(&registry);
}

/* ---- the search ---- */

static void add(struct protocol_registry *registry, const char *folder)
{
    struct error error;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", CONTRACT_PLUGINS, folder);
    assert_int_equal(protocol_registry_add_directory(registry, path, &error), 0);
}

static void test_directories(void **unused)
{
    struct protocol_registry registry;
    struct error error;
    (void)unused;
    protocol_registry_init(&registry);
    assert_true(registry.builtin_count >= 1);
    add(&registry, "good");
    add(&registry, "behaves");
    assert_string_equal(registry.directories[0], CONTRACT_PLUGINS "/good");
    assert_string_equal(registry.directories[1], CONTRACT_PLUGINS "/behaves");
    for (uint32_t i = 0; i < registry.directory_count; i++)
        assert_int_equal(registry.directories[i][0], '/');
    assert_int_equal(protocol_registry_add_directory(&registry, "relative", &error), -1);
    assert_said(error.text, "relative path");
    assert_int_equal(protocol_registry_add_directory(&registry, "/nowhere/at/all", &error), -1);
    assert_said(error.text, "is not there");
    while (registry.directory_count < 16)
        add(&registry, "good");
    assert_int_equal(protocol_registry_add_directory(&registry, CONTRACT_PLUGINS, &error), -1);
    assert_said(error.text, "too many plugin folders");
    protocol_registry_fini(&registry);
}

static void test_by_name(void **unused)
{
    struct protocol_registry registry;
    const struct protocol *protocol, *again;
    struct error error;
    (void)unused;
    protocol_registry_init(&registry);
    add(&registry, "magic"); /* broken.so, and a fault in it */
    add(&registry, "good");
    add(&registry, "behaves");
    assert_int_equal(protocol_by_name(&registry, "broken", &protocol, &error), 0);
    assert_string_equal(protocol->path, CONTRACT_PLUGINS "/good/broken.so");
    assert_int_equal(protocol_by_name(&registry, "broken", &again, &error), 0);
    assert_ptr_equal(again, protocol);
    assert_int_equal(protocol_by_name(&registry, "misbehave", &protocol, &error), -1);
    assert_said(error.text, "did you mean 'misbehaved'?");
    assert_int_equal(protocol_by_name(&registry, "zzzzzz", &protocol, &error), -1);
    assert_said(error.text, "broken, misbehaved");
    assert_said(error.text, "--plugin-dir");
    assert_int_equal(protocol_by_name(&registry, "../good/broken", &protocol, &error), -1);
    assert_said(error.text, "is not known");
    protocol_registry_fini(&registry);

    protocol_registry_init(&registry);
    add(&registry, "magic");
    assert_int_equal(protocol_by_name(&registry, "broken", &protocol, &error), -1);
    assert_said(error.text, "begins with 0x12345678");
    protocol_registry_fini(&registry);
}

static void test_by_scheme(void **unused)
{
    static const struct {
        const char *scheme, *found;
    } cases[] = {{"broken", "broken"}, {"brokens", "broken"}, {"misbehaved", "misbehaved"}};
    const struct protocol *protocol;
    struct error error;
    (void)unused;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct protocol_registry registry;
        protocol_registry_init(&registry);
        add(&registry, "magic");
        add(&registry, "good");
        add(&registry, "behaves");
        assert_int_equal(protocol_by_scheme(&registry, cases[i].scheme, &protocol, &error), 0);
        assert_string_equal(protocol->name, cases[i].found);
        assert_int_equal(registry.count, 1); /* only the one that was needed */
        protocol_registry_fini(&registry);
    }
    struct protocol_registry registry;
    protocol_registry_init(&registry);
    add(&registry, "magic");
    add(&registry, "behaves");
    assert_int_equal(protocol_by_scheme(&registry, "misbehave", &protocol, &error), -1);
    assert_said(error.text, "did you mean 'misbehaved'?");
    assert_said(error.text, "begins with 0x12345678");
    protocol_registry_fini(&registry);
}

static void count_error(const char *path, const struct error *error, void *arg)
{
    assert_said(error->text, path);
    (*(uint32_t *)arg)++;
}

static void test_load_all(void **unused)
{
    struct protocol_registry registry;
    uint32_t errors = 0;
    (void)unused;
    protocol_registry_init(&registry);
    add(&registry, "magic");
    add(&registry, "good");
    add(&registry, "flags"); /* the same name again, later: not looked at */
    add(&registry, "behaves");
    protocol_load_all(&registry, count_error, &errors);
    assert_int_equal(errors, 1);
    assert_true(registry.count >= 2);
    protocol_registry_fini(&registry);
}

/* ---- in words ---- */

/* No line is wider than a terminal, but for the one with the file's path. */
static void assert_narrow(const char *text)
{
    while (*text) {
        size_t len = strcspn(text, "\n");
        if (len > 80 && strncmp(text, "file ", 5) != 0)
            fail_msg("wider than 80 columns: %.*s", (int)len, text);
        text += len + (text[len] != '\0');
    }
}

static void test_print(void **unused)
{
    static const char *const shown[] = {"broken 1\n",
                                        "a fixture of the loader's tests",
                                        "broken:// (port 7), brokens:// (port 8, TLS)",
                                        "0.5",
                                        "/good/broken.so",
                                        "broken: number other",
                                        "options of a step",
                                        "number, 1 to 10, default 5 (-x, --number N)",
                                        "a number",
                                        "some text",
                                        "metrics of its own",
                                        "gap_ns",
                                        "histogram",
                                        "a gap"};
    struct protocol_registry registry;
    const struct protocol *protocol;
    struct error error;
    struct buffer out = {0};
    (void)unused;
    protocol_registry_init(&registry);
    assert_int_equal(protocol_load_file(&registry, CONTRACT_PLUGINS "/good/broken.so", &protocol, &error), 0);
    protocol_print_list(&registry, &out);
    buffer_append(&out, "", 1);
    assert_said((const char *)out.data, "broken,brokens");
    assert_narrow((const char *)out.data);
    buffer_fini(&out);
    protocol_print_show(protocol, &out);
    buffer_append(&out, "", 1);
    assert_narrow((const char *)out.data);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        assert_said((const char *)out.data, shown[i]);
    buffer_fini(&out);
    protocol_registry_fini(&registry);
}

static int make_scratch(void **unused)
{
    (void)unused;
    return mkdtemp(scratch) ? 0 : -1;
}

static int remove_scratch(void **unused)
{
    static const char *const folders[] = {"file-others", "file-group", "folder-others", "folder-group", "folder-sticky",
                                          "owner",       "not-elf",    "cut",           "link-to",      "links"};
    (void)unused;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s/broken.so", scratch, folders[i]);
        unlink(path);
        *strrchr(path, '/') = '\0';
        rmdir(path);
    }
    return rmdir(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),     cmocka_unit_test(test_places),      cmocka_unit_test(test_owner),
        cmocka_unit_test(test_not_a_plugin), cmocka_unit_test(test_link),        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_scheme_row),   cmocka_unit_test(test_directories), cmocka_unit_test(test_by_name),
        cmocka_unit_test(test_by_scheme),    cmocka_unit_test(test_load_all),    cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
