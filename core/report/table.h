/*
 * A table for a screen: cells are put in row by row, and when it is printed the columns share out the width. One
 * column, the flexible one, holds names: it takes what the numbers leave and cuts its text with an ellipsis.
 */
#ifndef SQUALL_REPORT_TABLE_H
#define SQUALL_REPORT_TABLE_H
#include "base/buffer.h"
#include "report/text.h"

struct table_column {
    const char *title; /* borrowed until the table is freed */
    bool left;         /* aligned left; numbers stand right */
    bool flexible;     /* of one column only */
    bool wrap;         /* last column only: text that is too wide goes on in further lines instead of being cut */
    bool extra;        /* shown only where it leaves the flexible column much room */
    uint8_t drop;      /* 0: always shown; else left out where it is too narrow, higher numbers first */
};

#define TABLE_COLUMNS_MAX 16
struct table {
    const struct table_column *columns; /* borrowed */
    uint32_t column_count;
    struct table_cell *cells; /* row after row; whole rows only once a row is complete */
    size_t cell_count, capacity;
};

/* column_count is at most TABLE_COLUMNS_MAX. */
void table_init(struct table *table, const struct table_column *columns, uint32_t column_count);
void table_fini(struct table *table);
/* The next cell, clean text; copied. */
void table_cell(struct table *table, enum tone tone, const char *text);
/* Title line and rows, each indented and at most `width` columns wide. Without `titles`: rows alone. */
void table_print(const struct table *table, uint32_t indent, uint32_t width, bool titles, bool colour,
                 struct buffer *out);

#endif
