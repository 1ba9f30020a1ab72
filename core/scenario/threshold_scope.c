/*
 * What a threshold looks at: the key before its expression. A name alone is that of a step, a check or a transaction;
 * step(...), check(...) and transaction(...) say which, and tag(name=value, ...) means all steps that have these tags.
 */
#include "scenario/load.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define TAGS_A_SCOPE 16u

typedef int find_fn(const struct loader *loader, const struct node *key, const char *name, struct threshold *threshold);

static bool *new_mask(const struct loader *loader, struct threshold *threshold)
{
    bool *mask = arena_alloc(loader->arena, loader->scenario->series_count * sizeof *mask);
    threshold->scope = SCOPE_STEPS;
    threshold->series = mask;
    return mask;
}

/* ---- by name ---- */

static uint32_t count_steps(const struct scenario *scenario, const char *name)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < scenario->series_count; i++)
        count += strcmp(scenario->series[i].name, name) == 0;
    return count;
}

static bool find_name(const char *const *names, uint32_t count, const char *name, uint32_t *ret_index)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) {
            *ret_index = i;
            return true;
        }
    return false;
}

/* The names of what a threshold may look at, NULL-ended. */
static const char *const *names_of(const struct loader *loader, bool steps, bool checks, bool transactions)
{
    const struct scenario *scenario = loader->scenario;
    uint32_t count = 0;
    const char **names =
        arena_alloc(loader->arena,
                    (scenario->series_count + scenario->check_count + scenario->transaction_count + 1) * sizeof *names);
    for (uint32_t i = 0; steps && i < scenario->series_count; i++)
        names[count++] = scenario->series[i].name;
    for (uint32_t i = 0; checks && i < scenario->check_count; i++)
        names[count++] = scenario->check_names[i];
    for (uint32_t i = 0; transactions && i < scenario->transaction_count; i++)
        names[count++] = scenario->transactions[i];
    return names;
}

