/*
 * The options of run, check and try: one table for parser and help. Flags that only a protocol understands are rows of
 * its plugin's table and are handed on as they were written.
 */
#include "base/clock.h"
#include "base/secret.h"
#include "base/units.h"
#include "cli/cli.h"
#include "scenario/schema.h"
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct plugin_flags;
static void run_arguments_help(FILE *out, const char *command, const struct protocol *protocol, bool engines, const struct plugin_flags *plugin);

enum kind { KIND_TEXT, KIND_FILE, KIND_ENGINE, KIND_WORKERS, KIND_OUT, KIND_TRUST, KIND_QUIET, KIND_INSECURE, KIND_SET, KIND_THRESHOLD, KIND_GROUP_BY, KIND_SECRETS, KIND_TRUST_SCENARIO, KIND_SCHEMA, KIND_REFLECT, KIND_PLUGIN, KIND_PLUGIN_DIR, KIND_LOG_LEVEL, KIND_HELP };

struct row {
    const char *name; /* first: error_nearest reads it */
    char letter;
    enum kind kind;
    const char *metavar, *help;
    size_t offset; /* KIND_TEXT, KIND_FILE, KIND_ENGINE: of a text in struct overrides */
};

static const struct row rows[] = {
    {"users", 'u', KIND_TEXT, "N", "closed load: N users; with --rate, the most users there may be", offsetof(struct overrides, users)},
    {"rate", 'r', KIND_TEXT, "R", "open load: R journeys a second, whatever the service does (200, 10k, 30/m)", offsetof(struct overrides, rate)},
    {"duration", 'd', KIND_TEXT, "T", "for how long (30s, 5m); 10s when neither this nor -n is given", offsetof(struct overrides, duration)},
    {"iterations", 'n', KIND_TEXT, "N", "exactly N journeys in the whole run", offsetof(struct overrides, iterations)},
    {"connections", 'c', KIND_TEXT, "N", "a pool of N connections for the whole run; per-user; or new, for each exchange", offsetof(struct overrides, connections)},
    {"workers", 'w', KIND_WORKERS, "N", "worker processes; 1 when the target is this machine, else one a core", 0},
    {"warmup", 0, KIND_TEXT, "T", "load runs, numbers do not count", offsetof(struct overrides, warmup)},
    {"timeout", 0, KIND_TEXT, "T", "of one exchange; 30s", offsetof(struct overrides, timeout)},
    {"drain", 0, KIND_TEXT, "T", "wait so long at the end for what is in flight; as long as --timeout", offsetof(struct overrides, drain)},
    {"ramp", 0, KIND_TEXT, "T", "climb to --rate or --users over the first T of the load", offsetof(struct overrides, ramp)},
    {"preset", 0, KIND_TEXT, "NAME", "a shape for --rate or --users: smoke, stress, spike or soak", offsetof(struct overrides, preset)},
    {"peak", 0, KIND_TEXT, "R", "of the presets stress and spike; 4 and 10 times the level", offsetof(struct overrides, peak)},
    {"arrivals", 0, KIND_TEXT, "KIND", "constant or poisson", offsetof(struct overrides, arrivals)},
    {"seed", 0, KIND_TEXT, "N", "of all that is random; the same seed gives the same run", offsetof(struct overrides, seed)},
    {"set", 0, KIND_SET, "NAME=VALUE", "what a variable of the scenario begins with; repeatable", 0},
    {"threshold", 0, KIND_THRESHOLD, "EXPR", "what must hold, such as \"p99(latency) < 200ms\"; repeatable", 0},
    {"group-by", 0, KIND_GROUP_BY, "TAG", "tables and summary of what steps have for each value of a tag; repeatable", 0},
    {"secrets", 0, KIND_SECRETS, "FILE", "NAME=VALUE lines for ${secret.NAME}; without it the environment has them", 0},
    {"trust-scenario", 0, KIND_TRUST_SCENARIO, NULL, "its scripts may use all of Lua: files, processes, C; they run faster", 0},
    {"insecure", 'k', KIND_INSECURE, NULL, "TLS: do not verify certificates", 0},
    {"ca", 0, KIND_FILE, "FILE", "TLS: trust the authorities in this PEM file", offsetof(struct overrides, ca)},
    {"cert", 0, KIND_FILE, "FILE", "TLS: show this certificate (PEM); a name may hold ${user.id}", offsetof(struct overrides, cert)},
    {"key", 0, KIND_FILE, "FILE", "TLS: its key, where that is in another file", offsetof(struct overrides, key)},
    {"out", 0, KIND_OUT, "FILE", "write FILE.json (summary) or FILE.jsonl (each exchange); repeatable", 0},
    {"trust", 0, KIND_TRUST, "HOW", "strict: exit 98 when the generator was the limit; warn; off", 0},
    {"quiet", 0, KIND_QUIET, NULL, "no live view, no final screen", 0},
    {"engine", 0, KIND_ENGINE, "NAME", "another plugin for the protocol, PROTOCOL-NAME", offsetof(struct overrides, engine)},
    {"plugin", 0, KIND_PLUGIN, "FILE", "load a protocol plugin from an absolute path; repeatable", 0},
    {"plugin-dir", 0, KIND_PLUGIN_DIR, "DIR", "look for plugins here first; repeatable", 0},
    {"schema", 0, KIND_SCHEMA, NULL, "print the JSON Schema of scenarios, for editors", 0},
    {"reflect", 0, KIND_REFLECT, NULL, "ask the targets for what only they know, and check against that", 0},
    {"log-level", 0, KIND_LOG_LEVEL, "LEVEL", "error, warning, info or debug", 0},
    {"help", 'h', KIND_HELP, NULL, "this text", 0},
};
#define ROWS (sizeof rows / sizeof *rows)
#define PLUGIN_FLAG 1000 /* getopt's value of a plugin's long flag: this plus its place in plugin_flags */

