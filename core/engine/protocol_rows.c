/* The checks on a plugin's own words and rows. See protocol_rows.h. */
#include "engine/protocol_rows.h"
#include "base/units.h"
#include "engine/protocol.h"
#include <stdlib.h>
#include <string.h>

#define PORT_MAX 65535

static const struct {
    const char *name;
    size_t size;
    bool ranged;
} types[] = {
    [SQUALL_STRING] = {"text", sizeof(struct squall_bytes), false},
    [SQUALL_UINT] = {"number", sizeof(uint64_t), true},
    [SQUALL_DURATION] = {"duration", sizeof(uint64_t), true},
    [SQUALL_SIZE] = {"size", sizeof(uint64_t), true},
    [SQUALL_BOOL] = {"yes/no", sizeof(uint64_t), false},
    [SQUALL_CHOICE] = {"choice", sizeof(uint64_t), false},
    [SQUALL_MAP] = {"map", sizeof(struct squall_map), false},
    [SQUALL_TREE] = {"tree", sizeof(struct squall_tree), false},
};

size_t protocol_value_size(uint32_t type)
{
    return type < sizeof types / sizeof types[0] ? types[type].size : 0;
}

const char *protocol_type_name(uint32_t type)
{
    return protocol_value_size(type) ? types[type].name : "?";
}

bool protocol_next_item(const char **list, char separator, const char **ret_item, size_t *ret_len)
{
    if (!*list)
        return false;
    const char *item = *list, *end = strchr(item, separator);
    *ret_item = item;
    *ret_len = end ? (size_t)(end - item) : strlen(item);
    *list = end ? end + 1 : NULL;
    return true;
}

static bool lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool word_valid(const char *word, size_t len, const char *also)
{
    if (!len || len > PROTOCOL_NAME_MAX || !lower(word[0]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!lower(word[i]) && !digit(word[i]) && !strchr(also, word[i]))
            return false;
    return true;
}

bool protocol_name_valid(const char *name)
{
    return name && word_valid(name, strnlen(name, PROTOCOL_NAME_MAX + 1), "-");
}

/* One line that a terminal can take. */
static bool line_valid(const char *text)
{
    if (!text || !*text)
        return false;
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            return false;
    return true;
}

/* ---- identity ---- */

static int check_words(const struct squall_protocol *abi, struct error *error)
{
    const struct {
        const char *field, *text;
    } lines[] = {{"version", abi->version}, {"summary", abi->summary}};
    if (!protocol_name_valid(abi->name))
        return error_set(error, "`name` is missing or no valid name; write lower-case letters, digits and dashes");
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (!line_valid(lines[i].text))
            return error_set(error, "`%s` is missing or not one plain line; fill it in the plugin's table",
                             lines[i].field);
    return 0;
}

static int check_schemes(const struct squall_protocol *abi, struct error *error)
{
    const char *list = abi->schemes, *item;
    size_t len;
    uint32_t count = 0, ports = 0;
    if (!abi->schemes || !*abi->schemes)
        return error_set(error, "`schemes` is empty; name at least one URL scheme");
    for (; protocol_next_item(&list, ',', &item, &len); count++) {
        if (!word_valid(item, len, "+-."))
            return error_set(error, "`schemes`: '%.*s' is no URL scheme; write lower-case words with commas between",
                             (int)len, item);
        for (const char *before = abi->schemes; before < item; before += strcspn(before, ",") + 1)
            if (strcspn(before, ",") == len && strncmp(before, item, len) == 0)
                return error_set(error, "`schemes` names '%.*s' twice; leave one out", (int)len, item);
    }
    for (list = abi->ports; protocol_next_item(&list, ',', &item, &len); ports++) {
        char *end;
        unsigned long port = len && len <= 5 && digit(item[0]) ? strtoul(item, &end, 10) : 0;
        if (!port || port > PORT_MAX || end != item + len)
            return error_set(error, "`ports`: '%.*s' is no port; write numbers from 1 to 65535 with commas between",
                             (int)len, item);
    }
    if (abi->ports && ports != count)
        return error_set(error, "`ports` has %u entries for %u schemes; write one port a scheme, or NULL", ports,
                         count);
    return 0;
}

static int check_sizes(const struct squall_protocol *abi, struct error *error)
{
    const struct {
        const char *field;
        uint64_t size;
    } sizes[] = {
        {"worker_size", abi->worker_size},
        {"target_size", abi->target_size},
        {"user_size", abi->user_size},
        {"step_size", abi->step_size},
        {"conn_size", abi->conn_size},
        {"exchange_size", abi->exchange_size},
        {"target_options.size", abi->target_options.size},
        {"step_options.size", abi->step_options.size},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i].size > PROTOCOL_STATE_MAX)
            return error_set(
                error, "`%s` is %llu bytes and at most 1 MiB is allowed; allocate large things in the _init functions",
                sizes[i].field, (unsigned long long)sizes[i].size);
    return 0;
}

