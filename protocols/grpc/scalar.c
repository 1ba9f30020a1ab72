/*
 * JSON scalars to wire values. See scalar.h. The beginning of the free room is scratch for what has to be unescaped
 * before it can be read: pb_scalar_room() counts it in, and values are written from the other end.
 */
#include "scalar.h"
#include "base64.h"
#include "json.h"
#include "times.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define NUMBER_TEXT_MAX 320 /* the longest double in plain digits, and then some */

static const char no_room[] = "no room for the message";
static const char bad_string[] = "a string holds what JSON does not allow (escapes, control characters, UTF-8)";

/* A scalar, taken apart: `inside` is what stands between the quotes, or all of a number or word. */
struct scalar {
    const char *inside;
    size_t len;
    bool quoted;
};

size_t pb_scalar_room(const struct pb_slot *slot, size_t len)
{
    bool mask = slot->message != NULL && slot->message->well_known == PB_FIELD_MASK;
    return len * (mask ? 8 : 2) + 64;
}

bool pb_scalar_fits(const struct pb_type *type)
{
    switch (type->well_known) {
    case PB_WRAPPER:
    case PB_TIMESTAMP:
    case PB_DURATION:
    case PB_FIELD_MASK:
    case PB_VALUE:
        return true;
    default:
        return false;
    }
}

static bool is_word(const struct scalar *scalar, const char *word)
{
    return scalar->len == strlen(word) && memcmp(scalar->inside, word, scalar->len) == 0;
}

/* Replaces the inside by its unescaped form, in scratch. */
static const char *unescape(struct pb_out *out, struct scalar *scalar)
{
    if (!scalar->quoted || memchr(scalar->inside, '\\', scalar->len) == NULL)
        return NULL;
    if ((size_t)(out->at - out->begin) < scalar->len)
        return no_room;
    int64_t len = pb_json_unescape(scalar->inside, scalar->len, (char *)out->begin);
    if (len < 0)
        return bad_string;
    scalar->inside = (const char *)out->begin;
    scalar->len = (size_t)len;
    return NULL;
}

static int parse_double(const struct scalar *scalar, double *ret_value)
{
    char text[NUMBER_TEXT_MAX];
    if (!pb_json_is_number(scalar->inside, scalar->len) || scalar->len >= sizeof text)
        return -1;
    memcpy(text, scalar->inside, scalar->len);
    text[scalar->len] = '\0';
    *ret_value = strtod(text, NULL);
    return isfinite(*ret_value) ? 0 : -1;
}

/* Sign and magnitude of a whole number: plain digits exactly, 1e3 and 2.0 as far as doubles are exact. */
static int parse_whole(const struct scalar *scalar, bool *ret_negative, uint64_t *ret_value)
{
    bool negative = scalar->len > 0 && scalar->inside[0] == '-';
    uint64_t value = 0;
    size_t at = negative ? 1 : 0;
    if (!pb_json_is_number(scalar->inside, scalar->len))
        return -1;
    for (; at < scalar->len && scalar->inside[at] >= '0' && scalar->inside[at] <= '9'; at++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(scalar->inside[at] - '0'), &value))
            return -1;
    if (at < scalar->len) {
        double number;
        if (parse_double(scalar, &number) < 0 || fabs(number) > 9007199254740992.0 || floor(number) != number)
            return -1;
        value = (uint64_t)fabs(number);
    }
    *ret_negative = negative && value != 0;
    *ret_value = value;
    return 0;
}

static int parse_signed(const struct scalar *scalar, uint64_t magnitude_max, int64_t *ret_value)
{
    bool negative;
    uint64_t value;
    if (parse_whole(scalar, &negative, &value) < 0 || value > magnitude_max + (negative ? 1 : 0))
        return -1;
    *ret_value = negative ? (int64_t)(~value + 1) : (int64_t)value;
    return 0;
}

static int parse_unsigned(const struct scalar *scalar, uint64_t max, uint64_t *ret_value)
{
    bool negative;
    return parse_whole(scalar, &negative, ret_value) < 0 || negative || *ret_value > max ? -1 : 0;
}

