/*
 * The picture of a running load: a bar for each stage, a line of numbers of the last second, a line on the state of
 * the run. Many stages show as a window around the present one, so that a frame never outgrows the terminal: cursor
 * movement could not take it back.
 */
#include "report/console_frame.h"
#include "base/clock.h"
#include "base/units.h"
#include "report/load_text.h"
#include "report/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_LINES_OTHER 6 /* headline, the window's two ends, a gap, numbers, state */
#define BAR_MAX           40
#define LABEL_MAX         28
#define TIME_WIDTH        16 /* "1h02m of 12h03m" */
#define BAR_FULL          "\xE2\x94\x81"
#define BAR_REST          "\xE2\x94\x80"
#define MARK_DONE         "\xE2\x9C\x93"
#define MARK_NOW          "\xE2\x96\xB8"
#define ELLIPSIS          "\xE2\x80\xA6"

struct frame {
    const struct progress *progress;
    const struct load *load;
    uint32_t width;
    bool colour;
    struct buffer *out;
};

/* Where a stage stands. */
struct stage_state {
    bool done, now;
    double fraction;    /* 0..1, negative: it has no known end */
    uint64_t passed_ns; /* since its start */
};

/* Journeys are counted over the whole run, so that they tell how far a load is only where it is alone. */
static bool by_journeys(const struct frame *frame, const struct stage *stage)
{
    return stage->duration_ns == UINT64_MAX && frame->load->iterations != UINT64_MAX && frame->progress->scenario->load_count == 1;
}

static struct stage_state stage_state(const struct frame *frame, const struct stage *stage, uint64_t start_ns)
{
    const struct progress *progress = frame->progress;
    struct stage_state state = {0};
    if (progress->connecting || progress->elapsed_ns < start_ns)
        return state;
    state.passed_ns = progress->elapsed_ns - start_ns;
    if (stage->duration_ns != UINT64_MAX) {
        state.done = state.passed_ns >= stage->duration_ns;
        state.fraction = state.done ? 1 : (double)state.passed_ns / (double)stage->duration_ns;
    } else if (by_journeys(frame, stage)) {
        state.done = progress->journeys_done >= frame->load->iterations;
        state.fraction = state.done ? 1 : (double)progress->journeys_done / (double)frame->load->iterations;
    } else {
        state.fraction = -1;
    }
    state.now = !state.done;
    return state;
}

static uint64_t stage_end_ns(uint64_t start_ns, const struct stage *stage)
{
    return stage->duration_ns > UINT64_MAX - start_ns ? UINT64_MAX : start_ns + stage->duration_ns;
}

static void draw_bar(const struct frame *frame, double fraction, uint32_t columns)
{
    char cells[BAR_MAX * 3 + 1];
    uint32_t full = fraction <= 0 ? 0 : (uint32_t)(fraction * columns);
    full = full > columns ? columns : full;
    size_t used = 0;
    for (uint32_t i = 0; i < full; i++, used += 3)
        memcpy(cells + used, BAR_FULL, 3);
    cells[used] = '\0';
    text_put(frame->out, cells, TONE_GOOD, frame->colour);
    used = 0;
    for (uint32_t i = full; i < columns; i++, used += 3)
        memcpy(cells + used, BAR_REST, 3);
    cells[used] = '\0';
    text_put(frame->out, cells, TONE_DIM, frame->colour);
}

static void stage_time(const struct frame *frame, const struct stage *stage, const struct stage_state *state, char *buf,
                       size_t size)
{
    char passed[32], whole[32], count[32];
    text_clock(passed, sizeof passed, state->passed_ns, false);
    if (by_journeys(frame, stage))
        snprintf(buf, size, "%s of %s",
                 units_print_count(passed, sizeof passed, (double)frame->progress->journeys_done),
                 units_print_count(count, sizeof count, (double)frame->load->iterations));
    else if (stage->duration_ns == UINT64_MAX)
        snprintf(buf, size, "%s", passed);
    else if (state->now)
        snprintf(buf, size, "%s of %s", passed, units_print_duration(whole, sizeof whole, stage->duration_ns));
    else
        units_print_duration(buf, size, stage->duration_ns);
}

