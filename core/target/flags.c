/* Flags out of tables. getopt_long does the splitting, the rows the rest. */
#include "target/flags.h"
#include "base/units.h"
#include <assert.h>
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#define HELP_COLUMN 30
#define CODE_HELP   1
#define CODE_ROWS   256 /* getopt's value for the first row: above any character */

struct parser {
    struct option longs[FLAGS_MAX + 2];
    char shorts[2 * FLAGS_MAX + 3];
    const struct squall_option *rows[FLAGS_MAX];
    const struct flag_table *tables[FLAGS_MAX];
    uint32_t count;
};

static const char *long_name(const struct squall_option *row)
{
    return strstr(row->flag, "--") + 2;
}

static char short_name(const struct squall_option *row)
{
    return row->flag[1] == '-' ? '\0' : row->flag[1];
}

static void build(struct parser *parser, const struct flag_table *tables, uint32_t count)
{
    char *shorts = parser->shorts;
    *shorts++ = ':';
    for (uint32_t t = 0; t < count; t++) {
        for (uint32_t i = 0; i < tables[t].count; i++) {
            const struct squall_option *row = &tables[t].rows[i];
            bool wants_value = row->type != SQUALL_BOOL;
            assert(parser->count < FLAGS_MAX);
            parser->longs[parser->count] = (struct option){
                long_name(row), wants_value ? required_argument : no_argument, NULL, CODE_ROWS + (int)parser->count};
            if (short_name(row)) {
                *shorts++ = short_name(row);
                if (wants_value)
                    *shorts++ = ':';
            }
            parser->rows[parser->count] = row;
            parser->tables[parser->count++] = &tables[t];
        }
    }
    parser->longs[parser->count] = (struct option){"help", no_argument, NULL, CODE_HELP};
    memcpy(shorts, "h", 2);
}

static int set_number(const struct squall_option *row, const char *text, uint64_t *number, struct error *error)
{
    int failed;
    const char *example;
    if (row->type == SQUALL_DURATION) {
        failed = units_parse_duration(text, number);
        example = "250ms, 10s, 2m";
    } else if (row->type == SQUALL_SIZE) {
        failed = units_parse_size(text, number);
        example = "128, 4k, 1MiB";
    } else {
        failed = units_parse_count(text, number);
        example = "1, 250, 10k";
    }
    if (failed)
        return error_set(error, "--%s %s: write something like %s", long_name(row), text, example);
    if (*number < row->min || (row->max && *number > row->max))
        return error_set(error, "--%s %s: out of range", long_name(row), text);
    return 0;
}

static int set_row(const struct squall_option *row, const struct flag_table *table, const char *text,
                   struct error *error)
{
    char *place = (char *)table->values + row->offset;
    uint64_t number = 1;
    if (row->type == SQUALL_STRING) {
        if (table->set_text)
            return table->set_text(row, text, table->values, error) ? error_prefix(error, "--%s", long_name(row)) : 0;
        struct squall_bytes bytes = {(const uint8_t *)text, strlen(text)};
        memcpy(place, &bytes, sizeof bytes);
        return 0;
    }
    if (row->type != SQUALL_BOOL && set_number(row, text, &number, error))
        return -1;
    memcpy(place, &number, sizeof number);
    return 0;
}

static int unknown_flag(const struct parser *parser, const char *flag, struct error *error)
{
    const char *name = flag + strspn(flag, "-");
    const char *nearest = error_nearest(name, &parser->longs[0].name, parser->count, sizeof parser->longs[0]);
    if (nearest)
        return error_set(error, "unknown flag %s: did you mean --%s?", flag, nearest);
    return error_set(error, "unknown flag %s: --help lists them", flag);
}

/* The index of the row that getopt has found. */
static uint32_t row_of(const struct parser *parser, int code)
{
    if (code >= CODE_ROWS)
        return (uint32_t)(code - CODE_ROWS);
    uint32_t i = 0;
    while (i < parser->count && short_name(parser->rows[i]) != code)
        i++;
    return i;
}

int flags_parse(const struct flag_table *tables, uint32_t count, int argc, char **argv, int *ret_rest,
                struct error *error)
{
    struct parser parser = {.count = 0};
    build(&parser, tables, count);
    for (uint32_t i = 0; i < parser.count; i++)
        if (parser.rows[i]->fallback && set_row(parser.rows[i], parser.tables[i], parser.rows[i]->fallback, error))
            return -1;
    optind = 0; /* GNU: start anew, whatever was read before */
    opterr = 0;
    int code;
    while ((code = getopt_long(argc, argv, parser.shorts, parser.longs, NULL)) != -1) {
        if (code == CODE_HELP || code == 'h')
            return 1;
        if (code == ':')
            return error_set(error, "%s wants a value: --help says which", argv[optind - 1]);
        if (code == '?')
            return unknown_flag(&parser, argv[optind - 1], error);
        uint32_t i = row_of(&parser, code);
        if (set_row(parser.rows[i], parser.tables[i], optarg, error))
            return -1;
    }
    *ret_rest = optind;
    return 0;
}

void flags_print(const struct flag_table *tables, uint32_t count, FILE *out)
{
    for (uint32_t t = 0; t < count; t++) {
        fprintf(out, "\n%s\n", tables[t].title);
        for (uint32_t i = 0; i < tables[t].count; i++) {
            const struct squall_option *row = &tables[t].rows[i];
            char left[64];
            snprintf(left, sizeof left, "  %c%c%c --%s%s%s", short_name(row) ? '-' : ' ',
                     short_name(row) ? short_name(row) : ' ', short_name(row) ? ',' : ' ', long_name(row),
                     row->metavar ? " " : "", row->metavar ? row->metavar : "");
            fprintf(out, "%-*s %s", HELP_COLUMN, left, row->help);
            if (row->fallback)
                fprintf(out, " (default %s)", row->fallback);
            fputc('\n', out);
        }
    }
}
