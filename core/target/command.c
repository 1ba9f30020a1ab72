/* `squall target`: flags to options, the first line, the last line. */
#include "target/command.h"
#include "base/arena.h"
#include "base/units.h"
#include "target/flags.h"
#include "target/service.h"
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int set_text(const struct squall_option *row, const char *text, void *values, struct error *error)
{
    struct service_options *options = values;
    if (strcmp(row->name, "listen") == 0) {
        options->listen = (struct squall_bytes){(const uint8_t *)text, strlen(text)};
        return 0;
    }
    if (strcmp(row->name, "delay") == 0)
        return distribution_parse(text, SQUALL_DURATION, &options->delay, error);
    if (strcmp(row->name, "stall") == 0)
        return stalls_add(&options->stalls, text, error);
    const struct {
        const char *name, **place;
    } texts[] = {
        {"log", &options->log_path}, {"cert", &options->cert}, {"key", &options->key}, {"alpn", &options->alpn}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(row->name, texts[i].name) == 0) {
            *texts[i].place = text;
            return 0;
        }
    }
    if (units_parse_ratio(text, &options->reset) || options->reset < 0 || options->reset > 1)
        return error_set(error, "\"%s\" is not a probability: write 0.01 or 1%%", text);
    return 0;
}

#define AT(field) .offset = offsetof(struct service_options, field)
static const struct squall_option host_rows[] = {
    {.name = "listen",
     .flag = "-l,--listen",
     .metavar = "ADDR:PORT",
     .type = SQUALL_STRING,
     .fallback = "127.0.0.1:8080",
     .help = "where to listen; port 0 picks one"},
    {.name = "public",
     .flag = "--public",
     .type = SQUALL_BOOL,
     AT(public),
     .help = "allow an address that is not loopback"},
    {.name = "duration",
     .flag = "-d,--duration",
     .metavar = "TIME",
     .type = SQUALL_DURATION,
     AT(duration_ns),
     .help = "stop after so long; otherwise Ctrl-C does"},
    {.name = "tls",
     .flag = "--tls",
     .type = SQUALL_BOOL,
     AT(tls),
     .help = "speak TLS, with a certificate for localhost that is made at the start"},
    {.name = "cert",
     .flag = "--cert",
     .metavar = "FILE",
     .type = SQUALL_STRING,
     .help = "speak TLS with this certificate (PEM), and what leads to its root"},
    {.name = "key",
     .flag = "--key",
     .metavar = "FILE",
     .type = SQUALL_STRING,
     .help = "its private key (PEM); without it, the key is in --cert's file"},
    {.name = "alpn",
     .flag = "--alpn",
     .metavar = "NAMES",
     .type = SQUALL_STRING,
     .help = "protocols to agree on over TLS, such as a,b; an empty text: none"},
    {.name = "delay",
     .flag = "--delay",
     .metavar = "DELAY",
     .type = SQUALL_STRING,
     .help = "from a request's arrival to its answer: see below"},
    {.name = "at-once",
     .flag = "--at-once",
     .metavar = "N",
     .type = SQUALL_UINT,
     AT(at_once),
     .max = BEHAVIOUR_PLACES_MAX,
     .help = "work on N requests at a time, each for its delay; others wait"},
    {.name = "stall",
     .flag = "--stall",
     .metavar = "LENGTH@START",
     .type = SQUALL_STRING,
     .help = "answer nothing for a while, such as 3s@5s; repeatable"},
    {.name = "reset",
     .flag = "--reset",
     .metavar = "P",
     .type = SQUALL_STRING,
     .help = "probability of a reset instead of an answer"},
    {.name = "close-after",
     .flag = "--close-after",
     .metavar = "N",
     .type = SQUALL_UINT,
     AT(close_after),
     .help = "close a connection after N answers"},
    {.name = "seed",
     .flag = "--seed",
     .metavar = "N",
     .type = SQUALL_UINT,
     AT(seed),
     .fallback = "1",
     .help = "of everything random"},
    {.name = "log",
     .flag = "--log",
     .metavar = "FILE",
     .type = SQUALL_STRING,
     .help = "one JSON line a request: its exact times and outcome"},
};
#undef AT
#define HOST_ROW_COUNT ((uint32_t)(sizeof host_rows / sizeof host_rows[0]))

static void print_parameters(const struct squall_server *server)
{
    if (!server->parameters_title)
        return;
    printf("\n%s\n", server->parameters_title);
    for (uint32_t i = 0; i < server->parameter_count; i++) {
        const struct squall_server_parameter *parameter = &server->parameters[i];
        char left[64];
        snprintf(left, sizeof left, "  %s=%s", parameter->name, parameter->metavar);
        printf("%-30s %s\n", left, parameter->help);
    }
}