/* ---- a plugin's flags: of its steps, then of its targets ---- */

struct plugin_flag {
    const struct squall_option *option;
    const char *name; /* without its dashes */
    const char *value; /* that it stands for, or NULL */
    char letter;       /* of a short one; 0: it is long */
    bool takes_value;
};

struct plugin_flags {
    struct plugin_flag *flags;
    size_t count;
};

static void add_plugin_flags(struct plugin_flags *all, const struct squall_option *option, struct arena *arena)
{
    const char *list = option->flag;
    struct protocol_flag found;
    while (protocol_next_flag(&list, &found)) {
        size_t dashes = found.len == 2 ? 1 : 2;
        struct plugin_flag *flags = arena_alloc(arena, (all->count + 1) * sizeof *flags);
        if (all->count)
            memcpy(flags, all->flags, all->count * sizeof *flags);
        flags[all->count++] =
            (struct plugin_flag){.option = option,
                                 .name = arena_copy(arena, found.text + dashes, found.len - dashes),
                                 .value = found.value ? arena_copy(arena, found.value, found.value_len) : NULL,
                                 .letter = dashes == 1 ? found.text[1] : 0,
                                 .takes_value = !found.value && option->type != SQUALL_BOOL};
        all->flags = flags;
    }
}

static struct plugin_flags plugin_flags(const struct protocol *protocol, struct arena *arena)
{
    const struct squall_table *tables[] = {&protocol->abi.step_options, &protocol->abi.target_options};
    struct plugin_flags all = {0};
    for (size_t t = 0; t < 2; t++)
        for (uint32_t i = 0; i < tables[t]->count; i++)
            add_plugin_flags(&all, protocol_option(tables[t], i), arena);
    return all;
}

/* ---- finding the URL before the flags can be read ---- */

static bool looks_like_url(const char *text)
{
    const char *colon = strstr(text, "://");
    if (!colon || !isalpha((unsigned char)*text))
        return false;
    for (const char *at = text; at < colon; at++)
        if (!isalnum((unsigned char)*at) && *at != '+' && *at != '-' && *at != '.')
            return false;
    return true;
}

