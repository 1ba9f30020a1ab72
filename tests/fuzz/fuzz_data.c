/*
 * Any bytes as a feed's file, the first of them picks the format: reading ends in rows or in an error with the file's name,
 * every row is found again, and every cell of it has a value.
 */
#include "scenario/data.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct data_table *table, struct arena *arena)
{
    struct data_place place = {0};
    for (uint64_t row = 0; row < table->rows; row++) {
        struct squall_bytes bytes, again;
        if (!data_row(table, row, &place, &bytes) || !data_row(table, row, NULL, &again) || bytes.data != again.data ||
            bytes.len != again.len)
            abort();
        for (uint32_t column = 0; column < table->column_count; column++) {
            struct value value;
            data_cell(table, bytes, column, arena, &value);
            if (table->format == DATA_CSV && value.type != VALUE_STRING)
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct error error = {0};
    struct data_table table = {.separator = ',', .text = data + 1, .len = size ? size - 1 : 0};
    if (!size)
        return 0;
    arena_init(&arena);
    table.format = (enum data_format)(data[0] % 3);
    if (data_read(&table, "f", NULL, 0, &arena, &error) == 0)
        use(&table, &arena);
    else if (strncmp(error.text, "f:", 2) != 0)
        abort();
    data_close(&table);
    arena_fini(&arena);
    return 0;
}