static void draw_stage(const struct frame *frame, const struct stage *stage, uint64_t start_ns, uint32_t label_width)
{
    struct stage_state state = stage_state(frame, stage, start_ns);
    char label[96], time[80];
    load_stage_text(label, sizeof label, stage);
    stage_time(frame, stage, &state, time, sizeof time);
    text_spaces(frame->out, 2);
    text_put(frame->out,
             state.done  ? MARK_DONE
             : state.now ? MARK_NOW
                         : " ",
             state.done ? TONE_GOOD : TONE_PLAIN, frame->colour);
    text_spaces(frame->out, 1);
    uint32_t taken = text_put_cut(frame->out, label, label_width, state.now ? TONE_BOLD : TONE_DIM, frame->colour);
    text_spaces(frame->out, label_width - taken + 2);
    uint32_t others = 4 + label_width + 2 + 2 + TIME_WIDTH;
    uint32_t columns = frame->width > others ? frame->width - others : 0;
    columns = columns > BAR_MAX ? BAR_MAX : columns;
    if (columns > 0 && state.fraction >= 0) {
        draw_bar(frame, state.fraction, columns);
        text_spaces(frame->out, 2);
    }
    uint32_t room = frame->width > 6 + label_width ? frame->width - 6 - label_width : 0;
    text_put_cut(frame->out, time, columns ? TIME_WIDTH : room, state.now ? TONE_PLAIN : TONE_DIM, frame->colour);
    buffer_append(frame->out, "\n", 1);
}

static uint32_t current_stage(const struct frame *frame)
{
    uint64_t start = 0;
    for (uint32_t i = 0; i < frame->load->stage_count; i++) {
        start = stage_end_ns(start, &frame->load->stages[i]);
        if (frame->progress->elapsed_ns < start)
            return i;
    }
    return frame->load->stage_count ? frame->load->stage_count - 1 : 0;
}

static void hidden(const struct frame *frame, uint32_t count, const char *where, const char *what)
{
    if (count == 0)
        return;
    char text[64];
    snprintf(text, sizeof text, "    " ELLIPSIS " %u %s %s%s", count, where, what, count == 1 ? "" : "s");
    text_put_cut(frame->out, text, frame->width, TONE_DIM, frame->colour);
    buffer_append(frame->out, "\n", 1);
}

static void draw_stages(const struct frame *frame, uint32_t rows)
{
    const struct load *load = frame->load;
    uint32_t current = current_stage(frame), first = 0, last = load->stage_count;
    if (load->stage_count > rows) {
        uint32_t before = rows / 3;
        first = current > before ? current - before : 0;
        first = first + rows > load->stage_count ? load->stage_count - rows : first;
        last = first + rows;
    }
    uint64_t start = 0;
    uint32_t label_width = 0, third = frame->width / 3;
    for (uint32_t i = first; i < last; i++) {
        char label[96];
        uint32_t width = text_width(load_stage_text(label, sizeof label, &load->stages[i]));
        label_width = width > label_width ? width : label_width;
    }
    label_width = label_width > LABEL_MAX ? LABEL_MAX : label_width;
    label_width = label_width > third ? third : label_width;
    hidden(frame, first, "earlier", "stage");
    for (uint32_t i = 0; i < last; i++) {
        if (i >= first)
            draw_stage(frame, &load->stages[i], start, label_width);
        start = stage_end_ns(start, &load->stages[i]);
    }
    hidden(frame, load->stage_count - last, "later", "stage");
}

/* Several loads: each by its name, with its present stages; where the rows do not suffice, the first ones. */
static void draw_loads(struct frame *frame, uint32_t rows)
{
    const struct scenario *scenario = frame->progress->scenario;
    uint32_t count = scenario->load_count;
    if (count == 1) {
        frame->load = &scenario->loads[0];
        draw_stages(frame, rows);
        return;
    }
    /* A name, a stage and the two ends of its window. */
    uint32_t shown = rows / 4 ? rows / 4 : 1, each;
    shown = shown < count ? shown : count;
    each = rows / shown > 3 ? rows / shown - 3 : 1;
    for (uint32_t i = 0; i < shown; i++) {
        char *name = text_clean_copy(scenario->loads[i].name);
        frame->load = &scenario->loads[i];
        text_spaces(frame->out, 2);
        text_put_cut(frame->out, name, frame->width > 2 ? frame->width - 2 : 0, TONE_PLAIN, frame->colour);
        buffer_append(frame->out, "\n", 1);
        free(name);
        draw_stages(frame, each);
    }
    if (rows > 1)
        hidden(frame, count - shown, "more", "load");
}

