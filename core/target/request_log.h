/*
 * The target's own record: one JSON line a request, written by a spool so that the disk never holds up the loop.
 * Times are absolute, CLOCK_MONOTONIC ns: the clock of the load side on the same machine. arrival_ns: the request's
 * last byte had been read; answer_ns: the kernel had taken the answer's last byte, or, where there is no whole
 * answer, the connection had ended.
 */
#ifndef SQUALL_TARGET_REQUEST_LOG_H
#define SQUALL_TARGET_REQUEST_LOG_H
#include "base/error.h"
#include "target/server.h"
#include <stddef.h>
#include <stdint.h>

#define REQUEST_LABEL_MAX 160

struct request_record {
    uint64_t id, conn;
    uint64_t arrival_ns, answer_ns, delay_ns;
    uint64_t bytes; /* of the answer, as far as it was written */
    uint32_t status;
    uint8_t outcome; /* enum squall_server_outcome */
    uint8_t label_len;
    uint8_t label[REQUEST_LABEL_MAX];
};

struct request_log;

/* Creates the file anew; the path is borrowed until close. NULL with the error filled on failure. */
struct request_log *request_log_open(const char *path, struct error *error);
void request_log_add(struct request_log *log, const struct request_record *record);
/* Once a second, so that a quiet target's log is on disk. */
void request_log_flush(struct request_log *log);
/* 0, or -1 with the error filled when a record was lost. Takes NULL. */
int request_log_close(struct request_log *log, struct error *error);

#endif
