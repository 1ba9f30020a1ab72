/*
 * Scripts of a scenario: read, compiled to see that they are Lua, and looked through for the steps that they make, so that
 * every step has its row in the tables before the run. Nothing of a script runs here but a load's shape.
 */
#include "scenario/keys.h"
#include "scenario/load.h"
#include "script/sandbox.h"
#include "script/scan.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHAPE_STAGES_MAX 10000u

static int read_script(const struct loader *loader, const struct node *node, struct script *script)
{
    char *path = NULL, *text = NULL;
    size_t len = 0;
    if (read_text(loader, node, &script->file))
        return -1;
    if (scenario_file(scenario_folder(loader), script->file, &path, loader->error))
        return fail_prefix(loader, node, 0);
    script->file = without_secrets(loader, script->file);
    int status = scenario_read(path, &text, &len, loader->error);
    free(path);
    if (status)
        return fail_prefix(loader, node, 0);
    script->text = arena_copy(loader->arena, text, len);
    script->len = len;
    free(text);
    if (len == 0 || script->text[0] != '\033')
        return sandbox_check(script->text, len, script->file, loader->error);
    return loader->scenario->trusted ? 0 : fail_at(loader, node, "%s is bytecode, which can do anything; write Lua, or give --trust-scenario", script->file);
}

/* ---- steps ---- */

static void find_headline(const struct loader *loader, struct step *step)
{
    const char *at = protocol_headline(&step->protocol->abi, step->view.verb);
    for (size_t len; (len = strcspn(at, " ")) > 0 && step->headline_count < sizeof step->headline; at += len, at += strspn(at, " ")) {
        int32_t row = option_find(&step->protocol->abi.step_options, arena_copy(loader->arena, at, len));
        if (row >= 0)
            step->headline[step->headline_count++] = (uint8_t)row;
    }
}