static const char *find_url(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (looks_like_url(argv[i]))
            return argv[i];
    return NULL;
}

/* Plugin paths must be known before the URL's scheme is looked up. */
static int take_plugin_paths(struct run_arguments *arguments, int argc, char **argv, struct protocol_registry *registry, struct error *error)
{
    const struct protocol *protocol;
    for (int i = 1; i < argc; i++) {
        const char *file = NULL, *directory = NULL;
        if (strcmp(argv[i], "--plugin") == 0 && i + 1 < argc)
            file = argv[++i];
        else if (strncmp(argv[i], "--plugin=", 9) == 0)
            file = argv[i] + 9;
        else if (strcmp(argv[i], "--plugin-dir") == 0 && i + 1 < argc)
            directory = argv[++i];
        else if (strncmp(argv[i], "--plugin-dir=", 13) == 0)
            directory = argv[i] + 13;
        else if (strcmp(argv[i], "--") == 0)
            break;
        struct plan *plan = &arguments->plan;
        if ((file && plan->plugin_file_count == PLAN_PATHS_MAX) || (directory && plan->plugin_directory_count == PLAN_PATHS_MAX))
            return error_set(error, "more than %d --plugin or --plugin-dir options", PLAN_PATHS_MAX);
        if (file) {
            if (protocol_load_file(registry, file, &protocol, error) < 0)
                return -1;
            plan->plugin_files[plan->plugin_file_count++] = file;
        }
        if (directory) {
            char *absolute = realpath(directory, NULL);
            if (!absolute)
                return error_set(error, "--plugin-dir %s: there is no such folder", directory);
            const char *kept = arena_copy(&arguments->arena, absolute, strlen(absolute));
            free(absolute);
            if (protocol_registry_add_directory(registry, kept, error) < 0)
                return -1;
            plan->plugin_directories[plan->plugin_directory_count++] = kept;
        }
    }
    return 0;
}

/* ---- parsing ---- */

struct getopt_tables {
    struct option *names;
    size_t name_count;
    char *letters;
    struct plugin_flags plugin;
    bool have_url;
};

static void add_letter(struct getopt_tables *tables, char letter, bool takes_value)
{
    size_t len = strlen(tables->letters);
    tables->letters[len] = letter;
    tables->letters[len + 1] = takes_value ? ':' : 0;
}

static void make_tables(struct getopt_tables *tables, const struct protocol *protocol, struct arena *arena)
{
    *tables = (struct getopt_tables){.have_url = protocol};
    if (protocol)
        tables->plugin = plugin_flags(protocol, arena);
    size_t most = ROWS + tables->plugin.count + 1, count = 0;
    tables->names = arena_alloc(arena, most * sizeof *tables->names);
    tables->letters = arena_alloc(arena, 2 + 2 * most);
    tables->letters[0] = ':'; /* a missing value is told apart from an unknown option */
    for (size_t i = 0; i < ROWS; i++) {
        tables->names[count++] = (struct option){rows[i].name, rows[i].metavar ? required_argument : no_argument, NULL, (int)(256 + i)};
        if (rows[i].letter)
            add_letter(tables, rows[i].letter, rows[i].metavar);
    }
    for (size_t i = 0; i < tables->plugin.count; i++) {
        const struct plugin_flag *flag = &tables->plugin.flags[i];
        if (flag->letter)
            add_letter(tables, flag->letter, flag->takes_value);
        else
            tables->names[count++] = (struct option){flag->name, flag->takes_value ? required_argument : no_argument, NULL, PLUGIN_FLAG + (int)i};
    }
    tables->name_count = count;
}

static int set_workers(struct run_arguments *arguments, const char *value, struct error *error)
{
    uint64_t count;
    if (units_parse_count(value, &count) < 0 || count < 1 || count > 64)
        return error_set(error, "--workers %s: must be a number from 1 to 64", value);
    arguments->plan.workers = (uint32_t)count;
    return 0;
}

