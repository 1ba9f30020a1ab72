/* A command line of curl, as browsers and documentation give it: words as a shell splits them, and curl's own options. */
#include "new_scenario.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 400u
#define COMMAND_MAX (1u << 20)

struct words {
    char *list[WORDS_MAX];
    uint32_t count;
};

static int fail(struct squall_error *error, const char *text, const char *word)
{
    snprintf(error->text, sizeof error->text, text, word);
    return -1;
}

/* $'...': the escapes that browsers write. */
static char unescape(const char **at)
{
    static const char from[] = "nrtabfv\\'\"", to[] = "\n\r\t\a\b\f\v\\'\"";
    char c = *++*at;
    const char *known = c ? strchr(from, c) : NULL;
    unsigned code = 0;
    int digits = c == 'x' ? 2 : c == 'u' ? 4 : 0;
    for (int i = 0; i < digits && strspn(*at + 1, "0123456789abcdefABCDEF"); i++) {
        ++*at;
        code = code * 16 + (unsigned)(**at <= '9' ? **at - '0' : (**at | 32) - 'a' + 10);
    }
    if (digits)
        return code < 0x80 && code ? (char)code : '?';
    return known ? to[known - from] : c;
}

/* POSIX shell quoting, and a backslash at the end of a line; no expansion. */
static int split(const char *text, struct words *words, struct squall_error *error)
{
    char *word = malloc(strlen(text) + 1), quote = 0;
    size_t len = 0;
    bool open = false;
    if (!word)
        abort();
    for (const char *at = text;; at++) {
        char c = *at;
        bool ends = !quote && (c == '\0' || strchr(" \t\r\n", c));
        if (ends && open) {
            if (words->count == WORDS_MAX)
                break;
            words->list[words->count] = NULL;
            new_set(&words->list[words->count++], word, len);
            len = 0;
            open = false;
        }
        if (c == '\0')
            break;
        if (ends)
            continue;
        if (!quote && c == '\\' && (at[1] == '\n' || at[1] == '\r')) {
            at += 1 + (at[1] == '\r' && at[2] == '\n');
            continue;
        }
        open = true;
        if (!quote && c == '$' && at[1] == '\'') {
            quote = '$';
            at++;
        } else if (!quote && (c == '\'' || c == '"')) {
            quote = c;
        } else if ((quote == '$' && c == '\'') || (quote != '$' && quote && c == quote)) {
            quote = 0;
        } else if (quote == '$' && c == '\\' && at[1]) {
            word[len++] = unescape(&at);
        } else if (c == '\\' && at[1] && (!quote || (quote == '"' && strchr("\"\\$`\n", at[1])))) {
            word[len++] = *++at;
        } else {
            word[len++] = c;
        }
    }
    free(word);
    if (quote)
        return fail(error, "the command line has a quote that is not closed%s", "");
    return words->count < WORDS_MAX ? 0 : fail(error, "the command line has too many words%s", "");
}

/* curl's options that take a value which is of no use here. */
static bool takes_value(const char *word)
{
    static const char *const options[] = {"-o", "--output", "-m", "--max-time", "--connect-timeout", "--retry", "--retry-delay", "-c", "--cookie-jar",
                                          "-x", "--proxy", "-w", "--write-out", "--cacert", "--cert", "-E", "--key", "--resolve", "--interface",
                                          "-D", "--dump-header", "--limit-rate", "--max-redirs", "-T", "--upload-file", "--ciphers", "--tls-max"};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (strcmp(options[i], word) == 0)
            return true;
    return false;
}

struct command {
    struct new_request *request;
    const char *method, *url, *user;
    char *data;
    bool get, head, json, form;
};

static void add_data(struct command *command, const char *text)
{
    char *joined = new_printf("%s%s%s", command->data ? command->data : "", command->data && !command->json ? "&" : "", text);
    free(command->data);
    command->data = joined;
}

static void add_header(struct command *command, const char *text)
{
    const char *colon = strchr(text, ':');
    char *name = NULL;
    if (!colon)
        return;
    new_set(&name, text, (size_t)(colon - text));
    new_request_header(command->request, name, colon + 1 + strspn(colon + 1, " "));
    free(name);
}

static bool is(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || (b && strcmp(word, b) == 0);
}

/* An option with its value: 1 when the value was used, 0 when it is no such option, -1 with the error. */
static int take_option(struct command *command, const char *word, const char *value, struct squall_error *error)
{
    bool data = is(word, "-d", "--data") || is(word, "--data-raw", "--data-ascii") || is(word, "--data-binary", "--data-urlencode") || is(word, "--json", NULL);
    bool known = data || is(word, "-X", "--request") || is(word, "-H", "--header") || is(word, "-u", "--user") || is(word, "-A", "--user-agent") ||
                 is(word, "-e", "--referer") || is(word, "-b", "--cookie") || is(word, "--url", NULL) || is(word, "-F", "--form");
    if (!known)
        return 0;
    if (!value)
        return fail(error, "%s has no value; is the command line complete?", word);
    command->json = command->json || is(word, "--json", NULL);
    if (data && value[0] == '@' && !is(word, "--data-raw", NULL))
        new_request_note(command->request, "its body was a file: body: ... cannot hold %s, so it is sent empty", value);
    else if (data)
        add_data(command, value);
    else if (is(word, "-X", "--request"))
        command->method = value;
    else if (is(word, "-H", "--header"))
        add_header(command, value);
    else if (is(word, "-u", "--user"))
        command->user = value;
    else if (is(word, "-A", "--user-agent"))
        new_request_header(command->request, "user-agent", value);
    else if (is(word, "-e", "--referer"))
        new_request_header(command->request, "referer", value);
    else if (is(word, "-b", "--cookie"))
        new_request_note(command->request, "cookies come from answers here; the command sent one of its own");
    else if (is(word, "-F", "--form"))
        command->form = true;
    else
        command->url = value;
    return 1;
}

