/*
 * The room's part of `squall new`: a scenario from a .proto file, with a step for each method and a message to start
 * from.
 */
#include "new_server.h"
#include "schema.h"
#include "skeleton.h"
#include <squall/importer.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define METHODS_MAX 50    /* further ones are counted in a comment */
#define MESSAGE_MAX 65536 /* of a message's JSON; a larger one is left out */
#define NAME_SHOWN  300

struct writer {
    struct squall_import_out *out;
    struct pb_text message;
    unsigned methods;
};

static void say(struct writer *writer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct writer *writer, const char *format, ...)
{
    char line[2 * NAME_SHOWN + 400];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len > 0)
        writer->out->add(writer->out, line, (size_t)len < sizeof line ? (uint64_t)len : sizeof line - 1);
}

static bool ends_in(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static bool is_url(const char *text)
{
    return strncmp(text, "grpc://", 7) == 0;
}

static int32_t claims(const struct squall_import *import)
{
    if (import->kind != NULL)
        return strcmp(import->kind, "grpc") == 0;
    return ends_in(import->argument, ".proto") || is_url(import->argument);
}

/* JSON is YAML too. "${" cannot come up: names of fields and enum values hold neither. */
static int write_step(void *arg, const char *service, const struct pb_method *method)
{
    struct writer *writer = arg;
    (void)service;
    if (++writer->methods > METHODS_MAX)
        return 0;
    pb_text_reset(&writer->message);
    pb_skeleton(method->input, &writer->message);
    say(writer, "  - grpc: %.*s\n", NAME_SHOWN, method->path + 1);
    if (!writer->message.failed && writer->message.len > 0) {
        say(writer, "    %s", method->client_streams ? "send: [ " : "message: ");
        writer->out->add(writer->out, writer->message.data, writer->message.len);
        say(writer, "%s\n", method->client_streams ? " ]" : "");
    }
    if (method->client_streams && method->server_streams)
        say(writer, "    # ping-pong: true      # when the server answers each message with one\n");
    say(writer, "    check: { ok: 'status == \"OK\"' }\n");
    return 0;
}

/* The scenario is written into the working folder, or below it, and names files from there. */
static int check_place(const char *path, struct squall_error *error)
{
    bool outside = path[0] == '/' || strncmp(path, "../", 3) == 0 || strstr(path, "/../") != NULL;
    bool odd = strpbrk(path, "\"\\\n${}") != NULL || strlen(path) > NAME_SHOWN;
    if (!outside && !odd)
        return 0;
    snprintf(error->text, sizeof error->text, "%.200s: %s", path,
             outside ? "a scenario reads files below its own folder only; copy it there, and go there"
                     : "a name that a scenario cannot hold; give it another");
    return -1;
}

static int learn(const struct squall_import *import, struct pb_schema *schema, struct squall_error *error)
{
    if (is_url(import->argument))
        return new_server_read(import->argument, schema, error);
    if (ends_in(import->argument, ".proto"))
        return check_place(import->argument, error) < 0 ? -1 : pb_schema_add_proto(schema, import->argument, error);
    snprintf(error->text, sizeof error->text,
             "grpc: name a .proto file or a server without TLS, as in squall new grpc://127.0.0.1:50051");
    return -1;
}

static void write_head(struct writer *writer, const char *argument)
{
    int len = (int)strcspn(is_url(argument) ? argument + 7 : argument, "/?#") + 7;
    say(writer,
        "squall: 1\n# Does the service answer in time? Fill in the messages, and keep the calls that matter.\n");
    if (is_url(argument))
        say(writer, "targets:\n  server: { url: \"%.*s\", connections: 4 }\n", len, argument);
    else
        say(writer, "targets:\n  server: { url: \"grpc://127.0.0.1:50051\", proto: \"%s\", connections: 4 }\n",
            argument);
    say(writer, "load:\n  - { hold: 10/s, for: 10s }\nthresholds:\n  - rate(failed) < 1%%\n  - p99(latency) < 500ms\n");
    say(writer, "flow:\n");
}

static int32_t write_scenario(const struct squall_import *import, struct squall_import_out *out,
                              struct squall_error *error)
{
    struct writer writer = {.out = out, .message.limit = MESSAGE_MAX};
    struct pb_schema *schema = pb_schema_new();
    int32_t result = -1;
    if (schema == NULL) {
        snprintf(error->text, sizeof error->text, "no memory for the message types");
    } else if (learn(import, schema, error) == 0) {
        write_head(&writer, import->argument);
        pb_schema_each_method(schema, write_step, &writer);
        if (writer.methods > METHODS_MAX)
            say(&writer, "  # %u further methods are left out\n", writer.methods - METHODS_MAX);
        result = writer.methods > 0 ? 0 : -1;
        if (result < 0)
            snprintf(error->text, sizeof error->text, "%.200s: defines no service with a method", import->argument);
    }
    pb_text_fini(&writer.message);
    pb_schema_free(schema);
    return result;
}

const struct squall_importer squall_importer_grpc = {
    .name = "grpc",
    .help = "FILE.proto             a call of each method that the file defines\n"
            "grpc://host:port       the same, of a server with gRPC's reflection service\n",
    .claims = claims,
    .write = write_scenario,
};
