/*
 * A recording of a browser (HAR 1.2: JSON): its requests in their order, the pauses between them as think times, and where a
 * value of an answer comes back in a later request, a comment that offers to save it.
 */
#include "new_scenario.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define THINK_MIN_MS   500u   /* shorter gaps are the browser's work */
#define THINK_MAX_MS   600000u
#define TOKEN_LEN_MIN  8u
#define TOKENS_MAX     400u
#define TOKEN_DEPTH    8

/* A value of an answer that could be asked for again. */
struct token {
    const char *value; /* of the tree */
    char *path;        /* body.a[0].b */
    uint32_t request;  /* whose answer */
    bool used;
};
struct reader {
    struct new_scenario *scenario;
    struct token tokens[TOKENS_MAX];
    uint32_t token_count;
    json_t *bodies[NEW_REQUESTS_MAX]; /* of answers */
    double last_end_ms; /* of the request before; 0: none */
};

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

/* "2024-05-06T07:08:09.123Z" in milliseconds; only differences count, so zones are not looked at. 0: it is no time. */
static double time_ms(const char *text)
{
    int year, month, day, hour, minute;
    double second;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%lf", &year, &month, &day, &hour, &minute, &second) != 6 || year < 1900 || year > 9999 || month < 1 || month > 12)
        return 0;
    int64_t years = year - (month <= 2), days = years * 365 + years / 4 - years / 100 + years / 400 + (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day;
    return ((double)days * 86400 + hour * 3600 + minute * 60 + second) * 1000;
}

static void take_pause(struct reader *reader, json_t *entry, struct new_request *request)
{
    double begin = time_ms(text_of(entry, "startedDateTime")), took = json_number_value(json_object_get(entry, "time"));
    double gap = reader->last_end_ms > 0 && begin > 0 ? begin - reader->last_end_ms : 0;
    if (gap >= THINK_MIN_MS)
        request->think_ms = gap < THINK_MAX_MS ? (uint64_t)gap : THINK_MAX_MS;
    if (begin > 0 && begin + (took > 0 && took < 1e9 ? took : 0) > reader->last_end_ms)
        reader->last_end_ms = begin + (took > 0 && took < 1e9 ? took : 0);
}

/* ---- values that come back ---- */

static void add_token(struct reader *reader, const char *value, const char *path, uint32_t request)
{
    if (reader->token_count == TOKENS_MAX || strlen(value) < TOKEN_LEN_MIN || strlen(value) > 4096)
        return;
    for (uint32_t i = 0; i < reader->token_count; i++)
        if (strcmp(reader->tokens[i].value, value) == 0)
            return;
    reader->tokens[reader->token_count++] = (struct token){value, new_printf("%s", path), request, false};
}

static bool is_word(const char *text)
{
    return *text && text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] == '\0';
}

static void find_tokens(struct reader *reader, json_t *node, const char *path, uint32_t request, int depth)
{
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_string(node))
        add_token(reader, json_string_value(node), path, request);
    if (depth == TOKEN_DEPTH || strlen(path) > 200)
        return;
    json_object_foreach(node, key, member) {
        char *longer = is_word(key) ? new_printf("%s.%s", path, key) : NULL;
        if (longer)
            find_tokens(reader, member, longer, request, depth + 1);
        free(longer);
    }
    json_array_foreach(node, i, member) {
        char *longer = i < 5 ? new_printf("%s[%zu]", path, i) : NULL;
        if (longer)
            find_tokens(reader, member, longer, request, depth + 1);
        free(longer);
    }
}

static bool holds(const struct new_request *request, const char *value, const char **ret_where)
{
    *ret_where = "path";
    if (strstr(request->path, value))
        return true;
    *ret_where = "body";
    if (request->body && strstr(request->body, value))
        return true;
    for (uint32_t i = 0; i < request->header_count; i++) {
        *ret_where = request->headers[i].name;
        if (strstr(request->headers[i].value, value))
            return true;
    }
    return false;
}

/* Which answers before gave what this request sends. */
static void note_tokens(struct reader *reader, uint32_t index)
{
    struct new_request *request = reader->scenario->requests[index];
    for (uint32_t i = 0; i < reader->token_count; i++) {
        struct token *token = &reader->tokens[i];
        struct new_request *giver = reader->scenario->requests[token->request];
        const char *where;
        if (!holds(request, token->value, &where))
            continue;
        const char *last = strrchr(token->path, '.');
        char *name = new_printf("%s", last ? last + 1 : "value");
        name[strcspn(name, "[")] = '\0';
        if (!token->used)
            new_request_note(giver, "its answer gives a value that comes back later; to take it from there add  save: { %s: %s }", name, token->path);
        token->used = true;
        new_request_note(request, "its %.60s holds %.200s of \"%.80s\": with that saved, write ${%s} in its place", where, token->path, giver->name, name);
        free(name);
    }
}

