/*
 * A file of rows: mapped, read once from end to end, and found again by the index. When the index is full every second
 * entry goes and the stride doubles: so its size has a limit, whatever the file's, and reading stays one pass.
 */
#include "scenario/data.h"
#include "scenario/copied_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_FIRST 1024u
#define FORGET_EVERY (UINT64_C(16) << 20)

static int next_row(const struct data_table *table, uint64_t *at, struct squall_bytes *ret_row, struct data_fault *fault)
{
    return table->format == DATA_CSV ? data_csv_next(table, at, ret_row, fault) : data_json_next(table, at, ret_row, fault);
}

static int fail_fault(const struct data_table *table, const char *file, const struct data_fault *fault, struct error *error)
{
    unsigned long long line = 1;
    for (uint64_t i = 0; i < fault->at && i < table->len; i++)
        line += table->text[i] == '\n';
    if (fault->text)
        return error_set(error, "%.200s:%llu: %s", file, line, fault->text);
    return error_set(error, "%.200s:%llu: this row has %llu field%s and there are %llu columns; every row must have as many", file, line,
                     (unsigned long long)fault->counts[0], fault->counts[0] == 1 ? "" : "s", (unsigned long long)fault->counts[1]);
}

static void add_to_index(struct data_table *table, uint64_t at)
{
    if (table->rows % table->stride)
        return;
    if (table->index_count == table->index_room && table->index_room < DATA_INDEX_MAX) {
        table->index_room = table->index_room ? 2 * table->index_room : INDEX_FIRST;
        table->index = xrealloc(table->index, table->index_room * sizeof *table->index);
    } else if (table->index_count == table->index_room) {
        for (uint32_t i = 0; i < table->index_count / 2; i++)
            table->index[i] = table->index[2 * i];
        table->index_count /= 2;
        table->stride *= 2;
    }
    table->index[table->index_count++] = at;
}

/* What has been read leaves this process; the kernel keeps it for the reads of the run. */
static void forget(const struct data_table *table, uint64_t *forgotten, uint64_t at)
{
    if (!table->mapped || at - *forgotten < FORGET_EVERY)
        return;
    uint64_t len = (at - *forgotten) / FORGET_EVERY * FORGET_EVERY;
    madvise((void *)(uintptr_t)(table->text + *forgotten), len, MADV_DONTNEED);
    *forgotten += len;
}

static int index_rows(struct data_table *table, const char *file, struct error *error)
{
    uint64_t at = table->body, forgotten = 0;
    struct squall_bytes row;
    struct data_fault fault;
    table->stride = 1;
    for (;;) {
        uint64_t start = at;
        int found = next_row(table, &at, &row, &fault);
        if (found < 0)
            return fail_fault(table, file, &fault, error);
        if (found == 0)
            break;
        add_to_index(table, start);
        table->rows++;
        forget(table, &forgotten, at);
    }
    if (table->rows == 0)
        return error_set(error, "%.200s: has no rows; a feed wants one at least", file);
    return 0;
}

/* ---- columns ---- */

static int check_names(const struct data_table *table, const char *file, struct error *error)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        for (uint32_t k = 0; k < i; k++) {
            const struct squall_bytes *a = &table->columns[i].name, *b = &table->columns[k].name;
            if (a->len && a->len == b->len && memcmp(a->data, b->data, a->len) == 0)
                return error_set(error, "%.200s: two columns are called '%.*s'; give one of them another name", file,
                                 a->len > 80 ? 80 : (int)a->len, (const char *)a->data);
        }
    return 0;
}

static int read_csv_names(struct data_table *table, const char *file, struct arena *arena, struct error *error)
{
    struct squall_bytes row, field;
    struct data_fault fault;
    uint64_t at = 0;
    bool doubled;
    int found = data_csv_next(table, &table->body, &row, &fault);
    if (found < 0)
        return fail_fault(table, file, &fault, error);
    while (found && data_csv_field(row, table->separator, &at, &field, &doubled)) {
        if (table->column_count == DATA_COLUMNS_MAX)
            return error_set(error, "%.200s: more than 1,000 columns", file);
        if (doubled)
            field = data_csv_undouble(field, arena);
        const char *copy = arena_copy(arena, field.data, field.len);
        table->columns[table->column_count++] = (struct json_step){.kind = JSON_MEMBER, .name = {(const uint8_t *)copy, field.len}};
    }
    return found ? 0 : error_set(error, "%.200s: is empty; its first row should name the columns", file);
}

