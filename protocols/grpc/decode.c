/*
 * Wire to JSON. A message is gone through twice: once to note where its known fields are (records.c), and then field by
 * field in the order of their numbers. So a repeated field may be spread over the message, the last of a oneof wins,
 * and parts of a message are merged, as the encoding wants it.
 */
#include "records.h"
#include "schema.h"
#include "times.h"
#include "wire.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *print_message(struct pb_decoder *d, const struct pb_type *type, const uint8_t *data, size_t len,
                                 struct pb_text *text);

void pb_decoder_fini(struct pb_decoder *decoder)
{
    free(decoder->records);
    *decoder = (struct pb_decoder){0};
}

/* ---- printing values ---- */

static void print_enum(struct pb_text *text, const struct pb_enum *enumeration, int32_t number)
{
    const struct pb_enum_value *value = pb_enum_numbered(enumeration, number);
    if (enumeration->null_value)
        pb_text_adds(text, "null");
    else if (value != NULL)
        pb_text_addf(text, "\"%.240s\"", value->name);
    else
        pb_text_addf(text, "%" PRId32, number);
}

static int64_t unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1 ^ (~(value & 1) + 1));
}

static void print_number(struct pb_text *text, const struct pb_field *field, uint64_t value)
{
    uint32_t low = (uint32_t)value;
    double wide;
    float narrow;
    switch (field->kind) {
    case PB_DOUBLE:
        memcpy(&wide, &value, sizeof wide);
        pb_text_double(text, wide);
        break;
    case PB_FLOAT:
        memcpy(&narrow, &low, sizeof narrow);
        pb_text_float(text, narrow);
        break;
    case PB_BOOL:
        pb_text_adds(text, value != 0 ? "true" : "false");
        break;
    case PB_ENUM:
        print_enum(text, field->enumeration, (int32_t)low);
        break;
    case PB_INT32:
    case PB_SFIXED32:
        pb_text_addf(text, "%" PRId32, (int32_t)low);
        break;
    case PB_SINT32:
        pb_text_addf(text, "%" PRId32, (int32_t)unzigzag(low));
        break;
    case PB_UINT32:
    case PB_FIXED32:
        pb_text_addf(text, "%" PRIu32, low);
        break;
    case PB_UINT64:
    case PB_FIXED64:
        pb_text_addf(text, "\"%" PRIu64 "\"", value);
        break;
    case PB_SINT64:
        pb_text_addf(text, "\"%" PRId64 "\"", unzigzag(value));
        break;
    default:
        pb_text_addf(text, "\"%" PRId64 "\"", (int64_t)value);
    }
}

/* A value that stands for itself: no packed list, and a message in one piece. */
static const char *print_value(struct pb_decoder *d, const struct pb_field *field, const struct pb_record *record,
                               struct pb_text *text)
{
    switch (field->kind) {
    case PB_STRING:
        pb_text_quote(text, record->data, record->len);
        return NULL;
    case PB_BYTES:
        pb_text_base64(text, record->data, record->len);
        return NULL;
    case PB_MESSAGE:
    case PB_GROUP:
        return print_message(d, field->message, record->data, record->len, text);
    default:
        print_number(text, field, record->value);
        return NULL;
    }
}

static void print_default(const struct pb_field *field, struct pb_text *text)
{
    if (field->kind == PB_STRING || field->kind == PB_BYTES)
        pb_text_adds(text, "\"\"");
    else
        print_number(text, field, 0);
}

static const char *print_packed(const struct pb_field *field, const struct pb_record *record, bool *first,
                                struct pb_text *text)
{
    const uint8_t *at = record->data, *end = at + record->len;
    struct pb_record element = {0};
    while (at < end && !text->failed) {
        const char *reason = pb_read_value(&at, end, (uint64_t)pb_wire_of(field->kind), &element);
        if (reason != NULL)
            return reason;
        pb_text_adds(text, *first ? "" : ",");
        *first = false;
        print_number(text, field, element.value);
    }
    return NULL;
}

