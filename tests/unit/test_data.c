/* Data feeds: what the readers take and refuse, rows found again through the index, and the order in which they come. */
#include "scenario/data.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* after the headers that it needs */

static struct arena arena;

static int read_text(struct data_table *table, enum data_format format, const char *text, struct error *error)
{
    *table = (struct data_table){.format = format, .separator = ',', .text = (const uint8_t *)text, .len = strlen(text)};
    return data_read(table, "f", NULL, 0, &arena, error);
}

/* Every cell, as text in |, rows between lines. */
static const char *cells(const struct data_table *table)
{
    static char out[2000];
    size_t len = 0;
    out[0] = '\0';
    for (uint64_t row = 0; row < table->rows; row++) {
        struct squall_bytes bytes;
        assert_true(data_row(table, row, NULL, &bytes));
        for (uint32_t c = 0; c < table->column_count; c++) {
            struct value value;
            data_cell(table, bytes, c, &arena, &value);
            struct squall_bytes text = value.string;
            if (value.type == VALUE_STRING)
                len += (size_t)snprintf(out + len, sizeof out - len, "%.*s|", (int)text.len, (const char *)text.data);
            else if (value.type == VALUE_NUMBER)
                len += (size_t)snprintf(out + len, sizeof out - len, "#%g|", value.number);
            else
                len += (size_t)snprintf(out + len, sizeof out - len, "%s|", value.type == VALUE_BOOL ? "bool" : "null");
        }
        len += (size_t)snprintf(out + len, sizeof out - len, "\n");
    }
    return out;
}

static const struct {
    enum data_format format;
    const char *text, *cells;
} taken[] = {
    {DATA_CSV, "a,b\n1,2\n3,4\n", "1|2|\n3|4|\n"},
    {DATA_CSV, "a,b\r\n1,2\r\n3,4", "1|2|\n3|4|\n"},
    {DATA_CSV, "\xef\xbb\xbf" "a\n1\n", "1|\n"},
    {DATA_CSV, "a,b\n\"x, y\",\"he said \"\"hi\"\"\"\n", "x, y|he said \"hi\"|\n"},
    {DATA_CSV, "a,b\n\"two\nlines\",\"\"\n", "two\nlines||\n"},
    {DATA_CSV, "a,b\n,\n1,\n,2\n", "||\n1||\n|2|\n"},
    {DATA_CSV, "a\n\n1\n\r\n2\n\n", "1|\n2|\n"},
    {DATA_CSV, "a\nx\ry\n", "x\ry|\n"},
    {DATA_CSV, "\"a \"\"b\"\"\",c\n1,2\n", "1|2|\n"},
    {DATA_JSON, "[{\"a\": 1, \"b\": \"x\\n\"}, {\"b\": true}]", "#1|x\n|\nnull|bool|\n"},
    {DATA_JSON, " [ {\"a\":{\"c\":[1]}} ] \n", "{\"c\":[1]}|\n"},
    {DATA_JSONL, "{\"a\": \"\\u00e9\"}\n\n  {\"a\": null}\r\n{}", "\xc3\xa9|\nnull|\nnull|\n"},
};

static void test_taken(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        struct data_table table;
        struct error error;
        if (read_text(&table, taken[i].format, taken[i].text, &error))
            fail_msg("%s: %s", taken[i].text, error.text);
        if (strcmp(cells(&table), taken[i].cells) != 0)
            fail_msg("%s\ngives\n%s\nnot\n%s", taken[i].text, cells(&table), taken[i].cells);
        data_close(&table);
    }
}

static const struct {
    enum data_format format;
    const char *text, *error;
} refused[] = {
    {DATA_CSV, "", "f: is empty"},
    {DATA_CSV, "a,b\n", "f: has no rows"},
    {DATA_CSV, "a,b\n1\n", "f:2: this row has 1 field and there are 2 columns"},
    {DATA_CSV, "a\n1\n\n2,3\n", "f:4: this row has 2 fields and there are 1 columns"},
    {DATA_CSV, "a\n\"x\n\n", "f:2: these quotes are not closed"},
    {DATA_CSV, "a\n\"x\"y\n", "f:2: behind closing quotes"},
    {DATA_CSV, "a\nx\"y\"\n", "f:2: a quote stands within a field"},
    {DATA_CSV, "a,a\n1,2\n", "f: two columns are called 'a'"},
    {DATA_JSON, "{}", "f:1: the file should be one array"},
    {DATA_JSON, "[]", "f: has no rows"},
    {DATA_JSON, "[1]", "f:1: a row should be an object"},
    {DATA_JSON, "[{},]", "f:1: a row should stand behind the ','"},
    {DATA_JSON, "[{}] x", "f:1: nothing may stand behind the array"},
    {DATA_JSON, "[{}\n{}]", "f:2: a ',' or the closing ']'"},
    {DATA_JSON, "[{\"a\": 1.}]", "f:1: this is no number"},
    {DATA_JSON, "[{\"a\": 01}]", "f:1: this is no number"},
    {DATA_JSON, "[{\"a\": nul}]", "f:1: a value of JSON"},
    {DATA_JSON, "[{\"a\" 1}]", "f:1: a ':' should stand"},
    {DATA_JSON, "[{a: 1}]", "f:1: the name of a member"},
    {DATA_JSON, "[{\"a\": [1, 2}]", "f:1: a ',' or the closing ']'"},
    {DATA_JSON, "[{\"a\": \"x\ty\"}]", "f:1: a text holds a control character"},
    {DATA_JSON, "[{\"a\": \"\\x\"}]", "f:1: this is no escape"},
    {DATA_JSON, "[{\"a\": \"\\u12g4\"}]", "f:1: \\u wants four"},
    {DATA_JSON, "[{\"a\": \"x}]", "f:1: this text is not closed"},
    {DATA_JSONL, "{} {}\n", "f:1: one object a line"},
    {DATA_JSONL, "{\n}\n", "f:1: the name of a member"},
    {DATA_JSONL, "{}\n[1]\n", "f:2: a row should be an object"},
};

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct data_table table;
        struct error error = {0};
        int status = read_text(&table, refused[i].format, refused[i].text, &error);
        data_close(&table);
        if (!status || strncmp(error.text, refused[i].error, strlen(refused[i].error)) != 0)
            fail_msg("%s\ngives '%s' instead of '%s'", refused[i].text, status ? error.text : "no error", refused[i].error);
    }
}

