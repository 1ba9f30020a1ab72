/*
 * One JSON scalar as one field's value on the wire. What a template writes once and what it writes for each request
 * goes through here, so that a variable takes exactly what a constant takes.
 *
 * Source: the JSON mapping of the proto3 language guide.
 */
#ifndef SQUALL_GRPC_SCALAR_H
#define SQUALL_GRPC_SCALAR_H
#include "wire.h"

/* Where a scalar goes. */
struct pb_slot {
    uint32_t tag; /* written before the value; 0: none, an element of a packed list or a whole message */
    enum pb_kind kind;
    bool element;      /* of a list or map: null cannot mean that it is absent */
    bool drop_default; /* the default value is not written: fields without presence */
    bool variable;     /* numbers and words are taken for a string, as variables come so; words in quotes for a bool */
    bool key;          /* of a map: everything comes in quotes */
    const struct pb_type *message; /* MESSAGE: a well-known type that is written as a scalar */
    const struct pb_enum *enumeration;
};

/* Room that a text of `len` bytes needs at most. */
size_t pb_scalar_room(const struct pb_slot *slot, size_t len);
/* Writes tag and value before what is in `out`. The free part of `out` is scratch too. `text` is a JSON scalar, quotes
 * included. NULL, or what is wrong, run memory. */
const char *pb_scalar_write(struct pb_out *out, const struct pb_slot *slot, const char *text, size_t len);
/* Whether a message of that type can be written as one scalar. */
bool pb_scalar_fits(const struct pb_type *type);

#endif
