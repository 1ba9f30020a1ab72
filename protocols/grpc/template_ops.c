/* Building and running a template's operations. See template_ops.h. */
#include "template_ops.h"
#include <stdlib.h>

static uint8_t *grow_pool(struct pb_template *template, size_t more)
{
    if (template->pool == NULL || template->pool_size - template->pool_len < more) {
        size_t size = (template->pool_len + more) * 2 + 64;
        uint8_t *pool = realloc(template->pool, size);
        if (pool == NULL)
            return NULL;
        template->pool = pool;
        template->pool_size = size;
    }
    return template->pool + template->pool_len;
}

int pb_ops_bytes(struct pb_ops *ops, const void *bytes, size_t len)
{
    uint8_t *to = grow_pool(ops->template, len);
    if (to == NULL)
        return -1;
    if (len > 0)
        memcpy(to, bytes, len);
    ops->template->pool_len += len;
    return 0;
}

int pb_ops_varint(struct pb_ops *ops, uint64_t value)
{
    uint8_t bytes[PB_VARINT_MAX];
    struct pb_out out = {bytes, bytes + sizeof bytes, bytes + sizeof bytes};
    pb_put_varint(&out, value);
    return pb_ops_bytes(ops, out.at, (size_t)(out.end - out.at));
}

static int add_op(struct pb_template *template, struct pb_op op)
{
    if (template->op_count == template->op_size) {
        size_t size = template->op_size * 2 + 8;
        struct pb_op *grown = realloc(template->ops, size * sizeof *grown);
        if (grown == NULL)
            return -1;
        template->ops = grown;
        template->op_size = size;
    }
    template->ops[template->op_count++] = op;
    return 0;
}

/* The constant bytes up to `end` become an operation. */
static int flush(struct pb_ops *ops, size_t end)
{
    size_t from = ops->run;
    ops->run = end;
    if (end == from)
        return 0;
    return add_op(ops->template, (struct pb_op){.kind = PB_OP_BYTES, .at = from, .len = end - from});
}

int pb_ops_open(struct pb_ops *ops, uint32_t tag)
{
    if (ops->depth == PB_DEPTH_MAX)
        return -1;
    ops->opens[ops->depth++] = (struct pb_open){.at = ops->template->pool_len, .tag = tag};
    return 0;
}

int pb_ops_close(struct pb_ops *ops)
{
    struct pb_template *template = ops->template;
    struct pb_open *open = &ops->opens[--ops->depth];
    if (open->emitted)
        return flush(ops, template->pool_len) < 0 ? -1 : add_op(template, (struct pb_op){.kind = PB_OP_CLOSE});
    uint8_t head[2 * PB_VARINT_MAX];
    struct pb_out out = {head, head + sizeof head, head + sizeof head};
    size_t len = template->pool_len - open->at;
    pb_put_varint(&out, len);
    pb_put_varint(&out, open->tag);
    size_t head_len = (size_t)(out.end - out.at);
    if (grow_pool(template, head_len) == NULL)
        return -1;
    memmove(template->pool + open->at + head_len, template->pool + open->at, len);
    memcpy(template->pool + open->at, out.at, head_len);
    template->pool_len += head_len;
    return 0;
}

/* What is open around a hole has a length that varies: it gets its OPEN now, the outermost first. */
int pb_ops_hole(struct pb_ops *ops, size_t slot)
{
    for (size_t i = 0; i < ops->depth; i++) {
        struct pb_open *open = &ops->opens[i];
        if (open->emitted)
            continue;
        if (flush(ops, open->at) < 0 || add_op(ops->template, (struct pb_op){.kind = PB_OP_OPEN, .tag = open->tag}) < 0)
            return -1;
        open->emitted = true;
    }
    if (flush(ops, ops->template->pool_len) < 0)
        return -1;
    return add_op(ops->template, (struct pb_op){.kind = PB_OP_HOLE, .at = slot});
}

int pb_ops_finish(struct pb_ops *ops)
{
    struct pb_template *template = ops->template;
    if (flush(ops, template->pool_len) < 0)
        return -1;
    template->fixed_room = template->pool_len;
    for (size_t i = 0; i < template->op_count; i++)
        if (template->ops[i].kind == PB_OP_OPEN)
            template->fixed_room += (size_t)2 * PB_VARINT_MAX;
    return 0;
}

void pb_template_free(struct pb_template *template)
{
    if (template == NULL)
        return;
    for (size_t i = 0; i < template->slot_count; i++)
        free(template->paths[i]);
    free(template->paths);
    free(template->slots);
    free(template->ops);
    free(template->pool);
    free(template);
}

size_t pb_template_room(const struct pb_template *template, const struct squall_hole *holes)
{
    size_t room = template->fixed_room;
    for (size_t i = 0; i < template->slot_count; i++)
        room += pb_scalar_room(&template->slots[i], holes[i].len);
    return room;
}

const char *pb_template_write(const struct pb_template *template, const char *text, const struct squall_hole *holes,
                              struct pb_out *out, size_t *ret_hole)
{
    uint8_t *ends[PB_DEPTH_MAX];
    size_t depth = 0;
    for (size_t i = template->op_count; i > 0; i--) {
        const struct pb_op *op = &template->ops[i - 1];
        const char *reason = NULL;
        int failed = 0;
        switch (op->kind) {
        case PB_OP_BYTES:
            failed = pb_put(out, template->pool + op->at, op->len);
            break;
        case PB_OP_HOLE:
            *ret_hole = op->at;
            reason = pb_scalar_write(out, &template->slots[op->at], text + holes[op->at].at, holes[op->at].len);
            break;
        case PB_OP_CLOSE:
            ends[depth++] = out->at;
            break;
        case PB_OP_OPEN:
            depth--;
            failed = pb_put_varint(out, (uint64_t)(ends[depth] - out->at)) < 0 || pb_put_varint(out, op->tag) < 0;
        }
        if (reason != NULL)
            return reason;
        if (failed != 0)
            return "no room for the message";
    }
    return NULL;
}

struct squall_bytes pb_template_constant(const struct pb_template *template)
{
    struct squall_bytes none = {0};
    if (template->slot_count > 0)
        return none;
    return (struct squall_bytes){.data = template->pool, .len = template->pool_len};
}

size_t pb_template_holes(const struct pb_template *template)
{
    return template->slot_count;
}

const char *pb_template_path(const struct pb_template *template, size_t hole)
{
    return template->paths[hole];
}