static void test_nesting_bounded(void **state)
{
    (void)state;
    char text[1400] = "{\"a\":";
    struct data_table table;
    struct error error;
    for (int depth = 0; depth < 600; depth++)
        strcat(text, "[");
    assert_int_equal(read_text(&table, DATA_JSONL, text, &error), -1);
    assert_non_null(strstr(error.text, "nested too deeply"));
    data_close(&table);
}

/* More rows than the index has entries: every row is found, in any order, by whatever place is given. */
static void test_index(void **state)
{
    (void)state;
    const uint64_t rows = 2 * (uint64_t)DATA_INDEX_MAX + 12345;
    char *text = malloc(rows * 9 + 3), *at = text + 2;
    struct error error;
    memcpy(text, "n\n", 2);
    for (uint64_t i = 0; i < rows; i++)
        at += sprintf(at, "%llu\n", (unsigned long long)i);
    struct data_table table;
    assert_int_equal(read_text(&table, DATA_CSV, text, &error), 0);
    assert_int_equal(table.rows, rows);
    assert_int_equal(table.stride, 4);
    assert_true(table.index_count <= DATA_INDEX_MAX);
    struct data_place place = {0};
    for (uint64_t i = 0, row = 0; i < 20000; i++, row = (row * 7 + i) % rows) {
        struct squall_bytes bytes;
        char wanted[24];
        assert_true(data_row(&table, row, i % 2 ? &place : NULL, &bytes));
        int len = sprintf(wanted, "%llu", (unsigned long long)row);
        assert_true(bytes.len == (uint64_t)len && memcmp(bytes.data, wanted, bytes.len) == 0);
        assert_true(row + 1 == rows || data_row(&table, row + 1, &place, &bytes));
    }
    struct squall_bytes bytes;
    assert_false(data_row(&table, rows, NULL, &bytes));
    data_close(&table);
    free(text);
}

static void test_permutation(void **state)
{
    (void)state;
    static uint8_t seen[5000];
    for (uint64_t count = 1; count <= 5000; count += count / 3 + 1) {
        uint64_t moved = 0;
        memset(seen, 0, sizeof seen);
        for (uint64_t i = 0; i < count; i++) {
            uint64_t to = data_permute(i, count, 7);
            assert_true(to < count && !seen[to]);
            seen[to] = 1;
            moved += to != data_permute(i, count, 8);
        }
        assert_true(count < 100 || moved > count * 9 / 10);
    }
    assert_true(data_permute(UINT64_C(1) << 60, (UINT64_C(1) << 60) + 5, 1) <= (UINT64_C(1) << 60) + 4);
}

/* Where each row lands over many keys: chi-square of a 10 x 10 table has 81 degrees of freedom; 150 is beyond 1 in 100,000. */
static void test_permutation_even(void **state)
{
    (void)state;
    uint32_t counts[10][10] = {{0}};
    double chi = 0;
    for (uint64_t key = 0; key < 10000; key++)
        for (uint64_t i = 0; i < 10; i++)
            counts[i][data_permute(i, 10, random_at(1, 2, key))]++;
    for (int i = 0; i < 10; i++)
        for (int k = 0; k < 10; k++)
            chi += (counts[i][k] - 1000.0) * (counts[i][k] - 1000.0) / 1000.0;
    assert_true(chi < 150);
}

/* Workers share all rows: no row twice within a pass, none left out. */
static void test_shares(void **state)
{
    (void)state;
    for (uint64_t rows = 1; rows < 60; rows++)
        for (uint64_t parts = 1; parts <= rows && parts < 9; parts++)
            for (int order = ORDER_SEQUENTIAL; order <= ORDER_SHUFFLE; order++)
                for (uint64_t pass = 0; pass < 2; pass++) {
                    uint8_t seen[60] = {0};
                    uint64_t sum = 0;
                    for (uint64_t rank = 0; rank < parts; rank++) {
                        struct data_share share = {rank, parts};
                        uint64_t own = data_share_rows(share, rows);
                        sum += own;
                        for (uint64_t draw = pass * own; draw < (pass + 1) * own; draw++) {
                            uint64_t row = data_order_row((enum data_order)order, share, rows, 5, draw);
                            assert_true(row < rows && row % parts == rank && !seen[row]++);
                        }
                    }
                    assert_int_equal(sum, rows);
                }
    struct data_share empty = {7, 9};
    assert_int_equal(data_order_row(ORDER_SHUFFLE, empty, 5, 1, 3), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken), cmocka_unit_test(test_refused), cmocka_unit_test(test_nesting_bounded),
        cmocka_unit_test(test_index), cmocka_unit_test(test_permutation), cmocka_unit_test(test_permutation_even),
        cmocka_unit_test(test_shares)};
    arena_init(&arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
