/* squall run: loads, runs, shows, writes. */
#include "base/clock.h"
#include "cli/cli.h"
#include "cluster/controller.h"
#include "report/report.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define STALL_LIMIT_NS (2300 * NS_PER_MS) /* checked twice a second: a silent worker is noticed within 3 s */

static void on_progress(void *arg, const struct progress *progress)
{
    console_progress(arg, progress);
}

/* Outputs are tried before the run: nobody wants to learn after an hour that a folder was missing. */
static int prepare_outputs(const struct run_arguments *arguments, struct error *error)
{
    for (uint32_t i = 0; i < arguments->output_count; i++) {
        const char *path = arguments->outputs[i];
        bool raw = arguments->plan.raw_path == path;
        bool there = access(path, F_OK) == 0;
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (raw ? O_TRUNC : 0), 0666);
        if (fd < 0)
            return error_set(error, "--out %s: cannot be written: %s", path, strerror(errno));
        close(fd);
        if (!there && !raw)
            unlink(path); /* no empty summary is left where a run fails */
    }
    return 0;
}

/* Those that are written are the first of arguments->outputs then. */
static int write_outputs(struct run_arguments *arguments, const struct result *result, struct error *error)
{
    uint32_t written = 0, count = arguments->output_count;
    for (uint32_t i = 0; i < count; i++)
        if (arguments->outputs[i] == arguments->plan.raw_path || summary_write(result, arguments->outputs[i], error) == 0)
            arguments->outputs[written++] = arguments->outputs[i];
    arguments->output_count = written;
    return written == count ? 0 : -1;
}

static uint32_t screen_width(void)
{
    struct winsize size;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60)
        return size.ws_col;
    return 100;
}

static int show_result(const struct run_arguments *arguments, const struct result *result)
{
    struct buffer screen = {0};
    bool colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    if (arguments->quiet || result->unreachable)
        return 0; /* there is nothing on the screen that the error does not say */
    screen_print(result, screen_width(), colour, &screen);
    screen_print_files(arguments->outputs, arguments->output_count, screen_width(), colour, &screen);
    fwrite(screen.data, 1, screen.len, stdout);
    if (fflush(stdout) != 0)
        fprintf(stderr, "squall: the report could not be printed: %s\n", strerror(errno));
    buffer_fini(&screen);
    return ferror(stdout) ? -1 : 0;
}

/* Also when quiet: why the exit code is what it is. */
static void explain(const struct run_arguments *arguments, const struct result *result)
{
    if (!arguments->quiet)
        return;
    for (uint32_t i = 0; i < result->verdict.reason_count; i++)
        fprintf(stderr, "squall: %s\n", result->verdict.reasons[i]);
    if (result->aborted_text[0])
        fprintf(stderr, "squall: %s\n", result->aborted_text);
    for (uint32_t i = 0; i < result->scenario->threshold_count; i++)
        if (!result->thresholds[i].pass)
            fprintf(stderr, "squall: threshold failed: %s\n", result->scenario->thresholds[i].text);
    if (result->all_failed_text[0])
        fprintf(stderr, "squall: %s\n", result->all_failed_text);
}

static int run(struct run_arguments *arguments, struct scenario *scenario, struct error *error)
{
    if (prepare_outputs(arguments, error) < 0)
        return cli_fail(error);
    struct console *console = console_new(stderr, scenario, arguments->quiet);
    struct controller_options options = {.scenario = scenario,
                                         .plan = &arguments->plan,
                                         .trust = arguments->trust,
                                         .stall_limit_ns = STALL_LIMIT_NS,
                                         .progress = on_progress,
                                         .arg = console};
    struct result result;
    int status = controller_run(&options, &result, error);
    console_free(console);
    if (status < 0)
        return cli_fail(error);
    error->text[0] = 0;
    if (result.facts.spool_lost) {
        error_set_code(error, EXIT_CODE_INTERNAL, "%s: %llu exchanges could not be written (disk full or too slow)", arguments->plan.raw_path,
                       (unsigned long long)result.facts.spool_lost);
        result.exit_code = exit_code_worst(result.exit_code, EXIT_CODE_INTERNAL);
    }
    if (write_outputs(arguments, &result, error) < 0)
        result.exit_code = exit_code_worst(result.exit_code, EXIT_CODE_INTERNAL);
    if (show_result(arguments, &result) < 0)
        result.exit_code = exit_code_worst(result.exit_code, EXIT_CODE_INTERNAL);
    explain(arguments, &result);
    if (result.unreachable)
        error_set_code(error, EXIT_CODE_UNREACHABLE, "%s", result.unreachable_text);
    if (error->text[0])
        cli_fail(error);
    int code = (int)result.exit_code;
    result_fini(&result);
    return code;
}

int command_run(int argc, char **argv)
{
    return with_scenario(argc, argv, run);
}
