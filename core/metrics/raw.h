/* The raw log (--out x.jsonl): one line an exchange, written by workers through a spool. */
#ifndef SQUALL_METRICS_RAW_H
#define SQUALL_METRICS_RAW_H
#include <stddef.h>
#include <stdint.h>

#define RAW_NO_TIME UINT64_MAX

/* Times are ns since the start of the run; RAW_NO_TIME where there is none. */
struct raw_record {
    uint64_t id, user, intended_ns, sent_ns, done_ns;
    uint64_t bytes_in, bytes_out;
    uint32_t series;
    int64_t code; /* as the protocol counts; -1: none was received, where 0 is a status */
    uint8_t outcome, block; /* enum outcome, enum block */
};

struct raw_names { /* arg of raw_format: borrowed */
    const char *const *steps; /* as raw_step writes them */
    uint32_t worker;
};

/* A spool_format_fn for struct raw_record. */
size_t raw_format(const void *record, char *out, size_t room, void *names);
/* The name as a JSON string, quotes included; malloc'd. */
char *raw_escape(const char *name);
#define RAW_NAME_MAX 1024 /* escaped names are cut here: bounds a line */
/* What a line says of a step: its name, and where it has tags these behind it; malloc'd. */
struct tags;
char *raw_step(const char *name, const struct tags *tags);
#define RAW_LINE_MAX 512 /* of a line, without what raw_step writes */

#endif
