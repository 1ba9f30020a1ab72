/*
 * The spool: a producer, a writer thread, and a fixed set of buffers that go round between them. See spool.h.
 *
 * A buffer belongs to exactly one side at a time: the producer (`filling`), the queue, the writer, or the free list. The
 * mutex is taken only where a buffer changes hands, once in some thousand records, and never held across a
 * system call.
 */
#include "base/spool.h"
#include "base/arena.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define BUFFERS 16
#define BUFFER_BYTES ((size_t)256 << 10)
#define TEXT_BYTES ((size_t)256 << 10)
#define ALIGNMENT 16u

struct spool_buffer {
    unsigned char *records;
    size_t count;
};

struct spool {
    /* fixed after spool_open */
    int fd;
    size_t stride, per_buffer, max_text;
    spool_format_fn *format;
    void *arg;
    pthread_t thread;
    struct spool_buffer buffers[BUFFERS];

    /* the producer's */
    struct spool_buffer *filling;
    uint64_t refused;

    /* under the mutex; both lists hold at most BUFFERS */
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct spool_buffer *free_list[BUFFERS], *queue[BUFFERS];
    unsigned free_count, queue_first, queue_count;
    bool closing;

    /* the writer's, and the closer's once the thread has ended */
    char *text;
    size_t text_size, text_len;
    uint64_t text_records, unwritten;
    int first_errno;
};

/* Writes the whole lines in `text`. After the first failure nothing more is written: half a line may stand at the
 * end of the file, and what followed it would be read as part of it. */
static void write_text(struct spool *spool)
{
    size_t done = 0;
    while (done < spool->text_len && !spool->first_errno) {
        ssize_t written = write(spool->fd, spool->text + done, spool->text_len - done);
        if (written >= 0)
            done += (size_t)written;
        else if (errno != EINTR)
            spool->first_errno = errno;
    }
    if (done < spool->text_len)
        spool->unwritten += spool->text_records;
    spool->text_len = 0;
    spool->text_records = 0;
}

static void write_buffer(struct spool *spool, const struct spool_buffer *buffer)
{
    for (size_t i = 0; i < buffer->count; i++) {
        if (spool->first_errno) {
            spool->unwritten += buffer->count - i;
            return;
        }
        if (spool->text_size - spool->text_len < spool->max_text)
            write_text(spool);
        spool->text_len += spool->format(buffer->records + i * spool->stride, spool->text + spool->text_len,
                                         spool->text_size - spool->text_len, spool->arg);
        spool->text_records++;
    }
    write_text(spool);
}

static void *run_writer(void *arg)
{
    struct spool *spool = arg;
    pthread_mutex_lock(&spool->mutex);
    for (;;) {
        while (spool->queue_count == 0 && !spool->closing)
            pthread_cond_wait(&spool->filled, &spool->mutex);
        if (spool->queue_count == 0)
            break;
        struct spool_buffer *buffer = spool->queue[spool->queue_first];
        spool->queue_first = (spool->queue_first + 1) % BUFFERS;
        spool->queue_count--;
        pthread_mutex_unlock(&spool->mutex);
        write_buffer(spool, buffer);
        buffer->count = 0;
        pthread_mutex_lock(&spool->mutex);
        spool->free_list[spool->free_count++] = buffer;
    }
    pthread_mutex_unlock(&spool->mutex);
    return NULL;
}

/* Signals are the engine thread's to take. */
static int start_writer(struct spool *spool)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = pthread_create(&spool->thread, NULL, run_writer, spool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

static void spool_free(struct spool *spool)
{
    for (int i = 0; i < BUFFERS; i++)
        free(spool->buffers[i].records);
    pthread_cond_destroy(&spool->filled);
    pthread_mutex_destroy(&spool->mutex);
    free(spool->text);
    free(spool);
}

struct spool *spool_open(const char *path, size_t record_size, size_t max_text, spool_format_fn *format, void *arg)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return NULL;
    struct spool *spool = xcalloc(1, sizeof(*spool));
    spool->fd = fd;
    spool->stride = (record_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    spool->per_buffer = spool->stride < BUFFER_BYTES ? BUFFER_BYTES / spool->stride : 1;
    spool->max_text = max_text;
    spool->text_size = max_text < TEXT_BYTES ? TEXT_BYTES : max_text;
    spool->text = xmalloc(spool->text_size);
    spool->format = format;
    spool->arg = arg;
    for (unsigned i = 0; i < BUFFERS; i++) {
        spool->buffers[i].records = xmalloc(spool->per_buffer * spool->stride);
        spool->free_list[spool->free_count++] = &spool->buffers[i];
    }
    pthread_mutex_init(&spool->mutex, NULL);
    pthread_cond_init(&spool->filled, NULL);
    int failure = start_writer(spool);
    if (failure) {
        close(fd);
        spool_free(spool);
        errno = failure;
        return NULL;
    }
    return spool;
}

void *spool_record(struct spool *spool)
{
    if (spool->filling && spool->filling->count == spool->per_buffer)
        spool_flush(spool);
    if (!spool->filling) {
        pthread_mutex_lock(&spool->mutex);
        if (spool->free_count)
            spool->filling = spool->free_list[--spool->free_count];
        pthread_mutex_unlock(&spool->mutex);
    }
    if (!spool->filling) {
        spool->refused++;
        return NULL;
    }
    return spool->filling->records + spool->filling->count++ * spool->stride;
}

void spool_flush(struct spool *spool)
{
    if (!spool->filling || spool->filling->count == 0)
        return;
    pthread_mutex_lock(&spool->mutex);
    spool->queue[(spool->queue_first + spool->queue_count++) % BUFFERS] = spool->filling;
    pthread_cond_signal(&spool->filled);
    pthread_mutex_unlock(&spool->mutex);
    spool->filling = NULL;
}

int spool_close(struct spool *spool, uint64_t *ret_lost)
{
    if (ret_lost)
        *ret_lost = 0;
    if (!spool)
        return 0;
    spool_flush(spool);
    pthread_mutex_lock(&spool->mutex);
    spool->closing = true;
    pthread_cond_signal(&spool->filled);
    pthread_mutex_unlock(&spool->mutex);
    pthread_join(spool->thread, NULL);
    /* Some file systems tell of a full disk only now. */
    if (close(spool->fd) < 0 && !spool->first_errno)
        spool->first_errno = errno;
    int result = spool->first_errno;
    if (ret_lost)
        *ret_lost = spool->refused + spool->unwritten;
    spool_free(spool);
    return result;
}
