/* JSON text that grows up to a limit. Past it, or without memory, `failed` is set and nothing is added any more: one
 * look at the end is enough. */
#ifndef SQUALL_GRPC_TEXT_H
#define SQUALL_GRPC_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pb_text {
    char *data; /* NUL-terminated behind len once something was added */
    size_t len, size, limit;
    bool failed;
};

/* Start from {.limit = ...}. */
void pb_text_fini(struct pb_text *text);
/* Empties it and keeps the memory. */
void pb_text_reset(struct pb_text *text);
void pb_text_add(struct pb_text *text, const void *bytes, size_t len);
void pb_text_adds(struct pb_text *text, const char *string);
void pb_text_addf(struct pb_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* In quotes and escaped; what is no UTF-8 becomes U+FFFD. */
void pb_text_quote(struct pb_text *text, const uint8_t *bytes, size_t len);
/* In quotes, as base64. */
void pb_text_base64(struct pb_text *text, const uint8_t *bytes, size_t len);
/* The shortest number that reads back as the same; what JSON has no number for stands in quotes. */
void pb_text_double(struct pb_text *text, double value);
void pb_text_float(struct pb_text *text, float value);

#endif