/* Writes the value unless it is the default and the slot drops that; sets `*ret_dropped`. */
static int put_number(struct pb_out *out, const struct pb_slot *slot, uint64_t bits, bool *ret_dropped)
{
    *ret_dropped = bits == 0 && slot->drop_default;
    if (*ret_dropped)
        return 0;
    switch (pb_wire_of(slot->kind)) {
    case PB_I64:
        return pb_put_fixed(out, bits, 8);
    case PB_I32:
        return pb_put_fixed(out, bits, 4);
    default:
        return pb_put_varint(out, bits);
    }
}

static const char *put_floating(struct pb_out *out, const struct pb_slot *slot, const struct scalar *scalar,
                                bool *ret_dropped)
{
    double value;
    uint64_t bits = 0;
    if (scalar->quoted && is_word(scalar, "NaN"))
        value = NAN;
    else if (scalar->quoted && (is_word(scalar, "Infinity") || is_word(scalar, "-Infinity")))
        value = scalar->inside[0] == '-' ? -INFINITY : INFINITY;
    else if (parse_double(scalar, &value) < 0)
        return pb_kind_wants(slot->kind);
    if (slot->kind == PB_FLOAT) {
        if (isfinite(value) && fabs(value) > (double)FLT_MAX)
            return "a number within the range of a float";
        float narrow = (float)value;
        uint32_t narrow_bits;
        memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
        bits = narrow_bits;
    } else {
        memcpy(&bits, &value, sizeof bits);
    }
    return put_number(out, slot, bits, ret_dropped) < 0 ? no_room : NULL;
}

static const char *put_whole(struct pb_out *out, const struct pb_slot *slot, const struct scalar *scalar,
                             bool *ret_dropped)
{
    int64_t value = 0;
    uint64_t bits = 0;
    int failed;
    switch (slot->kind) {
    case PB_UINT32:
    case PB_FIXED32:
        failed = parse_unsigned(scalar, UINT32_MAX, &bits);
        break;
    case PB_UINT64:
    case PB_FIXED64:
        failed = parse_unsigned(scalar, UINT64_MAX, &bits);
        break;
    case PB_INT32:
    case PB_SFIXED32:
    case PB_SINT32:
        failed = parse_signed(scalar, INT32_MAX, &value);
        bits = (uint64_t)value;
        break;
    default:
        failed = parse_signed(scalar, INT64_MAX, &value);
        bits = (uint64_t)value;
        break;
    }
    if (failed < 0)
        return pb_kind_wants(slot->kind);
    if (slot->kind == PB_SINT32 || slot->kind == PB_SINT64)
        bits = bits << 1 ^ (value < 0 ? UINT64_MAX : 0);
    return put_number(out, slot, bits, ret_dropped) < 0 ? no_room : NULL;
}

static const char *put_bool(struct pb_out *out, const struct pb_slot *slot, const struct scalar *scalar,
                            bool *ret_dropped)
{
    bool is_true = is_word(scalar, "true");
    if ((!is_true && !is_word(scalar, "false")) || (scalar->quoted && !slot->variable && !slot->key))
        return pb_kind_wants(slot->kind);
    return put_number(out, slot, is_true, ret_dropped) < 0 ? no_room : NULL;
}

static const char *put_enum(struct pb_out *out, const struct pb_slot *slot, const struct scalar *scalar,
                            bool *ret_dropped)
{
    int64_t number;
    const struct pb_enum_value *value = pb_enum_named(slot->enumeration, scalar->inside, scalar->len);
    if (value != NULL && scalar->quoted)
        number = value->number;
    else if (slot->enumeration->null_value && !scalar->quoted && is_word(scalar, "null"))
        number = 0;
    else if ((scalar->quoted && !slot->variable) || parse_signed(scalar, INT32_MAX, &number) < 0)
        return pb_kind_wants(slot->kind);
    return put_number(out, slot, (uint64_t)number, ret_dropped) < 0 ? no_room : NULL;
}

