/* Load in words: one wording for a stage, wherever it is shown. */
#include "report/load_text.h"
#include "base/units.h"
#include <stdio.h>
#include <string.h>

#define STAGES_NAMED 3 /* more are only counted */
#define ARROW        "\xE2\x86\x92"

char *load_stage_text(char *buf, size_t size, const struct stage *stage)
{
    char from[32], to[32];
    units_print_count(from, sizeof from, stage->from);
    units_print_count(to, sizeof to, stage->to);
    bool hold = stage->from == stage->to;
    if (stage->kind == STAGE_RATE && hold)
        snprintf(buf, size, "hold %s/s", to);
    else if (stage->kind == STAGE_RATE)
        snprintf(buf, size, "ramp %s " ARROW " %s/s", from, to);
    else if (hold)
        snprintf(buf, size, stage->to == 1 ? "%s user" : "%s users", to);
    else
        snprintf(buf, size, "users %s " ARROW " %s", from, to);
    return buf;
}

static size_t append_stage(char *buf, size_t size, const struct stage *stage, bool first)
{
    char text[96], duration[32];
    load_stage_text(text, sizeof text, stage);
    int len;
    if (stage->duration_ns == UINT64_MAX)
        len = snprintf(buf, size, "%s%s", first ? "" : ", ", text);
    else
        len = snprintf(buf, size, "%s%s %s %s", first ? "" : ", ", text, stage->from == stage->to ? "for" : "over",
                       units_print_duration(duration, sizeof duration, stage->duration_ns));
    return len < 0 || (size_t)len >= size ? size - 1 : (size_t)len;
}

static size_t one_load(char *buf, size_t size, const struct load *load)
{
    size_t used = 0;
    buf[0] = '\0';
    if (load->stage_count <= STAGES_NAMED) {
        for (uint32_t i = 0; i < load->stage_count; i++)
            used += append_stage(buf + used, size - used, &load->stages[i], i == 0);
    } else {
        double peak = 0;
        for (uint32_t i = 0; i < load->stage_count; i++) {
            const struct stage *stage = &load->stages[i];
            double high = stage->from > stage->to ? stage->from : stage->to;
            peak = high > peak ? high : peak;
        }
        char count[32];
        units_print_count(count, sizeof count, peak);
        int len = snprintf(buf, size, "%u stages up to %s%s", load->stage_count, count, load->closed ? " users" : "/s");
        used = len > 0 ? (size_t)len : 0;
    }
    if (load->iterations != UINT64_MAX && used < size) {
        char count[32];
        units_print_grouped(count, sizeof count, load->iterations);
        snprintf(buf + used, size - used, "%s%s journeys", used ? ", " : "", count);
    }
    return strlen(buf);
}

char *load_text(char *buf, size_t size, const struct scenario *scenario)
{
    size_t used = 0;
    buf[0] = '\0';
    for (uint32_t i = 0; i < scenario->load_count && used + 1 < size; i++) {
        const struct load *load = &scenario->loads[i];
        int len = 0;
        if (load->name)
            len = snprintf(buf + used, size - used, "%s%s: ", i ? "; " : "", load->name);
        used = len < 0 || used + (size_t)len >= size ? size - 1 : used + (size_t)len;
        used += one_load(buf + used, size - used, load);
    }
    return buf;
}
