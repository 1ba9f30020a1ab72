/*
 * A description of an API (OpenAPI 3.0 and 3.1, JSON or YAML): a step for each operation, with its examples as values, and a
 * class of users for each tag. What has no example gets a value of its type.
 */
#include "new_scenario.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFERENCES_MAX 16
#define SCHEMA_DEPTH   8
#define SAMPLES_MAX    2000u /* values of one body */

struct reader {
    json_t *root;
    struct new_scenario *scenario;
    const char *server; /* NULL: none is given */
    uint32_t samples;   /* of the body that is made */
    json_t *within[SCHEMA_DEPTH + 2]; /* schemas that it is in */
};

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* "#/components/schemas/Pet", as often as it leads on; NULL: nowhere. */
static json_t *resolve(const struct reader *reader, json_t *node)
{
    for (int i = 0; node && i < REFERENCES_MAX; i++) {
        const char *path = json_string_value(json_object_get(node, "$ref"));
        if (!path)
            return node;
        node = strncmp(path, "#/", 2) == 0 ? reader->root : NULL;
        for (const char *at = path + 2; node && *at;) {
            char key[200];
            size_t len = 0;
            for (; *at && *at != '/' && len < sizeof key - 1; at++) /* RFC 6901 */
                key[len++] = *at == '~' && (at[1] == '0' || at[1] == '1') ? (*++at == '1' ? '/' : '~') : *at;
            key[len] = '\0';
            node = json_object_get(node, key);
            at += *at == '/';
        }
    }
    return NULL;
}

/* ---- values ---- */

static json_t *sample(struct reader *reader, json_t *schema, int depth);

static json_t *first_example(json_t *schema)
{
    static const char *const keys[] = {"example", "default", "const"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (json_object_get(schema, keys[i]))
            return json_object_get(schema, keys[i]);
    json_t *examples = json_object_get(schema, "examples"), *choices = json_object_get(schema, "enum");
    json_t *found = json_array_get(examples, 0);
    return found ? found : json_array_get(choices, 0);
}

static json_t *sample_text(json_t *schema)
{
    static const struct {
        const char *format, *text;
    } formats[] = {{"date-time", "2026-01-02T03:04:05Z"}, {"date", "2026-01-02"}, {"email", "user@example.org"},
                   {"uuid", "123e4567-e89b-42d3-a456-426614174000"}, {"uri", "https://example.org/"}, {"ipv4", "127.0.0.1"}, {"byte", "c3F1YWxs"}};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].format, text_of(schema, "format")) == 0)
            return json_string(formats[i].text);
    return json_string("text");
}

/* A schema that holds itself has no end. */
static bool is_within(const struct reader *reader, const json_t *schema, int depth)
{
    for (int i = 0; i <= depth; i++)
        if (schema && reader->within[i] == schema)
            return true;
    return false;
}

static json_t *sample_object(struct reader *reader, json_t *schema, int depth)
{
    json_t *object = json_object(), *part, *members = json_object_get(schema, "properties");
    const char *name;
    size_t i;
    json_array_foreach(json_object_get(schema, "allOf"), i, part) {
        json_t *more = sample(reader, part, depth + 1);
        json_object_update(object, more);
        json_decref(more);
    }
    json_object_foreach(members, name, part) {
        json_t *resolved = resolve(reader, part);
        if (!json_is_true(json_object_get(resolved, "readOnly")) && !is_within(reader, resolved, depth))
            json_object_set_new(object, name, sample(reader, part, depth + 1));
    }
    return object;
}

/* A new reference to a value of the schema: never NULL. */
static json_t *sample(struct reader *reader, json_t *schema, int depth)
{
    json_t *given = schema ? resolve(reader, schema) : NULL, *kind = json_object_get(given, "type");
    json_t *found = first_example(given);
    if (depth > SCHEMA_DEPTH || ++reader->samples > SAMPLES_MAX || !given)
        return json_null();
    reader->within[depth] = given;
    if (found)
        return json_deep_copy(found);
    json_t *one = json_array_get(json_object_get(given, "oneOf"), 0);
    one = one ? one : json_array_get(json_object_get(given, "anyOf"), 0);
    if (one)
        return sample(reader, one, depth + 1);
    const char *type = json_string_value(json_is_array(kind) ? json_array_get(kind, 0) : kind); /* 3.1: a list */
    if (!type)
        type = json_object_get(given, "properties") || json_object_get(given, "allOf") ? "object" : "string";
    json_t *least = json_object_get(given, "minimum");
    if (strcmp(type, "object") == 0)
        return sample_object(reader, given, depth);
    if (strcmp(type, "array") == 0)
        return json_pack("[o]", sample(reader, json_object_get(given, "items"), depth + 1));
    if (strcmp(type, "integer") == 0)
        return json_integer(json_is_number(least) && json_number_value(least) < 1e15 && json_number_value(least) > 1 ? (json_int_t)json_number_value(least) : 1);
    if (strcmp(type, "number") == 0)
        return json_real(json_is_number(least) && json_number_value(least) > 1.5 ? json_number_value(least) : 1.5);
    if (strcmp(type, "boolean") == 0)
        return json_true();
    return strcmp(type, "null") == 0 ? json_null() : sample_text(given);
}

