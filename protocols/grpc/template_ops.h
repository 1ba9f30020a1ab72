/*
 * A template's inside, and what builds it: constant bytes, holes, and messages around holes. A message without holes is
 * constant, its length included; only around a hole does a length wait for the request.
 */
#ifndef SQUALL_GRPC_TEMPLATE_OPS_H
#define SQUALL_GRPC_TEMPLATE_OPS_H
#include "scalar.h"
#include "template.h"

enum pb_op_kind {
    PB_OP_BYTES, /* pool[at, at + len) */
    PB_OP_HOLE,  /* slots[at] */
    PB_OP_OPEN,  /* a message of that tag begins */
    PB_OP_CLOSE, /* the message opened last ends */
};

struct pb_op {
    enum pb_op_kind kind;
    uint32_t tag;
    size_t at, len;
};

struct pb_template {
    uint8_t *pool;
    size_t pool_len, pool_size;
    struct pb_op *ops;
    size_t op_count, op_size;
    struct pb_slot *slots;
    char **paths; /* of the slots */
    size_t slot_count;
    size_t fixed_room; /* of all but the holes */
};

/* A message whose end has not been reached. */
struct pb_open {
    size_t at; /* in the pool */
    uint32_t tag;
    bool emitted; /* it has its OPEN: there is a hole in it */
};

struct pb_ops {
    struct pb_template *template;
    struct pb_open opens[PB_DEPTH_MAX];
    size_t depth;
    size_t run; /* where the constant bytes begin that no op has yet */
};

/* All return 0, or -1 when there is no memory (pb_ops_open: or the nesting is too deep). */
int pb_ops_bytes(struct pb_ops *ops, const void *bytes, size_t len);
int pb_ops_varint(struct pb_ops *ops, uint64_t value);
int pb_ops_open(struct pb_ops *ops, uint32_t tag);
int pb_ops_close(struct pb_ops *ops);
int pb_ops_hole(struct pb_ops *ops, size_t slot);
int pb_ops_finish(struct pb_ops *ops);

#endif