static int fail_unknown(const struct loader *loader, const struct node *key, const char *kind, const char *name,
                        const char *const *names)
{
    unsigned count = 0;
    while (names[count])
        count++;
    const char *nearest = error_nearest(name, names, count, sizeof names[0]);
    if (nearest)
        return fail_at(loader, key, "there is no %s `%.80s`; did you mean `%s`?", kind, name, nearest);
    if (!count)
        return fail_at(loader, key, "there is no %s `%.80s`, and no other in this scenario; leave the threshold out",
                       kind, name);
    char list[400] = "";
    size_t len = 0;
    for (unsigned i = 0; i < count && len < sizeof list; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", names[i]);
    return fail_at(loader, key, "there is no %s `%.80s`; there is %s", kind, name, list);
}

/* A step of a setup or a teardown alone would give a threshold that never has data; but what it subscribed to goes on
 * coming while the load runs, and the protocol counts that at this step. */
static int check_measured(const struct loader *loader, const struct node *key, const struct threshold *threshold)
{
    for (uint32_t i = 0; i < loader->scenario->series_count; i++)
        if (threshold->series[i] && (loader->scenario->series[i].measured || threshold->plugin_metric || threshold_of_the_end(threshold)))
            return 0;
    return fail_at(
        loader, key,
        "only setup and teardown have this step, and they are no part of the measurement; judge a step of a flow");
}

static int find_step(const struct loader *loader, const struct node *key, const char *name, struct threshold *threshold)
{
    const struct scenario *scenario = loader->scenario;
    if (!count_steps(scenario, name))
        return fail_unknown(loader, key, "step", name, names_of(loader, true, false, false));
    bool *mask = new_mask(loader, threshold);
    for (uint32_t i = 0; i < scenario->series_count; i++)
        mask[i] = strcmp(scenario->series[i].name, name) == 0;
    return check_measured(loader, key, threshold);
}

static int find_check(const struct loader *loader, const struct node *key, const char *name,
                      struct threshold *threshold)
{
    threshold->scope = SCOPE_CHECK;
    if (find_name(loader->scenario->check_names, loader->scenario->check_count, name, &threshold->index))
        return 0;
    return fail_unknown(loader, key, "check", name, names_of(loader, false, true, false));
}

static int find_transaction(const struct loader *loader, const struct node *key, const char *name,
                            struct threshold *threshold)
{
    threshold->scope = SCOPE_TRANSACTION;
    if (find_name(loader->scenario->transactions, loader->scenario->transaction_count, name, &threshold->index))
        return 0;
    return fail_unknown(loader, key, "transaction", name, names_of(loader, false, false, true));
}

/* ---- by tag ---- */

static bool has_tag(const struct tags *tags, const char *name, const char *value)
{
    for (uint32_t i = 0; i < tags->count; i++)
        if (strcmp(tags->list[i].name, name) == 0 && (!value || strcmp(tags->list[i].value, value) == 0))
            return true;
    return false;
}

/* All tags of all steps as "name=value", NULL-ended. */
static const char *const *all_tags(const struct loader *loader)
{
    const struct scenario *scenario = loader->scenario;
    uint32_t count = 0, most = 0;
    for (uint32_t i = 0; i < scenario->series_count; i++)
        most += scenario->series[i].tags.count;
    const char **list = arena_alloc(loader->arena, (most + 1) * sizeof *list);
    for (uint32_t i = 0; i < scenario->series_count; i++)
        for (uint32_t t = 0; t < scenario->series[i].tags.count; t++)
            list[count++] = arena_printf(loader->arena, "%s=%s", scenario->series[i].tags.list[t].name,
                                         scenario->series[i].tags.list[t].value);
    return list;
}

/* Cuts "a=b, c=d" at its next comma; without white space around. */
static char *next_part(char **rest)
{
    char *part = *rest, *comma = strchr(part, ',');
    *rest = comma ? comma + 1 : NULL;
    if (comma)
        *comma = '\0';
    while (isspace((unsigned char)*part))
        part++;
    for (size_t len = strlen(part); len > 0 && isspace((unsigned char)part[len - 1]);)
        part[--len] = '\0';
    return part;
}

/* Takes the steps without the tag out of the mask. */
static int narrow(const struct loader *loader, const struct node *key, const char *part, bool *mask)
{
    const struct scenario *scenario = loader->scenario;
    const char *equals = strchr(part, '=');
    if (!equals)
        return fail_at(loader, key, "`%.80s` is no tag; write tag(name=value)", part);
    const char *name = arena_copy(loader->arena, part, (size_t)(equals - part));
    bool found = false;
    for (uint32_t i = 0; i < scenario->series_count; i++) {
        bool has = has_tag(&scenario->series[i].tags, name, equals + 1);
        found = found || has;
        mask[i] = mask[i] && has;
    }
    return found ? 0 : fail_unknown(loader, key, "tag", part, all_tags(loader));
}

static int find_tags(const struct loader *loader, const struct node *key, const char *text, struct threshold *threshold)
{
    char *rest = arena_copy(loader->arena, text, strlen(text));
    bool *mask = new_mask(loader, threshold), any = false;
    for (uint32_t i = 0; i < loader->scenario->series_count; i++)
        mask[i] = true;
    while (rest)
        if (narrow(loader, key, next_part(&rest), mask))
            return -1;
    for (uint32_t i = 0; i < loader->scenario->series_count; i++)
        any = any || mask[i];
    if (!any)
        return fail_at(loader, key, "no step has all of these tags; leave one out");
    return check_measured(loader, key, threshold);
}

/* ---- the key ---- */

static const struct scope_word {
    const char *word; /* first: error_nearest walks the table by it */
    find_fn *find;
} scope_words[] = {{"step", find_step}, {"check", find_check}, {"transaction", find_transaction}, {"tag", find_tags}};
#define WORDS (sizeof scope_words / sizeof scope_words[0])

/* WORD(TEXT): 0 with the row and the text; 1: the key is not of this form; -1 for a word that is none. */
static int take_form(const struct loader *loader, const struct node *key, const struct scope_word **ret_row,
                     const char **ret_text)
{
    size_t len = strlen(key->text), word_len = strspn(key->text, "abcdefghijklmnopqrstuvwxyz");
    if (word_len == 0 || key->text[word_len] != '(' || key->text[len - 1] != ')')
        return 1;
    const char *word = arena_copy(loader->arena, key->text, word_len);
    for (size_t i = 0; i < WORDS; i++)
        if (strcmp(word, scope_words[i].word) == 0) {
            *ret_row = &scope_words[i];
            *ret_text = arena_copy(loader->arena, key->text + word_len + 1, len - word_len - 2);
            return 0;
        }
    const char *nearest = error_nearest(word, &scope_words[0].word, WORDS, sizeof scope_words[0]);
    return nearest ? fail_at(loader, key, "`%s(...)` is not known before a threshold; did you mean `%s(...)`?", word,
                             nearest)
                   : 1;
}

int threshold_find_scope(const struct loader *loader, const struct node *key, struct threshold *threshold)
{
    const struct scenario *scenario = loader->scenario;
    const struct scope_word *row = NULL;
    const char *text = NULL;
    uint32_t index;
    bool step = count_steps(scenario, key->text) > 0,
         check = find_name(scenario->check_names, scenario->check_count, key->text, &index),
         transaction = find_name(scenario->transactions, scenario->transaction_count, key->text, &index);
    if (step + check + transaction > 1)
        return fail_at(loader, key, "`%.80s` is the name of a %s and of a %s; write %s(%.80s) or %s(%.80s)", key->text,
                       step ? "step" : "check", transaction ? "transaction" : "check", step ? "step" : "check",
                       key->text, transaction ? "transaction" : "check", key->text);
    if (step + check + transaction == 1)
        return (step ? find_step : check ? find_check : find_transaction)(loader, key, key->text, threshold);
    int form = take_form(loader, key, &row, &text);
    if (form <= 0)
        return form < 0 ? -1 : row->find(loader, key, text, threshold);
    return fail_if_later(loader, key)
               ? -1
               : fail_unknown_key(loader, key, "thresholds, which take names of steps, checks and transactions",
                                  names_of(loader, true, true, true));
}
