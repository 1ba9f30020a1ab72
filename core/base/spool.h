/*
 * Writes records to a file without ever blocking the thread that makes them. The producer fills fixed
 * buffers; a thread of the spool formats and writes them. When all buffers are full a record is refused and
 * counted, never waited for.
 *
 * The file is opened with O_APPEND and each write(2) holds whole lines, so several processes may share it.
 */
#ifndef SQUALL_BASE_SPOOL_H
#define SQUALL_BASE_SPOOL_H
#include <stddef.h>
#include <stdint.h>

struct spool;

/* Appends one record's text to out (room bytes free) and returns its length; never more than max_text of
 * spool_open. Runs on the spool's thread. */
typedef size_t spool_format_fn(const void *record, char *out, size_t room, void *arg);

/* Opens (creates, does not truncate) path. record_size is fixed; max_text bounds one record's text.
 * NULL with errno set on failure. */
struct spool *spool_open(const char *path, size_t record_size, size_t max_text, spool_format_fn *format, void *arg);
/* Room for one record, or NULL when the spool is full (counted). Filled by the caller before its next call. */
void *spool_record(struct spool *spool);
/* Hands a part-filled buffer to the writer: once a second. */
void spool_flush(struct spool *spool);
/* Writes all, closes, frees. Returns 0, or the first errno of a write; ret_lost (may be NULL) gets how many
 * records were refused or not written. Takes NULL. */
int spool_close(struct spool *spool, uint64_t *ret_lost);

#endif