/* ---- rows ---- */

static int check_table(const struct squall_table *table, const char *what, size_t row_size, struct error *error)
{
    if (table->count > PROTOCOL_ROWS_MAX)
        return error_set(error, "%s has %u rows and at most %u are allowed; merge or drop some", what, table->count,
                         PROTOCOL_ROWS_MAX);
    if (table->count && !table->rows)
        return error_set(error, "%s has a count of %u and no rows; set `rows`", what, table->count);
    if (table->count && (table->stride < row_size || table->stride % sizeof(uint64_t)))
        return error_set(
            error,
            "%s: a row of %u bytes is not one of this ABI (%zu bytes); set stride to sizeof of a row and rebuild", what,
            table->stride, row_size);
    if (table->count && (uintptr_t)table->rows % sizeof(void *))
        return error_set(error, "%s: the rows are not aligned; point `rows` at an array of rows", what);
    return 0;
}

static bool parses(const struct squall_option *row)
{
    uint64_t value;
    switch (row->type) {
    case SQUALL_UINT:
    case SQUALL_DURATION:
    case SQUALL_SIZE:
        if (row->type == SQUALL_UINT       ? units_parse_count(row->fallback, &value)
            : row->type == SQUALL_DURATION ? units_parse_duration(row->fallback, &value)
                                           : units_parse_size(row->fallback, &value))
            return false;
        return value >= row->min && (!row->max || value <= row->max);
    case SQUALL_BOOL:
        return strcmp(row->fallback, "true") == 0 || strcmp(row->fallback, "false") == 0;
    case SQUALL_CHOICE:
        for (const char *const *choice = row->choices; *choice; choice++)
            if (strcmp(*choice, row->fallback) == 0)
                return true;
        return false;
    case SQUALL_MAP:
        return strchr(row->fallback, ':') > row->fallback;
    case SQUALL_TREE:
        return false; /* absent is the only default */
    default:
        return true;
    }
}

static int check_choices(const struct squall_option *row, const char *what, struct error *error)
{
    if (row->type != SQUALL_CHOICE && row->type != SQUALL_STRING && row->choices)
        return error_set(error, "%s: `%s` has choices and is no CHOICE; set its type or drop them", what, row->name);
    if (row->type == SQUALL_CHOICE && (!row->choices || !row->choices[0]))
        return error_set(error, "%s: `%s` is a CHOICE without choices; end its list with NULL behind at least one",
                         what, row->name);
    for (const char *const *choice = row->choices; choice && *choice; choice++)
        if (!line_valid(*choice))
            return error_set(error, "%s: `%s` has an empty choice; give it a word", what, row->name);
    return 0;
}

bool protocol_next_flag(const char **list, struct protocol_flag *ret_flag)
{
    const char *item;
    size_t len;
    if (!protocol_next_item(list, ',', &item, &len))
        return false;
    const char *equals = memchr(item, '=', len);
    *ret_flag = (struct protocol_flag){.text = item, .len = equals ? (size_t)(equals - item) : len};
    if (equals) {
        ret_flag->value = equals + 1;
        ret_flag->value_len = (size_t)(item + len - equals - 1);
    }
    return true;
}

static int check_flags(const struct squall_option *row, const char *what, struct error *error)
{
    const char *list = row->flag;
    bool takes_value = false;
    struct protocol_flag flag;
    while (protocol_next_flag(&list, &flag)) {
        bool short_form = flag.len == 2 && flag.text[0] == '-' && flag.text[1] != '-';
        bool long_form = flag.len > 3 && memcmp(flag.text, "--", 2) == 0 && word_valid(flag.text + 2, flag.len - 2, "-0123456789");
        if ((!short_form && !long_form) || (flag.value && !flag.value_len))
            return error_set(error, "%s: `%s` has the flag '%.*s'; write \"-x,--name\"", what, row->name, (int)flag.len,
                             flag.text);
        takes_value |= !flag.value && row->type != SQUALL_BOOL;
    }
    if (takes_value && !line_valid(row->metavar))
        return error_set(error, "%s: `%s` has a flag and no metavar; name the flag's value, such as \"TEXT\"", what,
                         row->name);
    return 0;
}