static const char *capitals(const struct loader *loader, const char *text)
{
    char *copy = arena_copy(loader->arena, text, strlen(text));
    for (char *at = copy; *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return copy;
}

const char *script_word(const struct protocol *protocol, const char *word, struct arena *arena)
{
    const char *headline = protocol_headline(&protocol->abi, 0);
    size_t len = strcspn(headline, " ");
    int32_t row = option_find(&protocol->abi.step_options, arena_copy(arena, headline, len));
    const char *fallback = row < 0 ? NULL : protocol_option(&protocol->abi.step_options, (uint32_t)row)->fallback;
    struct loader loader = {.arena = arena};
    return headline[len] && fallback && isupper((unsigned char)fallback[0]) ? capitals(&loader, word) : word;
}

/* What a call says of itself, as far as it is plain: false when its verb or target is none. */
static bool describe_call(const struct loader *loader, const struct scan_call *found, const struct target *target, struct script_call *ret)
{
    const struct protocol *protocol = target->protocol;
    const char *space = found->text ? strchr(found->text, ' ') : NULL;
    *ret = (struct script_call){.target = target, .name = found->name, .text = found->text, .continues = found->continues};
    if (protocol->abi.verbs.count) {
        for (uint32_t v = 0; found->word && v < protocol->abi.verbs.count; v++)
            if (strcmp(protocol_verb(&protocol->abi.verbs, v)->name, found->word) == 0) {
                ret->verb = v;
                return true;
            }
        return false;
    }
    if (found->word) {
        ret->word = script_word(protocol, found->word, loader->arena);
    } else if (space && strchr(protocol_headline(&protocol->abi, 0), ' ')) {
        ret->word = arena_copy(loader->arena, found->text, (size_t)(space - found->text));
        ret->text = space + 1;
    }
    return true;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Whether two calls share a row of the tables. */
static bool same_row(const struct script_call *a, const struct script_call *b)
{
    bool same_words = same_text(a->word, b->word) && same_text(a->text, b->text) && a->continues == b->continues;
    return a->target == b->target && a->verb == b->verb && same_text(a->name, b->name) && (a->name || same_words);
}

/* As text, as an option has it: a number of Lua's stands for seconds where a time is wanted. */
static const char *plain_value(const struct loader *loader, const struct squall_option *row, const struct scan_option *option)
{
    char *end;
    double number = option->number ? strtod(option->value, &end) : 0;
    if (!option->number)
        return option->value;
    if (*end || number >= 1e15)
        return NULL;
    return arena_printf(loader->arena, number == floor(number) ? "%.0f%s" : "%.14g%s", number, row->type == SQUALL_DURATION ? "s" : "");
}

/* The same of word k of the headline, when it is no option. One text alone is the last of two words, as in a flow. */
static int said_in_words(const struct step *step, const struct scan_call *found, const struct script_call *call, uint32_t k, const char **ret_value)
{
    uint32_t place = call->word || (!step->protocol->abi.verbs.count && step->headline_count > 1) ? 1 : 0;
    if (call->word && k == 0) {
        *ret_value = call->word;
        return 1;
    }
    if (found->computed || (call->text && k > place) || (call->continues && k < place))
        return -1;
    if (!call->text || k < place)
        return found->more_options ? -1 : 0;
    *ret_value = call->continues ? NULL : call->text;
    return 1;
}

/* What one call says of an option: 1: *ret_value, NULL when it is computed; 0: nothing; -1: that cannot be seen. */
static int said_of(const struct loader *loader, const struct step *step, const struct scan_call *found, const struct script_call *call, uint32_t i,
                   const char **ret_value)
{
    const struct squall_option *row = protocol_option(&step->protocol->abi.step_options, i);
    *ret_value = NULL;
    for (uint32_t k = 0; k < found->option_count; k++)
        if (strcmp(found->options[k].name, row->name) == 0) {
            *ret_value = found->options[k].value ? plain_value(loader, row, &found->options[k]) : NULL;
            return 1;
        }
    for (uint32_t k = 0; k < step->headline_count; k++)
        if (step->headline[k] == i)
            return said_in_words(step, found, call, k, ret_value);
    return found->more_options ? -1 : 0;
}

/* Whether all calls of this row say the same, plain thing: then it is the row's value for good. */
static bool fixed_value(const struct loader *loader, const struct step *step, const struct scan *scan, const struct script_call *row, uint32_t i,
                        const char **ret_value, bool *ret_never)
{
    uint32_t calls = 0, said = 0;
    const char *value = NULL, *one;
    *ret_never = false;
    for (uint32_t k = 0; k < scan->call_count; k++) {
        struct script_call call;
        if (strcmp(scan->calls[k].protocol, step->protocol->name) != 0 || !describe_call(loader, &scan->calls[k], row->target, &call) ||
            !same_row(row, &call))
            continue;
        int result = said_of(loader, step, &scan->calls[k], &call, i, &one);
        if (result < 0 || (result > 0 && !one) || (value && one && strcmp(value, one) != 0))
            return false;
        value = one ? one : value;
        said += result > 0;
        calls++;
    }
    *ret_never = said == 0;
    *ret_value = value;
    return value && said == calls;
}

static bool can_be_fixed(const struct squall_option *row)
{
    return row->type != SQUALL_MAP && row->type != SQUALL_TREE && !(row->role & SQUALL_ROLE_FILE);
}

/* Values come with each call, but for those that all calls of the row give alike, and those that none gives: they are as the script
 * or the plugin's table says, for good. The row for what is computed takes all that the script names anywhere. */
static int finish_step(const struct loader *loader, struct step *step, const struct scan *scan, const struct script_call *call, const struct node *place)
{
    const struct squall_table *table = &step->protocol->abi.step_options;
    struct option_set set = {.table = table, .verb = step->view.verb}, defaults = set;
    find_headline(loader, step);
    for (uint32_t i = 0; i < step->headline_count; i++)
        set.given_later |= UINT64_C(1) << step->headline[i];
    for (uint32_t i = 0; i < table->count; i++) {
        const struct squall_option *row = protocol_option(table, i);
        bool required = (row->role & SQUALL_ROLE_REQUIRED) && protocol_option_of(row, step->view.verb), never = false;
        const char *value = NULL;
        bool alike = !call->other && protocol_option_of(row, step->view.verb) && fixed_value(loader, step, scan, call, i, &value, &never);
        if (alike && can_be_fixed(row)) {
            set.values[i].text = defaults.values[i].text = value;
            set.given_later &= ~(UINT64_C(1) << i);
            step->fixed |= UINT64_C(1) << i;
        } else if (required || (!never && scan_has(scan, row->name))) {
            set.given_later |= UINT64_C(1) << i;
        }
        if (required)
            step->required |= UINT64_C(1) << i;
    }
    defaults.given_later = step->required & ~step->fixed;
    if (option_set_build(loader, &defaults, place))
        return -1;
    step->defaults = defaults.block;
    step->scripted = true;
    if (scan_has(scan, "body") || scan_has(scan, "json"))
        step->wants |= SQUALL_WANT_BODY;
    if (scan_has(scan, "header") || scan_has(scan, "headers"))
        step->wants |= SQUALL_WANT_FIELDS;
    return step_finish(loader, step, &set, place);
}

static int add_step(const struct loader *loader, struct script *script, const struct scan *scan, const struct script_call *call,
                    const char *name, const struct node *place)
{
    struct scenario *scenario = loader->scenario;
    if (script->call_count == SCRIPT_STEPS_MAX)
        return fail_at(loader, place, "%s makes more than %u different steps; give several one name", script->file, SCRIPT_STEPS_MAX);
    struct script_call *kept = &script->calls[script->call_count++];
    struct step *step = &scenario->steps[scenario->step_count];
    *kept = *call;
    kept->step = scenario->step_count++;
    step->protocol = call->target->protocol;
    step->target = call->target;
    step->view.verb = call->verb;
    step->name = name;
    step->line = place->line;
    step->tags = tags_joined(loader, call->target->tags, loader->tags);
    return finish_step(loader, step, scan, kept, place);
}

static bool is_there(const struct script *script, const struct script_call *call)
{
    for (uint32_t i = 0; i < script->call_count; i++) {
        if (same_row(call, &script->calls[i]))
            return true;
    }
    return false;
}

static const char *call_name(const struct loader *loader, const struct script_call *call)
{
    const struct squall_table *verbs = &call->target->protocol->abi.verbs;
    const char *first = verbs->count ? protocol_verb(verbs, (uint32_t)call->verb)->name : call->word;
    if (call->name)
        return call->name;
    return arena_printf(loader->arena, "%s%s%s%s", first ? first : "", first && call->text ? " " : "", call->text ? call->text : "",
                        call->continues ? "..." : "");
}

static int add_found(const struct loader *loader, struct script *script, const struct scan *scan, const struct scan_call *found,
                     const struct node *place)
{
    const struct scenario *scenario = loader->scenario;
    uint32_t speakers = 0;
    const char *names = "";
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        const struct target *target = &scenario->targets[i];
        if (strcmp(target->protocol->name, found->protocol) == 0)
            names = arena_printf(loader->arena, "%s%s%s", names, speakers++ ? ", " : "", target->name);
    }
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        const struct target *target = &scenario->targets[i];
        struct script_call call;
        if (strcmp(target->protocol->name, found->protocol) != 0 || (found->target && strcmp(found->target, target->name) != 0))
            continue;
        if (!found->target && speakers > 1)
            return fail_at(loader, place, "%s:%u: several targets speak %s: %s; say which with target = \"NAME\"", script->file, found->line,
                           found->protocol, names);
        if (describe_call(loader, found, target, &call) && (call.name || call.text) && !is_there(script, &call) &&
            add_step(loader, script, scan, &call, call_name(loader, &call), place))
            return -1;
        return 0;
    }
    return found->target ? fail_at(loader, place, "%s:%u: there is no target `%.80s`; targets that speak %s: %s", script->file, found->line,
                                   found->target, found->protocol, names)
                         : 0;
}

