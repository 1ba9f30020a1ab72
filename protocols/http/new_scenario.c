/* See new_scenario.h. */
#include "new_scenario.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void *need(void *memory)
{
    if (!memory)
        abort(); /* a command that writes a file: there is nothing to save */
    return memory;
}

void new_set(char **text, const char *value, size_t len)
{
    char *copy = need(malloc(len + 1));
    memcpy(copy, value, len);
    copy[len] = '\0';
    free(*text);
    *text = copy;
}

char *new_printf(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int len = vasprintf(&text, format, arguments);
    va_end(arguments);
    return len < 0 ? need(NULL) : text;
}

static void request_free(struct new_request *request)
{
    char *const texts[] = {request->group, request->target, request->method, request->path, request->name, request->body, request->check};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    for (uint32_t i = 0; i < request->header_count; i++) {
        free(request->headers[i].name);
        free(request->headers[i].value);
    }
    for (uint32_t i = 0; i < request->note_count; i++)
        free(request->notes[i]);
    free(request);
}

void new_scenario_fini(struct new_scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->request_count; i++)
        request_free(scenario->requests[i]);
    free(scenario->title);
    free(scenario->name);
}

struct new_request *new_request_add(struct new_scenario *scenario)
{
    if (scenario->request_count == NEW_REQUESTS_MAX) {
        scenario->left_out++;
        return NULL;
    }
    struct new_request *request = need(calloc(1, sizeof *request));
    scenario->requests[scenario->request_count++] = request;
    return request;
}

static bool is_token(const char *text)
{
    size_t len = strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return len > 0 && len < 200 && text[len] == '\0';
}

void new_request_header(struct new_request *request, const char *name, const char *value)
{
    /* What the engine writes itself, or what belongs to a connection. */
    static const char *const own[] = {"host", "content-length", "connection", "keep-alive", "proxy-connection", "transfer-encoding", "te", "trailer",
                                      "upgrade", "expect", "cookie", "accept-encoding"};
    bool plain = is_token(name) && request->header_count < NEW_HEADERS_MAX;
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        plain = plain && strcasecmp(own[i], name) != 0;
    for (const char *at = value; *at; at++)
        plain = plain && ((unsigned char)*at >= ' ' || *at == '\t') && *at != 0x7f;
    for (uint32_t i = 0; i < request->header_count; i++)
        plain = plain && strcasecmp(request->headers[i].name, name) != 0;
    if (!plain)
        return;
    struct new_header *header = &request->headers[request->header_count++];
    *header = (struct new_header){NULL, NULL};
    new_set(&header->name, name, strlen(name));
    new_set(&header->value, value, strlen(value));
}

void new_request_note(struct new_request *request, const char *format, ...)
{
    char text[400];
    va_list arguments;
    if (request->note_count == NEW_NOTES_MAX)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    request->notes[request->note_count] = NULL;
    new_set(&request->notes[request->note_count++], text, strlen(text));
}

