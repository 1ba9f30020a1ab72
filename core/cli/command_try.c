/* squall try: one journey of one user of each class, in this process, with what goes over the wire shown: as its
 * protocol puts it in words, or byte by byte.
 */
#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/show.h"
#include "engine/engine.h"
#include "scenario/expression_tree.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VALUE_SHOWN_MAX 200u /* bytes of what a step has saved */

struct attempt {
    const struct scenario *scenario;
    struct engine *engine;
    struct show show;
    bool failed, unreachable;
    struct error error;
};

static void on_tap(void *arg, bool out, const uint8_t *data, size_t len)
{
    struct attempt *attempt = arg;
    show_bytes(&attempt->show, out, data, len);
}

static void on_trace(void *arg, const void *conn, uint32_t what, const struct squall_bytes *name,
                     const struct squall_bytes *value)
{
    struct attempt *attempt = arg;
    show_trace(&attempt->show, conn, what, name, value);
}

static void print_reason(const char *before, const char *reason)
{
    char text[1600];
    snprintf(text, sizeof text, "%s", reason);
    printf("%s%s", before, secret_hide_text(text));
}

static void show_text(const struct squall_bytes *text)
{
    char shown[VALUE_SHOWN_MAX + SECRET_LEN_MAX]; /* a secret may begin before what is shown ends */
    size_t len = text->len < sizeof shown ? text->len : sizeof shown;
    memcpy(shown, len ? text->data : (const uint8_t *)"", len);
    uint64_t rest = text->len - len;
    len = secret_hide(shown, len);
    for (size_t i = 0; i < len && i < VALUE_SHOWN_MAX; i++) {
        uint8_t byte = (uint8_t)shown[i];
        if (byte < 0x20 || byte == 0x7f)
            printf("\\x%02x", byte);
        else
            putchar(byte);
    }
    rest += len > VALUE_SHOWN_MAX ? len - VALUE_SHOWN_MAX : 0;
    if (rest)
        printf(" ... %llu more bytes", (unsigned long long)rest);
}

/* What a step has saved, as it can be read by the next; texts in quotes, unless they are a part of a JSON body. */
static void show_saved(const struct scenario *scenario, const struct assignment *save, const struct value *value)
{
    printf("  %s = ", scenario->variables[save->variable]);
    if (save->expression && expression_secret(save->expression)) {
        printf("(a secret)");
    } else if (value->type == VALUE_STRING) {
        printf("%s", value->json ? "" : "\"");
        show_text(&value->string);
        printf("%s", value->json ? "" : "\"");
    } else if (value->type == VALUE_NUMBER) {
        printf("%.15g", value->number);
    } else {
        printf("%s", value->type == VALUE_NULL ? "null" : value->boolean ? "true" : "false");
    }
    printf("\n");
}

static void on_checked(void *arg, const char *name, bool passed)
{
    struct attempt *attempt = arg;
    show_end(&attempt->show);
    attempt->show.gap = false;
    printf("  %s %s\n", passed ? "✓" : "✗", name);
    attempt->failed |= !passed;
    attempt->show.gap = true;
}

static void on_ended(void *arg, const struct step *step, const struct answer *answer, const char *reason,
                     const bool *passed, const struct value *variables)
{
    struct attempt *attempt = arg;
    char latency[32];
    show_end(&attempt->show);
    show_note(&attempt->show);
    if (attempt->show.gap)
        printf("\n");
    attempt->show.gap = true;
    if (!answer) {
        printf("= %s: failed", step->name);
        print_reason(": ", reason ? reason : "no answer");
        printf("\n");
        attempt->failed = true;
        return;
    }
    printf("= %s: %s", step->name, outcome_word((enum outcome)answer->outcome));
    if (answer->code)
        printf(", %u%s%s", answer->code - answer->code_base, answer->code_name ? " " : "",
               answer->code_name ? answer->code_name : "");
    printf(" in %s", units_print_duration(latency, sizeof latency, answer->latency_ns));
    if (reason)
        print_reason(": ", reason);
    printf("\n");
    attempt->failed |= answer->outcome != OUTCOME_OK;
    for (uint32_t i = 0; i < step->save_count; i++)
        show_saved(attempt->scenario, &step->saves[i], &variables[step->saves[i].variable]);
    for (uint32_t i = 0; i < step->check_count; i++)
        on_checked(attempt, step->checks[i].name, passed[i]);
}

static void on_script_failed(void *arg, const char *reason)
{
    struct attempt *attempt = arg;
    show_end(&attempt->show);
    print_reason("= the script failed: ", reason);
    printf("\n");
    attempt->failed = attempt->show.gap = true;
}

static void on_ready(void *arg, const char *error)
{
    struct attempt *attempt = arg;
    if (!error) {
        engine_start(attempt->engine, clock_now_ns());
        return;
    }
    attempt->unreachable = true;
    error_set_code(&attempt->error, (int)engine_ready_code(attempt->engine), "%s", error);
    loop_stop(engine_loop(attempt->engine));
}

static void on_finished(void *arg)
{
    struct attempt *attempt = arg;
    loop_stop(engine_loop(attempt->engine));
}

static int walk_class(struct scenario *scenario, uint32_t class, struct error *error)
{
    struct page page = {0};
    struct attempt attempt = {.scenario = scenario, .show.mark = '>'};
    struct engine_config config = {.scenario = scenario,
                                   .workers = 1,
                                   .run = random_unique(),
                                   .page = &page,
                                   .single_journey = true,
                                   .single_class = class,
                                   .arg = &attempt,
                                   .ready = on_ready,
                                   .finished = on_finished,
                                   .tap = on_tap,
                                   .trace = on_trace,
                                   .ended = on_ended,
                                   .checked = on_checked,
                                   .script_failed = on_script_failed};
    attempt.engine = engine_new(&config, error);
    if (!attempt.engine)
        return cli_fail(error);
    if (scenario->class_count > 1)
        printf("## user %s\n\n", scenario->classes[class].name);
    engine_connect(attempt.engine);
    loop_run(engine_loop(attempt.engine));
    engine_free(attempt.engine);
    if (attempt.show.gap)
        printf("\n");
    fflush(stdout);
    if (attempt.unreachable)
        return cli_fail(&attempt.error);
    return attempt.failed ? EXIT_CODE_THRESHOLD : EXIT_CODE_OK;
}

/* A journey of each class: every flow can be looked at, whatever its weight. */
static int walk(struct run_arguments *arguments, struct scenario *scenario, struct error *error)
{
    enum exit_code worst = EXIT_CODE_OK;
    (void)arguments;
    for (uint32_t class = 0; class < scenario->class_count && worst != EXIT_CODE_UNREACHABLE; class ++)
        worst = exit_code_worst(worst, (enum exit_code)walk_class(scenario, class, error));
    return (int)worst;
}

int command_try(int argc, char **argv)
{
    return with_scenario(argc, argv, walk);
}
