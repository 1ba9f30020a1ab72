/* Free lists by size. Before each block stands its size's number, so that giving back needs no size. */
#include "h2_memory.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SMALL_STEP  16u
#define SMALL_SIZES 64u
#define SMALL_MAX   (SMALL_STEP * SMALL_SIZES)
#define SMALL_LOG   10u /* of SMALL_MAX, to the base of two */
#define QUARTERS    4u
#define NOT_KEPT    H2_SIZES

struct h2_block {
    struct h2_block *next; /* while kept */
    uint32_t number;       /* of its size; NOT_KEPT: from malloc and back to it */
    uint32_t unused;       /* pads to 16 bytes, so that what follows is aligned */
};
_Static_assert(sizeof(struct h2_block) == 16, "what follows a block's head is aligned to 16 bytes");
_Static_assert(SMALL_MAX == 1u << SMALL_LOG, "larger sizes begin at a power of two");
_Static_assert((SMALL_MAX << (H2_SIZES - SMALL_SIZES) / QUARTERS) == H2_KEPT_MAX,
               "the last size is the largest that is kept");

static uint32_t number_of(size_t whole)
{
    if (whole <= SMALL_MAX)
        return (uint32_t)((whole - 1) / SMALL_STEP);
    if (whole > H2_KEPT_MAX)
        return NOT_KEPT;
    uint32_t log = 63 - (uint32_t)__builtin_clzll(whole - 1);
    return SMALL_SIZES + (log - SMALL_LOG) * QUARTERS + (uint32_t)((whole - 1) >> (log - 2) & 3);
}

static size_t size_of(uint32_t number)
{
    if (number < SMALL_SIZES)
        return (number + 1) * SMALL_STEP;
    uint32_t log = SMALL_LOG + (number - SMALL_SIZES) / QUARTERS;
    return ((size_t)1 << log) + ((number - SMALL_SIZES) % QUARTERS + 1) * ((size_t)1 << (log - 2));
}

void *h2_memory_take(struct h2_memory *memory, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    uint32_t number = number_of(size + sizeof(struct h2_block));
    struct h2_block *block = number == NOT_KEPT ? NULL : memory->kept[number];
    if (block != NULL) {
        memory->kept[number] = block->next;
        return block + 1;
    }
    block = malloc(number == NOT_KEPT ? size + sizeof *block : size_of(number));
    if (block == NULL)
        return NULL;
    block->number = number;
    return block + 1;
}

void h2_memory_give(struct h2_memory *memory, void *data)
{
    if (data == NULL)
        return;
    struct h2_block *block = (struct h2_block *)data - 1;
    if (block->number == NOT_KEPT) {
        free(block);
        return;
    }
    block->next = memory->kept[block->number];
    memory->kept[block->number] = block;
}

/* ---- nghttp2's hooks --------------------------------------------------------------------------- */

static void *hook_malloc(size_t size, void *memory)
{
    return h2_memory_take(memory, size);
}

static void hook_free(void *data, void *memory)
{
    h2_memory_give(memory, data);
}

static void *hook_calloc(size_t count, size_t size, void *memory)
{
    if (size > 0 && count > SIZE_MAX / 2 / size)
        return NULL;
    void *data = h2_memory_take(memory, count * size);
    if (data != NULL)
        memset(data, 0, count * size);
    return data;
}

static void *hook_realloc(void *data, size_t size, void *memory)
{
    if (data == NULL)
        return h2_memory_take(memory, size);
    struct h2_block *block = (struct h2_block *)data - 1;
    if (block->number == NOT_KEPT) {
        /* Stays one that is not kept, however small it becomes. */
        block = size > SIZE_MAX / 2 ? NULL : realloc(block, size + sizeof *block);
        return block == NULL ? NULL : block + 1;
    }
    size_t room = size_of(block->number) - sizeof *block;
    if (size <= room)
        return data;
    void *larger = h2_memory_take(memory, size);
    if (larger == NULL)
        return NULL;
    memcpy(larger, data, room);
    h2_memory_give(memory, data);
    return larger;
}

void h2_memory_init(struct h2_memory *memory)
{
    *memory = (struct h2_memory){.hooks = {.mem_user_data = memory,
                                           .malloc = hook_malloc,
                                           .free = hook_free,
                                           .calloc = hook_calloc,
                                           .realloc = hook_realloc}};
}

void h2_memory_fini(struct h2_memory *memory)
{
    for (uint32_t i = 0; i < H2_SIZES; i++) {
        while (memory->kept[i] != NULL) {
            struct h2_block *block = memory->kept[i];
            memory->kept[i] = block->next;
            free(block);
        }
    }
}
