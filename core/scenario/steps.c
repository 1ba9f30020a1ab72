/* One step: a protocol's words and options, its name, its checks. Shared by flows and by the URL form. */
#include "scenario/keys.h"
#include "scenario/load.h"
#include <ctype.h>
#include <string.h>

static bool same_tags(const struct tags *a, const struct tags *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (strcmp(a->list[i].name, b->list[i].name) != 0 || strcmp(a->list[i].value, b->list[i].value) != 0)
            return false;
    return true;
}

uint32_t scenario_series(const struct loader *loader, const struct step *step)
{
    struct scenario *scenario = loader->scenario;
    for (uint32_t i = 0; i < scenario->series_count; i++) {
        const struct series_info *info = &scenario->series[i];
        if (info->protocol == step->protocol && info->target == step->target && strcmp(info->name, step->name) == 0 &&
            same_tags(&info->tags, &step->tags))
            return i;
    }
    if (scenario->series_count == SERIES_MAX)
        return UINT32_MAX;
    scenario->series[scenario->series_count] = (struct series_info){step->name, step->protocol, step->target, step->tags, false};
    return scenario->series_count++;
}

/* The length of the next word; spaces within ${...} do not end it. */
static size_t word_length(const char *text)
{
    size_t len = 0;
    int depth = 0;
    for (; text[len] && (depth > 0 || !isspace((unsigned char)text[len])); len++) {
        if (text[len] == '$' && text[len + 1] == '{')
            depth++;
        else if (depth > 0 && text[len] == '}')
            depth--;
    }
    return len;
}

static size_t skip_space(const char *text)
{
    return strspn(text, " \t\r\n");
}

static uint32_t count_words(const char *text)
{
    uint32_t count = 0;
    for (text += skip_space(text); *text; text += skip_space(text)) {
        text += word_length(text);
        count++;
    }
    return count;
}

/* `NAME: words`: the words fill the options that the headline names; with fewer words than names the last names, and
 * the last name takes the rest. */
static int read_headline(const struct loader *loader, const struct protocol *protocol, const struct node *node,
                         const char *text, struct option_set *set)
{
    const char *headline = protocol_headline(&protocol->abi, set->verb);
    uint32_t names = count_words(headline), words = count_words(text);
    if (words == 0)
        return 0;
    if (names == 0)
        return fail_at(loader, node, "`%s` takes no words behind it; write its options as keys beside it",
                       protocol->abi.verbs.count ? node->text : protocol->name);
    const char *name = headline;
    text += skip_space(text);
    for (uint32_t i = 0; i < names && *text; i++) {
        name += skip_space(name);
        size_t name_len = word_length(name);
        if (i + words >= names) {
            bool last = i + 1 == names;
            size_t len = last ? strlen(text) : word_length(text);
            while (last && len > 0 && isspace((unsigned char)text[len - 1]))
                len--;
            int32_t row = option_find(set->table, arena_copy(loader->arena, name, name_len));
            if (row >= 0)
                set->values[row] = (struct option_value){node, arena_copy(loader->arena, text, len),
                                                         (uint32_t)(text - node->text) + 1};
            text += len;
            text += skip_space(text);
        }
        name += name_len;
    }
    return 0;
}

/* Where a protocol has verbs the first word is one, and what follows fills its headline. */
static int read_verb(const struct loader *loader, const struct protocol *protocol, const struct node *node,
                     const char **ret_text, uint64_t *ret_verb)
{
    const struct squall_table *verbs = &protocol->abi.verbs;
    const char *words = "";
    const char **names = arena_alloc(loader->arena, (verbs->count + 1) * sizeof *names);
    const char *text = node->text + skip_space(node->text);
    size_t len = word_length(text);
    for (uint32_t i = 0; i < verbs->count; i++) {
        names[i] = protocol_verb(verbs, i)->name;
        words = arena_printf(loader->arena, "%s%s%s", words, i ? ", " : "", names[i]);
        if (strlen(names[i]) == len && memcmp(names[i], text, len) == 0) {
            *ret_verb = i;
            *ret_text = text + len;
            return 0;
        }
    }
    if (len == 0)
        return fail_at(loader, node, "`%s:` does not say what to do; write one of %s behind it", protocol->name, words);
    const char *word = arena_copy(loader->arena, text, len);
    const char *near = error_nearest(word, names, verbs->count, sizeof *names);
    if (near)
        return fail_at(loader, node, "%s cannot `%.80s`; did you mean `%s`?", protocol->name, word, near);
    return fail_at(loader, node, "%s cannot `%.80s`; write one of %s", protocol->name, word, words);
}

