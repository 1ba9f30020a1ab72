/*
 * Rows of JSON: an array of objects, or an object a line. A row is checked in full (RFC 8259) when it is first read, since
 * looking for a value in it later trusts no more than it must and would not tell where a mistake is. No recursion.
 */
#include "scenario/data.h"
#include <string.h>

struct checker {
    const uint8_t *text;
    uint64_t at, end;
    struct data_fault *fault;
};

static int fail(struct checker *checker, const char *text)
{
    *checker->fault = (struct data_fault){.text = text, .at = checker->at};
    return -1;
}

static uint8_t peek(const struct checker *checker)
{
    return checker->at < checker->end ? checker->text[checker->at] : 0;
}

static void skip_space(struct checker *checker)
{
    while (checker->at < checker->end && strchr(" \t\r\n", checker->text[checker->at]) && checker->text[checker->at])
        checker->at++;
}

static int check_escape(struct checker *checker)
{
    uint8_t c = peek(checker);
    if (c != 'u')
        return c && strchr("\"\\/bfnrt", c) ? 0 : fail(checker, "this is no escape of JSON; write \\\\ for a backslash");
    for (int i = 0; i < 4; i++) {
        checker->at++;
        c = (uint8_t)(peek(checker) | 32);
        if (!(c >= 'a' && c <= 'f') && !(peek(checker) >= '0' && peek(checker) <= '9'))
            return fail(checker, "\\u wants four hexadecimal digits");
    }
    return 0;
}

static int check_string(struct checker *checker)
{
    uint64_t start = checker->at;
    for (checker->at++; checker->at < checker->end; checker->at++) {
        uint8_t c = checker->text[checker->at];
        if (c == '"') {
            checker->at++;
            return 0;
        }
        if (c < 0x20)
            return fail(checker, "a text holds a control character; write it as an escape, such as \\n");
        if (c == '\\') {
            checker->at++;
            if (check_escape(checker))
                return -1;
        }
    }
    checker->at = start;
    return fail(checker, "this text is not closed");
}

static bool digits(struct checker *checker)
{
    uint64_t start = checker->at;
    while (peek(checker) >= '0' && peek(checker) <= '9')
        checker->at++;
    return checker->at > start;
}

static int check_number(struct checker *checker)
{
    static const char wrong[] = "this is no number of JSON";
    checker->at += peek(checker) == '-';
    bool zero = peek(checker) == '0';
    uint64_t start = checker->at;
    if (!digits(checker) || (zero && checker->at - start > 1))
        return fail(checker, wrong);
    if (peek(checker) == '.' && (checker->at++, !digits(checker)))
        return fail(checker, wrong);
    if ((peek(checker) | 32) == 'e') {
        checker->at++;
        checker->at += peek(checker) == '+' || peek(checker) == '-';
        if (!digits(checker))
            return fail(checker, wrong);
    }
    return 0;
}

static int check_scalar(struct checker *checker)
{
    static const char *const words[] = {"true", "false", "null"};
    uint8_t c = peek(checker);
    if (c == '"')
        return check_string(checker);
    if (c == '-' || (c >= '0' && c <= '9'))
        return check_number(checker);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i]);
        if (checker->end - checker->at >= len && memcmp(checker->text + checker->at, words[i], len) == 0) {
            checker->at += len;
            return 0;
        }
    }
    return fail(checker, "a value of JSON should stand here");
}

static int check_name(struct checker *checker)
{
    skip_space(checker);
    if (peek(checker) != '"')
        return fail(checker, "the name of a member should stand here, in quotes");
    if (check_string(checker))
        return -1;
    skip_space(checker);
    if (peek(checker) != ':')
        return fail(checker, "a ':' should stand behind the member's name");
    checker->at++;
    return 0;
}

/* Behind a value: past the brackets that close here and the comma to the next one. 1: the whole value has ended. */
static int check_between(struct checker *checker, const uint8_t *open, uint32_t *depth)
{
    while (*depth > 0) {
        bool object = open[*depth - 1] == '{';
        skip_space(checker);
        uint8_t c = peek(checker);
        if (c == ',') {
            checker->at++;
            return object ? check_name(checker) : 0;
        }
        if (c != (object ? '}' : ']'))
            return fail(checker, object ? "a ',' or the closing '}' should stand here" : "a ',' or the closing ']' should stand here");
        checker->at++;
        --*depth;
    }
    return 1;
}

