/* A plugin in words. See protocol_print.h. */
#include "report/protocol_print.h"
#include "base/units.h"
#include "engine/protocol_rows.h"
#include "report/table.h"
#include "report/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH      80
#define LABEL      12 /* column at which the values of the heading stand */
#define NAME_MAX_W 20 /* longer names push their own line to the right */

static int compare_protocols(const void *a, const void *b)
{
    return strcmp((*(const struct protocol *const *)a)->name, (*(const struct protocol *const *)b)->name);
}

void protocol_print_list(const struct protocol_registry *registry, struct buffer *out)
{
    static const struct table_column columns[] = {
        {.title = "protocol", .left = true},
        {.title = "version", .left = true},
        {.title = "schemes", .left = true},
        {.title = "what it is", .left = true, .flexible = true},
    };
    const struct protocol *sorted[sizeof registry->protocols / sizeof registry->protocols[0]];
    struct table table;
    for (uint32_t i = 0; i < registry->count; i++)
        sorted[i] = registry->protocols[i];
    if (registry->count)
        qsort(sorted, registry->count, sizeof sorted[0], compare_protocols);
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (uint32_t i = 0; i < registry->count; i++) {
        table_cell(&table, TONE_PLAIN, sorted[i]->name);
        table_cell(&table, TONE_PLAIN, sorted[i]->abi.version);
        table_cell(&table, TONE_PLAIN, sorted[i]->abi.schemes);
        table_cell(&table, TONE_PLAIN, sorted[i]->abi.summary);
    }
    table_print(&table, 0, WIDTH, true, false, out);
    table_fini(&table);
}

/* ---- one plugin ---- */

static void print_wrapped(struct buffer *out, const char *text, uint32_t at, uint32_t indent)
{
    char *clean = text_clean_copy(text);
    text_wrap(out, clean, at, indent, WIDTH, TONE_PLAIN, false);
    free(clean);
}

static void print_label(struct buffer *out, const char *label, const char *text)
{
    buffer_printf(out, "%-*s", LABEL, label);
    print_wrapped(out, text, LABEL, LABEL);
}

static void print_schemes(struct buffer *out, const struct protocol *protocol)
{
    const char *list = protocol->abi.schemes, *item;
    struct buffer text = {0};
    size_t len;
    while (protocol_next_item(&list, ',', &item, &len)) {
        char scheme[PROTOCOL_NAME_MAX + 1];
        uint16_t port = 0;
        bool secure = false;
        snprintf(scheme, sizeof scheme, "%.*s", (int)len, item);
        protocol_scheme(protocol, scheme, &port, &secure);
        buffer_printf(&text, "%s%s://", text.len ? ", " : "", scheme);
        if (port)
            buffer_printf(&text, " (port %u%s)", (unsigned)port, secure ? ", TLS" : "");
        else if (secure)
            buffer_printf(&text, " (TLS)");
    }
    print_label(out, "schemes", (const char *)text.data);
    buffer_fini(&text);
}

static void append_limit(struct buffer *text, const struct squall_option *row, uint64_t value)
{
    char number[40];
    if (row->type == SQUALL_DURATION)
        units_print_duration(number, sizeof number, value);
    else if (row->type == SQUALL_SIZE)
        units_print_size(number, sizeof number, value);
    else
        snprintf(number, sizeof number, "%" PRIu64, value);
    buffer_printf(text, "%s", number);
}

static void append_range(struct buffer *text, const struct squall_option *row)
{
    for (uint32_t i = 0; row->choices && row->choices[i]; i++)
        buffer_printf(text, "%s%s", i ? "|" : ": ", row->choices[i]);
    if (row->choices && row->type == SQUALL_STRING)
        buffer_printf(text, " or another");
    if (!row->min && !row->max)
        return;
    buffer_printf(text, row->max ? ", " : ", at least ");
    append_limit(text, row, row->min);
    if (row->max) {
        buffer_printf(text, " to ");
        append_limit(text, row, row->max);
    }
}

/* "number, 0 to 65535, default 0 (-c, --code NUMBER)" */
static void append_facts(struct buffer *text, const struct protocol *protocol, const struct squall_option *row)
{
    const char *list = row->flag;
    bool takes_value = false;
    struct protocol_flag flag;
    buffer_printf(text, "%s", protocol_type_name(row->type));
    append_range(text, row);
    if (row->role & SQUALL_ROLE_REQUIRED)
        buffer_printf(text, ", required");
    if (row->fallback)
        buffer_printf(text, ", default %s", *row->fallback ? row->fallback : "\"\"");
    if (row->role & (SQUALL_ROLE_URL_PATH | SQUALL_ROLE_URL_TAIL))
        buffer_printf(text, ", the URL's path");
    if (row->role & SQUALL_ROLE_CONN)
        buffer_printf(text, ", may differ from user to user");
    for (uint32_t i = 0, said = 0; row->verbs && i < protocol->abi.verbs.count; i++)
        if (protocol_option_of(row, i))
            buffer_printf(text, "%s%s", said++ ? ", " : "; of ", protocol_verb(&protocol->abi.verbs, i)->name);
    if (!row->flag)
        return;
    buffer_printf(text, " (");
    for (bool first = true; protocol_next_flag(&list, &flag); first = false) {
        buffer_printf(text, "%s%.*s", first ? "" : ", ", (int)flag.len, flag.text);
        takes_value |= !flag.value && row->type != SQUALL_BOOL;
    }
    if (row->metavar && takes_value)
        buffer_printf(text, " %s", row->metavar);
    buffer_printf(text, ")");
}