static int read_words(const struct loader *loader, const struct protocol *protocol, const struct node *node,
                      struct step *step, struct option_set *set)
{
    if (node->kind != NODE_SCALAR)
        return fail_at(loader, node,
                       "`%s` takes words, not a map or a list; write `%s: %s` and its options as keys beside it",
                       protocol->name, protocol->name, protocol_headline(&protocol->abi, 0));
    const char *text = node_empty(node) ? "" : node->text;
    if (protocol->abi.verbs.count && read_verb(loader, protocol, node, &text, &step->view.verb))
        return -1;
    set->verb = step->view.verb;
    return read_headline(loader, protocol, node, text, set);
}

const char *step_default_name(const struct loader *loader, const struct protocol *protocol,
                              const struct option_set *set)
{
    const char *name = protocol_headline(&protocol->abi, set->verb);
    const char *text = protocol->abi.verbs.count ? protocol_verb(&protocol->abi.verbs, (uint32_t)set->verb)->name : "";
    for (name += skip_space(name); *name; name += skip_space(name)) {
        size_t len = word_length(name);
        int32_t row = option_find(set->table, arena_copy(loader->arena, name, len));
        name += len;
        if (row < 0)
            continue;
        const char *value =
            set->values[row].node ? set->values[row].text : protocol_option(set->table, (uint32_t)row)->fallback;
        if (value && *value)
            text = arena_printf(loader->arena, "%s%s%s", text, *text ? " " : "", value);
    }
    return *text ? text : protocol->name;
}

uint32_t check_index(const struct loader *loader, const char *name)
{
    struct scenario *scenario = loader->scenario;
    for (uint32_t i = 0; i < scenario->check_count; i++)
        if (strcmp(scenario->check_names[i], name) == 0)
            return i;
    scenario->check_names[scenario->check_count] = name;
    return scenario->check_count++;
}

static int read_check(const struct loader *loader, const char *name, const struct node *node, struct step *step)
{
    struct check *check = &step->checks[step->check_count];
    if (node->kind != NODE_SCALAR || node_empty(node))
        return fail_at(loader, node, "the check `%.80s` has no expression; write for example status == 200", name);
    if (read_expression(loader, node, PLACE_CHECK, &check->expression))
        return -1;
    check->name = name;
    if (loader->scenario->check_count == SERIES_MAX)
        return fail_at(loader, node, "too many checks of different names; at most 1,000");
    check->index = check_index(loader, name);
    step->wants |= expression_wants(check->expression);
    step->check_count++;
    return 0;
}

static int read_checks(const struct loader *loader, const struct node *node, struct step *step)
{
    step->checks = arena_alloc(loader->arena, (node->count + 1) * sizeof *step->checks);
    if (node->kind == NODE_SCALAR)
        return read_check(loader, node->text, node, step);
    if (read_map(loader, node, "`check`", "check: { \"is ok\": status == 200 }"))
        return -1;
    for (uint32_t i = 0; i < node->count; i++)
        if (read_check(loader, node_key(node, i)->text, node_value(node, i), step))
            return -1;
    return 0;
}

bool target_speaks(const struct target *target, const char *name)
{
    size_t len = strlen(name);
    return strncmp(target->protocol->name, name, len) == 0 &&
           (target->protocol->name[len] == '\0' || (target->engine && target->protocol->name[len] == '-'));
}