static int set_trust(struct run_arguments *arguments, const char *value, struct error *error)
{
    static const char *const words[] = {"strict", "warn", "off"};
    for (int i = 0; i < 3; i++)
        if (strcmp(value, words[i]) == 0) {
            arguments->trust = (enum trust)i;
            return 0;
        }
    return error_set(error, "--trust %s: must be strict, warn or off", value);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && strcmp(text + len - end_len, end) == 0;
}

static int add_output(struct run_arguments *arguments, const char *path, struct error *error)
{
    if (!ends_with(path, ".json") && !ends_with(path, ".jsonl"))
        return error_set(error, "--out %s: the suffix decides what is written: .json (summary) or .jsonl (one line an exchange)", path);
    if (arguments->output_count == OUTPUTS_MAX)
        return error_set(error, "more than %d --out options", OUTPUTS_MAX);
    if (ends_with(path, ".jsonl")) {
        if (arguments->plan.raw_path)
            return error_set(error, "--out %s: there is one raw log a run, and it is %s already", path, arguments->plan.raw_path);
        arguments->plan.raw_path = path;
    }
    arguments->outputs[arguments->output_count++] = path;
    return 0;
}

/* A list of pairs in the arena, one longer. */
static void add_value(struct run_arguments *arguments, const struct flag_value **list, uint32_t *count, const char *flag, const char *value)
{
    struct flag_value *longer = arena_alloc(&arguments->arena, (*count + 1) * sizeof *longer);
    if (*count)
        memcpy(longer, *list, *count * sizeof *longer);
    longer[(*count)++] = (struct flag_value){flag, value};
    *list = longer;
}

static int add_set(struct run_arguments *arguments, const char *text, struct error *error)
{
    struct overrides *overrides = &arguments->plan.overrides;
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return error_set(error, "--set %s: write a variable's name and its value: --set NAME=VALUE", text);
    add_value(arguments, &overrides->sets, &overrides->set_count, arena_copy(&arguments->arena, text, (size_t)(equals - text)), equals + 1);
    return 0;
}

/* The file is the operator's own, wherever it lies; workers get its text, not its name. */
static int take_secrets(struct run_arguments *arguments, const char *path, struct error *error)
{
    char *text;
    size_t len;
    if (scenario_read(path, &text, &len, error) < 0)
        return error_prefix(error, "--secrets");
    bool fits = len <= SECRET_BYTES_MAX && memchr(text, 0, len) == NULL;
    arguments->plan.overrides.secrets = arena_copy(&arguments->arena, text, fits ? len : 0);
    arguments->plan.overrides.secrets_file = path;
    free(text);
    return fits ? 0 : error_set(error, "--secrets %s: is no text of at most 64 KiB; write NAME=VALUE, a line each", path);
}

/* Workers may have another folder than the operator. */
static int set_file(struct run_arguments *arguments, const struct row *row, const char *value, struct error *error)
{
    char *folder = value[0] == '/' ? NULL : getcwd(NULL, 0);
    if (value[0] != '/' && !folder)
        return error_set(error, "--%s %s: the present folder cannot be told: %s", row->name, value, strerror(errno));
    *(const char **)(void *)((char *)&arguments->plan.overrides + row->offset) =
        folder ? arena_printf(&arguments->arena, "%s/%s", folder, value) : value;
    free(folder);
    return 0;
}

