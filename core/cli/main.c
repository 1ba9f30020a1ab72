/* squall: argv to command. */
#include "base/log.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cluster/worker.h"
#include <errno.h>
#include <signal.h>
#include <string.h>

struct command {
    const char *name; /* first: error_nearest reads it */
    int (*run)(int argc, char **argv);
    const char *help; /* NULL: not for users */
};

static int command_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("squall %s, plugin ABI v%d.%d\n", SQUALL_VERSION, SQUALL_ABI_MAJOR, SQUALL_ABI_MINOR);
    return EXIT_CODE_OK;
}

static int command_worker(int argc, char **argv)
{
    char *shifted[] = {argv[0], argv[0], argc > 1 ? argv[1] : NULL, NULL};
    return worker_main(argc + 1, shifted);
}

static int command_help(int argc, char **argv);

static const struct command commands[] = {
    {"run", command_run, "SCENARIO or URL     run a load test"},
    {"check", command_check, "SCENARIO          validate a scenario and print its plan; opens no socket"},
    {"try", command_try, "SCENARIO or URL     walk one journey and show what goes over the wire"},
    {"new", command_new, "WHAT                write a scenario to start from"},
    {"plugin", command_plugin, "list, show NAME  the protocols that this squall speaks"},
    {"target", command_target, "                 the embedded demo server"},
    {"version", command_version, "               of squall and of its plugin interface"},
    {"help", command_help, "                  this text"},
    {"worker", command_worker, NULL},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static int command_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("squall: load testing that tells the truth\n\n");
    for (size_t i = 0; i < COMMANDS; i++)
        if (commands[i].help)
            printf("  squall %s %s\n", commands[i].name, commands[i].help);
    printf("\nsquall COMMAND --help tells more. Exit codes:\n");
#define PRINT_CODE(code, name, meaning) printf("  %3d  %s\n", code, meaning);
    EXIT_CODES(PRINT_CODE)
#undef PRINT_CODE
    return EXIT_CODE_OK;
}

int cli_fail(const struct error *error)
{
    struct error shown = *error;
    fflush(stdout);
    fprintf(stderr, "squall: %s\n", secret_hide_text(shown.text));
    return error->exit_code ? error->exit_code : EXIT_CODE_INTERNAL;
}

/* What did not reach a full disk was not said; a reader that has gone away, as of a pager, has read enough. */
static int printed(int code)
{
    errno = 0;
    bool lost = fflush(stdout) == EOF || ferror(stdout);
    if (!lost || errno == EPIPE || code != EXIT_CODE_OK)
        return code;
    fprintf(stderr, "squall: the output could not be written: %s\n", errno ? strerror(errno) : "write error");
    return EXIT_CODE_INTERNAL;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file as large as `ulimit -f` allows is an error of the write, which is told */
    if (argc < 2) {
        command_help(argc, argv);
        return EXIT_CODE_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return printed(commands[i].run(argc - 1, argv + 1));
    struct error error = {0};
    const char *nearest = error_nearest(name, &commands[0].name, COMMANDS, sizeof *commands);
    if (strstr(name, "://") || strchr(name, '.'))
        error_set(&error, "unknown command %s; to test it: squall run %s", name, name);
    else
        error_set(&error, "unknown command %s;%s%s%s", name, nearest ? " did you mean squall " : " see squall --help", nearest ? nearest : "",
                  nearest ? "?" : "");
    return cli_fail(&error);
}
