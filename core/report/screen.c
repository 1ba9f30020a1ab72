/*
 * The final screen: its order, its headline and the totals. Thresholds come first, because that is what a run is
 * asked; the verdict comes last, because that is where the eye is when the command has ended.
 */
#include "report/screen.h"
#include "base/clock.h"
#include "base/units.h"
#include "report/load_text.h"
#include <stdio.h>
#include <stdlib.h>

#define WIDTH_MIN   40 /* a narrower terminal wraps by itself */
#define LABEL_WIDTH 11

void screen_title(const struct screen *screen, const char *title)
{
    buffer_append(screen->out, "\n", 1);
    text_put(screen->out, title, TONE_BOLD, screen->colour);
    buffer_append(screen->out, "\n", 1);
}

void screen_line(const struct screen *screen, const char *mark, enum tone mark_tone, const char *text, enum tone tone)
{
    uint32_t at = SCREEN_INDENT;
    text_spaces(screen->out, SCREEN_INDENT);
    if (mark) {
        text_put(screen->out, mark, mark_tone, screen->colour);
        text_spaces(screen->out, 1);
        at += text_width(mark) + 1;
    }
    text_wrap(screen->out, text, at, at, screen->width, tone, screen->colour);
}

char *screen_share(char *buf, size_t size, uint64_t part, uint64_t whole)
{
    double share = whole ? 100.0 * (double)part / (double)whole : 0;
    if (part > 0 && share < 0.01)
        snprintf(buf, size, "<0.01%%");
    else if (part < whole && share > 99.99)
        snprintf(buf, size, ">99.99%%");
    else if (part == 0 || part == whole)
        snprintf(buf, size, "%.0f%%", share);
    else
        snprintf(buf, size, share < 1 || share > 99 ? "%.2f%%" : "%.1f%%", share);
    return buf;
}

static void headline(const struct screen *screen)
{
    const struct result *result = screen->result;
    const struct scenario *scenario = result->scenario;
    char *name = text_clean_copy(scenario->name);
    uint32_t taken = text_put_cut(screen->out, name, screen->width, TONE_BOLD, screen->colour);
    free(name);
    char load[LOAD_TEXT_MAX], clean[LOAD_TEXT_MAX], facts[LOAD_TEXT_MAX + 64], seed[32];
    load_text(load, sizeof load, scenario);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)scenario->seed);
    snprintf(facts, sizeof facts, "%s%s%u worker%s%sseed %s", text_clean(clean, sizeof clean, load), *load ? DOT : "", result->workers,
             result->workers == 1 ? "" : "s", DOT, seed);
    if (taken + 2 + text_width(facts) <= screen->width) {
        text_spaces(screen->out, 2);
        text_wrap(screen->out, facts, taken + 2, SCREEN_INDENT, screen->width, TONE_DIM, screen->colour);
    } else {
        buffer_append(screen->out, "\n", 1);
        screen_line(screen, NULL, TONE_PLAIN, facts, TONE_DIM);
    }
}

/* text was written by buffer_printf, which leaves a NUL behind it. */
static void fact(const struct screen *screen, const char *label, const struct buffer *text)
{
    text_spaces(screen->out, SCREEN_INDENT);
    text_put(screen->out, label, TONE_DIM, screen->colour);
    uint32_t at = SCREEN_INDENT + LABEL_WIDTH;
    text_spaces(screen->out, at - SCREEN_INDENT - text_width(label));
    text_wrap(screen->out, (const char *)text->data, at, at, screen->width, TONE_PLAIN, screen->colour);
}

static void add_count(struct buffer *text, uint64_t count, const char *word)
{
    char number[32];
    buffer_printf(text, "%s%s %s", text->len ? DOT : "", units_print_grouped(number, sizeof number, count), word);
}

static void add_rate(struct buffer *text, uint64_t count, uint64_t ns)
{
    char number[32];
    double rate = figures_rate(count, ns);
    if (rate >= 0)
        buffer_printf(text, "%s%s/s", DOT, units_print_count(number, sizeof number, rate));
}

static void journeys(const struct screen *screen, const struct ledger *ledger)
{
    struct buffer text = {0};
    add_count(&text, ledger->due, "due");
    add_count(&text, ledger->completed, "completed");
    if (ledger->failed > 0)
        add_count(&text, ledger->failed, "failed");
    if (ledger->dropped > 0)
        add_count(&text, ledger->dropped, "dropped");
    if (ledger->journeys_unfinished > 0)
        add_count(&text, ledger->journeys_unfinished, "unfinished");
    add_rate(&text, ledger->completed + ledger->failed, screen->result->measured_ns);
    fact(screen, "journeys", &text);
    buffer_fini(&text);
}