/* Of a protocol that was named: what it adds. */
static void print_server_help(const struct flag_table *table, const struct squall_server *server)
{
    printf("Usage: squall target %s [flags]\n%s\n", server->name, server->summary);
    flags_print(table, 1, stdout);
    print_parameters(server);
    printf("\n`squall target --help` has the flags that every protocol takes.\n");
}

/* Fits a screen: what each protocol adds stands in a help of its own. */
static void print_help(const struct flag_table *table, const struct squall_server *const *servers)
{
    printf("Usage: squall target [PROTOCOL] [flags]\n"
           "A server to try load tests on: as fast, slow, faulty or silent as its flags say.\n\nProtocols\n");
    for (uint32_t i = 0; servers[i]; i++)
        printf("  %-12s %s%s\n", servers[i]->name, servers[i]->summary, i ? "" : " (default)");
    printf("`squall target %s --help` has the flags and parameters that it adds.\n", servers[0]->name);
    flags_print(table, 1, stdout);
    printf("\nDELAY is 5ms, uniform(1ms,20ms), exponential(10ms), normal(10ms,2ms), lognormal(10ms,0.5),\n"
           "bimodal(2ms,50ms,0.9) (0.9: probability of the first) or pareto(1ms,1.5); at most 60s.\n");
}

static double cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void print_totals(const struct service_counts *counts, double used_us)
{
    printf("squall target: %llu connections, %llu arrived, %llu answered, %llu reset, %llu aborted, %llu malformed; "
           "%.2f us of CPU a request\n",
           (unsigned long long)counts->connections, (unsigned long long)counts->arrived,
           (unsigned long long)counts->answered, (unsigned long long)counts->reset, (unsigned long long)counts->aborted,
           (unsigned long long)counts->malformed, counts->arrived ? used_us / (double)counts->arrived : 0.0);
    fflush(stdout);
}

static int serve(const struct service_options *options, struct error *error)
{
    struct service_counts counts = {0};
    double before_us = cpu_us();
    struct service *service = service_new(options, error);
    if (!service)
        return -1;
    char address[80];
    printf("squall target listening on %s\n", service_address(service, address, sizeof address));
    fflush(stdout);
    service_run(service);
    int result = service_end(service, &counts, error);
    print_totals(&counts, cpu_us() - before_us);
    return result;
}

/* The room that the first argument names; without one, the first room. A flag table of the right room is needed to
 * read the flags, so the name must come first. */
static const struct squall_server *find_server(const struct squall_server *const *servers, const char *name,
                                               struct error *error)
{
    const char *names[16];
    uint32_t count = 0;
    if (!servers[0]) {
        error_set(error, "this squall was built without any protocol for `squall target`");
        return NULL;
    }
    if (!name || name[0] == '-')
        return servers[0];
    for (uint32_t i = 0; servers[i]; i++) {
        if (strcmp(servers[i]->name, name) == 0)
            return servers[i];
        if (count < sizeof names / sizeof names[0])
            names[count++] = servers[i]->name;
    }
    const char *nearest = error_nearest(name, names, count, sizeof names[0]);
    if (nearest) {
        error_set(error, "squall target has no protocol \"%s\"; did you mean %s?", name, nearest);
        return NULL;
    }
    size_t len = 0;
    char list[200] = "";
    for (uint32_t i = 0; i < count && len < sizeof list; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", names[i]);
    error_set(error, "squall target has no protocol \"%s\"; there are: %s", name, list);
    return NULL;
}

int target_command(int argc, char **argv, const struct squall_server *const *servers, struct error *error)
{
    struct service_options options = {.server = find_server(servers, argc > 1 ? argv[1] : NULL, error)};
    if (!options.server)
        return -1;
    bool named = argc > 1 && argv[1][0] != '-';
    if (named) { /* the protocol's name */
        argc--;
        argv++;
    }
    void *values = xcalloc(1, options.server->options_size + 1u);
    char title[80];
    snprintf(title, sizeof title, "Flags of %s", options.server->name);
    struct flag_table tables[] = {
        {.title = "Flags", .rows = host_rows, .count = HOST_ROW_COUNT, .values = &options, .set_text = set_text},
        {.title = title, .rows = options.server->options, .count = options.server->option_count, .values = values},
    };
    int rest = argc;
    int result = flags_parse(tables, 2, argc, argv, &rest, error);
    options.server_options = values;
    if (!options.alpn)
        options.alpn = options.server->alpn ? options.server->alpn : "";
    options.tls = options.tls || options.cert;
    if (!result && options.key && !options.cert)
        result = error_set(error, "--key %s: without a certificate: give its file with --cert", options.key);
    if (result == 1) {
        if (named)
            print_server_help(&tables[1], options.server);
        else
            print_help(&tables[0], servers);
        result = 0;
    } else if (!result && rest < argc) {
        result = error_set(error, "squall target: \"%s\" is not a flag: --help lists them", argv[rest]);
    } else if (!result) {
        result = serve(&options, error);
    }
    free(values);
    return result;
}