/* As text in a path, a query or a header; the caller's. */
static char *plain_text(json_t *value)
{
    if (json_is_string(value))
        return new_printf("%s", json_string_value(value));
    if (json_is_array(value) && json_array_size(value))
        return plain_text(json_array_get(value, 0));
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT), *text = new_printf("%s", dumped ? dumped : "");
    free(dumped);
    return text;
}

static char *encoded(const char *text)
{
    char *out = malloc(3 * strlen(text) + 1);
    size_t len = 0;
    if (!out)
        abort();
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr("-._~", c);
        len += (size_t)sprintf(out + len, plain ? "%c" : "%%%02X", c);
    }
    out[len] = '\0';
    return out;
}

/* Of a parameter: its own example before its schema's. */
static char *parameter_text(struct reader *reader, json_t *parameter)
{
    json_t *own = json_object_get(parameter, "example"), *examples = json_object_get(parameter, "examples");
    if (!own && json_is_object(examples))
        own = json_object_get(resolve(reader, json_object_iter_value(json_object_iter(examples))), "value");
    reader->samples = 0;
    json_t *made = own ? json_incref(own) : sample(reader, json_object_get(parameter, "schema"), 0);
    char *text = plain_text(made);
    json_decref(made);
    return text;
}

/* ---- operations ---- */

static void replace_in_path(char **path, const char *name, const char *value)
{
    char *hole = new_printf("{%s}", name), *at = strstr(*path, hole);
    if (at) {
        char *longer = new_printf("%.*s%s%s", (int)(at - *path), *path, value, at + strlen(hole));
        free(*path);
        *path = longer;
    }
    free(hole);
}

static void take_parameters(struct reader *reader, json_t *list, struct new_request *request, char **path, char **query)
{
    json_t *entry;
    size_t i;
    json_array_foreach(list, i, entry) {
        json_t *parameter = resolve(reader, entry);
        const char *name = text_of(parameter, "name"), *in = text_of(parameter, "in");
        bool required = json_is_true(json_object_get(parameter, "required"));
        if (!*name || (!required && strcmp(in, "path") != 0))
            continue;
        char *text = parameter_text(reader, parameter), *safe = encoded(text), *safe_name = encoded(name);
        if (strcmp(in, "path") == 0) {
            replace_in_path(path, name, *safe ? safe : "1");
        } else if (strcmp(in, "query") == 0) {
            char *longer = new_printf("%s%c%s=%s", *query, **query ? '&' : '?', safe_name, safe);
            free(*query);
            *query = longer;
        } else if (strcmp(in, "header") == 0) {
            new_request_header(request, name, text);
        }
        free(text);
        free(safe);
        free(safe_name);
    }
}

static void take_body(struct reader *reader, json_t *operation, struct new_request *request)
{
    json_t *content = json_object_get(resolve(reader, json_object_get(operation, "requestBody")), "content"), *media = NULL;
    const char *kind = NULL, *name;
    json_t *value;
    json_object_foreach(content, name, value)
        if (!kind || (strstr(name, "json") && !strstr(kind, "json"))) {
            kind = name;
            media = value;
        }
    if (!kind)
        return;
    json_t *own = json_object_get(media, "example"), *examples = json_object_get(media, "examples");
    if (!own && json_is_object(examples))
        own = json_object_get(resolve(reader, json_object_iter_value(json_object_iter(examples))), "value");
    reader->samples = 0;
    json_t *made = own ? json_incref(own) : sample(reader, json_object_get(media, "schema"), 0);
    char *body = json_is_string(made) && !strstr(kind, "json") ? new_printf("%s", json_string_value(made)) : json_dumps(made, JSON_ENCODE_ANY | JSON_COMPACT);
    if (!strstr(kind, "json") && !json_is_string(made))
        new_request_note(request, "its body is %.80s in the description; write it by hand", kind);
    else if (body && strlen(body) <= NEW_BODY_MAX)
        new_set(&request->body, body, strlen(body));
    if (request->body)
        new_request_header(request, "content-type", kind);
    free(body);
    json_decref(made);
}