/* One value, whatever it is: `open` holds the brackets that it is in. */
static int check_value(struct checker *checker)
{
    uint8_t open[JSON_DEPTH_MAX];
    uint32_t depth = 0;
    for (;;) {
        skip_space(checker);
        uint8_t c = peek(checker);
        if (c == '{' || c == '[') {
            if (depth == JSON_DEPTH_MAX)
                return fail(checker, "nested too deeply; at most 256 levels");
            open[depth++] = c;
            checker->at++;
            skip_space(checker);
            bool empty = peek(checker) == (c == '{' ? '}' : ']');
            if (!empty && c == '{' && check_name(checker))
                return -1;
            if (!empty)
                continue;
            checker->at++;
            depth--;
        } else if (check_scalar(checker)) {
            return -1;
        }
        int ended = check_between(checker, open, &depth);
        if (ended)
            return ended < 0 ? -1 : 0;
    }
}

static int check_row(struct checker *checker, struct squall_bytes *ret_row)
{
    uint64_t start = checker->at;
    if (peek(checker) != '{')
        return fail(checker, "a row should be an object: {\"name\": \"value\"}");
    if (check_value(checker))
        return -1;
    if (checker->at - start > DATA_ROW_MAX) {
        checker->at = start;
        return fail(checker, "the row is longer than 1 MiB");
    }
    *ret_row = (struct squall_bytes){checker->text + start, checker->at - start};
    return 1;
}

static int next_of_lines(struct checker *checker, struct squall_bytes *ret_row)
{
    skip_space(checker);
    if (checker->at == checker->end)
        return 0;
    uint64_t whole = checker->end;
    const uint8_t *newline = memchr(checker->text + checker->at, '\n', checker->end - checker->at);
    checker->end = newline ? (uint64_t)(newline - checker->text) : whole;
    if (check_row(checker, ret_row) < 0)
        return -1;
    skip_space(checker);
    if (checker->at < checker->end)
        return fail(checker, "one object a line; what stands behind it belongs on the next");
    return 1;
}

static int next_of_array(struct checker *checker, struct squall_bytes *ret_row)
{
    skip_space(checker);
    if (peek(checker) == ']') {
        checker->at++;
        skip_space(checker);
        return checker->at == checker->end ? 0 : fail(checker, "nothing may stand behind the array");
    }
    if (check_row(checker, ret_row) < 0)
        return -1;
    skip_space(checker);
    if (peek(checker) == ']')
        return 1;
    if (peek(checker) != ',')
        return fail(checker, "a ',' or the closing ']' should stand here");
    checker->at++;
    skip_space(checker);
    return peek(checker) == ']' ? fail(checker, "a row should stand behind the ','") : 1;
}

int data_json_next(const struct data_table *table, uint64_t *at, struct squall_bytes *ret_row, struct data_fault *fault)
{
    struct checker checker = {table->text, *at, table->len, fault};
    int found = table->format == DATA_JSONL ? next_of_lines(&checker, ret_row) : next_of_array(&checker, ret_row);
    *at = checker.at;
    return found;
}

int data_json_begin(const struct data_table *table, uint64_t *ret_body, struct data_fault *fault)
{
    struct checker checker = {table->text, *ret_body, table->len, fault};
    skip_space(&checker);
    if (table->format == DATA_JSON && peek(&checker) != '[')
        return fail(&checker, "the file should be one array of objects: [{...}, {...}]; with an object a line write jsonl: FILE");
    *ret_body = checker.at + (table->format == DATA_JSON);
    return 0;
}

bool data_json_names(struct squall_bytes row, struct arena *arena, struct json_step *columns, uint32_t *ret_count)
{
    struct data_fault ignored;
    struct checker checker = {row.data, 1, row.len, &ignored};
    uint32_t count = 0;
    skip_space(&checker);
    while (peek(&checker) == '"') {
        struct squall_bytes raw = {row.data + checker.at, 0};
        struct value name;
        uint64_t start = checker.at;
        if (count == DATA_COLUMNS_MAX || check_string(&checker))
            return false;
        raw.len = checker.at - start;
        json_value(raw, arena, &name);
        if (name.type != VALUE_STRING)
            return false;
        const char *copy = arena_copy(arena, name.string.data, name.string.len);
        columns[count++] = (struct json_step){.kind = JSON_MEMBER, .name = {(const uint8_t *)copy, name.string.len}};
        skip_space(&checker);
        checker.at++; /* the colon */
        if (check_value(&checker))
            return false;
        skip_space(&checker);
        checker.at += peek(&checker) == ',';
        skip_space(&checker);
    }
    *ret_count = count;
    return true;
}
