/*
 * Slabs and lists by size. A small block lies at a multiple of 8 in a slab of a chunk, whose head tells its slabs'
 * sizes; a larger one has its head in front of it, and lies 8 bytes behind a multiple of 16. So an address that is a
 * multiple of 16 is a small block's, and of another one the chunks are asked. Under the address sanitizer the part of a
 * slab that is not given out is poisoned: it sees no blocks in there.
 */
#include "h2_memory.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define POISONS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POISONS 1
#endif
#endif
#ifdef POISONS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)   ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

#define SMALL_STEP 8u
#define LARGE_STEP 16u
#define SMALL_MAX  (SMALL_STEP * H2_SMALL_SIZES)
#define SMALL_LOG  10u /* of SMALL_MAX, to the base of two */
#define STEP_LOG   3u  /* of the steps to a power of two */
#define NOT_KEPT   H2_SIZES
#define SEATED     (H2_SIZES + 1)
#define SLAB       ((size_t)16 * 1024)
#define CHUNK      ((size_t)1024 * 1024) /* asked for at a time: malloc touches a page in front of it */
#define SLABS      (CHUNK / SLAB)

struct h2_block {
    struct h2_block *next; /* while kept */
};

/* Begins at a multiple of its size; the first slab has what its head leaves. */
struct h2_chunk {
    struct h2_chunk *next;
    uint32_t used; /* slabs */
    uint32_t unused;
    uint8_t numbers[SLABS]; /* of the size of each slab's blocks */
};
_Static_assert(sizeof(struct h2_chunk) % LARGE_STEP == 0, "the first slab's blocks are aligned as the others'");
_Static_assert(H2_SMALL_SIZES <= UINT8_MAX, "h2_chunk.numbers");

/* Benches, in order. */
struct h2_seats {
    struct h2_seats *next;
    uint8_t *data;
    size_t used;
};

struct large {
    uint32_t number; /* NOT_KEPT: from malloc and back to it; SEATED: in a bench */
    uint32_t size;   /* that was asked for, of one in a bench */
};
_Static_assert(sizeof(struct large) == 8, "a large block lies 8 bytes behind what malloc gives");

_Static_assert(SMALL_MAX == 1u << SMALL_LOG, "larger sizes begin at a power of two");
_Static_assert((SMALL_MAX << ((H2_SIZES - H2_SMALL_SIZES) >> STEP_LOG)) == H2_KEPT_MAX,
               "the last size is the largest that is kept");

/* Begins at a multiple of its size; its head, blocks, and at BENCH_LAST the one block that does not fit before that. */
#define BENCH   ((size_t)32 * 1024)
#define BENCHES 32u
#define BENCH_LAST                                                                                                     \
    ((size_t)8192 - 768) /* a request's HEADERS frame is seldom longer than what is left of the two pages */

struct h2_bench {
    struct h2_bench *next; /* while it is empty */
    uint32_t blocks;       /* that sit there */
    uint32_t used;         /* bytes up to BENCH_LAST */
    bool last_used;
    uint64_t unused; /* blocks lie 8 bytes behind a multiple of 16 here too */
};
_Static_assert(sizeof(struct h2_bench) % LARGE_STEP == 0 && BENCH_LAST % LARGE_STEP == 0,
               "a seated block lies 8 bytes behind a multiple of 16");

static uint32_t number_of(size_t size)
{
    if (size <= SMALL_MAX)
        return size == 0 ? 0 : (uint32_t)((size - 1) / SMALL_STEP);
    if (size > H2_KEPT_MAX)
        return NOT_KEPT;
    uint32_t log = 63 - (uint32_t)__builtin_clzll(size - 1);
    return H2_SMALL_SIZES + ((log - SMALL_LOG) << STEP_LOG) +
           (uint32_t)((size - 1) >> (log - STEP_LOG) & ((1u << STEP_LOG) - 1));
}

static size_t size_of(uint64_t number)
{
    if (number < H2_SMALL_SIZES)
        return (number + 1) * SMALL_STEP;
    uint64_t step = number - H2_SMALL_SIZES, log = SMALL_LOG + (step >> STEP_LOG);
    return ((size_t)1 << log) + ((step & ((1u << STEP_LOG) - 1)) + 1) * ((size_t)1 << (log - STEP_LOG));
}

static struct h2_chunk *chunk_at(const void *data)
{
    return (struct h2_chunk *)((uintptr_t)data & ~(uintptr_t)(CHUNK - 1));
}

static struct h2_chunk **place_of(const struct h2_memory *memory, const struct h2_chunk *chunk)
{
    uint32_t at = (uint32_t)((uintptr_t)chunk / CHUNK) & (memory->known_size - 1);
    while (memory->known[at] != NULL && memory->known[at] != chunk)
        at = (at + 1) & (memory->known_size - 1);
    return &memory->known[at];
}