/* Records are copied before they are used: printing a message notes more of them, and may move them all. */
static const char *print_elements(struct pb_decoder *d, const struct pb_field *field, size_t from, size_t to,
                                  struct pb_text *text)
{
    const char *reason = NULL;
    bool first = true;
    pb_text_adds(text, "[");
    for (size_t i = from; i < to && reason == NULL && !text->failed; i++) {
        struct pb_record record = d->records[i];
        if (record.wire == PB_LEN && pb_kind_packs(field->kind)) {
            reason = print_packed(field, &record, &first, text);
            continue;
        }
        pb_text_adds(text, first ? "" : ",");
        first = false;
        reason = print_value(d, field, &record, text);
    }
    pb_text_adds(text, "]");
    return reason;
}

static const char *print_key(const struct pb_field *field, const struct pb_record *record, struct pb_text *text)
{
    if (field->kind == PB_STRING) {
        pb_text_quote(text, record->data, record->len);
        return NULL;
    }
    bool quoted = pb_wire_of(field->kind) == PB_I64 || field->kind == PB_INT64 || field->kind == PB_UINT64 ||
                  field->kind == PB_SINT64;
    pb_text_adds(text, quoted ? "" : "\"");
    print_number(text, field, record->value);
    pb_text_adds(text, quoted ? "" : "\"");
    return NULL;
}

static const char *print_entry(struct pb_decoder *d, const struct pb_type *entry, struct pb_record record,
                               struct pb_text *text)
{
    size_t base, before = d->count;
    static const uint8_t nothing[1];
    struct pb_record key = {.data = nothing}, value = {.data = nothing};
    bool has_value = false;
    const char *reason = pb_note_fields(d, entry, record.data, record.len, &base);
    for (size_t i = base; reason == NULL && i < d->count; i++) {
        if (entry->fields[d->records[i].field].number == 1) {
            key = d->records[i];
        } else {
            value = d->records[i];
            has_value = true;
        }
    }
    d->count = before;
    if (reason != NULL)
        return reason;
    const struct pb_field *field = &entry->fields[1];
    print_key(&entry->fields[0], &key, text);
    pb_text_adds(text, ":");
    if (!has_value && field->kind != PB_MESSAGE) {
        print_default(field, text);
        return NULL;
    }
    return print_value(d, field, &value, text);
}

static const char *print_map(struct pb_decoder *d, const struct pb_field *field, size_t from, size_t to,
                             struct pb_text *text)
{
    const char *reason = NULL;
    pb_text_adds(text, "{");
    for (size_t i = from; i < to && reason == NULL && !text->failed; i++) {
        pb_text_adds(text, i > from ? "," : "");
        reason = print_entry(d, field->message, d->records[i], text);
    }
    pb_text_adds(text, "}");
    return reason;
}

/* A message in several records is their concatenation. Nested ones could make that much more than what came. */
static const char *print_merged(struct pb_decoder *d, const struct pb_field *field, size_t from, size_t to,
                                struct pb_text *text)
{
    struct pb_record whole = {0};
    for (size_t i = from; i < to; i++)
        whole.len += d->records[i].len;
    if (whole.len > d->budget - d->merged)
        return "the message has too many messages in parts";
    uint8_t *data = malloc(whole.len + 1), *at = data;
    if (data == NULL)
        return "no memory to read the message";
    for (size_t i = from; i < to; i++) {
        memcpy(at, d->records[i].data, d->records[i].len);
        at += d->records[i].len;
    }
    whole.data = data;
    d->merged += whole.len;
    const char *reason = print_value(d, field, &whole, text);
    d->merged -= whole.len;
    free(data);
    return reason;
}

static const char *print_field(struct pb_decoder *d, const struct pb_field *field, size_t from, size_t to,
                               struct pb_text *text)
{
    if (field->map)
        return print_map(d, field, from, to, text);
    if (field->repeated)
        return print_elements(d, field, from, to, text);
    if (to - from > 1 && (field->kind == PB_MESSAGE || field->kind == PB_GROUP))
        return print_merged(d, field, from, to, text);
    struct pb_record last = d->records[to - 1];
    return print_value(d, field, &last, text);
}

