/*
 * Presets: usual shapes of load under a name. A preset is only a way to write stages: what `squall check` prints, and what
 * runs, are the stages that it stands for. Each is a row of parts, in thousandths of its length.
 */
#include "base/units.h"
#include "scenario/keys.h"
#include "scenario/load.h"
#include <string.h>

#define SECOND UINT64_C(1000000000)
#define PARTS_MAX 8

/* Where a part begins or ends: level + (peak - level) x share. NOTHING is zero. */
#define NOTHING (-1.0)
struct part {
    double from, to;
    uint32_t thousandths; /* of the length; all of a preset's add up to 1000 */
};

static const struct preset {
    const char *name; /* first: error_nearest walks the table by it */
    uint64_t length_ns;
    double peak; /* by default, in levels; 0: it has none */
    struct part parts[PARTS_MAX];
} presets[] = {
    {"smoke", 30 * SECOND, 0, {{0, 0, 1000}}},
    {"stress",
     600 * SECOND,
     4,
     {{NOTHING, 0, 50}, {0, 0, 200}, {0, 1 / 3.0, 50}, {1 / 3.0, 1 / 3.0, 200}, {1 / 3.0, 2 / 3.0, 50}, {2 / 3.0, 2 / 3.0, 200}, {2 / 3.0, 1, 50}, {1, 1, 200}}},
    {"spike", 300 * SECOND, 10, {{0, 0, 400}, {0, 1, 20}, {1, 1, 100}, {1, 0, 20}, {0, 0, 460}}},
    {"soak", 3600 * SECOND, 0, {{NOTHING, 0, 50}, {0, 0, 950}}},
};
#define PRESETS (sizeof presets / sizeof *presets)

static const struct preset *find_preset(const struct loader *loader, const struct node *node)
{
    const char *text;
    if (read_text(loader, node, &text))
        return NULL;
    for (size_t i = 0; i < PRESETS; i++)
        if (strcmp(presets[i].name, text) == 0)
            return &presets[i];
    const char *near = error_nearest(text, &presets[0].name, PRESETS, sizeof presets[0]);
    fail_at(loader, node, "'%.80s' is no preset%s%s; there are smoke, stress, spike and soak", shown_value(loader, node),
            near ? ": did you mean " : "", near ? near : "");
    return NULL;
}

static int read_preset_level(const struct loader *loader, const struct node *node, bool closed, double *ret)
{
    uint64_t count;
    if (closed) {
        if (read_count(loader, node, 1, USERS_MAX, &count))
            return -1;
        *ret = (double)count;
        return 0;
    }
    if (read_rate(loader, node, ret))
        return -1;
    return *ret > 0 ? 0 : fail_at(loader, node, "a rate of zero does nothing; write for example 200/s");
}

struct preset_levels {
    bool closed;
    enum arrivals_kind arrivals;
    double level, peak;
    uint64_t length_ns;
};

static double level_at(double share, double level, double peak)
{
    return share < 0 ? 0 : level + (peak - level) * share;
}

static void expand(const struct loader *loader, const struct preset *preset, const struct preset_levels *levels, struct load *load)
{
    struct stage *stages = arena_alloc(loader->arena, PARTS_MAX * sizeof *stages);
    uint64_t begun_ns = 0, thousandths = 0;
    load->closed = levels->closed;
    load->stages = stages;
    load->stage_count = 0;
    for (uint32_t i = 0; i < PARTS_MAX && preset->parts[i].thousandths; i++) {
        const struct part *part = &preset->parts[i];
        thousandths += part->thousandths;
        uint64_t end_ns = levels->length_ns / 1000 * thousandths + levels->length_ns % 1000 * thousandths / 1000;
        stages[load->stage_count++] = (struct stage){.kind = levels->closed ? STAGE_USERS : STAGE_RATE,
                                                     .arrivals = levels->closed ? ARRIVALS_CONSTANT : levels->arrivals,
                                                     .from = level_at(part->from, levels->level, levels->peak),
                                                     .to = level_at(part->to, levels->level, levels->peak),
                                                     .duration_ns = end_ns - begun_ns};
        begun_ns = end_ns;
    }
}

int preset_load(const struct loader *loader, const struct preset_nodes *nodes, struct load *load)
{
    const struct preset *preset = find_preset(loader, nodes->preset);
    struct preset_levels levels = {.closed = !nodes->rate, .level = 1};
    if (!preset)
        return -1;
    levels.length_ns = preset->length_ns;
    if (nodes->rate && nodes->users && !nodes->users_are_pool)
        return fail_at(loader, nodes->users, "a preset is of a rate or of users; keep one of them");
    if (!nodes->rate && !nodes->users && preset != &presets[0])
        return fail_at(loader, nodes->preset, "how much load is missing; write rate: 100/s or users: 50 (--rate or --users)");
    const struct node *level = nodes->rate ? nodes->rate : nodes->users;
    if (level && read_preset_level(loader, level, levels.closed, &levels.level))
        return -1;
    levels.peak = levels.level * (preset->peak > 0 ? preset->peak : 1);
    if (nodes->peak && preset->peak <= 0)
        return fail_at(loader, nodes->peak, "the preset %s holds one level; leave the peak out, or take stress or spike", preset->name);
    if (nodes->peak && read_preset_level(loader, nodes->peak, levels.closed, &levels.peak))
        return -1;
    if (levels.peak < levels.level)
        return fail_at(loader, nodes->peak, "the peak is below the level that it is a peak of; write a higher one");
    if (nodes->length && read_duration(loader, nodes->length, 1, &levels.length_ns))
        return -1;
    if (nodes->arrivals && levels.closed)
        return fail_at(loader, nodes->arrivals, "`arrivals` belongs to a rate; users start their next journey when the last has ended");
    if (nodes->arrivals && read_arrivals(loader, nodes->arrivals, &levels.arrivals))
        return -1;
    expand(loader, preset, &levels, load);
    return 0;
}

int load_preset(const struct loader *loader, const struct node *node, struct load *load)
{
    for (uint32_t i = 0; i < node->count; i++) {
        bool known = false;
        for (uint32_t k = 0; keys_of(PART_PRESET)[k]; k++)
            known = known || strcmp(node_key(node, i)->text, keys_of(PART_PRESET)[k]) == 0;
        if (!known)
            return fail_unknown_key(loader, node_key(node, i), "a preset", keys_of(PART_PRESET));
    }
    struct preset_nodes nodes = {.preset = node_get(node, "preset"),
                                 .rate = node_get(node, "rate"),
                                 .users = node_get(node, "users"),
                                 .peak = node_get(node, "peak"),
                                 .length = node_get(node, "for"),
                                 .arrivals = node_get(node, "arrivals")};
    return preset_load(loader, &nodes, load);
}
