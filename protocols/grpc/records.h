/*
 * Where a message's known fields are: the first of the decoder's two ways through a message. All levels of a message
 * share one array of records as a stack; whoever notes takes off again what it has noted.
 */
#ifndef SQUALL_GRPC_RECORDS_H
#define SQUALL_GRPC_RECORDS_H
#include "decode.h"
#include "types.h"

extern const char pb_too_deep[]; /* why a message is refused that is nested deeper than PB_DEPTH_MAX */

/* Each gives NULL, or why the bytes are no such message, static. */
/* Reads the value behind a tag: record->wire, and what belongs to that. */
const char *pb_read_value(const uint8_t **at, const uint8_t *end, uint64_t tag, struct pb_record *record);
/* Notes a message's known fields, by field and then by place, from index *ret_base to d->count. */
const char *pb_note_fields(struct pb_decoder *d, const struct pb_type *type, const uint8_t *data, size_t len,
                           size_t *ret_base);

/* Of a message's records from `from` on: where those of the same field end. */
size_t pb_run_end(const struct pb_decoder *d, size_t from);

#endif