static int take_row(struct run_arguments *arguments, const struct row *row, const char *value, struct error *error)
{
    switch (row->kind) {
    case KIND_TEXT:
    case KIND_ENGINE:
        *(const char **)(void *)((char *)&arguments->plan.overrides + row->offset) = value;
        return 0;
    case KIND_FILE:
        return set_file(arguments, row, value, error);
    case KIND_WORKERS:
        return set_workers(arguments, value, error);
    case KIND_OUT:
        return add_output(arguments, value, error);
    case KIND_TRUST:
        return set_trust(arguments, value, error);
    case KIND_QUIET:
        arguments->quiet = true;
        return 0;
    case KIND_SET:
        return add_set(arguments, value, error);
    case KIND_THRESHOLD:
        add_value(arguments, &arguments->plan.overrides.thresholds, &arguments->plan.overrides.threshold_count, "--threshold", value);
        return 0;
    case KIND_GROUP_BY:
        add_value(arguments, &arguments->plan.overrides.group_tags, &arguments->plan.overrides.group_tag_count, "--group-by", value);
        return 0;
    case KIND_SECRETS:
        return take_secrets(arguments, value, error);
    case KIND_SCHEMA:
        arguments->schema = true;
        return 0;
    case KIND_REFLECT:
        arguments->reflect = true;
        return 0;
    case KIND_TRUST_SCENARIO:
        arguments->plan.overrides.trust_scenario = true;
        return 0;
    case KIND_INSECURE:
        arguments->plan.overrides.insecure = true;
        return 0;
    case KIND_PLUGIN:
    case KIND_PLUGIN_DIR:
        return 0; /* taken before */
    case KIND_LOG_LEVEL:
        if (log_level_parse(value, &arguments->plan.log_level) < 0)
            return error_set(error, "--log-level %s: must be error, warning, info or debug", value);
        log_set_level(arguments->plan.log_level);
        return 0;
    case KIND_HELP:
        arguments->help = true;
        return 0;
    }
    return -1;
}

/* "@path" of an option that may be a file. Workers get the text, since their folder is none of the operator's. */
static int read_value(struct run_arguments *arguments, const char *flag, const char **value, struct error *error)
{
    const char *path = *value + 1;
    char *text;
    size_t len;
    if (path[0] == '@') {
        *value = path;
        return 0;
    }
    if (access(path, R_OK) < 0)
        return error_set(error, "%s @%s: %s; name a file, or write @@ for a text that begins with @", flag, path, strerror(errno));
    if (scenario_read(path, &text, &len, error) < 0)
        return error_prefix(error, "%s", flag);
    bool fits = memchr(text, 0, len) == NULL;
    *value = arena_copy(&arguments->arena, text, fits ? len : 0);
    free(text);
    return fits ? 0 : error_set(error, "%s @%s: holds a byte 0, which no flag can carry; write a scenario file", flag, path);
}

static int add_flag(struct run_arguments *arguments, const struct plugin_flag *plugin, const char *flag, const char *value, struct error *error)
{
    struct overrides *overrides = &arguments->plan.overrides;
    if (value && value[0] == '@' && (plugin->option->role & SQUALL_ROLE_FLAG_FILE) && read_value(arguments, flag, &value, error) < 0)
        return -1;
    add_value(arguments, &overrides->flags, &overrides->flag_count, flag, value);
    return 0;
}

static int take_letter(struct run_arguments *arguments, const struct plugin_flags *plugin, int letter, const char *value, struct error *error)
{
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].letter && rows[i].letter == letter)
            return take_row(arguments, &rows[i], value, error);
    for (size_t i = 0; i < plugin->count; i++)
        if (plugin->flags[i].letter == letter)
            return add_flag(arguments, &plugin->flags[i], arena_printf(&arguments->arena, "-%c", letter), value, error);
    return 0;
}

static bool has_option(const struct getopt_tables *tables, const char *name)
{
    for (size_t i = 0; i < tables->name_count; i++)
        if (strcmp(tables->names[i].name, name) == 0)
            return true;
    return false;
}

