/* See outgoing.h. */
#include "outgoing.h"
#include <stdlib.h>

void rpc_outgoing_fini(struct rpc_outgoing *outgoing)
{
    rpc_buffer_fini(&outgoing->bytes);
    free(outgoing->ends);
    *outgoing = (struct rpc_outgoing){0};
}

static int make_room(struct rpc_outgoing *outgoing, uint64_t count)
{
    if (outgoing->size >= count)
        return 0;
    size_t *ends = realloc(outgoing->ends, count * sizeof *ends);
    if (ends == NULL)
        return -1;
    outgoing->ends = ends;
    outgoing->size = count;
    return 0;
}

const char *rpc_outgoing_prepare(struct rpc_outgoing *outgoing, const struct rpc_step *step,
                                 const struct rpc_step_options *options, struct rpc_gzip *gzip,
                                 char reason[RPC_REASON_MAX])
{
    const struct squall_tree *tree = rpc_step_tree(step, options);
    outgoing->bytes.len = 0;
    if (step->messages_constant)
        return NULL;
    if (make_room(outgoing, step->message_count) < 0)
        return "no memory for the messages";
    for (uint64_t i = 0; i < step->message_count; i++) {
        const struct rpc_message *message = &step->messages[i];
        if (message->framed == NULL) {
            const char *why = rpc_message_append(step, message, (const char *)tree->text.data, tree->holes, gzip,
                                                 &outgoing->bytes, reason);
            if (why != NULL)
                return why;
        }
        outgoing->ends[i] = outgoing->bytes.len;
    }
    return NULL;
}

struct squall_bytes rpc_outgoing_message(const struct rpc_outgoing *outgoing, const struct rpc_step *step,
                                         uint64_t number)
{
    uint64_t i = number % step->message_count;
    const struct rpc_message *message = &step->messages[i];
    if (message->framed != NULL)
        return (struct squall_bytes){message->framed, message->framed_len};
    size_t from = i > 0 ? outgoing->ends[i - 1] : 0;
    return (struct squall_bytes){outgoing->bytes.data + from, outgoing->ends[i] - from};
}
