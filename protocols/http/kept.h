/*
 * Header fields kept from the head to the end of an answer, for exchanges whose scenario looks at them: the head may
 * come in an earlier read than the end. Stores are used again; one grows to what a head may hold and no further.
 */
#ifndef SQUALL_HTTP_KEPT_H
#define SQUALL_HTTP_KEPT_H
#include <squall/plugin.h>

/* All zero: empty. */
struct kept_fields {
    uint8_t *data; /* name's size, value's size (4 bytes each), name, value; and so on */
    size_t len, size;
    struct kept_fields *next; /* its owner's */
};

void kept_fini(struct kept_fields *kept);
void kept_reset(struct kept_fields *kept);
/* Copies. 0, or -1: no memory. */
int kept_add(struct kept_fields *kept, const uint8_t *name, size_t name_len, const uint8_t *value, size_t value_len);
/* In the order of the answer. */
void kept_tell(const struct kept_fields *kept, struct squall_recorder *recorder);

#endif
