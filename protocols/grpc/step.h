/*
 * A step of a flow: one call. All that never changes is checked and encoded when the message types are known: header
 * fields, and messages with their prefix. What varies is encoded for each call.
 */
#ifndef SQUALL_GRPC_STEP_H
#define SQUALL_GRPC_STEP_H
#include "buffer.h"
#include "gzip.h"
#include "options.h"
#include "schema.h"
#include "template.h"
#include <nghttp2/nghttp2.h>

struct rpc_target;

#define RPC_NO_COUNT UINT64_MAX

/* One message that is sent. */
struct rpc_message {
    struct pb_template *template; /* NULL: from a file */
    uint8_t *framed;              /* prefix and message, if it never changes */
    size_t framed_len;
    uint64_t first_hole; /* of the tree's, the first that is this message's */
    bool loose; /* all of it comes with the request, as a script gives it: its JSON is read then */
};

/* squall_step.state */
struct rpc_step {
    struct rpc_step *next; /* of its target */
    const struct squall_step *view;
    const struct rpc_target *target;
    const struct rpc_step_options *options; /* the constant ones */
    uint64_t constant;
    struct pb_method method;
    struct rpc_message *messages;
    uint64_t message_count;
    bool messages_constant;
    uint64_t total;                 /* messages to send on a stream; RPC_NO_COUNT: until something ends it */
    uint64_t receive, cancel_after; /* or RPC_NO_COUNT */
    uint32_t expect;                /* a bit for each status code */
    nghttp2_nv *fields;             /* all that are constant, in order; metadata that varies goes behind them */
    size_t field_count;
    uint8_t *field_memory;
    char timeout[16];
};

int32_t rpc_step_init(struct squall_step *view, const void *constant_options, uint64_t constant,
                      struct squall_error *error);
void rpc_step_fini(struct squall_step *view);
int rpc_step_bind(struct rpc_step *step, struct pb_schema *schema, struct squall_error *error);

/* Appends the message with its prefix, compressed if the step says so and the target does not leave that to others.
 * NULL, or what is wrong: run memory, or in `reason`. `holes` are those of the whole tree. */
#define RPC_REASON_MAX 200
const char *rpc_message_append(const struct rpc_step *step, const struct rpc_message *message, const char *text,
                               const struct squall_hole *holes, struct rpc_gzip *gzip, struct rpc_buffer *out,
                               char reason[RPC_REASON_MAX]);
/* The tree whose holes the messages have. */
const struct squall_tree *rpc_step_tree(const struct rpc_step *step, const struct rpc_step_options *options);
/* Bytes that metadata takes in `out`, and its fields: see request.c. */
const char *rpc_metadata_append(const struct squall_map *map, nghttp2_nv *fields, struct rpc_buffer *out);

#endif
