/* Reading single values out of nodes, and saying where and what is wrong with them. */
#include "base/secret.h"
#include "base/units.h"
#include "scenario/keys.h"
#include "scenario/load.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Words of the whole language that this version does not have yet. */
static const char *const later_words[] = {
    "after", "any", "await", "before", "every", "expect", "foreach", "import", "loop", "until", "variables",
};

const struct node *node_from_flag(struct arena *arena, const char *flag, const char *value)
{
    struct node *node = arena_alloc(arena, sizeof *node);
    *node = (struct node){.kind = NODE_SCALAR, .label = flag, .text = value, .quoted = true};
    return node;
}

int fail_prefix(const struct loader *loader, const struct node *node, uint32_t column)
{
    if (!node)
        return loader->file ? error_prefix(loader->error, "%s:1:1", loader->file) : -1;
    if (node->label)
        return error_prefix(loader->error, "%s", node->label);
    if (!loader->file) /* of JSON in a flag */
        return error_prefix(loader->error, "%s:%u:%u", node->file, node->line, node->column);
    uint32_t shift = node->exact && column > 0 ? column - 1 + node->quoted : 0;
    return error_prefix(loader->error, "%s:%u:%u", node->file ? node->file : loader->file, node->line, node->column + shift);
}

int fail_at_column(const struct loader *loader, const struct node *node, uint32_t column, const char *format, ...)
{
    char text[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_set(loader->error, "%s", text);
    return fail_prefix(loader, node, column);
}

int fail_at(const struct loader *loader, const struct node *node, const char *format, ...)
{
    char text[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error_set(loader->error, "%s", text);
    return fail_prefix(loader, node, 0);
}

int fail_if_later(const struct loader *loader, const struct node *key)
{
    for (size_t i = 0; i < sizeof later_words / sizeof later_words[0]; i++)
        if (strcmp(later_words[i], key->text) == 0)
            return fail_at(loader, key, "`%s` is not part of this version of the language; leave it out", key->text);
    return 0;
}

/* Words of other tools and other places for what is called otherwise here. */
static const struct {
    const char *theirs, *ours;
} synonyms[] = {{"rate", "hold"}, {"vus", "users"}, {"target", "users"}, {"duration", "for"}, {"baseUrl", "url"}, {"host", "url"}};

static const char *synonym(const char *word, const char *const *known)
{
    for (size_t i = 0; i < sizeof synonyms / sizeof synonyms[0]; i++)
        for (size_t k = 0; strcmp(word, synonyms[i].theirs) == 0 && known[k]; k++)
            if (strcmp(known[k], synonyms[i].ours) == 0)
                return known[k];
    return NULL;
}

/* Where else a key would be right; NULL: nowhere. */
static const char *place_of(const char *key)
{
    static const struct {
        enum key_part part;
        const char *place;
    } places[] = {{PART_ROOT, "at the left margin of the scenario"},
                  {PART_TARGET, "in a target"},
                  {PART_TLS, "in a target's `tls`"},
                  {PART_STAGE, "in a stage of `load`"}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        for (const char *const *known = keys_of(places[i].part); *known; known++)
            if (strcmp(*known, key) == 0)
                return places[i].place;
    return NULL;
}

int fail_unknown_key(const struct loader *loader, const struct node *key, const char *where, const char *const *known)
{
    unsigned count = 0;
    while (known[count])
        count++;
    if (fail_if_later(loader, key))
        return -1;
    const char *near = synonym(key->text, known), *place = place_of(key->text);
    if (!near)
        near = error_nearest(key->text, known, count, sizeof known[0]);
    if (near)
        return fail_at(loader, key, "`%.80s` is not known in %s; did you mean `%s`?", key->text, where, near);
    if (place)
        return fail_at(loader, key, "`%.80s` is not known in %s; it stands %s", key->text, where, place);
    char list[600] = "";
    size_t len = 0;
    for (unsigned i = 0; i < count && len < sizeof list; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", known[i]);
    return fail_at(loader, key, "`%.80s` is not known in %s; known are %s", key->text, where, list);
}

static int compile_constant(const struct loader *loader, const struct node *node, const struct template **ret)
{
    uint32_t column = 0;
    if (node->kind != NODE_SCALAR)
        return fail_at(loader, node, "a single value is needed here, not a %s",
                       node->kind == NODE_MAP ? "map ({...} or indented keys); text that begins with { needs quotes"
                                              : "list; text that begins with [ or - needs quotes");
    if (node_empty(node))
        return fail_at(loader, node, "a value is missing here; write it behind the ':'");
    if (template_compile(node->text, loader->arena, ret, &column, loader->error))
        return fail_prefix(loader, node, column);
    if (!template_constant(*ret))
        return fail_at(loader, node, "this value must be the same for the whole run; use ${env.NAME} or a fixed text");
    return 0;
}

int read_text(const struct loader *loader, const struct node *node, const char **ret_text)
{
    const struct template *template = NULL;
    struct eval eval = {0};
    if (compile_constant(loader, node, &template))
        return -1;
    *ret_text = (const char *)template_render(template, &eval).data;
    return 0;
}

const char *without_secrets(const struct loader *loader, const char *text)
{
    return secret_hide_text(arena_copy(loader->arena, text, strlen(text)));
}

int read_shown_text(const struct loader *loader, const struct node *node, const char **ret_text)
{
    if (read_text(loader, node, ret_text))
        return -1;
    *ret_text = without_secrets(loader, *ret_text);
    return 0;
}

const char *shown_value(const struct loader *loader, const struct node *node)
{
    const struct template *template;
    struct eval eval = {0};
    uint32_t column;
    struct error ignored;
    if (node->kind != NODE_SCALAR)
        return "...";
    if (template_compile(node->text, loader->arena, &template, &column, &ignored) || !template_constant(template) ||
        template_secret(template))
        return node->text;
    return (const char *)template_render(template, &eval).data;
}

int read_count(const struct loader *loader, const struct node *node, uint64_t min, uint64_t max, uint64_t *ret_count)
{
    const char *text;
    uint64_t count;
    if (read_text(loader, node, &text))
        return -1;
    if (units_parse_count(text, &count))
        return fail_at(loader, node, "'%.80s' is not a whole number; write for example 50 or 10k",
                       shown_value(loader, node));
    if (count < min || count > max)
        return fail_at(loader, node, "%llu is out of range; write a number from %llu to %llu",
                       (unsigned long long)count, (unsigned long long)min, (unsigned long long)max);
    *ret_count = count;
    return 0;
}

int read_duration(const struct loader *loader, const struct node *node, uint64_t min_ns, uint64_t *ret_ns)
{
    const char *text;
    uint64_t ns;
    if (read_text(loader, node, &text))
        return -1;
    if (units_parse_duration(text, &ns))
        return fail_at(loader, node, "'%.80s' is not a duration; write for example 250ms, 30s or 2m",
                       shown_value(loader, node));
    if (ns < min_ns)
        return fail_at(loader, node, "a duration of zero has no meaning here; write for example 30s");
    if (ns > DURATION_MAX_NS)
        return fail_at(loader, node, "the duration is longer than a year; write for example 30s or 2h");
    *ret_ns = ns;
    return 0;
}

int read_rate(const struct loader *loader, const struct node *node, double *ret_per_s)
{
    const char *text;
    double rate;
    if (read_text(loader, node, &text))
        return -1;
    if (units_parse_rate(text, &rate) || !isfinite(rate) || rate < 0)
        return fail_at(loader, node, "'%.80s' is not a rate; write for example 200/s or 30/m",
                       shown_value(loader, node));
    if (rate > RATE_MAX)
        return fail_at(loader, node, "the rate is too high; at most 10,000,000/s");
    *ret_per_s = rate;
    return 0;
}

int read_bool(const struct loader *loader, const struct node *node, bool *ret_bool)
{
    const char *text;
    if (read_text(loader, node, &text))
        return -1;
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return fail_at(loader, node, "'%.80s' is neither true nor false; write one of them", shown_value(loader, node));
    *ret_bool = text[0] == 't';
    return 0;
}

int read_map(const struct loader *loader, const struct node *node, const char *what, const char *example)
{
    if (node->kind != NODE_MAP || node->count == 0)
        return fail_at(loader, node, "%s must be a map of names and values; write for example %s", what, example);
    return 0;
}

int read_list(const struct loader *loader, const struct node *node, const char *what, const char *example)
{
    if (node->kind != NODE_LIST || node->count == 0)
        return fail_at(loader, node, "%s must be a list, each entry behind a '- '; write for example %s", what,
                       example);
    return 0;
}

int read_connections(const struct loader *loader, const struct node *node, uint32_t *ret_connections)
{
    const char *text;
    uint64_t count;
    if (read_text(loader, node, &text))
        return -1;
    if (strcmp(text, "per-user") == 0) {
        *ret_connections = CONNECTIONS_PER_USER;
        return 0;
    }
    if (strcmp(text, "new") == 0) {
        *ret_connections = CONNECTIONS_NEW;
        return 0;
    }
    if (units_parse_count(text, &count) || count == 0 || count > 1000000)
        return fail_at(loader, node,
                       "'%.80s' is not a number of connections; write a number from 1 to 1,000,000, per-user, or new",
                       shown_value(loader, node));
    *ret_connections = (uint32_t)count;
    return 0;
}
