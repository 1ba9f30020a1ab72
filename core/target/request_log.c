/* The target's record of requests. The spool's thread formats; the loop's thread only copies a record. */
#include "target/request_log.h"
#include "base/arena.h"
#include "base/exit_code.h"
#include "base/spool.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NUMBERS_MAX 400 /* the line without its label: eight numbers of at most 20 digits and their names */
#define TEXT_MAX    (NUMBERS_MAX + 6 * REQUEST_LABEL_MAX)

struct request_log {
    struct spool *spool;
    const char *path;
};

static const char *const outcome_names[] = {"answered", "reset", "aborted"};

/* Digits only: printf's generality costs more here than everything else of a line. */
static char *put_number(char *out, uint64_t number)
{
    char digits[20];
    unsigned count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        *out++ = digits[--count];
    return out;
}

static char *put_text(char *out, const char *text)
{
    size_t len = strlen(text);
    memcpy(out, text, len);
    return out + len;
}

/* Bytes that JSON or UTF-8 would object to become \u00XX. */
static char *put_label(char *out, const struct request_record *record)
{
    static const char hex[] = "0123456789abcdef";
    for (uint32_t i = 0; i < record->label_len; i++) {
        uint8_t byte = record->label[i];
        if (byte < 0x20 || byte > 0x7e || byte == '"' || byte == '\\') {
            out = put_text(out, "\\u00");
            *out++ = hex[byte >> 4];
            *out++ = hex[byte & 15];
        } else {
            *out++ = (char)byte;
        }
    }
    return out;
}

static size_t format_record(const void *data, char *out, size_t room, void *arg)
{
    (void)arg;
    (void)room; /* at least TEXT_MAX, by spool_open */
    const struct request_record *record = data;
    char *end = put_number(put_text(out, "{\"id\":"), record->id);
    end = put_number(put_text(end, ",\"conn\":"), record->conn);
    end = put_number(put_text(end, ",\"arrival_ns\":"), record->arrival_ns);
    end = put_number(put_text(end, ",\"answer_ns\":"), record->answer_ns);
    end = put_number(put_text(end, ",\"delay_ns\":"), record->delay_ns);
    end = put_label(put_text(end, ",\"label\":\""), record);
    end = put_number(put_text(end, "\",\"status\":"), record->status);
    end = put_number(put_text(end, ",\"bytes\":"), record->bytes);
    end = put_text(put_text(end, ",\"outcome\":\""), outcome_names[record->outcome]);
    end = put_text(end, "\"}\n");
    return (size_t)(end - out);
}

struct request_log *request_log_open(const char *path, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
    struct spool *spool =
        fd < 0 ? NULL : spool_open(path, sizeof(struct request_record), TEXT_MAX, format_record, NULL);
    if (!spool) {
        error_set(error, "%s: %s: name a file that can be written with --log", path, strerror(errno));
        return NULL;
    }
    struct request_log *log = xcalloc(1, sizeof *log);
    log->spool = spool;
    log->path = path;
    return log;
}

void request_log_add(struct request_log *log, const struct request_record *record)
{
    void *place = spool_record(log->spool);
    if (place)
        memcpy(place, record, offsetof(struct request_record, label) + record->label_len);
    /* Otherwise the spool has counted it. */
}

void request_log_flush(struct request_log *log)
{
    spool_flush(log->spool);
}

int request_log_close(struct request_log *log, struct error *error)
{
    if (!log)
        return 0;
    uint64_t lost = 0;
    const char *path = log->path;
    int problem = spool_close(log->spool, &lost);
    free(log);
    if (problem)
        return error_set_code(error, EXIT_CODE_INTERNAL, "%s: %s: %llu log records were lost", path, strerror(problem),
                              (unsigned long long)lost);
    if (lost)
        return error_set_code(error, EXIT_CODE_INTERNAL,
                              "%s: %llu log records were lost: the disk is slower than the load", path,
                              (unsigned long long)lost);
    return 0;
}