static void draw_headline(const struct frame *frame)
{
    uint64_t total = 0;
    char elapsed[32], whole[32], time[80];
    for (uint32_t l = 0; l < frame->progress->scenario->load_count; l++) {
        const struct load *load = &frame->progress->scenario->loads[l];
        uint64_t end = 0;
        for (uint32_t i = 0; i < load->stage_count; i++)
            end = stage_end_ns(end, &load->stages[i]);
        total = end > total ? end : total;
    }
    uint64_t passed = frame->progress->elapsed_ns;
    text_clock(elapsed, sizeof elapsed, passed < total ? passed : total, false);
    if (total == UINT64_MAX)
        snprintf(time, sizeof time, "%s", elapsed);
    else
        snprintf(time, sizeof time, "%s of %s", elapsed, units_print_duration(whole, sizeof whole, total));
    char *name = text_clean_copy(frame->progress->scenario->name);
    uint32_t time_width = text_width(time), room = frame->width > time_width + 2 ? frame->width - time_width - 2 : 0;
    uint32_t taken = text_put_cut(frame->out, name, room, TONE_BOLD, frame->colour);
    free(name);
    text_spaces(frame->out, taken ? 2 : 0);
    text_put_cut(frame->out, time, frame->width, TONE_DIM, frame->colour);
    buffer_append(frame->out, "\n", 1);
}

/* Appends "label value" if the line has room for it. */
static void item(const struct frame *frame, uint32_t *at, const char *label, const char *value, enum tone tone)
{
    uint32_t label_width = text_width(label), width = text_width(value) + (label_width ? label_width + 1 : 0);
    uint32_t gap = *at > 2 ? 3 : 0;
    if (*at + gap + width > frame->width)
        return;
    text_spaces(frame->out, gap);
    text_put(frame->out, label, TONE_DIM, frame->colour);
    text_spaces(frame->out, label_width ? 1 : 0);
    text_put(frame->out, value, tone, frame->colour);
    *at += gap + width;
}

static void draw_numbers(const struct frame *frame)
{
    const struct progress *progress = frame->progress;
    uint32_t at = 2;
    char text[40];
    text_spaces(frame->out, 2);
    units_print_count(text, sizeof text - 2, progress->rate_per_s);
    strcat(text, "/s");
    item(frame, &at, "", text, TONE_BOLD);
    bool any = progress->window_count > 0;
    item(frame, &at, "p50", any ? units_print_duration(text, sizeof text, progress->p50_ns) : "-", TONE_PLAIN);
    item(frame, &at, "p99", any ? units_print_duration(text, sizeof text, progress->p99_ns) : "-", TONE_PLAIN);
    item(frame, &at, "failed", text_count(text, sizeof text, progress->failed),
         progress->failed ? TONE_BAD : TONE_PLAIN);
    item(frame, &at, "in flight", text_count(text, sizeof text, progress->in_flight), TONE_PLAIN);
    item(frame, &at, "users", text_count(text, sizeof text, progress->users_busy), TONE_PLAIN);
    buffer_append(frame->out, "\n", 1);
}