/* For steps whose name or first word is computed: a row for each kind of them. */
static int add_others(const struct loader *loader, struct script *script, const struct scan *scan, const struct node *place)
{
    const struct scenario *scenario = loader->scenario;
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        const struct target *target = &scenario->targets[i];
        const struct squall_table *verbs = &target->protocol->abi.verbs;
        uint32_t kinds = verbs->count ? verbs->count : 1;
        for (uint32_t v = 0; v < kinds && scan_has(scan, target->protocol->name); v++) {
            const char *verb = verbs->count ? protocol_verb(verbs, v)->name : NULL;
            struct script_call call = {.target = target, .verb = v, .other = true};
            if (verb && !scan_has(scan, verb))
                continue;
            const char *name = arena_printf(loader->arena, "%s: %s%s%s", script->file, target->protocol->name, verb ? " " : "", verb ? verb : "");
            /* A protocol that has to know some option before the run has no such row. */
            uint32_t series = scenario->series_count;
            if (script->call_count < SCRIPT_STEPS_MAX && add_step(loader, script, scan, &call, name, place)) {
                script->call_count--;
                loader->scenario->series_count = series;
                loader->scenario->steps[--loader->scenario->step_count] = (struct step){.name = NULL};
            }
        }
    }
    return 0;
}

static int add_checks(const struct loader *loader, struct script *script, const struct scan *scan, const struct node *place)
{
    script->checks = arena_alloc(loader->arena, (scan->check_count + 1) * sizeof *script->checks);
    for (uint32_t i = 0; i < scan->check_count; i++) {
        if (loader->scenario->check_count == SERIES_MAX)
            return fail_at(loader, place, "too many checks of different names; at most 1,000");
        script->checks[script->check_count++] = check_index(loader, scan->checks[i]);
    }
    return 0;
}

