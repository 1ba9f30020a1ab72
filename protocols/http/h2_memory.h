/*
 * Memory for the HTTP/2 sessions of one worker: blocks that are given back are kept by size and given out again, so
 * that once a run has seen its busiest moment a request costs no call to malloc. nghttp2 takes all of its memory here.
 *
 * Small blocks of one size stand side by side in a slab, and slabs in chunks that begin at a multiple of their own
 * size: nothing stands in front of a block, its size is found from its address. That counts, because most of a session
 * is some two hundred blocks of 50 to 250 bytes (entries of HPACK's tables, streams). Larger ones come from malloc.
 *
 * A session's own blocks, a few of some thousand bytes, are the other part. One of them, nghttp2's buffer for a frame,
 * is larger than any page and used for its first bytes only: so the session sits in a bench of its own, whose first two
 * pages hold all of that and the buffer's beginning. Its other pages are never touched, and cost nothing.
 *
 * One thread. What was given back is held until h2_memory_fini, so a worker holds what it needed at its peak. Blocks
 * above H2_KEPT_MAX are not kept.
 */
#ifndef SQUALL_HTTP_H2_MEMORY_H
#define SQUALL_HTTP_H2_MEMORY_H
#include <nghttp2/nghttp2.h>
#include <stddef.h>
#include <stdint.h>

#define H2_KEPT_MAX    65536 /* bytes of the largest block that is kept */
#define H2_SIZES       176   /* of blocks: multiples of 8 up to 1,024, then eight steps to each power of two */
#define H2_SMALL_SIZES 128   /* the first of them: those in slabs */

struct h2_block;
struct h2_chunk;
struct h2_seats;
struct h2_bench;

/* All zero: empty. */
struct h2_memory {
    struct h2_block *kept[H2_SIZES];
    uint8_t
        *fresh[H2_SMALL_SIZES]; /* in the newest slab of the size: what nobody had yet; NULL: none left, or no slab */
    struct h2_chunk *chunks;    /* slabs come from these; the first may have some left */
    struct h2_chunk **known;    /* the same, to be found by their addresses: known_size places, a power of two */
    uint32_t known_size, chunk_count;
    struct h2_seats *seats;   /* benches come from these; the first may have some left */
    struct h2_bench *benches; /* that nobody sits in */
    struct h2_bench *bench;   /* between h2_memory_seat and h2_memory_seated; NULL: none */
    nghttp2_mem hooks;        /* for nghttp2; set by h2_memory_init */
};

void h2_memory_init(struct h2_memory *memory);
/* Every block has been given back. */
void h2_memory_fini(struct h2_memory *memory);

/* Aligned to 8 bytes, not zeroed. NULL: no memory. */
void *h2_memory_take(struct h2_memory *memory, size_t size);
/* A session's memory begins and ends to be taken. What h2_memory_take gives between them lies together if it is larger
 * than a small block, and so does what h2_memory_take_seat gives, as far as there is room. */
void h2_memory_seat(struct h2_memory *memory);
void *h2_memory_take_seat(struct h2_memory *memory, size_t size);
void h2_memory_seated(struct h2_memory *memory);
/* NULL is taken. */
void h2_memory_give(struct h2_memory *memory, void *data);

#endif
