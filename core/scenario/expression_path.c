/* See expression_path.h. */
#include "scenario/expression_path.h"
#include "scenario/expression_lex.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *at, *where; /* where: of an error */
    struct arena *arena;
    struct error *error;
};

static int fail(struct reader *reader, const char *where)
{
    reader->where = where;
    return error_set(reader->error, "this is no path; write .name, [0], [-1], [*] or [\"any name\"] behind the value");
}

static bool in_name(char c)
{
    return isalnum((unsigned char)c) || c == '_' || ((unsigned char)c & 0x80);
}

static int read_bracket(struct reader *reader, struct json_step *step)
{
    const char *start = reader->at, *at = start + 1;
    if (*at == '"' || *at == '\'') {
        struct token token;
        if (expression_token(&at, reader->arena, &token, &reader->where, reader->error))
            return -1;
        *step = (struct json_step){.kind = JSON_MEMBER, .name = token.string};
    } else if (*at == '*') {
        *step = (struct json_step){.kind = JSON_ANY};
        at++;
    } else {
        char *end;
        size_t len = strspn(at + (*at == '-'), "0123456789");
        if (len == 0 || len > 9)
            return fail(reader, start);
        *step = (struct json_step){.kind = JSON_INDEX, .index = strtol(at, &end, 10)};
        at = end;
    }
    if (*at != ']')
        return fail(reader, start);
    reader->at = at + 1;
    return 0;
}

static int read_member(struct reader *reader, struct json_step *step)
{
    const char *start = reader->at + 1;
    size_t len = 0;
    while (in_name(start[len]))
        len++;
    if (len == 0)
        return fail(reader, reader->at);
    *step = (struct json_step){.kind = JSON_MEMBER, .name = {(const uint8_t *)arena_copy(reader->arena, start, len), len}};
    reader->at = start + len;
    return 0;
}

int expression_path(const char **cursor, struct arena *arena, struct json_step *steps, uint32_t *ret_count, const char **ret_where,
                    struct error *error)
{
    struct reader reader = {.at = *cursor, .where = *cursor, .arena = arena, .error = error};
    uint32_t count = 0;
    int status = 0;
    while (!status && (*reader.at == '.' || *reader.at == '[')) {
        if (count == JSON_PATH_MAX) {
            reader.where = reader.at;
            status = error_set(error, "the path is too long; at most 16 steps");
        } else {
            status = *reader.at == '.' ? read_member(&reader, &steps[count]) : read_bracket(&reader, &steps[count]);
            count++;
        }
    }
    if (status) {
        *ret_where = reader.where;
        return -1;
    }
    *cursor = reader.at;
    *ret_count = count;
    return 0;
}