static int add_transactions(const struct loader *loader, struct script *script, const struct scan *scan, const struct node *place)
{
    script->spans = scan->transaction_count > 0;
    for (uint32_t i = 0; i < scan->transaction_count; i++)
        if (transaction_index(loader, scan->transactions[i], place) < 0)
            return -1;
    return 0;
}

static void note_feeds(const struct loader *loader, const struct scan *scan)
{
    for (uint32_t i = 0; loader->feeds_read && i < loader->scenario->feed_count; i++)
        if (scan_has(scan, loader->scenario->feeds[i].name))
            *loader->feeds_read |= UINT64_C(1) << i;
}

int load_script(const struct loader *loader, const struct node *node, uint32_t *ret_index)
{
    struct scenario *scenario = loader->scenario;
    struct scan scan;
    if (scenario->script_count == SCRIPTS_MAX)
        return fail_at(loader, node, "too many scripts; at most %u", SCRIPTS_MAX);
    struct script *script = &scenario->scripts[scenario->script_count];
    const char **protocols = arena_alloc(loader->arena, (scenario->target_count + 1) * sizeof *protocols);
    uint32_t protocol_count = 0;
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        uint32_t k = 0;
        while (k < protocol_count && strcmp(protocols[k], scenario->targets[i].protocol->name) != 0)
            k++;
        protocols[k] = scenario->targets[i].protocol->name;
        protocol_count += k == protocol_count;
    }
    if (read_script(loader, node, script))
        return -1;
    scan_script(script->text, script->len, protocols, protocol_count, loader->arena, &scan);
    if (scan.calls_left_out)
        return fail_at(loader, node, "%s has more than %u places that make a step; use fewer", script->file, SCAN_CALLS_MAX);
    script->calls = arena_alloc(loader->arena, SCRIPT_STEPS_MAX * sizeof *script->calls);
    for (uint32_t i = 0; i < scan.call_count; i++)
        if (add_found(loader, script, &scan, &scan.calls[i], node))
            return -1;
    if (add_others(loader, script, &scan, node) || add_checks(loader, script, &scan, node) || add_transactions(loader, script, &scan, node))
        return -1;
    note_feeds(loader, &scan);
    *ret_index = scenario->script_count++;
    return 0;
}

