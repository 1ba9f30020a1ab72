/* Where schemas come from, and what is said when something is not there. */
#include "schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void expect_methods(struct pb_schema *schema)
{
    static const struct {
        const char *name;
        bool client, server;
    } methods[] = {{"sample.Orders/Place", false, false},
                   {"sample.Orders/Watch", false, true},
                   {"sample.Orders.Upload", true, false},
                   {"/sample.Orders/Chat", true, true}};
    struct squall_error error;
    struct pb_method method;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (pb_schema_method(schema, methods[i].name, &method, &error) < 0)
            fail_msg("%s", error.text);
        assert_int_equal(method.client_streams, methods[i].client);
        assert_int_equal(method.server_streams, methods[i].server);
        assert_string_equal(method.input->full_name, "sample.Item");
        assert_string_equal(method.output->full_name, "sample.All");
    }
    assert_string_equal(method.path, "/sample.Orders/Chat");
}

static int count_methods(void *arg, const char *service, const struct pb_method *method)
{
    (void)method;
    assert_string_equal(service, "sample.Orders");
    ++*(int *)arg;
    return 0;
}

static void test_proto(void **state)
{
    struct squall_error error;
    struct pb_schema *schema = pb_schema_new();
    int methods = 0;
    (void)state;
    if (pb_schema_add_proto(schema, SAMPLES "/sample.proto", &error) < 0)
        fail_msg("%s", error.text);
    expect_methods(schema);
    assert_int_equal(pb_schema_each_method(schema, count_methods, &methods), 0);
    assert_int_equal(methods, 4);
    assert_null(pb_schema_type(schema, "sample.Nothing"));
    pb_schema_free(schema);
}

static void test_names(void **state)
{
    static const char *const pairs[][2] = {{"sample.Order/Place", "did you mean sample.Orders?"},
                                           {"Orders/Place", "did you mean sample.Orders?"},
                                           {"zzzzzzzzzzzz/Place", "there is sample.Orders"},
                                           {"sample.Orders/Plac", "did you mean Place?"},
                                           {"sample.Orders/Zzzzzzzz", "it has Place, Watch, Upload, Chat"},
                                           {"sample.Orders", "name a method"},
                                           {"", "there is no service"}};
    struct squall_error error;
    struct pb_method method;
    struct pb_schema *schema = pb_schema_new();
    (void)state;
    assert_int_equal(pb_schema_add_proto(schema, SAMPLES "/sample.proto", &error), 0);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_int_equal(pb_schema_method(schema, pairs[i][0], &method, &error), -1);
        if (strstr(error.text, pairs[i][1]) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", pairs[i][0], error.text, pairs[i][1]);
    }
    pb_schema_free(schema);
}

struct folder {
    char path[64];
};

static void write_file(const struct folder *folder, const char *name, const char *text, size_t len, char *path,
                       size_t size)
{
    snprintf(path, size, "%s/%s", folder->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
}

static void test_broken_files(void **state)
{
    static const struct {
        const char *text, *says;
    } files[] = {{"syntax = \"proto3\"; message A { int32 a = 1 }", "x.proto:1:"},
                 {"syntax = \"proto3\";\nmessage A { B b = 1; }", "x.proto:2:"},
                 {"syntax = \"proto3\"; import \"nowhere.proto\";", "nowhere.proto"},
                 {"syntax = \"proto3\"; import \"x.proto\";", "x.proto"}};
    struct folder folder = {"/tmp/squall-proto-XXXXXX"};
    struct squall_error error;
    char path[256];
    (void)state;
    assert_non_null(mkdtemp(folder.path));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct pb_schema *schema = pb_schema_new();
        write_file(&folder, "x.proto", files[i].text, strlen(files[i].text), path, sizeof path);
        assert_int_equal(pb_schema_add_proto(schema, path, &error), -1);
        if (strstr(error.text, files[i].says) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error.text, files[i].says);
        assert_int_equal(pb_schema_add_set(schema, path, &error), -1);
        assert_non_null(strstr(error.text, "descriptor_set_out"));
        pb_schema_free(schema);
    }
    remove(path);
    struct pb_schema *schema = pb_schema_new();
    assert_int_equal(pb_schema_add_proto(schema, path, &error), -1);
    assert_int_equal(pb_schema_add_set(schema, path, &error), -1);
    pb_schema_free(schema);
    rmdir(folder.path);
}

/* A serialized FileDescriptorProto by hand: field 1 name, 2 package, 3 dependency, 4 message (1 name), 12 syntax. */
static size_t describe(uint8_t *out, const char *name, const char *dependency, const char *message)
{
    size_t at = 0;
    const char *const texts[] = {name, dependency};
    const uint8_t tags[] = {0x0a, 0x1a};
    for (size_t i = 0; i < 2; i++) {
        if (texts[i] == NULL)
            continue;
        out[at++] = tags[i];
        out[at++] = (uint8_t)strlen(texts[i]);
        memcpy(out + at, texts[i], strlen(texts[i]));
        at += strlen(texts[i]);
    }
    out[at++] = 0x22;
    out[at++] = (uint8_t)(strlen(message) + 2);
    out[at++] = 0x0a;
    out[at++] = (uint8_t)strlen(message);
    memcpy(out + at, message, strlen(message));
    return at + strlen(message);
}

static void test_files_one_by_one(void **state)
{
    uint8_t file[128];
    struct squall_error error;
    struct pb_schema *schema = pb_schema_new();
    (void)state;
    struct squall_bytes bytes = {file, describe(file, "a.proto", "b.proto", "A")};
    assert_int_equal(pb_schema_add_file(schema, bytes, &error), 0);
    assert_string_equal(pb_schema_missing(schema), "b.proto");
    bytes.len = describe(file, "b.proto", "google/protobuf/timestamp.proto", "B");
    assert_int_equal(pb_schema_add_file(schema, bytes, &error), 0);
    assert_int_equal(pb_schema_add_file(schema, bytes, &error), 0);
    assert_null(pb_schema_missing(schema));
    assert_non_null(pb_schema_type(schema, "A"));
    assert_non_null(pb_schema_type(schema, "google.protobuf.Timestamp"));
    assert_int_equal(pb_schema_add_file(schema, (struct squall_bytes){(const uint8_t *)"\xff", 1}, &error), -1);
    pb_schema_free(schema);
}

/* One that calls itself a well-known type and is none is not treated as one. */
static void test_false_friend(void **state)
{
    static const uint8_t file[] = "\x0a\x07z.proto\x12\x0fgoogle.protobuf\"\x0b\x0a\x09Timestamp";
    struct squall_error error;
    struct pb_schema *schema = pb_schema_new();
    (void)state;
    assert_int_equal(pb_schema_add_file(schema, (struct squall_bytes){file, sizeof file - 1}, &error), 0);
    const struct pb_type *type = pb_schema_type(schema, "google.protobuf.Timestamp");
    if (type != NULL && type->count == 0)
        assert_int_equal(type->well_known, PB_ORDINARY);
    pb_schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_proto), cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_broken_files), cmocka_unit_test(test_files_one_by_one),
                                       cmocka_unit_test(test_false_friend)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
