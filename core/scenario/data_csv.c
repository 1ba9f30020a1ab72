/*
 * CSV as RFC 4180 has it: fields between separators, rows between line ends, and within quotes anything, a quote twice.
 * Beyond it a line may end in a bare LF, and lines without a character are passed over. What must stay true: any bytes end
 * in a row, the end, or a fault, and no byte behind the text is looked at.
 */
#include "scenario/data.h"
#include <string.h>

static int fail(struct data_fault *fault, uint64_t at, const char *text)
{
    *fault = (struct data_fault){.text = text, .at = at};
    return -1;
}

/* The length of the line end at `at`; 0: there is none. A CR alone is part of a field. */
static uint64_t line_end(const struct data_table *table, uint64_t at)
{
    if (at < table->len && table->text[at] == '\n')
        return 1;
    return at + 1 < table->len && table->text[at] == '\r' && table->text[at + 1] == '\n' ? 2 : 0;
}

/* At an opening quote: moves behind the closing one. */
static int skip_quoted(const struct data_table *table, uint64_t *at, struct data_fault *fault)
{
    uint64_t start = *at, i = start + 1;
    for (;;) {
        const uint8_t *quote = i < table->len ? memchr(table->text + i, '"', table->len - i) : NULL;
        if (!quote || (uint64_t)(quote - table->text) - start > DATA_ROW_MAX)
            return fail(fault, start, "these quotes are not closed, or hold more than 1 MiB");
        i = (uint64_t)(quote - table->text) + 1;
        if (i == table->len || table->text[i] != '"')
            break;
        i++;
    }
    *at = i;
    bool ends = i == table->len || table->text[i] == (uint8_t)table->separator || line_end(table, i);
    return ends ? 0 : fail(fault, i, "behind closing quotes only a separator or the end of the line may stand; write a quote within them twice");
}

static int skip_plain(const struct data_table *table, uint64_t *at, struct data_fault *fault)
{
    uint64_t i = *at;
    while (i < table->len && table->text[i] != (uint8_t)table->separator && table->text[i] != '\n' && table->text[i] != '"')
        i++;
    if (i < table->len && table->text[i] == '"')
        return fail(fault, i, "a quote stands within a field that does not begin with one; put quotes around the whole field, and write this one twice");
    *at = i > *at && i < table->len && table->text[i] == '\n' && table->text[i - 1] == '\r' ? i - 1 : i;
    return 0;
}

int data_csv_next(const struct data_table *table, uint64_t *at, struct squall_bytes *ret_row, struct data_fault *fault)
{
    uint64_t i = *at, end, fields = 0;
    while ((end = line_end(table, i)))
        i += end;
    if (i >= table->len)
        return 0;
    uint64_t start = i;
    for (;; i++) {
        bool quoted = i < table->len && table->text[i] == '"';
        if (quoted ? skip_quoted(table, &i, fault) : skip_plain(table, &i, fault))
            return -1;
        fields++;
        if (i >= table->len || table->text[i] != (uint8_t)table->separator)
            break;
    }
    if (i - start > DATA_ROW_MAX)
        return fail(fault, start, "the row is longer than 1 MiB");
    if (table->column_count && fields != table->column_count) {
        *fault = (struct data_fault){.at = start, .counts = {fields, table->column_count}};
        return -1;
    }
    *ret_row = (struct squall_bytes){table->text + start, i - start};
    *at = i + line_end(table, i);
    return 1;
}

bool data_csv_field(struct squall_bytes row, char separator, uint64_t *at, struct squall_bytes *ret, bool *ret_doubled)
{
    uint64_t i = *at, start = i;
    *ret_doubled = false;
    if (i > row.len)
        return false;
    if (i < row.len && row.data[i] == '"') {
        start = ++i;
        while (i < row.len && (row.data[i] != '"' || (i + 1 < row.len && row.data[i + 1] == '"'))) {
            bool pair = row.data[i] == '"';
            *ret_doubled = *ret_doubled || pair;
            i += 1 + pair;
        }
        *ret = (struct squall_bytes){row.data + start, i - start};
        *at = i + 2;
        return true;
    }
    const uint8_t *found = i < row.len ? memchr(row.data + i, separator, row.len - i) : NULL;
    i = found ? (uint64_t)(found - row.data) : row.len;
    *ret = (struct squall_bytes){row.data + start, i - start};
    *at = i + 1;
    return true;
}

struct squall_bytes data_csv_undouble(struct squall_bytes field, struct arena *arena)
{
    uint8_t *copy = arena_alloc(arena, field.len + 1);
    uint64_t len = 0;
    for (uint64_t i = 0; i < field.len; i++) {
        copy[len++] = field.data[i];
        if (field.data[i] == '"')
            i++;
    }
    return (struct squall_bytes){copy, len};
}