static int refuse(const struct getopt_tables *tables, char **argv, int status, struct error *error)
{
    const char *written = argv[optind - 1];
    bool have_url = tables->have_url;
    if (status == ':')
        return error_set(error, "%s needs a value; see --help", written);
    if (optopt >= 256) /* --quiet=x */
        return error_set(error, "%s takes no value", written);
    if (optopt)
        return error_set(error, "unknown option -%c%s; see --help", optopt,
                         have_url ? "" : " (a protocol's own flags go with a URL; in a scenario they are options of its steps)");
    const char *foreign = foreign_option(written + strspn(written, "-"));
    if (foreign && (strchr(foreign, ' ') || has_option(tables, foreign + 2)))
        return error_set(error, "unknown option %s; write %s", written, foreign);
    const char *nearest = error_nearest(written + strspn(written, "-"), &tables->names[0].name, (uint32_t)tables->name_count, sizeof *tables->names);
    if (nearest)
        return error_set(error, "unknown option %s; did you mean --%s?", written, nearest);
    return error_set(error, "unknown option %s; see --help%s", written,
                     have_url ? "" : " (a protocol's own flags go with a URL; in a scenario they are options of its steps)");
}

/* getopt_long also takes the beginning of a name; an option added later would then change what a script means. */
static bool abbreviated(char **argv, const struct option *option)
{
    const char *written = argv[optind - 1];
    if (optarg == written)
        written = argv[optind - 2]; /* "--name value", not "--name=value" */
    size_t len = strcspn(written + 2, "=");
    return strlen(option->name) != len || strncmp(written + 2, option->name, len) != 0;
}

static int parse_options(struct run_arguments *arguments, int argc, char **argv, const struct getopt_tables *tables, struct error *error)
{
    int index = -1;
    opterr = 0;
    optind = 1;
    for (;;) {
        int status = getopt_long(argc, argv, tables->letters, tables->names, &index);
        if (status == -1)
            return 0;
        if (status == '?' || status == ':')
            return refuse(tables, argv, status, error);
        if (status >= 256 && abbreviated(argv, &tables->names[index]))
            return error_set(error, "unknown option %s; did you mean --%s?", optarg == argv[optind - 1] ? argv[optind - 2] : argv[optind - 1],
                             tables->names[index].name);
        int failed = 0;
        if (status >= PLUGIN_FLAG)
            failed = add_flag(arguments, &tables->plugin.flags[status - PLUGIN_FLAG],
                              arena_printf(&arguments->arena, "--%s", tables->plugin.flags[status - PLUGIN_FLAG].name), optarg, error);
        else if (status >= 256)
            failed = take_row(arguments, &rows[status - 256], optarg, error);
        else
            failed = take_letter(arguments, &tables->plugin, status, optarg, error);
        if (failed)
            return -1;
    }
}

static int take_positional(struct run_arguments *arguments, int argc, char **argv, struct error *error)
{
    if (optind >= argc)
        return error_set(error, "%s needs a scenario file or a URL; see squall %s --help", argv[0], argv[0]);
    if (optind + 1 < argc)
        return error_set(error, "%s takes one scenario or URL, and got \"%s\" and \"%s\"; a value with spaces wants quotes", argv[0], argv[optind],
                         argv[optind + 1]);
    if (looks_like_url(argv[optind]))
        arguments->plan.overrides.url = argv[optind];
    else
        arguments->scenario_path = argv[optind];
    return 0;
}

static bool of_check(const char *command)
{
    return strcmp(command, "check") == 0;
}

static int run_arguments_parse(struct run_arguments *arguments, int argc, char **argv, struct protocol_registry *registry, struct error *error)
{
    struct getopt_tables tables;
    const struct protocol *protocol = NULL;
    memset(arguments, 0, sizeof *arguments);
    arena_init(&arguments->arena);
    arguments->plan.log_level = LOG_WARNING;
    const char *url = find_url(argc, argv);
    if (take_plugin_paths(arguments, argc, argv, registry, error) < 0)
        return -1;
    if (url) {
        const char *scheme = arena_copy(&arguments->arena, url, (size_t)(strstr(url, "://") - url));
        if (protocol_by_scheme(registry, scheme, &protocol, error) < 0)
            return -1;
    }
    make_tables(&tables, protocol, &arguments->arena);
    if (parse_options(arguments, argc, argv, &tables, error) < 0)
        return -1;
    if (arguments->help) {
        run_arguments_help(stdout, argv[0], protocol, protocol && protocol_has_engines(registry, protocol), &tables.plugin);
        return 0;
    }
    if ((arguments->schema || arguments->reflect) && !of_check(argv[0]))
        return error_set(error, "--%s belongs to squall check; leave it out", arguments->schema ? "schema" : "reflect");
    if (arguments->schema)
        return 0;
    return take_positional(arguments, argc, argv, error);
}

