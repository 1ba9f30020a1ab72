/* The room's part of `squall new`: which of its readers is meant, and what they have read as a scenario. */
#include "new_scenario.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum source { SOURCE_NONE, SOURCE_URL, SOURCE_CURL, SOURCE_HAR, SOURCE_JSON, SOURCE_YAML };

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && strcasecmp(text + len - end_len, end) == 0;
}

static bool names_openapi(const struct squall_bytes *text)
{
    size_t len = text->len < 65536 ? text->len : 65536;
    return len && memmem(text->data, len, "openapi", 7) != NULL;
}

static enum source source_of(const struct squall_import *import)
{
    bool own = import->kind && strcmp(import->kind, "http") == 0;
    if (import->kind && !own)
        return SOURCE_NONE;
    if (import->text.data) {
        if (ends_with(import->argument, ".har"))
            return SOURCE_HAR;
        if (!names_openapi(&import->text))
            return SOURCE_NONE;
        size_t space = strspn((const char *)import->text.data, " \t\r\n");
        return import->text.data[space] == '{' ? SOURCE_JSON : SOURCE_YAML;
    }
    if (strncmp(import->argument, "curl ", 5) == 0 || strcmp(import->argument, "curl") == 0)
        return SOURCE_CURL;
    bool url = strncmp(import->argument, "http://", 7) == 0 || strncmp(import->argument, "https://", 8) == 0;
    return own || url ? SOURCE_URL : SOURCE_NONE;
}

static int32_t claims(const struct squall_import *import)
{
    return source_of(import) != SOURCE_NONE;
}

static int from_url(const char *url, struct new_scenario *scenario, struct squall_error *error)
{
    struct new_request *request = new_request_add(scenario);
    if (new_request_url(request, url)) {
        snprintf(error->text, sizeof error->text, "'%.200s' is no URL of http or https; write for example http://127.0.0.1:8080/", url);
        return -1;
    }
    new_set(&request->method, "GET", 3);
    request->name = new_printf("GET %.*s", (int)strcspn(request->path, "?"), request->path);
    request->check = new_printf("status == 200");
    scenario->title = new_printf("A scenario of one step to start from, written by squall new.");
    scenario->name = new_printf("%s", strstr(request->target, "://") + 3);
    return 0;
}

static int32_t write_scenario(const struct squall_import *import, struct squall_import_out *out, struct squall_error *error)
{
    struct new_scenario scenario = {.title = NULL};
    enum source source = source_of(import);
    int status = source == SOURCE_URL    ? from_url(import->argument, &scenario, error)
                 : source == SOURCE_CURL ? new_from_curl(import->argument, &scenario, error)
                 : source == SOURCE_HAR  ? new_from_har(import->text, &scenario, error)
                                         : new_from_openapi(import->text, source == SOURCE_YAML, &scenario, error);
    if (!status)
        new_scenario_print(&scenario, out);
    new_scenario_fini(&scenario);
    return status;
}

const struct squall_importer squall_importer_http = {
    .name = "http",
    .help = "http://host/path       one step, to begin with; https:// too\n"
            "FILE.har               a browser's recording: its requests and pauses, with hints where answers come back\n"
            "openapi.yaml, .json    a step for each operation of an API (OpenAPI 3), a class of users for each tag\n"
            "'curl ...'             the request that a command line of curl makes\n",
    .claims = claims,
    .write = write_scenario,
};
