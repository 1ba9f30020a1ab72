/* What a run shows and leaves behind. Reports read a result; they compute nothing that another report computes too. */
#ifndef SQUALL_REPORT_REPORT_H
#define SQUALL_REPORT_REPORT_H
#include "base/buffer.h"
#include "metrics/result.h"
#include <stdio.h>

/* Live view. On a terminal: a progress bar for each stage and a status line, redrawn in place; else one plain line
 * every few seconds. */
struct console;
struct console *console_new(FILE *out, const struct scenario *scenario, bool quiet);
void console_progress(struct console *console, const struct progress *progress); /* once a second */
/* Leaves the last state on the screen; frees. Takes NULL. */
void console_free(struct console *console);

/* The final screen. width: columns; colour: ANSI. */
void screen_print(const struct result *result, uint32_t width, bool colour, struct buffer *out);
/* Its last section, once they are written: where the run's files are. Nothing when there are none. */
void screen_print_files(const char *const *paths, uint32_t count, uint32_t width, bool colour, struct buffer *out);

/* The summary of docs/cli.md, schema squall.summary/1. */
int summary_write(const struct result *result, const char *path, struct error *error);

#endif
