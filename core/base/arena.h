/*
 * Memory that lives as long as its arena: allocated in blocks, freed all at once. Not thread-safe.
 * Allocation failure aborts: it happens at start-up only, where there is nothing to save.
 */
#ifndef SQUALL_BASE_ARENA_H
#define SQUALL_BASE_ARENA_H
#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *blocks;
    unsigned char *next, *end;
};

void arena_init(struct arena *arena);
void arena_fini(struct arena *arena);
/* Zeroed, aligned to 16 bytes; never NULL; size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);
/* The same, but aligned to a cache line. */
void *arena_alloc_lines(struct arena *arena, size_t size);
/* Likewise aligned to 16, but what is in it is anything: for what is written over at once. */
static inline void *arena_take(struct arena *arena, size_t size);
/* Copies len bytes and puts a NUL behind them. */
char *arena_copy(struct arena *arena, const void *data, size_t len);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Forgets all allocations but keeps the largest block: for scratch memory that is reused. */
void arena_reset(struct arena *arena);

/* arena_take's slow half: a new block. */
void *arena_take_block(struct arena *arena, size_t size);

#define ARENA_ALIGNMENT ((size_t)16)
#define CACHE_LINE ((size_t)64)
static inline void *arena_take(struct arena *arena, size_t size)
{
    size_t taken = (size + ARENA_ALIGNMENT - 1) & ~(ARENA_ALIGNMENT - 1);
    /* taken < size: it wrapped around; next is NULL as long as there is no block. */
    if (__builtin_expect(!arena->next || taken < size || (size_t)(arena->end - arena->next) < taken, 0))
        return arena_take_block(arena, size);
    void *data = arena->next;
    arena->next += taken;
    return data;
}

/* malloc, realloc and calloc that abort with a message instead of returning NULL. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *data, size_t size);
/* Their end, for those that ask the kernel themselves. */
_Noreturn void out_of_memory(size_t size);

#endif