static void take_switch(struct command *command, struct new_scenario *scenario, const char *word)
{
    command->get = command->get || is(word, "-G", "--get");
    command->head = command->head || is(word, "-I", "--head");
    scenario->insecure = scenario->insecure || is(word, "-k", "--insecure");
}

/* RFC 7617. */
static void add_basic(struct new_request *request, const char *user)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = strlen(user), at = 0;
    char *value = new_printf("Basic %*s", (int)((len + 2) / 3 * 4), "");
    for (size_t i = 0; i < len; i += 3) {
        unsigned bits = (unsigned)(unsigned char)user[i] << 16 | (i + 1 < len ? (unsigned)(unsigned char)user[i + 1] << 8 : 0) |
                        (i + 2 < len ? (unsigned)(unsigned char)user[i + 2] : 0);
        for (int k = 0; k < 4; k++)
            value[6 + at++] = i + (size_t)k > len ? '=' : alphabet[bits >> (18 - 6 * k) & 63];
    }
    new_request_header(request, "authorization", value);
    new_request_note(request, "better: authorization: Basic ${base64(\"NAME:\" + secret.PASSWORD)}");
    free(value);
}

static int finish(struct command *command, struct new_scenario *scenario, struct squall_error *error)
{
    struct new_request *request = command->request;
    char *url = NULL;
    if (!command->url)
        return fail(error, "the command line has no URL%s", "");
    url = strstr(command->url, "://") ? new_printf("%s", command->url) : new_printf("http://%s", command->url);
    if (command->get && command->data) {
        char *longer = new_printf("%s%c%s", url, strchr(url, '?') ? '&' : '?', command->data);
        free(url);
        url = longer;
    }
    int status = new_request_url(request, url);
    free(url);
    if (status)
        return fail(error, "'%.200s' is no URL of http or https", command->url);
    const char *method = command->method ? command->method : command->head ? "HEAD" : command->data && !command->get ? "POST" : "GET";
    if (!*method || strlen(method) > 40 || method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")])
        return fail(error, "'%.100s' is no request method", method);
    new_set(&request->method, method, strlen(method));
    if (command->user)
        add_basic(request, command->user);
    if (command->form)
        new_request_note(request, "the command sent a form with -F; see squall plugin show http for how to send one");
    if (command->data && !command->get) {
        new_request_header(request, "content-type", command->json ? "application/json" : "application/x-www-form-urlencoded");
        new_set(&request->body, command->data, strlen(command->data));
    }
    request->name = new_printf("%s %.*s", request->method, (int)strcspn(request->path, "?"), request->path);
    scenario->title = new_printf("A request from a command line of curl, written by squall new.");
    scenario->name = new_printf("%s", strstr(request->target, "://") + 3);
    return 0;
}

static int read_words(struct words *words, struct command *command, struct new_scenario *scenario, struct squall_error *error)
{
    for (uint32_t i = 1; i < words->count; i++) {
        char *word = words->list[i], *value = i + 1 < words->count ? words->list[i + 1] : NULL;
        char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
        char letter[3] = {0};
        if (equals) {
            *equals = '\0';
            value = equals + 1;
        } else if (word[0] == '-' && word[1] != '-' && word[1] && word[2] && strchr("XHduAebFo", word[1])) {
            memcpy(letter, word, 2);
            value = word + 2;
        }
        const char *option = letter[0] ? letter : word;
        int taken = word[0] == '-' ? take_option(command, option, value, error) : 0;
        if (taken < 0)
            return -1;
        if (taken || (word[0] == '-' && takes_value(option)))
            i += !equals && !letter[0];
        else if (word[0] == '-')
            take_switch(command, scenario, word);
        else
            command->url = word;
    }
    return 0;
}

int new_from_curl(const char *text, struct new_scenario *scenario, struct squall_error *error)
{
    struct words words = {.count = 0};
    struct command command = {.request = new_request_add(scenario)};
    int status = strlen(text) > COMMAND_MAX ? fail(error, "the command line is longer than 1 MiB%s", "") : split(text, &words, error);
    if (!status)
        status = read_words(&words, &command, scenario, error) || finish(&command, scenario, error) ? -1 : 0;
    for (uint32_t i = 0; i < words.count; i++)
        free(words.list[i]);
    free(command.data);
    return status;
}