static void run_arguments_fini(struct run_arguments *arguments)
{
    arena_fini(&arguments->arena);
}

/* ---- help ---- */

static void help_row(FILE *out, char letter, const char *name, const char *metavar, const char *text)
{
    char left[40];
    snprintf(left, sizeof left, "%c%c%s --%s %s", letter ? '-' : ' ', letter ? letter : ' ', letter ? "," : " ", name, metavar ? metavar : "");
    fprintf(out, "  %-24s %s\n", left, text);
}

/* A short flag stands beside the long one behind it of the same option. */
static void help_plugin_flag(FILE *out, const struct plugin_flags *all, size_t i)
{
    const struct plugin_flag *flag = &all->flags[i];
    const struct squall_option *option = flag->option;
    char help[200];
    char letter = i > 0 && flag[-1].option == option ? flag[-1].letter : 0;
    if (flag->letter)
        return;
    snprintf(help, sizeof help, "%s%s%s", option->help ? option->help : "", flag->value ? ": " : "", flag->value ? flag->value : "");
    help_row(out, letter, flag->name, flag->takes_value ? option->metavar : NULL, help);
}

/* Options that mean something here. */
static bool is_of(enum kind kind, const char *command, bool engines)
{
    bool checks = kind == KIND_SCHEMA || kind == KIND_REFLECT;
    return checks ? of_check(command) : kind != KIND_ENGINE || engines;
}

static void run_arguments_help(FILE *out, const char *command, const struct protocol *protocol, bool engines, const struct plugin_flags *plugin)
{
    fprintf(out, "usage: squall %s SCENARIO or URL [options]\n\n", command);
    for (size_t i = 0; i < ROWS; i++)
        if (is_of(rows[i].kind, command, engines))
            help_row(out, rows[i].letter, rows[i].name, rows[i].metavar, rows[i].help);
    fprintf(out, "-d is duration and -r rate, unlike in curl and Locust. Numbers take units: 250ms, 10k, 64KiB, 5000/s.\n");
    if (!protocol) {
        fprintf(out, "With a URL before --help: its protocol's flags too (a method, a body, ...).\n");
        return;
    }
    fprintf(out, "Of %s (%s):\n", protocol->name, protocol->abi.schemes);
    for (size_t i = 0; i < plugin->count; i++)
        help_plugin_flag(out, plugin, i);
}

static void print_schema(struct protocol_registry *registry)
{
    struct buffer schema = {0};
    protocol_load_all(registry, NULL, NULL);
    schema_print(registry, &schema);
    fwrite(schema.data, 1, schema.len, stdout);
    buffer_fini(&schema);
}

int with_scenario(int argc, char **argv, scenario_fn *fn)
{
    struct run_arguments arguments;
    struct protocol_registry registry;
    struct scenario *scenario = NULL;
    struct error error = {0};
    int code = EXIT_CODE_OK;
    protocol_registry_init(&registry);
    if (run_arguments_parse(&arguments, argc, argv, &registry, &error) < 0)
        code = cli_fail(&error);
    else if (arguments.schema)
        print_schema(&registry);
    else if (!arguments.help && run_arguments_load(&arguments, &registry, &scenario, &error) < 0)
        code = cli_fail(&error);
    else if (!arguments.help)
        code = fn(&arguments, scenario, &error);
    scenario_free(scenario);
    run_arguments_fini(&arguments);
    protocol_registry_fini(&registry);
    return code;
}
