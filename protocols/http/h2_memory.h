/*
 * Memory for the HTTP/2 sessions of one worker: blocks that are given back are kept by size and given out again, so
 * that once a run has seen its busiest moment a request costs no call to malloc. nghttp2 takes all of its memory here.
 *
 * One thread. What was given back is held until h2_memory_fini, so a worker holds what it needed at its peak. Blocks
 * above H2_KEPT_MAX are not kept.
 */
#ifndef SQUALL_HTTP_H2_MEMORY_H
#define SQUALL_HTTP_H2_MEMORY_H
#include <nghttp2/nghttp2.h>
#include <stddef.h>

#define H2_KEPT_MAX 65536 /* bytes of the largest block that is kept, with what stands before it */
#define H2_SIZES    88    /* of blocks: multiples of 16 up to 1,024, then four steps to each power of two */

struct h2_block;

/* All zero: empty. */
struct h2_memory {
    struct h2_block *kept[H2_SIZES];
    nghttp2_mem hooks; /* for nghttp2; set by h2_memory_init */
};

void h2_memory_init(struct h2_memory *memory);
/* Every block has been given back. */
void h2_memory_fini(struct h2_memory *memory);

/* Aligned to 16 bytes, not zeroed. NULL: no memory. */
void *h2_memory_take(struct h2_memory *memory, size_t size);
/* NULL is taken. */
void h2_memory_give(struct h2_memory *memory, void *data);

#endif
