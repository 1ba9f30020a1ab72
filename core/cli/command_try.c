/* squall try: one journey of one user of each class, in this process, with every byte shown as it went over the wire.
 */
#include "base/clock.h"
#include "base/units.h"
#include "cli/cli.h"
#include "engine/engine.h"
#include "scenario/expression_tree.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_MAX       4096 /* bytes of one direction before a change of direction; the rest is counted */
#define VALUE_SHOWN_MAX 200u /* bytes of what a step has saved */

struct attempt {
    const struct scenario *scenario;
    struct engine *engine;
    bool out, failed, unreachable;
    size_t shown, hidden;
    bool line_open;
    struct error error;
};

static void end_block(struct attempt *attempt)
{
    if (attempt->line_open)
        printf("\n");
    if (attempt->hidden)
        printf("%c ... %zu more bytes\n", attempt->out ? '>' : '<', attempt->hidden);
    attempt->line_open = false;
    attempt->shown = attempt->hidden = 0;
}

static void show_byte(struct attempt *attempt, uint8_t byte)
{
    if (!attempt->line_open)
        printf("%c ", attempt->out ? '>' : '<');
    attempt->line_open = byte != '\n';
    if (byte == '\n')
        printf("\n");
    else if (byte == '\t' || (byte >= 0x20 && byte != 0x7f))
        putchar(byte);
    else if (byte != '\r')
        printf("\\x%02x", byte);
}

static void on_tap(void *arg, bool out, const uint8_t *data, size_t len)
{
    struct attempt *attempt = arg;
    if (out != attempt->out)
        end_block(attempt);
    attempt->out = out;
    size_t part = len < SHOWN_MAX - attempt->shown ? len : SHOWN_MAX - attempt->shown;
    for (size_t i = 0; i < part; i++)
        show_byte(attempt, data[i]);
    attempt->shown += part;
    attempt->hidden += len - part;
}

static void show_text(const struct squall_bytes *text)
{
    for (uint64_t i = 0; i < text->len && i < VALUE_SHOWN_MAX; i++) {
        uint8_t byte = text->data[i];
        if (byte < 0x20 || byte == 0x7f)
            printf("\\x%02x", byte);
        else
            putchar(byte);
    }
    if (text->len > VALUE_SHOWN_MAX)
        printf(" ... %llu more bytes", (unsigned long long)(text->len - VALUE_SHOWN_MAX));
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

static void on_ended(void *arg, const struct step *step, const struct answer *answer, const char *reason,
                     const bool *passed, const struct value *variables)
{
    struct attempt *attempt = arg;
    char latency[32];
    end_block(attempt);
    if (!answer) {
        printf("= %s: failed: %s\n\n", step->name, reason ? reason : "no answer");
        attempt->failed = true;
        return;
    }
    printf("= %s: %s", step->name, outcome_word((enum outcome)answer->outcome));
    if (answer->code)
        printf(", %u%s%s", answer->code, answer->code_name ? " " : "", answer->code_name ? answer->code_name : "");
    printf(" in %s%s%s\n", units_print_duration(latency, sizeof latency, answer->latency_ns), reason ? ": " : "",
           reason ? reason : "");
    attempt->failed |= answer->outcome != OUTCOME_OK;
    for (uint32_t i = 0; i < step->save_count; i++)
        show_saved(attempt->scenario, &step->saves[i], &variables[step->saves[i].variable]);
    for (uint32_t i = 0; i < step->check_count; i++) {
        printf("  %s %s\n", passed[i] ? "✓" : "✗", step->checks[i].name);
        attempt->failed |= !passed[i];
    }
    printf("\n");
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
    struct attempt attempt = {.scenario = scenario, .out = true};
    struct engine_config config = {.scenario = scenario,
                                   .workers = 1,
                                   .page = &page,
                                   .single_journey = true,
                                   .single_class = class,
                                   .arg = &attempt,
                                   .ready = on_ready,
                                   .finished = on_finished,
                                   .tap = on_tap,
                                   .ended = on_ended};
    attempt.engine = engine_new(&config, error);
    if (!attempt.engine)
        return cli_fail(error);
    if (scenario->class_count > 1)
        printf("## user %s\n\n", scenario->classes[class].name);
    engine_connect(attempt.engine);
    loop_run(engine_loop(attempt.engine));
    engine_free(attempt.engine);
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