static void take_security(struct reader *reader, json_t *operation, struct new_request *request)
{
    json_t *own = json_object_get(operation, "security"), *all = json_object_get(reader->root, "security");
    json_t *wanted = json_is_array(own) ? own : all;
    if (json_array_size(wanted) && json_object_size(json_array_get(wanted, 0)))
        new_request_note(request, "it wants credentials: headers: { authorization: \"Bearer ${secret.TOKEN}\" }");
}

static void take_operation(struct reader *reader, const char *path_text, json_t *item, const char *method, json_t *operation)
{
    struct new_request *request = new_request_add(reader->scenario);
    json_t *tags = json_object_get(operation, "tags");
    const char *tag = json_string_value(json_array_get(tags, 0)), *name = text_of(operation, "operationId");
    if (!request)
        return;
    char *path = new_printf("%s", path_text), *query = new_printf("%s", "");
    take_parameters(reader, json_object_get(operation, "parameters"), request, &path, &query);
    take_parameters(reader, json_object_get(item, "parameters"), request, &path, &query);
    char *url = new_printf("%s%s%s%s", reader->server, *path == '/' ? "" : "/", path, query);
    if (new_request_url(request, url)) /* the server has been looked at: it is the path that is odd */
        new_request_url(request, reader->server);
    request->group = new_printf("%s", tag && *tag ? tag : "users");
    for (char *at = request->group; *at; at++)
        *at = (unsigned char)*at < ' ' || *at == 0x7f ? ' ' : *at;
    new_set(&request->method, method, strlen(method));
    for (char *at = request->method; *at; at++)
        *at = (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
    request->name = *name ? new_printf("%.200s", name) : new_printf("%s %.200s", request->method, path_text);
    take_body(reader, operation, request);
    take_security(reader, operation, request);
    request->check = new_printf("status >= 200 and status < 300");
    free(path);
    free(query);
    free(url);
}

/* The first server; its variables have defaults. */
static char *find_server(const struct reader *reader)
{
    json_t *server = json_array_get(json_object_get(reader->root, "servers"), 0), *variable;
    char *url = new_printf("%s", text_of(server, "url"));
    const char *name;
    json_object_foreach(json_object_get(server, "variables"), name, variable)
        replace_in_path(&url, name, text_of(variable, "default"));
    size_t len = strlen(url);
    if (len && url[len - 1] == '/')
        url[len - 1] = '\0';
    struct new_request probe = {.target = NULL};
    if (new_request_url(&probe, url)) {
        char *local = new_printf("http://127.0.0.1:8080%s", url[0] == '/' ? url : "");
        free(url);
        url = local;
    }
    free(probe.target);
    free(probe.path);
    return url;
}

static void take_paths(struct reader *reader)
{
    static const char *const methods[] = {"get", "put", "post", "delete", "options", "head", "patch"};
    const char *path;
    json_t *item;
    json_object_foreach(json_object_get(reader->root, "paths"), path, item) {
        json_t *resolved = resolve(reader, item);
        for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
            if (json_is_object(json_object_get(resolved, methods[i])))
                take_operation(reader, path, resolved, methods[i], json_object_get(resolved, methods[i]));
    }
}

int new_from_openapi(struct squall_bytes text, bool yaml, struct new_scenario *scenario, struct squall_error *error)
{
    json_error_t why;
    struct reader reader = {.scenario = scenario, .root = yaml ? new_yaml(text, error) : json_loadb((const char *)text.data, text.len, 0, &why)};
    const char *version = text_of(reader.root, "openapi"), *title = text_of(json_object_get(reader.root, "info"), "title");
    if (!reader.root) {
        if (!yaml)
            snprintf(error->text, sizeof error->text, "line %d: this is no JSON: %s", why.line, why.text);
        return -1;
    }
    char *server = find_server(&reader);
    reader.server = server;
    if (strncmp(version, "3.", 2) != 0)
        snprintf(error->text, sizeof error->text, "this is no description of OpenAPI 3: `openapi: 3.0.0` or later stands at its top");
    else
        take_paths(&reader);
    if (strncmp(version, "3.", 2) == 0 && !scenario->request_count)
        snprintf(error->text, sizeof error->text, "the description has no operation under `paths`");
    scenario->title = new_printf("From a description of OpenAPI %.20s, written by squall new: a class of users for each tag.", version);
    scenario->name = new_printf("%.200s", *title ? title : "api");
    free(server);
    json_decref(reader.root);
    return scenario->request_count ? 0 : -1;
}
