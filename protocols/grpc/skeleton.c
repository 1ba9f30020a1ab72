/* Skeleton messages. See skeleton.h. */
#include "skeleton.h"
#include <string.h>

#define LEVELS_MAX 6

struct skeleton {
    struct pb_text *text;
    const struct pb_type *around[LEVELS_MAX];
    unsigned depth;
};

static void write_message(struct skeleton *s, const struct pb_type *type);

static bool can_enter(const struct skeleton *s, const struct pb_type *type)
{
    if (s->depth == LEVELS_MAX)
        return false;
    for (unsigned i = 0; i < s->depth; i++)
        if (s->around[i] == type)
            return false;
    return true;
}

static const char *special_value(const struct pb_type *type)
{
    switch (type->well_known) {
    case PB_TIMESTAMP:
        return "\"2000-01-01T00:00:00Z\"";
    case PB_DURATION:
        return "\"1s\"";
    case PB_FIELD_MASK:
        return "\"\"";
    case PB_STRUCT:
    case PB_VALUE:
        return "{}";
    case PB_LIST:
        return "[]";
    case PB_ANY:
        return "{\"@type\":\"type.googleapis.com/google.protobuf.Empty\"}";
    default:
        return NULL;
    }
}

static void write_value(struct skeleton *s, const struct pb_field *field)
{
    switch (field->kind) {
    case PB_STRING:
    case PB_BYTES:
        pb_text_adds(s->text, "\"\"");
        break;
    case PB_BOOL:
        pb_text_adds(s->text, "false");
        break;
    case PB_ENUM:
        if (field->enumeration->null_value || field->enumeration->count == 0)
            pb_text_adds(s->text, "null");
        else
            pb_text_quote(s->text, (const uint8_t *)field->enumeration->values[0].name,
                          strlen(field->enumeration->values[0].name));
        break;
    case PB_MESSAGE:
    case PB_GROUP:
        write_message(s, field->message);
        break;
    default:
        pb_text_adds(s->text, "0");
    }
}

static void write_key(struct skeleton *s, const struct pb_field *key)
{
    pb_text_adds(s->text, key->kind == PB_STRING ? "{\"key\":" : key->kind == PB_BOOL ? "{\"false\":" : "{\"0\":");
}

static void write_field(struct skeleton *s, const struct pb_field *field)
{
    const struct pb_field *value = field->map ? &field->message->fields[1] : field;
    bool empty = value->message != NULL && special_value(value->message) == NULL &&
                 !can_enter(s, value->message); /* of a list or map: it stays without elements */
    if (field->map) {
        if (empty) {
            pb_text_adds(s->text, "{}");
            return;
        }
        write_key(s, &field->message->fields[0]);
        write_value(s, value);
        pb_text_adds(s->text, "}");
    } else if (field->repeated) {
        pb_text_adds(s->text, "[");
        if (!empty)
            write_value(s, value);
        pb_text_adds(s->text, "]");
    } else {
        write_value(s, value);
    }
}

static bool is_left_out(const struct skeleton *s, const struct pb_type *type, uint32_t index)
{
    const struct pb_field *field = &type->fields[index];
    for (uint32_t i = 0; field->oneof >= 0 && i < index; i++)
        if (type->fields[i].oneof == field->oneof)
            return true;
    return !field->repeated && field->message != NULL && special_value(field->message) == NULL &&
           !can_enter(s, field->message);
}

static void write_message(struct skeleton *s, const struct pb_type *type)
{
    const char *special = special_value(type);
    if (special != NULL) {
        pb_text_adds(s->text, special);
        return;
    }
    if (type->well_known == PB_WRAPPER) {
        write_value(s, &type->fields[0]);
        return;
    }
    bool first = true;
    s->around[s->depth++] = type;
    pb_text_adds(s->text, "{");
    for (uint32_t i = 0; i < type->count && !s->text->failed; i++) {
        if (is_left_out(s, type, i))
            continue;
        pb_text_adds(s->text, first ? "" : ",");
        first = false;
        pb_text_quote(s->text, (const uint8_t *)type->fields[i].name, strlen(type->fields[i].name));
        pb_text_adds(s->text, ":");
        write_field(s, &type->fields[i]);
    }
    pb_text_adds(s->text, "}");
    s->depth--;
}

void pb_skeleton(const struct pb_type *type, struct pb_text *text)
{
    struct skeleton skeleton = {.text = text};
    write_message(&skeleton, type);
}
