/* Lookups in the type tables, and the search for the name that somebody meant. */
#include "types.h"
#include <string.h>
#include <strings.h>

static bool is_named(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && memcmp(name, text, len) == 0;
}

const struct pb_field *pb_type_field(const struct pb_type *type, const char *name, size_t len)
{
    for (uint32_t i = 0; i < type->count; i++)
        if (is_named(type->fields[i].json_name, name, len) || is_named(type->fields[i].name, name, len))
            return &type->fields[i];
    return NULL;
}

const struct pb_field *pb_type_field_numbered(const struct pb_type *type, uint32_t number)
{
    uint32_t low = 0, high = type->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (type->fields[middle].number == number)
            return &type->fields[middle];
        if (type->fields[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct pb_enum_value *pb_enum_named(const struct pb_enum *enumeration, const char *name, size_t len)
{
    for (uint32_t i = 0; i < enumeration->count; i++)
        if (is_named(enumeration->values[i].name, name, len))
            return &enumeration->values[i];
    return NULL;
}

const struct pb_enum_value *pb_enum_numbered(const struct pb_enum *enumeration, int32_t number)
{
    for (uint32_t i = 0; i < enumeration->count; i++)
        if (enumeration->values[i].number == number)
            return &enumeration->values[i];
    return NULL;
}

enum pb_wire pb_wire_of(enum pb_kind kind)
{
    switch (kind) {
    case PB_DOUBLE:
    case PB_FIXED64:
    case PB_SFIXED64:
        return PB_I64;
    case PB_FLOAT:
    case PB_FIXED32:
    case PB_SFIXED32:
        return PB_I32;
    case PB_STRING:
    case PB_BYTES:
    case PB_MESSAGE:
        return PB_LEN;
    case PB_GROUP:
        return PB_GROUP_START;
    default:
        return PB_VARINT;
    }
}

bool pb_kind_packs(enum pb_kind kind)
{
    return kind != PB_STRING && kind != PB_BYTES && kind != PB_MESSAGE && kind != PB_GROUP;
}

const char *pb_kind_wants(enum pb_kind kind)
{
    switch (kind) {
    case PB_DOUBLE:
    case PB_FLOAT:
        return "wants a number";
    case PB_BOOL:
        return "wants true or false";
    case PB_STRING:
        return "wants a string";
    case PB_BYTES:
        return "wants a string of base64";
    case PB_ENUM:
        return "wants the name of an enum value";
    case PB_MESSAGE:
    case PB_GROUP:
        return "wants an object";
    case PB_INT32:
    case PB_SINT32:
    case PB_SFIXED32:
        return "wants a whole number of 32 bits";
    case PB_UINT32:
    case PB_FIXED32:
        return "wants a whole number from 0 to 4294967295";
    case PB_UINT64:
    case PB_FIXED64:
        return "wants a whole number from 0 to 18446744073709551615";
    default:
        return "wants a whole number of 64 bits";
    }
}

/* Levenshtein without regard to case, in one row. Longer words are no typing mistakes and get no suggestion. */
#define WORD_MAX 96

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return a == b || strncasecmp(&a, &b, 1) == 0;
}

static unsigned distance(const char *word, size_t len, const char *name, size_t name_len)
{
    unsigned row[WORD_MAX + 1];
    for (size_t j = 0; j <= name_len; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= name_len; j++) {
            unsigned replaced = diagonal + (same_letter(word[i - 1], name[j - 1]) ? 0 : 1);
            diagonal = row[j];
            row[j] = smaller(replaced, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[name_len];
}

void pb_nearest_offer(struct pb_nearest *nearest, const char *name)
{
    size_t name_len = strlen(name);
    if (nearest->len == 0 || nearest->len > WORD_MAX || name_len > WORD_MAX)
        return;
    unsigned found = distance(nearest->word, nearest->len, name, name_len);
    size_t longer = nearest->len > name_len ? nearest->len : name_len;
    if (found > 1 + longer / 3 || (nearest->best != NULL && nearest->distance <= found))
        return;
    nearest->best = name;
    nearest->distance = found;
}