static int check_role(const struct squall_option *row, const char *what, struct error *error)
{
    const uint32_t url = SQUALL_ROLE_URL_PATH | SQUALL_ROLE_URL_TAIL;
    if (row->role & ~(url | SQUALL_ROLE_REQUIRED | SQUALL_ROLE_CONN | SQUALL_ROLE_FILE | SQUALL_ROLE_FLAG_FILE))
        return error_set(error, "%s: `%s` has an unknown role (0x%x); use this ABI's roles", what, row->name, row->role);
    if ((row->role & url) && row->type != SQUALL_STRING)
        return error_set(error, "%s: `%s` takes part of the URL and is no STRING; change its type or role", what,
                         row->name);
    if ((row->role & SQUALL_ROLE_FILE) && ((row->type != SQUALL_STRING && row->type != SQUALL_MAP) || row->fallback))
        return error_set(error, "%s: `%s` names a file and is no STRING or MAP, or has a fallback; change one of them", what,
                         row->name);
    if ((row->role & SQUALL_ROLE_FLAG_FILE) && ((row->type != SQUALL_STRING && row->type != SQUALL_TREE) || !row->flag))
        return error_set(error, "%s: `%s` takes a file in the URL form and is no STRING or TREE with a flag; change one of them", what, row->name);
    if ((row->role & SQUALL_ROLE_REQUIRED) && row->fallback)
        return error_set(error, "%s: `%s` is required and has a fallback; drop one of them", what, row->name);
    return 0;
}

/* Of a row's place: which verbs take it, and whether a user's connection may have its own. */
static int check_place(const struct squall_option *row, const char *what, uint32_t verb_count, bool step,
                       struct error *error)
{
    uint32_t all = verb_count >= 32 ? UINT32_MAX : (UINT32_C(1) << verb_count) - 1;
    if (row->verbs & ~(step ? all : 0))
        return error_set(error, "%s: `%s` names verbs (0x%x) that the plugin does not have; use bits of rows of verbs",
                         what, row->name, row->verbs);
    if ((row->role & SQUALL_ROLE_CONN) && step)
        return error_set(error, "%s: `%s` is a step's, which may always vary; SQUALL_ROLE_CONN is for target options",
                         what, row->name);
    return 0;
}

static int check_option(const struct squall_table *table, uint32_t i, const char *what, struct error *error)
{
    const struct squall_option *row = protocol_option(table, i);
    size_t size = protocol_value_size(row->type);
    if (!protocol_name_valid(row->name))
        return error_set(
            error, "%s row %u: the name is missing or not valid; write lower-case letters, digits and dashes", what, i);
    for (uint32_t k = 0; k < i; k++)
        if (strcmp(protocol_option(table, k)->name, row->name) == 0)
            return error_set(error, "%s: two rows are named `%s`; rename one", what, row->name);
    if (!line_valid(row->help))
        return error_set(error, "%s: `%s` has no help, or not one plain line of it; say what the option does", what,
                         row->name);
    if (!size)
        return error_set(error, "%s: `%s` has the unknown type %u; use one of enum squall_option_type", what, row->name,
                         row->type);
    if (row->offset % sizeof(uint64_t) || row->offset > table->size || size > table->size - row->offset)
        return error_set(
            error, "%s: `%s` needs %zu aligned bytes at offset %u in a struct of %llu; use offsetof and set `size`",
            what, row->name, size, row->offset, (unsigned long long)table->size);
    if (row->max && row->min > row->max)
        return error_set(error, "%s: `%s` has a min above its max; swap them", what, row->name);
    if (!types[row->type].ranged && (row->min || row->max))
        return error_set(error, "%s: `%s` has a min or max that its type has no use for; set them to 0", what,
                         row->name);
    if (check_choices(row, what, error) || check_flags(row, what, error) || check_role(row, what, error))
        return -1;
    if (row->fallback && !parses(row))
        return error_set(error, "%s: the fallback '%.80s' of `%s` is no valid %s; write it as a user would", what,
                         row->fallback, row->name, types[row->type].name);
    return 0;
}

