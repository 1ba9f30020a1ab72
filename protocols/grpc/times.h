/*
 * google.protobuf.Timestamp and Duration as JSON writes them: "2017-01-15T01:30:15.01Z" (RFC 3339) and "1.5s". Years 1
 * to 9999, and 315,576,000,000 seconds either way.
 */
#ifndef SQUALL_GRPC_TIMES_H
#define SQUALL_GRPC_TIMES_H
#include <stddef.h>
#include <stdint.h>

#define PB_TIME_TEXT_MAX 40

/* 0, or -1 when it is none. */
int pb_timestamp_parse(const char *text, size_t len, int64_t *ret_seconds, int32_t *ret_nanos);
int pb_duration_parse(const char *text, size_t len, int64_t *ret_seconds, int32_t *ret_nanos);
/* Writes the text; its length, or -1 when the values are out of range. */
int pb_timestamp_format(int64_t seconds, int32_t nanos, char text[PB_TIME_TEXT_MAX]);
int pb_duration_format(int64_t seconds, int32_t nanos, char text[PB_TIME_TEXT_MAX]);

#endif
