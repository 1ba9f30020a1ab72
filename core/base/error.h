/*
 * Error texts. Fallible functions take a struct error and return 0 or -1. The text says what is wrong,
 * where, and what to do; only core/cli prints it. On failure ret_ outputs are untouched.
 */
#ifndef SQUALL_BASE_ERROR_H
#define SQUALL_BASE_ERROR_H
#include "base/exit_code.h"

struct error {
    int exit_code; /* from enum exit_code in base/exit_code.h; set by error_set to EXIT_CODE_USAGE */
    char text[1200];
};

/* Formats the text, cut at the buffer's end; returns -1 so that `return error_set(...)` reads well. */
int error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with an exit code of its own. */
int error_set_code(struct error *error, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "prefix: " before the present text; returns -1. */
int error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The nearest of count names to word, or NULL when none is near enough to suggest. `names` is read with
 * the given stride, so that the name may be the first member of a table's row. */
const char *error_nearest(const char *word, const char *const *names, unsigned count, unsigned long stride);

#endif