static bool is_small(const struct h2_memory *memory, const void *data)
{
    return ((uintptr_t)data & 8) == 0 || (memory->known_size > 0 && *place_of(memory, chunk_at(data)) != NULL);
}

static uint32_t small_number(const void *data)
{
    return chunk_at(data)->numbers[((uintptr_t)data & (CHUNK - 1)) / SLAB];
}

/* ---- new ones ---------------------------------------------------------------------------------- */

/* At most half full, so that who is not in it is soon known. */
static int know(struct h2_memory *memory, struct h2_chunk *chunk)
{
    if (memory->chunk_count * 2 >= memory->known_size) {
        struct h2_memory wider = {.known_size = memory->known_size == 0 ? 16 : memory->known_size * 2};
        wider.known = calloc(wider.known_size, sizeof *wider.known);
        if (wider.known == NULL)
            return -1;
        for (struct h2_chunk *one = memory->chunks; one != NULL; one = one->next)
            *place_of(&wider, one) = one;
        free(memory->known);
        memory->known = wider.known;
        memory->known_size = wider.known_size;
    }
    *place_of(memory, chunk) = chunk;
    chunk->next = memory->chunks;
    memory->chunks = chunk;
    memory->chunk_count++;
    return 0;
}

/* The first block of a new slab; NULL: no memory. */
static uint8_t *new_slab(struct h2_memory *memory, uint32_t number)
{
    struct h2_chunk *chunk = memory->chunks;
    if (chunk == NULL || chunk->used == SLABS) {
        chunk = aligned_alloc(CHUNK, CHUNK);
        if (chunk == NULL)
            return NULL;
        chunk->used = 0;
        if (know(memory, chunk) < 0) {
            free(chunk);
            return NULL;
        }
    }
    uint8_t *slab = (uint8_t *)chunk + chunk->used * SLAB;
    size_t head = chunk->used == 0 ? sizeof *chunk : 0;
    chunk->numbers[chunk->used++] = (uint8_t)number;
    ASAN_POISON_MEMORY_REGION(slab + head, SLAB - head);
    return slab + head;
}

static void *new_small(struct h2_memory *memory, uint32_t number)
{
    uint8_t *block = memory->fresh[number] != NULL ? memory->fresh[number] : new_slab(memory, number);
    if (block == NULL)
        return NULL;
    size_t size = size_of(number), at = (uintptr_t)block & (SLAB - 1);
    memory->fresh[number] = SLAB - at < 2 * size ? NULL : block + size;
    return block;
}

static void *new_large(uint32_t number, size_t size)
{
    struct large *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->number = number;
    return block + 1;
}

/* ---- benches ----------------------------------------------------------------------------------- */

static struct h2_bench *new_bench(struct h2_memory *memory)
{
    struct h2_seats *seats = memory->seats;
    if (seats == NULL || seats->used == BENCHES * BENCH) {
        seats = malloc(sizeof *seats);
        uint8_t *data = seats == NULL ? NULL : aligned_alloc(BENCH, BENCHES * BENCH);
        if (data == NULL) {
            free(seats);
            return NULL;
        }
        *seats = (struct h2_seats){.next = memory->seats, .data = data};
        memory->seats = seats;
    }
    struct h2_bench *bench = (struct h2_bench *)(void *)(seats->data + seats->used);
    seats->used += BENCH;
    return bench;
}

void h2_memory_seat(struct h2_memory *memory)
{
    struct h2_bench *bench = memory->benches;
    if (bench != NULL) {
        memory->benches = bench->next;
    } else {
        bench = new_bench(memory);
        if (bench == NULL)
            return; /* what would have sat there lies where it can */
        ASAN_POISON_MEMORY_REGION(bench + 1, BENCH - sizeof *bench);
    }
    /* One block that is nobody's keeps it until h2_memory_seated. */
    *bench = (struct h2_bench){.blocks = 1, .used = sizeof *bench};
    memory->bench = bench;
}

static void leave(struct h2_memory *memory, struct h2_bench *bench)
{
    if (--bench->blocks > 0)
        return;
    bench->next = memory->benches;
    memory->benches = bench;
}

void h2_memory_seated(struct h2_memory *memory)
{
    if (memory->bench != NULL)
        leave(memory, memory->bench);
    memory->bench = NULL;
}

