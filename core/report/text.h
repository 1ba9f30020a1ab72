/*
 * Text for people: how many columns it takes, cutting and wrapping it, tones.
 *
 * Names, codes and reasons come from files and from peers, so whatever reaches a terminal passes text_clean first:
 * no control character of theirs gets there.
 */
#ifndef SQUALL_REPORT_TEXT_H
#define SQUALL_REPORT_TEXT_H
#include "base/buffer.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tone { TONE_PLAIN, TONE_BOLD, TONE_DIM, TONE_GOOD, TONE_BAD, TONE_WARN, TONE_COUNT };

/* Valid UTF-8 without control characters, cut at a character so that it fits in size bytes: a control character
 * becomes a space, a byte that is no UTF-8 becomes U+FFFD. Returns buf. */
char *text_clean(char *buf, size_t size, const char *text);
/* The same, malloc'd and not cut. */
char *text_clean_copy(const char *text);

/* Columns of clean text on a terminal: wide characters take two, combining ones none. */
uint32_t text_width(const char *text);
/* Bytes of the longest start of clean text that takes at most `columns`. */
size_t text_fit(const char *text, uint32_t columns);

/* Appends clean text in a tone; the tone is left out without colour. */
void text_put(struct buffer *out, const char *text, enum tone tone, bool colour);
/* The same cut to `columns`, the last of them an ellipsis when something was cut. Returns the columns taken. */
uint32_t text_put_cut(struct buffer *out, const char *text, uint32_t columns, enum tone tone, bool colour);
void text_spaces(struct buffer *out, uint32_t count);

/* Appends lines of at most `width` columns, broken at spaces, the first as it stands at column `at`, further ones
 * indented by `indent`; ends with a newline. A word longer than a line is cut. */
void text_wrap(struct buffer *out, const char *text, uint32_t at, uint32_t indent, uint32_t width, enum tone tone,
               bool colour);

/* "12s", "2m05s", "1h02m": a moment of the run, floored to seconds; below 10 s with tenths where `fine`. Returns buf.
 */
char *text_clock(char *buf, size_t size, uint64_t ns, bool fine);
/* "1,204" below ten million, "12.3M" above: exact as long as a column can hold it. Returns buf. */
char *text_count(char *buf, size_t size, uint64_t count);

#endif
