/*
 * Reads a message's JSON with its type at hand and builds the template. Every value is checked here as far as it is
 * known; a name that is unknown is refused with its place and the nearest name.
 *
 * The text's nesting is bounded by that of messages (PB_DEPTH_MAX), as every container in it opens one or is a list of
 * a field; lists of google.protobuf.Value open messages too.
 */
#include "template.h"
#include "json.h"
#include "schema.h"
#include "template_ops.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct compile {
    struct pb_json json;
    const struct squall_hole *holes;
    size_t hole_count, next;
    struct pb_ops ops;
    char path[256]; /* within the message, cut when it is longer */
    size_t path_len;
    uint8_t *scratch;
    size_t scratch_size;
    unsigned nested; /* messages around this place */
    struct squall_error *error;
};

/* A single value: of a field, an element, a map's key or value. */
struct place {
    uint32_t number; /* 0: the whole message */
    enum pb_kind kind;
    const struct pb_type *message;
    const struct pb_enum *enumeration;
    bool element, packed, drop_default, key;
};

static int encode_body(struct compile *c, const struct pb_type *type);
static int encode_single(struct compile *c, const struct place *place);

static int fail(struct compile *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int fail(struct compile *c, const char *format, ...)
{
    char reason[300];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    if (c->path_len == 0)
        snprintf(c->error->text, sizeof c->error->text, "message: %s", reason);
    else
        snprintf(c->error->text, sizeof c->error->text, "message: %.200s: %s", c->path, reason);
    return -1;
}

static int no_memory(struct compile *c)
{
    snprintf(c->error->text, sizeof c->error->text, "no memory for the message");
    return -1;
}

/* Adds to the path; the length before it is what path_leave() wants. */
static size_t path_enter(struct compile *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static size_t path_enter(struct compile *c, const char *format, ...)
{
    size_t before = c->path_len;
    va_list args;
    va_start(args, format);
    int written = vsnprintf(c->path + before, sizeof c->path - before, format, args);
    va_end(args);
    c->path_len += written > 0 ? (size_t)written : 0;
    if (c->path_len >= sizeof c->path)
        c->path_len = sizeof c->path - 1;
    return before;
}

static void path_leave(struct compile *c, size_t before)
{
    c->path_len = before;
    c->path[before] = '\0';
}

/* Whether a hole comes next; it is taken, and *ret_hole its index. */
static bool take_hole(struct compile *c, size_t *ret_hole)
{
    pb_json_peek(&c->json);
    if (c->next == c->hole_count || c->holes[c->next].at != c->json.at)
        return false;
    c->json.at += c->holes[c->next].len;
    *ret_hole = c->next++;
    return true;
}

static bool at_hole(struct compile *c)
{
    pb_json_peek(&c->json);
    return c->next < c->hole_count && c->holes[c->next].at == c->json.at;
}

static int open_message(struct compile *c, uint32_t tag)
{
    if (c->ops.depth == PB_DEPTH_MAX)
        return fail(c, "messages are nested too deep, at most %d", PB_DEPTH_MAX);
    return pb_ops_open(&c->ops, tag) < 0 ? no_memory(c) : 0;
}

static int close_message(struct compile *c)
{
    return pb_ops_close(&c->ops) < 0 ? no_memory(c) : 0;
}

static int add_bytes(struct compile *c, const void *bytes, size_t len)
{
    return pb_ops_bytes(&c->ops, bytes, len) < 0 ? no_memory(c) : 0;
}

static uint8_t *scratch_of(struct compile *c, size_t size)
{
    if (size > c->scratch_size) {
        uint8_t *grown = realloc(c->scratch, size);
        if (grown == NULL)
            return NULL;
        c->scratch = grown;
        c->scratch_size = size;
    }
    return c->scratch;
}

/* What an enum refuses is most often a misspelt name. */
static int refuse_scalar(struct compile *c, const struct pb_slot *slot, const char *text, size_t len,
                         const char *reason)
{
    if (slot->kind != PB_ENUM || len < 2 || text[0] != '"')
        return fail(c, "%s", reason);
    struct pb_nearest nearest = {.word = text + 1, .len = len - 2};
    for (uint32_t i = 0; i < slot->enumeration->count; i++)
        pb_nearest_offer(&nearest, slot->enumeration->values[i].name);
    return fail(c, "enum %s has no value %.*s%s%s%s", slot->enumeration->full_name, (int)(len < 80 ? len : 80), text,
                nearest.best ? "; did you mean " : "", nearest.best ? nearest.best : "", nearest.best ? "?" : "");
}

static struct pb_slot slot_of(const struct place *place)
{
    uint32_t tag = place->number == 0 || place->packed ? 0 : pb_tag(place->number, pb_wire_of(place->kind));
    return (struct pb_slot){.tag = tag,
                            .kind = place->kind,
                            .element = place->element,
                            .drop_default = place->drop_default,
                            .key = place->key,
                            .message = place->message,
                            .enumeration = place->enumeration};
}

static int encode_scalar(struct compile *c, const struct place *place)
{
    size_t at, len;
    struct pb_slot slot = slot_of(place);
    char next = pb_json_peek(&c->json);
    if (next == '{' || next == '[')
        return fail(c, "%s",
                    place->kind != PB_MESSAGE ? pb_kind_wants(place->kind)
                                              : "wants one value, not an object or a list");
    const char *reason = pb_json_scalar(&c->json, &at, &len);
    if (reason != NULL)
        return fail(c, "%s", reason);
    size_t room = pb_scalar_room(&slot, len);
    uint8_t *scratch = scratch_of(c, room);
    if (scratch == NULL)
        return no_memory(c);
    struct pb_out out = {scratch, scratch + room, scratch + room};
    reason = pb_scalar_write(&out, &slot, c->json.text + at, len);
    if (reason != NULL)
        return refuse_scalar(c, &slot, c->json.text + at, len, reason);
    return add_bytes(c, out.at, (size_t)(out.end - out.at));
}

static int encode_hole(struct compile *c, const struct place *place)
{
    struct pb_template *template = c->ops.template;
    size_t hole;
    if (place->kind == PB_GROUP || (place->kind == PB_MESSAGE && !pb_scalar_fits(place->message)))
        return fail(c, "a variable stands for one value and cannot be a message; write its fields");
    if (!take_hole(c, &hole))
        return fail(c, "this is no JSON value");
    template->slots[hole] = slot_of(place);
    template->slots[hole].variable = true;
    template->paths[hole] = strdup(c->path);
    template->slot_count = hole + 1;
    return template->paths[hole] == NULL || pb_ops_hole(&c->ops, hole) < 0 ? no_memory(c) : 0;
}

static int encode_group(struct compile *c, const struct place *place)
{
    if (pb_ops_varint(&c->ops, pb_tag(place->number, PB_GROUP_START)) < 0)
        return no_memory(c);
    if (encode_body(c, place->message) < 0)
        return -1;
    return pb_ops_varint(&c->ops, pb_tag(place->number, PB_GROUP_END)) < 0 ? no_memory(c) : 0;
}

static int encode_message(struct compile *c, const struct place *place)
{
    int result;
    if (c->nested == PB_DEPTH_MAX)
        return fail(c, "messages are nested too deep, at most %d", PB_DEPTH_MAX);
    c->nested++;
    if (place->number == 0)
        result = encode_body(c, place->message);
    else if (place->kind == PB_GROUP)
        result = encode_group(c, place);
    else if (open_message(c, pb_tag(place->number, PB_LEN)) < 0 || encode_body(c, place->message) < 0)
        result = -1;
    else
        result = close_message(c);
    c->nested--;
    return result;
}

static int encode_single(struct compile *c, const struct place *place)
{
    bool is_message = place->kind == PB_MESSAGE || place->kind == PB_GROUP;
    char next = pb_json_peek(&c->json);
    if (at_hole(c))
        return encode_hole(c, place);
    if (!is_message || (pb_scalar_fits(place->message) && next != '{' && next != '['))
        return encode_scalar(c, place);
    if (pb_scalar_fits(place->message) && place->message->well_known != PB_VALUE)
        return encode_scalar(c, place);
    return encode_message(c, place);
}

static struct place place_of(const struct pb_field *field)
{
    return (struct place){.number = field->number,
                          .kind = field->kind,
                          .message = field->message,
                          .enumeration = field->enumeration,
                          .element = field->repeated,
                          .packed = field->repeated && field->packed && pb_kind_packs(field->kind),
                          .drop_default = !field->repeated && !field->presence};
}

/* The elements of a list, behind its '['; fn encodes one. */
static int encode_elements(struct compile *c, const struct place *place)
{
    if (pb_json_take(&c->json, ']'))
        return 0;
    if (place->packed && open_message(c, pb_tag(place->number, PB_LEN)) < 0)
        return -1;
    for (unsigned long i = 0;; i++) {
        size_t before = path_enter(c, "[%lu]", i);
        if (encode_single(c, place) < 0)
            return -1;
        path_leave(c, before);
        if (pb_json_take(&c->json, ']'))
            break;
        if (!pb_json_take(&c->json, ','))
            return fail(c, "a comma or ] is missing in the list");
    }
    return place->packed ? close_message(c) : 0;
}

/* A name and its colon. Unescaped into `name`; *ret_len is its length. */
static int take_name(struct compile *c, char *name, size_t size, size_t *ret_len)
{
    size_t at, len;
    if (pb_json_peek(&c->json) != '"')
        return fail(c, "a name in quotes is missing");
    const char *reason = pb_json_scalar(&c->json, &at, &len);
    if (reason == NULL && len - 2 >= size)
        reason = "a name is too long";
    if (reason == NULL && !pb_json_take(&c->json, ':'))
        reason = "a colon is missing behind a name";
    if (reason != NULL)
        return fail(c, "%s", reason);
    *ret_len = (size_t)pb_json_unescape(c->json.text + at + 1, len - 2, name);
    name[*ret_len] = '\0';
    return 0;
}

/* Behind a value in an object: 1 when another follows, 0 at the end, -1. */
static int next_member(struct compile *c)
{
    if (pb_json_take(&c->json, ','))
        return 1;
    return pb_json_take(&c->json, '}') ? 0 : fail(c, "a comma or } is missing");
}

static int encode_map_entry(struct compile *c, const struct pb_field *field)
{
    struct place key = place_of(&field->message->fields[0]), value = place_of(&field->message->fields[1]);
    key.drop_default = value.drop_default = false;
    key.key = !at_hole(c); /* a variable says by itself what it is */
    key.element = value.element = true;
    size_t begin = c->json.at;
    if (open_message(c, pb_tag(field->number, PB_LEN)) < 0)
        return -1;
    if (key.key && pb_json_peek(&c->json) != '"')
        return fail(c, "a name in quotes is missing");
    if (encode_single(c, &key) < 0)
        return -1;
    int shown = c->json.at - begin < 60 ? (int)(c->json.at - begin) : 60;
    size_t before = path_enter(c, "[%.*s]", shown, c->json.text + begin);
    if (!pb_json_take(&c->json, ':'))
        return fail(c, "a colon is missing behind a key");
    if (encode_single(c, &value) < 0)
        return -1;
    path_leave(c, before);
    return close_message(c);
}

static int encode_map(struct compile *c, const struct pb_field *field)
{
    int more = 1;
    if (pb_json_take(&c->json, '}'))
        return 0;
    while (more == 1) {
        if (encode_map_entry(c, field) < 0)
            return -1;
        more = next_member(c);
    }
    return more;
}

/* null leaves a field out, unless null is one of its values. */
static bool takes_null(const struct pb_field *field)
{
    if (field->repeated)
        return false;
    return (field->message != NULL && field->message->well_known == PB_VALUE) ||
           (field->enumeration != NULL && field->enumeration->null_value);
}

static int encode_field(struct compile *c, const struct pb_field *field, bool *ret_present)
{
    struct place place = place_of(field);
    char next = pb_json_peek(&c->json);
    *ret_present = true;
    if (!at_hole(c) && next == 'n' && !takes_null(field)) {
        size_t at, len;
        const char *reason = pb_json_scalar(&c->json, &at, &len);
        *ret_present = false;
        return reason == NULL ? 0 : fail(c, "%s", reason);
    }
    if (!field->repeated)
        return encode_single(c, &place);
    if (at_hole(c))
        return fail(c, "a variable stands for one value; write %s", field->map ? "{\"key\": value}" : "[value]");
    if (field->map)
        return pb_json_take(&c->json, '{') ? encode_map(c, field) : fail(c, "wants an object, it is a map");
    return pb_json_take(&c->json, '[') ? encode_elements(c, &place) : fail(c, "wants a list, it is repeated");
}

static int refuse_name(struct compile *c, const struct pb_type *type, const char *name, size_t len)
{
    struct pb_nearest nearest = {.word = name, .len = len};
    char listed[160] = "";
    size_t at = 0;
    for (uint32_t i = 0; i < type->count; i++) {
        pb_nearest_offer(&nearest, type->fields[i].name);
        int more = snprintf(listed + at, sizeof listed - at, "%s%s", i > 0 ? ", " : "", type->fields[i].name);
        at = at + (size_t)more < sizeof listed ? at + (size_t)more : sizeof listed - 1;
    }
    if (nearest.best != NULL)
        return fail(c, "%s has no field \"%.80s\"; did you mean %s?", type->full_name, name, nearest.best);
    return fail(c, "%s has no field \"%.80s\"; it has %s", type->full_name, name, at > 0 ? listed : "none");
}

/* Which fields and oneofs of a message have been given: both must come once. */
struct given {
    bool *fields;
    const char **oneofs; /* by whom */
};

static int check_once(struct compile *c, const struct pb_type *type, const struct pb_field *field, struct given *given)
{
    size_t index = (size_t)(field - type->fields);
    if (given->fields[index])
        return fail(c, "it is given twice");
    if (field->oneof >= 0 && given->oneofs[field->oneof] != NULL)
        return fail(c, "only one of oneof %s can be set, and %s is", type->oneofs[field->oneof],
                    given->oneofs[field->oneof]);
    return 0;
}

static int encode_member(struct compile *c, const struct pb_type *type, bool in_any, struct given *given)
{
    char name[256];
    size_t len;
    bool present;
    if (at_hole(c))
        return fail(c, "the name of a field cannot be a variable");
    if (take_name(c, name, sizeof name, &len) < 0)
        return -1;
    if (in_any && strcmp(name, "@type") == 0) {
        const char *reason = pb_json_skip(&c->json);
        return reason == NULL ? 0 : fail(c, "%s", reason);
    }
    const struct pb_field *field = pb_type_field(type, name, len);
    if (field == NULL)
        return refuse_name(c, type, name, len);
    size_t before = path_enter(c, "%s%s", c->path_len > 0 ? "." : "", field->name);
    if (check_once(c, type, field, given) < 0 || encode_field(c, field, &present) < 0)
        return -1;
    given->fields[field - type->fields] = true;
    if (present && field->oneof >= 0)
        given->oneofs[field->oneof] = field->name;
    path_leave(c, before);
    return 0;
}

static int check_required(struct compile *c, const struct pb_type *type, const struct given *given)
{
    for (uint32_t i = 0; i < type->count; i++)
        if (type->fields[i].required && !given->fields[i])
            return fail(c, "%s needs its field %s", type->full_name, type->fields[i].name);
    return 0;
}

static int encode_fields(struct compile *c, const struct pb_type *type, bool in_any)
{
    struct given given = {calloc(type->count + 1, sizeof(bool)), calloc(type->oneof_count + 1, sizeof(char *))};
    int more = given.fields == NULL || given.oneofs == NULL ? no_memory(c) : 1;
    if (more == 1 && !pb_json_take(&c->json, '{'))
        more = fail(c, "wants an object with the fields of %s", type->full_name);
    if (more == 1 && pb_json_take(&c->json, '}'))
        more = 0;
    while (more == 1)
        more = encode_member(c, type, in_any, &given) < 0 ? -1 : next_member(c);
    if (more == 0)
        more = check_required(c, type, &given);
    free(given.fields);
    free(given.oneofs);
    return more;
}

/* {"a": 1, ...} as google.protobuf.Struct: a map of names to Values. */
static int encode_struct(struct compile *c, const struct pb_type *type)
{
    if (!pb_json_take(&c->json, '{'))
        return fail(c, "wants an object");
    return encode_map(c, &type->fields[0]);
}

static int encode_list(struct compile *c, const struct pb_type *type)
{
    struct place place = place_of(&type->fields[0]);
    if (!pb_json_take(&c->json, '['))
        return fail(c, "wants a list");
    return encode_elements(c, &place);
}

/* An object or a list as google.protobuf.Value; its scalars are scalar.c's. */
static int encode_container(struct compile *c, const struct pb_type *type)
{
    uint32_t number = pb_json_peek(&c->json) == '{' ? 5 : 6; /* struct_value, list_value */
    const struct pb_field *field = pb_type_field_numbered(type, number);
    if (open_message(c, pb_tag(number, PB_LEN)) < 0)
        return -1;
    if ((number == 5 ? encode_struct : encode_list)(c, field->message) < 0)
        return -1;
    return close_message(c);
}

/* Finds "@type" anywhere in the object that comes next, and leaves the text where it was. */
static int find_any_type(struct compile *c, char *url, size_t size)
{
    struct pb_json saved = c->json;
    char name[256];
    size_t len = 0;
    int found = 0, more = pb_json_take(&c->json, '{') && pb_json_peek(&c->json) == '"' ? 1 : 0;
    while (more == 1 && found == 0) {
        const char *reason = NULL;
        if (take_name(c, name, sizeof name, &len) < 0)
            return -1;
        if (strcmp(name, "@type") == 0) {
            size_t at;
            reason = pb_json_scalar(&c->json, &at, &len);
            if (reason == NULL && (c->json.text[at] != '"' || len - 2 >= size))
                return fail(c, "\"@type\" wants a type's name");
            if (reason == NULL)
                url[pb_json_unescape(c->json.text + at + 1, len - 2, url)] = '\0';
            found = 1;
        } else {
            reason = pb_json_skip(&c->json);
        }
        if (reason != NULL)
            return fail(c, "%s", reason);
        more = found ? 0 : next_member(c);
    }
    c->json = saved;
    return found ? 0 : fail(c, "an Any needs its \"@type\", a constant such as \"type.googleapis.com/pkg.Message\"");
}

/* Any of a type with a JSON of its own: {"@type": ..., "value": JSON}. */
static int encode_any_value(struct compile *c, const struct pb_type *type)
{
    char name[256];
    size_t len;
    int more = pb_json_take(&c->json, '{') ? 1 : fail(c, "wants an object");
    while (more == 1) {
        if (take_name(c, name, sizeof name, &len) < 0)
            return -1;
        if (strcmp(name, "@type") == 0) {
            const char *reason = pb_json_skip(&c->json);
            if (reason != NULL)
                return fail(c, "%s", reason);
        } else if (strcmp(name, "value") != 0) {
            return fail(c, "an Any of %s has \"@type\" and \"value\", not \"%.80s\"", type->full_name, name);
        } else {
            struct place whole = {.kind = PB_MESSAGE, .message = type};
            if (encode_single(c, &whole) < 0)
                return -1;
        }
        more = next_member(c);
    }
    return more;
}

static int encode_any(struct compile *c, const struct pb_type *any)
{
    char url[512];
    if (find_any_type(c, url, sizeof url) < 0)
        return -1;
    const char *slash = strrchr(url, '/');
    const struct pb_type *type = pb_schema_type((struct pb_schema *)any->schema, slash ? slash + 1 : url);
    if (type == NULL)
        return fail(c, "the files given have no message \"%.200s\" for the Any", slash ? slash + 1 : url);
    size_t len = strlen(url);
    if (pb_ops_varint(&c->ops, pb_tag(1, PB_LEN)) < 0 || pb_ops_varint(&c->ops, len) < 0)
        return no_memory(c);
    if (add_bytes(c, url, len) < 0 || open_message(c, pb_tag(2, PB_LEN)) < 0)
        return -1;
    int result = type->well_known == PB_ORDINARY ? encode_fields(c, type, true) : encode_any_value(c, type);
    return result < 0 ? -1 : close_message(c);
}

static int encode_body(struct compile *c, const struct pb_type *type)
{
    switch (type->well_known) {
    case PB_ORDINARY:
        return encode_fields(c, type, false);
    case PB_STRUCT:
        return encode_struct(c, type);
    case PB_LIST:
        return encode_list(c, type);
    case PB_ANY:
        return encode_any(c, type);
    case PB_VALUE:
        return encode_container(c, type);
    default:
        return fail(c, "wants one value, not an object or a list");
    }
}

static int encode_all(struct compile *c, const struct pb_type *type)
{
    struct place whole = {.kind = PB_MESSAGE, .message = type};
    if (encode_single(c, &whole) < 0)
        return -1;
    pb_json_peek(&c->json);
    if (c->json.at != c->json.len)
        return fail(c, "something follows the message");
    if (c->next != c->hole_count)
        return fail(c, "a variable stands where no value may vary");
    return pb_ops_finish(&c->ops) < 0 ? no_memory(c) : 0;
}

struct pb_template *pb_template_new(const struct pb_type *type, const char *text, size_t len,
                                    const struct squall_hole *holes, size_t hole_count, struct squall_error *error)
{
    struct compile c = {.json = {text, len, 0}, .holes = holes, .hole_count = hole_count, .error = error};
    struct pb_template *template = calloc(1, sizeof *template);
    if (template != NULL) {
        template->slots = calloc(hole_count + 1, sizeof *template->slots);
        template->paths = calloc(hole_count + 1, sizeof *template->paths);
    }
    c.ops.template = template;
    int failed =
        template == NULL || template->slots == NULL || template->paths == NULL ? no_memory(&c) : encode_all(&c, type);
    free(c.scratch);
    if (failed == 0)
        return template;
    pb_template_free(template);
    return NULL;
}