/* ---- shapes of load ---- */

static int read_kind(const struct loader *loader, const struct node *node, const struct node *kind, bool *ret_closed)
{
    const char *text = NULL;
    if (!kind)
        return fail_at(loader, node, "a shape gives a rate or a number of users; write level: rate or level: users");
    if (read_text(loader, kind, &text))
        return -1;
    if (strcmp(text, "rate") != 0 && strcmp(text, "users") != 0)
        return fail_at(loader, kind, "'%.80s' is no level; write rate or users", shown_value(loader, kind));
    *ret_closed = text[0] == 'u';
    return 0;
}

/* Asked once a second, or as seldom as it takes to have a bounded number of stages; between two answers it is a line, and users are
 * as many as at the second's start. */
static void make_stages(const struct loader *loader, const double *levels, uint32_t count, uint64_t step_ns, uint64_t length_ns, struct load *load,
                        enum arrivals_kind arrivals)
{
    struct stage *stages = arena_alloc(loader->arena, count * sizeof *stages);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t begin_ns = i * step_ns, end_ns = begin_ns + step_ns < length_ns ? begin_ns + step_ns : length_ns;
        stages[i] = (struct stage){.kind = load->closed ? STAGE_USERS : STAGE_RATE, .arrivals = arrivals, .duration_ns = end_ns - begin_ns};
        stages[i].from = load->closed ? round(levels[i]) : levels[i];
        stages[i].to = load->closed ? stages[i].from : levels[i + 1];
    }
    load->stages = stages;
    load->stage_count = count;
}

int load_shape(const struct loader *loader, const struct node *node, struct load *load)
{
    const char *const *keys = keys_of(PART_SHAPE);
    const struct node *length = node_get(node, "for"), *arrivals = node_get(node, "arrivals"), *users = node_get(node, "users");
    struct script script = {.file = NULL};
    enum arrivals_kind kind = ARRIVALS_CONSTANT;
    uint64_t length_ns = 0, most = 0;
    for (uint32_t i = 0; i < node->count; i++) {
        uint32_t k = 0;
        while (keys[k] && strcmp(keys[k], node_key(node, i)->text) != 0)
            k++;
        if (!keys[k])
            return fail_unknown_key(loader, node_key(node, i), "a shape", keys);
    }
    if (!length)
        return fail_at(loader, node, "this shape has no end; write for: 5m");
    if (read_script(loader, node_get(node, "shape"), &script) || read_kind(loader, node, node_get(node, "level"), &load->closed) ||
        read_duration(loader, length, 1, &length_ns) || (arrivals && read_arrivals(loader, arrivals, &kind)) ||
        (users && read_count(loader, users, 1, USERS_MAX, &most)))
        return -1;
    if ((arrivals || users) && load->closed)
        return fail_at(loader, arrivals ? arrivals : users, "`%s` belongs to a rate; leave it out", arrivals ? "arrivals" : "users");
    uint64_t step_ns = UINT64_C(1000000000);
    while ((length_ns + step_ns - 1) / step_ns > SHAPE_STAGES_MAX)
        step_ns *= 2;
    uint32_t count = (uint32_t)((length_ns + step_ns - 1) / step_ns);
    double *levels = arena_alloc(loader->arena, (count + 1) * sizeof *levels), highest = 0;
    if (sandbox_shape(script.text, script.len, script.file, (double)step_ns / 1e9, levels, count + 1, loader->error))
        return fail_prefix(loader, node_get(node, "shape"), 0);
    for (uint32_t i = 0; i < count; i++)
        highest = fmax(highest, load->closed ? round(levels[i]) : levels[i]);
    if (highest <= 0)
        return fail_at(loader, node_get(node, "shape"), "%s: its shape is zero all the time; nothing would be done", script.file);
    make_stages(loader, levels, count, step_ns, length_ns, load, kind);
    load->users = (uint32_t)most;
    load->users_set = users != NULL;
    return 0;
}