/* Straight to its place, as strings are what requests are mostly made of. */
static const char *put_text(struct pb_out *out, const struct pb_slot *slot, const struct scalar *scalar,
                            bool *ret_dropped)
{
    if (!scalar->quoted && !slot->variable)
        return pb_kind_wants(slot->kind);
    int64_t len = scalar->quoted ? pb_json_unescape(scalar->inside, scalar->len, NULL) : (int64_t)scalar->len;
    if (len < 0)
        return bad_string;
    *ret_dropped = len == 0 && slot->drop_default;
    if ((size_t)(out->at - out->begin) < (size_t)len)
        return no_room;
    out->at -= len;
    if (scalar->quoted)
        pb_json_unescape(scalar->inside, scalar->len, (char *)out->at);
    else
        memcpy(out->at, scalar->inside, scalar->len);
    return pb_put_varint(out, (uint64_t)len) < 0 ? no_room : NULL;
}

static const char *put_bytes(struct pb_out *out, const struct pb_slot *slot, const struct scalar *scalar,
                             bool *ret_dropped)
{
    if ((!scalar->quoted && !slot->variable) || (size_t)(out->at - out->begin) < scalar->len)
        return scalar->quoted || slot->variable ? no_room : pb_kind_wants(slot->kind);
    int64_t len = rpc_base64_decode(scalar->inside, scalar->len, out->begin);
    if (len < 0)
        return pb_kind_wants(slot->kind);
    *ret_dropped = len == 0 && slot->drop_default;
    if (out->at - out->begin < len)
        return no_room;
    out->at -= len;
    memmove(out->at, out->begin, (size_t)len);
    return pb_put_varint(out, (uint64_t)len) < 0 ? no_room : NULL;
}

static const char *put_value(struct pb_out *out, const struct pb_slot *slot, struct scalar *scalar, bool *ret_dropped)
{
    const char *reason = slot->kind == PB_STRING ? NULL : unescape(out, scalar);
    if (reason != NULL)
        return reason;
    switch (slot->kind) {
    case PB_STRING:
        return put_text(out, slot, scalar, ret_dropped);
    case PB_BYTES:
        return put_bytes(out, slot, scalar, ret_dropped);
    case PB_BOOL:
        return put_bool(out, slot, scalar, ret_dropped);
    case PB_ENUM:
        return put_enum(out, slot, scalar, ret_dropped);
    case PB_DOUBLE:
    case PB_FLOAT:
        return put_floating(out, slot, scalar, ret_dropped);
    default:
        return put_whole(out, slot, scalar, ret_dropped);
    }
}

static const char *put_moment(struct pb_out *out, struct scalar *scalar, bool is_duration)
{
    int64_t seconds;
    int32_t nanos;
    const char *reason = unescape(out, scalar);
    if (reason != NULL)
        return reason;
    if (!scalar->quoted || (is_duration ? pb_duration_parse(scalar->inside, scalar->len, &seconds, &nanos)
                                        : pb_timestamp_parse(scalar->inside, scalar->len, &seconds, &nanos)) < 0)
        return is_duration ? "wants a duration such as \"1.5s\"" : "wants a moment such as \"2017-01-15T01:30:15.01Z\"";
    if (nanos != 0 && (pb_put_varint(out, (uint64_t)(int64_t)nanos) < 0 || pb_put_varint(out, 2 << 3) < 0))
        return no_room;
    if (seconds != 0 && (pb_put_varint(out, (uint64_t)seconds) < 0 || pb_put_varint(out, 1 << 3) < 0))
        return no_room;
    return NULL;
}