static void exchanges(const struct screen *screen, const struct ledger *ledger)
{
    struct buffer text = {0};
    add_count(&text, ledger->begun, "begun");
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (i == OUTCOME_OK || ledger->outcomes[i] > 0)
            add_count(&text, ledger->outcomes[i], outcome_word((enum outcome)i));
    char share[16];
    uint64_t failed = ledger_failed(ledger);
    if (failed > 0)
        buffer_printf(&text, "%s%s failed", DOT, screen_share(share, sizeof share, failed, ledger->begun));
    add_rate(&text, figures_ended(ledger->outcomes), screen->result->measured_ns);
    fact(screen, "exchanges", &text);
    buffer_fini(&text);
}

static void deliveries(const struct screen *screen)
{
    char delivered[32], expected[32];
    struct figures_deliveries got;
    struct buffer text = {0};
    if (!figures_deliveries(screen->result, NULL, 0, &got) || got.sum.delivered + got.sum.expected == 0)
        return;
    buffer_printf(&text, "%s", units_print_grouped(delivered, sizeof delivered, got.sum.delivered));
    if (!got.sum.unknown)
        buffer_printf(&text, " of %s", units_print_grouped(expected, sizeof expected, got.sum.expected));
    if (!got.sum.unknown && got.missing > 0)
        add_count(&text, got.missing, "undelivered");
    add_rate(&text, got.sum.delivered, screen->result->measured_ns);
    fact(screen, "deliveries", &text);
    buffer_fini(&text);
}

static void data(const struct screen *screen, const struct ledger *ledger)
{
    if (ledger->bytes_in + ledger->bytes_out == 0)
        return;
    char in[32], out[32];
    struct buffer text = {0};
    buffer_printf(&text, "%s in%s%s out", units_print_size(in, sizeof in, ledger->bytes_in), DOT,
                  units_print_size(out, sizeof out, ledger->bytes_out));
    fact(screen, "data", &text);
    buffer_fini(&text);
}

static void times(const struct screen *screen)
{
    const struct result *result = screen->result;
    const struct ledger *warmup = &result->store.ledgers[BLOCK_WARMUP];
    char measured[32], number[32];
    struct buffer text = {0};
    buffer_printf(&text, "%s", units_print_duration(measured, sizeof measured, result->measured_ns));
    if (result->scenario->warmup_ns > 0)
        buffer_printf(&text, ", after a warm-up of %s with %s exchanges that do not count here",
                      units_print_duration(measured, sizeof measured, result->scenario->warmup_ns),
                      units_print_grouped(number, sizeof number, warmup->begun));
    fact(screen, "measured", &text);
    buffer_fini(&text);
}

static void totals(const struct screen *screen)
{
    const struct ledger *ledger = &screen->result->store.ledgers[BLOCK_MEASURED];
    buffer_append(screen->out, "\n", 1);
    times(screen);
    if (ledger->due > 0)
        journeys(screen, ledger);
    if (ledger->begun > 0) {
        exchanges(screen, ledger);
        deliveries(screen);
        data(screen, ledger);
    }
}

void screen_print(const struct result *result, uint32_t width, bool colour, struct buffer *out)
{
    struct screen screen = {
        .result = result, .width = width < WIDTH_MIN ? WIDTH_MIN : width, .colour = colour, .out = out};
    buffer_append(out, "\n", 1);
    headline(&screen);
    screen_thresholds(&screen);
    totals(&screen);
    screen_steps(&screen);
    screen_groups(&screen);
    screen_metrics(&screen);
    screen_transactions(&screen);
    screen_codes(&screen);
    screen_checks(&screen);
    screen_errors(&screen);
    screen_verdict(&screen);
}

void screen_print_files(const char *const *paths, uint32_t count, uint32_t width, bool colour, struct buffer *out)
{
    struct screen screen = {.width = width < WIDTH_MIN ? WIDTH_MIN : width, .colour = colour, .out = out};
    if (count == 0)
        return;
    screen_title(&screen, "files");
    for (uint32_t i = 0; i < count; i++) {
        /* Not wrapped: a path is there to be copied. */
        char *path = text_clean_copy(paths[i]);
        text_spaces(out, SCREEN_INDENT);
        text_put(out, path, TONE_PLAIN, colour);
        buffer_append(out, "\n", 1);
        free(path);
    }
}
