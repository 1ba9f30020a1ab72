/*
 * See tls_memory.h. malloc needs a thousand instructions to take and to return two blocks of this size, as they are too
 * large for its own caches; here it is a stack. The block handed out is the one used last, whoever the connection is,
 * so that the processor has it at hand. All blocks are malloc's: whatever is not kept is simply freed, on any thread.
 */
#include "engine/tls_memory.h"
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* A record has at most 16 KiB of plain text, and what OpenSSL adds is less than one KiB (RFC 8446 5.2). All buffers get
 * one size, so that each fits every use. */
#define RECORD_MIN  ((size_t)16 << 10)
#define RECORD_SIZE ((size_t)18 << 10)
#define KEPT_MAX    32u

static _Thread_local void *kept[KEPT_MAX];
static _Thread_local uint32_t kept_count;
static _Thread_local bool keeps;

static void *take(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size < RECORD_MIN || size > RECORD_SIZE)
        return size ? malloc(size) : NULL;
    return kept_count ? kept[--kept_count] : malloc(RECORD_SIZE);
}

static void *resize(void *block, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size)
        return realloc(block, size);
    free(block);
    return NULL;
}

static void give(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    if (!block)
        return;
    size_t size = malloc_usable_size(block);
    if (size >= RECORD_SIZE && size < 2 * RECORD_SIZE && keeps && kept_count < KEPT_MAX)
        kept[kept_count++] = block;
    else
        free(block);
}

void tls_memory_init(void)
{
    keeps = CRYPTO_set_mem_functions(take, resize, give) == 1;
}