static int check_options(const struct squall_table *table, const char *what, uint32_t verb_count, bool step,
                         struct error *error)
{
    if (check_table(table, what, sizeof(struct squall_option), error))
        return -1;
    for (uint32_t i = 0; i < table->count; i++)
        if (check_option(table, i, what, error) ||
            check_place(protocol_option(table, i), what, verb_count, step, error))
            return -1;
    return 0;
}

/* Its kind, and whether it can have its role. */
static bool metric_valid(const struct squall_metric *row)
{
    switch (row->role) {
    case 0:
        return row->kind == SQUALL_COUNTER || row->kind == SQUALL_HISTOGRAM;
    case SQUALL_METRIC_DELIVERED:
        return row->kind == SQUALL_HISTOGRAM;
    case SQUALL_METRIC_NOTED:
        return row->kind == SQUALL_COUNTER;
    default:
        return false;
    }
}

static int check_metrics(const struct squall_table *table, struct error *error)
{
    if (check_table(table, "metrics", sizeof(struct squall_metric), error))
        return -1;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct squall_metric *row = protocol_metric(table, i);
        if (!row->name || !word_valid(row->name, strnlen(row->name, PROTOCOL_NAME_MAX + 1), "_"))
            return error_set(
                error, "metrics row %u: the name is missing or not valid; write lower-case letters, digits and _", i);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(protocol_metric(table, k)->name, row->name) == 0)
                return error_set(error, "metrics: two rows are named `%s`; rename one", row->name);
        if (!line_valid(row->help))
            return error_set(error, "metrics: `%s` has no help, or not one plain line of it; say what it measures",
                             row->name);
        if (!metric_valid(row))
            return error_set(
                error,
                "metrics: `%s` has the unknown kind %u, or a role that it cannot have; use enum squall_metric_kind and _role",
                row->name, row->kind);
    }
    return 0;
}

static int check_headline(const struct squall_protocol *abi, const char *headline, struct error *error)
{
    const char *list = headline, *item;
    size_t len;
    while (protocol_next_item(&list, ' ', &item, &len)) {
        bool found = false;
        for (uint32_t i = 0; i < abi->step_options.count && !found; i++) {
            const char *name = protocol_option(&abi->step_options, i)->name;
            found = strlen(name) == len && memcmp(name, item, len) == 0;
        }
        if (!found)
            return error_set(error,
                             "`headline` names '%.*s', which is no step option; name options with one space between",
                             (int)len, item);
    }
    return 0;
}

static int check_verbs(const struct squall_protocol *abi, struct error *error)
{
    const struct squall_table *table = &abi->verbs;
    if (check_table(table, "verbs", sizeof(struct squall_verb), error))
        return -1;
    if (table->count > 32)
        return error_set(error, "verbs has %u rows and at most 32 are allowed; merge some", table->count);
    if (table->count && abi->headline)
        return error_set(error, "`headline` and verbs are both given; each verb has a headline of its own, drop the other");
    for (uint32_t i = 0; i < table->count; i++) {
        const struct squall_verb *row = protocol_verb(table, i);
        if (!protocol_name_valid(row->name))
            return error_set(error, "verbs row %u: the name is missing or not valid; write lower-case letters, digits and dashes", i);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(protocol_verb(table, k)->name, row->name) == 0)
                return error_set(error, "verbs: two rows are named `%s`; rename one", row->name);
        if (!line_valid(row->help))
            return error_set(error, "verbs: `%s` has no help, or not one plain line of it; say what it does", row->name);
        if (check_headline(abi, row->headline, error))
            return -1;
    }
    return 0;
}

int protocol_check_rows(const struct squall_protocol *abi, struct error *error)
{
    if (check_words(abi, error) || check_schemes(abi, error) || check_sizes(abi, error))
        return -1;
    if (check_options(&abi->target_options, "target_options", 0, false, error) ||
        check_options(&abi->step_options, "step_options", abi->verbs.count, true, error))
        return -1;
    return check_metrics(&abi->metrics, error) || check_headline(abi, abi->headline, error) || check_verbs(abi, error)
               ? -1
               : 0;
}