/* "  name      facts" and the help below the facts. */
static void print_row(struct buffer *out, const char *name, uint32_t column, const char *facts, const char *help)
{
    uint32_t at = 2 + (uint32_t)strlen(name) + 2;
    if (at < column)
        at = column;
    buffer_printf(out, "  %-*s", (int)(at - 2), name);
    print_wrapped(out, facts, at, column);
    text_spaces(out, column);
    print_wrapped(out, help, column, column);
}

/* Where the facts begin: behind the longest name that is not very long. */
static void widen(uint32_t *column, const char *name)
{
    uint32_t wanted = 2 + (uint32_t)strlen(name) + 2;
    if (wanted > *column && wanted <= NAME_MAX_W)
        *column = wanted;
}

static void print_options(struct buffer *out, const struct protocol *protocol, const struct squall_table *table,
                          const char *title)
{
    uint32_t column = 8;
    if (!table->count)
        return;
    buffer_printf(out, "\n%s\n", title);
    for (uint32_t i = 0; i < table->count; i++)
        widen(&column, protocol_option(table, i)->name);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct squall_option *row = protocol_option(table, i);
        struct buffer facts = {0};
        append_facts(&facts, protocol, row);
        print_row(out, row->name, column, (const char *)facts.data, row->help);
        buffer_fini(&facts);
    }
}

static void print_verbs(struct buffer *out, const struct protocol *protocol)
{
    const struct squall_table *table = &protocol->abi.verbs;
    uint32_t column = 8;
    if (!table->count)
        return;
    buffer_printf(out, "\nsteps\n");
    for (uint32_t i = 0; i < table->count; i++)
        widen(&column, protocol_verb(table, i)->name);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct squall_verb *row = protocol_verb(table, i);
        struct buffer line = {0};
        buffer_printf(&line, "%s: %s%s%s", protocol->name, row->name, row->headline ? " " : "",
                      row->headline ? row->headline : "");
        print_row(out, row->name, column, (const char *)line.data, row->help);
        buffer_fini(&line);
    }
}

static void print_metrics(struct buffer *out, const struct squall_table *table)
{
    uint32_t column = 8;
    if (!table->count)
        return;
    buffer_printf(out, "\nmetrics of its own\n");
    for (uint32_t i = 0; i < table->count; i++)
        widen(&column, protocol_metric(table, i)->name);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct squall_metric *row = protocol_metric(table, i);
        print_row(out, row->name, column, row->kind == SQUALL_COUNTER ? "counter" : "histogram", row->help);
    }
}

void protocol_print_show(const struct protocol *protocol, struct buffer *out)
{
    const struct squall_protocol *abi = &protocol->abi;
    char text[64];
    char *clean = text_clean_copy(abi->version);
    buffer_printf(out, "%s %s\n", protocol->name, clean);
    free(clean);
    print_wrapped(out, abi->summary, 0, 0);
    buffer_printf(out, "\n");
    print_schemes(out, protocol);
    if (abi->alpn)
        print_label(out, "ALPN", abi->alpn);
    snprintf(text, sizeof text, "%u.%u", (unsigned)abi->abi_major, (unsigned)abi->abi_minor);
    print_label(out, "ABI", text);
    print_label(out, "transport",
                abi->flags & SQUALL_OWN_TRANSPORT ? "its own: no connection phases, no time of sending" : "squall's");
    /* Not wrapped: a path that can be copied is worth a long line. */
    clean = text_clean_copy(protocol->path);
    buffer_printf(out, "%-*s%s\n", LABEL, "file", clean);
    free(clean);
    if (abi->headline) {
        struct buffer headline = {0};
        const char *list = abi->headline, *item;
        size_t len;
        buffer_printf(&headline, "%s:", protocol->name);
        while (protocol_next_item(&list, ' ', &item, &len))
            buffer_printf(&headline, " %.*s", (int)len, item);
        print_label(out, "step", (const char *)headline.data);
        buffer_fini(&headline);
    }
    print_verbs(out, protocol);
    print_options(out, protocol, &abi->target_options, "options of a target");
    print_options(out, protocol, &abi->step_options, "options of a step");
    print_metrics(out, &abi->metrics);
}