/* The target that a step names, or the only one of its protocol. */
static int find_target(const struct loader *loader, const struct protocol *protocol, const struct node *step_node,
                       const struct node *name_node, const struct target **ret_target)
{
    struct scenario *scenario = loader->scenario;
    const struct target *found = NULL;
    const char *name = NULL, *names = "";
    uint32_t speakers = 0;
    if (name_node && read_text(loader, name_node, &name))
        return -1;
    for (uint32_t i = 0; i < scenario->target_count; i++) {
        const struct target *target = &scenario->targets[i];
        bool fits = target_speaks(target, step_node->text);
        if (name && strcmp(target->name, name) == 0) {
            if (!fits)
                return fail_at(loader, name_node,
                               "target `%s` speaks %s, and this step %s; name a target of the step's protocol", name,
                               target->protocol->name, protocol->name);
            *ret_target = target;
            return 0;
        }
        if (fits) {
            found = target;
            names = arena_printf(loader->arena, "%s%s%s", names, speakers++ ? ", " : "", target->name);
        }
    }
    if (name)
        return fail_at(loader, name_node, "there is no target `%.80s`; targets that speak %s: %s", name, protocol->name,
                       speakers ? names : "none");
    if (speakers == 0)
        return fail_at(loader, step_node, "no target speaks %s; add one to targets, with a URL of %s://...",
                       protocol->name, protocol->abi.schemes ? protocol->abi.schemes : protocol->name);
    if (speakers > 1)
        return fail_at(loader, step_node, "several targets speak %s: %s; say which with target: NAME", protocol->name,
                       names);
    *ret_target = found;
    return 0;
}

static int fail_step(const struct loader *loader, const struct step *step, const char *why)
{
    return fail_at(loader, step->place, "step `%.200s`: %.500s", step->name, why);
}

void scenario_step_error(const struct scenario *scenario, const struct step *step, const char *why, struct error *error)
{
    const struct loader loader = {.file = scenario->file, .error = error};
    fail_step(&loader, step, why);
}

int step_finish(const struct loader *loader, struct step *step, struct option_set *set, const struct node *place)
{
    const struct squall_protocol *abi = &step->protocol->abi;
    struct squall_error why = {""};
    step->place = place;
    if (option_set_build(loader, set, place))
        return -1;
    step->series = scenario_series(loader, step);
    if (step->series == UINT32_MAX)
        return fail_at(loader, place, "too many steps of different names; at most 1,000: give several steps one name");
    step->constant_block = set->block;
    step->constant = set->constant;
    step->all_constant = set->variable_count == 0 && !step->scripted;
    step->variables = set->variables;
    step->variable_count = set->variable_count;
    step->view.target = &step->target->view;
    step->view.state = arena_alloc(loader->arena, abi->step_size);
    if (abi->step_init && abi->step_init(&step->view, set->init_block, set->constant, &why)) {
        step->view.state = NULL;
        return fail_step(loader, step, why.text);
    }
    if (step->view.opens)
        loader->scenario->targets[step->target - loader->scenario->targets].opens = true;
    return 0;
}

int check_step_users(const struct loader *loader)
{
    for (uint32_t i = 0; i < loader->scenario->step_count; i++) {
        const struct step *step = &loader->scenario->steps[i];
        uint64_t users = scenario_target_users(loader->scenario, step->target);
        if (step->view.users > users)
            return fail_at(loader, step->place, "step `%.200s` needs %llu users, and the run has %llu; have more of them (-u, or `users` of the load)",
                           step->name, (unsigned long long)step->view.users, (unsigned long long)users);
    }
    return 0;
}

static bool is_step_key(const char *key)
{
    for (uint32_t i = 0; keys_of(PART_STEP)[i]; i++)
        if (strcmp(keys_of(PART_STEP)[i], key) == 0)
            return true;
    return false;
}

/* Names of plugins are file names: nothing that could be a path is looked up. */
static bool could_be_protocol(const char *key)
{
    size_t len = strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-_");
    return len > 0 && len <= 64 && key[len] == '\0';
}

