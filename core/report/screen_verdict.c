/*
 * The end of the screen: can these numbers be believed, what limited the run, and what the exit code says. Every bad
 * exit has a sentence here that names its cause.
 */
#include "base/units.h"
#include "report/screen.h"
#include <stdio.h>

static void reasons(const struct screen *screen)
{
    const struct verdict *verdict = &screen->result->verdict;
    for (uint32_t i = 0; i < verdict->reason_count; i++) {
        char text[sizeof verdict->reasons[i]];
        screen_line(screen, " ", TONE_PLAIN, text_clean(text, sizeof text, verdict->reasons[i]), TONE_PLAIN);
    }
}

static void interrupted(const struct screen *screen)
{
    char text[128], duration[32];
    snprintf(text, sizeof text, "interrupted after %s: the numbers hold for what was measured until then",
             units_print_duration(duration, sizeof duration, screen->result->duration_ns));
    screen_line(screen, "!", TONE_WARN, text, TONE_PLAIN);
}

static void nothing_measured(const struct screen *screen)
{
    const struct result *result = screen->result;
    uint64_t warmup = result->store.ledgers[BLOCK_WARMUP].begun;
    char text[192] = "nothing was measured: no exchange began", number[32], duration[32];
    if (warmup > 0)
        snprintf(text, sizeof text,
                 "nothing was measured: all %s exchanges fell into the warm-up of %s; run longer than that",
                 units_print_grouped(number, sizeof number, warmup),
                 units_print_duration(duration, sizeof duration, result->scenario->warmup_ns));
    screen_line(screen, "!", TONE_WARN, text, TONE_PLAIN);
}

static void trust(const struct screen *screen)
{
    const struct result *result = screen->result;
    const struct verdict *verdict = &result->verdict;
    const struct histogram *delay = &result->store.self_delay;
    if (!verdict->complete && !verdict->trusted)
        screen_line(screen, MARK_BAD, TONE_BAD, "incomplete, and not to be trusted:", TONE_BOLD);
    else if (!verdict->complete)
        screen_line(screen, MARK_BAD, TONE_BAD,
                    "incomplete: part of what happened is missing from these numbers:", TONE_BOLD);
    else if (!verdict->trusted)
        screen_line(screen, MARK_BAD, TONE_BAD,
                    "not to be trusted: these numbers show the generator, not the target:", TONE_BOLD);
    if (!verdict->complete || !verdict->trusted) {
        reasons(screen);
        return;
    }
    if (result->store.ledgers[BLOCK_MEASURED].begun == 0)
        return;
    if (delay->count == 0) {
        screen_line(screen, MARK_GOOD, TONE_GOOD, "trusted", TONE_PLAIN);
        return;
    }
    char text[160], number[32];
    snprintf(text, sizeof text, "trusted: of these times, squall itself added at most %s to 99%% of the exchanges",
             units_print_duration(number, sizeof number, histogram_quantile(delay, 0.99)));
    screen_line(screen, MARK_GOOD, TONE_GOOD, text, TONE_PLAIN);
}

static void notes(const struct screen *screen)
{
    const struct verdict *verdict = &screen->result->verdict;
    for (uint32_t i = 0; i < verdict->note_count; i++) {
        char text[sizeof verdict->notes[i]];
        screen_line(screen, "-", TONE_DIM, text_clean(text, sizeof text, verdict->notes[i]), TONE_PLAIN);
    }
}

static void exit_line(const struct screen *screen)
{
    static const struct {
        enum exit_code code;
        const char *meaning;
    } meanings[] = {
#define EXIT_MEANING(code, name, meaning) {EXIT_CODE_##name, meaning},
        EXIT_CODES(EXIT_MEANING)
#undef EXIT_MEANING
    };
    enum exit_code code = screen->result->exit_code;
    for (size_t i = 0; code != EXIT_CODE_OK && i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].code != code)
            continue;
        char text[200];
        snprintf(text, sizeof text, "exit %d: %s", (int)code, meanings[i].meaning);
        screen_line(screen, NULL, TONE_PLAIN, text, TONE_DIM);
    }
}

void screen_verdict(const struct screen *screen)
{
    const struct result *result = screen->result;
    screen_title(screen, "verdict");
    if (result->unreachable) {
        char text[sizeof result->unreachable_text];
        screen_line(screen, MARK_BAD, TONE_BAD, text_clean(text, sizeof text, result->unreachable_text), TONE_PLAIN);
    }
    if (result->aborted_text[0]) {
        char text[sizeof result->aborted_text];
        screen_line(screen, MARK_BAD, TONE_BAD, text_clean(text, sizeof text, result->aborted_text), TONE_PLAIN);
    }
    if (result->interrupted)
        interrupted(screen);
    if (result->store.ledgers[BLOCK_MEASURED].begun == 0 && !result->unreachable)
        nothing_measured(screen);
    trust(screen);
    notes(screen);
    exit_line(screen);
}