/* ---- printing messages ---- */

/* Whether a field that came later has taken the place of this one in their oneof. */
static bool is_replaced(const struct pb_decoder *d, const struct pb_type *type, size_t base, size_t from, size_t to)
{
    const struct pb_field *field = &type->fields[d->records[from].field];
    if (field->oneof < 0)
        return false;
    for (size_t i = base; i < d->count; i = i == from ? to : pb_run_end(d, i))
        if (i != from && type->fields[d->records[i].field].oneof == field->oneof &&
            d->records[pb_run_end(d, i) - 1].order > d->records[to - 1].order)
            return true;
    return false;
}

static void print_name(struct pb_text *text, const struct pb_field *field, bool *first)
{
    pb_text_adds(text, *first ? "" : ",");
    *first = false;
    pb_text_quote(text, (const uint8_t *)field->json_name, strlen(field->json_name));
    pb_text_adds(text, ":");
}

static const char *print_fields(struct pb_decoder *d, const struct pb_type *type, size_t base, bool *first,
                                struct pb_text *text)
{
    size_t at = base, end = d->count;
    for (uint32_t i = 0; i < type->count && !text->failed; i++) {
        const struct pb_field *field = &type->fields[i];
        const char *reason = NULL;
        if (at < end && d->records[at].field == i) {
            size_t to = pb_run_end(d, at);
            if (!is_replaced(d, type, base, at, to)) {
                print_name(text, field, first);
                reason = print_field(d, field, at, to, text);
            }
            at = to;
        } else if (!field->presence) {
            print_name(text, field, first);
            if (field->repeated)
                pb_text_adds(text, field->map ? "{}" : "[]");
            else
                print_default(field, text);
        }
        if (reason != NULL)
            return reason;
    }
    return NULL;
}

/* The last record of a field by its number, zeroed when there is none. */
static struct pb_record last_of(const struct pb_decoder *d, const struct pb_type *type, size_t base, uint32_t number)
{
    struct pb_record found = {.data = (const uint8_t *)""};
    for (size_t i = base; i < d->count; i++)
        if (type->fields[d->records[i].field].number == number)
            found = d->records[i];
    return found;
}

static const char *print_moment(struct pb_decoder *d, const struct pb_type *type, size_t base, struct pb_text *text)
{
    char line[PB_TIME_TEXT_MAX];
    int64_t seconds = (int64_t)last_of(d, type, base, 1).value;
    int32_t nanos = (int32_t)last_of(d, type, base, 2).value;
    bool is_duration = type->well_known == PB_DURATION;
    if ((is_duration ? pb_duration_format : pb_timestamp_format)(seconds, nanos, line) < 0)
        return is_duration ? "a Duration is out of its range" : "a Timestamp is out of its range";
    pb_text_addf(text, "\"%s\"", line);
    return NULL;
}

/* snake_case paths as lowerCamelCase, with commas between. */
static const char *print_mask(struct pb_decoder *d, size_t base, struct pb_text *text)
{
    struct pb_text joined = {.limit = text->limit};
    for (size_t i = base; i < d->count; i++) {
        pb_text_adds(&joined, i > base ? "," : "");
        for (size_t k = 0; k < d->records[i].len; k++) {
            char c = (char)d->records[i].data[k];
            if (c == '_' && k + 1 < d->records[i].len && d->records[i].data[k + 1] >= 'a' &&
                d->records[i].data[k + 1] <= 'z')
                c = (char)(d->records[i].data[++k] - ('a' - 'A'));
            pb_text_add(&joined, &c, 1);
        }
    }
    if (joined.failed)
        text->failed = true;
    else
        pb_text_quote(text, (const uint8_t *)joined.data, joined.len);
    pb_text_fini(&joined);
    return NULL;
}