/* What the run is doing, when that is not simply its load. */
static void phase_text(const struct progress *progress, char *buf, size_t size)
{
    char number[32];
    const struct scenario *scenario = progress->scenario;
    buf[0] = '\0';
    if (progress->setting_up)
        snprintf(buf, size, "setting up, %s users not ready", text_count(number, sizeof number, progress->users_busy));
    else if (progress->connecting)
        snprintf(buf, size, "connecting, %s open", text_count(number, sizeof number, progress->connections));
    else if (progress->stopping)
        snprintf(buf, size, "stopping; Ctrl-C again ends it at once");
    else if (progress->draining)
        snprintf(buf, size, "draining, for at most %s",
                 units_print_duration(number, sizeof number, scenario->drain_ns));
    else if (progress->elapsed_ns < scenario->warmup_ns)
        snprintf(buf, size, "warm-up, counts in %s",
                 text_clock(number, sizeof number, scenario->warmup_ns - progress->elapsed_ns + NS_PER_S - 1, false));
}

/* As much of it as the line has room for. */
static void draw_trouble(const struct frame *frame, uint32_t at)
{
    char text[sizeof frame->progress->trouble];
    text_clean(text, sizeof text, frame->progress->trouble);
    text[text_fit(text, frame->width > at + 3 ? frame->width - at - 3 : 0)] = '\0';
    item(frame, &at, "", text, TONE_BAD);
}

static void draw_state(const struct frame *frame)
{
    const struct progress *progress = frame->progress;
    uint32_t at = 2;
    char text[80];
    text_spaces(frame->out, 2);
    if (progress->late)
        item(frame, &at, "", "squall runs late", TONE_BAD);
    else if (progress->ended > 0)
        item(frame, &at, "", "squall keeps up", TONE_GOOD);
    if (progress->workers_lost > 0) {
        snprintf(text, sizeof text, "%u of %u workers lost", progress->workers_lost, progress->workers);
        item(frame, &at, "", text, TONE_BAD);
    }
    phase_text(progress, text, sizeof text);
    if (*text)
        item(frame, &at, "", text, TONE_WARN);
    if (progress->connecting && !progress->setting_up && progress->trouble[0])
        draw_trouble(frame, at);
    buffer_append(frame->out, "\n", 1);
}

void console_frame(const struct progress *progress, uint32_t width, uint32_t height, bool colour, struct buffer *out)
{
    struct frame frame = {.progress = progress,
                          .width = width > FRAME_WIDTH_MAX ? FRAME_WIDTH_MAX : width,
                          .colour = colour,
                          .out = out};
    uint32_t rows = height > FRAME_LINES_OTHER + 1 ? height - FRAME_LINES_OTHER - 1 : 1;
    draw_headline(&frame);
    draw_loads(&frame, rows > FRAME_STAGES_MAX ? FRAME_STAGES_MAX : rows);
    buffer_append(out, "\n", 1);
    draw_numbers(&frame);
    draw_state(&frame);
}

void console_line(const struct progress *progress, struct buffer *out)
{
    if (progress->setting_up) {
        buffer_printf(out, "setting up: %" PRIu64 " users not ready\n", progress->users_busy);
        return;
    }
    if (progress->connecting) {
        char trouble[sizeof progress->trouble];
        text_clean(trouble, sizeof trouble, progress->trouble);
        buffer_printf(out, "connecting: %" PRIu64 " connections open%s%s\n", progress->connections, *trouble ? "; " : "", trouble);
        return;
    }
    char elapsed[32], p50[32] = "-", p99[32] = "-";
    if (progress->window_count > 0) {
        units_print_duration(p50, sizeof p50, progress->p50_ns);
        units_print_duration(p99, sizeof p99, progress->p99_ns);
    }
    buffer_printf(out, "%s %.1f/s p50 %s p99 %s failed %" PRIu64 " in flight %" PRIu64 " users %" PRIu64,
                  text_clock(elapsed, sizeof elapsed, progress->elapsed_ns, false), progress->rate_per_s, p50, p99,
                  progress->failed, progress->in_flight, progress->users_busy);
    if (progress->elapsed_ns < progress->scenario->warmup_ns)
        buffer_printf(out, " warm-up");
    if (progress->stopping)
        buffer_printf(out, " stopping");
    else if (progress->draining)
        buffer_printf(out, " draining");
    if (progress->late)
        buffer_printf(out, " late");
    if (progress->workers_lost > 0)
        buffer_printf(out, " lost %" PRIu32, progress->workers_lost);
    buffer_append(out, "\n", 1);
}
