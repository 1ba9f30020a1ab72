/* A growing byte buffer with a limit. See buffer.h. */
#include "base/buffer.h"
#include "base/arena.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 256u

void buffer_fini(struct buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->len = buffer->capacity = 0;
}

/* One byte more than capacity is allocated, so that buffer_printf may end its text with NUL at the limit too. */
uint8_t *buffer_reserve(struct buffer *buffer, size_t more)
{
    size_t limit = buffer->limit ? buffer->limit : SIZE_MAX / 4;
    if (buffer->len > limit || more > limit - buffer->len)
        return NULL;
    size_t needed = buffer->len + more;
    if (!buffer->data || needed > buffer->capacity) {
        size_t capacity = buffer->capacity ? buffer->capacity : CAPACITY_MIN;
        while (capacity < needed)
            capacity *= 2;
        if (capacity > limit)
            capacity = limit;
        buffer->data = xrealloc(buffer->data, capacity + 1);
        buffer->capacity = capacity;
    }
    return buffer->data + buffer->len;
}

int buffer_append(struct buffer *buffer, const void *data, size_t len)
{
    uint8_t *room = buffer_reserve(buffer, len);
    if (!room)
        return -1;
    if (len)
        memcpy(room, data, len);
    buffer->len += len;
    return 0;
}

int buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *room = length < 0 ? NULL : buffer_reserve(buffer, (size_t)length);
    if (room) {
        vsnprintf((char *)room, (size_t)length + 1, format, again);
        buffer->len += (size_t)length;
    }
    va_end(again);
    return room ? 0 : -1;
}

void buffer_consume(struct buffer *buffer, size_t len)
{
    if (len >= buffer->len) {
        buffer->len = 0;
        return;
    }
    if (len == 0)
        return;
    buffer->len -= len;
    memmove(buffer->data, buffer->data + len, buffer->len);
}