/* google.protobuf.Value: the member of its oneof that came last. */
static const char *print_kind(struct pb_decoder *d, const struct pb_type *type, size_t base, struct pb_text *text)
{
    struct pb_record last = {0};
    bool found = false;
    for (size_t i = base; i < d->count; i++)
        if (!found || d->records[i].order >= last.order) {
            last = d->records[i];
            found = true;
        }
    if (found)
        return print_value(d, &type->fields[last.field], &last, text);
    pb_text_adds(text, "null");
    return NULL;
}

static const char *print_any(struct pb_decoder *d, const struct pb_type *any, size_t base, struct pb_text *text)
{
    char name[256] = "";
    struct pb_record url = last_of(d, any, base, 1), value = last_of(d, any, base, 2);
    size_t at = url.len, inner;
    while (at > 0 && url.data[at - 1] != '/')
        at--;
    if (url.len - at < sizeof name) {
        memcpy(name, url.data + at, url.len - at);
        name[url.len - at] = '\0';
    }
    const struct pb_type *type = pb_schema_type((struct pb_schema *)any->schema, name);
    bool first = false;
    pb_text_adds(text, "{\"@type\":");
    pb_text_quote(text, url.data, url.len);
    const char *reason = NULL;
    if (type == NULL) {
        pb_text_adds(text, ",\"value\":");
        pb_text_base64(text, value.data, value.len);
    } else if (type->well_known != PB_ORDINARY) {
        pb_text_adds(text, ",\"value\":");
        reason = print_message(d, type, value.data, value.len, text);
    } else if (d->depth == PB_DEPTH_MAX) {
        reason = pb_too_deep;
    } else {
        size_t before = d->count;
        d->depth++;
        reason = pb_note_fields(d, type, value.data, value.len, &inner);
        if (reason == NULL)
            reason = print_fields(d, type, inner, &first, text);
        d->count = before;
        d->depth--;
    }
    pb_text_adds(text, "}");
    return reason;
}

static const char *print_noted(struct pb_decoder *d, const struct pb_type *type, size_t base, struct pb_text *text)
{
    const char *reason;
    bool first = true;
    switch (type->well_known) {
    case PB_WRAPPER:
        if (d->count > base)
            return print_field(d, &type->fields[0], base, d->count, text);
        print_default(&type->fields[0], text);
        return NULL;
    case PB_TIMESTAMP:
    case PB_DURATION:
        return print_moment(d, type, base, text);
    case PB_FIELD_MASK:
        return print_mask(d, base, text);
    case PB_STRUCT:
        return print_map(d, &type->fields[0], base, d->count, text);
    case PB_LIST:
        return print_elements(d, &type->fields[0], base, d->count, text);
    case PB_VALUE:
        return print_kind(d, type, base, text);
    case PB_ANY:
        return print_any(d, type, base, text);
    default:
        pb_text_adds(text, "{");
        reason = print_fields(d, type, base, &first, text);
        pb_text_adds(text, "}");
        return reason;
    }
}

static const char *print_message(struct pb_decoder *d, const struct pb_type *type, const uint8_t *data, size_t len,
                                 struct pb_text *text)
{
    size_t base, before = d->count;
    if (d->depth == PB_DEPTH_MAX)
        return pb_too_deep;
    d->depth++;
    const char *reason = pb_note_fields(d, type, data, len, &base);
    if (reason == NULL)
        reason = print_noted(d, type, base, text);
    d->count = before;
    d->depth--;
    return reason;
}

const char *pb_decode(struct pb_decoder *decoder, const struct pb_type *type, const uint8_t *data, size_t len,
                      struct pb_text *text)
{
    decoder->count = 0;
    decoder->depth = 0;
    decoder->merged = 0;
    decoder->budget = len;
    const char *reason = print_message(decoder, type, data, len, text);
    if (reason == NULL && text->failed)
        reason = "the message is too large to be shown as JSON";
    return reason;
}