/* What may not stand in a request line is percent-encoded; a fragment never goes to the server. */
static void set_path(struct new_request *request, const char *path)
{
    size_t len = strcspn(path, "#"), at = 0;
    char *encoded = need(malloc(3 * len + 2));
    if (*path != '/')
        encoded[at++] = '/';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)path[i];
        if (c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>' && c != '\\' && c != '^' && c != '`')
            encoded[at++] = (char)c;
        else
            at += (size_t)sprintf(encoded + at, "%%%02X", c);
    }
    new_set(&request->path, encoded, at);
    free(encoded);
}

/* A name, an address or an address in brackets, with a port or without. */
static bool is_authority(const char *text, size_t len)
{
    bool brackets = len && text[0] == '[';
    size_t host = 0, end = brackets ? 1 : 0;
    while (end < len && text[end] && (brackets ? strchr("0123456789abcdefABCDEF:.", text[end]) != NULL
                                               : isalnum((unsigned char)text[end]) || strchr(".-_", text[end]))) {
        end++;
        host++;
    }
    if (!host || host > 253 || (brackets && (end == len || text[end++] != ']')))
        return false;
    unsigned long port = 0;
    size_t digits = 0;
    if (end == len)
        return true;
    if (text[end++] != ':')
        return false;
    for (; end < len && digits < 5 && isdigit((unsigned char)text[end]); end++, digits++)
        port = port * 10 + (unsigned long)(text[end] - '0');
    return end == len && digits && port >= 1 && port <= 65535;
}

int new_request_url(struct new_request *request, const char *url)
{
    size_t scheme = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
    size_t authority = strcspn(url + scheme, "/?#");
    const char *host = url + scheme;
    for (size_t i = 0; i < authority; i++) /* no name and password */
        if (url[scheme + i] == '@')
            host = url + scheme + i + 1;
    size_t host_len = (size_t)(url + scheme + authority - host);
    if (!scheme || !is_authority(host, host_len))
        return -1;
    char *target = new_printf("%s%.*s", scheme == 7 ? "http://" : "https://", (int)host_len, host);
    free(request->target);
    request->target = target;
    set_path(request, url + scheme + authority);
    return 0;
}

/* ---- printing ---- */

struct printer {
    struct squall_import_out *out;
    const struct new_scenario *scenario;
    bool several; /* targets */
};

static void print(struct printer *printer, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void print(struct printer *printer, const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int len = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (len < 0)
        need(NULL);
    printer->out->add(printer->out, text, (uint64_t)len);
    free(text);
}

/* The length of the UTF-8 character at the start that YAML takes (RFC 3629); 0: there is none. */
static size_t character(const unsigned char *text)
{
    size_t len = text[0] < 0x80 ? 1 : text[0] >= 0xc2 && text[0] < 0xe0 ? 2 : text[0] >= 0xe0 && text[0] < 0xf0 ? 3 : text[0] >= 0xf0 && text[0] < 0xf5 ? 4 : 0;
    for (size_t i = 1; i < len; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    uint32_t code = len == 1   ? text[0]
                    : len == 2 ? (text[0] & 0x1fu) << 6 | (text[1] & 0x3fu)
                    : len == 3 ? (text[0] & 0xfu) << 12 | (text[1] & 0x3fu) << 6 | (text[2] & 0x3fu)
                    : len == 4 ? (text[0] & 7u) << 18 | (text[1] & 0x3fu) << 12 | (text[2] & 0x3fu) << 6 | (text[3] & 0x3fu)
                               : 0;
    bool shortest = len < 3 || (len == 3 ? code >= 0x800 : code >= 0x10000 && code <= 0x10ffff);
    bool printable = code != 0x7f && !(code >= 0x80 && code < 0xa0 && code != 0x85) && !(code >= 0xd800 && code < 0xe000) && code != 0xfeff && code != 0xfffe &&
                     code != 0xffff;
    return shortest && printable ? len : 0;
}

/* Within double quotes; ${ is a text and no expression, unless `live`. */
static void print_quoted(struct printer *printer, const char *text, bool live)
{
    print(printer, "\"");
    while (*text) {
        size_t plain = 0;
        unsigned char c = (unsigned char)*text;
        while (text[plain] && (unsigned char)text[plain] >= ' ' && text[plain] != '"' && text[plain] != '\\' && character((const unsigned char *)text + plain) &&
               (live || text[plain] != '$'))
            plain += character((const unsigned char *)text + plain);
        if (plain)
            printer->out->add(printer->out, text, plain);
        else if (c == '$')
            print(printer, text[1] == '{' ? "$$" : "$");
        else if (c == '\n' || c == '\t' || c == '\r')
            print(printer, c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r");
        else if (c == '"' || c == '\\')
            print(printer, "\\%c", c);
        else if (c < ' ' || c == 0x7f)
            print(printer, "\\x%02x", c);
        else
            print(printer, "?"); /* no UTF-8 */
        text += plain ? plain : 1;
    }
    print(printer, "\"");
}

/* A comment is one line of printable ASCII. */
static void print_comment(struct printer *printer, const char *indent, const char *text)
{
    print(printer, "%s# ", indent);
    for (; *text; text++)
        print(printer, "%c", (unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f ? '?' : *text);
    print(printer, "\n");
}

static uint32_t target_index(const struct new_scenario *scenario, const char *target)
{
    uint32_t index = 0;
    for (uint32_t i = 0; i < scenario->request_count; i++) {
        bool seen = false;
        for (uint32_t k = 0; k < i; k++)
            seen = seen || strcmp(scenario->requests[k]->target, scenario->requests[i]->target) == 0;
        if (strcmp(scenario->requests[i]->target, target) == 0)
            return index;
        index += !seen;
    }
    return index;
}

static void print_targets(struct printer *printer)
{
    const struct new_scenario *scenario = printer->scenario;
    uint32_t printed = 0;
    print(printer, "targets:\n");
    for (uint32_t i = 0; i < scenario->request_count; i++) {
        const char *target = scenario->requests[i]->target;
        if (target_index(scenario, target) < printed)
            continue;
        print(printer, printed ? "  target%u: { url: " : "  main: { url: ", printed + 1);
        print_quoted(printer, target, false);
        print(printer, "%s }\n", scenario->insecure && target[4] == 's' ? ", tls: { insecure: true }" : "");
        printed++;
    }
    printer->several = printed > 1;
}

static void print_request(struct printer *printer, const struct new_request *request, const char *indent)
{
    char deeper[32];
    snprintf(deeper, sizeof deeper, "%s  ", indent);
    if (request->think_ms)
        print(printer, "%s- think: %llums\n", indent, (unsigned long long)request->think_ms);
    for (uint32_t i = 0; i < request->note_count; i++)
        print_comment(printer, indent, request->notes[i]);
    char *line = new_printf("%s %s", request->method, request->path);
    print(printer, "%s- http: ", indent);
    print_quoted(printer, line, false);
    free(line);
    print(printer, "\n%sname: ", deeper);
    char *name = new_printf("%s", request->name);
    for (char *at = name; *at; at++)
        *at = *at == '$' && at[1] == '{' ? '_' : *at;
    print_quoted(printer, name, true);
    free(name);
    print(printer, "\n");
    uint32_t target = target_index(printer->scenario, request->target);
    if (printer->several && target)
        print(printer, "%starget: target%u\n", deeper, target + 1);
    else if (printer->several)
        print(printer, "%starget: main\n", deeper);
    if (request->header_count)
        print(printer, "%sheaders:\n", deeper);
    for (uint32_t i = 0; i < request->header_count; i++) {
        print(printer, "%s  ", deeper);
        print_quoted(printer, request->headers[i].name, true);
        print(printer, ": ");
        print_quoted(printer, request->headers[i].value, false);
        print(printer, "\n");
    }
    if (request->body) {
        print(printer, "%sbody: ", deeper);
        print_quoted(printer, request->body, false);
        print(printer, "\n");
    }
    if (request->expect)
        print(printer, "%sexpect: %d\n", deeper, request->expect);
    print(printer, "%scheck: { \"is ok\": %s }\n", deeper, request->check ? request->check : "outcome == \"ok\"");
}

static void print_groups(struct printer *printer)
{
    const struct new_scenario *scenario = printer->scenario;
    print(printer, "users:\n");
    for (uint32_t i = 0; i < scenario->request_count; i++) {
        bool seen = false;
        for (uint32_t k = 0; k < i; k++)
            seen = seen || strcmp(scenario->requests[k]->group, scenario->requests[i]->group) == 0;
        if (seen)
            continue;
        print(printer, "  ");
        print_quoted(printer, scenario->requests[i]->group, true);
        print(printer, ":\n    flow:\n");
        for (uint32_t k = i; k < scenario->request_count; k++)
            if (strcmp(scenario->requests[k]->group, scenario->requests[i]->group) == 0)
                print_request(printer, scenario->requests[k], "      ");
    }
}

void new_scenario_print(const struct new_scenario *scenario, struct squall_import_out *out)
{
    struct printer printer = {out, scenario, false};
    print_comment(&printer, "", scenario->title);
    print(&printer, "# See docs/scenario.md for the language; `squall try FILE` walks it once and shows what goes over the wire.\n");
    if (scenario->left_out)
        print(&printer, "# %llu more requests were left out: at most %u are taken.\n", (unsigned long long)scenario->left_out, NEW_REQUESTS_MAX);
    print(&printer, "squall: 1\nname: ");
    print_quoted(&printer, scenario->name, false);
    print(&printer, "\n");
    print_targets(&printer);
    print(&printer, "load:\n  # One user first; then more, or a rate: { ramp: 0 -> 50/s, over: 30s }, { hold: 50/s, for: 2m }\n  - { users: 1, for: 10s }\n");
    if (scenario->requests[0]->group) {
        print_groups(&printer);
    } else {
        print(&printer, "flow:\n");
        for (uint32_t i = 0; i < scenario->request_count; i++)
            print_request(&printer, scenario->requests[i], "  ");
    }
    print(&printer, "thresholds:\n  - rate(failed) < 1%%\n  - p95(latency) < 500ms\n");
}
