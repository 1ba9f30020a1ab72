/*
 * Sharing out a line's width among columns. In this order, until the rows fit: cut the flexible column down to a name
 * with room to spare, leave out extra columns instead, cut the flexible column down to a readable name, narrow the gaps, leave out columns by their drop number, and cut the
 * flexible column for good. The numbers of a column that is shown are never cut.
 */
#include "report/table.h"
#include "base/arena.h"
#include <stdlib.h>
#include <string.h>

#define NAME_SPACIOUS    24 /* columns that a name keeps while there are extra columns */
#define NAME_COMFORTABLE 16 /* columns that a name keeps while the gaps are wide */
#define NAME_TIGHT       12 /* and while there are columns to leave out */
#define CELLS_FIRST      64

struct table_cell {
    const char *text; /* malloc'd, but for a title */
    uint32_t width;
    enum tone tone;
};

struct layout {
    uint32_t widths[TABLE_COLUMNS_MAX];
    bool shown[TABLE_COLUMNS_MAX];
    uint32_t gap;
};

void table_init(struct table *table, const struct table_column *columns, uint32_t column_count)
{
    *table = (struct table){.columns = columns, .column_count = column_count};
}

void table_fini(struct table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free((void *)(uintptr_t)table->cells[i].text);
    free(table->cells);
    *table = (struct table){0};
}

void table_cell(struct table *table, enum tone tone, const char *text)
{
    if (table->cell_count == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : CELLS_FIRST;
        table->cells = xrealloc(table->cells, table->capacity * sizeof *table->cells);
    }
    size_t size = strlen(text) + 1;
    char *copy = memcpy(xmalloc(size), text, size);
    table->cells[table->cell_count++] = (struct table_cell){.text = copy, .width = text_width(copy), .tone = tone};
}

static uint32_t flexible_column(const struct table *table)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].flexible)
            return i;
    return 0;
}

static uint32_t layout_width(const struct table *table, const struct layout *layout)
{
    uint32_t total = 0;
    for (uint32_t i = 0; i < table->column_count; i++)
        if (layout->shown[i])
            total += layout->widths[i] + (total ? layout->gap : 0);
    return total;
}

/* Narrows the flexible column towards `least` until the layout fits room; true when it does. */
static bool squeeze(const struct table *table, struct layout *layout, uint32_t room, uint32_t least)
{
    uint32_t *flexible = &layout->widths[flexible_column(table)];
    uint32_t total = layout_width(table, layout);
    if (total <= room)
        return true;
    uint32_t spare = *flexible > least ? *flexible - least : 0;
    if (spare < total - room)
        return false;
    *flexible -= total - room;
    return true;
}

static bool drop_one(const struct table *table, struct layout *layout)
{
    uint32_t worst = 0, column = 0;
    for (uint32_t i = 0; i < table->column_count; i++)
        if (layout->shown[i] && table->columns[i].drop > worst) {
            worst = table->columns[i].drop;
            column = i;
        }
    if (worst > 0)
        layout->shown[column] = false;
    return worst > 0;
}

static void lay_out(const struct table *table, uint32_t room, bool titles, struct layout *layout)
{
    layout->gap = 2;
    for (uint32_t i = 0; i < table->column_count; i++) {
        layout->shown[i] = true;
        layout->widths[i] = titles ? text_width(table->columns[i].title) : 0;
    }
    for (size_t i = 0; i < table->cell_count; i++) {
        uint32_t *width = &layout->widths[i % table->column_count];
        *width = table->cells[i].width > *width ? table->cells[i].width : *width;
    }
    if (squeeze(table, layout, room, NAME_SPACIOUS))
        return;
    for (uint32_t i = 0; i < table->column_count; i++)
        layout->shown[i] = !table->columns[i].extra;
    if (squeeze(table, layout, room, NAME_COMFORTABLE))
        return;
    layout->gap = 1;
    while (!squeeze(table, layout, room, NAME_TIGHT))
        if (!drop_one(table, layout)) {
            squeeze(table, layout, room, 1);
            return;
        }
}

static void print_cell(const struct table *table, const struct layout *layout, uint32_t column,
                       const struct table_cell *cell, bool last, bool colour, struct buffer *out)
{
    uint32_t room = layout->widths[column];
    if (!table->columns[column].left && cell->width < room)
        text_spaces(out, room - cell->width);
    uint32_t taken = text_put_cut(out, cell->text, room, cell->tone, colour);
    if (table->columns[column].left && !last)
        text_spaces(out, room - taken);
}

static void print_row(const struct table *table, const struct layout *layout, const struct table_cell *row,
                      uint32_t indent, bool colour, struct buffer *out)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < table->column_count; i++)
        if (layout->shown[i])
            last = i;
    text_spaces(out, indent);
    uint32_t at = indent;
    for (uint32_t i = 0; i <= last; i++) {
        if (!layout->shown[i])
            continue;
        if (i == last && table->columns[i].wrap) {
            text_wrap(out, row[i].text, at, at, at + layout->widths[i], row[i].tone, colour);
            return;
        }
        at += layout->widths[i] + layout->gap;
        print_cell(table, layout, i, &row[i], i == last, colour, out);
        if (i < last)
            text_spaces(out, layout->gap);
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->len--; /* an empty last cell */
    buffer_append(out, "\n", 1);
}

void table_print(const struct table *table, uint32_t indent, uint32_t width, bool titles, bool colour,
                 struct buffer *out)
{
    struct layout layout;
    lay_out(table, width > indent ? width - indent : 0, titles, &layout);
    if (titles) {
        struct table_cell head[TABLE_COLUMNS_MAX];
        for (uint32_t i = 0; i < table->column_count; i++) {
            const char *title = table->columns[i].title;
            head[i] = (struct table_cell){.text = title, .width = text_width(title), .tone = TONE_DIM};
        }
        print_row(table, &layout, head, indent, colour, out);
    }
    for (size_t at = 0; at + table->column_count <= table->cell_count; at += table->column_count)
        print_row(table, &layout, table->cells + at, indent, colour, out);
}
