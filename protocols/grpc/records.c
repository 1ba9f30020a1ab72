/* See records.h. Any bytes are read without harm: a length is held against what is left, and groups against a depth. */
#include "records.h"
#include "wire.h"
#include <stdlib.h>

const char pb_too_deep[] = "the message is nested too deep";
static const char cut[] = "the message is cut short";
static const char bad_tag[] = "the message has a field that cannot be";

/* Passes over a group's inside, nested ones too, up to the end tag of that number. */
static const char *skip_group(const uint8_t **at, const uint8_t *end, uint32_t number, const uint8_t **ret_end);

const char *pb_read_value(const uint8_t **at, const uint8_t *end, uint64_t tag, struct pb_record *record)
{
    record->wire = (uint32_t)(tag & 7);
    switch (record->wire) {
    case PB_VARINT:
        return pb_read_varint(at, end, &record->value) < 0 ? cut : NULL;
    case PB_I64:
    case PB_I32: {
        size_t size = record->wire == PB_I64 ? 8 : 4;
        if ((size_t)(end - *at) < size)
            return cut;
        record->value = 0;
        for (size_t i = size; i > 0; i--)
            record->value = record->value << 8 | (*at)[i - 1];
        *at += size;
        return NULL;
    }
    case PB_LEN: {
        uint64_t len;
        if (pb_read_varint(at, end, &len) < 0 || len > (uint64_t)(end - *at))
            return cut;
        record->data = *at;
        record->len = len;
        *at += len;
        return NULL;
    }
    case PB_GROUP_START: {
        const uint8_t *group_end;
        record->data = *at;
        const char *reason = skip_group(at, end, (uint32_t)(tag >> 3), &group_end);
        record->len = reason == NULL ? (size_t)(group_end - record->data) : 0;
        return reason;
    }
    default:
        return bad_tag;
    }
}

static const char *read_tag(const uint8_t **at, const uint8_t *end, uint64_t *ret_tag)
{
    if (pb_read_varint(at, end, ret_tag) < 0)
        return cut;
    return *ret_tag >> 3 == 0 || *ret_tag > UINT32_MAX ? bad_tag : NULL;
}

static const char *skip_group(const uint8_t **at, const uint8_t *end, uint32_t number, const uint8_t **ret_end)
{
    uint32_t open[PB_DEPTH_MAX] = {number};
    unsigned depth = 1;
    while (depth > 0) {
        uint64_t tag;
        struct pb_record ignored;
        *ret_end = *at;
        const char *reason = read_tag(at, end, &tag);
        if (reason != NULL)
            return reason;
        if ((tag & 7) == PB_GROUP_END) {
            if (tag >> 3 != open[--depth])
                return bad_tag;
        } else if ((tag & 7) == PB_GROUP_START) {
            if (depth == PB_DEPTH_MAX)
                return pb_too_deep;
            open[depth++] = (uint32_t)(tag >> 3);
        } else if ((reason = pb_read_value(at, end, tag, &ignored)) != NULL) {
            return reason;
        }
    }
    return NULL;
}

static int note(struct pb_decoder *d, const struct pb_record *record)
{
    if (d->count == d->size) {
        size_t size = d->size * 2 + 64;
        struct pb_record *records = realloc(d->records, size * sizeof *records);
        if (records == NULL)
            return -1;
        d->records = records;
        d->size = size;
    }
    d->records[d->count++] = *record;
    return 0;
}

static bool wire_fits(const struct pb_field *field, uint32_t wire)
{
    return wire == (uint32_t)pb_wire_of(field->kind) ||
           (wire == PB_LEN && field->repeated && pb_kind_packs(field->kind));
}

static int compare_records(const void *a, const void *b)
{
    const struct pb_record *x = a, *y = b;
    if (x->field != y->field)
        return x->field < y->field ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

const char *pb_note_fields(struct pb_decoder *d, const struct pb_type *type, const uint8_t *data, size_t len,
                           size_t *ret_base)
{
    const uint8_t *at = data, *end = len > 0 ? data + len : data;
    size_t base = d->count;
    bool sorted = true;
    *ret_base = base;
    while (at < end) {
        uint64_t tag;
        struct pb_record record = {.order = (uint32_t)(d->count - base)};
        const char *reason = read_tag(&at, end, &tag);
        if (reason == NULL)
            reason = pb_read_value(&at, end, tag, &record);
        if (reason != NULL)
            return reason;
        const struct pb_field *field = pb_type_field_numbered(type, (uint32_t)(tag >> 3));
        if (field == NULL || !wire_fits(field, record.wire))
            continue;
        record.field = (uint32_t)(field - type->fields);
        sorted = sorted && (d->count == base || d->records[d->count - 1].field <= record.field);
        if (note(d, &record) < 0)
            return "no memory to read the message";
    }
    if (!sorted)
        qsort(d->records + base, d->count - base, sizeof *d->records, compare_records);
    return NULL;
}

size_t pb_run_end(const struct pb_decoder *d, size_t from)
{
    size_t end = from;
    while (end < d->count && d->records[end].field == d->records[from].field)
        end++;
    return end;
}