/* "user.displayName,photo": one path each, the last one first as all is written backwards. */
static const char *put_mask(struct pb_out *out, struct scalar *scalar)
{
    const char *reason = unescape(out, scalar);
    if (reason != NULL || !scalar->quoted)
        return reason != NULL ? reason : "wants a string of paths such as \"user.displayName,photo\"";
    size_t end = scalar->len;
    while (end > 0) {
        size_t begin = end;
        uint8_t *mark = out->at;
        while (begin > 0 && scalar->inside[begin - 1] != ',')
            begin--;
        if (out->at - out->begin < (ptrdiff_t)(scalar->len + (end - begin) * 2))
            return no_room;
        for (size_t i = end; i > begin; i--) {
            char c = scalar->inside[i - 1];
            bool upper = c >= 'A' && c <= 'Z';
            *--out->at = (uint8_t)(upper ? c + ('a' - 'A') : c);
            if (upper)
                *--out->at = '_';
        }
        if (pb_put_varint(out, (uint64_t)(mark - out->at)) < 0 || pb_put_varint(out, pb_tag(1, PB_LEN)) < 0)
            return no_room;
        end = begin > 0 ? begin - 1 : 0;
    }
    return NULL;
}

/* google.protobuf.Value: the field says what it is. */
static const char *put_any_scalar(struct pb_out *out, const char *text, size_t len)
{
    struct pb_slot slot = {.tag = pb_tag(2, PB_I64), .kind = PB_DOUBLE};
    if (text[0] == '"') {
        slot = (struct pb_slot){.tag = pb_tag(3, PB_LEN), .kind = PB_STRING};
    } else if (text[0] == 't' || text[0] == 'f') {
        slot = (struct pb_slot){.tag = pb_tag(4, PB_VARINT), .kind = PB_BOOL};
    } else if (text[0] == 'n') {
        return pb_put_varint(out, 0) < 0 || pb_put_varint(out, pb_tag(1, PB_VARINT)) < 0 ? no_room : NULL;
    }
    return pb_scalar_write(out, &slot, text, len);
}

static const char *put_message(struct pb_out *out, const struct pb_slot *slot, const char *text, size_t len)
{
    const struct pb_type *type = slot->message;
    bool quoted = text[0] == '"';
    struct scalar scalar = {text + (quoted ? 1 : 0), len - (quoted ? 2 : 0), quoted};
    uint8_t *mark = out->at;
    const char *reason;
    struct pb_slot inner;
    switch (type->well_known) {
    case PB_WRAPPER:
        inner = (struct pb_slot){.tag = pb_tag(1, pb_wire_of(type->fields[0].kind)),
                                 .kind = type->fields[0].kind,
                                 .drop_default = true,
                                 .variable = slot->variable};
        reason = pb_scalar_write(out, &inner, text, len);
        break;
    case PB_FIELD_MASK:
        reason = put_mask(out, &scalar);
        break;
    case PB_VALUE:
        reason = put_any_scalar(out, text, len);
        break;
    default:
        reason = put_moment(out, &scalar, type->well_known == PB_DURATION);
    }
    if (reason != NULL || slot->tag == 0)
        return reason;
    return pb_put_varint(out, (uint64_t)(mark - out->at)) < 0 || pb_put_varint(out, slot->tag) < 0 ? no_room : NULL;
}

const char *pb_scalar_write(struct pb_out *out, const struct pb_slot *slot, const char *text, size_t len)
{
    bool quoted = len >= 2 && text[0] == '"', dropped = false, is_message = slot->kind == PB_MESSAGE;
    struct scalar scalar = {text + (quoted ? 1 : 0), len - (quoted ? 2 : 0), quoted};
    bool null_is_value =
        is_message ? slot->message->well_known == PB_VALUE : slot->enumeration != NULL && slot->enumeration->null_value;
    uint8_t *mark = out->at;
    if (len == 0)
        return "it is empty";
    if (!quoted && is_word(&scalar, "null") && !null_is_value)
        return slot->element ? "null cannot be an element" : NULL;
    if (slot->key && !quoted)
        return "the key of a map stands in quotes";
    if (is_message)
        return put_message(out, slot, text, len);
    const char *reason = put_value(out, slot, &scalar, &dropped);
    if (reason == NULL && dropped)
        out->at = mark;
    else if (reason == NULL && slot->tag != 0 && pb_put_varint(out, slot->tag) < 0)
        reason = no_room;
    return reason;
}
