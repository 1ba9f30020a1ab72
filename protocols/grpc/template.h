/*
 * A message written as JSON, turned into bytes: once for all that is constant, and for each request only the holes,
 * places in the text where a scalar varies.
 *
 *   pb_template_new   reads the text, resolves every name, checks every constant
 *   pb_template_room  how much memory a message needs at most
 *   pb_template_write the message, without allocating and without looking at any name again
 *
 * Holes stand for whole JSON scalars: values, and keys of maps. A hole whose value is null leaves its field out. The
 * order of fields is that of the text. Repeated numbers are packed where the schema says so.
 */
#ifndef SQUALL_GRPC_TEMPLATE_H
#define SQUALL_GRPC_TEMPLATE_H
#include "types.h"
#include "wire.h"

struct pb_template;

/* A hole is a JSON scalar's place in the text, quotes included; `holes` ascend. What the text has there is not read.
 * NULL with the error filled: it names the place within the message, and the nearest name there is. The type must
 * outlive the template. */
struct pb_template *pb_template_new(const struct pb_type *type, const char *text, size_t len,
                                    const struct squall_hole *holes, size_t hole_count, struct squall_error *error);
void pb_template_free(struct pb_template *template);

/* Bytes of `out` that pb_template_write() may need with these holes, scratch included. */
size_t pb_template_room(const struct pb_template *template, const struct squall_hole *holes);
/* Writes the message before out->end; it is [out->at, out->end) then. `text` is the rendered text and `holes` say where
 * in it the values are: as many as the template has. NULL, or what is wrong with hole *ret_hole. */
const char *pb_template_write(const struct pb_template *template, const char *text, const struct squall_hole *holes,
                              struct pb_out *out, size_t *ret_hole);

/* The message itself when the template has no hole, borrowed from it; else no bytes. */
struct squall_bytes pb_template_constant(const struct pb_template *template);
size_t pb_template_holes(const struct pb_template *template);
/* Where a hole stands: "items[2].price". */
const char *pb_template_path(const struct pb_template *template, size_t hole);

#endif