/* NULL: no room. */
static void *sit(struct h2_memory *memory, size_t size)
{
    struct h2_bench *bench = memory->bench;
    size_t need = (sizeof(struct large) + size + LARGE_STEP - 1) / LARGE_STEP * LARGE_STEP, at = bench->used;
    if (need <= BENCH_LAST - bench->used) {
        bench->used += (uint32_t)need;
    } else if (!bench->last_used && need <= BENCH - BENCH_LAST) {
        bench->last_used = true;
        at = BENCH_LAST;
    } else {
        return NULL;
    }
    bench->blocks++;
    struct large *block = (struct large *)(void *)((uint8_t *)bench + at);
    ASAN_UNPOISON_MEMORY_REGION(block, sizeof *block + size);
    *block = (struct large){.number = SEATED, .size = (uint32_t)size};
    return block + 1;
}

static void stand_up(struct h2_memory *memory, struct large *block)
{
    struct h2_bench *bench = (struct h2_bench *)(void *)((uintptr_t)block & ~(uintptr_t)(BENCH - 1));
    ASAN_POISON_MEMORY_REGION(block, sizeof *block + block->size);
    leave(memory, bench);
}

/* ---- blocks ------------------------------------------------------------------------------------ */

/* Apart, so that the usual way out of h2_memory_take needs no register of the caller's. */
static __attribute__((noinline)) void *take_other(struct h2_memory *memory, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    if (memory->bench != NULL && size > SMALL_MAX && size < BENCH) {
        void *seat = sit(memory, size);
        if (seat != NULL)
            return seat;
    }
    uint32_t number = number_of(size);
    if (number == NOT_KEPT)
        return new_large(number, size);
    struct h2_block *block = memory->kept[number];
    if (block != NULL)
        memory->kept[number] = block->next;
    else
        block = number < H2_SMALL_SIZES ? new_small(memory, number) : new_large(number, size_of(number));
    if (block != NULL && number < H2_SMALL_SIZES)
        ASAN_UNPOISON_MEMORY_REGION(block, size);
    return block;
}

void *h2_memory_take(struct h2_memory *memory, size_t size)
{
    if (size - 1 >= SMALL_MAX) /* 0 too */
        return take_other(memory, size);
    struct h2_block **kept = &memory->kept[(size - 1) / SMALL_STEP], *block = *kept;
    if (block == NULL)
        return take_other(memory, size);
    *kept = block->next;
    ASAN_UNPOISON_MEMORY_REGION(block, size);
    return block;
}

void *h2_memory_take_seat(struct h2_memory *memory, size_t size)
{
    void *seat = memory->bench != NULL && size < BENCH ? sit(memory, size) : NULL;
    return seat != NULL ? seat : h2_memory_take(memory, size);
}

static void keep(struct h2_memory *memory, uint64_t number, struct h2_block *block)
{
    block->next = memory->kept[number];
    memory->kept[number] = block;
}

void h2_memory_give(struct h2_memory *memory, void *data)
{
    if (data == NULL)
        return;
    if (is_small(memory, data)) { /* the link stays readable */
        uint32_t number = small_number(data);
        ASAN_UNPOISON_MEMORY_REGION(data, sizeof(struct h2_block));
        ASAN_POISON_MEMORY_REGION((struct h2_block *)data + 1, size_of(number) - sizeof(struct h2_block));
        keep(memory, number, data);
        return;
    }
    struct large *block = (struct large *)data - 1;
    if (block->number == NOT_KEPT)
        free(block);
    else if (block->number == SEATED)
        stand_up(memory, block);
    else
        keep(memory, block->number, data);
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
    bool small = is_small(memory, data);
    uint32_t number = small ? small_number(data) : ((struct large *)data - 1)->number;
    if (number == NOT_KEPT) {
        /* Stays one that is not kept, however small it becomes. */
        struct large *block = size > SIZE_MAX / 2 ? NULL : realloc((struct large *)data - 1, sizeof *block + size);
        return block == NULL ? NULL : block + 1;
    }
    size_t room = number == SEATED ? ((struct large *)data - 1)->size : size_of(number);
    if (small)
        ASAN_UNPOISON_MEMORY_REGION(data, size < room ? size : room);
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
    for (uint32_t i = H2_SMALL_SIZES; i < H2_SIZES; i++) {
        while (memory->kept[i] != NULL) {
            struct h2_block *block = memory->kept[i];
            memory->kept[i] = block->next;
            free((struct large *)(void *)block - 1);
        }
    }
    while (memory->chunks != NULL) {
        struct h2_chunk *chunk = memory->chunks;
        memory->chunks = chunk->next;
        ASAN_UNPOISON_MEMORY_REGION(chunk, CHUNK);
        free(chunk);
    }
    while (memory->seats != NULL) {
        struct h2_seats *seats = memory->seats;
        memory->seats = seats->next;
        ASAN_UNPOISON_MEMORY_REGION(seats->data, BENCHES * BENCH);
        free(seats->data);
        free(seats);
    }
    free(memory->known);
    *memory = (struct h2_memory){0};
}