/* The key that names the protocol: the first that a target of the scenario speaks, else the first that a plugin has. */
static int find_protocol(const struct loader *loader, const struct node *node, const struct protocol **ret_protocol,
                         uint32_t *ret_key)
{
    const struct scenario *scenario = loader->scenario;
    const struct node *candidate = NULL;
    for (uint32_t i = 0; i < node->count; i++)
        for (uint32_t t = 0; t < scenario->target_count; t++)
            if (target_speaks(&scenario->targets[t], node_key(node, i)->text)) {
                *ret_protocol = scenario->targets[t].protocol;
                *ret_key = i;
                return 0;
            }
    for (uint32_t i = 0; i < node->count && !candidate; i++)
        if (!is_step_key(node_key(node, i)->text))
            candidate = node_key(node, *ret_key = i);
    if (!candidate)
        return fail_at(loader, node, "this step names no protocol; write `PROTOCOL: ...` first, or `think: 1s`");
    static const char *const nothing[] = {"think", NULL};
    if (fail_if_later(loader, candidate))
        return -1;
    if (!could_be_protocol(candidate->text))
        return fail_unknown_key(loader, candidate, "a flow", nothing);
    if (protocol_by_name(loader->registry, candidate->text, ret_protocol, loader->error))
        return fail_prefix(loader, candidate, 0);
    return 0;
}

static int read_step_key(const struct loader *loader, const struct node *key, const struct node *value,
                         struct step *step, struct option_set *set)
{
    if (strcmp(key->text, "target") == 0)
        return 0; /* has been read */
    if (strcmp(key->text, "check") == 0)
        return read_checks(loader, value, step);
    if (strcmp(key->text, "tags") == 0 && option_find(set->table, "tags") < 0)
        return read_tags(loader, value, &step->tags);
    if (strcmp(key->text, "save") == 0) {
        const struct assignment *saves = NULL;
        if (read_assignments(loader, value, PLACE_SAVE, &saves, &step->save_count, &step->wants))
            return -1;
        step->saves = saves;
        return 0;
    }
    if (strcmp(key->text, "name") == 0) {
        if (value->kind != NODE_SCALAR || node_empty(value))
            return fail_at(loader, value, "the step's name is missing; write name: some words");
        if (strstr(value->text, "${"))
            return fail_at(loader, value, "a step's name is the same in every exchange; leave the ${...} out");
        step->name = value->text;
        return 0;
    }
    int32_t row = option_find(set->table, key->text);
    if (row < 0)
        return fail_unknown_key(loader, key, arena_printf(loader->arena, "a step of %s", step->protocol->name),
                                option_names(loader->arena, set->table, keys_of(PART_STEP)));
    if (!protocol_option_of(protocol_option(set->table, (uint32_t)row), set->verb))
        return fail_at(loader, key, "`%s` means nothing to `%s: %s`; leave it out", key->text, step->protocol->name,
                       protocol_verb(&step->protocol->abi.verbs, (uint32_t)set->verb)->name);
    if (set->values[row].node)
        return fail_at(loader, key, "`%s` stands here and behind `%s:` too; keep one of them", key->text,
                       step->protocol->name);
    set->values[row] = (struct option_value){value, value->text, 1};
    return 0;
}

int load_step(const struct loader *loader, const struct node *node, struct step *step)
{
    const struct target *target = NULL;
    uint32_t protocol_key = 0;
    if (find_protocol(loader, node, &step->protocol, &protocol_key) ||
        find_target(loader, step->protocol, node_key(node, protocol_key), node_get(node, "target"), &target))
        return -1;
    step->target = target;
    step->protocol = target->protocol;
    step->line = node->line;
    step->tags = tags_joined(loader, target->tags, loader->tags);
    struct option_set set = {.table = &step->protocol->abi.step_options};
    if (read_words(loader, step->protocol, node_value(node, protocol_key), step, &set))
        return -1;
    for (uint32_t i = 0; i < node->count; i++)
        if (i != protocol_key && read_step_key(loader, node_key(node, i), node_value(node, i), step, &set))
            return -1;
    if (!step->name)
        step->name = step_default_name(loader, step->protocol, &set);
    return step_finish(loader, step, &set, node_key(node, protocol_key));
}
