/* A growing byte buffer with a limit. */
#ifndef SQUALL_BASE_BUFFER_H
#define SQUALL_BASE_BUFFER_H
#include <stddef.h>
#include <stdint.h>

struct buffer {
    uint8_t *data;
    size_t len, capacity;
    size_t limit; /* len never passes it; 0 = none */
};

/* Start from zeroed memory (or set limit). */
void buffer_fini(struct buffer *buffer);
/* Room for `more` bytes behind len, or NULL at the limit. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t more);
/* 0, or -1 at the limit, when nothing is appended. */
int buffer_append(struct buffer *buffer, const void *data, size_t len);
int buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Drops the first len bytes. */
void buffer_consume(struct buffer *buffer, size_t len);

#endif