static void take_answer(struct reader *reader, json_t *entry, uint32_t index)
{
    json_t *content = json_object_get(json_object_get(entry, "response"), "content");
    const char *text = text_of(content, "text");
    size_t len = strlen(text);
    if (!strstr(text_of(content, "mimeType"), "json") || strcmp(text_of(content, "encoding"), "base64") == 0 || len > ((size_t)4 << 20))
        return;
    reader->bodies[index] = json_loads(text, 0, NULL);
    if (reader->bodies[index])
        find_tokens(reader, reader->bodies[index], "body", index, 0);
}

/* ---- requests ---- */

static void take_headers(struct new_request *request, json_t *list)
{
    json_t *header;
    size_t i;
    json_array_foreach(list, i, header) {
        const char *name = text_of(header, "name");
        if (name[0] != ':')
            new_request_header(request, name, text_of(header, "value"));
    }
}

static void take_body(struct new_request *request, json_t *data)
{
    const char *text = text_of(data, "text");
    if (!*text)
        return;
    if (strlen(text) > NEW_BODY_MAX || strncasecmp(text_of(data, "mimeType"), "multipart/", 10) == 0) {
        new_request_note(request, "it sent a %s body of %zu bytes, which is left out", text_of(data, "mimeType"), strlen(text));
        return;
    }
    new_set(&request->body, text, strlen(text));
    if (*text_of(data, "mimeType"))
        new_request_header(request, "content-type", text_of(data, "mimeType"));
}

static int take_entry(struct reader *reader, json_t *entry)
{
    json_t *asked = json_object_get(entry, "request");
    struct new_request probe = {.target = NULL};
    bool usable = new_request_url(&probe, text_of(asked, "url")) == 0;
    const char *method = text_of(asked, "method");
    usable = usable && *method && strlen(method) < 40 && method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_")] == '\0' && strcmp(method, "CONNECT") != 0;
    free(probe.target);
    free(probe.path);
    struct new_request *request = usable ? new_request_add(reader->scenario) : NULL;
    if (!request)
        return 0;
    uint32_t index = reader->scenario->request_count - 1;
    int status = (int)json_integer_value(json_object_get(json_object_get(entry, "response"), "status"));
    new_request_url(request, text_of(asked, "url"));
    new_set(&request->method, method, strlen(method));
    request->name = new_printf("%s %.*s", method, (int)strcspn(request->path, "?"), request->path);
    take_headers(request, json_object_get(asked, "headers"));
    take_body(request, json_object_get(asked, "postData"));
    take_pause(reader, entry, request);
    if (status >= 100 && status <= 599)
        request->check = new_printf("status == %d", status);
    request->expect = status >= 300 && status <= 599 ? status : 0;
    note_tokens(reader, index);
    take_answer(reader, entry, index);
    return 0;
}

int new_from_har(struct squall_bytes text, struct new_scenario *scenario, struct squall_error *error)
{
    json_error_t why;
    json_t *root = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &why), *entry;
    json_t *entries = json_object_get(json_object_get(root, "log"), "entries");
    struct reader *reader = calloc(1, sizeof *reader);
    size_t i;
    if (!reader)
        abort();
    reader->scenario = scenario;
    json_array_foreach(entries, i, entry)
        take_entry(reader, entry);
    if (!root)
        snprintf(error->text, sizeof error->text, "the recording is no JSON: line %d: %s", why.line, why.text);
    else if (!json_is_array(entries))
        snprintf(error->text, sizeof error->text, "the file has no log.entries; record with a browser's developer tools and save as HAR");
    else if (scenario->request_count == 0)
        snprintf(error->text, sizeof error->text, "the recording has no request of http or https");
    scenario->title = new_printf("A recording of %u requests, written by squall new.", scenario->request_count);
    if (scenario->request_count)
        scenario->name = new_printf("%s", strstr(scenario->requests[0]->target, "://") + 3);
    for (uint32_t k = 0; k < reader->token_count; k++)
        free(reader->tokens[k].path);
    for (uint32_t k = 0; k < NEW_REQUESTS_MAX; k++)
        json_decref(reader->bodies[k]);
    free(reader);
    json_decref(root);
    return scenario->request_count ? 0 : -1;
}
