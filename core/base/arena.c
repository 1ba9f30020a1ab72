/* Memory in blocks, freed all at once; and the allocators that abort. See arena.h. */
#include "base/arena.h"
#include "base/log.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN ((size_t)16 << 10)
#define BLOCK_MAX ((size_t)1 << 20) /* of those that grow by themselves; one large allocation may need more */

/* The newest block comes first and is the one that `next` walks. Its room follows the header. */
struct arena_block {
    struct arena_block *older;
    size_t room;
};

#define HEADER ((sizeof(struct arena_block) + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT)

void out_of_memory(size_t size)
{
    log_line(LOG_ERROR, "out of memory: %zu more bytes were refused; raise the limit (ulimit -v, a container's), or use fewer users or connections",
             size);
    abort();
}

void *xmalloc(size_t size)
{
    void *data = malloc(size ? size : 1);
    if (!data)
        out_of_memory(size);
    return data;
}

void *xcalloc(size_t count, size_t size)
{
    void *data = calloc(count ? count : 1, size ? size : 1);
    if (!data)
        out_of_memory(size && count > SIZE_MAX / size ? SIZE_MAX : count * size);
    return data;
}

void *xrealloc(void *data, size_t size)
{
    void *moved = realloc(data, size ? size : 1);
    if (!moved)
        out_of_memory(size);
    return moved;
}

static void walk_block(struct arena *arena, struct arena_block *block)
{
    arena->next = (unsigned char *)block + HEADER;
    arena->end = arena->next + block->room;
}

static void add_block(struct arena *arena, size_t size)
{
    size_t room = arena->blocks ? arena->blocks->room * 2 : BLOCK_MIN;
    if (room > BLOCK_MAX)
        room = BLOCK_MAX;
    if (room < size)
        room = size;
    struct arena_block *block = xmalloc(HEADER + room);
    block->older = arena->blocks;
    block->room = room;
    arena->blocks = block;
    walk_block(arena, block);
}

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

void arena_fini(struct arena *arena)
{
    for (struct arena_block *block = arena->blocks, *older; block; block = older) {
        older = block->older;
        free(block);
    }
    arena_init(arena);
}

void *arena_take_block(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - HEADER - ARENA_ALIGNMENT)
        out_of_memory(size);
    size_t taken = (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    add_block(arena, taken);
    void *data = arena->next;
    arena->next += taken;
    return data;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return memset(arena_take(arena, size), 0, size);
}

void *arena_alloc_lines(struct arena *arena, size_t size)
{
    size_t more = CACHE_LINE - ARENA_ALIGNMENT;
    if (size > SIZE_MAX - more)
        out_of_memory(size);
    uintptr_t data = (uintptr_t)arena_alloc(arena, size + more);
    return (void *)((data + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
}

char *arena_copy(struct arena *arena, const void *data, size_t len)
{
    if (len == SIZE_MAX)
        out_of_memory(len);
    char *copy = arena_take(arena, len + 1);
    if (len)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    size_t size = length < 0 ? 1 : (size_t)length + 1;
    char *text = arena_alloc(arena, size);
    vsnprintf(text, size, format, again);
    va_end(again);
    return text;
}

void arena_reset(struct arena *arena)
{
    struct arena_block *largest = arena->blocks;
    if (!largest)
        return;
    for (struct arena_block *block = largest->older, *older; block; block = older) {
        older = block->older;
        if (block->room > largest->room) {
            free(largest);
            largest = block;
        } else {
            free(block);
        }
    }
    largest->older = NULL;
    arena->blocks = largest;
    walk_block(arena, largest);
}
