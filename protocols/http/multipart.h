/*
 * Bodies of forms. multipart/form-data (RFC 7578): a row of pieces, so that a file's content is sent from where it
 * lies. application/x-www-form-urlencoded: one text (URL standard, 5.2).
 */
#ifndef SQUALL_HTTP_MULTIPART_H
#define SQUALL_HTTP_MULTIPART_H
#include <squall/plugin.h>
#include <stdbool.h>

#define MULTIPART_BOUNDARY "----squall-6b1f0d5e93a7c248-form"
#define MULTIPART_TYPE     "multipart/form-data; boundary=" MULTIPART_BOUNDARY

/* How many pieces the parts make, and how much room the texts between their values take. */
uint64_t multipart_count(const struct squall_map *parts);
uint64_t multipart_room(const struct squall_map *parts);
/* Fills `pieces`; texts are written into `room`, values are pointed to. Returns the length of all of them. */
uint64_t multipart_make(const struct squall_map *parts, uint8_t *room, struct squall_bytes *pieces);
/* NULL, or why a part cannot be sent. */
const char *multipart_check(const struct squall_map *parts);

uint64_t form_size(const struct squall_map *fields);
/* Returns how much was written: form_size at most. */
uint64_t form_write(const struct squall_map *fields, uint8_t *out);

#endif