/* JSON has no header: the first row says which members there are. */
static int read_json_names(struct data_table *table, const char *file, struct arena *arena, struct error *error)
{
    struct squall_bytes row;
    struct data_fault fault;
    uint64_t at = table->body;
    int found = data_json_next(table, &at, &row, &fault);
    if (found < 0)
        return fail_fault(table, file, &fault, error);
    if (found && !data_json_names(row, arena, table->columns, &table->column_count))
        return error_set(error, "%.200s: its first row has more than 1,000 members", file);
    return 0;
}

static int read_names(struct data_table *table, const char *file, const char *const *names, uint32_t count, struct arena *arena,
                      struct error *error)
{
    struct data_fault fault;
    bool byte_order_mark = table->len >= 3 && memcmp(table->text, "\xef\xbb\xbf", 3) == 0;
    table->columns = arena_alloc(arena, DATA_COLUMNS_MAX * sizeof *table->columns);
    table->body = byte_order_mark ? 3 : 0;
    if (table->format != DATA_CSV && data_json_begin(table, &table->body, &fault))
        return fail_fault(table, file, &fault, error);
    for (uint32_t i = 0; i < count; i++)
        table->columns[i] = (struct json_step){.kind = JSON_MEMBER, .name = {(const uint8_t *)names[i], strlen(names[i])}};
    table->column_count = count;
    if (!count && (table->format == DATA_CSV ? read_csv_names(table, file, arena, error) : read_json_names(table, file, arena, error)))
        return -1;
    return check_names(table, file, error);
}

int data_read(struct data_table *table, const char *file, const char *const *names, uint32_t name_count, struct arena *arena,
              struct error *error)
{
    return read_names(table, file, names, name_count, arena, error) || index_rows(table, file, error) ? -1 : 0;
}

/* ---- files ---- */

static int map_file(struct data_table *table, int fd, const char *file, struct error *error)
{
    struct stat status;
    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
        return error_set(error, "%.200s: is no plain file; a feed is read again and again", file);
    if (status.st_size == 0)
        return error_set(error, "%.200s: is empty; a feed wants one row at least", file);
    struct squall_bytes bytes;
    if (copied_file_map(fd, file, &bytes, error) < 0)
        return -1;
    table->text = bytes.data;
    table->len = bytes.len;
    table->mapped = bytes.len > 0;
    return 0;
}

int data_open(struct data_table *table, const char *path, const char *file, const char *const *names, uint32_t name_count,
              struct arena *arena, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO in its place must not hold us */
    if (fd < 0)
        return error_set(error, "%.200s: cannot be opened: %s", file, strerror(errno));
    int status = map_file(table, fd, file, error);
    close(fd);
    return status ? -1 : data_read(table, file, names, name_count, arena, error);
}

void data_close(struct data_table *table)
{
    if (table->mapped)
        munmap((void *)(uintptr_t)table->text, table->len);
    free(table->index);
    table->mapped = false;
    table->index = NULL;
}

/* ---- rows ---- */

bool data_row(const struct data_table *table, uint64_t row, struct data_place *place, struct squall_bytes *ret)
{
    struct data_fault ignored;
    if (row >= table->rows)
        return false;
    uint64_t nearest = row - row % table->stride, at = table->index[row / table->stride];
    if (place && place->at && place->row <= row && place->row > nearest) {
        nearest = place->row;
        at = place->at;
    }
    for (; nearest <= row; nearest++)
        if (next_row(table, &at, ret, &ignored) != 1)
            return false;
    if (place)
        *place = (struct data_place){row + 1, at};
    return true;
}

void data_cell(const struct data_table *table, struct squall_bytes row, uint32_t column, struct arena *scratch, struct value *ret)
{
    struct squall_bytes raw;
    bool doubled;
    *ret = (struct value){.type = VALUE_NULL};
    if (!row.data)
        return;
    if (table->format != DATA_CSV) {
        if (json_find(row, &table->columns[column], 1, &raw))
            json_value(raw, scratch, ret);
        return;
    }
    uint64_t at = 0;
    for (uint32_t i = 0; i <= column; i++)
        if (!data_csv_field(row, table->separator, &at, &raw, &doubled))
            return;
    *ret = (struct value){.type = VALUE_STRING, .string = doubled ? data_csv_undouble(raw, scratch) : raw};
}
