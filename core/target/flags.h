/* Command-line flags out of tables of struct squall_option: one row makes the parser, the range check and the help. */
#ifndef SQUALL_TARGET_FLAGS_H
#define SQUALL_TARGET_FLAGS_H
#include "base/error.h"
#include <squall/plugin.h>
#include <stdio.h>

#define FLAGS_TABLES_MAX 4
#define FLAGS_MAX        64 /* rows of all tables together */

struct flag_table {
    const char *title;
    const struct squall_option *rows; /* `flag` is "-d,--duration" or "--delay"; no SQUALL_MAP, no SQUALL_CHOICE */
    uint32_t count;
    void *values; /* the rows' offsets point into it */
    /* For SQUALL_STRING rows, once for each time that the flag is given; NULL: the text itself is stored, the last
     * one wins. Texts are argv's, and live as long. 0, or -1 with the error filled. */
    int (*set_text)(const struct squall_option *row, const char *text, void *values, struct error *error);
};

/* Sets every row's fallback, then reads argv[1..]. 0; 1 when --help was asked for; or -1 with the error filled.
 * *ret_rest is the index of the first argument that is not a flag, argc when there is none; argv is permuted. */
int flags_parse(const struct flag_table *tables, uint32_t count, int argc, char **argv, int *ret_rest,
                struct error *error);
/* The tables as help text. */
void flags_print(const struct flag_table *tables, uint32_t count, FILE *out);

#endif
